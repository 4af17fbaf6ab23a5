"""Several tensors through blocks, repeats and tables; shared weights; networks in networks."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from archspec.errors import SpecError
from costmodel import analyze
from costmodel.analysis.analysis import Analysis

HEAD = "archspec: 1\nname: T\n"


def counted(module: nn.Module, *shapes: Sequence[int]) -> tuple[int, int]:
    """The parameters and the MACs of a module, as PyTorch counts them."""
    counter = FlopCounterMode(display=False)
    with counter:
        module(*(torch.empty(*shape, device="meta") for shape in shapes))
    return sum(p.numel() for p in module.parameters()), counter.get_total_flops() // 2


def counts(analysis: Analysis) -> tuple[int, int]:
    """The same, as the analysis counts them."""
    return int(analysis.value("params")), int(analysis.value("macs"))


def spec(text: str, given: str = "input: [1, 3, 32, 32]\n") -> Analysis:
    return analyze(HEAD + given + text)


def error_of(text: str, given: str = "input: [1, 3, 32, 32]\n") -> SpecError:
    with pytest.raises(SpecError, match=r".") as caught:
        spec(text, given)
    return caught.value


# HRNet, written in PyTorch once more.


def conv_bn(i: int, o: int, k: int = 3, s: int = 1, *, relu: bool = True, bias: bool = False):
    layers = [nn.Conv2d(i, o, k, s, k // 2, bias=bias), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, *([nn.ReLU()] if relu else []))


class Residual(nn.Module):
    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


def basic(c: int) -> nn.Module:
    return Residual(nn.Sequential(conv_bn(c, c), conv_bn(c, c, relu=False)))


def bottleneck(i: int, c: int) -> nn.Module:
    body = conv_bn(i, c, 1), conv_bn(c, c), conv_bn(c, 4 * c, 1, relu=False)
    shortcut = None if i == 4 * c else conv_bn(i, 4 * c, 1, relu=False)
    return Residual(nn.Sequential(*body), shortcut)


class Module(nn.Module):
    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        blocks = ([basic(c) for _ in range(4)] for c in widths)
        self.branches = nn.ModuleList(nn.Sequential(*each) for each in blocks)
        fuse = [[self.path(widths, j, i) for j in range(len(widths))] for i in range(len(widths))]
        self.fuse = nn.ModuleList(map(nn.ModuleList, fuse))

    @staticmethod
    def path(widths: list[int], j: int, i: int) -> nn.Module:
        if j > i:
            up = nn.Upsample(scale_factor=2 ** (j - i))
            return nn.Sequential(conv_bn(widths[j], widths[i], 1, relu=False), up)
        steps = [conv_bn(widths[j], widths[j], s=2) for _ in range(i - j - 1)]
        last = [conv_bn(widths[j], widths[i], s=2, relu=False)] if j < i else []
        return nn.Sequential(*steps, *last)

    def forward(self, *xs: Tensor) -> list[Tensor]:
        ys = [branch(x) for branch, x in zip(self.branches, xs, strict=True)]
        heard = ([f(y) for f, y in zip(row, ys, strict=True)] for row in self.fuse)  # type: ignore[arg-type]
        return [torch.relu(torch.stack(each).sum(0)) for each in heard]


class HRNet(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        stem = [bottleneck(64, 64), *(bottleneck(256, 64) for _ in range(3))]
        self.stem = nn.Sequential(conv_bn(3, 64, s=2), conv_bn(64, 64, s=2), *stem)
        self.first = nn.ModuleList([conv_bn(256, c), conv_bn(256, 2 * c, s=2)])
        w = [c, 2 * c, 4 * c, 8 * c]
        self.two = Module(w[:2])
        self.more = nn.ModuleList([conv_bn(w[1], w[2], s=2), conv_bn(w[2], w[3], s=2)])
        self.three = nn.ModuleList(Module(w[:3]) for _ in range(4))
        self.four = nn.ModuleList(Module(w) for _ in range(3))
        self.raised = nn.ModuleList(bottleneck(a, 32 * 2**i) for i, a in enumerate(w))
        downs = pairwise([128, 256, 512, 1024])
        self.downs = nn.ModuleList(conv_bn(a, b, s=2, bias=True) for a, b in downs)
        self.last = conv_bn(1024, 2048, 1, bias=True)
        self.classes = nn.Linear(2048, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        xs = self.two(*(first(x) for first in self.first))
        for more, modules in zip(self.more, (self.three, self.four), strict=True):
            xs = [*xs, more(xs[-1])]
            for module in modules:  # type: ignore[attr-defined]
                xs = module(*xs)
        y, *rest = (raised(x) for raised, x in zip(self.raised, xs, strict=True))
        for down, each in zip(self.downs, rest, strict=True):
            y = down(y) + each
        return self.classes(self.last(y).mean((2, 3)))


@pytest.mark.parametrize("width", [18, 32, 48])
def test_hrnet_is_pytorch_s(width: int) -> None:
    with torch.device("meta"):
        module = HRNet(width)
    assert counts(analyze(f"hrnet_w{width}")) == counted(module, (1, 3, 224, 224))


# How names stand for tensors.

THREE = """
blocks:
  three:
    parameters: {c: }
    layers:
      - conv2d: {out_channels: c, kernel_size: 1}
        name: a
      - conv2d: {out_channels: 2*c, kernel_size: 1}
        name: b
      - conv2d: {out_channels: 3*c, kernel_size: 1}
        name: d
    outputs: %s
layers:
  - three: {c: 4}
    name: t
"""

READS = {
    "t.a": 4,
    "t.1": 8,
    "t.d": 12,
    "t[2]": 12,
    "t[-2]": 8,
    "t[1 + 1]": 12,
    "reversed(t)[0]": 12,
    "[t.*]": 24,
    "[reversed(t), t.a]": 28,
}


@pytest.mark.parametrize("read", READS)
def test_a_reference_is_the_tensor_it_names(read: str) -> None:
    text = THREE % "[a, b, d]" + f"  - concat:\n    from: {read}\n"
    if not read.startswith("["):
        text = text.replace("concat", "identity")
    assert spec(text).layers[-1].output[1] == READS[read]


SIZES = {
    "shape(t.b)[1]": 8,
    "shape(t[2])[1] + 1": 13,
    "shape(t.0)[-1]": 32,
    "len(t)": 3,
    "len(t.*) + in_channels": 7,
}


@pytest.mark.parametrize("size", SIZES)
def test_sizes_of_named_tensors(size: str) -> None:
    conv = f"  - {{conv2d: {{out_channels: '{size}', kernel_size: 1}}, from: t.0}}\n"
    assert spec(THREE % "[a, b, d]" + conv).layers[-1].output[1] == SIZES[size]


def test_outputs_may_have_names_of_their_own() -> None:
    analysis = spec(THREE % "{last: d, first: a}" + "  - {identity: , from: t.last}\n")
    assert analysis.layers[-1].output[1] == 12


def test_a_list_of_numbers_has_a_length_and_a_reverse() -> None:
    text = (
        "let: {widths: [4, 8, 16]}\nlayers:\n  - foreach:\n      columns: {c: reversed(widths)}\n"
    )
    text += "      layers: [conv2d: {out_channels: c + len(widths), kernel_size: 1}]\n"
    assert [layer.output[1] for layer in spec(text).layers] == [19, 11, 7]


# A path of skips: U-Net.

UNET = """
blocks:
  double:
    parameters: {c: }
    layers:
      - repeat:
          times: 2
          layers: [conv2d: {out_channels: c, kernel_size: 3, padding: 1}, relu: ]
let: {widths: [8, 16, 32]}
layers:
  - foreach:
      columns: {c: widths}
      index: i
      layers:
        - {maxpool2d: {kernel_size: 2}, when: i > 0}
        - double: {c: c}
    name: down
  - maxpool2d: {kernel_size: 2}
  - double: {c: 64}
  - foreach:
      columns: {c: reversed(widths)}
      tensors: {skip: reversed(down)}
      layers:
        - conv_transpose2d: {out_channels: c, kernel_size: 2, stride: 2}
        - {concat: , from: [skip, previous]}
        - double: {c: c}
"""


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        widths = [3, 8, 16, 32, 64]
        self.down = nn.ModuleList(self.double(i, o) for i, o in pairwise(widths))
        ups = [*pairwise(widths[:0:-1])]
        self.up = nn.ModuleList(nn.ConvTranspose2d(i, o, 2, 2) for i, o in ups)
        self.joined = nn.ModuleList(self.double(2 * o, o) for _, o in ups)

    @staticmethod
    def double(i: int, o: int) -> nn.Module:
        first, second = nn.Conv2d(i, o, 3, padding=1), nn.Conv2d(o, o, 3, padding=1)
        return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for i, block in enumerate(self.down):
            x = block(nn.functional.max_pool2d(x, 2) if i else x)
            skips.append(x)
        for up, joined, skip in zip(self.up, self.joined, skips[-2::-1], strict=True):
            x = joined(torch.cat([skip, up(x)], 1))
        return x


def test_skips_are_a_list() -> None:
    with torch.device("meta"):
        module = UNet()
    assert counts(spec(UNET)) == counted(module, (1, 3, 32, 32))


# BiFPN: a repeat that carries as many tensors as there are levels.

BIFPN = """
blocks:
  mix:
    parameters: {c: }
    layers:
      - conv2d: {out_channels: c, kernel_size: 3, padding: 1, groups: c, bias: false}
      - conv2d: {out_channels: c, kernel_size: 1}
      - batchnorm
  bifpn:
    inputs: [xs*]
    parameters: {c: }
    layers:
      - foreach:
          tensors: {x: reversed(xs)}
          index: i
          layers:
            - {upsample: {like: x}, name: coarser, when: i > 0}
            - {identity: , from: x, when: i == 0}
            - {add: , from: [x, coarser], when: i > 0}
            - {mix: {c: c}, when: i > 0}
        name: down
      - foreach:
          tensors: {x: xs, y: reversed(down)}
          index: i
          layers:
            - {maxpool2d: {kernel_size: 3, stride: 2, padding: 1}, name: finer, when: i > 0}
            - {identity: , from: y, when: i == 0}
            - {add: , from: [x, y, finer], when: 0 < i and i < len(xs) - 1}
            - {add: , from: [x, finer], when: i == len(xs) - 1}
            - {mix: {c: c}, when: i > 0}
        name: up
    outputs: [up.*]
layers:
  - repeat: {times: 3, layers: [bifpn: {c: 8}]}
    from: [a, b, d]
    name: neck
outputs: [neck.*]
"""
LEVELS = "input: {a: [1, 8, 33, 33], b: [1, 8, 17, 17], d: [1, 8, 9, 9]}\n"


class BiFPN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mixes = nn.ModuleList(self.mix(8) for _ in range(3 * 4))

    @staticmethod
    def mix(c: int) -> nn.Module:
        depthwise = nn.Conv2d(c, c, 3, padding=1, groups=c, bias=False)
        return nn.Sequential(depthwise, nn.Conv2d(c, c, 1), nn.BatchNorm2d(c))

    def forward(self, *xs: Tensor) -> Sequence[Tensor]:
        mixes = iter(self.mixes)
        for _ in range(3):
            downs = [xs[-1]]
            for x in xs[-2::-1]:
                up = nn.functional.interpolate(downs[-1], size=x.shape[2:])
                downs.append(next(mixes)(x + up))
            ups = [downs[-1]]
            for x, y in zip(xs[1:], downs[-2::-1], strict=True):
                finer = nn.functional.max_pool2d(ups[-1], 3, 2, 1)
                ups.append(next(mixes)(x + finer if x is y else x + y + finer))
            xs = tuple(ups)
        return xs


def test_a_repeat_carries_several_tensors() -> None:
    with torch.device("meta"):
        module = BiFPN()
    analysis = spec(BIFPN, LEVELS)
    assert counts(analysis) == counted(module, (1, 8, 33, 33), (1, 8, 17, 17), (1, 8, 9, 9))
    assert {analysis.graph.output, *analysis.graph.sides} == {
        each for each in analysis.graph.sides if "turn_3" in each.producer
    } | {analysis.graph.output}


# Shared weights.

TWINS = """
layers:
  - {conv2d: {out_channels: 1, kernel_size: 3}, from: left, name: twin}
  - {share: twin, from: right, name: other}
  - {sub: , from: [twin, other]}
"""
PAIR = "input: {left: [1, 1, 8, 8], right: [1, 1, 8, 8]}\n"


class Twins(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.twin = nn.Conv2d(1, 1, 3)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.twin(left) - self.twin(right)


def test_siamese_networks_share_their_ten_parameters() -> None:
    analysis = spec(TWINS, PAIR)
    with torch.device("meta"):
        expected = counted(Twins(), (1, 1, 8, 8), (1, 1, 8, 8))
    assert counts(analysis) == expected
    assert expected[0] == 10
    trained = analyze(HEAD + PAIR + TWINS, scenario={"optimizer": "adam"})
    assert trained.value("gradients") == 40
    assert trained.value("optimizer_state") == 80
    assert trained.value("activations_kept") == 2 * 64 * 4


class Recurrent(nn.Module):
    def __init__(self, times: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            x = self.layers(x)
        return x


BODY = "layers: [linear: {out_features: 16}, relu: , linear: {out_features: 8}]"


@pytest.mark.parametrize("index", ["", "index: i, "])
def test_shared_turns_have_one_set_of_weights(index: str) -> None:
    text = f"layers:\n  - repeat: {{times: 5, {index}shared: true, {BODY}}}\n"
    with torch.device("meta"):
        expected = counted(Recurrent(5), (2, 8))
    assert counts(spec(text, "input: [2, 8]\n")) == expected


def test_shared_turns_of_a_symbol() -> None:
    text = f"symbols: {{L: 5}}\nlayers:\n  - repeat: {{times: L, shared: true, {BODY}}}\n"
    analysis = spec(text, "input: [2, 8]\n")
    assert str(analysis.total("params")) == "280"
    assert str(analysis.total("macs")) == "512*L"


SHARED_BLOCK = """
blocks:
  pair:
    inputs: [x, y]
    layers:
      - {linear: {out_features: 4}, from: x, name: p}
      - {linear: {out_features: 4}, from: y, name: q}
    outputs: [p, q]
layers:
  - {pair: , from: [a, b], name: first}
  - {share: first, from: [first.q, first.p], name: again}
  - {share: again.p, from: b}
"""


def test_a_block_of_several_tensors_is_shared() -> None:
    analysis = spec(SHARED_BLOCK.rpartition("  -")[0], "input: {a: [1, 4], b: [1, 4]}\n")
    assert counts(analysis) == (40, 64)


# A shortcut that projects only where the shape changes.


def test_a_projection_is_left_out_where_the_shape_stays() -> None:
    text = """
layers:
  - repeat:
      times: 3
      layers:
        - residual:
            layers: [conv2d: {out_channels: 8, kernel_size: 3, padding: 1}]
            shortcut: [conv2d: {out_channels: 8, kernel_size: 1}]
            projects: on_change
"""
    conv = 9 * 3 * 8 + 8 + 2 * (9 * 8 * 8 + 8)
    assert counts(spec(text))[0] == conv + 3 * 8 + 8


def test_an_open_projection_is_refused() -> None:
    text = """
symbols: {c: 8}
layers:
  - residual:
      layers: [conv2d: {out_channels: c, kernel_size: 1}]
      shortcut: [conv2d: {out_channels: c, kernel_size: 1}]
      projects: on_change
"""
    assert "whether the shortcut projects is undecided" in error_of(text).cause


# Networks in networks.


def test_a_network_of_the_zoo_is_an_entry() -> None:
    use = "layers:\n  - use: resnet18\n"
    given = "input: [1, 3, 224, 224]\n"
    assert counts(spec(use, given)) == counts(analyze("resnet18"))
    fewer = "layers:\n  - use: {network: resnet18, symbols: {classes: 10}}\n"
    assert counts(spec(fewer, given))[0] == counts(analyze("resnet18"))[0] - 990 * 513


def test_its_tensors_can_be_read() -> None:
    text = "layers:\n  - {use: {network: resnet18, until: foreach_1}, name: body}\n"
    text += "  - {conv2d: {out_channels: 1, kernel_size: 1}, from: body.foreach_1.1}\n"
    analysis = spec(text, "input: [1, 3, 64, 64]\n")
    assert analysis.layers[-1].inputs == ((1, 128, 8, 8),)


def test_a_file_below_the_folder_is_used_and_included(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    other = HEAD + "input: [n, 8]\nsymbols: {n: 1, c: 4}\nblocks:\n  two:\n    parameters: {o: }\n"
    other += "    layers: [linear: {out_features: o}, relu: ]\nlayers: [two: {o: c}]\n"
    other += "variants: {wide: {symbols: {c: 16}}}\n"
    (tmp_path / "parts" / "other.yaml").write_text(other)
    main = HEAD + "input: [2, 8]\ninclude: parts/other.yaml\nlayers:\n  - two: {o: 8}\n"
    (tmp_path / "main.yaml").write_text(main + "  - use: parts/other.yaml@wide\n")
    assert counts(analyze(tmp_path / "main.yaml")) == (72 + 144, 2 * (64 + 128))


# Bad input.

BLOCK = """
blocks:
  two:
    inputs: [x, y]
    layers: [{add: , from: [x, y]}]
  some:
    inputs: [x, xs*]
    layers: [{add: , from: [x, xs.*]}]
layers:
  - {relu: , name: a}
  - {relu: , name: b}
"""

BAD = {
    "too few": ("  - {two: , from: a}", "takes 2 inputs, not 1"),
    "too many": ("  - {two: , from: [a, b, a]}", "takes 2 inputs, not 3"),
    "no rest": ("  - {some: , from: a}", "takes 2 or more inputs, not 1"),
    "no such part": ("  - {two: , from: [a.x, b]}", "'a' has one output, without a number"),
    "no index": ("  - {relu: , from: 'a[3]'}", "index 3 is outside the 1 tensors of 'a'"),
    "no tensor": ("  - {relu: , from: 'c[0]'}", "'c' names no tensor here"),
    "open bracket": ("  - {relu: , from: 'a[0'}", "expected ']' at the end"),
    "several": ("  - {relu: , from: [a, b]}", "takes 1 input, not 2"),
    "shape in structure": (
        "  - {relu: , when: 'shape(a)[1] > 2'}",
        "'shape' gives sizes; what decides structure comes before any size is known",
    ),
    "shares no entry": (
        "  - {share: input, from: a}",
        "'input' is no entry that can be shared",
    ),
    "turns": (
        "  - {repeat: {times: 2, layers: [{two: }]}, from: [a, b]}",
        "a turn takes 2 tensors and gives 1",
    ),
    "rows": (
        "  - {foreach: {tensors: {x: [a, b]}, count: 3, layers: [{relu: , from: x}]}}",
        "the numbers of rows differ: tensors.x 2, count 3",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_has_one_error(case: str) -> None:
    entry, cause = BAD[case]
    error = error_of(BLOCK + entry + "\n")
    assert cause in error.cause
    assert error.origin is not None
    assert error.origin.line == 15
    assert len(str(error).splitlines()) <= 2  # and a hint


def test_weights_of_other_sizes_are_not_shared() -> None:
    given = PAIR.replace("right: [1, 1", "right: [1, 2")
    cause = "axis 1 of the shared weight is 1; this layer needs 2"
    assert cause in error_of(TWINS, given).cause


def test_shared_turns_keep_the_shape() -> None:
    text = "layers:\n  - repeat: {times: 2, shared: true, layers: [linear: {out_features: 4}]}\n"
    error = error_of(text, "input: [2, 8]\n")
    assert "every turn changes axis 1 from 8 to 4; shared turns keep it" in error.cause


def test_turns_that_carry_several_are_counted() -> None:
    text = BIFPN.replace(
        "layers:\n  - repeat: {times: 3", "symbols: {k: 3}\nlayers:\n  - repeat: {times: k"
    )
    with pytest.raises(SpecError, match="the turns carry 3 tensors, so their number must be known"):
        analyze(HEAD + LEVELS + text)
    assert counts(analyze(HEAD + LEVELS + text, settings={"k": 3})) == counts(spec(BIFPN, LEVELS))


@pytest.mark.parametrize("key", ["include: {}\nlayers: [relu]\n", "layers: [use: {}]\n"])
def test_no_spec_leaves_its_folder(tmp_path: Path, key: str) -> None:
    (tmp_path / "outside.yaml").write_text(HEAD + "input: [1]\nlayers: [relu]\n")
    (tmp_path / "in").mkdir()
    for name, cause in {
        "../outside.yaml": "leads out of the folder of the spec",
        "spec.yaml": "a spec is inside itself: spec.yaml → spec.yaml",
        "resnet19": "is no network of the zoo, and no path of a spec",
    }.items():
        file = tmp_path / "in" / "spec.yaml"
        file.write_text(HEAD + "input: [1]\n" + key.format(name))
        with pytest.raises(SpecError, match=cause):
            analyze(file)


def test_what_enters_a_network_has_its_shape() -> None:
    error = error_of("layers:\n  - use: {network: resnet18, symbols: {c: 4}}\n")
    assert "axis 1 of what enters is 3; use_1 takes 4" in error.cause
    assert (
        "takes 4 axes as input; [1, 3072] enters"
        in error_of("layers: [flatten, use: resnet18]\n").cause
    )
