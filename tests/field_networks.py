"""Random networks of layers that move, widen and resample places, for tests of receptive fields.

A network is a list of operations, each with its numbers for every spatial axis. It is written as a
spec, and read as the set of input places that an output place depends on, on an axis without ends:
what `costmodel` says of it is compared with that set, and with PyTorch's gradients.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from math import ceil, floor
from random import Random
from typing import NamedTuple

Sources = Callable[[int], frozenset[int]]
"""Which places of the input a place of the output depends on."""


@dataclass(frozen=True)
class Op:
    """An operation: its numbers for each axis, and for some the bodies that it runs."""

    kind: str
    numbers: tuple[dict[str, int], ...] = ()
    mode: str = ""
    bodies: tuple[tuple["Op", ...], ...] = field(default=())


Net = tuple[Op, ...]

SAMPLED = {1: "linear", 2: "bilinear"}


def drawn(random: Random, rank: int, most: int) -> Net:
    """Return a random network of up to so many operations in a row."""
    return tuple(
        op for _ in range(random.randint(1, most)) for op in random.choice(_PARTS)(random, rank)
    )


def _op(kind: str, rank: int, draw: Callable[[], dict[str, int]], mode: str = "") -> Op:
    return Op(kind, tuple(draw() for _ in range(rank)), mode)


def _window(random: Random, rank: int) -> list[Op]:
    def draw() -> dict[str, int]:
        k, s, d = random.randint(1, 4), random.choice((1, 1, 2, 3)), random.choice((1, 1, 2))
        return {"k": k, "s": s, "d": d, "p": random.randint(0, 2)}

    return [_op("conv", rank, draw)]


def _pool(random: Random, rank: int) -> list[Op]:
    def draw() -> dict[str, int]:
        k = random.randint(1, 4)
        return {"k": k, "s": random.randint(1, 3), "d": 1, "p": random.randint(0, k // 2)}

    return [_op("avgpool", rank, draw)]


def _same(random: Random, rank: int) -> list[Op]:
    """A convolution that keeps the shape."""

    def draw() -> dict[str, int]:
        reach, d = random.randint(0, 2), random.randint(1, 2)
        return {"k": 2 * reach + 1, "s": 1, "d": d, "p": reach * d}

    return [_op("conv", rank, draw)]


def _causal(random: Random, rank: int) -> list[Op]:
    """Padding before or after, then a convolution that takes as much away."""
    k = [random.randint(1, 3) for _ in range(rank)]
    d = [random.randint(1, 2) for _ in range(rank)]
    pads = []
    for own, far in zip(k, d, strict=True):
        before = random.randint(0, (own - 1) * far)
        pads.append({"before": before, "after": (own - 1) * far - before})
    windows = tuple({"k": a, "s": 1, "d": b, "p": 0} for a, b in zip(k, d, strict=True))
    return [Op("pad", tuple(pads)), Op("conv", windows)]


def _pad(random: Random, rank: int) -> list[Op]:
    def draw() -> dict[str, int]:
        return {"before": random.randint(-2, 3), "after": random.randint(-2, 3)}

    return [_op("pad", rank, draw)]


def _slice(random: Random, rank: int) -> list[Op]:
    return [
        _op("slice", rank, lambda: {"start": random.randint(0, 3), "step": random.randint(1, 3)})
    ]


def _crop(random: Random, rank: int) -> list[Op]:
    return [_op("crop", rank, lambda: {"by": random.randint(0, 5)})]


def _up(random: Random, rank: int) -> list[Op]:
    mode = random.choice(("nearest", "nearest", SAMPLED[rank], "area"))
    return [_op("upsample", rank, lambda: {"f": random.randint(1, 3)}, mode)]


def _transposed(random: Random, rank: int) -> list[Op]:
    def draw() -> dict[str, int]:
        s = random.randint(1, 3)
        d = random.randint(1, 2) if s == 1 else 1
        return {"k": random.randint(s, s + 3), "s": s, "d": d, "p": random.randint(0, 1)}

    return [_op("conv_transpose", rank, draw)]


def _there_and_back(random: Random, rank: int) -> list[Op]:
    """A map that is made smaller, worked on, and made as large again."""
    f = random.randint(2, 3)
    down = random.choice(
        (
            _op("avgpool", rank, lambda: {"k": f, "s": f, "d": 1, "p": 0}),
            _op("conv", rank, lambda: {"k": f + 2, "s": f, "d": 1, "p": 1}),
        )
    )
    up = random.choice(
        (
            _op("upsample", rank, lambda: {"f": f}, "nearest"),
            _op("upsample", rank, lambda: {"f": f}, SAMPLED[rank]),
            _op("conv_transpose", rank, lambda: {"k": f, "s": f, "d": 1, "p": 0}),
            _op("conv_transpose", rank, lambda: {"k": f + 2, "s": f, "d": 1, "p": 1}),
        )
    )
    return [down, *_keeping(random, rank), up]


def _keeping(random: Random, rank: int, depth: int = 2) -> list[Op]:
    """Operations that keep the shape."""
    parts = [_same, _causal]
    if depth:
        parts += [_there_and_back, _residual]
    found: list[Op] = []
    for _ in range(random.randint(1, 2)):
        found += random.choice(parts)(random, rank)
    return found


def _residual(random: Random, rank: int) -> list[Op]:
    return [Op("residual", bodies=(tuple(_keeping(random, rank, 0)),))]


def _deep_residual(random: Random, rank: int) -> list[Op]:
    return [Op("residual", bodies=(tuple(_keeping(random, rank)),))]


def _parallel(random: Random, rank: int) -> list[Op]:
    bodies = tuple(tuple(_keeping(random, rank)) for _ in range(random.randint(2, 3)))
    return [Op("parallel", bodies=bodies, mode=random.choice(("add", "concat")))]


def _repeat(random: Random, rank: int) -> list[Op]:
    body = tuple(_keeping(random, rank, 1))
    return [Op("repeat", ({"times": random.randint(0, 5)},), random.choice(("", "L")), (body,))]


_PARTS = (
    *(_window, _pool, _same, _causal, _pad, _slice, _crop, _up, _transposed),
    *(_deep_residual, _parallel, _repeat),
)


def spec_of(net: Net, sizes: Sequence[int]) -> str:
    """Return a network as a spec that ends in a layer which sees no more, called ``last``.

    The repeats that say so have a symbol for their turns.
    """
    rank = len(sizes)
    symbols: dict[str, int] = {}
    last = f"{{conv{rank}d: {{out_channels: 2, kernel_size: 1}}, name: last}}"
    layers = ", ".join([*(_written(op, rank, symbols) for op in net), last])
    declared = ", ".join(f"{name}: {value}" for name, value in symbols.items())
    shape = ", ".join(map(str, (1, 2, *sizes)))
    head = f"symbols: {{{declared}}}\n" if declared else ""
    return f"archspec: 1\nname: net\n{head}input: [{shape}]\nlayers: [{layers}]\n"


def _written(op: Op, rank: int, symbols: dict[str, int]) -> str:
    bodies = [", ".join(_written(each, rank, symbols) for each in body) for body in op.bodies]
    if op.kind == "residual":
        return f"{{residual: [{bodies[0]}]}}"
    if op.kind == "parallel":
        inside = ", ".join(f"[{body}]" for body in bodies)
        return f"{{parallel: {{merge: {op.mode}, branches: [{inside}]}}}}"
    if op.kind == "repeat":
        times = str(op.numbers[0]["times"])
        if op.mode:
            name = f"L{len(symbols)}"
            symbols[name] = op.numbers[0]["times"] + 1
            times = f"{name} - 1"
        return f"{{repeat: {{times: {times}, layers: [{bodies[0]}]}}}}"
    return _written_layer(op, rank)


def _written_layer(op: Op, rank: int) -> str:
    def every(name: str) -> str:
        return f"[{', '.join(str(each[name]) for each in op.numbers)}]"

    window = {"kernel_size": "k", "stride": "s", "padding": "p", "dilation": "d"}
    match op.kind:
        case "conv" | "conv_transpose":
            fields = ", ".join(f"{name}: {every(key)}" for name, key in window.items())
            return f"{{{op.kind}{rank}d: {{out_channels: 2, {fields}}}}}"
        case "avgpool":
            fields = ", ".join(f"{name}: {every(key)}" for name, key in list(window.items())[:3])
            return f"{{avgpool{rank}d: {{{fields}}}}}"
        case "pad":
            sides = (
                str(each[name]) for each in reversed(op.numbers) for name in ("before", "after")
            )
            return f"{{pad: {{pad: [{', '.join(sides)}]}}}}"
        case "slice":
            return ", ".join(
                f"{{slice: {{dim: {i}, start: {each['start']}, step: {each['step']}}}}}"
                for i, each in enumerate(op.numbers, 2)
            )
        case "crop":
            kept = (f"'in_shape[{i}] - {each['by']}'" for i, each in enumerate(op.numbers, 2))
            return f"{{crop: {{size: [{', '.join(kept)}]}}}}"
        case _:
            return f"{{upsample: {{scale_factor: {every('f')}, mode: {op.mode}}}}}"


class Seen(NamedTuple):
    """What an output sees: elements, their shift per output, how many before the first."""

    size: int
    stride: Fraction
    padding: int


LONG = 144
"""The places over which a period is looked for."""


def seen_of(sources: Sources) -> Seen:
    """Return what outputs see, over a period after which they see the same further on."""
    for period in sorted(2**i * 3**j for i in range(6) for j in range(4) if 2**i * 3**j <= LONG):
        shifts = {_shift(sources(y), sources(y + period)) for y in range(LONG)}
        if len(shifts) == 1 and None not in shifts:
            fields = [sources(y) for y in range(period)]
            size = max(max(field) - min(field) + 1 for field in fields)
            return Seen(size, Fraction(shifts.pop() or 0, period), -min(fields[0]))
    raise AssertionError("no period was found")


def _shift(one: frozenset[int], other: frozenset[int]) -> int | None:
    """By how much one set is the other moved on."""
    shift = min(other) - min(one)
    return shift if {place + shift for place in one} == other else None


def sources_of(net: Net, axis: int) -> Sources:
    """Return which places of the network's input an output place depends on, on an axis."""
    chain = [_sources(op, axis) for op in net]

    @cache
    def seen(place: int) -> frozenset[int]:
        places = frozenset({place})
        for sources in reversed(chain):
            places = frozenset().union(*map(sources, places))
        return places

    return seen


def _sources(op: Op, axis: int) -> Sources:
    match op.kind:
        case "residual":
            body = sources_of(op.bodies[0], axis)
            return lambda y: body(y) | {y}
        case "parallel":
            bodies = [sources_of(body, axis) for body in op.bodies]
            return lambda y: frozenset().union(*(body(y) for body in bodies))
        case "repeat":
            return sources_of(op.bodies[0] * op.numbers[0]["times"], axis)
    return cache(lambda y: frozenset(_READS[op.kind](y, op.mode, **op.numbers[axis])))


def _slid(y: int, _: str, k: int, s: int, d: int, p: int) -> set[int]:
    return {s * y + d * tap - p for tap in range(k)}


def _spread(y: int, _: str, k: int, s: int, d: int, p: int) -> set[int]:
    """An input i writes the outputs ``s·i + d·tap − p``."""
    ends = (y + p - d * tap for tap in range(k))
    return {end // s for end in ends if end % s == 0}


def _resampled(y: int, mode: str, f: int) -> set[int]:
    """PyTorch: nearest and area are ``y//f``; linear lies between two, or on one."""
    if mode in ("nearest", "area"):
        return {y // f}
    place = (y + Fraction(1, 2)) / f - Fraction(1, 2)
    return {floor(place), ceil(place)}


_READS: dict[str, Callable[..., set[int]]] = {
    "conv": _slid,
    "avgpool": _slid,
    "conv_transpose": _spread,
    "pad": lambda y, _, before, after: {y - before},  # noqa: ARG005
    "slice": lambda y, _, start, step: {step * y + start},
    "crop": lambda y, _, by: {y + by // 2},
    "upsample": _resampled,
}
