"""Sizes as PyTorch has them, integers and symbolic ones, as sizes of the language."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from archspec.errors import SpecError
from archspec.importers.calls import Size

Number = int | Size

_ATOM = 9
"""The strength of what needs no brackets."""


def _joined(sign: str, strength: int) -> Callable[[Sequence[tuple[str, int]]], tuple[str, int]]:
    """Return the writer of an operation; what binds no more is put in brackets."""

    def write(parts: Sequence[tuple[str, int]]) -> tuple[str, int]:
        return sign.join(_in_brackets(part, strength + 1) for part in parts), strength

    return write


def _product(parts: Sequence[tuple[str, int]]) -> tuple[str, int]:
    if parts[0][0] == "-1":
        text, strength = parts[1] if len(parts) == 2 else _product(parts[1:])
        return f"-{_in_brackets((text, strength), 3)}", 1
    return _joined("*", 2)(parts)


def _called(name: str) -> Callable[[Sequence[tuple[str, int]]], tuple[str, int]]:
    return lambda parts: (f"{name}({', '.join(text for text, _ in parts)})", _ATOM)


def _in_brackets(part: tuple[str, int], strength: int) -> str:
    return part[0] if part[1] >= strength else f"({part[0]})"


def _sum(parts: Sequence[tuple[str, int]]) -> tuple[str, int]:
    texts = sorted((_in_brackets(part, 1) for part in parts), key=lambda t: t.lstrip("-").isdigit())
    texts.sort(key=lambda text: text.startswith("-"))
    return " + ".join(texts).replace("+ -", "- "), 1


def _modular(parts: Sequence[tuple[str, int]]) -> tuple[str, int]:
    """``ModularIndexing(x, a, b)`` is ``(x // a) % b``."""
    return _joined("%", 2)([_joined("//", 2)(parts[:2]), parts[2]])


_WRITERS: Mapping[str, Callable[[Sequence[tuple[str, int]]], tuple[str, int]]] = {
    "Add": _sum,
    "Mul": _product,
    "Pow": _joined("**", 4),
    "PowByNatural": _joined("**", 4),
    "FloorDiv": _joined("//", 2),
    "CleanDiv": _joined("//", 2),
    "Mod": _joined(" % ", 2),
    "PythonMod": _joined(" % ", 2),
    "ModularIndexing": _modular,
    "IntTrueDiv": _joined("/", 2),
    "FloatTrueDiv": _joined("/", 2),
    "Max": _called("max"),
    "Min": _called("min"),
    "CeilToInt": _called("ceil"),
    "ceiling": _called("ceil"),
    "FloorToInt": _called("floor"),
    "floor": _called("floor"),
    "TruncToInt": _called("floor"),
    "ToFloat": lambda parts: parts[0],
    "Identity": lambda parts: parts[0],
}
"""The class of an expression of PyTorch's → the writer of it; sizes are never negative."""


def number_of(value: Any, names: Mapping[str, str]) -> Number:
    """Return a size of PyTorch's: an integer, or an expression in the network's symbols.

    Args:
        value: an ``int``, a ``SymInt``, or an expression.
        names: PyTorch's symbol → what stands for it.

    Raises:
        SpecError: the language has no such function.
    """
    if isinstance(value, int):
        return int(value)
    expression = getattr(getattr(value, "node", None), "expr", value)
    if getattr(expression, "is_Integer", False):
        return int(expression)
    return Size(_text(expression, names)[0])


def _text(expression: Any, names: Mapping[str, str]) -> tuple[str, int]:
    if expression.is_Symbol:
        text = names.get(str(expression))
        if text is None:
            raise SpecError(
                f"a size ({expression}) depends on the data, not on the sizes of the inputs"
            )
        return text, _ATOM if text.isidentifier() else 0
    if expression.is_Number:
        text = str(expression)
        return text, 1 if text.startswith("-") else 2 if "/" in text else _ATOM
    writer = _WRITERS.get(type(expression).__name__)
    if writer is None:
        raise SpecError(f"a size needs {type(expression).__name__}, which no expression has")
    return writer([_text(each, names) for each in expression.args])


def expression_of(value: Any) -> Any:
    """Return the expression of a size, which can be compared with that of another."""
    return getattr(getattr(value, "node", None), "expr", value)


def new_shape(
    target: Sequence[Any], entering: Sequence[Any], names: Mapping[str, str]
) -> tuple[Number, ...]:
    """Return the extents of a reshaped tensor, by those that enter it where that can be.

    Equal blocks get equal extents so: an extent that enters is named by its place, and one may be
    what the others leave.

    Args:
        target: the extents.
        entering: those of the tensor that enters.
        names: PyTorch's symbol → what stands for it.
    """
    found: list[Number | None] = [
        int(each) if is_whole(each) else _same_extent(each, i, entering)
        for i, each in enumerate(target)
    ]
    if found.count(None) > 1:
        found = [
            _multiple(each, i, entering) if size is None else size
            for i, (size, each) in enumerate(zip(found, target, strict=True))
        ]
    if found.count(None):
        found[len(found) - 1 - found[::-1].index(None)] = -1
    return tuple(
        number_of(each, names) if size is None else size
        for size, each in zip(found, target, strict=True)
    )


def is_whole(value: Any) -> bool:
    """Return whether a size depends on no symbol."""
    return isinstance(value, int) or bool(getattr(expression_of(value), "is_Integer", False))


def _nearest(place: int, entering: Sequence[Any]) -> list[int]:
    """Return the places of the entering extents that are symbols, the same place first."""
    places = sorted(range(len(entering)), key=lambda i: (i != place, i))
    return [i for i in places if not is_whole(entering[i])]


def _same_extent(size: Any, place: int, entering: Sequence[Any]) -> Size | None:
    """Return a size as one that enters; None if it is none."""
    wanted = expression_of(size)
    found = (i for i in _nearest(place, entering) if expression_of(entering[i]) == wanted)
    return next((Size(f"in_shape[{i}]") for i in found), None)


def _multiple(size: Any, place: int, entering: Sequence[Any]) -> Size | None:
    """Return a size as a part of one that enters, or as a multiple; None if it is none."""
    wanted, factors = expression_of(size), _factors(entering)
    for i in _nearest(place, entering):
        for factor in factors:
            if expression_of(entering[i] // factor) == wanted:
                return Size(f"in_shape[{i}]//{factor}")
            if expression_of(entering[i] * factor) == wanted:
                return Size(f"{factor}*in_shape[{i}]")
    return None


def _factors(entering: Iterable[Any]) -> list[int]:
    """Return the factors that are tried: the extents that are numbers, and small ones."""
    return sorted({*range(2, 33), *(int(e) for e in entering if is_whole(e) and e > 1)})
