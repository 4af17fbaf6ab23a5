"""One node of an ONNX graph while it is translated, and the calls that come of it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from archspec.errors import SpecError
from archspec.fields import Condition, Expression
from archspec.importers.calls import NO_FIELDS, Field, LayerCall, Size, SourceModule
from archspec.importers.onnx.modules import weight_name
from archspec.importers.onnx.sizes import Extent, extent
from archspec.importers.onnx.values import MOST_REALS, KnownTensor, OnnxTensor, Shape
from archspec.layers import KINDS
from archspec.trees import Number, Truth

if TYPE_CHECKING:
    from onnx import NodeProto


class UnknownOperatorError(SpecError):
    """No kind expresses an operator, or a form of it."""


def field(size: Extent | int) -> int | Size:
    """Return a size as a field holds it."""
    found = extent(size)
    return Size(str(found)) if found.field is None else found.field


def short(value: float) -> float:
    """Return a number of 32 bits as a person writes it: 1e-5, not 9.999999747378752e-06."""
    return float(f"{value:.7g}")


def per_axis(values: Sequence[Any]) -> Any:
    """Return one value where all axes have the same, else all of them."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def _default(kind: str, name: str) -> object:
    """The value that a field of a kind has where it is not written."""
    value = KINDS[kind].model_fields[name].default
    if isinstance(value, Expression) and isinstance(value.tree, Number):
        return value.tree.value
    if isinstance(value, Condition) and isinstance(value.tree, Truth):
        return value.tree.value
    return value


class Calls:
    """The calls that were made so far.

    Attributes:
        made: the calls, in order.
    """

    def __init__(self, of_any_kind: bool = False) -> None:
        self._of_any_kind = of_any_kind
        self.made: dict[str, LayerCall] = {}
        self._numbers: Counter[str] = Counter()
        self._stored: dict[str, OnnxTensor] = {}

    def add(
        self,
        kind: str,
        inputs: Iterable[str],
        fields: Mapping[str, Field | None],
        shape: Shape | None,
        weights: str = "",
        modules: tuple[SourceModule, ...] = (),
        where: str = "",
    ) -> str:
        """Make a call and return its name.

        Args:
            kind: its kind.
            inputs: the calls whose tensors enter.
            fields: its fields; None and what is the default are left out.
            shape: what leaves it.
            weights: what identifies its learnable tensors.
            modules: the modules of the source that made it.
            where: the node that made it.

        Raises:
            UnknownOperatorError: there is no such kind.
        """
        if self._of_any_kind:
            fields = NO_FIELDS
        elif kind not in KINDS:
            raise UnknownOperatorError(f"there is no kind '{kind}'")
        self._numbers[kind] += 1
        name = f"{kind}_{self._numbers[kind]}"
        kept = {n: v for n, v in fields.items() if v is not None and not same(v, _default(kind, n))}
        sizes = None if shape is None else tuple(map(field, shape))
        self.made[name] = LayerCall(
            name, kind, kept, tuple(inputs), modules, weights, True, sizes, where
        )
        return name

    def tensor(self, value: OnnxTensor) -> str:
        """Return the call that a tensor leaves; one that is stored stands free.

        Raises:
            SpecError: its rank is unknown.
        """
        if value.call:
            return value.call
        if value.shape is None:
            raise SpecError("takes a constant of unknown rank")
        key = f"{value.weight} {value.shape}" if value.weight else f"{id(value)}"
        if key not in self._stored:
            kind = "parameter" if value.learned else "constant"
            shape = value.shape or (extent(1),)
            weights = value.weight if value.learned else ""
            call = self.add(kind, (), {"shape": tuple(map(field, shape))}, shape, weights)
            self._stored[key] = value._replace(call=call)
        return self._stored[key].call


def same(value: object, default: object) -> bool:
    """Return whether a field's value is its default, true and 1 being different."""
    if isinstance(value, bool) or isinstance(default, bool):
        return value is default
    if isinstance(value, float) and isinstance(default, int | Fraction):
        return value == float(default)
    return value == default


def elements(shape: Shape) -> int | None:
    """Return the number of elements of a tensor, where it is known."""
    total = extent(1)
    for size in shape:
        total = total.times(size)
    return total.field


class OnnxNode:
    """A node of the graph.

    Attributes:
        node: the node as the file has it.
        kind: its operator, as ``Conv``.
        inputs: its tensors; None for one that is left out.
        opset: the version of the operators.
        modules: the modules that it stands in.
        calls: the calls that were made so far.
        uses: tensor → how often the graph takes it.
    """

    def __init__(
        self,
        node: "NodeProto",
        inputs: Sequence[OnnxTensor | None],
        opset: int,
        calls: Calls,
        modules: tuple[SourceModule, ...] = (),
        uses: Mapping[str, int] | None = None,
    ) -> None:
        from onnx.helper import get_attribute_value

        self.node, self.kind, self.opset, self.modules = node, node.op_type, opset, modules
        self.inputs = list(inputs)
        self.calls = calls
        self.uses = uses or {}
        self._attributes = {a.name: get_attribute_value(a) for a in node.attribute}

    def apart(self) -> "OnnxNode":
        """Return the same operator, whose calls are made apart from the others and dropped."""
        calls = Calls(of_any_kind=True)
        return OnnxNode(self.node, self.inputs, self.opset, calls, self.modules, self.uses)

    @property
    def where(self) -> str:
        """Its operator and its name."""
        return f"{self.kind} '{self.node.name}'" if self.node.name else self.kind

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute, as Python has it.

        Args:
            name: its name.
            default: what it is where it is left out.
        """
        value = self._attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def integers(self, name: str, count: int, default: int) -> list[int]:
        """Return an attribute that is one integer per axis.

        Args:
            name: its name.
            count: how many there are.
            default: each of them where it is left out.

        Raises:
            SpecError: there are more or fewer.
        """
        values = self._attributes.get(name)
        found = list(values) if values is not None else [default] * count
        if len(found) != count:
            raise SpecError(f"{name} has {len(found)} values, not {count}")
        return found

    def has(self, place: int) -> bool:
        """Return whether an input is given."""
        return place < len(self.inputs) and self.inputs[place] is not None

    def value(self, place: int) -> OnnxTensor:
        """Return an input.

        Raises:
            SpecError: it is left out.
        """
        value = self.inputs[place] if place < len(self.inputs) else None
        if value is None:
            raise SpecError(f"input {place} is missing")
        return value

    def shape(self, place: int = 0) -> Shape:
        """Return the extents of an input.

        Raises:
            SpecError: even their number is unknown.
        """
        shape = self.value(place).shape
        if shape is None:
            raise SpecError(f"the rank of input {place} is unknown")
        return shape

    def numbers(self, place: int) -> tuple[int, ...] | None:
        """Return the integers that an input holds; None where it is left out.

        Raises:
            SpecError: they depend on data or on symbols.
        """
        if not self.has(place):
            return None
        known = self.known(place)
        if known.numbers is None:
            raise SpecError(
                f"input {place} must be numbers, not {', '.join(map(str, known.items))}"
            )
        return known.numbers

    def known(self, place: int, reals: int = MOST_REALS) -> KnownTensor:
        """Return the elements of an input.

        Args:
            place: which, counted from 0.
            reals: how many elements it has at most, where they are no integers.

        Raises:
            SpecError: they are unknown.
        """
        known = self.value(place).read(reals)
        if known is None:
            raise SpecError(f"input {place} depends on data; its elements must be known")
        return known

    def axis(self, default: int, rank: int, name: str = "axis") -> int:
        """Return an attribute that is an axis, counted from 0.

        Args:
            default: where it is left out.
            rank: the number of axes.
            name: the attribute.

        Raises:
            SpecError: there is no such axis.
        """
        return checked_axis(self.attribute(name, default), rank)

    def owned(self, value: OnnxTensor) -> OnnxTensor:
        """Return a stored tensor by what identifies it here (see `weight_name`)."""
        if not value.weight or value.shape is None:
            return value
        extents = (size.field for size in value.shape)
        return value._replace(weight=weight_name(self.node, value.weight, extents))

    def emit(
        self,
        kind: str,
        inputs: Iterable[OnnxTensor],
        shape: Shape | None,
        weights: Iterable[OnnxTensor | None] = (),
        /,
        **fields: Any,
    ) -> OnnxTensor:
        """Make a call and return the tensor that leaves it.

        Args:
            kind: its kind.
            inputs: the tensors that enter.
            shape: what leaves.
            weights: the stored tensors that it learns.
            fields: its fields.
        """
        names = [self.calls.tensor(self.owned(value)) for value in inputs]
        owned = (self.owned(value).weight for value in weights if value is not None)
        held = ", ".join(filter(None, owned))
        call = self.calls.add(kind, names, fields, shape, held, self.modules, self.where)
        return OnnxTensor(shape, call)


def checked_axis(axis: int, rank: int) -> int:
    """Return an axis counted from 0.

    Args:
        axis: the axis, counted from the end if negative.
        rank: the number of axes.

    Raises:
        SpecError: there is no such axis.
    """
    if not -rank <= axis < rank:
        raise SpecError(f"axis {axis} of a tensor of {rank} axes")
    return axis % rank if rank else 0
