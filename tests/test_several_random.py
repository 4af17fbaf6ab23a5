"""Random networks of several tensors in archcost and in PyTorch: the same parameters and products.

Each network is drawn as a list of tensors to which steps are applied: tables over tensors, blocks
of many inputs, repeats that carry all of them, shared entries, fused groups, skips. PyTorch runs
on the meta device while the spec is written; ``h`` stays a symbol of it.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[parity]'")

from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.utils.flop_counter import FlopCounterMode

from costmodel import analyze
from tests.conftest import examples

BLOCKS: dict[str, object] = {
    "mix": {  # each hears the one before it
        "inputs": ["xs*"],
        "layers": [
            {
                "foreach": {
                    "tensors": {"x": "xs"},
                    "index": "i",
                    "layers": [
                        {"upsample": {"like": "x"}, "from": "xs[i - 1]", "when": "i > 0"},
                        {
                            "conv2d": {"out_channels": "shape(x)[1]", "kernel_size": 1},
                            "name": "other",
                            "when": "i > 0",
                        },
                        {
                            "conv2d": {"out_channels": "in_channels", "kernel_size": 3,
                                       "padding": 1},
                            "from": "x",
                            "name": "own",
                        },
                        {"add": None, "from": ["own", "other"], "when": "i > 0"},
                    ],
                },
                "name": "out",
            }
        ],
        "outputs": ["out.*"],
    },
    "head": {"layers": [{"conv2d": {"out_channels": "in_channels", "kernel_size": 1}}, "relu"]},
}  # fmt: skip


class Drawn:
    """A network of several tensors: as a spec, and as PyTorch has run it.

    Args:
        seed: what it is drawn from.
        h: the value of the symbol.
    """

    def __init__(self, seed: int, h: int) -> None:
        self.random = Random(seed)
        self.layers: list[dict[str, object]] = []
        self.modules = nn.ModuleList()
        self.heads: dict[str, nn.Module] = {}
        count = self.random.randint(2, 4)
        sizes = [(self.random.choice((2, 4, 6)), self.random.randint(1, 5)) for _ in range(count)]
        self.refs = [f"in{i}" for i in range(count)]
        given = (f"[1, {c}, {s}*h, {s}*h]" for c, s in sizes)
        self.given = dict(zip(self.refs, map(yaml.safe_load, given), strict=True))
        self.xs = [torch.empty(1, c, s * h, s * h, device="meta") for c, s in sizes]
        with FlopCounterMode(display=False) as counter:
            for _ in range(self.random.randint(2, 6)):
                self.step(self.random.choice(STEPS))
            self.step(Drawn.each)
        self.macs = counter.get_total_flops() // 2
        self.params = sum(p.numel() for p in self.modules.parameters())

    def step(self, make: Callable[["Drawn", str], None]) -> None:
        """Apply a step, whose entry has a name of its own."""
        make(self, f"s{len(self.layers)}")

    def put(self, name: str, kind: str, fields: object, **beside: object) -> None:
        """Write an entry."""
        self.layers.append({kind: fields, "name": name, **beside})

    def conv(self, i: int, o: int, k: int) -> nn.Module:
        self.modules.append(nn.Conv2d(i, o, k, padding=k // 2, device="meta"))
        return self.modules[-1]

    def several(self, name: str, xs: list[Tensor]) -> None:
        """Take what an entry of a name gives for what there is."""
        self.xs, self.refs = xs, [f"{name}[{i}]" for i in range(len(xs))]

    def each(self, name: str) -> None:
        """A convolution of each, all of them the same one where that may be."""
        alike = len({x.shape[1] for x in self.xs}) == 1
        shared, to = alike and self.random.random() < 0.7, self.random.choice((2, 4, 6))
        layers = [{"conv2d": {"out_channels": to, "kernel_size": 1}, "from": "x"}]
        fields = {"tensors": {"x": self.refs}, "shared": shared, "layers": layers}
        self.put(name, "foreach", fields)
        one = self.conv(self.xs[0].shape[1], to, 1)
        rest = (one if shared else self.conv(x.shape[1], to, 1) for x in self.xs[1:])
        several = zip((one, *rest), self.xs, strict=True)
        self.several(name, [conv(x) for conv, x in several])

    def mixes(self, times: int, *, shared: bool) -> list[Tensor]:
        """Return what so many of the block give."""
        xs, convs = self.xs, dict[int, list[nn.Module]]()
        for turn in range(times):
            if not (shared and turn):
                convs = dict(enumerate(self.pairs()))
            heard = []
            for i, x in enumerate(xs):
                own = convs[i][0](x)
                heard += [own + convs[i][1](interpolate(xs[i - 1], x.shape[2:])) if i else own]
            xs = heard
        return xs

    def pairs(self) -> Iterator[list[nn.Module]]:
        """Yield the convolutions of a block: of each tensor, and of the one before it."""
        channels = [x.shape[1] for x in self.xs]
        for i, c in enumerate(channels):
            yield [self.conv(c, c, 3), *([self.conv(channels[i - 1], c, 1)] if i else [])]

    def repeated(self, name: str) -> None:
        """A repeat that carries all."""
        times, shared = self.random.randint(1, 3), self.random.random() < 0.5
        fields: dict[str, Any] = {"times": times, "shared": shared, "layers": ["mix"]}
        fields |= {"index": "turn"} if self.random.random() < 0.3 else {}
        self.put(name, "repeat", fields, **{"from": self.refs})
        self.several(name, self.mixes(times, shared=shared))

    def called(self, name: str) -> None:
        """The block itself, in one kernel or not."""
        kind, fields = self.random.choice((("mix", None), ("fused", ["mix"])))
        self.put(name, kind, fields, **{"from": self.refs})
        self.several(name, self.mixes(1, shared=False))

    def headed(self, name: str) -> None:
        """A head of one of them, or one that there is, where its channels are the same."""
        at = self.random.randrange(len(self.xs))
        channels = self.xs[at].shape[1]
        known = [k for k, head in self.heads.items() if head.in_channels == channels]
        if known:
            owner = self.random.choice(known)
            self.put(name, "share", owner, **{"from": self.refs[at]})
            head = self.heads[owner]
        else:
            self.put(name, "head", None, **{"from": self.refs[at]})
            head = self.heads[name] = self.conv(channels, channels, 1)
        self.xs = [*self.xs[:at], head(self.xs[at]), *self.xs[at + 1 :]]
        self.refs = [*self.refs[:at], name, *self.refs[at + 1 :]]

    def folded(self, name: str) -> None:
        """A table over them from the last to the first, each row behind all before."""
        conv = {"conv2d": {"out_channels": 3, "kernel_size": 1}, "from": "x", "name": "own"}
        up = {"upsample": {"like": "x"}, "when": "i > 0", "name": "carried"}
        both = {"concat": None, "from": ["own", "carried"], "when": "i > 0"}
        fields = {"tensors": {"x": self.refs[::-1]}, "index": "i", "layers": [up, conv, both]}
        self.put(name, "foreach", fields)
        rows: list[Tensor] = []
        for x in self.xs[::-1]:
            carried = [interpolate(rows[-1], x.shape[2:])] if rows else []
            rows.append(torch.cat([self.conv(x.shape[1], 3, 1)(x), *carried], 1))
        self.several(name, rows)

    @property
    def spec(self) -> dict[str, Any]:
        """What the language says of it."""
        head = {"archspec": 1, "name": "drawn", "symbols": {"h": 2}, "input": self.given}
        return {**head, "blocks": BLOCKS, "layers": self.layers, "outputs": self.refs}


STEPS = [Drawn.each, Drawn.repeated, Drawn.called, Drawn.headed, Drawn.folded]


@pytest.mark.parametrize("seed", range(examples(60)))
def test_several_tensors_are_pytorch_s(seed: int) -> None:
    numbers = {h: Drawn(seed, h) for h in (2, 3)}
    found = analyze(numbers[2].spec)
    for h, drawn in numbers.items():
        assert (found.at(h=h).params, found.at(h=h).macs) == (drawn.params, drawn.macs), drawn.spec
