"""The language reference as Markdown, generated from the classes."""

from collections.abc import Iterator
from inspect import cleandoc

from pydantic.fields import FieldInfo

from archspec.composites import COMPOSITES
from archspec.entries import Reserved
from archspec.expressions import FUNCTIONS
from archspec.fields import Condition, Expression, show
from archspec.header import BlockModel, Header, Symbol, Variant
from archspec.layers import KINDS, Layer
from archspec.trees import Number, Truth

INTRODUCTION = """\
# The language

A spec is a YAML 1.2 mapping. Wherever a number stands, an expression may stand: `+ - * / // % **`,
comparisons, `and or not`, indexing of a list, and the functions {functions}.
Decimals are exact. In scope are the symbols, the `let` values, and the sizes of the tensor that
enters: `in_shape`, `in_channels` (= `in_shape[1]`) and `in_features` (= `in_shape[-1]`).

What leaves an entry is called by its name, its own or its kind and a number (`conv2d_1`), and can
be taken from anywhere after it with `from`; of several outputs each has a number, `chunk_1.0`,
`chunk_1.1`. Names inside a block or a composite are seen from inside; a name that only one entry
bears is seen from everywhere.

`round_to(x, d)` is the multiple of `d` nearest to `x`, at least `d` and at least 90 % of `x`: the
field's `make_divisible`. What decides structure (`when`) may not use sizes, which come later.

This page is generated from the classes in `archspec/`.
"""


def language_reference() -> str:
    """The reference: the top level, symbols, entries, then every kind with its fields."""
    functions = " ".join(f"`{name}`" for name in FUNCTIONS)
    parts = [INTRODUCTION.format(functions=functions)]
    parts += _model("The top level", "", Header.model_fields)
    parts += _model("A symbol", "A number alone is its default.", Symbol.model_fields)
    parts += _model("An entry", "Beside its one kind, an entry may have:", Reserved.model_fields)
    parts += _model("A block", "", BlockModel.model_fields)
    parts += _model("A variant", "", Variant.model_fields)
    parts.append("## Entries that hold entries\n")
    for name, composite in COMPOSITES.items():
        parts.append(f"### `{name}`\n\n{cleandoc(composite.__doc__ or '')}\n")
        parts += [*_fields(composite.model_fields), ""]
    parts.append("## Kinds\n")
    names: dict[type[Layer], list[str]] = {}
    for name, layer in KINDS.items():
        names.setdefault(layer, []).append(name)
    for layer, aliases in sorted(names.items(), key=lambda item: item[1]):
        parts += _kind(layer, aliases)
    return "\n".join(parts)


def _model(title: str, text: str, fields: dict[str, FieldInfo]) -> Iterator[str]:
    yield f"## {title}\n"
    if text:
        yield f"{text}\n"
    yield from _fields(fields)
    yield ""


def _kind(layer: type[Layer], names: list[str]) -> Iterator[str]:
    yield f"### {', '.join(f'`{name}`' for name in names)}\n"
    yield cleandoc(layer.__doc__ or "") + "\n"
    for parent in layer.__mro__[1:]:
        if parent is Layer:
            break
        yield cleandoc(parent.__doc__ or "") + "\n"
    yield from _fields(layer.model_fields)
    yield ""


def _fields(fields: dict[str, FieldInfo]) -> Iterator[str]:
    for name, field in fields.items():
        default = "required" if field.is_required() else f"default {_default(field)}"
        yield f"- `{field.alias or name}` ({default}): {field.description}"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    match value:
        case Expression(Number(number)) | Condition(Truth(number)):
            return f"`{show(float(number) if not float(number).is_integer() else number)}`"
        case None | "":
            return "none"
        case ("previous",):
            return "`previous`"
    return f"`{show(value)}`"
