"""Integer programs over arrays: in floating point, in 64-bit integers or in Python's, as is proved.

Bounds of every intermediate value, from the bounds of the inputs, decide: float64 computes integers
exactly while none leaves 2⁵³, int64 while none leaves 2⁶³; Python's integers compute the rest.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from archspec.arithmetic import round_to
from archspec.expressions import ExpressionError
from costmodel.algebra.evaluate import Evaluator
from costmodel.sweep.memory import POOL, Array

if TYPE_CHECKING:
    from sympy import Expr, Symbol

    from costmodel.sweep.lowering import Node, Program

MAX_FLOAT = 2**53
"""Up to here every integer is a float64."""

MAX_INT64 = 2**63 - 1

Bounds = tuple[int, int] | None
"""The least and the largest value, or None where they are not known."""


class Mode(Enum):
    """What a program computes in."""

    FLOAT = "float64"
    INT = "int64"
    OBJECT = "object"

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of its arrays."""
        return _TYPES[self.value]


_TYPES = {name: np.dtype(name) for name in ("float64", "int64", "object")}


class Operation(NamedTuple):
    """What a node does.

    Attributes:
        number: of Python's numbers.
        array: of arrays, into ``out`` where that is given.
        bounds: of the arguments' bounds.
        text: in Python for numba, of the arguments' texts.
        is_truth: whether it says true or false.
        within: what no intermediate value exceeds, of the arguments' bounds.
    """

    number: Callable[..., int]
    array: Callable[..., Array]
    bounds: Callable[..., tuple[int, int]]
    text: str
    is_truth: bool = False
    within: Callable[..., int] = lambda *_bounds: 0


Pair = tuple[int, int]


def _sum_bounds(a: Pair, b: Pair) -> Pair:
    return a[0] + b[0], a[1] + b[1]


def _product_bounds(a: Pair, b: Pair) -> Pair:
    corners = [x * y for x in a for y in b]
    return min(corners), max(corners)


def _floor_bounds(a: Pair, b: Pair) -> Pair:
    """``a//b`` is monotone in each, for a positive ``b``; else no larger than ``a``, nor by 1."""
    if b[0] >= 1:
        corners = [x // y for x in a for y in b]
        return min(corners), max(corners)
    largest = max(map(abs, a)) + 1
    return -largest, largest


def _truth_bounds(*_args: Pair) -> Pair:
    return 0, 1


def _floor(a: Any, b: Any, out: Array | None = None) -> Array:
    """``a//b``; of float64 the floor of the rounded quotient, which is exact for ``|a| <= 2⁵³``.

    The quotient of ``a = k·b − r`` is ``r/b`` below ``k``, where ``2ᵉ < k <= 2ᵉ⁺¹``. It is rounded
    to ``k`` only if ``r/b <= 2ᵉ⁻⁵³``; then ``k·b > r·2⁵³ + r`` and ``a > 2⁵³``. A negative ``k``
    is as far from the number beyond it.
    """
    if np.result_type(a, b) != np.float64:
        return np.asarray(np.floor_divide(a, b, out=out))
    quotient = np.multiply(a, 1 / b, out=out) if _is_power(b) else np.divide(a, b, out=out)
    return np.asarray(np.floor(quotient, out=quotient))


def _is_power(b: Any) -> bool:
    """Whether it is a number that is a power of two, whose inverse is exact."""
    return isinstance(b, int) and b > 0 and b & (b - 1) == 0


def _round(a: Array, b: int, d: int, out: Array | None = None) -> Array:
    """``round_to(a/b, d)`` for numbers b and d (see `lowering`)."""
    half = np.multiply(a, 2, out=None if out is a else out)
    half = np.add(half, b * d, out=half)
    rounded = _floor(half, 2 * b * d, out=half)
    rounded = np.multiply(rounded, d, out=rounded)
    rounded = np.maximum(rounded, d, out=rounded)
    if a.size and a.min() < 5 * d * b:
        _raise_low(rounded, a, b, d)
    return rounded


def _raise_low(rounded: Array, a: Array, b: int, d: int) -> None:
    """Add d where ``10·b·rounded < 9·a``."""
    least = np.multiply(rounded, 10 * b, out=_like(rounded))
    most = np.multiply(a, 9, out=_like(rounded))
    low = np.asarray(np.less(least, most), bool)
    rounded += np.multiply(low, d, out=least, dtype=least.dtype)


def _like(array: Array) -> Array | None:
    """An array of the same kind to write to, but for objects."""
    return (
        None if array.dtype == object else POOL.take(array.size, array.dtype).reshape(array.shape)
    )


def _round_bounds(a: Pair, b: Pair, d: Pair) -> Pair:
    """``round_to`` grows with what is rounded."""
    low, high = (round_to(Fraction(x, b[0]), d[0]) for x in a)
    return low, high


def _round_within(a: Pair, b: Pair, d: Pair) -> int:
    """``2a + d·b`` and ``10·(r + d)·b``, where ``r <= a/b + d``."""
    return 20 * max(map(abs, a)) + 20 * b[0] * d[0]


def _remainder_within(b: Pair, a: Pair) -> int:
    """``|a| + |b|``, which no ``a//b·b`` exceeds."""
    return max(map(abs, a)) + max(map(abs, b))


def _divides(b: Any, a: Any, out: Array | None = None) -> Array:  # noqa: ARG001 - another type
    return np.asarray(np.equal(np.remainder(a, b), 0))


def _truth(compare: Callable[..., Any]) -> Callable[..., Array]:
    return lambda a, b, out=None: np.asarray(compare(a, b), bool)  # noqa: ARG005 - another type


def _comparison(number: Callable[..., int], compare: Callable[..., Any], text: str) -> Operation:
    return Operation(number, _truth(compare), _truth_bounds, text, is_truth=True)


OPERATIONS: Mapping[str, Operation] = {
    "add": Operation(lambda a, b: a + b, np.add, _sum_bounds, "{} + {}"),
    "mul": Operation(lambda a, b: a * b, np.multiply, _product_bounds, "{} * {}"),
    "floor": Operation(lambda a, b: a // b, _floor, _floor_bounds, "floor_of({}, {})"),
    "round": Operation(
        lambda a, b, d: round_to(Fraction(a, b), d),
        _round,
        _round_bounds,
        "round_to({}, {}, {})",
        within=_round_within,
    ),
    "max": Operation(
        max, np.maximum, lambda a, b: (max(a[0], b[0]), max(a[1], b[1])), "larger({}, {})"
    ),
    "min": Operation(
        min, np.minimum, lambda a, b: (min(a[0], b[0]), min(a[1], b[1])), "smaller({}, {})"
    ),
    "eq": _comparison(lambda a, b: a == b, np.equal, "{} == {}"),
    "ne": _comparison(lambda a, b: a != b, np.not_equal, "{} != {}"),
    "ge": _comparison(lambda a, b: a >= b, np.greater_equal, "{} >= {}"),
    "lt": _comparison(lambda a, b: a < b, np.less, "{} < {}"),
    "le": _comparison(lambda a, b: a <= b, np.less_equal, "{} <= {}"),
    "gt": _comparison(lambda a, b: a > b, np.greater, "{} > {}"),
    "divides": Operation(
        lambda b, a: a % b == 0,
        _divides,
        _truth_bounds,
        "remainder({1}, {0}) == 0",
        is_truth=True,
        within=_remainder_within,
    ),
}


def is_truth(node: "Node") -> bool:
    """Whether a node says true or false."""
    return node.name in OPERATIONS and OPERATIONS[node.name].is_truth


def bounds_of(node: "Node", args: list[Bounds]) -> Bounds:
    """The bounds of an operation's value."""
    known = [arg for arg in args if arg is not None]
    if node.name == "opaque":
        return None
    if OPERATIONS[node.name].is_truth:
        return 0, 1
    return OPERATIONS[node.name].bounds(*known) if len(known) == len(args) else None


class Tape:
    """The nodes that some outputs of a program need, in order.

    Args:
        program: the nodes.
        outputs: the nodes that are wanted.
        given: nodes whose values come from outside, beside the inputs.
    """

    def __init__(
        self, program: "Program", outputs: Iterable[int], given: Iterable[int] = ()
    ) -> None:
        self.nodes = program.nodes
        self.outputs = tuple(dict.fromkeys(outputs))
        leaves = set(given)
        needed: set[int] = set()
        stack = list(self.outputs)
        while stack:
            place = stack.pop()
            if place not in needed:
                needed.add(place)
                stack.extend(() if place in leaves else self.nodes[place].args)
        order = sorted(needed)
        self.given = tuple(p for p in order if p in leaves or self.nodes[p].name == "input")
        outside = set(self.given)
        self.order = tuple(p for p in order if p not in outside and self.nodes[p].name != "const")
        self.consts = {p: self.nodes[p].value for p in order if self.nodes[p].name == "const"}

    @cached_property
    def last_use(self) -> dict[int, list[int]]:
        """Step → what no later one needs."""
        last: dict[int, int] = {}
        for place in self.order:
            last.update(dict.fromkeys(self.nodes[place].args, place))
        free: dict[int, list[int]] = {}
        kept = {*self.outputs, *self.given, *self.consts}
        for place, step in last.items():
            if place not in kept:
                free.setdefault(step, []).append(place)
        return free

    def bounds(self, given: Mapping[int, Bounds]) -> dict[int, Bounds]:
        """What no value leaves, from the bounds of what is given."""
        known: dict[int, Bounds] = {p: given[p] for p in self.given}
        known.update({p: (n, n) for p, n in self.consts.items()})  # type: ignore[misc]
        for place in self.order:
            node = self.nodes[place]
            known[place] = bounds_of(node, [known[arg] for arg in node.args])
        return known

    def mode(self, given: Mapping[int, Bounds]) -> Mode:
        """The fastest way that is proved to be exact."""
        known = self.bounds(given)
        if any(pair is None for pair in known.values()):
            return Mode.OBJECT
        pairs = {p: pair for p, pair in known.items() if pair is not None}
        largest = max((max(-a, b) for a, b in pairs.values()), default=0)
        largest = max(largest, *(self._within(place, pairs) for place in self.order), 0)
        if largest <= MAX_FLOAT:
            return Mode.FLOAT
        return Mode.INT if largest <= MAX_INT64 else Mode.OBJECT

    def _within(self, place: int, pairs: Mapping[int, Pair]) -> int:
        """What no intermediate value of a node exceeds."""
        node = self.nodes[place]
        return OPERATIONS[node.name].within(*(pairs[arg] for arg in node.args))

    def run(self, given: Mapping[int, Array], mode: Mode) -> dict[int, Array]:
        """The outputs, from arrays that broadcast against each other."""
        values: dict[int, Any] = {p: in_mode(given[p], mode) for p in self.given}
        values.update(self.consts)
        shapes = {values[p].shape for p in self.given}
        spare = _Spare(np.broadcast_shapes(*shapes), len(shapes) > 1, mode)
        for place in self.order:
            node = self.nodes[place]
            args = [values[arg] for arg in node.args]
            for dead in self.last_use.get(place, ()):
                spare.put(values.pop(dead))
            values[place] = _step(node, args, spare)
        return {p: np.asarray(values[p]) for p in self.outputs}


class _Spare:
    """Arrays that are no longer needed, of the full shape.

    Args:
        shape: what all inputs broadcast to.
        is_mixed: whether some are smaller.
        mode: what is computed in.
    """

    def __init__(self, shape: tuple[int, ...], is_mixed: bool, mode: Mode) -> None:
        self.shape = shape
        self.is_mixed = is_mixed
        self.dtype = mode.dtype
        self.is_used = mode is not Mode.OBJECT
        self._arrays: list[Array] = []

    def put(self, array: Array) -> None:
        """Give an array back."""
        if self.is_used and array.dtype is self.dtype and array.shape == self.shape:
            self._arrays.append(array)

    def take(self, args: list[Any]) -> Array | None:
        """An array to write the result of some arguments to, if it is of the full shape."""
        if not self.is_used or (self.is_mixed and self._shape_of(args) != self.shape):
            return None
        if self._arrays:
            return self._arrays.pop()
        return POOL.take(prod(self.shape), self.dtype).reshape(self.shape)

    def _shape_of(self, args: list[Any]) -> tuple[int, ...]:
        return np.broadcast_shapes(*(arg.shape for arg in args if isinstance(arg, np.ndarray)))


def _step(node: "Node", args: list[Any], spare: _Spare) -> Array:
    """A node's value, in an array that is no longer needed where there is one."""
    if node.name == "opaque":
        return _opaque(node.value, args)
    operation = OPERATIONS[node.name]
    if operation.is_truth:
        return operation.array(*args)
    return operation.array(*args, out=spare.take(args))


def in_mode(array: Array, mode: Mode) -> Array:
    """An array in the type of a mode; truth values stay what they are."""
    if array.dtype == bool or array.dtype == mode.dtype:
        return array
    if mode is Mode.OBJECT and array.dtype == np.float64:
        return array.astype(np.int64).astype(object)
    return array.astype(mode.dtype)


def whole(array: Array) -> Array:
    """An integer array as int64, or as Python's integers where that is too small."""
    if array.dtype == np.float64:
        return array.astype(np.int64)
    if array.dtype == object and bounds_in(array) is not None:
        low, high = bounds_in(array) or (0, 0)
        return array if max(-low, high) > MAX_INT64 else array.astype(np.int64)
    return array


def bounds_in(array: Array) -> Bounds:
    """The least and the largest of some integers; of none 0."""
    if array.size == 0:
        return 0, 0
    if array.dtype == bool:
        return 0, 1
    return int(array.min()), int(array.max())


def _opaque(value: Any, args: list[Array]) -> Array:
    """One part of an expression's value at numbers over denominators; of none that of 1/0."""
    expression, symbols, denominators, part = value

    def at(*overs: int) -> int:
        known = zip(symbols, overs, denominators, strict=True)
        return _part(expression, {s: Fraction(int(o), d) for s, o, d in known}, part)

    return np.asarray(np.frompyfunc(at, len(args), 1)(*args), object)


def _part(expression: "Expr", values: "Mapping[Symbol, Fraction]", part: str) -> int:
    try:
        return int(getattr(Evaluator(values)(expression), part))
    except ExpressionError:
        return int(part == "numerator")  # by its form it may be a positive divisor
