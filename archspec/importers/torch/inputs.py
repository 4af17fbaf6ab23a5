"""The inputs of a module: what is said of their sizes, and the tensors that it is run with."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os.path import dirname, sep
from typing import Any, NamedTuple

from archspec.errors import SpecError

_SIZE = re.compile(r"(?:(\d+)\s*\*\s*)?([A-Za-z_]\w*)(?:\s*=\s*(\d+))?|(\d+)")

DEFAULTS = {"n": 1, "b": 1, "batch": 1, "batch_size": 1, "t": 128, "s": 128, "d": 16, "c": 3}
"""The defaults of symbols by their names; others are extents of an image, or lengths."""

EXTENTS = (224, 256, 32, 288, 299, 240, 320, 384, 448, 518, 64, 128)
"""The extents that are tried, where none is said, until the module runs."""

_INTEGERS = re.compile(r"(^|_)(ids?|tokens?|index|indices|labels?|positions?|mask)$")

HINT = 'as in --input "n, 3, h, w", or with defaults --input "n, 3, h=224, w=224"'


class Axis(NamedTuple):
    """The extent of one axis: a number of times a symbol, or a number.

    Attributes:
        factor: the number.
        symbol: the symbol, or ''.
        default: its default, where one is said.
    """

    factor: int
    symbol: str = ""
    default: int | None = None

    @property
    def text(self) -> str:
        """Return the extent as an expression."""
        return f"{self.factor}*{self.symbol}" if self.factor > 1 else self.symbol

    def at(self, values: Mapping[str, int]) -> int:
        """Return the extent at values of the symbols."""
        return self.factor * values[self.symbol] if self.symbol else self.factor


class Entering(NamedTuple):
    """One input.

    Attributes:
        name: the parameter of ``forward``; '' where its place says it.
        axes: its extents.
    """

    name: str
    axes: tuple[Axis, ...]

    def shape(self, values: Mapping[str, int]) -> tuple[int, ...]:
        """Return its extents at values of the symbols."""
        return tuple(axis.at(values) for axis in self.axes)


def read_inputs(texts: Iterable[str]) -> tuple[Entering, ...]:
    """Return inputs as they are said: ``n, 3, h, w``, ``h=384``, ``ids: n, t``.

    Raises:
        SpecError: one is no list of sizes, or none is said.
    """
    found = tuple(map(_read_input, texts))
    if not found:
        raise SpecError("a module says no sizes of its inputs, so --input must", hint=HINT)
    return found


def _read_input(text: str) -> Entering:
    name, colon, sizes = text.rpartition(":")
    if colon and not name.strip().isidentifier():
        raise SpecError(f"--input: '{name.strip()}' is no name of a parameter", hint=HINT)
    axes = []
    for size in sizes.strip().strip("()[]").split(","):
        if not size.strip():
            continue
        match = _SIZE.fullmatch(size.strip())
        if match is None or match[4] == "0":
            raise SpecError(f"--input: '{size.strip()}' is no size", hint=HINT)
        factor, symbol, default, number = match.groups()
        said = int(default) if default else None
        axes.append(Axis(int(number)) if number else Axis(int(factor or 1), symbol, said))
    return Entering(name.strip(), tuple(axes))


def text_of(shape: Sequence[int | str]) -> str:
    """Return the sizes of an input of Python, ``("n", 3, "h", "w")``, as one text."""
    return ", ".join(map(str, shape))


def symbol_values(inputs: Iterable[Entering]) -> Iterator[dict[str, int]]:
    """Yield values of the symbols to try: what is said, then what names suggest.

    Args:
        inputs: the inputs.
    """
    said: dict[str, int] = {}
    free: list[str] = []
    for entering in inputs:
        for axis in entering.axes:
            if axis.symbol and axis.default is not None:
                said[axis.symbol] = axis.default
            elif axis.symbol:
                free.append(axis.symbol)
    named = {name: DEFAULTS[name] for name in free if name in DEFAULTS}
    others = [name for name in dict.fromkeys(free) if name not in {*named, *said}]
    for extent in EXTENTS if others else EXTENTS[:1]:
        yield {**named, **dict.fromkeys(others, extent), **said}


def as_integers(inputs: Sequence[Entering], names: Sequence[str]) -> Iterator[tuple[bool, ...]]:
    """Yield which inputs are integers, as their names suggest, then otherwise.

    Args:
        inputs: the inputs.
        names: the parameters of ``forward`` in order.
    """
    called = [e.name or (names[i] if i < len(names) else "") for i, e in enumerate(inputs)]
    first = tuple(bool(_INTEGERS.search(name)) for name in called)
    yield first
    for other in ((False,) * len(inputs), (True,) * len(inputs)):
        if other != first:
            yield other


class Tensors(NamedTuple):
    """The tensors that a module is run with, by place and by name."""

    placed: tuple[Any, ...]
    named: dict[str, Any]


def tensors(
    inputs: Sequence[Entering], integers: Sequence[bool], values: Mapping[str, int]
) -> Tensors:
    """Return tensors without data of the inputs' sizes."""
    import torch

    made = []
    for entering, is_integer in zip(inputs, integers, strict=True):
        dtype = torch.int64 if is_integer else torch.float32
        made.append(torch.empty(entering.shape(values), dtype=dtype, device="meta"))
    pairs = list(zip(inputs, made, strict=True))
    placed = tuple(tensor for entering, tensor in pairs if not entering.name)
    return Tensors(placed, {entering.name: tensor for entering, tensor in pairs if entering.name})


def is_users(file: str) -> bool:
    """Return whether a source file belongs to the user: neither to PyTorch nor to this package."""
    torch = dirname(getattr(sys.modules.get("torch"), "__file__", None) or "torch")
    return not file.startswith((torch + sep, dirname(__file__) + sep, "<"))
