"""Random valid networks over all kinds, as the plain data of a spec: one seed, one network.

A kind that fits the tensor at hand is drawn, then its fields; the twin runs the layer and says what
leaves it. What PyTorch refuses is drawn anew. This module draws what holds entries, and the spec.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from itertools import count
from random import Random
from typing import Any

import torch

from tests import drawers, twin  # noqa: F401 (drawers register themselves)
from tests.drafts import Draft, Entry, drawer
from tests.torch_kinds import COMPARISONS, FREE, TESTS, RefusedError
from tests.twin import Frame, Shape

Spec = dict[str, Any]


# Entries that hold entries.


@drawer("residual")
def residual(d: Draft) -> None:
    body, shape = d.body()
    shortcut = matching(d, shape, body)
    if not shortcut and d.flag():
        d.emit("residual", body)
    else:
        d.emit("residual", {"layers": body} | ({"shortcut": shortcut} if shortcut else {}))


@drawer("fused")
def fused(d: Draft) -> None:
    """A body without repeats."""
    body, _ = d.body()
    if any(kind in repr(body) for kind in ("'repeat'", "'moe'")) or d.frame.network.blocks:
        raise RefusedError("a repeat in a fused body")
    d.emit("fused", body)


def matching(d: Draft, wanted: Shape, body: list[Entry]) -> list[Entry]:
    """Entries that give the tensor at hand a shape: none, a projection, or the body once more."""
    if d.shape == wanted:
        return []
    name = next(d.fresh)
    if d.shape[:-1] == wanted[:-1] and d.flag():
        return [{"linear": {"out_features": wanted[-1]}, "name": name}]
    if len(wanted) == 4 == len(d.shape) and d.shape[2:] == wanted[2:] and d.flag():
        return [{"conv2d": {"out_channels": wanted[1], "kernel_size": 1}, "name": name}]
    return renamed(d, body)


def renamed(d: Draft, entries: list[Entry]) -> list[Entry]:
    """The same entries with names of their own."""
    names = {name: next(d.fresh) for name in bearers(entries)}

    def rename(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: rename(item) for key, item in value.items()}
        if isinstance(value, list):
            return [rename(item) for item in value]
        if isinstance(value, str):
            return re.sub(r"^v\d+", lambda match: names.get(match[0], match[0]), value)
        return value

    return [rename(entry) for entry in entries]


def bearers(value: Any) -> Iterator[str]:
    """The names of all entries in some data."""
    if isinstance(value, dict):
        yield from (value[key] for key in value if key == "name")
        value = list(value.values())
    for item in value if isinstance(value, list) else []:
        yield from bearers(item)


@drawer("parallel")
def parallel(d: Draft) -> None:
    """Branches that agree: identities, projections of one axis, copies, layer scale."""
    merge = d.choice(["concat", "concat", "add", "mul"])
    axis = d.axis() if merge == "concat" else 0
    body, shape = d.body()
    branches = [body]
    for _ in range(d.integer(0, 2)):
        branches.append(matching(d, shape, body) if d.flag() else renamed(d, body))
    if merge != "concat" and d.shape == shape and d.flag():
        branches.append(layer_scale(d))
    d.random.shuffle(branches)
    joined = {"axis": axis} if axis != 1 and merge == "concat" else {}
    d.emit("parallel", {"branches": branches} | d.some(merge=lambda: merge) | joined)


def layer_scale(d: Draft) -> list[Entry]:
    """A free parameter as a branch."""
    inner = d.inner(d.frame.inner(d.x, d.frame.names))
    inner.emit("parameter", {"shape": [d.choice([1, d.shape[-1], "in_features"])]})
    return inner.drawn


@drawer("side")
def side(d: Draft) -> None:
    """Of the tensor before: it is what follows the branch, too."""
    d.source = "previous"
    body, _ = d.body()
    d.emit("side", d.choice([body, {"layers": body}]))


TYPED = (
    *TESTS,
    *COMPARISONS,
    "any",
    "all",
    "argmax",
    "argmin",
    "sort",
    "topk",
    "one_hot",
    "arange",
)
"""The kinds whose output has a type of its own, which a next turn does not take."""


def turn(d: Draft) -> list[Entry]:
    """The body of a turn, which leaves the type of numbers that it takes."""
    body, _ = d.body(2)
    if any(f"{{'{kind}'" in repr(body) for kind in TYPED):
        raise RefusedError("another type of numbers")
    return body


@drawer("repeat")
def repeat(d: Draft) -> None:
    body = turn(d)
    times, fields = d.integer(0, 4), {}
    if d.chance(0.3):
        fields = {"index": next(d.fresh)}
        body = d.choice([body, with_condition(d, body, fields["index"])])
    d.emit("repeat", {"times": times, **fields, "layers": body})


def with_condition(d: Draft, body: list[Entry], index: str) -> list[Entry]:
    """The body, an entry of it only in some turns."""
    chosen = d.choice(range(len(body)))
    when = d.choice([f"{index} == 0", f"{index} >= 1", f"{index} % 2 == 0", "false"])
    return [entry | ({"when": when} if i == chosen else {}) for i, entry in enumerate(body)]


@drawer("foreach")
def foreach(d: Draft) -> None:
    body = turn(d)
    column = next(d.fresh)
    body, width = with_width(d, body, column)
    widths = [width * d.integer(1, 2) for _ in range(d.integer(1, 3))]
    rows = {"rows": [{column: width} for width in widths]}
    table = rows if d.chance(0.7) else {"columns": {column: widths}}
    index = {"index": next(d.fresh)} if d.chance(0.3) else {}
    d.emit("foreach", {**table, **index, "layers": body})


WIDTHS = {"out_channels", "out_features", "hidden_size", "embedding_dim", "num_embeddings"}


def with_width(d: Draft, body: list[Entry], name: str) -> tuple[list[Entry], int]:
    """The body with a name for the width of one of its layers, and that width."""
    body = deepcopy(body)
    places = [
        (value, field)
        for entry in body
        for value in entry.values()
        if isinstance(value, dict)
        for field in sorted(WIDTHS & set(value))
        if isinstance(value[field], int)
    ]
    if not places:
        return body, 1
    fields, field = d.choice(places)
    width = fields[field]
    fields[field] = name
    return body, int(width)


@drawer("share")
def share(d: Draft) -> None:
    """An entry of the same list once more, if one took a tensor of this shape."""
    fits = [
        name
        for name, (entry, shape) in d.frame.entered.items()
        if shape == d.shape and entry.kind not in ("side", *FREE)
    ]
    d.emit("share", d.choice(fits))


@drawer("moe", axes=(2, 3, 4))
def moe(d: Draft) -> None:
    """With an expert that is more than a repeat, which may be of no turns."""
    body, _ = d.body(2)
    if all("repeat" in entry for entry in body):
        body.append({"identity": {}, "name": next(d.fresh)})
    experts = d.integer(1, 4)
    d.emit("moe", {"experts": experts, "top_k": d.integer(1, experts), "layers": body})


@drawer("block")
def block(d: Draft) -> None:
    """A kind of the spec's own, used once or twice; it sees no names but its own."""
    frame = Frame(d.frame.network, {}, d.frame.network.constants, None)
    frame.latest = d.x
    inner = d.inner(frame)
    inner.entries(d.integer(1, 2))
    name, parameter = next(d.fresh), next(d.fresh)
    body, width = with_width(d, inner.drawn, parameter)
    default = width if d.flag() else None
    d.frame.network.blocks[name] = {"parameters": {parameter: default}, "layers": body}
    for _ in range(d.integer(1, 2)):
        optional = {} if default and d.flag() else {parameter: width * d.integer(1, 2)}
        d.emit(name, optional)


# Specs.


def draw_input(random: Random) -> Any:
    """The shapes that enter: mostly one."""
    if random.random() < 0.85:
        return draw_shape(random)
    return {name: draw_shape(random) for name in ("left", "right")}


def draw_shape(random: Random) -> list[int]:
    """A small batch of images, sequences, rows or volumes."""
    axes = random.choice([1, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5])
    channels = random.choice([1, 2, 3, 4, 6, 8, 12])
    most = {3: 12, 4: 13, 5: 7}.get(axes, 12)
    return [random.randint(1, 3), channels, *(random.randint(2, most) for _ in range(3))][:axes]


def draw_network(seed: int, most: int = 12) -> Spec:
    """The network of a seed, with up to so many steps."""
    random = Random(seed)
    spec: Spec = {"archspec": 1, "name": f"seed {seed}", "input": draw_input(random), "blocks": {}}
    with torch.device("meta"), torch.no_grad():
        frame = twin.opened(spec)
        d = Draft(random, frame, (f"v{i}" for i in count()))
        d.entries(random.randint(1, most))
        if any(d.frame.latest is given for given in frame.tensors.values()):
            d.emit("identity")  # a repeat of no turns alone is no network
    spec["layers"] = d.drawn
    spec["blocks"] = {name: block for name, block in spec["blocks"].items() if name in used(spec)}
    return spec


def used(spec: Spec) -> Counter[str]:
    """How often a spec writes each kind, blocks that nothing calls left out."""
    kinds: Counter[str] = Counter()
    waiting = list(spec["layers"])
    while waiting:
        kind, entries = opened(waiting.pop())
        if kind in spec["blocks"] and kind not in kinds:
            entries = spec["blocks"][kind]["layers"]
        kinds[kind] += 1
        waiting += entries
    return kinds


def opened(entry: Entry) -> tuple[str, list[Entry]]:
    """An entry's kind, and the entries that it holds."""
    kind, fields, *_ = twin.taken_apart(entry)
    fields = {} if isinstance(fields, str) else twin.in_full(fields)
    branches = [inner for branch in fields.get("branches", []) for inner in branch]
    return kind, [*fields.get("layers", []), *fields.get("shortcut", []), *branches]


# The same network with symbols for its numbers.

SYMBOLIC = WIDTHS | {
    *("dilation", "groups", "kernel_size", "output_padding", "output_size", "padding", "stride"),
    *("head_dim", "heads", "kv_heads", "kv_length", "relative_positions", "window"),
    *("downscale_factor", "max_length", "num_groups", "tokens", "upscale_factor"),
    *("end", "experts", "pad", "proj_size", "scale_factor", "shape", "size", "sizes", "start"),
    *("step", "times", "top_k", "num_parameters"),
}
"""Fields that need not be known for the structure."""


class Symbols:
    """Writes numbers as symbols, each its own, and remembers their values.

    A 1 stays a number: whether a symbol's extent is broadcast cannot be known.

    Attributes:
        random: what draws the fields that become symbols.
        turns: whether the number of turns of a repeat may be one.
        values: symbol → number.
    """

    def __init__(self, random: Random, *, turns: bool) -> None:
        self.random = random
        self.turns = turns
        self.values: dict[str, int] = {}

    def number(self, value: Any) -> Any:
        """A symbol for a number, or for each of a list."""
        if isinstance(value, list):
            return [self.number(item) for item in value]
        if not isinstance(value, int) or value < 2:
            return value
        name = f"s{len(self.values)}"
        self.values[name] = value
        return name

    def inside(self, value: Any) -> Any:
        """The same data with symbols in some fields."""
        if isinstance(value, list):
            return [self.inside(item) for item in value]
        if not isinstance(value, dict):
            return value
        known = {"times"} if "index" in value or not self.turns else set()
        return {
            key: self.number(item) if self.becomes(key, known) else self.inside(item)
            for key, item in value.items()
        }

    def becomes(self, field: str, known: set[str]) -> bool:
        return field in SYMBOLIC - known and self.random.random() < 0.5


def with_symbols(spec: Spec, random: Random, *, turns: bool = True) -> Spec:
    """A network with symbols for the sizes of its input and for some of its fields."""
    symbols = Symbols(random, turns=turns)
    given = spec["input"]
    named = isinstance(given, dict)
    shapes = {k: symbols.number(v) for k, v in given.items()} if named else symbols.number(given)
    parts = {key: symbols.inside(spec[key]) for key in ("blocks", "layers")}
    return spec | {"symbols": symbols.values, "input": shapes} | parts


if __name__ == "__main__":
    drawn: Counter[str] = Counter()
    for number in range(int(sys.argv[1])):
        drawn += used(draw_network(number))
    for kind, times in drawn.most_common():
        print(f"{times:6} {kind}")
