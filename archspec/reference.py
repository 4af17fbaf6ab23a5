"""The language reference as Markdown, generated from the classes."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from inspect import cleandoc
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from yaml import safe_dump, safe_load

from archspec.composites import COMPOSITES, Composite
from archspec.entries import Reserved
from archspec.expressions import FUNCTIONS, OF_NAMES
from archspec.fields import as_written, show
from archspec.header import BlockModel, Fact, Header, Rounding, Symbol, Variant
from archspec.layers import ALIASES, KINDS, Layer, Torch
from archspec.precision import UNSAID, NetworkPrecision, Precision

INTRODUCTION = Path(__file__).with_name("language.md")
"""The text before the generated part; ``{functions}`` in it stands for the functions' names."""

EXAMPLES = Path(__file__).with_name("composites.yaml")
"""An example of each composite, as YAML."""

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
    functions = " ".join(f"`{name}`" for name in (*FUNCTIONS, *OF_NAMES))
    parts = [INTRODUCTION.read_text(encoding="utf-8").replace("{functions}", functions)]
    for title, text, model in MODELS:
        parts += [
            f"## {title}\n",
            *([f"{text}\n"] if text else []),
            *_fields(model.model_fields),
            "",
        ]
    parts.append("## Entries that hold entries\n")
    examples = safe_load(EXAMPLES.read_text(encoding="utf-8"))
    for name, composite in COMPOSITES.items():
        parts += [f"### `{name}`\n", f"{documentation(composite)}\n"]
        parts += [_block(examples[name]), *_fields(composite.model_fields), ""]
    parts.append("## Kinds\n")
    names: dict[type[Layer], list[str]] = {}
    for name, layer in KINDS.items():
        names.setdefault(layer, []).append(name)
    for layer, aliases in sorted(names.items(), key=lambda item: item[1]):
        parts += _kind(layer, aliases)
    return "\n".join(parts)


def _kind(layer: type[Layer], names: list[str]) -> Iterator[str]:
    yield f"### {', '.join(f'`{name}`' for name in names)}\n"
    yield f"{documentation(layer)}\n"
    yield from _torch_names(layer)
    yield _block(_entry(layer, names[0]))
    if layer.model_fields:
        yield from (*_fields(layer.model_fields, layer.aliases), "")


def _torch_names(layer: type[Layer]) -> Iterator[str]:
    """Yield a sentence with the names of PyTorch's classes that may be written for a kind."""
    known = {alias.torch: None for alias in ALIASES.values() if alias.kind == layer.kind}
    if known:
        yield f"PyTorch's names may be written, too: {', '.join(map(_torch_name, known))}.\n"


def _torch_name(torch: Torch) -> str:
    least, most = torch.axes or (0, 0)
    axes = f"{least} axes" if least == most else f"{least} or {most} axes"
    details = [f"for {axes}"] * bool(most) + [f"with `{name}`" for name in torch.given]
    return f"`{torch.name}`" + f" ({', '.join(details)})" * bool(details)


def documentation(model: type[BaseModel]) -> str:
    """Return the docstrings of a class and of its base classes as one text, sources last."""
    bases = (BaseModel, Layer, Composite)  # these document no kind
    parents = (c for c in model.__mro__ if issubclass(c, BaseModel) and c not in bases)
    docs = (parent.__doc__ or "" for parent in parents)
    paragraphs = [text for doc in docs for text in cleandoc(doc).split("\n\n") if text]
    return "\n\n".join(sorted(paragraphs, key=lambda text: text.startswith("Source:")))


def _entry(layer: type[Layer], name: str) -> str:
    """A kind's example as an entry."""
    least, _ = layer.takes
    fields = safe_dump(layer.example, default_flow_style=True, sort_keys=False, width=1000).strip()
    given = f": {fields}" if layer.example else ":" if least > 1 else ""
    several = f"  from: [{', '.join(('a', *'b' * (least - 1)))}]\n"
    return f"- {name}{given}\n" + (several if least > 1 else "")


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
    value = as_written(field.get_default(call_default_factory=True))
    if value in (None, "", ()) or (isinstance(value, Precision) and value.over(UNSAID) == UNSAID):
        return "none"
    if isinstance(value, Fraction):
        value = float(value)
    return f"`{show(value)}`"
