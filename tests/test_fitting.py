"""Networks of one factory become one spec; its formulas hold where nobody looked for them."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from archspec import SpecError, build_graph, load
from archspec.importers.calls import LayerCall as Call
from archspec.importers.calls import Size
from archspec.importers.calls import SourceModule as Module
from archspec.importers.calls import SourceNetwork as Network
from archspec.importers.folding.writing import write_fitted
from archspec.importers.source import Imported
from archspec.importers.source import SourceCounts as Counts
from costmodel import analyze
from costmodel.studies.imports import compared

Layer = tuple[str, Mapping[str, Any], int]
"""A layer's kind, its fields, and its parameters as counted by hand."""


def chain(layers: list[tuple[Layer, str]], inputs: int = 3) -> Network:
    """A network of layers, each on what the one before leaves, with the module it stands in."""
    calls, latest = [], "x"
    for i, ((kind, fields, params), module) in enumerate(layers):
        name = f"call{i}"
        modules = (
            Module("", "Net"),
            Module(module, "Block"),
            Module(f"{module}.{i}", kind),
        )
        calls.append(Call(name, kind, fields, (latest,), modules, name if params else ""))
        latest = name
    image = (Size("n"), inputs, Size("h"), Size("w"))
    return Network(
        "Net", "by hand", {"n": 1, "h": 32, "w": 32}, {"x": image}, tuple(calls), (latest,)
    )


def conv(before: int, channels: int, groups: int = 1, kernel: int = 1) -> Layer:
    fields = {"out_channels": channels, "kernel_size": kernel, "groups": groups, "bias": False}
    return "conv2d", fields, channels * before * kernel**2 // groups


def make_divisible(value: float, divisor: int = 8) -> int:
    """The published code of MobileNet, as torchvision has it."""
    new = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return new + divisor if new < 0.9 * value else new


def mobile(width: float) -> list[tuple[Layer, str]]:
    """Inverted residuals of MobileNetV2's table, without the residuals."""
    before = make_divisible(32 * width)
    layers = [(conv(3, before, kernel=3), "stem")]
    for i, (expand, channels) in enumerate([(1, 16), (6, 24), (6, 32), (6, 64), (6, 96), (6, 160)]):
        after, hidden = make_divisible(channels * width), round(before * expand)
        body = [conv(before, hidden), conv(hidden, hidden, hidden, 3), conv(hidden, after)]
        layers += [(each, f"stages.{i}") for each in body]
        before = after
    return [*layers, (conv(before, make_divisible(1280 * max(1.0, width))), "head")]


def floors(width: float) -> list[tuple[Layer, str]]:
    channels = [int(48 * width), max(1, int(20 * width)), 4 * int(48 * width)]
    return [
        (conv(before, after), f"part{i}")
        for i, (before, after) in enumerate(zip([3, *channels], channels, strict=False))
    ]


def encoder(layers: int, hidden: int) -> list[tuple[Layer, str]]:
    """Feed-forward blocks, as many as asked for, and a head that counts them."""
    fold = [(conv(hidden, 4 * hidden), conv(4 * hidden, hidden))] * layers
    blocks = [(each, f"blocks.{i}") for i, pair in enumerate(fold) for each in pair]
    return [(conv(3, hidden), "stem"), *blocks, (conv(hidden, 10 * layers), "head")]


def params(layers: list[tuple[Layer, str]]) -> int:
    return sum(params for (_, _, params), _ in layers)


def agree(
    factory: Callable[..., list[tuple[Layer, str]]],
    vary: Mapping[str, list[Any]],
    points: list[dict[str, Any]],
) -> str:
    """The spec of a factory, when its parameters are those of the layers at many points."""
    text, names = write_fitted(lambda given: chain(factory(**given)), vary)
    assert {*names} == {node.path for node in build_graph(load(text)).nodes}
    analysis = analyze(text, convention="torch")
    for point in points:
        assert analysis.at(**point).params == params(factory(**point)), point
    return text


def test_widths_that_are_rounded_to_multiples() -> None:
    draw = random.Random(16)
    points = [{"width": draw.randrange(50, 140) / 100} for _ in range(20)]
    text = agree(mobile, {"width": [0.5, 0.75, 1.4, 1.0]}, points)
    assert "round_to(32*width, 8)" in text
    assert "round_to(1280*max(1, width), 8)" in text
    assert "width: {default: 1, domain: real, min: 0.5, max: 1.76}" in text


def test_widths_that_are_cut_off() -> None:
    points = [{"width": each} for each in (0.53, 0.77, 0.9)]
    text = agree(floors, {"width": [0.5, 0.75, 1.0]}, points)
    assert "floor(48*width)" in text
    assert "4*floor(48*width)" in text


def test_depth_becomes_how_often_a_block_stands() -> None:
    points = [{"layers": layers} for layers in (6, 9, 31)]
    text = agree(lambda layers: encoder(layers, 64), {"layers": [6, 12]}, points)
    assert "times: layers" in text
    assert "out_channels: 10*layers" in text
    assert "formulas found at 6, 9, 12, 18; verified at 7, 13" in text


def test_a_part_that_stands_once_is_no_repeat_and_yet_the_formula_holds() -> None:
    points = [{"layers": layers} for layers in (1, 2, 9)]
    text = agree(lambda layers: encoder(layers, 64), {"layers": [1, 2, 4]}, points)
    assert "times: layers" in text
    assert "layers: {default: 4, min: 1}" in text


def test_depth_and_width_together() -> None:
    points = [{"layers": layers, "hidden": hidden} for layers, hidden in ((7, 40), (20, 96))]
    text = agree(encoder, {"layers": [6, 12], "hidden": [32, 64]}, points)
    assert "times: layers" in text
    assert "out_channels: 4*hidden" in text


def heads(width: int) -> list[tuple[Layer, str]]:
    """Heads that move into the batch and out again, as `nn.MultiheadAttention` does it."""
    apart = ("reshape", {"shape": (Size(f"{width // 8}*in_shape[0]"), 8, 32, 32)}, 0)
    together = ("reshape", {"shape": (Size(f"in_shape[0]//{width // 8}"), width, 32, 32)}, 0)
    layers = (conv(3, width), apart, together, conv(width, width))
    return [(layer, "heads") for layer in layers]


def test_numbers_within_sizes() -> None:
    text = agree(heads, {"width": [16, 32]}, [{"width": width} for width in (24, 64)])
    assert "(width//8)*in_shape[0]" in text
    assert "in_shape[0]//(width//8)" in text


def odd(width: int) -> list[tuple[Layer, str]]:
    return [(conv(3, {4: 5, 8: 77}.get(width, width**3 % 11 + 1)), "part")]


def longer(width: int) -> list[tuple[Layer, str]]:
    return [(conv(3, 8), "a"), *[(("relu", {}, 0), "b")] * (width % 2)]


@pytest.mark.parametrize(
    ("factory", "values", "words"),
    [
        (
            odd,
            [4, 8],
            r"part\.0: conv2d\.out_channels: no formula that is known gives 5 at width = 4",
        ),
        (
            longer,
            [4, 8],
            "width = 8 and 5 differ in more than numbers and in how often a part stands",
        ),
        (mobile, [1], "--vary width has one value"),
        (mobile, [1, "wide"], "--vary width: 'wide' is no number"),
        (mobile, [1.0, float("nan")], "--vary width: nan is no number"),
        (mobile, [1, 0], "--vary width: 0 is not positive"),
    ],
)
def test_what_no_formula_says(factory: Any, values: list[Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        write_fitted(lambda given: chain(factory(**given)), {"width": values})


def test_values_that_make_no_network_are_not_tried() -> None:
    def make(given: Mapping[str, Any]) -> Network:
        if given["layers"] % 2:
            raise SpecError("an odd number of layers")
        return chain(encoder(given["layers"], 8))

    text, _ = write_fitted(make, {"layers": [4, 8]})
    assert "times: layers" in text
    with pytest.raises(SpecError, match="an odd number"):
        write_fitted(make, {"layers": [4, 5]})


def test_counts_are_compared_at_other_widths() -> None:
    text, names = write_fitted(
        lambda given: chain(mobile(given["width"])), {"width": [0.5, 0.75, 1.0]}
    )

    def measure(values: Mapping[str, Any]) -> Counts:
        widths.append(values["width"])
        return Counts(params(mobile(values["width"])))

    widths: list[float] = []
    document = compared("net", Imported(text, measure, names))
    assert document.holds
    assert len({*widths}) == 3
    assert document.data()["names"]["block_1/conv2d_1"].startswith("stages.0")
