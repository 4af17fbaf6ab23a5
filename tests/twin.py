"""A spec's network in PyTorch, on the meta device: the count that archcost is compared with.

A spec's plain data goes in; nothing of archcost is used. Every entry is built and run at once,
under `torch.utils.flop_counter`, and what it was is written down.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from math import ceil, floor, log2, sqrt
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tests.torch_kinds import FREE, TWINS, Call, Fields, RefusedError, Tensors, axes_of

Shape = tuple[int, ...]


# Expressions.

WORDS = {
    *("approximate", "equation", "mode", "nonlinearity", "operator", "padding_mode", "qk_norm"),
    "reduce",
}
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
    value = re.sub(r"([A-Za-z_]\w*)\.(\d+)", r"\1[\2]", value)
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
    is_trained: Any = True


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
        shares: whether what runs now has the weights of what ran before.
    """

    def __init__(self, blocks: dict[str, Any], constants: Names) -> None:
        self.blocks = blocks
        self.constants = constants
        self.ran: list[Ran] = []
        self.seen: set[Tensor] = set()
        self.counter = FlopCounterMode(display=False)
        self.works = True
        self.shares = False

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
        if call.kind not in FREE and call.x.dim() not in axes_of(call.kind):
            raise RefusedError("another number of axes than the kind's documentation says")
        before = self.counter.get_total_flops()
        result = TWINS[call.kind](call)
        outputs = result if isinstance(result, tuple) else (result,)
        macs = (self.counter.get_total_flops() - before) // 2 if self.works else 0
        shapes = tuple(tuple(output.shape) for output in outputs)
        self.ran.append(Ran(key, shapes, self._new(call.learned), macs, self.works))
        return result

    def _new(self, learned: list[Tensor]) -> int:
        if self.shares:
            return 0
        fresh = set(learned) - self.seen
        self.seen |= fresh
        return sum(tensor.numel() for tensor in fresh)


class Several(tuple[Any, ...]):
    """Tensors with names; ``whole`` is what their common name stands for, if it is one of them."""

    names: Sequence[str] = ()
    whole: Any = None
    inner: Mapping[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return self.inner[name] if name in self.inner else self[list(self.names).index(name)]

    @property
    def every(self) -> "Several":
        """All of them, whatever the name stands for."""
        return Several(self)


def several(
    tensors: Iterable[Any], names: Sequence[str] = (), whole: Any = None, **inner: Any
) -> Several:
    found = Several(tensors)
    found.names, found.whole, found.inner = names, whole, inner
    return found


def carried(value: Any) -> list[Tensor]:
    """The tensors that flow on: the one that a name stands for, else all."""
    if isinstance(value, Tensor):
        return [value]
    whole = getattr(value, "whole", None)
    return [*(value or ())] if whole is None else [whole]


def one_or_all(tensors: Sequence[Tensor]) -> Any:
    return tensors[0] if len(tensors) == 1 else several(tensors)


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
        entered: name → the entry, and the shape that entered it.
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
        self.entered: dict[str, tuple[Entry, Shape]] = {}
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
        found = carried(self.refer(name))
        if len(found) != 1:
            raise RefusedError(f"'{name}' is no single tensor")
        return found[0]

    def refer(self, name: str) -> Any:
        """What a reference stands for: Python's own, over what the names stand for."""
        if name == "previous":
            return self.latest
        if re.fullmatch(r"[\w-]+", name):
            return self.find(name)[1]
        text = re.sub(r"\.\*", ".every", re.sub(r"\.(\d+)", r"[\1]", name))
        return evaluate(text, {**self.visible(), **self.names})

    def visible(self) -> Names:
        """What the names of tensors stand for, and what is said of them in expressions."""
        around = self.parent.visible() if self.parent else {}
        words: Names = {
            "len": len,
            "reversed": lambda x: several(x[::-1]),
            "shape": lambda x: list(x.shape),
        }
        return {**around, **words, **self.tensors}

    def entering(self, sources: Sequence[str]) -> list[Tensor]:
        """The tensors of some references."""
        return [tensor for source in sources for tensor in carried(self.refer(source))]

    def body(self, entries: Sequence[str | Fields]) -> Any:
        """Run a list of entries; what leaves the last one leaves the body."""
        for entry in entries:
            self.run(taken_apart(entry))
        return one_or_all(carried(self.latest))

    def run(self, entry: Entry) -> None:
        """Run one entry."""
        if not evaluate(entry.when, {**self.visible(), **self.names}):
            return
        self.counts[entry.kind] += 1
        name = entry.name or f"{entry.kind}_{self.counts[entry.kind]}"
        x = None if entry.kind in TWINS else one_or_all(self.entering(entry.sources))
        if entry.kind != "parameter" and len(entry.sources) == 1:
            given = self.entering(entry.sources)
            self.entered[name] = entry, tuple(given[0].shape) if len(given) == 1 else ()
        self.tensors[name] = self.output(entry, name, x)
        whole = getattr(self.tensors[name], "whole", None)
        self.latest = self.tensors[name] if whole is None else whole
        if entry.kind == "side":
            self.latest = x

    def output(self, entry: Entry, name: str, x: Tensor | None) -> Tensors:
        """What leaves an entry; ``x`` enters what is no layer."""
        if x is None:
            return self.layer(entry, name)
        run = COMPOSITES.get(entry.kind)
        return run(self, name, entry.fields, x) if run else self.block(entry, x)

    def layer(self, entry: Entry, name: str) -> Tensors:
        sources = [] if entry.kind in FREE else entry.sources
        inputs = self.entering(sources)
        before = inputs[0] if inputs else self.latest
        sizes = sizes_of(before if isinstance(before, Tensor) else None)
        names = {**self.visible(), **self.names, **sizes}
        words = {key: value for key, value in entry.fields.items() if key in WORDS}
        fields = {
            key: evaluate(value, names)
            for key, value in entry.fields.items()
            if key not in ("weight", *WORDS)
        }
        if "like" in fields:
            fields["size"] = list(fields.pop("like").shape[2:])
        owner = entry.fields.get("weight")
        tied = self.find(owner)[0].weights[owner] if owner else None
        call = Call(entry.kind, inputs, fields | words, tied)
        call.is_trained = bool(evaluate(entry.is_trained, names))
        result = self.network.layer(name, call)
        self.weights |= zip([name], call.learned, strict=False)
        return several(result) if type(result) is tuple else result

    def block(self, entry: Entry, x: Any) -> Any:
        """A kind of the spec's own: its parameters are all that it sees beside the constants."""
        block = self.network.blocks[entry.kind]
        names = dict(self.network.constants)
        for parameter, default in (block.get("parameters") or {}).items():
            given = parameter in entry.fields
            value, scope = (entry.fields[parameter], self.names) if given else (default, names)
            sizes = sizes_of(carried(x)[0])
            names[parameter] = evaluate(value, {**self.visible(), **scope, **sizes})
        frame = self.inner(x, names)
        inputs, tensors = block.get("inputs", ()), carried(x)
        for i, name in enumerate(inputs):
            starred = name.endswith("*")
            frame.tensors[name.rstrip("*")] = several(tensors[i:]) if starred else tensors[i]
        left = frame.body(block["layers"])
        said = block.get("outputs")
        if not said:
            return left
        found = [carried(frame.refer(reference)) for reference in said]
        tensors = [tensor for each in found for tensor in each]
        called = [re.sub(r".*\.", "", reference) for reference in said]
        return several(tensors, called, tensors[0] if len(tensors) == 1 else None)


# Entries that hold entries.

Run = Callable[[Frame, str, Any, Tensor], Tensor]


def merged(frame: Frame, name: str, merge: str, outputs: list[Tensor], **fields: Any) -> Tensor:
    """The layer that a composite ends with."""
    return frame.network.layer(f"{name}/{merge}", Call(merge, outputs, fields))


def in_full(fields: Any) -> Fields:
    """A bare list stands for the layers."""
    return {"layers": fields} if isinstance(fields, list) else fields


def residual(frame: Frame, name: str, fields: Any, x: Tensor) -> Tensor:
    fields = in_full(fields)
    left = frame.inner(x, frame.names).body(fields["layers"])
    keeps = fields.get("projects") == "on_change" and left.shape == x.shape
    short = frame.inner(x, frame.names).body([] if keeps else fields.get("shortcut", []))
    return merged(frame, name, "add", [left, short])


def fused(frame: Frame, _: str, fields: Any, x: Tensor) -> Tensor:
    return frame.inner(x, frame.names).body(in_full(fields)["layers"])


def parallel(frame: Frame, name: str, fields: Any, x: Tensor) -> Tensor:
    outputs = [frame.inner(x, frame.names).body(branch) for branch in fields["branches"]]
    merge = fields.get("merge", "concat")
    axis = {"axis": evaluate(fields.get("axis", 1), frame.names)} if merge == "concat" else {}
    return merged(frame, name, merge, outputs, **axis)


def repeat(frame: Frame, _: str, fields: Any, x: Any) -> Any:
    names = {**frame.visible(), **frame.names}
    return [x, *turns(frame, fields, x, [{}] * evaluate(fields["times"], names))][-1]


def foreach(frame: Frame, _: str, fields: Any, x: Any) -> Any:
    left = turns(frame, fields, x, rows_of(fields, frame))
    return several(left, whole=left[-1]) if isinstance(left[-1], Tensor) else left[-1]


def rows_of(fields: Any, frame: Frame) -> list[Names]:
    """A table by rows, or by columns, and the tensors of each row."""
    names = {**frame.visible(), **frame.names}
    rows = [evaluate(row, names) for row in fields.get("rows", ())]
    columns = evaluate(fields.get("columns", {}), names)
    for name, given in fields.get("tensors", {}).items():
        sources = given if isinstance(given, list) else [given]
        found = [frame.refer(source) for source in sources]
        columns[name] = [t for each in found for t in (each if isinstance(each, tuple) else [each])]
    listed = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if "count" in fields:
        listed = listed or [{}] * evaluate(fields["count"], names)
    rows, listed = rows or [{}] * len(listed), listed or [{}] * len(rows)
    return [{**row, **more} for row, more in zip(rows, listed, strict=True)]


def turns(frame: Frame, fields: Any, x: Any, rows: Sequence[Names]) -> list[Any]:
    """Each turn is fed by the one before; of shared ones the first alone has weights of its own."""
    network, left = frame.network, []
    shares = network.shares
    for i, row in enumerate(rows):
        index = {fields["index"]: i} if fields.get("index") else {}
        values = {name: value for name, value in row.items() if not isinstance(value, Tensor)}
        inner = frame.inner(x, {**frame.names, **values, **index})
        inner.tensors |= {name: t for name, t in row.items() if isinstance(t, Tensor)}
        network.shares = shares or (i > 0 and bool(fields.get("shared")))
        x = inner.body(fields["layers"])
        left.append(x)
    network.shares = shares
    return left


def moe(frame: Frame, name: str, fields: Any, x: Tensor) -> Tensor:
    """Every expert learns; as much work is done as if ``top_k`` of them saw every token."""
    experts, top_k = (evaluate(fields[key], frame.names) for key in ("experts", "top_k"))
    network = frame.network
    router = {
        "out_features": experts,
        "bias": evaluate(fields.get("router_bias", False), frame.names),
    }
    network.layer(f"{name}/router", Call("linear", [x], router))
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


def of_the_zoo(name: str) -> tuple[Fields, str | None]:
    """A spec of the zoo and the variant, by either's name."""
    for file in sorted((Path(__file__).parent.parent / "specs").glob("*.yaml")):
        spec = yaml.safe_load(file.read_text(encoding="utf-8"))
        if name == file.stem or name in spec.get("variants", ()):
            return spec, None if name == file.stem else name
    raise RefusedError(f"no network '{name}'")


def use(frame: Frame, _: str, fields: Any, x: Any) -> Any:
    """A network of the zoo; what enters gives the symbols of its input's shape their values."""
    fields = {"network": fields} if isinstance(fields, str) else fields
    spec, variant = of_the_zoo(fields["network"])
    (shape,) = [spec["input"]] if isinstance(spec["input"], list) else spec["input"].values()
    pairs = zip(shape, x.shape, strict=True)
    sizes = {name: size for name, size in pairs if name in spec["symbols"]}
    names = {**frame.visible(), **frame.names}
    given, lets = (evaluate(fields.get(part, {}), names) for part in ("symbols", "let"))
    constants = constants_of(spec, variant, {**sizes, **given}, lets)
    network, around = frame.network, (frame.network.blocks, frame.network.constants)
    network.blocks, network.constants = spec.get("blocks", {}), constants
    inner = Frame(network, {"input": x}, constants, None)
    for entry in spec["layers"]:
        inner.run(taken_apart(entry))
        if fields.get("until") in inner.tensors:
            break
    network.blocks, network.constants = around
    return several((), whole=inner.latest, **inner.tensors)


def share(frame: Frame, name: str, of: Any, x: Tensor) -> Any:
    """The entry once more; what it learns is learned already."""
    owner, _ = frame.find(of)
    entry, shape = owner.entered[of]
    if shape != tuple(x.shape):
        raise RefusedError("weights of another size")
    inner = owner.inner(x, owner.names)
    shares, frame.network.shares = frame.network.shares, True
    left = inner.output(
        entry._replace(sources=["previous"]), name, None if entry.kind in TWINS else x
    )
    frame.network.shares = shares
    return left


COMPOSITES: Mapping[str, Run] = {
    "foreach": foreach,
    "fused": fused,
    "moe": moe,
    "parallel": parallel,
    "repeat": repeat,
    "residual": residual,
    "share": share,
    "side": side,
    "use": use,
}


# Specs.


def constants_of(
    spec: Fields,
    variant: str | None,
    given: Mapping[str, Any] | None = None,
    lets: Mapping[str, Any] = {},
) -> dict[str, Any]:
    """The symbols' defaults and the ``let`` values, with a variant's or what is given instead."""
    changed = (spec.get("variants") or {}).get(variant) or {}
    symbols = (spec.get("symbols") or {}) | changed.get("symbols", {}) | dict(given or {})
    names = {
        name: value["default"] if isinstance(value, Mapping) else value
        for name, value in symbols.items()
    }
    for name, value in ((spec.get("let") or {}) | changed.get("let", {}) | dict(lets)).items():
        names[name] = evaluate(exact(value), names)
    return names


def exact(value: Any) -> Any:
    """A decimal of YAML as the fraction that it says."""
    return tidy(Fraction(str(value))) if isinstance(value, float) else value


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
