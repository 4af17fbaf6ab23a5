"""Entries that hold entries: residual, parallel, repeat, foreach, moe, side, fused."""

from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, WithJsonSchema, model_validator

from archspec import fields, trees
from archspec.fields import (
    Count,
    Expression,
    Flag,
    Integer,
    OptionalSize,
    Read,
    Reference,
    Size,
    form,
    optional,
    refused,
    required,
)
from archspec.header import read_value
from archspec.sorts import is_listed
from archspec.validation import STRICT


def _entries(value: Any) -> Any:
    if isinstance(value, list):
        return value
    raise fields.wrong(value, "list of entries", "write - before each entry")


def _branches(value: Any) -> Any:
    if isinstance(value, list) and value:
        return [_entries(branch) for branch in value]
    raise fields.wrong(value, "list of branches", "each branch is a list")


def _rows(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        return [*fields.read_items(value, partial(fields.read_mapping, read=read_value))]
    raise fields.wrong(value, "list of rows", "write rows: [{t: 1, c: 16}, …]")


def _columns(value: Any) -> dict[str, Any]:
    if isinstance(value, dict) and value:
        return fields.read_mapping(value, _column)
    raise fields.wrong(value, "table", "write columns: {t: [1, 6], c: widths}")


def _column(value: Any) -> Any:
    column = read_value(value)
    if column == []:
        raise fields.refused("a column has a value for every row")
    named = isinstance(column, Expression) and (
        isinstance(column.tree, trees.Name | trees.Index) or is_listed(column.tree)
    )
    if not named and not isinstance(column, list):
        raise fields.refused("a column is a list", "write one, as [1, 6], or the name of one")
    return column


def _tensors(value: Any) -> dict[str, tuple[trees.Tree, ...]]:
    if isinstance(value, dict) and value:
        return fields.read_mapping(value, fields.read_references)
    raise fields.wrong(value, "mapping of tensors", "write tensors: {x: xs}")


def _body(value: Any) -> Any:
    if value != []:
        return _entries(value)
    raise fields.refused("[] is empty", "write at least one entry")


_LIST = {"type": "array", "items": form("entry")}
_ROW = {"type": "object", "propertyNames": form("name"), "additionalProperties": form("value")}
_TABLE = {**_ROW, "minProperties": 1, "additionalProperties": form("column")}

Body = Annotated[list[Any], Read(_body, {**_LIST, "minItems": 1})]
Entries = Annotated[list[Any], Read(_entries, _LIST)]
Branches = Annotated[
    list[list[Any]], Read(_branches, {"type": "array", "minItems": 1, "items": _LIST})
]
Columns = Annotated[dict[str, Any], Read(_columns, _TABLE)]


def _row(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return fields.read_mapping(value, read_value)
    raise fields.wrong(value, "mapping of names to values", "as {classes: 10}")


Row = Annotated[dict[str, Any], Read(_row, _ROW)]
Tensors = Annotated[
    dict[str, Any],
    Read(
        _tensors,
        {
            "type": "object",
            "minProperties": 1,
            "propertyNames": form("name"),
            "additionalProperties": fields.REFERENCES,
        },
    ),
]
Rows = Annotated[list[dict[str, Any]], Read(_rows, {"type": "array", "minItems": 1, "items": _ROW})]
Index = Annotated[str | None, WithJsonSchema({"anyOf": [form("name"), {"type": "null"}]})]


class Composite(BaseModel):
    """An entry that holds entries.

    Attributes:
        bodies: the fields that are lists of entries.
        shorthand: the field that a bare list stands for, where there is one.
        either: fields of which at least one must stand there; the first two exclude each other.
    """

    model_config = STRICT

    bodies: ClassVar[tuple[str, ...]] = ("layers",)
    shorthand: ClassVar[str | None] = None
    either: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="after")
    def _of_one_form(self) -> Self:
        """Check that one of `either` is given, and not both of the first two."""
        given = [name for name in self.either if name in self.model_fields_set]
        if self.either and (not given or {*self.either[:2]} <= {*given}):
            raise refused(f"takes {' or '.join(self.either[:2])}, one of them")
        return self


class Residual(Composite):
    """``x → body(x) + shortcut(x)``; the shortcut is the identity where none is given.

    With ``projects: on_change`` it is the identity wherever the body keeps the shape: in every turn
    of a repeat but the first, as the blocks of PyTorch's ResNet have it.

    Source: He et al., CVPR 2016.
    """

    bodies = ("layers", "shortcut")
    shorthand = "layers"
    layers: Body = required("the body")
    shortcut: Entries = optional([], "the shortcut's entries")
    projects: Literal["always", "on_change"] = optional(
        "always", "whether the shortcut's entries are left out where the body keeps the shape"
    )


class Parallel(Composite):
    """Branches that all take the same input; their outputs are merged.

    Source: Szegedy et al., CVPR 2015.
    """

    bodies = ("branches",)
    branches: Branches = required("a list of lists of entries; [] is the identity")
    merge: Literal["concat", "add", "mul"] = optional("concat", "how their outputs become one")
    axis: Integer = optional(1, "the axis that concat joins")


class Repetition(Composite):
    """The same entries ``times`` over, each turn with weights of its own unless they are shared.

    As many tensors as enter a turn leave it.
    """

    times: Count = required("how many turns; may be a symbol; 0 leaves them out")
    index: Index = optional(None, "a name for the turn, from 0")
    shared: Flag = optional(False, "whether all turns have the same weights, counted once")
    layers: Body = required("the entries of one turn")


class Foreach(Composite):
    """The entries once for every row of a table, whose columns are names in them.

    Each row takes what leaves the one before. The name of the whole is what leaves the last row;
    ``name.0``, ``name.1``, … are what leaves each of them, ``name.*`` all of these.
    """

    either = ("rows", "columns", "count", "tensors")
    rows: Rows = optional([], "the table: a list of mappings with the same keys")
    columns: Columns = optional(
        {}, "the table by columns, instead: name → list, or a name that stands for one"
    )
    count: OptionalSize = optional(None, "how many rows, where there is no table")
    tensors: Tensors = optional({}, "name → several tensors, as xs or neck.*; each row has one")
    index: Index = optional(None, "a name for the row's number, from 0")
    shared: Flag = optional(False, "whether all rows have the same weights, counted once")
    layers: Body = required("the entries of one row")


class Moe(Composite):
    """Mixture of experts: a linear router picks ``top_k`` of ``experts`` copies for each token.

    The weights of all experts count; the work of ``top_k`` does.

    Source: Shazeer et al., ICLR 2017; Fedus, Zoph and Shazeer, JMLR 2022; DeepSeek-AI,
    DeepSeek-V3, 2024, section 2.1.2 (``balance``).
    """

    experts: Size = required("how many copies there are, E")
    top_k: Size = required("how many of them a token visits, k")
    router_bias: Flag = optional(False, "whether the router has a learned bias, one per expert")
    balance: Flag = optional(
        False, "whether it has a bias that is not learned, but balances the experts: a buffer"
    )
    layers: Body = required("the entries of one expert")


class Use(Composite):
    """A whole network: the layers of another spec, which what enters here enters.

    Its symbols have their values there; those of its input's shape are the sizes of what enters.
    Its named tensors are ``name.tensor``.

    Source: Lin et al., CVPR 2017 (a feature pyramid on top of a classifier).
    """

    bodies = ()
    shorthand = "network"
    network: str = required("a name of the zoo, or a path below this spec's folder; and @variant")
    until: str | None = optional(None, "the name of its entry after which it ends")
    symbols: Row = optional({}, "its symbols with other values")
    let: Row = optional({}, "its let names with other values")


class Side(Composite):
    """A side branch: its output leaves the network; what follows it takes the entry before it.

    Source: Szegedy et al., CVPR 2015 (auxiliary classifiers).
    """

    shorthand = "layers"
    layers: Body = required("the branch")


class Share(Composite):
    """The entry of a name once more, a layer, a block or a repeat, with the same weights.

    Its parameters count once, its work each time; all sizes of its weights must agree.

    Source: Bromley et al., NeurIPS 1993 (Siamese networks); Lin et al., ICCV 2017 (RetinaNet).
    """

    bodies = ()
    shorthand = "of"
    of: Reference = required("the name of the entry")


class Fused(Composite):
    """Entries that work as one kernel: what they hand to each other never leaves the chip.

    It is neither moved nor in memory, nor kept for the backward pass, which makes it again.

    Source: Dao et al., NeurIPS 2022 (attention); Gu and Dao, 2023, section 3.3.2 (Mamba's scan).
    """

    shorthand = "layers"
    layers: Body = required("the entries; none of them a repeat or a mixture")


COMPOSITES: dict[str, type[Composite]] = {
    "residual": Residual,
    "parallel": Parallel,
    "repeat": Repetition,
    "foreach": Foreach,
    "moe": Moe,
    "side": Side,
    "share": Share,
    "use": Use,
    "fused": Fused,
}
"""Name → class."""
