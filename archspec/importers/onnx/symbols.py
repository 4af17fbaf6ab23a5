"""Symbols of an ONNX graph: the names of its inputs' sizes, as names of the language."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.errors import SpecError
from archspec.expressions import FUNCTIONS, KEYWORDS, OF_NAMES
from archspec.importers.onnx.sizes import Extent, extent
from archspec.importers.onnx.values import REAL_TYPES, Shape

if TYPE_CHECKING:
    from onnx import ValueInfoProto

RESERVED = {*FUNCTIONS, *KEYWORDS, *OF_NAMES, "index", "in_shape", "in_channels", "in_features"}
"""Names that a symbol cannot have."""

NUMBERED = re.compile(
    r"(s|u|unk__|dim_?|p2o_DynamicDimension_|DynamicDimension\.)?\d+"
    r"|None|\?|.*_dynamic_axes_\d+"
)
"""Names of sizes that no person gave: torch's, tf2onnx's and Paddle's."""

MOST = 1 << 40
"""The largest extent that a file may give."""


class GraphSymbols:
    """The symbols of a network.

    Attributes:
        defaults: name → default of each, in order.
        notes: sentences on extents that are read otherwise than the file says them.
    """

    def __init__(self) -> None:
        self.defaults: dict[str, int] = {}
        self.notes: list[str] = []
        self._named: dict[str, str] = {}

    @property
    def extents(self) -> Mapping[str, Extent]:
        """Return the meaning of each name of the file in the spec."""
        return {source: extent(name) for source, name in self._named.items()}

    def of_inputs(
        self, inputs: Sequence["ValueInfoProto"], given: Sequence[str]
    ) -> Mapping[str, Shape]:
        """Return the sizes of every input.

        Args:
            inputs: the inputs of the graph.
            given: what was said of them instead, in order.

        Raises:
            SpecError: an input is no tensor, or what was said does not fit it.
        """
        if len(given) > len(inputs):
            names = ", ".join(value.name for value in inputs)
            raise SpecError(f"{len(given)} inputs are given; the file has {len(inputs)}: {names}")
        texts = [*given, *[""] * (len(inputs) - len(given))]
        return {v.name: self._of_input(v, text) for v, text in zip(inputs, texts, strict=True)}

    def _of_input(self, value: "ValueInfoProto", text: str) -> Shape:
        kind = value.type.tensor_type
        if not value.type.HasField("tensor_type"):
            raise SpecError(f"input '{value.name}' is no tensor")
        if text:
            return self._given(value, [part.strip() for part in text.strip("[]() ").split(",")])
        if not kind.HasField("shape"):
            hint = f'write --input "n, 3, h, w", the sizes of {value.name}'
            raise SpecError(f"the file does not say how many axes '{value.name}' has", hint=hint)
        extents = [dim.dim_value for dim in kind.shape.dim]
        names = _usual_names(extents, real=kind.elem_type in REAL_TYPES)
        sizes = []
        for axis, dim in enumerate(kind.shape.dim):
            if dim.HasField("dim_value") and dim.dim_value > 0:
                if dim.dim_value > MOST:
                    raise SpecError(f"input '{value.name}' has an axis of {dim.dim_value} elements")
                sizes.append(extent(dim.dim_value))
            elif not dim.dim_param:
                sizes.append(self._symbol(f"{value.name}.{axis}", names[axis], names[axis]))
                if dim.HasField("dim_value"):
                    said = f"axis {axis} of '{value.name}' has {dim.dim_value} elements in the file"
                    self.notes.append(f"{said}; it is the symbol {sizes[-1]} here")
            else:
                wanted = names[axis] if NUMBERED.fullmatch(dim.dim_param) else dim.dim_param
                sizes.append(self._symbol(dim.dim_param, wanted, names[axis]))
        return tuple(sizes)

    def _given(self, value: "ValueInfoProto", parts: Sequence[str]) -> Shape:
        kind = value.type.tensor_type
        rank = len(kind.shape.dim) if kind.HasField("shape") else len(parts)
        if len(parts) != rank:
            raise SpecError(f"input '{value.name}' has {rank} axes; {len(parts)} sizes are given")
        extents = [int(part) if part.isdigit() else 0 for part in parts]
        names = _usual_names(extents, real=kind.elem_type in REAL_TYPES)
        return tuple(self._size_of_input(p, n) for p, n in zip(parts, names, strict=True))

    def _size_of_input(self, part: str, usual: str) -> Extent:
        name, _, default = (each.strip() for each in part.partition("="))
        if name.isdigit() and 0 < int(name) <= MOST:
            return extent(int(name))
        if not name.isidentifier() or name in RESERVED or (default and not default.isdigit()):
            hint = "write numbers and names, as n, 3, h, w"
            raise SpecError(f"'{part}' is no size of an input", hint=hint)
        found = self._symbol(name, name, usual)
        self.defaults |= {name: int(default)} if default else {}
        return found

    def _symbol(self, source: str, wanted: str, usual: str) -> Extent:
        """The symbol that stands for a name of the file; a new one where there is none yet."""
        if source not in self._named:
            name = valid_name(wanted, self.defaults)
            self._named[source] = name
            self.defaults[name] = DEFAULTS.get(usual, 128)
        return extent(self._named[source])


DEFAULTS = {"n": 1, "h": 224, "w": 224, "d": 16}
"""Symbols of inputs → their defaults; all others are lengths, of 128."""


def _usual_names(extents: Sequence[int], *, real: bool) -> list[str]:
    """Names of an input's axes: ``n, c, h, w`` of images, ``n, h, w, c`` where these are last."""
    rank = len(extents)
    if real and rank in (4, 5):
        axes = ["d", "h", "w"][5 - rank :]
        channels_last = extents[-1] in range(1, 5) and extents[1] not in range(1, 5)
        return ["n", *axes, "c"] if channels_last else ["n", "c", *axes]
    return ["n", "t", "c", "h", "w", *(f"x{i}" for i in range(5, rank))][:rank]


def valid_name(text: str, taken: Iterable[str]) -> str:
    """Return a name of the language that is like a text and not taken."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "size"
    name = f"s{name}" if name[0].isdigit() else name
    name = f"{name}_" if name in RESERVED else name
    number = 2
    fresh = name
    while fresh in taken:
        fresh, number = f"{name}_{number}", number + 1
    return fresh
