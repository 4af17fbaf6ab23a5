"""A sweep whose points are evaluated by other processes, part by part: the same rows as by one."""

import os
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain, islice
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from archspec.errors import SpecError
from costmodel.sweep.processes import Processes
from costmodel.sweep.reduce import Tally
from costmodel.sweep.rows import Rows
from costmodel.sweep.study import Plan, Sweep, planned

T = TypeVar("T")

Finish = Callable[[Sweep, Iterable[Rows]], T]
"""Makes something of a sweep and the rows of a part of it; it and what it makes are pickled."""

MANY_POINTS = 2**21
"""From so many points on processes are worth their start where one network has them all."""

MANY_STRUCTURES = 64
"""From so many points on they are where each may have a structure of its own."""

PARTS_OF_WORKER = 16
"""Parts that each worker gets, so that all are busy to the end."""

MOST_RUNNING = 8
"""The most parts of each worker that are handed out, or wait to be read."""

MAX_PART, MAX_REDUCED = 2**18, 2**22
"""The most points of a part: of one whose rows are all sent back, of one that keeps few."""


class Part(NamedTuple, Generic[T]):
    """A part of a sweep that was evaluated elsewhere.

    Attributes:
        result: what was made of its rows.
        tally: the counts of its points.
        used: the lines of a joined file that it found.
    """

    result: T
    tally: Tally
    used: Sequence[int]


def rows_by(
    executor: Executor | None,
    study: Sweep,
    watch: Callable[[int], None] = lambda _: None,
    workers: int | None = None,
) -> Iterator[Rows]:
    """Yield the rows of a sweep that are kept, in order.

    Args:
        executor: where the points are evaluated, if not here.
        study: the sweep.
        watch: is called with the points so far.
        workers: how many parts the executor evaluates at once; as many as it says if not given.
    """
    if executor is None or study.plan.search is not None:
        return study.rows(watch)
    workers = workers or getattr(executor, "_max_workers", None) or require_jobs(None)
    parts = parts_by(executor, study, finish_of(study), watch, workers)
    return study.finished(study.reduced(chain.from_iterable(parts)))


def parts_by(
    executor: Executor,
    study: Sweep,
    finish: Finish[T],
    watch: Callable[[int], None],
    workers: int,
) -> Iterator[T]:
    """Yield what is made of each part of a sweep's points, in their order (see `rows_by`)."""
    most = MAX_REDUCED if study.query.keeps_few else MAX_PART
    size = min(max(1, len(study.numbers) // (PARTS_OF_WORKER * workers)), most)
    plan = study.pickled
    starts = iter(study.numbers[::size])
    running: deque[Future[Part[T]]] = deque()
    try:
        while True:
            for start in islice(starts, MOST_RUNNING * workers - len(running)):
                numbers = range(start, min(start + size, study.numbers.stop))
                running.append(executor.submit(part_of, plan, numbers, finish))
            if not running:
                return
            part = running.popleft().result()
            study.tally.add(part.tally)
            if study.join is not None:
                study.join.used[part.used] = True
            watch(study.tally.points)
            yield part.result
    finally:
        for future in running:  # where something is raised, nobody wants the others
            future.cancel()


_ONE_AT_A_TIME = Lock()
"""Held while a part is evaluated: threads of one process share what it is evaluated with."""


def part_of(plan: bytes, numbers: range, finish: Finish[T]) -> Part[T]:
    """Return what is made of some points of a sweep; it runs where an executor runs it.

    Args:
        plan: the sweep's plan, pickled.
        numbers: the points.
        finish: makes it of their rows.
    """
    with _ONE_AT_A_TIME:
        study = known_study(plan)
        study.tally = Tally()
        if study.join is not None:
            study.join.used[:] = False
        result = finish(study, study.evaluated(numbers, lambda _: None))
        used = [] if study.join is None else np.flatnonzero(study.join.used).tolist()
        return Part(result, study.tally, used)


@lru_cache(1)
def known_study(plan: bytes) -> Sweep:
    """Return a planned sweep, which a process that evaluates several parts plans but once."""
    read: Plan = pickle.loads(plan)
    return planned(read)


def finish_of(study: Sweep) -> Finish[list[Rows]]:
    """Return what makes of a part's rows those that are sent on."""
    return _plain_rows if study.behind is not None else Sweep.part_reduced


def _plain_rows(study: Sweep, chunks: Iterable[Rows]) -> list[Rows]:
    del study
    return [chunk.made() for chunk in chunks]


def require_jobs(jobs: int | None) -> int:
    """Return the number of processes: as said, or one for each core.

    Raises:
        SpecError: it is less than one.
    """
    if jobs is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if jobs < 1:
        raise SpecError(f"--jobs {jobs}: at least one process evaluates points")
    return jobs


@contextmanager
def local(jobs: int, study: Sweep) -> Iterator[Executor | None]:
    """Give processes of this machine, or None where a sweep is quicker without."""
    if (
        jobs == 1
        or study.plan.search is not None
        or len(study.numbers) < (MANY_STRUCTURES if study.has_structures else MANY_POINTS)
    ):
        yield None
        return
    executor = Processes(jobs)
    try:
        yield executor
    finally:
        executor.kill()  # where something is raised, a part may take hours, and nobody wants it
        executor.shutdown(cancel_futures=True)
