"""A spec's network in PyTorch, on the meta device: the count that archcost is compared with.

A spec's plain data goes in; nothing of archcost is used. Every entry is built and run at once,
under `torch.utils.flop_counter`, and what it was is written down.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import ceil, floor, log2, sqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tests.torch_kinds import TWINS, Call, Fields, RefusedError, Tensors, axes_of

Shape = tuple[int, ...]


# Expressions.

WORDS = {"approximate", "equation", "mode", "nonlinearity", "padding_mode"}
"""Fields that are text and no expression."""

Names = Mapping[str, Any]


def evaluate(value: Any, names: Names) -> Any:
    """A field's value as a number: an expression is Python's, over exact fractions."""
    if isinstance(value, Mapping):
        return {key: evaluate(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [evaluate(item, names) for item in value]
    if not isinstance(value, str) or value in ("same", "valid"):
        return value
    if value in names:
        return names[value]
    source = re.sub(r"\d+\.\d+", r"Fraction('\g<0>')", value)
    source = re.sub(r"(?<!/)/(?!/)", "/Fraction(1)/", source)
    try:
        return tidy(eval(source, {"__builtins__": {}}, {**FUNCTIONS, **names}))
    except NameError as error:
        raise RefusedError(str(error)) from None


def tidy(value: Any) -> Any:
    return int(value) if isinstance(value, Fraction) and value.denominator == 1 else value


def round_to(value: Any, step: int) -> int:
    """``make_divisible`` of the MobileNet papers."""
    nearest = max(step, int(Fraction(value) + Fraction(step, 2)) // step * step)
    return nearest + step if nearest * 10 < value * 9 else nearest


FUNCTIONS: Names = {
    "Fraction": Fraction,
    "ceil": ceil,
    "false": False,
    "floor": floor,
    "log2": log2,
    "max": max,
    "min": min,
    "round_to": round_to,
    "sqrt": sqrt,
    "true": True,
}


def sizes_of(x: Tensor | None) -> Names:
    """The names of the sizes of the tensor that enters."""
    if x is None:
        return {}
    sizes = {"in_shape": list(x.shape), "in_features": x.shape[-1] if x.dim() else None}
    return sizes | ({"in_channels": x.shape[1]} if x.dim() > 1 else {})


# Networks.


class Ran(NamedTuple):
    """One run of one layer.

    Attributes:
        key: its name; for what a composite adds, with the composite's before it, as ``a/add``.
        outputs: the shapes that leave.
        params: elements of what it learns and no layer before it does.
        macs: what the counter counts, halved.
        works: whether it counts as work: only top_k of the experts do.
    """

    key: str
    outputs: tuple[Shape, ...]
    params: int
    macs: int
    works: bool


class Entry(NamedTuple):
    """An entry taken apart."""

    kind: str
    fields: Any
    name: str | None
    sources: list[str]
    when: Any
    is_trained: bool = True


def taken_apart(entry: str | Fields) -> Entry:
    if isinstance(entry, str):
        return Entry(entry, {}, None, ["previous"], True)
    (kind,) = (key for key in entry if key not in ("name", "from", "when", "trainable"))
    sources = entry.get("from", "previous")
    return Entry(
        kind,
        entry[kind] or {},
        entry.get("name"),
        [sources] if isinstance(sources, str) else list(sources),
        entry.get("when", True),
        entry.get("trainable", True),
    )


class Network:
    """A network under the counter.

    Attributes:
        blocks: the spec's own kinds.
        constants: the values of its symbols, and its ``let`` values.
        ran: every run of a layer, in order.
        seen: the learned tensors that are counted already.
        counter: PyTorch's own.
        works: whether the products of what runs now count; of an expert more than ``top_k`` not.
    """

    def __init__(self, blocks: dict[str, Any], constants: Names) -> None:
        self.blocks = blocks
        self.constants = constants
        self.ran: list[Ran] = []
        self.seen: set[Tensor] = set()
        self.counter = FlopCounterMode(display=False)
        self.works = True

    @property
    def params(self) -> int:
        """Learnable parameters, shared ones once."""
        return sum(ran.params for ran in self.ran)

    @property
    def macs(self) -> int:
        """Multiply-accumulates: the counter counts two operations each."""
        return sum(ran.macs for ran in self.ran)

    def layer(self, key: str, call: Call) -> Tensors:
        """Run one layer, and write down what it was."""
        if call.kind not in ("parameter", "constant") and call.x.dim() not in axes_of(call.kind):
            raise RefusedError("another number of axes than the kind's documentation says")
        before = self.counter.get_total_flops()
        result = TWINS[call.kind](call)
        outputs = result if isinstance(result, tuple) else (result,)
        macs = (self.counter.get_total_flops() - before) // 2 if self.works else 0
        shapes = tuple(tuple(output.shape) for output in outputs)
        self.ran.append(Ran(key, shapes, self._new(call.learned), macs, self.works))
        return result

    def _new(self, learned: list[Tensor]) -> int:
        fresh = set(learned) - self.seen
        self.seen |= fresh
        return sum(tensor.numel() for tensor in fresh)


class Frame:
    """A list of entries at work.

    Attributes:
        network: whose list it is.
        tensors: name → what left it.
        weights: name → its weight, for others to share.
        names: name → value, in its expressions.
        parent: the list around it, or None.
        latest: what left the entry before.
        counts: kind → how many entries without a name there were.
    """

    def __init__(
        self, network: Network, tensors: Mapping[str, Tensors], names: Names, parent: "Frame | None"
    ) -> None:
        self.network = network
        self.tensors = dict(tensors)
        self.weights: dict[str, Tensor] = {}
        self.names = names
        self.parent = parent
        self.latest: Tensors | None = None
        self.counts: Counter[str] = Counter()
        if len(tensors) == 1:
            (self.latest,) = tensors.values()

    def inner(self, x: Tensor, names: Names) -> "Frame":
        """The frame of a body that ``x`` enters."""
        frame = Frame(self.network, {}, names, self)
        frame.latest = x
        return frame

    def find(self, name: str) -> tuple["Frame", Tensors]:
        """A name's tensor, of this list or of one around it, and where it is."""
        if name in self.tensors:
            return self, self.tensors[name]
        if self.parent is None:
            raise RefusedError(f"no tensor '{name}'")
        return self.parent.find(name)

    def source(self, name: str) -> Tensor:
        """A tensor by name, ``name.0`` where there are several, or the one before."""
        bearer, dot, number = name.partition(".")
        value = self.latest if name == "previous" else self.find(bearer)[1]
        if dot and isinstance(value, tuple):
            return value[int(number)]
        if not isinstance(value, Tensor):
            raise RefusedError(f"'{name}' is no single tensor")
        return value

    def body(self, entries: Sequence[str | Fields]) -> Tensor:
        """Run a list of entries; what leaves the last one leaves the body."""
        for entry in entries:
            self.run(taken_apart(entry))
        return self.source("previous")

    def run(self, entry: Entry) -> None:
        """Run one entry."""
        if not evaluate(entry.when, self.names):
            return
        self.counts[entry.kind] += 1
        name = entry.name or f"{entry.kind}_{self.counts[entry.kind]}"
        x = None if entry.kind in TWINS else self.source(entry.sources[0])
        self.tensors[name] = self.output(entry, name, x)
        self.latest = x if entry.kind == "side" else self.tensors[name]

    def output(self, entry: Entry, name: str, x: Tensor | None) -> Tensors:
        """What leaves an entry; ``x`` enters what is no layer."""
        if x is None:
            return self.layer(entry, name)
        run = COMPOSITES.get(entry.kind)
        return run(self, name, entry.fields, x) if run else self.block(entry, x)

    def layer(self, entry: Entry, name: str) -> Tensors:
        sources = [] if entry.kind in ("parameter", "constant") else entry.sources
        inputs = [self.source(source) for source in sources]
        before = inputs[0] if inputs else self.latest
        names = {**self.names, **sizes_of(before if isinstance(before, Tensor) else None)}
        words = {key: value for key, value in entry.fields.items() if key in WORDS}
        fields = {
            key: evaluate(value, names)
            for key, value in entry.fields.items()
            if key not in ("weight", *WORDS)
        }
        owner = entry.fields.get("weight")
        tied = self.find(owner)[0].weights[owner] if owner else None
        call = Call(entry.kind, inputs, fields | words, tied)
        call.is_trained = entry.is_trained
        result = self.network.layer(name, call)
        self.weights |= zip([name], call.learned, strict=False)
        return result

    def block(self, entry: Entry, x: Tensor) -> Tensor:
        """A kind of the spec's own: its parameters are all that it sees beside the constants."""
        block = self.network.blocks[entry.kind]
        names = dict(self.network.constants)
        for parameter, default in (block.get("parameters") or {}).items():
            given = parameter in entry.fields
            value, scope = (entry.fields[parameter], self.names) if given else (default, names)
            names[parameter] = evaluate(value, {**scope, **sizes_of(x)})
        return self.inner(x, names).body(block["layers"])


# Entries that hold entries.

Run = Callable[[Frame, str, Any, Tensor], Tensor]


def merged(frame: Frame, name: str, merge: str, outputs: list[Tensor], **fields: Any) -> Tensor:
    """The layer that a composite ends with."""
    return frame.network.layer(f"{name}/{merge}", Call(merge, outputs, fields))


def in_full(fields: Any) -> Fields:
    """A bare list stands for the layers."""
    return {"layers": fields} if isinstance(fields, list) else fields


def residual(frame: Frame, name: str, fields: Any, x: Tensor) -> Tensor:
    bodies = in_full(fields)["layers"], in_full(fields).get("shortcut", [])
    return merged(frame, name, "add", [frame.inner(x, frame.names).body(body) for body in bodies])


def fused(frame: Frame, _: str, fields: Any, x: Tensor) -> Tensor:
    return frame.inner(x, frame.names).body(in_full(fields)["layers"])


def parallel(frame: Frame, name: str, fields: Any, x: Tensor) -> Tensor:
    outputs = [frame.inner(x, frame.names).body(branch) for branch in fields["branches"]]
    merge = fields.get("merge", "concat")
    axis = {"axis": evaluate(fields.get("axis", 1), frame.names)} if merge == "concat" else {}
    return merged(frame, name, merge, outputs, **axis)


def repeat(frame: Frame, _: str, fields: Any, x: Tensor) -> Tensor:
    return turns(frame, fields, x, [{}] * evaluate(fields["times"], frame.names))


def foreach(frame: Frame, _: str, fields: Any, x: Tensor) -> Tensor:
    return turns(frame, fields, x, [evaluate(row, frame.names) for row in rows_of(fields, frame)])


def rows_of(fields: Any, frame: Frame) -> list[Names]:
    """A table by rows, or by columns."""
    if "rows" in fields:
        return list(fields["rows"])
    columns = evaluate(fields["columns"], frame.names)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def turns(frame: Frame, fields: Any, x: Tensor, rows: Sequence[Names]) -> Tensor:
    """Each turn is fed by the one before."""
    for i, row in enumerate(rows):
        index = {fields["index"]: i} if fields.get("index") else {}
        x = frame.inner(x, {**frame.names, **row, **index}).body(fields["layers"])
    return x


def moe(frame: Frame, name: str, fields: Any, x: Tensor) -> Tensor:
    """Every expert learns; as much work is done as if ``top_k`` of them saw every token."""
    experts, top_k = (evaluate(fields[key], frame.names) for key in ("experts", "top_k"))
    network = frame.network
    network.layer(f"{name}/router", Call("linear", [x], {"out_features": experts, "bias": False}))
    outputs = []
    working = network.works
    for expert in range(experts):
        network.works = working and expert < top_k
        outputs.append(frame.inner(x, frame.names).body(fields["layers"]))
    network.works = working
    return sum(outputs[1:top_k], outputs[0])


def side(frame: Frame, _: str, fields: Any, x: Tensor) -> Tensor:
    """What leaves the branch has its name; what follows takes what the branch took."""
    return frame.inner(x, frame.names).body(
        fields if isinstance(fields, list) else fields["layers"]
    )


COMPOSITES: Mapping[str, Run] = {
    "foreach": foreach,
    "fused": fused,
    "moe": moe,
    "parallel": parallel,
    "repeat": repeat,
    "residual": residual,
    "side": side,
}


# Specs.


def constants_of(spec: Fields, variant: str | None) -> dict[str, Any]:
    """The symbols' defaults and the ``let`` values, with a variant's in their place."""
    changed = (spec.get("variants") or {}).get(variant) or {}
    symbols = (spec.get("symbols") or {}) | changed.get("symbols", {})
    names = {
        name: value["default"] if isinstance(value, Mapping) else value
        for name, value in symbols.items()
    }
    for name, value in ((spec.get("let") or {}) | changed.get("let", {})).items():
        names[name] = evaluate(value, names)
    return names


def opened(spec: Fields, variant: str | None = None) -> Frame:
    """A network of which no entry has run yet."""
    constants = constants_of(spec, variant)
    given = spec["input"] if isinstance(spec["input"], Mapping) else {"input": spec["input"]}
    inputs = {
        name: torch.empty(evaluate(shape, constants), device="meta")
        for name, shape in given.items()
    }
    return Frame(Network(spec.get("blocks", {}), constants), inputs, constants, None)


def run(spec: Fields, variant: str | None = None) -> Network:
    """Build a spec's network on the meta device, run it once, and count."""
    frame = opened(spec, variant)
    with torch.device("meta"), torch.no_grad(), frame.network.counter:
        frame.body(spec["layers"])
    return frame.network
