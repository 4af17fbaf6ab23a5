"""A sweep on a cluster of `dask.distributed`: parts of about ten seconds, reduced where they are.

The parts of a front, of the best or of an order stay on the cluster: a tree of further tasks makes
one of eight, and only the last one is sent back. What a lost worker had is worked out anew by
others, as Dask does with every task. Parts of which all rows are kept are sent back in their order.
"""

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING, Any

from archspec.errors import SpecError
from archspec.fields import shortened
from costmodel.sweep.jobs import (
    MAX_PART,
    MAX_REDUCED,
    Finish,
    Part,
    finish_of,
    known_study,
    local,
    part_of,
    require_jobs,
    rows_by,
)
from costmodel.sweep.reduce import Tally
from costmodel.sweep.rows import Rows
from costmodel.sweep.study import Sweep

if TYPE_CHECKING:
    from distributed import Client, Future

SECONDS = 10
"""The time that a part should take."""

FIRST_PART, GROWTH = 256, 8
"""The points of the first parts, and by what factor those that follow may be larger."""

AHEAD = 4
"""The parts of each worker that are handed out at once."""

FAN_IN = 8
"""The parts that are made one."""

LOCAL, SCHEME = "local", "dask://"
"""This machine as a place of evaluation; the beginning of a scheduler's address."""

Watch = Callable[[int], None]
"""Is called with the number of points so far."""

SAME_FILES = "give all of them the same archcost, and the same files at the same paths"

WAIT = 15
"""The seconds in which a scheduler must answer."""

FIRST_WORKER = 120
"""The seconds in which a first worker must have joined it."""


def require_place(on: str, jobs: int | None) -> int:
    """Return the number of processes of this machine that evaluate points.

    Raises:
        SpecError: points are evaluated at no such place, or it has its own number of processes.
    """
    if on != LOCAL and not (on.startswith(SCHEME) and len(on) > len(SCHEME)):
        cause = f"--on {shortened(on)}: points are evaluated on this machine or a cluster of Dask"
        raise SpecError(cause, hint="as in --on dask://host:8786, or --on local")
    if on != LOCAL and jobs is not None:
        cause = f"--jobs {jobs} is of this machine, and the points are evaluated on {on}"
        raise SpecError(cause, hint="the cluster has as many workers as were started")
    return require_jobs(jobs)


@contextmanager
def evaluated(on: str, workers: int, study: Sweep) -> Iterator[Callable[[Watch], Iterator[Rows]]]:
    """Give what returns the rows of a sweep, evaluated at a place.

    Args:
        on: ``local``, or the address of a scheduler.
        workers: the number of processes of this machine.
        study: the sweep.
    """
    if on == LOCAL:
        with local(workers, study) as executor:
            yield lambda watch: rows_by(executor, study, watch, workers)
        return
    if study.plan.search is not None:
        raise SpecError(f"--search runs on this machine, not on {shortened(on)}")
    with connected(on) as client:
        yield partial(rows_on, client, study)


@contextmanager
def connected(address: str) -> Iterator["Client"]:
    """Give a client of the scheduler at ``dask://host:port``.

    Raises:
        SpecError: Dask is not installed, nothing answers there, or the workers cannot evaluate.
    """
    try:
        import distributed
    except ImportError:
        hint = "pip install distributed, the extra 'dask' of archcost"
        raise SpecError(f"--on {address} needs dask.distributed", hint=hint) from None
    for name in ("distributed", "distributed.client"):  # what they warn of is done again
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(f"tcp://{address.removeprefix(SCHEME)}", timeout=WAIT)
    except (OSError, ValueError) as error:
        cause = f"--on {shortened(address)}: no scheduler of Dask answers there"
        raise SpecError(cause, hint=str(error) or None) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=FIRST_WORKER)
        except TimeoutError:
            cause = f"--on {shortened(address)}: no worker has joined this scheduler"
            raise SpecError(cause, hint="start some, as dask worker tcp://host:8786") from None
        yield client


def rows_on(client: "Client", study: Sweep, watch: Watch = lambda _: None) -> Iterator[Rows]:
    """Yield the rows of a sweep that are kept, in order, as `costmodel.sweep.jobs.rows_by` does.

    Raises:
        SpecError: a rule is broken, workers read other files or none, or the cluster is lost.
    """
    finish = finish_of(study)
    is_small = study.query.keeps_few and study.behind is None
    with _explained():
        parts = _parts(client, study, finish, watch, MAX_REDUCED if is_small else MAX_PART)
        if is_small:
            parts = _merged(client, study, parts)
        results = (_taken(study, part.result()) for part in parts)
        yield from study.finished(study.reduced(chain.from_iterable(results)))


def _taken(study: Sweep, part: Part[Any]) -> Any:
    """Return what was made of a part, whose points are counted now."""
    study.tally.add(part.tally)
    if study.join is not None:
        study.join.used[part.used] = True
    return part.result


def _parts(
    client: "Client", study: Sweep, finish: Finish[Any], watch: Watch, most: int
) -> Iterator["Future"]:
    """Yield the parts of a sweep in the order of their points, each when it is done."""
    plan, expected = study.pickled, fingerprint(study)
    numbers, size = study.numbers, FIRST_PART
    start = numbers.start
    waiting: deque[tuple[range, Future, Future]] = deque()
    while start < numbers.stop or waiting:
        while start < numbers.stop and len(waiting) < AHEAD * _workers(client):
            own = range(start, min(start + size, numbers.stop))
            part = client.submit(_timed_part, plan, expected, own, finish, pure=False)
            waiting.append((own, part, client.submit(_seconds, part, pure=False)))
            start = own.stop
        own, part, seconds = waiting.popleft()
        fitting = int(len(own) * SECONDS / max(seconds.result(), 1e-3))
        size = max(1, min(fitting, GROWTH * len(own), most))
        watch(own.stop - numbers.start)
        yield client.submit(_untimed, part, pure=False)


def _workers(client: "Client") -> int:
    """Return the number of workers; of a cluster that has none yet one."""
    return max(1, len(client.nthreads()))


def _merged(client: "Client", study: Sweep, parts: Iterator["Future"]) -> Iterator["Future"]:
    """Yield one part for all, which the cluster makes of eight again and again."""
    levels: list[list[Future]] = []

    def one_of(some: Sequence["Future"]) -> "Future":
        return client.submit(joined_parts, study.pickled, list(some), pure=False)

    for part in parts:
        for level in levels:
            level.append(part)
            if len(level) < FAN_IN:
                break
            part = one_of(level)
            level.clear()
        else:
            levels.append([part])
    yield one_of([*chain.from_iterable(reversed(levels))])


def _timed_part(
    plan: bytes, expected: str, numbers: range, finish: Finish[Any]
) -> tuple[float, Part[Any]]:
    """Return how many seconds a part took, and the part; it runs on a worker."""
    try:
        found = _known_fingerprint(plan)
    except SpecError as error:
        raise SpecError(f"on a worker of the cluster: {error.cause}", hint=SAME_FILES) from None
    if found != expected:
        cause = "a worker of the cluster reads other specs, or another archcost, than this machine"
        raise SpecError(cause, hint=SAME_FILES)
    begun = perf_counter()
    part = part_of(plan, numbers, finish)
    return perf_counter() - begun, part


def _seconds(timed: tuple[float, Part[Any]]) -> float:
    return timed[0]


def _untimed(timed: tuple[float, Part[Any]]) -> Part[Any]:
    return timed[1]


def joined_parts(plan: bytes, parts: Sequence[Part[list[Rows]]]) -> Part[list[Rows]]:
    """Return neighbouring parts as one, reduced once more; it runs on a worker."""
    tally = Tally()
    for part in parts:
        tally.add(part.tally)
    rows = chain.from_iterable(part.result for part in parts)
    used = sorted(set(chain.from_iterable(part.used for part in parts)))
    return Part(known_study(plan).part_reduced(rows), tally, used)


def fingerprint(study: Sweep) -> str:
    """Return a text that differs where a sweep's networks, its joined lines or archcost do."""
    parts = []
    with suppress(PackageNotFoundError):
        parts.append(version("archcost"))
    parts += [repr((c.labels, c.architecture.document.data, c.setup)) for c in study.cases]
    if study.join is not None:
        parts += [f"{name} {column.tolist()}" for name, column in study.join.columns.items()]
        parts.append(repr(study.join.lines))
    return hashlib.sha256("\n".join(parts).encode("utf-8", "backslashreplace")).hexdigest()


@lru_cache(1)
def _known_fingerprint(plan: bytes) -> str:
    return fingerprint(known_study(plan))


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what Dask raises into one error."""
    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    try:
        yield
    except KilledWorker:
        cause = "a part of the sweep ended several workers of the cluster, maybe for want of memory"
        raise SpecError(cause, hint="give each worker more, and one thread") from None
    except (CancelledError, CommClosedError, OSError, TimeoutError) as error:
        cause = "the cluster is lost before all points are evaluated"
        raise SpecError(cause, hint=str(error).rpartition("\n")[2] or None) from None
    except ImportError as error:
        cause = f"the workers of the cluster cannot evaluate points: {error}"
        raise SpecError(cause, hint="install the same archcost on all of them") from None
