"""Lines of networks of several tensors, as specs and as plain modules of PyTorch: ours per theirs.

Run with ``python -m benchmarks.lines``; needs torch and torchvision. Of a spec the lines of its
blocks, layers, lists and outputs count, of PyTorch those of the classes and functions that build
the module; blank lines, comments and docstrings of neither. Both must have the same parameters.
"""

import ast
import inspect
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, max_pool2d, relu, silu, softmax

from archspec.importers.torch.source import linked
from costmodel import analyze
from costmodel.metrics.registry import find_metric
from tests import test_several_parity as parity

SPECS = Path(__file__).parent.parent / "specs"
BODY = {"let", "blocks", "layers", "outputs"}
"""The sections of a spec that say how the network is built."""


class UNet(nn.Module):  # type: ignore[misc]
    def __init__(self, widths: list[int], classes: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(self.double(i, o) for i, o in pairwise(widths))
        ups = [*pairwise(widths[:0:-1])]
        self.up = nn.ModuleList(nn.ConvTranspose2d(i, o, 2, 2) for i, o in ups)
        self.joined = nn.ModuleList(self.double(2 * o, o) for _, o in ups)
        self.last = nn.Conv2d(widths[1], classes, 1)

    @staticmethod
    def double(i: int, o: int) -> nn.Module:
        first, second = nn.Conv2d(i, o, 3, padding=1), nn.Conv2d(o, o, 3, padding=1)
        return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for i, block in enumerate(self.down):
            x = block(max_pool2d(x, 2) if i else x)
            skips.append(x)
        for up, joined, skip in zip(self.up, self.joined, skips[-2::-1], strict=True):
            x = joined(torch.cat([skip, up(x)], 1))
        return self.last(x)


class Pyramid(nn.Module):  # type: ignore[misc]
    def __init__(self, widths: list[int], c: int = 256) -> None:
        super().__init__()
        self.own = nn.ModuleList(nn.Conv2d(i, c, 1) for i in widths)
        self.out = nn.ModuleList(nn.Conv2d(c, c, 3, padding=1) for _ in widths)
        self.p6, self.p7 = nn.Conv2d(c, c, 3, 2, 1), nn.Conv2d(c, c, 3, 2, 1)

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        owns = [own(x) for own, x in zip(self.own, xs, strict=True)]
        downs = [owns[-1]]
        for own in owns[-2::-1]:
            downs.insert(0, own + interpolate(downs[0], size=own.shape[2:]))
        outs = [out(x) for out, x in zip(self.out, downs, strict=True)]
        p6 = self.p6(outs[-1])
        return [*outs, p6, self.p7(relu(p6))]


class RetinaNet(nn.Module):  # type: ignore[misc]
    def __init__(self, body: Any, classes: int, anchors: int = 9) -> None:
        super().__init__()
        self.stem = nn.Sequential(body.conv1, body.bn1, body.relu, body.maxpool, body.layer1)
        self.stages = nn.ModuleList([body.layer2, body.layer3, body.layer4])
        self.pyramid = Pyramid([512, 1024, 2048])
        self.scores, self.boxes = self.head(anchors * classes), self.head(anchors * 4)

    @staticmethod
    def head(values: int, c: int = 256) -> nn.Module:
        steps = [each for _ in range(4) for each in (nn.Conv2d(c, c, 3, padding=1), nn.ReLU())]
        return nn.Sequential(*steps, nn.Conv2d(c, values, 3, padding=1))

    def forward(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        x, xs = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            xs.append(x)
        levels = self.pyramid(xs)
        return [*map(self.scores, levels)], [*map(self.boxes, levels)]


class Fuse(nn.Module):  # type: ignore[misc]
    def __init__(self, c: int, count: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.ones(count))
        depthwise = nn.Conv2d(c, c, 3, padding=1, groups=c, bias=False)
        self.mix = nn.Sequential(depthwise, nn.Conv2d(c, c, 1), nn.BatchNorm2d(c))

    def forward(self, *xs: Tensor) -> Tensor:
        weights = relu(self.weights)
        shares = weights / weights.sum()
        return self.mix(silu((torch.stack(xs, 4) * shares).sum(4)))


def projection(i: int, c: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(i, c, 1), nn.BatchNorm2d(c)) if i != c else nn.Identity()


class Cell(nn.Module):  # type: ignore[misc]
    def __init__(self, widths: list[int], c: int) -> None:
        super().__init__()
        self.down_in = nn.ModuleList(projection(i, c) for i in widths[:-1])
        self.up_in = nn.ModuleList(projection(i, c) for i in widths[1:])
        self.down = nn.ModuleList(Fuse(c, 2) for _ in widths[:-1])
        self.up = nn.ModuleList(
            Fuse(c, 3 if i < len(widths) - 2 else 2) for i in range(len(widths) - 1)
        )

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        downs = [xs[-1]]
        for fuse, own, x in zip(self.down[::-1], self.down_in[::-1], xs[-2::-1], strict=True):
            downs.insert(0, fuse(own(x), interpolate(downs[0], size=x.shape[2:])))
        outs = [downs[0]]
        for fuse, own, x, y in zip(self.up, self.up_in, xs[1:], downs[1:], strict=True):
            middle = [] if y is xs[-1] else [y]
            outs.append(fuse(own(x), *middle, max_pool2d(outs[-1], 3, 2, 1)))
        return outs


class BiFPN(nn.Module):  # type: ignore[misc]
    def __init__(self, widths: list[int], c: int, cells: int) -> None:
        super().__init__()
        self.p6 = projection(widths[-1], c)
        first = Cell([*widths, c, c], c)
        self.cells = nn.ModuleList([first, *(Cell(5 * [c], c) for _ in range(cells - 1))])

    def forward(self, *xs: Tensor) -> list[Tensor]:
        p6 = max_pool2d(self.p6(xs[-1]), 3, 2, 1)
        levels = [*xs, p6, max_pool2d(p6, 3, 2, 1)]
        for cell in self.cells:
            levels = cell(levels)
        return levels


class Attention(nn.Module):  # type: ignore[misc]
    def __init__(self, c: int, source: int, heads: int) -> None:
        super().__init__()
        self.q, self.out, self.heads = nn.Linear(c, c, bias=False), nn.Linear(c, c), heads
        self.k, self.v = (nn.Linear(source, c, bias=False) for _ in range(2))

    def forward(self, x: Tensor, source: Tensor) -> Tensor:
        q, k, v = self.q(x), self.k(source), self.v(source)
        q, k, v = (each.unflatten(2, (self.heads, -1)).transpose(1, 2) for each in (q, k, v))
        scores = softmax(q @ k.transpose(2, 3) / q.shape[-1] ** 0.5, -1)
        return self.out((scores @ v).transpose(1, 2).flatten(2))


class ResNet(nn.Module):  # type: ignore[misc]
    def __init__(self, i: int, o: int, time: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(32, i), nn.SiLU(), nn.Conv2d(i, o, 3, padding=1))
        self.second = nn.Sequential(nn.GroupNorm(32, o), nn.SiLU(), nn.Conv2d(o, o, 3, padding=1))
        self.time = nn.Linear(time, o)
        self.shortcut = nn.Conv2d(i, o, 1) if i != o else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        inner = self.first(x) + self.time(time)[:, :, None, None]
        return self.second(inner) + self.shortcut(x)


class Transformer(nn.Module):  # type: ignore[misc]
    def __init__(self, c: int, text: int, heads: int) -> None:
        super().__init__()
        self.norm, self.enter = nn.GroupNorm(32, c), nn.Conv2d(c, c, 1)
        self.norms = nn.ModuleList(nn.LayerNorm(c) for _ in range(3))
        self.attention, self.cross = Attention(c, c, heads), Attention(c, text, heads)
        self.wide, self.narrow = nn.Linear(c, 8 * c), nn.Linear(4 * c, c)
        self.leave = nn.Conv2d(c, c, 1)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        y = self.enter(self.norm(x)).flatten(2).transpose(1, 2)
        z = self.norms[0](y)
        y = y + self.attention(z, z)
        y = y + self.cross(self.norms[1](y), text)
        value, gate = self.wide(self.norms[2](y)).chunk(2, 2)
        y = y + self.narrow(value * gelu(gate))
        return x + self.leave(y.transpose(1, 2).reshape(x.shape))


class Step(nn.Module):  # type: ignore[misc]
    def __init__(self, i: int, o: int, time: int, text: int, attends: bool) -> None:
        super().__init__()
        self.resnet = ResNet(i, o, time)
        self.transformer = Transformer(o, text, 8) if attends else None

    def forward(self, x: Tensor, time: Tensor, text: Tensor) -> Tensor:
        x = self.resnet(x, time)
        return self.transformer(x, text) if self.transformer else x


class StableDiffusion(nn.Module):  # type: ignore[misc]
    def __init__(self, widths: list[int], text: int = 768) -> None:
        super().__init__()
        t = 4 * widths[0]
        self.time = nn.Sequential(nn.Linear(widths[0], t), nn.SiLU(), nn.Linear(t, t), nn.SiLU())
        self.down, self.up, heard = nn.ModuleList(), nn.ModuleList(), []
        c = 4
        for i, o in enumerate([widths[0], *widths[:-1]]):
            self.down.append(nn.Conv2d(c, o, 3, 1 + (i > 0), 1))
            self.down.append(Step(o, widths[i], t, text, i < 3))
            self.down.append(Step(widths[i], widths[i], t, text, i < 3))
            heard += [o, widths[i], widths[i]]
            c = widths[i]
        self.middle = nn.ModuleList([Step(c, c, t, text, True), Step(c, c, t, text, False)])
        for i in range(12):
            self.up.append(Step(c + heard.pop(), o := widths[3 - i // 3], t, text, i > 2))
            c = o
        self.raised = nn.ModuleList(nn.Conv2d(o, o, 3, padding=1) for o in widths[:0:-1])
        self.last = nn.Sequential(nn.GroupNorm(32, c), nn.SiLU(), nn.Conv2d(c, 4, 3, padding=1))

    def forward(self, x: Tensor, sines: Tensor, text: Tensor) -> Tensor:
        time, heard = self.time(sines), []
        for i, each in enumerate(self.down):
            x = each(x, time, text) if i % 3 else each(x)
            heard.append(x)
        for each in self.middle:
            x = each(x, time, text)
        for i, each in enumerate(self.up):
            x = each(torch.cat([x, heard.pop()], 1), time, text)
            if i % 3 == 2 and i < 11:
                x = self.raised[i // 3](interpolate(x, scale_factor=2))
        return self.last(x)


def retinanet() -> nn.Module:
    """Build RetinaNet around torchvision's ResNet-50."""
    return RetinaNet(linked("torchvision.models").resnet50(), 91)


class Compared(NamedTuple):
    """A network as a spec and as a module.

    Attributes:
        spec: the name of the file.
        variants: each with what builds the module.
        parts: the classes and functions of the module.
        blocks: the blocks and entries of the spec that are compared; empty means all.
        paths: the beginnings of the paths of the layers that are compared.
    """

    spec: str
    variants: dict[str, Callable[[], nn.Module]]
    parts: tuple[Any, ...]
    blocks: tuple[str, ...] = ()
    paths: tuple[str, ...] = ("",)


RESNET = parity.conv_bn, parity.Residual, parity.basic, parity.bottleneck
CONVOLUTIONS = parity.conv_silu, parity.Heard, parity.Pair, parity.c2f
DIFFUSION = Attention, ResNet, Transformer, Step, StableDiffusion
NETWORKS = {
    "HRNet-W18, W32, W48": Compared(
        "hrnet",
        {f"hrnet_w{c}": lambda c=c: parity.HRNet(c) for c in (18, 32, 48)},  # type: ignore[misc]
        (*RESNET, parity.Module, parity.HRNet),
    ),
    "YOLOv8 n, s, m, l, x": Compared(
        "yolov8",
        {f"yolov8{s}": lambda v=v: parity.Yolo(*v) for s, v in parity.YOLO.items()},  # type: ignore[misc]
        (*CONVOLUTIONS, parity.Yolo),
    ),
    "EfficientDet-D0's BiFPN": Compared(
        "efficientdet",
        {"efficientdet-d0": lambda: BiFPN([40, 112, 320], 64, 3)},
        (Fuse, projection, Cell, BiFPN),
        ("projection:", "separable:", "halved:", "fuse:", "bifpn:", "- projection", "- {halved"),
        ("projection_1", "bifpn_", "pyramid"),
    ),
    "RetinaNet-R50-FPN": Compared("retinanet", {"": retinanet}, (Pyramid, RetinaNet)),
    "U-Net": Compared("unet", {"": lambda: UNet([3, 64, 128, 256, 512, 1024], 2)}, (UNet,)),
    "Stable Diffusion 1.5's U-Net": Compared(
        "stable_diffusion", {"": lambda: StableDiffusion([320, 640, 1280, 1280])}, DIFFUSION
    ),
}


def lines_of_module(parts: Iterable[Any]) -> int:
    """Return how many lines classes and functions have, without blanks, comments and docstrings."""
    sources = (dedent(inspect.getsource(part)) for part in parts)
    return sum(len(_plain(source, "#")) - _docstring_lines(source) for source in sources)


def _docstring_lines(source: str) -> int:
    (tree,) = ast.parse(source).body
    found = tree.body[0] if isinstance(tree, ast.ClassDef | ast.FunctionDef) else None
    is_text = isinstance(found, ast.Expr) and isinstance(found.value, ast.Constant)
    return (found.end_lineno or 0) - found.lineno + 1 if found and is_text else 0


def _plain(text: str, comment: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(comment)]


def lines_of_spec(name: str, blocks: tuple[str, ...]) -> int:
    """Return how many lines say how a network is built, or those of some blocks and entries do."""
    counted = [line for line in (SPECS / f"{name}.yaml").read_text().splitlines() if line.strip()]
    section, is_in, found = "", False, 0
    for line in counted:
        if not line.startswith((" ", "#")):
            section, is_in = line.split(":")[0], not blocks
        elif blocks and line.startswith("  ") and line[2] != " ":
            is_in = line.strip().startswith(blocks) or "bifpn" in line
        is_said = is_in or (not line.startswith(" ") and not blocks)
        found += section in BODY and is_said and not line.strip().startswith("#")
    return found


def parameters(compared: Compared) -> list[tuple[int, int]]:
    """Return the parameters of each variant: the spec's and the module's."""
    found = []
    for variant, build in compared.variants.items():
        with torch.device("meta"):
            theirs = sum(parameter.numel() for parameter in build().parameters())
        analysis = analyze(SPECS / f"{compared.spec}.yaml{'@' * bool(variant)}{variant}")
        rows = zip(analysis.counted, analysis.parts(find_metric("params")), strict=True)
        ours = sum(
            int(analysis.evaluator(count))
            for counted, count in rows
            if counted.layer.node.path.startswith(compared.paths)
        )
        found.append((ours, theirs))
    return found


def main() -> None:
    """Print the table."""
    print(f"{'network':30} {'spec':>5} {'PyTorch':>8} {'ratio':>6}  parameters")
    for name, compared in NETWORKS.items():
        ours, theirs = (
            lines_of_spec(compared.spec, compared.blocks),
            lines_of_module(compared.parts),
        )
        pairs = parameters(compared)
        equal = "equal" if all(one == other for one, other in pairs) else f"{pairs}"
        print(f"{name:30} {ours:5} {theirs:8} {ours / theirs:6.2f}  {equal}")


if __name__ == "__main__":
    main()
