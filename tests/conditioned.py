"""Random small networks with open sizes, as the plain data of a spec: one seed, one network.

They are of the kinds whose conditions are hard to say shortly: maps of several resolutions that are
joined, windows and strides that are symbols, heads, groups and patches, turns that may not happen.
Maps are joined by ``concat`` alone, since an extent of 1 is broadcast by ``add``.
"""

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Any

Entry = dict[str, Any]
Spec = dict[str, Any]

BOX = {
    "h": range(1, 101),
    "t": range(1, 17),
    "c": range(1, 31),
    "g": range(1, 13),
    "a": range(1, 13),
    "k": range(1, 17),
    "p": range(1, 13),
    "L": range(1, 10),
    "E": range(1, 8),
}
"""The values of each symbol that the conditions are tried at."""

Open = frozenset[str]


class Draft:
    """A network while it is drawn.

    Attributes:
        random: what draws.
        symbols: which symbols it may use.
        layers: the entries so far.
        names: names that nothing has yet.
    """

    def __init__(self, random: Random, symbols: Open) -> None:
        self.random = random
        self.symbols = symbols
        self.layers: list[Entry] = []
        self.names: Iterator[str] = (f"v{i}" for i in count())

    def pick(self, *values: Any) -> Any:
        """One of the values; of expressions only those over the symbols that are open."""
        return self.random.choice([v for v in values if self.is_known(v)])

    def is_known(self, value: Any) -> bool:
        """Whether all names in a value are symbols that are open."""
        letters = [c for c in str(value) if c.isalpha()] if isinstance(value, str) else []
        return all(letter in self.symbols for letter in letters)

    def emit(self, kind: str, fields: Any = None, source: Any = None) -> str:
        """Write an entry and say its name."""
        name = next(self.names)
        entry: Entry = {kind: {} if fields is None else fields, "name": name}
        self.layers.append(entry | ({} if source is None else {"from": source}))
        return name

    def convolution(self, source: Any = None) -> str:
        """A convolution that keeps or lowers the resolution."""
        fields = {
            "out_channels": 4,
            "kernel_size": self.pick(1, 2, 3, 3, 3, 5, "k", "2*p + 1", "a", "a + 2"),
            "stride": self.pick(1, 2, 2, 3, 4, "a", "a", "k"),
            "padding": self.pick(0, 0, 1, 1, 2, "p", "k//2"),
        }
        return self.emit("conv1d", fields, source)

    def pool(self) -> str:
        """A pooling whose windows may be rounded up."""
        ceil = {"ceil_mode": True} if self.random.random() < 0.4 else {}
        kind = self.random.choice(["maxpool1d", "avgpool1d"])
        kernel = self.pick(2, 3, "a")
        return self.emit(kind, {"kernel_size": kernel, "stride": self.pick(2, 3, "a")} | ceil)

    def down(self) -> str:
        """A map of a lower resolution."""
        return self.convolution() if self.random.random() < 0.7 else self.pool()

    def join(self, *names: str) -> None:
        """One map of several of the same resolution."""
        self.emit("concat", None, list(names))

    def u_net(self) -> None:
        """Down some times, and up again to each resolution."""
        factor = self.pick(2, 2, 2, 3, "a")
        depth = self.random.randint(1, 3)
        kernel = self.pick(1, 3, 3, "a")
        skips = [self.emit("identity")]
        for _ in range(depth):
            fields = {"out_channels": 4, "kernel_size": kernel, "stride": factor}
            name = self.emit("conv1d", fields | {"padding": 1 if kernel == 3 else 0})
            skips.append(name)
        latest = skips.pop()
        for skip in reversed(skips):
            if self.random.random() < 0.6:
                latest = self.emit("upsample", {"scale_factor": factor}, latest)
            else:
                fields = {"out_channels": 4, "kernel_size": factor, "stride": factor}
                latest = self.emit("conv_transpose1d", fields, latest)
            if self.random.random() < 0.8:
                self.join(latest, skip)
                latest = "previous"

    def branches(self) -> None:
        """Two ways of the same map, joined."""
        start = self.emit("identity")
        ends = []
        for _ in range(2):
            end = self.convolution(start)
            end = self.convolution() if self.random.random() < 0.4 else end
            ends.append(end)
        self.join(*ends)

    def patches(self) -> None:
        """A map cut into patches or windows, and made whole."""
        size = self.pick(2, 4, 7, "a", "p")
        start = self.emit("identity")
        shape = [1, "in_shape[1]", f"in_shape[2]//({size})", size]
        self.emit("reshape", {"shape": shape}, start)
        self.emit("reshape", {"shape": [1, "in_shape[1]", "in_shape[2]*in_shape[3]"]})

    def channels(self) -> None:
        """Channels that groups divide."""
        wide = self.pick(12, 24, "c", "2*c", "c/2", "24/g", "c/g", "c - g", "4*g", "c//4", "c*g")
        self.emit("conv1d", {"out_channels": wide, "kernel_size": 1})
        self.grouped()

    def grouped(self) -> None:
        """A layer that divides the channels."""
        if self.random.random() < 0.5:
            self.emit("groupnorm", {"num_groups": self.pick(2, 4, 6, "g", "2*g", "a")})
        else:
            groups = self.pick(2, 3, 4, "g", "p")
            self.emit("conv1d", {"out_channels": 12, "kernel_size": 1, "groups": groups})

    def turns(self) -> None:
        """A body that may not happen."""
        inner = Draft(self.random, self.symbols)
        inner.names = self.names
        inner.emit("groupnorm", {"num_groups": self.pick(2, 4, "g", "a")})
        if self.random.random() < 0.4:
            experts, top = self.pick(4, "E", "E"), self.pick(1, 2, "k", "g")
            inner.layers = [{"moe": {"experts": experts, "top_k": top, "layers": inner.layers}}]
        times = self.pick("L//2", "L - 1", "L - k", "L", "L//3", "L/2", "(L - 1)//2")
        self.emit("repeat", {"times": times, "layers": inner.layers})

    def step(self) -> None:
        """Some more entries."""
        kinds = [self.down, self.u_net, self.branches, self.patches, self.channels]
        self.random.choice([*kinds, self.turns] if "L" in self.symbols else kinds)()


def draw_conditioned(seed: int) -> Spec:
    """The network of a seed, with one to three open symbols."""
    random = Random(seed)
    length = random.choice(["h", "h", "h", "a*t", "h + t", "2*h", "h//2 + 1"])
    others = random.sample(sorted(set(BOX) - {"h", "t"}), random.randint(0, 2))
    symbols = {s for s in length if s in BOX} | set(others)
    draft = Draft(random, frozenset(symbols))
    draft.emit("identity")  # a network whose every turn is left out is none
    for _ in range(random.randint(1, 3)):
        draft.step()
    return {
        "archspec": 1,
        "name": f"seed {seed}",
        "symbols": {name: max(BOX[name]) // 2 for name in sorted(symbols)},
        "input": [1, 4, length],
        "layers": draft.layers,
    }
