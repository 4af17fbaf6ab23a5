"""Several tensors and shared weights against the same networks in PyTorch, on the meta device."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[parity]'")

from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from costmodel import analyze
from tests.test_several import BIFPN, BODY, HEAD, LEVELS, PAIR, TWINS, UNET, counts, spec


def counted(module: nn.Module, *shapes: Sequence[int]) -> tuple[int, int]:
    """The parameters and the MACs of a module, as PyTorch counts them."""
    counter = FlopCounterMode(display=False)
    with counter:
        module(*(torch.empty(*shape, device="meta") for shape in shapes))
    return sum(p.numel() for p in module.parameters()), counter.get_total_flops() // 2


# HRNet, written in PyTorch once more.


def conv_bn(
    i: int, o: int, k: int = 3, s: int = 1, *, relu: bool = True, bias: bool = False
) -> Any:
    layers = [nn.Conv2d(i, o, k, s, k // 2, bias=bias), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, *([nn.ReLU()] if relu else []))


class Residual(nn.Module):  # type: ignore[misc]
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


class Module(nn.Module):  # type: ignore[misc]
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
        heard = ([f(y) for f, y in zip(row, ys, strict=True)] for row in self.fuse)
        return [torch.relu(torch.stack(each).sum(0)) for each in heard]


class HRNet(nn.Module):  # type: ignore[misc]
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
            for module in modules:
                xs = module(*xs)
        y, *rest = (raised(x) for raised, x in zip(self.raised, xs, strict=True))
        for down, each in zip(self.downs, rest, strict=True):
            y = down(y) + each
        return self.classes(self.last(y).mean((2, 3)))


@pytest.mark.parametrize("width", [18, 30, 32, 48])
def test_hrnet_is_pytorch_s(width: int) -> None:
    with torch.device("meta"):
        module = HRNet(width)
    assert counts(analyze(f"hrnet_w{width}")) == counted(module, (1, 3, 224, 224))


# YOLOv8, written in PyTorch once more.


def conv_silu(i: int, o: int, k: int = 1, s: int = 1) -> Any:
    return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o), nn.SiLU())


class Heard(nn.Module):  # type: ignore[misc]
    """All steps of a chain, concatenated: C2f of bottlenecks, SPPF of poolings."""

    def __init__(self, first: nn.Module, chain: Sequence[nn.Module], last: nn.Module) -> None:
        super().__init__()
        self.first, self.chain, self.last = first, nn.ModuleList(chain), last

    def forward(self, x: Tensor) -> Tensor:
        whole = self.first(x)
        xs = [whole.chunk(2, 1)[1] if isinstance(self.chain[0], Pair) else whole]
        for each in self.chain:
            xs.append(each(xs[-1]))
        return self.last(torch.cat([whole, *xs[1:]], 1))


class Pair(nn.Module):  # type: ignore[misc]
    def __init__(self, c: int, adds: bool) -> None:
        super().__init__()
        self.body, self.adds = nn.Sequential(conv_silu(c, c, 3), conv_silu(c, c, 3)), adds

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.adds else self.body(x)


def c2f(i: int, o: int, times: int, adds: bool = False) -> nn.Module:
    pairs = [Pair(o // 2, adds) for _ in range(times)]
    return Heard(conv_silu(i, o), pairs, conv_silu(o + times * o // 2, o))


class Yolo(nn.Module):  # type: ignore[misc]
    def __init__(self, depth: float, width: float, most: int) -> None:
        super().__init__()
        c = [int(min(channels, most) * width) for channels in (64, 128, 256, 512, 1024)]
        times = [max(round(number * depth), 1) for number in (3, 6, 6, 3)]
        stages = zip(pairwise(c), times, strict=True)
        self.stem, self.up = conv_silu(3, c[0], 3, 2), nn.Upsample(scale_factor=2)
        self.stages = nn.ModuleList(
            nn.Sequential(conv_silu(i, o, 3, 2), c2f(o, o, k, adds=True)) for (i, o), k in stages
        )
        pools = [nn.MaxPool2d(5, 1, 2) for _ in range(3)]
        self.pools = Heard(conv_silu(c[4], c[4] // 2), pools, conv_silu(2 * c[4], c[4]))
        joined = (
            (c[4] + c[3], c[3]),
            (c[3] + c[2], c[2]),
            (c[2] + c[3], c[3]),
            (c[3] + c[4], c[4]),
        )
        self.joined = nn.ModuleList(c2f(i, o, times[0]) for i, o in joined)
        self.down = nn.ModuleList(conv_silu(each, each, 3, 2) for each in c[2:4])
        self.boxes = nn.ModuleList(self.tower(i, max(64, c[2] // 4), 64) for i in c[2:])
        self.scores = nn.ModuleList(self.tower(i, max(c[2], 80), 80) for i in c[2:])
        self.mean = nn.Conv2d(16, 1, 1, bias=False)

    @staticmethod
    def tower(i: int, c: int, o: int) -> nn.Module:
        return nn.Sequential(conv_silu(i, c, 3), conv_silu(c, c, 3), nn.Conv2d(c, o, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        xs = [self.stem(x)]
        for stage in self.stages:
            xs.append(stage(xs[-1]))
        p5 = self.pools(xs[-1])
        p4 = self.joined[0](torch.cat([self.up(p5), xs[3]], 1))
        fine = self.joined[1](torch.cat([self.up(p4), xs[2]], 1))
        middle = self.joined[2](torch.cat([self.down[0](fine), p4], 1))
        coarse = self.joined[3](torch.cat([self.down[1](middle), p5], 1))
        levels = fine, middle, coarse
        boxes = [f(level).flatten(2) for f, level in zip(self.boxes, levels, strict=True)]
        scores = [f(level).flatten(2) for f, level in zip(self.scores, levels, strict=True)]
        bins = torch.cat(boxes, 2).unflatten(1, (4, 16)).transpose(1, 2).softmax(1)
        return self.mean(bins).squeeze(1), torch.cat(scores, 2).sigmoid()


YOLO = {"n": (1 / 3, 0.25, 1024), "s": (1 / 3, 0.5, 1024), "m": (2 / 3, 0.75, 768)}
YOLO |= {"l": (1, 1, 512), "x": (1, 1.25, 512)}


@pytest.mark.parametrize("size", YOLO)
def test_yolo_is_pytorch_s(size: str) -> None:
    with torch.device("meta"):
        module = Yolo(*YOLO[size])
    assert counts(analyze(f"yolov8{size}")) == counted(module, (1, 3, 640, 640))


class UNet(nn.Module):  # type: ignore[misc]
    def __init__(self, *widths: int) -> None:
        super().__init__()
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
        module = UNet(3, 8, 16, 32, 64)
    assert counts(spec(UNET)) == counted(module, (1, 3, 32, 32))


class BiFPN(nn.Module):  # type: ignore[misc]
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


class Twins(nn.Module):  # type: ignore[misc]
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


class Recurrent(nn.Module):  # type: ignore[misc]
    def __init__(self, times: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            x = self.layers(x)
        return x


@pytest.mark.parametrize("index", ["", "index: i, "])
def test_shared_turns_have_one_set_of_weights(index: str) -> None:
    text = f"layers:\n  - repeat: {{times: 5, {index}shared: true, {BODY}}}\n"
    with torch.device("meta"):
        expected = counted(Recurrent(5), (2, 8))
    assert counts(spec(text, "input: [2, 8]\n")) == expected
