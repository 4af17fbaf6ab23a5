"""Receptive fields against PyTorch: which inputs have a gradient, all weights being positive.

300 random networks, ``ARCHCOST_FIELD_COUNT=1000`` takes more. A place counts where the gradient of
one output place is not 0, in float64; the field is the largest number of elements from the first to
the last of them, over places in the middle of the map.
"""

import os
from collections.abc import Iterator
from math import prod
from random import Random

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[parity]'")

from torch import Tensor
from torch.nn import functional

from archspec import SpecError
from costmodel.algebra.places import Span
from tests.field_networks import Net, Op, drawn, spec_of
from tests.test_reach import read

COUNT = int(os.environ.get("ARCHCOST_FIELD_COUNT", "300"))
CHUNK = 30
LENGTH = {1: 216, 2: 60}
"""Elements of an axis of the input."""

PLACES = {1: 48, 2: 12}
"""The most places of the output that are looked at."""


def run(net: Net, x: Tensor) -> Tensor:
    """What a network makes of an input."""
    for op in net:
        x = _applied(op, x)
    return x


def _applied(op: Op, x: Tensor) -> Tensor:
    match op.kind:
        case "residual":
            return x + run(op.bodies[0], x)
        case "parallel":
            made = [run(body, x) for body in op.bodies]
            return torch.cat(made, 1) if op.mode == "concat" else sum(made[1:], made[0])
        case "repeat":
            return run(op.bodies[0] * op.numbers[0]["times"], x)
        case "pad":
            sides = [each[name] for each in reversed(op.numbers) for name in ("before", "after")]
            return functional.pad(x, sides)
        case "slice":
            return x[(..., *(slice(each["start"], None, each["step"]) for each in op.numbers))]
        case "crop":
            pairs = zip(x.shape[2:], (each["by"] for each in op.numbers), strict=True)
            return x[(..., *(slice(by // 2, by // 2 + size - by) for size, by in pairs))]
        case "upsample":
            factors = [float(each["f"]) for each in op.numbers]
            return functional.interpolate(x, scale_factor=factors, mode=op.mode)
    return _windowed(op, x)


def _windowed(op: Op, x: Tensor) -> Tensor:
    rank = len(op.numbers)
    k, s, d, p = (tuple(each[name] for each in op.numbers) for name in "ksdp")
    if op.kind == "avgpool":
        pool = functional.avg_pool1d if rank == 1 else functional.avg_pool2d
        return pool(x, k, s, p)
    if op.kind == "conv":
        conv = functional.conv1d if rank == 1 else functional.conv2d
        return conv(x, torch.ones(2, x.shape[1], *k), stride=s, padding=p, dilation=d)
    spread = functional.conv_transpose1d if rank == 1 else functional.conv_transpose2d
    return spread(x, torch.ones(x.shape[1], 2, *k), stride=s, padding=p, dilation=d)


def touched(net: Net, rank: int, axis: int) -> dict[int, tuple[int, int]]:
    """Places in the middle of an output's axis → the first and last place of the input they see.

    Each runs in an element of a batch of its own; on the other axis the middle place is taken.
    """
    shape = run(net, torch.ones(1, 2, *[LENGTH[rank]] * rank)).shape[2:]
    count = min(PLACES[rank], shape[axis])
    first = (shape[axis] - count) // 2
    x = torch.ones(count, 2, *[LENGTH[rank]] * rank, requires_grad=True)
    index = [torch.full((count,), size // 2) for size in shape]
    index[axis] = torch.arange(first, first + count)
    made = run(net, x)
    made[(torch.arange(count), slice(None), *index)].sum().backward()
    others = [i for i in range(1, rank + 2) if i != axis + 2]
    seen = (x.grad != 0).any(dim=tuple(others) if others else 1)
    found, margin = {}, LENGTH[rank] // 6  # of what is cut off inside, too
    for i, row in enumerate(seen):
        places = row.nonzero().flatten().tolist()
        if places and margin < places[0] and places[-1] < LENGTH[rank] - 1 - margin:
            found[first + i] = (places[0], places[-1])
    return found


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    """All numbers are float64, as sums of positive numbers that none of is lost in."""
    before, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    yield
    torch.set_default_dtype(before)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("start", range(0, COUNT, CHUNK))
def test_fields_are_where_gradients_are(start: int) -> None:
    compared, seeds = 0, iter(range(start * 1000, start * 1000 + 40 * CHUNK))
    while compared < CHUNK:
        seed = next(seeds)
        random = Random(seed)
        rank = random.choice((1, 1, 1, 1, 2))
        net = drawn(random, rank, 4 - rank)
        compared += _is_compared(net, rank, seed)


def _is_compared(net: Net, rank: int, seed: int) -> bool:
    """Whether fields were compared: not of a draw that makes no network, or too large fields."""
    text = spec_of(net, [LENGTH[rank]] * rank)
    try:
        analysis = read(text)
        if analysis.none_of("receptive_field"):
            header = analysis.architecture.header
            analysis = read(text, **{name: int(v) for name, v in header.defaults.items()})
    except SpecError:
        return False
    (reach,) = analysis.fields.by_layer["last"]
    for axis in range(rank):
        span = next(v.seen for source, v in reach.items() if source.axis == axis + 2)
        assert isinstance(span, Span), (seed, text)
        size, stride, padding = map(analysis.evaluator, (span.size, span.stride, span.padding))
        if size > LENGTH[rank] // 3 or _period(net, axis) > PLACES[rank]:
            return False
        found = touched(net, rank, axis)
        period = _period(net, axis)
        if len(found) < period:
            return False
        assert max(b - a + 1 for a, b in found.values()) == size, (seed, axis, text)
        for place, (begin, _) in found.items():
            if place % period == 0:
                assert begin == stride * place - padding, (seed, axis, text)
    return True


def _period(net: Net, axis: int) -> int:
    """So many places further on an output sees the same again: the product of all factors."""
    factors = [
        op.numbers[axis]["f" if op.kind == "upsample" else "s"]
        for op in net
        if op.kind in ("upsample", "conv_transpose")
    ]
    inside = [
        prod(_period(body, axis) for body in op.bodies)
        ** (op.numbers[0]["times"] if op.kind == "repeat" else 1)
        for op in net
    ]
    return prod((*factors, *inside))
