"""Exact maps from the places of an output to the places of an input that they read.

A layer that moves, widens or resamples an axis reads, for its output's place y, the places from
``(a·y + b)//u`` to ``(a·y + c)//u`` of its input (`ReadPlaces`): a window ``s·y − p`` to
``s·y − p + d·(k − 1)``, a slice ``s·y + start``, nearest neighbours ``y//f``. A path through the
network is the chain of these steps, a `Route`; both ends of what is read never fall as y grows, so
that the first place of a chain is the chain of the first places, and the last that of the last. Two
steps are one by

* ``(a·(A·y + B) + b)//u = (a·A·y + a·B + b)//u``, where the later step has no floor, and
* ``((A·y + B)//U + b)//u = (A·y + B + b·U)//(U·u)``, where the earlier step has no factor,

and one step is in lowest terms by ``(g·a·y + b)//(g·u) = (a·y + b//g)//u``. Of several paths the
first place is the least of their first places, the last the largest of their last: a `Span` keeps
the candidates. How many elements are seen, first and last included, is the largest over y of
``last(y) − first(y) + 1``, which is the largest over all pairs of candidates, since two maxima
commute. Of a pair with the same steps but for ``c`` and ``b`` under the floor, it is

* ``max over y of (a·y + c)//u − (a·y + b)//u = ceil((c − b)/u)`` for coprime a and u,

because a·y takes every remainder; of another pair it is the largest over one period of y. Along a
chain of windows this is ``R + (k − 1)·d·S`` (Araujo, Norris and Sim, Distill, 2019).
"""

from collections.abc import Iterable
from itertools import product
from math import gcd, lcm, prod
from typing import NamedTuple

from sympy import Add, Expr, Integer, Mul, S

from costmodel.algebra.bounds import lower_bound
from costmodel.algebra.functions import (
    Maximum,
    Minimum,
    ceil_div,
    floor_div,
    is_whole,
    multiplied_out,
    parts_of,
)
from costmodel.algebra.work import charge


class ReadPlaces(NamedTuple):
    """The places of an axis that an output's place y reads: ``(a·y + b)//u`` to ``(a·y + c)//u``.

    Attributes:
        scale: a, positive.
        first: b.
        last: c.
        over: u, positive.
    """

    scale: Expr
    first: Expr
    last: Expr
    over: Expr = S.One


OWN = ReadPlaces(S.One, S.Zero, S.Zero)
"""A place of the output reads the same place of the input."""


class FloorMap(NamedTuple):
    """``(scale·y + offset)//over``."""

    scale: Expr
    offset: Expr
    over: Expr


UNMOVED = FloorMap(S.One, S.Zero, S.One)

Route = tuple[FloorMap, ...]
"""The steps from a place of a tensor to a place of the network's input, as they are taken."""


class OpenPlacesError(ValueError):
    """The places that are seen have no closed form."""


class Span(NamedTuple):
    """The part of an axis that an element sees, from a least place to a largest one.

    Attributes:
        firsts: the routes to the first place.
        lasts: the routes to the last place.
    """

    firsts: tuple[Route, ...]
    lasts: tuple[Route, ...]

    @property
    def is_point(self) -> bool:
        """Return whether no more than one element is seen."""
        return len(self.firsts) == 1 and self.firsts == self.lasts

    @property
    def parts(self) -> int:
        """Return the number of parts of its steps, written out."""
        routes = (*self.firsts, *self.lasts)
        return sum(parts_of(each) for route in routes for step in route for each in step)

    @property
    def stride(self) -> Expr:
        """Return the stride: the elements of the input from one element's places to the next's."""
        return rate(self.firsts[0])

    @property
    def padding(self) -> Expr:
        """Return how many elements before the input the first element's places begin."""
        return largest(-_at(route, S.Zero) for route in self.firsts)

    @property
    def size(self) -> Expr:
        """Return how many elements are seen at most, from the first to the last.

        Raises:
            OpenPlacesError: it has no closed form.
        """
        gaps = [_gap(last, first) for first, last in product(self.firsts, self.lasts)]
        return (largest(gaps) + 1).expand()

    def after(self, reads: ReadPlaces) -> "Span":
        """Return what is seen by an element that reads so of the elements that see this."""
        scale, first, last, over = reads
        begin, end = FloorMap(scale, first, over), FloorMap(scale, last, over)
        return Span(
            tuple(dict.fromkeys(_before(begin, route) for route in self.firsts)),
            tuple(dict.fromkeys(_before(end, route) for route in self.lasts)),
        )

    def shifted(self, first: Expr, last: Expr) -> "Span":
        """Return this with its first and last place moved towards the end of the input."""
        moves = (self.firsts, first), (self.lasts, last)
        return Span(*(tuple(_moved(route, by) for route in routes) for routes, by in moves))

    def shift_to(self, other: "Span") -> tuple[Expr, Expr] | None:
        """Return by how much the first and the last place of another are moved, if constant."""
        first = _shift(self.firsts, other.firsts)
        last = _shift(self.lasts, other.lasts)
        return None if first is None or last is None else (first, last)


POINT = Span(((),), ((),))
"""The span of an element of the input: itself."""


def hull(one: Span, other: Span) -> Span:
    """Return what two paths see together, both with the same stride."""
    return Span(_least((*one.firsts, *other.firsts), 1), _least((*one.lasts, *other.lasts), -1))


def hull_of_first(one: Span, other: Span) -> Span:
    """Return what the first elements of two paths see, with the larger of their strides."""
    stride = largest([one.stride, other.stride])
    scale, over = stride.as_numer_denom()
    begin = -largest((one.padding, other.padding))
    end = largest(_at(route, S.Zero) for span in (one, other) for route in span.lasts)
    steps = (FloorMap(scale, multiplied_out(each * over), over) for each in (begin, end))
    return Span(*((_before(step, ()),) for step in steps))


def rate(route: Route) -> Expr:
    """Return how many elements of the input a place further on is on average, as a quotient."""
    return Mul(*(step.scale / step.over for step in route))


def _before(step: FloorMap, route: Route) -> Route:
    """Return a route with another step before it."""
    charge(1 + len(Add.make_args(step.offset)))
    step = _reduced(step)
    if step == UNMOVED:
        return route
    if not route:
        return (step,)
    joined = _joined(step, route[0])
    return (step, *route) if joined is None else _before(joined, route[1:])


def _joined(earlier: FloorMap, later: FloorMap) -> FloorMap | None:
    """Return two steps as one, where an identity of the module joins them."""
    if earlier.over is S.One:
        offset = multiplied_out(later.scale * earlier.offset + later.offset)
        return FloorMap(later.scale * earlier.scale, offset, later.over)
    if later.scale is S.One:
        offset = multiplied_out(earlier.offset + later.offset * earlier.over)
        return FloorMap(earlier.scale, offset, earlier.over * later.over)
    return None


def _reduced(step: FloorMap) -> FloorMap:
    """Return a step in lowest terms."""
    scale, offset, over = step
    factor: Expr = S.One
    if scale.is_Integer and over.is_Integer:
        factor = Integer(gcd(int(scale), int(over)))
    elif is_whole(scale / over):
        factor = over
    elif is_whole(over / scale):
        factor = scale
    if factor is S.One:
        return step
    return FloorMap(scale / factor, floor_div(offset, factor), over / factor)


def _at(route: Route, place: Expr) -> Expr:
    for scale, offset, over in route:
        place = floor_div((scale * place + offset).expand(), over)
    return place


def _moved(route: Route, by: Expr) -> Route:
    if by is S.Zero:
        return route
    if not route:
        return (FloorMap(S.One, by, S.One),)
    *steps, (scale, offset, over) = route
    return (*steps, FloorMap(scale, multiplied_out(offset + by * over), over))


def _shift(routes: tuple[Route, ...], others: tuple[Route, ...]) -> Expr | None:
    """Return by how much each of some routes is moved, if all by the same."""
    if len(routes) != len(others):
        return None
    shifts = {_shift_of(*pair) for pair in zip(routes, others, strict=True)}
    return shifts.pop() if len(shifts) == 1 else None


def _shift_of(route: Route, other: Route) -> Expr | None:
    if route == other:
        return S.Zero
    *steps, end = route or (UNMOVED,)
    *others, last = other or (UNMOVED,)
    if steps != others or (end.scale, end.over) != (last.scale, last.over):
        return None
    shift = ((last.offset - end.offset) / end.over).expand()
    return shift if is_whole(shift) else None


MAX_PERIOD = 100_000
"""The most places that are tried one by one."""

MAX_OPEN_PERIOD = 64
"""The most of them where offsets are symbols."""


def _gap(last: Route, first: Route) -> Expr:
    """Return the largest distance from one place to another, over all places of the output."""
    charge(1 + sum(len(Add.make_args(step.offset)) for step in (*last, *first)))
    closed = S.Zero if last == first else _closed_gap(last, first)
    if closed is not None:
        return closed
    if rate(last) != rate(first):
        raise OpenPlacesError("the strides of its paths differ")
    places = _period(last, first)
    if all(each.is_Integer for step in (*last, *first) for each in step):
        ends, begins = ([tuple(map(int, step)) for step in route] for route in (last, first))
        return Integer(max(_run(ends, y) - _run(begins, y) for y in places))
    if len(places) > MAX_OPEN_PERIOD:
        raise OpenPlacesError("its paths meet again after too many elements")
    return Maximum(*((_at(last, Integer(y)) - _at(first, Integer(y))).expand() for y in places))


def _closed_gap(last: Route, first: Route) -> Expr | None:
    """``a·ceil((c − b)/u) + γ − β`` for ``a·((…·y + c)//u) + γ`` and the same with b and β."""
    if [step[::2] for step in last] != [step[::2] for step in first] or len(last) > 2:
        return None
    if not last:
        return S.Zero
    scale, offset, over = last[0]
    if not (S.One in (scale, over) or (scale.is_Integer and over.is_Integer)):
        return None
    gap = ceil_div((offset - first[0].offset).expand(), over)
    if len(last) == 1:
        return gap
    if last[1].over is not S.One:
        return None
    return (last[1].scale * gap + last[1].offset - first[1].offset).expand()


def _period(*routes: Route) -> range:
    """Return the places after which all distances come again."""
    if not all(step.over.is_Integer for route in routes for step in route):
        raise OpenPlacesError("it is resampled by factors that are symbols")
    period = lcm(*(prod(int(step.over) for step in route) for route in routes))
    if period > MAX_PERIOD:
        raise OpenPlacesError("its paths meet again after too many elements")
    return range(period)


def _run(route: Iterable[tuple[int, ...]], place: int) -> int:
    for scale, offset, over in route:
        place = (scale * place + offset) // over
    return place


def _least(routes: Iterable[Route], sign: int) -> tuple[Route, ...]:
    """Return the routes that may lead to the least place, or with sign −1 to the largest."""
    kept: list[Route] = []
    for route in dict.fromkeys(routes):
        if any(_is_dominated(route, other, sign) for other in kept):
            continue
        kept = [other for other in kept if not _is_dominated(other, route, sign)]
        joined = [_either(route, other, sign) for other in kept]
        found = next((i for i, each in enumerate(joined) if each is not None), None)
        if found is None:
            kept.append(route)
        else:
            kept[found] = joined[found] or route
    return tuple(kept)


def _is_dominated(route: Route, other: Route, sign: int) -> bool:
    """Return whether another route is proved to lead at least as far at every place."""
    low, high = (other, route) if sign > 0 else (route, other)
    try:
        return _is_at_least(-_gap(low, high))
    except OpenPlacesError:
        return False


def _either(route: Route, other: Route, sign: int) -> Route | None:
    """Return one route for two whose last offsets alone differ: with the less, or the more."""
    if not (len(route) == len(other) == 1 and route[0].over is S.One is other[0].over):
        return None
    if route[0].scale != other[0].scale:
        return None
    pick = Minimum if sign > 0 else Maximum
    return (FloorMap(route[0].scale, pick(route[0].offset, other[0].offset), S.One),)


def _is_at_least(expression: Expr, bound: int = 0) -> bool:
    least = lower_bound(multiplied_out(expression), {})
    return least is not None and least >= bound


def largest(values: Iterable[Expr]) -> Expr:
    """Return the largest of some values: where it is seen which it is that, else their maximum."""
    kept: list[Expr] = []
    for value in dict.fromkeys(values):
        if any(_is_at_least(other - value) for other in kept):
            continue
        kept = [other for other in kept if not _is_at_least(value - other)]
        kept.append(value)
    return Maximum(*kept)
