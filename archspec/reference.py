"""The language reference as Markdown, generated from the classes."""

from collections.abc import Iterator, Mapping
from inspect import cleandoc
from types import MappingProxyType

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from yaml import safe_dump

from archspec.composites import COMPOSITES, Composite
from archspec.entries import Reserved
from archspec.expressions import FUNCTIONS
from archspec.fields import Condition, Expression, show
from archspec.header import BlockModel, Fact, Header, Rounding, Symbol, Variant
from archspec.layers import ALIASES, KINDS, Layer, Torch
from archspec.precision import UNSAID, NetworkPrecision, Precision
from archspec.trees import Number, Truth

INTRODUCTION = """\
# The language

A spec is a YAML 1.2 mapping: what the symbols are, what goes in, and the entries that it goes
through. A whole one, with a block of its own, a table, a repeat, a condition and a variant:

```yaml
archspec: 1
name: A small ResNet
symbols:
  n: 1
  h: {{default: 32, doc: height and width of the image}}
  width: {{default: 1, domain: real, doc: width multiplier}}
  classes: 10
let:
  base: round_to(16*width, 8)
input: [n, 3, h, h]
blocks:
  basic:
    parameters: {{channels: , stride: 1}}
    layers:
      - residual:
          layers:
            - conv2d: {{out_channels: channels, kernel_size: 3, stride: stride, padding: 1}}
            - batchnorm
            - relu
            - conv2d: {{out_channels: channels, kernel_size: 3, padding: 1}}
            - batchnorm
          shortcut:
            - conv2d: {{out_channels: channels, kernel_size: 1, stride: stride}}
              when: stride > 1
      - relu
layers:
  - conv2d: {{out_channels: base, kernel_size: 3, padding: 1}}
  - relu
  - foreach:
      rows:
        - {{c: base, s: 1, more: 2}}
        - {{c: 2*base, s: 2, more: 2}}
        - {{c: 4*base, s: 2, more: 1}}
      layers:
        - basic: {{channels: c, stride: s}}
        - repeat: {{times: more, layers: [basic: {{channels: c}}]}}
  - global_avgpool
  - flatten
  - linear: {{out_features: classes}}
variants:
  wide: {{symbols: {{width: 2}}}}
```

## Expressions

Wherever a number stands, an expression may stand: `+ - * / // % **`, comparisons, `and or not`,
indexing of a list, and the functions {functions}. Decimals are exact.
`round_to(x, d)` is the multiple of `d` nearest to `x`, at least `d` and at least 90 % of `x`: the
field's `make_divisible`.

In scope are

- the symbols and the `let` values, everywhere; a `let` value sees those before it;
- the parameters, inside a block; it sees no name of the place that it is called from;
- inside a `foreach` the columns of its rows and the `index`; inside a `repeat` the `index`;
- in the fields of an entry the sizes of the tensor that enters it: `in_shape`, `in_channels`
  (= `in_shape[1]`) and `in_features` (= `in_shape[-1]`).

A name shadows nothing: one that has a meaning cannot be given another.

What decides the structure comes before any size is known and may not use `in_shape`,
`in_channels` or `in_features`: `when`, whatever is true or false (`bias`), the `times` of a
`repeat`, the rows and columns of a `foreach`, `experts` and `top_k` of a `moe`, the `axis` of a
`parallel`; nor may `input` and `let`. `when` and what is true or false must be decided: a symbol
may stand in it only where it is fixed, by `--set` or because numbers are asked for. The `times`
of a `repeat` may stay a symbol unless its turns have an `index`; so may `experts` and `top_k`.

## Names of tensors

What leaves an entry is called by its name, its own or its kind and a number (`conv2d_1`), and can
be taken from anywhere after it with `from`; of several outputs each has a number, `chunk_1.0`,
`chunk_1.1`. Names inside a block or a composite are seen from inside; a name that only one entry
bears is seen from everywhere, except from outside a `repeat`, a `foreach` or a `moe` that it is in.

## Names of PyTorch's

Where a class of `torch.nn` means exactly what a kind does, its name may be written instead, as
PyTorch spells it or in small letters: `Conv2d`, `BatchNorm2d` or `batchnorm2d`,
`AdaptiveAvgPool2d`. Each kind below lists them. The node is called by the kind's own name all the
same (`batchnorm_1`). Where PyTorch's name says how many axes enter (`BatchNorm2d`: 4), an input
with another number is refused; where a default is another than PyTorch's (`dim` of `Softmax`), the
field must be written. A field has one value: to write it under both of its names, as `heads` and
`num_heads`, is an error. Sizes of the input (`in_channels`, `in_features`, `num_features`) are
worked out and never written.

## What is refused

A spec that breaks rules ends in exit status 2 and an error for each of them, at most ten, with
file, line and column. First the text is read as YAML, then every field, then names and blocks are
resolved, then shapes follow; each of these steps tells all that it finds, and leaves out what
follows from an error that is told (a name without a meaning is told once). From Python,
`SpecError.errors` has all of them; the fields of the error itself are those of the first.

This page is generated from the classes in `archspec/`.
"""

MODELS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("The top level", "", Header),
    ("A symbol", "A number alone is its default.", Symbol),
    ("An entry", "Beside its one kind, an entry may have:", Reserved),
    ("A block", "", BlockModel),
    ("A variant", "", Variant),
    (
        "The types of numbers",
        "A type alone is that of weights and activations. Only the whole network has `kinds`.",
        NetworkPrecision,
    ),
    ("A published fact", "", Fact),
    ("How a fact is rounded", "", Rounding),
)
"""What a spec is made of beside kinds and composites: title, introduction, class."""


def language_reference() -> str:
    """The reference: the top level, symbols, entries, then every kind with its fields."""
    functions = " ".join(f"`{name}`" for name in FUNCTIONS)
    parts = [INTRODUCTION.format(functions=functions)]
    for title, text, model in MODELS:
        parts += _model(title, text, model)
    parts.append("## Entries that hold entries\n")
    for name, composite in COMPOSITES.items():
        parts += [f"### `{name}`\n", f"{documentation(composite)}\n"]
        parts += [_block(composite.example), *_fields(composite.model_fields), ""]
    parts.append("## Kinds\n")
    names: dict[type[Layer], list[str]] = {}
    for name, layer in KINDS.items():
        names.setdefault(layer, []).append(name)
    for layer, aliases in sorted(names.items(), key=lambda item: item[1]):
        parts += _kind(layer, aliases)
    return "\n".join(parts)


def _model(title: str, text: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"## {title}\n"
    if text:
        yield f"{text}\n"
    yield from _fields(model.model_fields)
    yield ""


def _kind(layer: type[Layer], names: list[str]) -> Iterator[str]:
    yield f"### {', '.join(f'`{name}`' for name in names)}\n"
    yield f"{documentation(layer)}\n"
    yield from _torch_names(layer)
    yield _block(_entry(layer, names[0]))
    if layer.model_fields:
        yield from (*_fields(layer.model_fields, layer.aliases), "")


def _torch_names(layer: type[Layer]) -> Iterator[str]:
    """The names of PyTorch's classes that may be written for a kind."""
    known = {alias.torch: None for alias in ALIASES.values() if alias.layer is layer}
    if known:
        yield f"PyTorch's names may be written, too: {', '.join(map(_torch_name, known))}.\n"


def _torch_name(torch: Torch) -> str:
    least, most = torch.axes or (0, 0)
    axes = f"{least} axes" if least == most else f"{least} or {most} axes"
    said = [f"for {axes}"] * bool(most) + [f"with `{name}`" for name in torch.given]
    return f"`{torch.name}`" + f" ({', '.join(said)})" * bool(said)


def documentation(model: type[BaseModel]) -> str:
    """Return the docstrings of a class and of its base classes as one text, sources last."""
    docs = (parent.__doc__ or "" for parent in model.__mro__ if _is_documented(parent))
    paragraphs = [text for doc in docs for text in cleandoc(doc).split("\n\n") if text]
    return "\n\n".join(sorted(paragraphs, key=_is_source))


def _is_documented(parent: type) -> bool:
    """Return whether the docstring of a base class documents the kinds derived from it."""
    return issubclass(parent, BaseModel) and parent not in (BaseModel, Layer, Composite)


def _is_source(paragraph: str) -> bool:
    return paragraph.startswith("Source:")


def _entry(layer: type[Layer], name: str) -> str:
    """A kind's example as an entry."""
    least, _ = layer.takes
    fields = safe_dump(layer.example, default_flow_style=True, sort_keys=False, width=1000).strip()
    given = f": {fields}" if layer.example else ":" if least > 1 else ""
    return f"- {name}{given}\n" + ("  from: [a, b]\n" if least > 1 else "")


def _block(yaml: str) -> str:
    return f"```yaml\n{yaml}```\n"


def _fields(
    fields: dict[str, FieldInfo], aliases: Mapping[str, str] = MappingProxyType({})
) -> Iterator[str]:
    for name, field in fields.items():
        default = "required" if field.is_required() else f"default {_default(field)}"
        others = "".join(f", or `{alias}`" for alias, own in aliases.items() if own == name)
        yield f"- `{field.alias or name}`{others} ({default}): {field.description}"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    match value:
        case Expression(Number(number)) | Condition(Truth(number)):
            return f"`{show(float(number) if not float(number).is_integer() else number)}`"
        case None | "":
            return "none"
        case Precision() if value.over(UNSAID) == UNSAID:
            return "none"
        case ("previous",):
            return "`previous`"
    return f"`{show(value)}`"
