"""A design space: the points at which a network is looked at, in order, by their numbers.

A grid has the points of all combinations of values, the last symbol varying fastest. A sample has
points drawn from them, the same for the same seed however they are read.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil, floor, prod

import numpy as np

from archspec.arithmetic import Rational, tidy
from archspec.errors import SpecError, did_you_mean
from archspec.expressions import ExpressionError
from archspec.fields import shortened
from archspec.header import Header
from archspec.header import Symbol as Declared
from archspec.scope import Scope, free_names, resolve
from archspec.trees import Name, Number, Tree
from archspec.trees import Value as Resolved
from costmodel.algebra.operations import Array
from costmodel.analysis.columns import SymbolColumn, read_column
from costmodel.sweep.let_overrides import check_override
from costmodel.sweep.rows import column_of
from costmodel.sweep.vary import (
    MAX_VALUES,
    TRUTHS,
    SampledRange,
    Value,
    Varied,
    abridged,
    briefly,
    show_value,
)

MAX_POINTS = 10**12
"""The most points of one sweep."""

BLOCK = 2**16
"""The number of points of a sample that are drawn together."""

RESOLUTION = Fraction(1, 10**6)
"""The step of the drawn values of a real symbol."""


@dataclass(frozen=True)
class SweptAxis:
    """A name and the values that it takes.

    Attributes:
        name: a symbol, or a ``let`` name.
        values: they, in order; of an interval none.
        interval: the numbers of steps from which samples are drawn.
        step: what drawn values are multiples of.
    """

    name: str
    values: tuple[Value, ...]
    interval: SampledRange | None = None
    step: Rational = 1

    def numbers(self, generator: np.random.Generator, count: int) -> Array:
        """Return places among the values, or numbers of steps, by chance.

        Each is as likely, or of a logarithmic interval each ratio.
        """
        if self.interval is None:
            return generator.integers(0, len(self.values), count)
        first, last = int(self.interval.first), int(self.interval.last)
        if not self.interval.logarithmic:
            return generator.integers(first, last, count, np.int64, endpoint=True)
        low, high = np.log(first), np.log(last + 1)
        found = np.floor(np.exp(low + (high - low) * generator.random(count)))
        clipped: Array = np.clip(found.astype(np.int64), first, last)
        return clipped

    def at(self, numbers: Array) -> SymbolColumn | Array:
        """Return the values at places, or of numbers of steps."""
        if self.interval is None:
            return self._column[numbers]
        return SymbolColumn(numbers * self.step.numerator, self.step.denominator)

    @cached_property
    def _column(self) -> SymbolColumn | Array:
        if any(isinstance(value, str) for value in self.values):
            return column_of(self.values)
        return read_column(self.name, self.values)

    @property
    def places(self) -> range:
        """The places of all values, or the numbers of steps that they are."""
        if self.interval is None:
            return range(len(self.values))
        return range(int(self.interval.first), int(self.interval.last) + 1)

    def value(self, place: int) -> Value:
        """Return the value at a place, or of a number of steps."""
        return self.values[place] if self.interval is None else tidy(Fraction(place * self.step))

    def place(self, value: Value) -> int | None:
        """Return the place of a value, or of how many steps it is; None where it is none."""
        if self.interval is None:
            return self._places.get(value)
        number = 0 if isinstance(value, str) else Fraction(value) / self.step
        return int(number) if number.denominator == 1 and int(number) in self.places else None

    @cached_property
    def _places(self) -> dict[Value, int]:
        return {value: place for place, value in enumerate(self.values)}

    @property
    def first(self) -> Value:
        """The value where it begins."""
        return self.value(self.places[0])


@dataclass(frozen=True)
class Space:
    """The points of a sweep of one spec.

    Attributes:
        axes: what varies by itself, in order.
        links: symbol → the expression of the axes that decides it, in order.
        declared: the symbols of the spec.
        sample: how many points are drawn, or None where the grid is meant.
        seed: of the sample.
    """

    axes: tuple[SweptAxis, ...]
    links: Mapping[str, Tree]
    declared: Mapping[str, Declared]
    sample: int | None = None
    seed: int = 0

    @cached_property
    def size(self) -> int:
        """The number of points."""
        lengths = (len(axis.values) for axis in self.axes)
        return prod(lengths) if self.sample is None else self.sample

    @property
    def names(self) -> tuple[str, ...]:
        """The names that vary, linked symbols included."""
        return (*(axis.name for axis in self.axes), *self.links)

    @property
    def first(self) -> dict[str, Value]:
        """The values of the axes where they begin."""
        return {axis.name: axis.first for axis in self.axes}

    def drawn(self, start: int, stop: int) -> dict[str, SymbolColumn | Array]:
        """Return the values of the axes at some points of a sample."""
        blocks = range(start // BLOCK, -(-stop // BLOCK))
        first = start - blocks.start * BLOCK
        rows = slice(first, first + stop - start)
        found: dict[str, SymbolColumn | Array] = {}
        for i, axis in enumerate(self.axes):
            numbers = np.concatenate([self._block(i, block) for block in blocks])
            found[axis.name] = axis.at(numbers[rows])
        return found

    def _block(self, axis: int, block: int) -> Array:
        generator = np.random.default_rng([self.seed, axis, block])
        return self.axes[axis].numbers(generator, BLOCK)


def read_space(
    varied: Sequence[Varied],
    header: Header,
    fixed: Mapping[str, Rational],
    sample: int | None = None,
    seed: int = 0,
) -> Space:
    """Return the space of one spec, of what varies only the names that the spec has.

    Args:
        varied: what is varied.
        header: the spec's top level.
        fixed: symbols that are set.
        sample: how many points are drawn, if any; where nothing varies there is but one.
        seed: of the sample.

    Raises:
        SpecError: a name is set, a value breaks its symbol's rules, links go in a circle or name
            what is unknown, or there are too many points.
    """
    known = {*header.symbols, *header.let}
    linked = frozenset().union(*(_names_in(one) for one in varied if one.name in known))
    own = [one for one in varied if one.name in known | linked]
    for one in own:
        _check_kind(one, header, fixed)
    axes = tuple(_axis(one, header, sample is not None) for one in own if one.link is None)
    numbers = {n: Number(v) for n, v in {**header.defaults, **fixed}.items()}
    trees = {one.name: one.link for one in own if one.link is not None}
    names = {axis.name: Name(axis.name) for axis in axes if axis.name not in header.let}
    links = dict(_links(trees, {**numbers, **names}))
    space = Space(axes, links, header.symbols, sample if axes else None, seed)
    if space.size > MAX_POINTS:
        found = abridged(f"{space.size:,}")
        raise SpecError(f"{found} points; at most {MAX_POINTS:,} are swept")
    return space


def helpers_of(varied: Sequence[Varied], known: Collection[str]) -> tuple[str, ...]:
    """Return the names that no spec has but links speak of, as ``phi`` of ``depth=1.2**phi``.

    Args:
        varied: what varies.
        known: the names of all specs.
    """
    linked = frozenset().union(*map(_names_in, varied))
    return tuple(one.name for one in varied if one.name in linked and one.name not in known)


def _names_in(one: Varied) -> frozenset[str]:
    return frozenset() if one.link is None else frozenset(free_names(one.link))


def check_names(
    varied: Iterable[Varied], headers: Sequence[Header], helpers: Collection[str] = ()
) -> None:
    """Make sure that what varies is of one spec at least, or that links speak of it.

    Raises:
        SpecError: no spec has such a name.
    """
    known = dict.fromkeys(name for each in headers for name in (*each.symbols, *each.let))
    for one in varied:
        if one.name in helpers and not one.link:
            continue
        if one.name not in known:
            has = "the spec has no" if len(headers) == 1 else "no spec has a"
            raise SpecError(
                f"--vary {one.name}: {has} symbol '{one.name}'",
                hint=did_you_mean(one.name, known),
            )
        if one.pattern and not any(one.name in each.let for each in headers):
            cause = f"--vary {one.name}: {one.name} is a symbol, which is no list but a number"
            raise SpecError(cause, hint=f"as in --vary {one.name}=choice(3,5,7)")


def _check_kind(one: Varied, header: Header, fixed: Mapping[str, Rational]) -> None:
    if one.name in fixed:
        raise SpecError(f"'{one.name}' is varied and set to {briefly(fixed[one.name])}")
    if one.name in header.let and one.link is not None:
        raise SpecError(
            f"--vary {one.name}: a let name that is no number takes a list of values",
            hint="as in --vary 'depths=[2,2,2,2],[3,4,6,3]' or --vary tied=false,true",
        )


def _axis(one: Varied, header: Header, is_sample: bool) -> SweptAxis:
    if one.name in header.let:
        values = one.values if one.interval is None else _integers(one)
        for value in values:
            check_override(one.name, value, header)
        return SweptAxis(one.name, values)
    declared = header.symbols.get(one.name)
    if declared is None:
        return SweptAxis(one.name, _helper_values(one))
    if one.interval is not None:
        return _interval_axis(one.name, one.interval, declared, is_sample)
    for value in one.values:
        _check_value(one.name, value, declared)
    return SweptAxis(one.name, one.values)


def _helper_values(one: Varied) -> tuple[Value, ...]:
    """Return the numbers of a name that only links speak of.

    Raises:
        SpecError: they are no numbers, or too many.
    """
    if any(isinstance(value, str) for value in one.values):
        raise SpecError(f"--vary {one.name}: links are computed of numbers alone")
    return one.values if one.interval is None else _integers(one)


def _integers(one: Varied) -> tuple[Value, ...]:
    """Return all integers of the interval of a name that is no symbol.

    Raises:
        SpecError: they are too many.
    """
    assert one.interval is not None
    first, last = ceil(one.interval.first), floor(one.interval.last)
    if one.interval.logarithmic or not 0 <= last - first < MAX_VALUES:
        cause = f"--vary {one.name}: of a name that is no symbol, a few numbers are swept"
        raise SpecError(cause, hint=f"as in --vary {one.name}=0:7")
    return tuple(range(first, last + 1))


def _check_value(name: str, value: Value, declared: Declared) -> None:
    if isinstance(value, str):
        kind = "a truth value" if value in TRUTHS else "a list"
        raise SpecError(f"--vary {name}: {shortened(value)} is {kind}; a symbol is a number")
    broken = declared.broken_rule(value)
    if broken:
        raise SpecError(f"--vary {name}: {name} = {briefly(value)} {broken}")


def _interval_axis(
    name: str, interval: SampledRange, declared: Declared, is_sample: bool
) -> SweptAxis:
    text = f"{name}={briefly(interval.first)}:{briefly(interval.last)}"
    if not is_sample and interval.logarithmic:
        raise SpecError(
            f"--vary {text}:log is what a sample draws from",
            hint=f"say --sample N, or steps by a factor, as {text}:*2",
        )
    if not is_sample and declared.domain == "real":
        raise SpecError(f"--vary {text} has no step, and {name} is real", hint=f"as {text}:0.05")
    step = declared.multiple_of or (1 if declared.domain == "integer" else RESOLUTION)
    first, last = (Fraction(end) / step for end in interval[:2])
    found = interval._replace(first=ceil(first), last=floor(last))
    if found.first > found.last:
        raise SpecError(f"--vary {text}: no multiple of {show_value(step)} is in it")
    for end in (found.first, found.last):
        _check_value(name, tidy(Fraction(end * step)), declared)
    if is_sample:
        return SweptAxis(name, (), found, step)
    count = int(found.last - found.first) + 1
    if count > MAX_VALUES:
        values = abridged(f"{count:,}")
        raise SpecError(f"--vary {text}: {values} values; at most {MAX_VALUES:,} are swept")
    return SweptAxis(name, tuple(tidy((found.first + i) * step) for i in range(count)))


def _links(trees: Mapping[str, Tree], known: Mapping[str, Resolved]) -> Iterator[tuple[str, Tree]]:
    """Yield what each linked symbol is in the axes, those first that others hang on."""
    scope = Scope({n: v for n, v in known.items() if n not in trees})
    waiting = dict(trees)
    while waiting:
        ready = [n for n, tree in waiting.items() if not free_names(tree) & waiting.keys()]
        if not ready:
            circle = ", ".join(waiting)
            raise SpecError(f"--vary: the links of {circle} go in a circle")
        for name in ready:
            try:
                found = resolve(waiting.pop(name), scope)
            except ExpressionError as error:
                raise SpecError(f"--vary {name}: {error.cause}", hint=error.hint) from None
            scope = scope.extended({name: found})
            yield name, found  # type: ignore[misc]
