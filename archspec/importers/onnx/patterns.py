"""Layers that exporters spell out in smaller operators: GELU, norms, attention.

A pattern is an operator with what enters it. A text stands for any tensor, the same wherever it
stands; ``#eps`` for a constant of one element; a number for a constant of that value. Each pattern
is an identity of its layer's formula, with the operands of sums and products in any order.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isclose, pi, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.importers.onnx.operator import elements
from archspec.importers.onnx.values import OnnxTensor

if TYPE_CHECKING:
    from onnx import NodeProto

Pattern = str | float | tuple["str | Pattern", ...]

Names = Mapping[str, str]
"""A text of a pattern → the tensor that it stands for."""


class TensorIndex(NamedTuple):
    """The tensors that were met so far.

    Attributes:
        makers: tensor → the node that makes it.
        values: tensor → what it is.
        uses: tensor → how often it is taken.
    """

    makers: dict[str, "NodeProto"]
    values: dict[str, OnnxTensor]
    uses: Mapping[str, int]

    def number(self, name: str) -> float | None:
        """Return the value of a constant of one element; None where it is none, or unknown."""
        value = self.values.get(name)
        return None if value is None else value.number

    def is_one(self, name: str) -> bool:
        """Return whether a tensor is a constant of one element, be its value known or not."""
        value = self.values.get(name)
        if value is None or value.shape is None or not value.fixed:
            return False
        return all(size.field == 1 for size in value.shape)


class PatternMatch(NamedTuple):
    """A match: what the texts stand for, and the nodes inside with what each takes."""

    names: dict[str, str]
    inner: tuple["NodeProto", ...] = ()


class Rewrite(NamedTuple):
    """A layer and how it may be spelled out.

    Attributes:
        layer: ONNX's operator of it.
        pattern: how it is spelled out.
        inputs: the texts of the pattern that enter the layer, in order.
        attributes: the layer's attributes of a match; None where it is no such layer after all.
    """

    layer: str
    pattern: Pattern
    inputs: tuple[str, ...] = ("x",)
    attributes: Callable[[TensorIndex, Names], Mapping[str, Any] | None] = lambda *_: {}


def _matches(
    graph: TensorIndex, pattern: Pattern, name: str, found: PatternMatch
) -> Iterator[PatternMatch]:
    """Every way in which a tensor is what a pattern says."""
    if isinstance(pattern, tuple):
        node = graph.makers.get(name)
        if node is not None and _is(graph, node, pattern[0]):
            inner = PatternMatch(found.names, (*found.inner, node))
            for order in _orders(node, pattern[1:]):
                yield from _all(graph, order, node.input, inner)
    elif isinstance(pattern, str):
        constant = pattern.startswith("#")
        free = not constant or graph.is_one(name)
        if found.names.get(pattern, name) == name and free:
            yield PatternMatch({**found.names, pattern: name}, found.inner)
    else:
        number = graph.number(name)
        if number is not None and isclose(number, pattern, rel_tol=1e-3):
            yield found


def _orders(node: "NodeProto", patterns: Sequence[Pattern]) -> Iterator[Sequence[Pattern]]:
    yield patterns
    if node.op_type in ("Add", "Mul") and len(patterns) == 2:
        yield patterns[::-1]


def _all(
    graph: TensorIndex, patterns: Sequence[Pattern], names: Sequence[str], found: PatternMatch
) -> Iterator[PatternMatch]:
    if not patterns:
        yield found
    elif names:
        for each in _matches(graph, patterns[0], names[0], found):
            yield from _all(graph, patterns[1:], names[1:], each)


def _is(graph: TensorIndex, node: "NodeProto", operator: object) -> bool:
    if operator == "LastMean":
        return node.op_type == "ReduceMean" and _reduces_last(graph, node)
    if operator == "LastSoftmax":
        return node.op_type == "Softmax" and any(
            a.name == "axis" and a.i in (-1, _rank(graph, node.input[0]) - 1)
            for a in node.attribute
        )
    return bool(node.op_type == operator)


def _reduces_last(graph: TensorIndex, node: "NodeProto") -> bool:
    """Return whether a mean is over the last axis, which stays."""
    given = {a.name: list(a.ints) or a.i for a in node.attribute}
    if len(node.input) > 1:
        stored = graph.values.get(node.input[1])
        known = stored.read() if stored is not None else None
        given["axes"] = list(known.numbers or ()) if known is not None else []
    rank = _rank(graph, node.input[0])
    return given.get("axes") in ([-1], [rank - 1]) and given.get("keepdims", 1) == 1


def _rank(graph: TensorIndex, name: str) -> int:
    value = graph.values.get(name)
    return len(value.shape) if value is not None and value.shape is not None else 0


def layer_of(graph: TensorIndex, node: "NodeProto") -> "NodeProto | None":
    """Return the layer whose last operator a node is; None where it is part of none."""
    from onnx.helper import make_node

    for rewrite in BY_LAST.get(node.op_type, ()):
        makers = {**graph.makers, node.output[0]: node}
        whole = graph._replace(makers=makers)
        for found in _matches(whole, rewrite.pattern, node.output[0], PatternMatch({})):
            if not all(name in graph.values for name in found.names.values()):
                continue
            attributes = rewrite.attributes(graph, found.names)
            if attributes is not None and _feeds_nothing_else(graph, found.inner):
                inputs = [found.names[name] for name in rewrite.inputs]
                made = make_node(rewrite.layer, inputs, node.output[:1], node.name, **attributes)
                made.metadata_props.extend(node.metadata_props)
                return made
    return None


def _feeds_nothing_else(graph: TensorIndex, inner: Sequence["NodeProto"]) -> bool:
    """Return whether no node outside of a match takes what the nodes inside it make."""
    nodes = {node.output[0]: node for node in inner}
    taken = [name for node in nodes.values() for name in node.input]
    return all(taken.count(name) == graph.uses.get(name) for name in [*nodes][1:])


# ------------------------------------------------------------------------------- the patterns


def _products(*factors: Pattern) -> list[Pattern]:
    """Three factors, multiplied in any order."""
    a, b, c = factors
    return [("Mul", ("Mul", a, b), c), ("Mul", ("Mul", a, c), b), ("Mul", ("Mul", b, c), a)]


_CUBE: tuple[Pattern, ...] = (("Pow", "x", 3.0), ("Mul", ("Mul", "x", "x"), "x"))

_ERF: list[Pattern] = [
    ("Add", ("Erf", inner), 1.0) for inner in (("Div", "x", sqrt(2)), ("Mul", "x", sqrt(0.5)))
]

_TANH: list[Pattern] = [
    ("Add", ("Tanh", ("Mul", ("Add", "x", ("Mul", cube, 0.044715)), sqrt(2 / pi))), 1.0)
    for cube in _CUBE
]

_CENTRED: Pattern = ("Sub", "x", ("LastMean", "x"))

_SQUARES: tuple[Pattern, ...] = (("Pow", _CENTRED, 2.0), ("Mul", _CENTRED, _CENTRED))

_NORMED: list[Pattern] = [
    ("Div", _CENTRED, ("Sqrt", ("Add", ("LastMean", square), "#eps"))) for square in _SQUARES
]

_ROOT: Pattern = ("Sqrt", ("Add", ("LastMean", ("Pow", "x", 2.0)), "#eps"))

_RMS: list[Pattern] = [
    ("Mul", "x", ("Reciprocal", _ROOT)),
    ("Mul", "x", ("Div", 1.0, _ROOT)),
    ("Div", "x", _ROOT),
]

_GROUPS: Pattern = (
    "Add",
    ("Mul", ("Reshape", ("InstanceNormalization", ("Reshape", "x", "groups"), "1", "0"), "s"), "w"),
    "b",
)


def _rows(graph: TensorIndex, names: Names) -> Mapping[str, Any] | None:
    """The attributes of a norm over the last axis, whose scale and shift are stored."""
    stored = (graph.values.get(names[name]) for name in ("w", "b") if name in names)
    last = graph.values[names["x"]].shape
    epsilon = graph.number(names["#eps"])
    if not all(v is not None and v.fixed and v.shape == (last or ())[-1:] for v in stored):
        return None
    return None if epsilon is None else {"axis": -1, "epsilon": epsilon}


def _grouped(graph: TensorIndex, names: Names) -> Mapping[str, Any] | None:
    shape = graph.values[names["x"]].shape
    target = graph.values[names["groups"]].read()
    stored = [graph.values[names[name]] for name in ("w", "b")]
    if shape is None or target is None or target.numbers is None or len(target.items) != 3:
        return None
    channels = shape[1].field
    if not all(v.fixed and v.shape and elements(v.shape) == channels for v in stored):
        return None
    return {"num_groups": target.numbers[1]}


def _attentions() -> Iterator[Pattern]:
    """Softmax of scaled scores, with or without a mask, times the values: longer forms first."""
    scaled: tuple[tuple[Pattern, Pattern], ...] = (
        (("Mul", "q", "#a"), ("Mul", "k", "#b")),
        (("Mul", "q", "#a"), "k"),
        (("Div", "q", "#a"), "k"),
        ("q", "k"),
    )
    for q, k in scaled:
        product: Pattern = ("MatMul", q, k)
        for scores in (("Mul", product, "#c"), ("Div", product, "#c"), product):
            for masked in (("Add", scores, "mask"), scores):
                shares: Pattern = ("LastSoftmax", masked)
                yield ("MatMul", ("Where", ("IsNaN", shares), "#zero", shares), "v")
                yield ("MatMul", shares, "v")


def _heads(graph: TensorIndex, names: Names) -> Mapping[str, Any] | None:
    """None where these are no heads, or where what is added to the scores is more than a mask."""
    ranks = {_rank(graph, names[name]) for name in ("q", "k", "v")}
    mask = graph.values[names["mask"]] if "mask" in names else None
    is_plain = mask is None or (mask.fixed and not mask.learned)
    return {} if ranks == {4} and is_plain else None


def _columns(graph: TensorIndex, names: Names) -> Mapping[str, Any] | None:
    """Heads and batch are one axis while the last two change places."""
    shape = graph.values[names["x"]].shape or ()
    flat, wide = (graph.values[names[name]].read() for name in ("flat", "wide"))
    if flat is None or wide is None or len(shape) != 4:
        return None
    if len(flat.items) != 3 or len(wide.items) != 4 or flat.items[1:] != shape[2:]:
        return None
    return {"perm": [0, 1, 3, 2]} if wide.items[2:] == shape[:1:-1] else None


REWRITES = (
    Rewrite("Silu", ("Mul", "x", ("Sigmoid", "x"))),
    Rewrite("HardSwish", ("Mul", "x", ("HardSigmoid", "x"))),
    Rewrite("HardSwish", ("Div", ("Mul", "x", ("Clip", ("Add", "x", 3.0), 0.0, 6.0)), 6.0)),
    Rewrite("Mish", ("Mul", "x", ("Tanh", ("Softplus", "x")))),
    *(Rewrite("Gelu", p) for erf in _ERF for p in _products("x", erf, 0.5)),
    *(
        Rewrite("Gelu", p, attributes=lambda *_: {"approximate": "tanh"})
        for tanh in _TANH
        for p in _products("x", tanh, 0.5)
    ),
    *(
        Rewrite("LayerNormalization", ("Add", ("Mul", n, "w"), "b"), ("x", "w", "b"), _rows)
        for n in _NORMED
    ),
    *(Rewrite("RMSNormalization", ("Mul", n, "w"), ("x", "w"), _rows) for n in _RMS),
    Rewrite("GroupNormalization", _GROUPS, ("x", "w", "b"), _grouped),
    *(Rewrite("AttentionByColumns", p, ("q", "k", "v"), _heads) for p in _attentions()),
    Rewrite(
        "Transpose",
        ("Reshape", ("Transpose", ("Reshape", "x", "flat")), "wide"),
        attributes=_columns,
    ),
)
"""The layers that exporters spell out in several operators, each with its pattern."""

BY_LAST: dict[str, list[Rewrite]] = {}
"""The last operator of a pattern → the rewrites."""

for _rewrite in REWRITES:
    if isinstance(_rewrite.pattern, tuple):
        BY_LAST.setdefault(str(_rewrite.pattern[0]), []).append(_rewrite)
