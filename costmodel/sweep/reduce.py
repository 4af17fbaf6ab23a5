"""Streams of chunks, reduced on the fly: filters, fronts, the best few, in constant memory.

Comparisons are exact. A ratio is compared by its nearest float only where that decides: rounding
keeps order, so what is less when rounded is less; the rest is compared as fractions.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from archspec.errors import SpecError
from archspec.scope import conjuncts
from costmodel.algebra.operations import Array
from costmodel.analysis.columns import MAX_EXACT_FLOAT, largest_of
from costmodel.sweep.expressions import ColumnExpression, Numbers
from costmodel.sweep.rows import NO_ROWS, Rows, joined

MAX_KEPT = 10_000_000
"""The most rows that are kept at once: of a front, of the best, of what is sorted."""

FIRST_SLICE = 4096
"""The number of rows in the first slice, so that what they beat is dropped early."""

SLICE = 2**16
"""The number of rows in every other slice."""

PROBES, CHAMPIONS = 128, 6
"""The number of points and rows that are tried, and of points that are then compared first."""


SPARE = 64
"""So many times as many rows as are kept are looked at first where some may be the same."""


class Objective(NamedTuple):
    """Something to be as small, or as large, as it can be.

    Attributes:
        expression: of columns, its text without the direction.
        largest: True where more is better.
    """

    expression: ColumnExpression
    largest: bool = False

    def keys(self, rows: Rows) -> Numbers:
        """Return numbers of which less is better."""
        above, below = self.expression.keys(rows)
        return Numbers(-above if self.largest else above, below)


@dataclass
class Tally:
    """Counts of rows, by what became of them.

    Attributes:
        points: of the space, looked at so far.
        invalid: at which the network is none.
        unmatched: to which nothing is joined.
        refused: that break a condition.
        front: on the front.
        kept: of all others.
        refusal: why the first structure that makes no network does not.
    """

    points: int = 0
    invalid: int = 0
    unmatched: int = 0
    refused: int = 0
    front: int = 0
    kept: int = 0
    refusal: SpecError | None = None

    def add(self, other: "Tally") -> None:
        """Add the counts of later points; the first refusal stays."""
        for name in ("points", "invalid", "unmatched", "refused", "front", "kept"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.refusal = self.refusal or other.refusal

    def require_network(self) -> None:
        """Raise why no point makes a network, where none does.

        Raises:
            SpecError: none does.
        """
        if self.refusal is not None and self.points == self.invalid:
            raise self.refusal


@dataclass
class Thinned:
    """Evenly spaced rows of a stream, at most ``most``; for the background of a plot."""

    most: int
    rows: list[Rows] = field(default_factory=list)
    stride: int = 1
    seen: int = 0

    def passing(self, chunks: Iterable[Rows]) -> Iterator[Rows]:
        """Yield the same chunks, and keep some of their rows."""
        for chunk in chunks:
            self._look(chunk)
            yield chunk

    def _look(self, chunk: Rows) -> None:
        first = -self.seen % self.stride
        self.seen += chunk.count
        self.rows.append(chunk.taken(np.arange(first, chunk.count, self.stride)))
        while sum(rows.count for rows in self.rows) > self.most:
            self.stride *= 2
            rows = joined(self.rows)
            self.rows = [rows.taken(np.arange(0, rows.count, 2))]


def where(
    chunks: Iterable[Rows], conditions: Sequence[ColumnExpression], tally: Tally
) -> Iterator[Rows]:
    """Yield the rows that keep all conditions; of ``and`` the second part asks what is left."""
    parts = [
        ColumnExpression(each.text, part) for each in conditions for part in conjuncts(each.tree)
    ]
    for chunk in chunks:
        rows = chunk
        for condition in parts:
            kept = condition.holds(rows)
            if not np.all(kept):
                rows = rows.select(kept)
        tally.refused += chunk.count - rows.count
        if rows.count:
            yield rows


def _rough(keys: Numbers) -> tuple[Array, bool]:
    """Return keys that are quick to compare, and whether they are exact."""
    if keys.is_whole:
        return keys.numerators, True
    if all(array.dtype != object and largest_of(array) <= MAX_EXACT_FLOAT for array in keys):
        return keys.floats(), False
    return keys.exact(), True


def _ranks(objective: Objective, rows: Rows) -> Array:
    """Return the places of the rows in order, from 0; equal rows have the same."""
    exact = objective.keys(rows).exact()
    ranks: Array = np.unique(exact, return_inverse=True)[1].reshape(-1)
    return ranks


def order(objectives: Sequence[Objective], rows: Rows) -> Array:
    """Return the numbers of the rows, the best first, by the first objective, then the second."""
    return np.lexsort([_ranks(each, rows) for each in reversed(objectives)])


def _beaten(rows: Sequence[Array], by: Sequence[Array], exact: Sequence[bool]) -> Array:
    """Return which rows some others are at least as good as in everything.

    Where keys are rounded, they must be better.
    """
    if len(rows) == 2 and len(by[0]) > CHAMPIONS:
        return _under_stairs(rows, by, exact)
    beaten = np.zeros(len(rows[0]), bool)
    alive = np.arange(len(rows[0]))
    for start in range(0, len(by[0]), 32):
        some = [column[start : start + 32] for column in by]
        dead = _beats(some, [column[alive] for column in rows], exact).any(axis=0)
        beaten[alive[dead]] = True
        alive = alive[~dead]
    return beaten


def _beats(by: Sequence[Array], rows: Sequence[Array], exact: Sequence[bool]) -> Array:
    """Return which of some rows beat which of others."""
    beats = np.ones((len(by[0]), len(rows[0])), bool)
    for other, column, is_exact in zip(by, rows, exact, strict=True):
        beats &= _less(is_exact)(other[:, None], column[None, :]).astype(bool)
    return beats


def _less(is_exact: bool) -> Any:
    return np.less_equal if is_exact else np.less


def _under_stairs(rows: Sequence[Array], by: Sequence[Array], exact: Sequence[bool]) -> Array:
    """Return the same for two objectives, by the least second one of those with a first as good.

    Along the first objective it is a stair.
    """
    order = np.argsort(by[0], kind="stable")
    stair = np.minimum.accumulate(by[1][order])
    place = np.searchsorted(by[0][order], rows[0], side="right" if exact[0] else "left") - 1
    found: Array = _less(exact[1])(stair[place], rows[1]).astype(bool) & (place >= 0)
    return found


def _unbeaten(ranks: Sequence[Array]) -> Array:
    """Return the numbers of the rows that no other is at least as good as; the first of equals."""
    rows = np.lexsort((np.arange(len(ranks[0])), *reversed(ranks)))
    kept = []
    while rows.size:
        best, rows = rows[0], rows[1:]
        kept.append(best)
        worse = np.logical_and.reduce([column[best] <= column[rows] for column in ranks])
        rows = rows[~worse]
    return np.sort(np.array(kept, np.int64))


class Front:
    """The rows of a stream that no other row beats, kept up to date chunk by chunk.

    A row beats another if it is at least as good in every objective and better in one. Of rows
    that are equal in all objectives the first is kept.
    """

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self.objectives = objectives
        self.rows: Rows = NO_ROWS
        self.most = 0

    def take(self, chunk: Rows) -> None:
        """Look at more rows."""
        rough = [_rough(objective.keys(chunk)) for objective in self.objectives]
        start = 0
        while start < chunk.count:
            size = SLICE if self.rows else FIRST_SLICE
            part = [(keys[start : start + size], exact) for keys, exact in rough]
            alive = start + self._hopeful(part)
            if alive.size:
                self._add(chunk.taken(alive))
            start += size

    def _add(self, fresh: Rows) -> None:
        """Keep the best of the old and some new rows."""
        rows = joined([self.rows, fresh]) if self.rows else fresh
        old = rows.count - fresh.count
        ranks = [_ranks(objective, rows) for objective in self.objectives]
        before, after = [r[:old] for r in ranks], [r[old:] for r in ranks]
        exact = [True] * len(ranks)
        new = np.flatnonzero(~_beaten(after, before, exact))
        new = new[_unbeaten([r[new] for r in after])]
        stays = ~_beaten(before, [r[new] for r in after], exact)
        self.rows = rows.taken(np.concatenate([np.flatnonzero(stays), old + new]))
        self.most = max(self.most, self.rows.count)
        check_kept(self.rows.count, "the front has")

    def _hopeful(self, rough: Sequence[tuple[Array, bool]]) -> Array:
        """Return the rows that the front does not beat at first sight."""
        alive = np.arange(len(rough[0][0]))
        if not self.rows:
            return alive
        known = [_rough(objective.keys(self.rows)) for objective in self.objectives]
        exact = [one[1] and other[1] for one, other in zip(rough, known, strict=True)]
        keys, front = [one for one, _ in rough], [one for one, _ in known]
        for which in (_champions(keys, front, exact), slice(None)):
            beaten = _beaten([k[alive] for k in keys], [f[which] for f in front], exact)
            alive = alive[~beaten]
        return alive

    @property
    def found(self) -> Rows:
        """The rows of the front, by the first objective, then the second, and so on."""
        if not self.rows:
            return self.rows
        return self.rows.taken(order(self.objectives, self.rows))


def _champions(keys: Sequence[Array], front: Sequence[Array], exact: Sequence[bool]) -> Array:
    """Return a few points of a front that together beat most rows."""
    rows, points = _probes(len(keys[0])), _probes(len(front[0]))
    beats = _beats([f[points] for f in front], [k[rows] for k in keys], exact)
    chosen: list[int] = []
    for _ in range(CHAMPIONS):
        best = int(beats.sum(axis=1).argmax())
        if not beats[best].any():
            break
        chosen.append(points[best])
        beats = beats & ~beats[best]
    return np.array(chosen, np.int64)


def _probes(count: int) -> Array:
    """Return some numbers below a count, evenly spaced."""
    return np.linspace(0, count - 1, min(PROBES, count)).astype(np.int64)


def check_kept(count: int, what: str) -> None:
    """Make sure that no more rows are kept than memory is for.

    Raises:
        SpecError: there are more.
    """
    if count > MAX_KEPT:
        raise SpecError(
            f"{what} more than {MAX_KEPT:,} rows", hint="leave some out with --where or --top"
        )


def front(chunks: Iterable[Rows], objectives: Sequence[Objective], tally: Tally) -> Iterator[Rows]:
    """Yield the rows that no other beats (see `Front`)."""
    kept = Front(objectives)
    for chunk in chunks:
        kept.take(chunk)
    tally.front = kept.rows.count
    if kept.rows:
        yield kept.found


def top(
    chunks: Iterable[Rows], count: int, by: Objective, once: Sequence[str] = ()
) -> Iterator[Rows]:
    """Yield the best rows, the best first; of equal rows the first ones.

    Args:
        chunks: all rows.
        count: how many are kept.
        by: what is best.
        once: columns of which no values are kept twice; none where all rows differ.
    """
    rows: Rows = NO_ROWS
    for chunk in chunks:
        fresh = _promising(chunk, rows, count, by, once)
        if fresh.count:
            rows = _different(joined([rows, fresh]) if rows else fresh, once)
            rows = rows.taken(np.argsort(_ranks(by, rows), kind="stable")[:count])
    if rows:
        yield rows


def _different(chunk: Rows, names: Sequence[str]) -> Rows:
    """Return the first of the rows that are the same in some columns; all where none are named."""
    if not names:
        return chunk
    first: dict[Any, int] = {}
    for row, values in enumerate(zip(*(chunk[name].tolist() for name in names), strict=True)):
        first.setdefault(values, row)
    return chunk.taken(np.array(list(first.values()), np.int64))


def _promising(chunk: Rows, rows: Rows, count: int, by: Objective, once: Sequence[str]) -> Rows:
    """Return the rows that may be among the best: where rounded keys are equal, all."""
    keys, exact = _rough(by.keys(chunk))
    if rows.count == count:
        worst, was_exact = _rough(by.keys(rows.select(np.array([count - 1]))))
        better = np.flatnonzero(_less(not (exact and was_exact))(keys, worst[0]))
        return chunk.taken(better) if better.size else NO_ROWS
    if not once:
        return _best(chunk, keys, count)
    different = _different(_best(chunk, keys, SPARE * count), once)
    return different if different.count >= count else _different(chunk, once)


def _best(chunk: Rows, keys: Array, count: int) -> Rows:
    """Return at least so many of the rows of the least keys, with all that are equal to these."""
    if chunk.count <= 2 * count or keys.dtype == object:
        return chunk
    return chunk.taken(keys <= np.partition(keys, count - 1)[count - 1])
