"""Random networks of calls in random modules, as importers could give them: one seed, one network.

A few classes of modules are drawn first, each a recipe over its inputs; then they are run on each
other's tensors, often several times in a row, now and then with the same weights again.
"""

from random import Random
from typing import NamedTuple

from archspec.importers.calls import Field, Size
from archspec.importers.calls import LayerCall as Call
from archspec.importers.calls import SourceModule as Module
from archspec.importers.calls import SourceNetwork as Network

WIDTHS = (8, 8, 8, 16)
"""What the last axis of a tensor may be; a linear layer changes it."""


class Recipe(NamedTuple):
    """What a class of modules does: steps, each an operation and where its inputs come from."""

    name: str
    takes: int
    steps: tuple[tuple[object, tuple[float, ...]], ...]
    """An operation or another recipe, and for each input how late among the tensors at hand."""
    gives: int


def recipes(random: Random) -> list[Recipe]:
    """A few classes, of which later ones use earlier ones."""
    found: list[Recipe] = []
    for i in range(random.randint(1, 4)):
        takes = random.choice((1, 1, 1, 2))
        steps: list[tuple[object, tuple[float, ...]]] = []
        for _ in range(random.randint(1, 6)):
            operation = random.choice(
                ("relu", "linear", "layernorm", "add", "concat", "chunk", *found)
            )
            count = {"add": 2, "concat": random.choice((2, 3))}.get(str(operation), 1)
            count = operation.takes if isinstance(operation, Recipe) else count
            steps.append(
                (operation, tuple(random.choice((1.0, 1.0, random.random())) for _ in range(count)))
            )
        gives = random.choice((1, 1, 1, 1, 2))
        found.append(Recipe(f"Class{i}", takes, tuple(steps), gives))
    return found


class Tracer:
    """Runs recipes and writes down the calls."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.calls: list[Call] = []
        self.widths: dict[str, int] = {"x": 8}
        self.place = 0

    def call(
        self,
        kind: str,
        fields: dict[str, Field],
        inputs: tuple[str, ...],
        modules: tuple[Module, ...],
        width: int,
        *,
        learned: bool = False,
    ) -> str:
        name = f"{kind}_{len(self.calls)}"
        weights = (
            f"{modules[-1].path}.{kind}{fields.get('out_features', '')}.{self.widths[inputs[0]]}"
        )
        self.calls.append(Call(name, kind, fields, inputs, modules, weights if learned else ""))
        self.widths[name] = width
        return name

    def as_wide(self, tensors: list[str], modules: tuple[Module, ...]) -> list[str]:
        """Tensors of the same width: a linear layer for each that is not as wide as the first."""
        wanted = self.widths[tensors[0]]
        return [t if self.widths[t] == wanted else self.linear(t, wanted, modules) for t in tensors]

    def linear(self, tensor: str, width: int, modules: tuple[Module, ...]) -> str:
        path = f"{modules[-1].path}.{self.place}to{self.widths[tensor]}".strip(".")
        inner = (*modules, Module(path, "Linear"))
        return self.call("linear", {"out_features": width}, (tensor,), inner, width, learned=True)

    def step(self, kind: str, tensors: list[str], modules: tuple[Module, ...]) -> str:
        width = self.widths[tensors[0]]
        match kind:
            case "relu":
                return self.call("relu", {}, (tensors[0],), modules, width)
            case "layernorm":
                path = f"{modules[-1].path}.{self.place}norm".strip(".")
                inner = (*modules, Module(path, "LayerNorm"))
                return self.call("layernorm", {}, (tensors[0],), inner, width, learned=True)
            case "linear":
                return self.linear(tensors[0], self.random.choice(WIDTHS), modules)
            case "add":
                return self.call("add", {}, tuple(self.as_wide(tensors, modules)), modules, width)
            case "concat":
                total = sum(self.widths[t] for t in tensors)
                joined = self.call("concat", {"axis": 2}, tuple(tensors), modules, total)
                return self.linear(joined, 8, modules)
        chunked = self.call("chunk", {"chunks": 2, "dim": 2}, (tensors[0],), modules, width // 2)
        parts = [f"{chunked}.{i}" for i in (1, 0)[: self.random.choice((1, 2))]]
        self.widths |= dict.fromkeys(parts, width // 2)
        return self.step("concat", parts * (3 - len(parts)), modules)

    def run(self, recipe: Recipe, given: list[str], modules: tuple[Module, ...]) -> list[str]:
        """The tensors that leave a module of a class."""
        tensors = list(given)
        for i, (operation, places) in enumerate(recipe.steps):
            taken = [tensors[min(int(place * len(tensors)), len(tensors) - 1)] for place in places]
            if isinstance(operation, Recipe):
                path = f"{modules[-1].path}.{i}".strip(".")
                inner = (*modules, Module(path, operation.name))
                tensors += self.run(operation, taken, inner)
            else:
                self.place = i
                tensors.append(self.step(str(operation), taken, modules))
        return tensors[-min(recipe.gives, len(recipe.steps)) :]


def random_calls(seed: int) -> Network:
    """The network of a seed."""
    random = Random(seed)
    known, tracer = recipes(random), Tracer(random)
    root = Module("", "Net")
    tensors = ["x"]
    for i in range(random.randint(1, 5)):
        recipe, again = random.choice(known), random.random() < 0.2
        for k in range(random.choice((1, 1, 2, 3, 5))):
            state, path = random.getstate(), f"stage{i}.{0 if again else k}"
            inner = (
                root,
                Module(f"stage{i}", "Sequential"),
                Module(path, recipe.name, again * k),
            )
            taken = [tensors[-1], *random.choices(tensors, k=recipe.takes - 1)]
            tensors += tracer.run(recipe, taken, inner)
            if random.random() < 0.7:
                random.setstate(state)
    outputs = tuple(
        dict.fromkeys(
            (
                *random.sample(tensors[1:], random.choice((0, 0, 1)) if tensors[1:] else 0),
                tensors[-1],
            )
        )
    )
    left = [t for t in outputs if t != "x"] or [tracer.step("relu", ["x"], (root,))]
    image = (Size("n"), Size("t"), 8)
    return Network(
        f"seed {seed}", "random", {"n": 1, "t": 5}, {"x": image}, tuple(tracer.calls), tuple(left)
    )
