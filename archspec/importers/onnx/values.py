"""Tensors of an ONNX graph, and arithmetic on those whose elements are known: shapes, axes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product as tuples
from math import isfinite, prod
from typing import TYPE_CHECKING, NamedTuple

from archspec.errors import SpecError
from archspec.importers.onnx.sizes import Extent, chosen, extent, product

if TYPE_CHECKING:
    from onnx import TensorProto

MOST_KNOWN = 4096
"""The most elements of a tensor that is read, or worked out."""

MOST_REALS = 16
"""The most elements of a tensor of a floating-point type that is read, as scales and bounds."""

REAL_TYPES = frozenset({1, 10, 11, 16, *range(17, 21), 23, 24})
"""ONNX's numbers of its floating-point types."""

Shape = tuple[Extent, ...]


class KnownTensor(NamedTuple):
    """A tensor whose elements are known, in symbols.

    Attributes:
        shape: its extents.
        items: its elements, the last axis fastest.
        real: whether they are of a floating-point type, so that a quotient is exact.
    """

    shape: tuple[int, ...]
    items: tuple[Extent, ...]
    real: bool = False

    @property
    def numbers(self) -> tuple[int, ...] | None:
        """Its elements as integers, or None where one is none."""
        found = tuple(item.field for item in self.items)
        return None if None in found else tuple(f for f in found if f is not None)

    @property
    def item(self) -> Extent | None:
        """Its only element, or None where there are others."""
        return self.items[0] if len(self.items) == 1 else None

    def taken(self, shape: Sequence[int], places: Iterable[Sequence[int]]) -> "KnownTensor":
        """Return a tensor of another shape, each element of which is one of this.

        Args:
            shape: its extents.
            places: the index in this tensor of each element.
        """
        steps = _steps(self.shape)
        flat = (sum(i * s for i, s in zip(place, steps, strict=True)) for place in places)
        return self._replace(shape=tuple(shape), items=tuple(self.items[i] for i in flat))


def vector(items: Iterable[Extent | int]) -> KnownTensor:
    """Return a list of sizes as a tensor of one axis."""
    found = tuple(map(extent, items))
    return KnownTensor((len(found),), found)


class OnnxTensor(NamedTuple):
    """A tensor of the graph.

    Attributes:
        shape: its extents; None where even their number is unknown.
        call: the call that makes it, as `Call.inputs` names it; empty for one that is stored.
        stored: the tensor of the file that holds it, or None.
        known: its elements, where they were worked out.
        weight: the name of the tensor of the file that it is a view of.
        initial: whether that is an initializer, as learned tensors are, not a node's constant.
        real: whether its elements are of a floating-point type.
    """

    shape: Shape | None
    call: str = ""
    stored: "TensorProto | None" = None
    known: KnownTensor | None = None
    weight: str = ""
    initial: bool = False
    real: bool = True

    @property
    def fixed(self) -> bool:
        """Return whether no input has a part in it."""
        return not self.call

    @property
    def learned(self) -> bool:
        """Return whether it is an initializer of floating-point numbers, more than one."""
        ones = self.shape is not None and all(size.field == 1 for size in self.shape)
        return self.initial and self.real and not ones

    @property
    def number(self) -> int | float | None:
        """The number that it is, if it is one that no symbol has a part in."""
        known = self.read() if self.fixed else None
        item = None if known is None or known.item is None else known.item.number
        if item is None:
            return None
        short = float(f"{float(item):.7g}")
        return int(short) if short.is_integer() else short

    def read(self, reals: int = 1) -> KnownTensor | None:
        """Return its elements, where they are known or stored and so few that they may be read.

        Args:
            reals: the most elements of a floating-point type that are read.
        """
        if self.known is not None or self.stored is None or self.shape is None:
            return self.known
        extents = [size.field or 0 for size in self.shape]
        most = reals if self.real else MOST_KNOWN
        if prod(extents) > most or self.stored.data_location == 1:
            return None
        return stored_elements(self.stored)


def stored_elements(tensor: "TensorProto") -> KnownTensor | None:
    """Return the elements of a tensor of the file; None where one is no number.

    Raises:
        SpecError: it has fewer elements than its shape says.
    """
    from onnx.numpy_helper import to_array

    try:
        items = to_array(tensor).reshape(-1).tolist()
    except (ValueError, TypeError) as error:
        raise SpecError(f"initializer '{tensor.name}' cannot be read: {error}") from None
    if not all(isinstance(item, (int, float)) and isfinite(item) for item in items):
        return None
    real = tensor.data_type in REAL_TYPES
    return KnownTensor(tuple(tensor.dims), tuple(map(extent, items)), real)


def _steps(shape: Sequence[int]) -> list[int]:
    return [prod(shape[i + 1 :]) for i in range(len(shape))]


def places_of(shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Return every index of a tensor, the last axis fastest."""
    return tuples(*map(range, shape))


def joined_shape(shapes: Iterable[Shape]) -> Shape:
    """Return the shape that tensors are broadcast to."""
    found = [*shapes]
    rank = max(map(len, found))
    columns = zip(*((extent(1),) * (rank - len(s)) + s for s in found), strict=True)
    return tuple(map(_joined, columns))


def _joined(sizes: tuple[Extent, ...]) -> Extent:
    """The one that is not 1; of several the known number, since they must agree."""
    others = [size for size in dict.fromkeys(sizes) if size.field != 1]
    return next((o for o in others if o.field is not None), others[0]) if others else extent(1)


def combined(
    function: Callable[..., Extent | None], operands: Sequence[KnownTensor]
) -> KnownTensor | None:
    """Return an element-wise function of known tensors; None where one element has no value."""
    joined = joined_shape([tuple(map(extent, o.shape)) for o in operands])
    shape = tuple(size.field or 0 for size in joined)
    wide = [_widened(operand, shape).items for operand in operands]
    items = [function(*row) for row in zip(*wide, strict=True)]
    if any(item is None for item in items):
        return None
    real = any(operand.real for operand in operands)
    return KnownTensor(shape, tuple(item for item in items if item is not None), real)


def _widened(operand: KnownTensor, shape: tuple[int, ...]) -> KnownTensor:
    lead = len(shape) - len(operand.shape)
    places = (
        [i if size > 1 else 0 for i, size in zip(place[lead:], operand.shape, strict=True)]
        for place in places_of(shape)
    )
    return operand.taken(shape, places)


def _quotient(left: Extent, right: Extent) -> Extent:
    """Of integers: sizes are positive, so that rounding down is rounding to 0."""
    return left.floor_div(right)


def _truth(test: Callable[[int | float], bool]) -> Callable[[Extent, Extent], Extent | None]:
    """A comparison, decided where the difference is a number, or surely of one sign."""

    def compare(left: Extent, right: Extent) -> Extent | None:
        difference = left.minus(right)
        if difference.number is not None:
            return extent(int(test(float(difference.number))))
        if right.number is not None and right.number < 0:
            return extent(int(test(1)))  # what depends on symbols is a size
        for sign in (1, -1):
            least = difference.times(sign).least
            if least is not None and least > 0:
                return extent(int(test(sign)))
        return None

    return compare


INTEGERS: Mapping[str, Callable[..., Extent | None]] = {
    "Add": Extent.plus,
    "Sub": Extent.minus,
    "Mul": Extent.times,
    "Div": _quotient,
    "Mod": Extent.modulo,
    "Neg": lambda a: a.times(-1),
    "Max": lambda *of: chosen("max", of),
    "Min": lambda *of: chosen("min", of),
    "Equal": _truth(lambda d: d == 0),
    "Greater": _truth(lambda d: d > 0),
    "GreaterOrEqual": _truth(lambda d: d >= 0),
    "Less": _truth(lambda d: d < 0),
    "LessOrEqual": _truth(lambda d: d <= 0),
    "Not": lambda a: None if a.field is None else extent(1 - a.field),
    "And": lambda a, b: a.times(b),
    "Or": lambda a, b: a.plus(b).minus(a.times(b)),
    "Abs": lambda a: a if a.least is not None and a.least >= 0 else None,
    "Floor": Extent.floor,
    "Ceil": lambda a: a.times(-1).floor().times(-1),
    "Where": lambda c, a, b: a if c.field == 1 else b if c.field == 0 else None,
}
"""Operators on known elements → what they are of sizes."""


def exact_quotient(left: Extent, right: Extent) -> Extent | None:
    """Return the quotient of two numbers of a floating-point type; None where it is no size."""
    return left.over(right) if right.number else None


def reduced(
    known: KnownTensor, axis: int, function: Callable[[list[Extent]], Extent]
) -> KnownTensor:
    """Return a known tensor with one axis reduced to extent 1."""
    shape = (*known.shape[:axis], 1, *known.shape[axis + 1 :])
    rows = (
        [
            known.taken((1,), [(*p[:axis], i, *p[axis + 1 :])]).items[0]
            for i in range(known.shape[axis])
        ]
        for p in places_of(shape)
    )
    return KnownTensor(shape, tuple(map(function, rows)), known.real)


REDUCTIONS: Mapping[str, Callable[[list[Extent]], Extent]] = {
    "ReduceProd": product,
    "ReduceSum": lambda items: sum_of(items),
    "ReduceMax": lambda items: chosen("max", items),
    "ReduceMin": lambda items: chosen("min", items),
}
"""Operators that reduce an axis → what they are of sizes."""


def sum_of(items: Iterable[Extent]) -> Extent:
    """Return the sum of sizes."""
    total = extent(0)
    for item in items:
        total = total.plus(item)
    return total
