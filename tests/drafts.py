"""A list of entries while it is drawn: the tensor at hand, and what draws each kind."""

from collections.abc import Callable, Iterator, Sequence
from math import prod
from random import Random
from typing import Any

from torch import Tensor

from tests import twin
from tests.torch_kinds import FREE, RefusedError, Tensors
from tests.twin import Frame, Shape

Entry = dict[str, Any]

REFUSALS = (RefusedError, RuntimeError, ValueError, IndexError)
"""What PyTorch raises where fields or shapes do not fit."""

MAX_ELEMENTS = 100_000
MAX_AXES = 5
MAX_DEPTH = 3
"""How deep composites stand in composites."""


class Draft:
    """A list of entries that is being drawn.

    Attributes:
        random: what draws.
        frame: the twin at work on the list.
        drawn: the entries so far.
        fresh: names that nothing has yet.
        source: where the next layer's input comes from.
        depth: of composites around the list.
    """

    def __init__(self, random: Random, frame: Frame, names: Iterator[str], depth: int = 0) -> None:
        self.random = random
        self.frame = frame
        self.fresh = names
        self.depth = depth
        self.drawn: list[Entry] = []
        self.source = "previous"

    # Numbers.

    def integer(self, least: int, most: int) -> int:
        if most < least:
            raise RefusedError("nothing between")
        return self.random.randint(least, most)

    def choice(self, values: Sequence[Any]) -> Any:
        if not values:
            raise RefusedError("nothing to choose from")
        return self.random.choice(values)

    def flag(self) -> bool:
        return self.chance(0.5)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def some(self, **fields: Callable[[], Any]) -> Entry:
        """Each field or its default."""
        return {name: draw() for name, draw in fields.items() if self.flag()}

    def per_axis(self, axes: int, least: int, most: int) -> int | list[int]:
        """One number for all axes, or one for each."""
        if self.flag():
            return self.integer(least, most)
        return [self.integer(least, most) for _ in range(axes)]

    def divisor(self, number: int) -> int:
        return int(self.choice([d for d in range(1, number + 1) if number % d == 0]))

    def axis(self, axes: int | None = None) -> int:
        """An axis, counted from the start or the end."""
        axes = len(self.shape) if axes is None else axes
        return self.integer(-axes, axes - 1)

    def extent(self) -> int:
        """An extent that many things divide, or an odd one."""
        return int(self.choice([1, 2, 3, 4, 4, 5, 6, 6, 7, 8, 8, 9, 12]))

    # Tensors.

    @property
    def x(self) -> Tensor:
        return self.frame.source(self.source)

    @property
    def shape(self) -> Shape:
        return tuple(self.x.shape)

    def need(self, *axes: int) -> None:
        """Go on only if the tensor has so many axes."""
        if len(self.shape) not in axes:
            raise RefusedError("another number of axes")

    def emit(self, kind: str, fields: Any = None, *sources: str) -> str:
        """Write an entry, run it, and say its name."""
        name = next(self.fresh)
        entry: Entry = {kind: {} if fields is None else fields, "name": name}
        sources = sources or (self.source,)
        if sources != ("previous",) and kind not in FREE:
            entry["from"] = sources[0] if len(sources) == 1 else list(sources)
        self.frame.run(twin.taken_apart(entry))
        check(self.frame.latest)
        self.drawn.append(entry)
        self.source = "previous"
        return name

    def anchor(self) -> str:
        """A name for the tensor at hand."""
        if self.source != "previous":
            return self.source
        for name, tensor in self.frame.tensors.items():
            if tensor is self.frame.latest:
                return name
        return self.emit("identity")

    def earlier(self, fits: Callable[[Shape], bool]) -> list[str]:
        """The names of the tensors whose shape fits, here and in the lists around."""
        return [name for name, x in named(self.frame) if fits(tuple(x.shape))]

    def body(self, most: int = 3) -> tuple[list[Entry], Shape]:
        """Entries that take the tensor at hand, and the shape that leaves them."""
        if self.depth == MAX_DEPTH:
            raise RefusedError("deep enough")
        inner = self.inner(self.frame.inner(self.x, self.frame.names))
        inner.entries(self.integer(1, most))
        return inner.drawn, inner.shape

    def inner(self, frame: Frame) -> "Draft":
        """The draft of a body."""
        return Draft(self.random, frame, self.fresh, self.depth + 1)

    def entries(self, count: int) -> None:
        """Draw so many steps."""
        for _ in range(count):
            self.step()

    def step(self) -> None:
        """Draw one kind that fits, with what it needs before it; what is refused leaves no trace.

        Raises:
            RefusedError: nothing fits.
        """
        frame, drawn = self.frame, self.drawn
        for _ in range(100):
            self.frame, self.drawn = copied(frame), list(drawn)
            try:
                self.source = self.pick()
                DRAWERS[self.choice(FITTING[len(self.shape)])](self)
                self.frame.source("previous")
            except REFUSALS:
                continue
            return
        raise RefusedError("nothing fits")

    def pick(self) -> str:
        """Mostly the tensor before, at times an earlier one."""
        if isinstance(self.frame.latest, Tensor) and self.chance(0.9):
            return "previous"
        return str(self.choice([name for name, _ in named(self.frame)]))


def named(frame: Frame) -> Iterator[tuple[str, Tensor]]:
    """Every tensor that has a name, the parts of a split by their numbers."""
    for name, tensors in frame.tensors.items():
        if isinstance(tensors, Tensor):
            yield name, tensors
        else:
            yield from ((f"{name}.{i}", tensor) for i, tensor in enumerate(tensors))
    if frame.parent is not None:
        yield from named(frame.parent)


def copied(frame: Frame) -> Frame:
    """A frame to try a step in."""
    copy = Frame(frame.network, frame.tensors, frame.names, frame.parent)
    copy.weights, copy.latest = dict(frame.weights), frame.latest
    copy.entered = dict(frame.entered)
    return copy


def check(tensors: Tensors | None) -> None:
    """Tensors must be neither empty nor large."""
    every = tensors if isinstance(tensors, tuple) else (tensors,)
    for shape in (tuple(tensor.shape) for tensor in every if tensor is not None):
        if not (1 <= len(shape) <= MAX_AXES and min(shape) >= 1 and prod(shape) <= MAX_ELEMENTS):
            raise RefusedError("an empty tensor, or a large one")


# A drawer per kind.

Drawer = Callable[[Draft], None]
FieldsOf = Callable[[Draft], Entry]

DRAWERS: dict[str, Drawer] = {}
"""Kind → what draws an entry of it, and the entries that it needs before it."""

ANY = (1, 2, 3, 4, 5)
MOST = 2 * len(ANY)

FITTING: dict[int, list[str]] = {axes: [] for axes in ANY}
"""Number of axes → the kinds that take a tensor of so many; one that fits few stands often."""


def drawer(*kinds: str, axes: tuple[int, ...] = ANY) -> Callable[[Drawer], Drawer]:
    """Register what draws whole entries."""

    def register(draw: Drawer) -> Drawer:
        for kind in kinds:
            if kind in DRAWERS:
                raise ValueError(f"'{kind}' has two drawers")
            DRAWERS[kind] = draw
            for number in axes:
                FITTING[number] += [kind] * (MOST // len(axes))
        return draw

    return register


def fields(*kinds: str, axes: tuple[int, ...] = ANY) -> Callable[[FieldsOf], FieldsOf]:
    """Register what draws the fields of kinds with one input."""

    def register(draw: FieldsOf) -> FieldsOf:
        for kind in kinds:
            drawer(kind, axes=axes)(emitter(kind, draw))
        return draw

    return register


def emitter(kind: str, draw: FieldsOf) -> Drawer:
    """What draws the fields of a kind, and writes one entry of it."""

    def emit(d: Draft) -> None:
        d.emit(kind, draw(d))

    return emit
