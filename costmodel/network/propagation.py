"""Shapes and costs through a graph: each node's rules are applied where its inputs are known."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import partial
from operator import sub
from typing import NamedTuple

from sympy import Expr, Mul, S, Symbol

from archspec.arithmetic import Rational
from archspec.errors import FinalError, Gathered, Origin, SpecError
from archspec.fields import Expression
from archspec.graph import Carry, Graph, Group, Input, Item, Node, Repeat, has_sides, item_output
from archspec.trees import Measure, Name, Tensor, Tree
from costmodel.algebra.bounds import Least, is_at_least
from costmodel.algebra.conditions import AtLeast, Equal
from costmodel.algebra.functions import exact, parts_of
from costmodel.algebra.sums import (
    Iterations,
    OpenFormError,
    at_iteration,
    coefficients,
    in_all_iterations,
    where_it_runs,
)
from costmodel.algebra.symbols import symbol
from costmodel.algebra.translate import translate
from costmodel.algebra.work import NamedEntry
from costmodel.network.assumptions import NO_ASSUMPTIONS, Assumptions
from costmodel.network.known_layers import KnownLayer, KnownLayers
from costmodel.rules import Shape, Site, backward_rule, cost_rule, elements, shape_rule
from costmodel.rules.backward import Backward
from costmodel.rules.base import Requirement, Several, Way, replaced, show_shape, text_of
from costmodel.rules.cost import Cost, Parameter, Role


class InputOutput(NamedTuple):
    """The elements in memory while a layer, or one product of it, is computed.

    Attributes:
        reads: elements of the feature maps that enter.
        writes: elements of the feature maps that leave.
    """

    reads: Expr
    writes: Expr

    @property
    def elements(self) -> Expr:
        """Input and output together."""
        return self.reads + self.writes


class LayerCost(NamedTuple):
    """One layer with its shapes and its cost.

    Attributes:
        node: the layer in the graph.
        inputs: the shapes that enter.
        outputs: the shapes that leave.
        cost: what it costs.
        reads: the tensors that enter, what enters each iteration of a repeat under its own name.
        backward: what it keeps for its backward pass; None of a kind that does not say.
    """

    node: Node
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    cost: Cost
    reads: tuple[Tensor, ...]
    backward: Backward | None = None

    def __repr__(self) -> str:
        return f"<cost of {self.node.path}>"

    @property
    def output(self) -> Shape:
        """The shape that leaves, the first where there are several."""
        return self.outputs[0]

    @property
    def input_elements(self) -> Expr:
        """Elements of all inputs."""
        return sum(map(elements, self.inputs), exact(0))

    @property
    def made(self) -> tuple[Tensor, ...]:
        """The tensors that leave."""
        path = self.node.path
        if len(self.outputs) == 1:
            return (Tensor(path),)
        return tuple(Tensor(path, i) for i in range(len(self.outputs)))

    @property
    def output_elements(self) -> Expr:
        """Elements of all outputs."""
        return sum(map(elements, self.outputs), exact(0))

    @property
    def steps(self) -> tuple[InputOutput, ...]:
        """The layer in one step, or one for each product where there are feature maps inside."""
        if not self.cost.inner:
            return (InputOutput(self.input_elements, self.output_elements),)
        return tuple(InputOutput(nest.activations_read, nest.writes) for nest in self.cost.nests)


class GroupCost(NamedTuple):
    """A group or a repeat with what it holds.

    Attributes:
        name: unique among its siblings.
        path: unique in the network.
        kind: the block's name, or the composite's.
        origin: where it stands in the spec.
        parts: what it holds, each for one run.
        output: the shape that leaves it, of several tensors the first's.
        runs: how often it works.
        copies: how many copies of its weights there are.
        iteration: the index of its runs, where what it holds depends on which of them it is.
        flow: of a repeat, what goes through it.
    """

    name: str
    path: str
    kind: str
    origin: Origin
    parts: tuple["Part", ...]
    output: Shape
    runs: Expr = S.One
    copies: Expr = S.One
    iteration: Symbol | None = None
    flow: "RepeatFlow | None" = None


class RepeatFlow(NamedTuple):
    """The tensors of a repeat.

    Attributes:
        carried: those that go through it; of iterations one by one, to the last of them.
        is_loop: whether its body stands for all iterations; else they stand one by one.
        chosen_by: what decides which experts work, and weighs what they make; None of a repeat.
        sides: what leaves the network in every iteration, from side branches of the body.
        iteration: counts them from 0, where what is in memory depends on which of them it
            is; None where it does not.
    """

    carried: tuple[Carry, ...]
    is_loop: bool = True
    chosen_by: Tensor | None = None
    sides: tuple[Tensor, ...] = ()
    iteration: Symbol | None = None

    def moved(self, move: Callable[[Tensor], Tensor]) -> "RepeatFlow":
        """The same of other tensors, which a function gives for these."""
        carried = tuple(Carry(*map(move, each)) for each in self.carried)
        chosen, sides = self.chosen_by and move(self.chosen_by), tuple(map(move, self.sides))
        return self._replace(carried=carried, chosen_by=chosen, sides=sides)


Part = LayerCost | GroupCost


class Multiplicity(NamedTuple):
    """The multiplicity of a layer: runs, copies of its weights, and iterations around it.

    Attributes:
        runs: how often it works.
        copies: how many copies of its weights there are.
        repeats: those around it whose every iteration counts by itself, the innermost last.
        active: how many of the copies an element of the input meets: of experts those that work.
    """

    runs: Expr = S.One
    copies: Expr = S.One
    repeats: tuple[Iterations, ...] = ()
    active: Expr = S.One

    @property
    def works(self) -> Expr:
        """The total number of runs, every iteration counted."""
        return Mul(self.runs, *(each.count for each in self.repeats))

    def within(self, group: GroupCost) -> "Multiplicity":
        """Return the multiplicity of a group's contents, given that of the group."""
        if group.iteration is not None:
            return self._replace(repeats=(*self.repeats, Iterations(group.iteration, group.runs)))
        chosen = group.flow is not None and group.flow.chosen_by is not None
        return Multiplicity(
            self.runs * group.runs,
            self.copies * group.copies,
            self.repeats,
            self.active * (group.runs if chosen else group.copies),
        )


class CountedLayer(NamedTuple):
    """A layer and how often it counts in the network."""

    layer: LayerCost
    often: Multiplicity


class Propagation(NamedTuple):
    """A graph whose every shape and cost is known.

    Attributes:
        inputs: name → shape of the network's inputs.
        parts: the tree of layers and groups, in the order of the graph.
        requirements: what the layers ask of the symbols, in the same order.
        last_indices: the index of a repeat's iterations → that of the last of them.
        narrows: whether some layers take the last of all tokens alone (see `propagate`).
    """

    inputs: Mapping[str, Shape]
    parts: tuple[Part, ...]
    requirements: tuple[Requirement, ...]
    last_indices: Mapping[Symbol, Expr]
    narrows: bool = False

    @property
    def layers(self) -> tuple[LayerCost, ...]:
        """Every layer once, in order."""
        return tuple(counted.layer for counted in self.counted)

    @property
    def counted(self) -> Iterator[CountedLayer]:
        """Every layer with how often it counts."""
        return counted_in(self.parts)

    def largest_layer(self) -> NamedEntry:
        """Return the layer whose shapes are the longest to write."""
        return max(self.layers, key=lambda layer: sum(map(parts_of, layer.output))).node


ONCE = Multiplicity()


def counted_in(parts: Iterable[Part], often: Multiplicity = ONCE) -> Iterator[CountedLayer]:
    """Every layer of a tree with how often it counts, the tree itself counting so often."""
    for part in parts:
        if isinstance(part, LayerCost):
            yield CountedLayer(part, often)
        else:
            yield from counted_in(part.parts, often.within(part))


def propagate(
    graph: Graph,
    assumed: Assumptions = NO_ASSUMPTIONS,
    past: Rational | str | None = None,
    narrowed: tuple[Tensor, int] | None = None,
    resting: Container[str] = (),
    known: KnownLayers[LayerCost] | None = None,
) -> Propagation:
    """Apply the rules of every node, in order; linear in the number of nodes.

    Args:
        graph: the network.
        assumed: assumptions; expressions are over the symbols that stand in for the spec's.
        past: how many tokens came before those that enter, or the symbol that says it; None where
            no cache is kept.
        narrowed: what leaves one of the graph's own items, of which those after it take the last
            token alone, and the axis of its tokens; None where they take all.
        resting: paths of the layers that meet no token, whatever came before.
        known: layers of other structures of the same spec, which are not worked out again.

    Raises:
        SpecError: a rule is broken whatever the symbols are. Where several are that have nothing to
            do with each other, outside of repeats, the error has all of them.
    """
    gathered = Gathered()
    with gathered.together():
        walk = _ShapeWalk(graph, assumed, past, gathered, known)
        walk.resting = resting
        inputs: dict[str, Shape] = {}
        for given in graph.inputs:
            with gathered.gathering():
                inputs[given.name] = walk.input_shape(given)
        parts: tuple[Part, ...] = ()
        narrows = False
        for item in graph.items:
            parts += walk.parts((item,))
            if narrowed is not None and item_output(item) == narrowed[0]:
                with gathered.gathering():
                    narrows = walk.narrow(*narrowed, graph.inputs)
    return Propagation(inputs, parts, tuple(walk.requirements), walk.last_indices, narrows)


MAX_ITERATIONS = 1_000
"""The most iterations of a repeat that are worked out one by one, where each changes the shape."""

MAX_WORKED = 30_000
"""The most layers that are worked out, each iteration of such a repeat counted."""


MAX_PARTS = 1_000
"""The most parts of one extent; the laws of a network whose sizes are longer help nobody."""

_UNKNOWN = "a shape that an error leaves unknown"
"""The subject of errors that follow from one that is told."""


Shapes = tuple[Shape, ...]
"""The shapes of the tensors that go through a repeat."""


class _Shapes(dict[Tensor, Shape]):
    """Shapes by tensor; there is none of what leaves a layer that is wrong."""

    def __init__(self, gathered: Gathered) -> None:
        super().__init__()
        self.gathered = gathered
        self.left_out: set[str] = set()  # paths of shortcuts

    def leave_out(self, path: str) -> None:
        """Forget the shapes below the path of a shortcut that is left out."""
        self.left_out.add(path)
        for tensor in [each for each in self if each.producer.startswith(f"{path}/")]:
            del self[tensor]

    def __missing__(self, tensor: Tensor) -> Shape:
        for path in self.left_out:
            if tensor.producer.startswith(f"{path}/"):
                raise SpecError(f"{tensor.label} is in a shortcut that is left out here")
        if not self.gathered.found:
            raise KeyError(tensor)  # no error explains it
        raise SpecError(f"the shape of {tensor.label} is unknown", subject=_UNKNOWN)


class _ShapeWalk:
    """The shapes known so far."""

    def __init__(
        self,
        graph: Graph,
        assumed: Assumptions,
        past: Rational | str | None,
        gathered: Gathered,
        known: KnownLayers[LayerCost] | None,
    ) -> None:
        self.gathered = gathered
        self.resting: Container[str] = ()
        gathered.excuse(_UNKNOWN)
        self.in_repeats = 0  # how many repeats are around, whose bodies end at the first error
        self.shapes = _Shapes(gathered)
        self.sources: dict[Tensor, tuple[Tensor, ...]] = {}
        self.weights: dict[str, tuple[Parameter, ...]] = {}  # path → what a layer there learns
        self.entering: dict[Tensor, Tensor] = {}  # what enters a repeat's body → what that is
        self.last_indices: dict[Symbol, Expr] = {}
        # output of a shortcut that is left out → what enters it; what a repeat keeps → its source
        self.instead: dict[Tensor, Tensor] = {}
        self.worked = 0
        self.bounded: set[Expr] = set()  # extents that are not too long
        self.requirements: list[Requirement] = []
        own = {name: symbol(name, spec.domain) for name, spec in graph.symbols.items()}
        self.symbols = {name: assumed.stand_in.get(s, s) for name, s in own.items()}
        self.least = assumed.raised(least_values(graph))
        if isinstance(past, str):
            self.past = exact(graph.values[past]) if past in graph.fixed else self.symbols[past]
        else:
            self.past = None if past is None else exact(past)
        self.known = known
        if known is not None:
            known.begin(self.least, self.past)

    def lookup(self, leaf: Name | Measure) -> Expr:
        """The symbol of a name, or the extent of an axis of a tensor, if it has such an axis."""
        if isinstance(leaf, Name):
            return self.symbols[leaf.id]
        shape = self.shapes[leaf.tensor]
        if not -len(shape) <= leaf.axis < len(shape):
            raise ValueError(f"the input {show_shape(shape)} has no axis {leaf.axis}")
        return shape[leaf.axis]

    def translate(self, tree: Tree) -> Expr:
        """A resolved tree as a sympy expression."""
        return translate(tree, self.lookup)

    def input_shape(self, given: Input) -> Shape:
        """The shape of one of the network's inputs, each extent a positive integer."""
        site = Site(given, (), self.translate, self.least)
        shape = tuple(
            site.size(str(axis), size, word=f"the size of axis {axis}")
            for axis, size in enumerate(given.sizes)
        )
        self.requirements += site.requirements
        self.shapes[Tensor(given.name)] = shape
        return shape

    def narrow(self, tensor: Tensor, axis: int, inputs: Iterable[Input]) -> bool:
        """Leave one token of a tensor on an axis, if those of an input are on it."""
        shape = self.shapes[tensor]
        given = (self.shapes[Tensor(each.name)][:2] for each in inputs)
        if (shape[0], shape[axis]) not in given:
            return False
        self.shapes[tensor] = replaced(shape, axis, S.One)
        return True

    def parts(self, items: Iterable[Item]) -> tuple[Part, ...]:
        """The costs of some items, their inputs being known."""
        parts: list[Part] = []
        for item in items:
            if self.in_repeats:
                parts += self.part(item)
                continue
            with self.gathered.gathering():
                parts += self.part(item)
        return tuple(parts)

    def part(self, item: Item) -> tuple[Part, ...]:
        """The cost of an item, its inputs being known; none of what is left out here."""
        if isinstance(item, Node):
            return (self.layer(item),)
        if isinstance(item, Repeat):
            return (self.repeat(item),)
        if item.replaces is not None:
            if self._is_left_out(item, *item.replaces):
                self.instead[item.output] = item.replaces[0]
                self.shapes.leave_out(item.path)
                return ()
            self.instead.pop(item.output, None)
        for tensor, given in item.expects:
            self._expect(item, tensor, given)
        inner = self.parts(item.items)
        output = self.shapes[item.output]
        return (GroupCost(item.name, item.path, item.kind, item.origin, inner, output),)

    def _is_left_out(self, item: Group, source: Tensor, body: Tensor) -> bool:
        """Return whether a shortcut is the identity, since the body keeps the shape."""
        before, after = self.shapes[source], self.shapes[body]
        if len(before) != len(after):
            return False
        kept = [Equal(*sizes).decide(self.least) for sizes in zip(before, after, strict=True)]
        if False not in kept and None in kept:
            both = f"{show_shape(before)} enters and {show_shape(after)} leaves the body"
            hint = "fix the symbols with --set"
            raise item.error(f"whether the shortcut projects is undecided: {both}", hint)
        return False not in kept

    def _expect(self, item: Group, tensor: Tensor, given: Input) -> None:
        """Require that what enters a network has the shape of its input."""
        shape, site = self.shapes[tensor], Site(item, (), self.translate, self.least)
        if len(shape) != len(given.sizes):
            cause = f"{item.name} takes {len(given.sizes)} axes as {given.name}"
            raise item.error(f"{cause}; {show_shape(shape)} enters")
        wanted = tuple(self.translate(size.tree) for size in given.sizes)
        for axis, (expected, found) in enumerate(zip(wanted, shape, strict=True)):
            rule = f"axis {axis} of what enters is {{found}}; {item.name} takes {{expected}}"
            site.require(Equal(found, expected), rule, {"found": found, "expected": expected}, None)
        self.requirements += site.requirements

    def layer(self, node: Node) -> LayerCost:
        """Apply the rules of one node."""
        self.worked += 1
        if self.worked > MAX_WORKED:
            cause = f"more than {MAX_WORKED:,} layers to work out"
            hint = "turns that each change the shape are worked out one by one"
            raise FinalError(cause, hint=hint, origin=node.origin, entry=node.path)
        node = node._replace(inputs=tuple(map(self._stand_in, node.inputs)))
        inputs = tuple(self.shapes[tensor] for tensor in node.inputs)
        shown = node._replace(inputs=tuple(map(self._entering, node.inputs)))
        fits = not self.in_repeats and node.owner is None and node.path not in self.resting
        known = self.known if fits else None
        found = known.find(shown, inputs, self.lookup) if known else None
        if found is None:
            found = self._worked(node, shown, inputs)
            if known:
                known.keep(found)
        way = self._way(node) if found.requirements else ()
        self.requirements += [each._replace(way=way) for each in found.requirements]
        outputs = found.layer.outputs
        for i, shape in enumerate(outputs):
            tensor = Tensor(node.path, i if len(outputs) > 1 else None)
            self.shapes[tensor] = shape
            self.sources[tensor] = node.inputs
        self.weights.setdefault(node.path, found.learned)
        return found.layer

    def _worked(self, node: Node, shown: Node, inputs: tuple[Shape, ...]) -> KnownLayer[LayerCost]:
        """Return a layer by its rules."""
        read: dict[Name | Measure, Expr] = {}

        def lookup(leaf: Name | Measure) -> Expr:
            read[leaf] = self.lookup(leaf)
            return read[leaf]

        def translated(tree: Tree) -> Expr:
            return translate(tree, lookup)

        past = S.Zero if self.past is not None and node.path in self.resting else self.past
        site = Site(shown, inputs, translated, self.least, past)
        kind = type(node.layer)
        try:
            site.require_axes()
            found = shape_rule.find(kind)(node.layer, site)
            outputs = found.shapes if isinstance(found, Several) else (found,)
            self._bound(node, outputs)
            whole = cost_rule.find(kind)(node.layer, site, outputs[0])
            whole = whole if node.trainable else whole.frozen
            cost = self._shared(node, site, whole)
            keep = backward_rule.get(kind)
            backward = keep(node.layer, site, outputs[0]) if keep else None
            site.read_others(node.layer)
        except SpecError as error:
            raise on_the_way(error, show_way(self._way(node), show_shape)) from None
        except LookupError as error:
            raise node.error(str(error)) from None
        layer = LayerCost(shown, inputs, outputs, cost, node.inputs, backward)
        return KnownLayer(layer, tuple(site.requirements), whole.parameters, read)

    def _bound(self, node: Node, outputs: Iterable[Shape]) -> None:
        """Refuse an extent of more than `MAX_PARTS` parts: it is too long to work on."""
        for axis, extent in ((i, e) for shape in outputs for i, e in enumerate(shape)):
            if extent not in self.bounded and parts_of(extent) > MAX_PARTS:
                hint = "give a symbol of its sizes a number with --set"
                raise node.error(f"the size of axis {axis} has more than {MAX_PARTS:,} parts", hint)
            self.bounded.add(extent)

    def _shared(self, node: Node, site: Site, cost: Cost) -> Cost:
        """The cost without the learnable tensors that another layer owns; all sizes must agree."""
        if node.owner is None or not cost.parameters:
            return cost
        field = "weight" if node.shares is None else None
        own, theirs = cost.parameters, self._owned(node, field)
        if field:
            own, theirs = (next(p for p in own if p.role is Role.WEIGHT),), theirs[:1]
        if [each.name for each in own] != [each.name for each in theirs] and not field:
            missing = ", ".join(each.name for each in own)
            raise node.error(f"'{node.owner}' has other weights than {missing}", field=field)
        for other, mine in zip(theirs, own, strict=True):
            self._require_same(node, site, other, mine, field)
        others = tuple(parameter for parameter in cost.parameters if parameter not in own)
        pairs = zip(theirs, own, strict=True)
        tied = (mine._replace(is_trained=other.is_trained) for other, mine in pairs)
        return cost._replace(parameters=others, tied=(*cost.tied, *tied))

    def _owned(self, node: Node, field: str | None) -> tuple[Parameter, ...]:
        """The learnable tensors of the layer whose weights a node shares; of a tie the weights."""
        found = self.weights.get(node.owner or "")
        if found is None and self.gathered.found:
            raise SpecError(f"the weight of '{node.owner}' is unknown", subject=_UNKNOWN)
        owned = tuple(p for p in found or () if not field or (p.role is Role.WEIGHT and p.shape))
        if not owned:
            raise node.error(f"'{node.owner}' has no weight to share", field=field)
        return owned

    def _require_same(
        self, node: Node, site: Site, theirs: Parameter, mine: Parameter, field: str | None
    ) -> None:
        """Require one size of a learnable tensor and of the one that is shared."""
        word = mine.name if mine.role is not Role.WEIGHT else "weight"
        if len(theirs.shape) != len(mine.shape):
            both = f"{show_shape(theirs.shape)}; this layer needs {show_shape(mine.shape)}"
            raise node.error(f"the {word} of '{node.owner}' is {both}", field=field)
        for axis, sizes in enumerate(zip(theirs.shape, mine.shape, strict=True)):
            rule = f"axis {axis} of the shared {word} is {{theirs}}; this layer needs {{ours}}"
            shown = {"theirs": sizes[0], "ours": sizes[1]}
            site.require(Equal(*sizes), rule, shown, field)
        if not mine.shape or theirs.copies != mine.copies:
            rule = f"the shared {word} has {{theirs}} elements; this layer needs {{ours}}"
            shown = {"theirs": theirs.total, "ours": mine.total}
            site.require(Equal(theirs.total, mine.total), rule, shown, field)

    def repeat(self, item: Repeat) -> GroupCost:
        """Return the cost of a repeat: its body once where it keeps the shape, else until it does.

        Of a symbolic number of iterations, those that all add as much are met once, too. The
        experts of a mixture all take the same input, so its body is always met once.
        """
        runs, copies = self._counts(item)
        item = self._changing(item)
        first = len(self.requirements)
        before = tuple(self.shapes[each.source] for each in item.carried)
        parts, after = self._iteration(item, before)
        if item.kind == "moe" or runs is S.One or same_shapes(before, after):
            self._require_where_it_runs(first, runs)
            return self._finish(item, after, parts, Multiplicity(runs, copies))
        if copies is S.One:
            hint = "give the repeat an index, so that its turns stand one by one"
            raise item.error(f"{_changing(before, after)}; shared turns keep it", hint)
        if not _is_bounded(runs):
            del self.requirements[first:]
            grown = self._growing(item, before, after, runs)
            if grown is not None:
                return grown
            site = Site(item, (), self.translate, self.least)
            rule = "times ({runs}) must be at least 1, since a turn changes the shape"
            site.require(AtLeast(runs, 1), rule, {"runs": runs}, "times")
            self.requirements += site.requirements
            parts, after = self._iteration(item, before)
        return self._finish(item, *self._iterations(item, parts, (before, after), runs))

    def _changing(self, item: Repeat) -> Repeat:
        """Return a repeat with what its iterations change; what they keep is its source in all."""
        found = [each._replace(source=self._stand_in(each.source)) for each in item.carried]
        changed = tuple(each for each in found if not each.is_kept)
        for each in found if changed else ():
            if each.is_kept:
                self.instead[each.entry] = self.entering[each.entry] = each.source
                self.shapes[each.entry] = self.shapes[each.source]
        sides = tuple(map(self._stand_in, item.sides))
        return item._replace(carried=changed or tuple(found), sides=sides)

    def _stand_in(self, tensor: Tensor) -> Tensor:
        """Return the tensor that stands for one which is not made here; any other as it is."""
        return self.instead.get(tensor, tensor)

    def _require_where_it_runs(self, first: int, runs: Expr) -> None:
        """Restrict a body's requirements, from index ``first`` on, to at least one iteration."""
        if not is_at_least(runs, 1, self.least):
            self.requirements[first:] = [
                each._replace(condition=where_it_runs(each.condition, runs))
                for each in self.requirements[first:]
            ]

    def _entering(self, tensor: Tensor) -> Tensor:
        """Return the tensor outside that a repeat's entry stands for; any other tensor as it is."""
        while tensor in self.entering:
            tensor = self.entering[tensor]
        return tensor

    def _counts(self, item: Repeat) -> tuple[Expr, Expr]:
        """Return the runs and copies of a repeat, and require ``0 <= runs <= copies``.

        A body may be left out; an expert is there at least once.
        """
        site = Site(item, (), self.translate, self.least)
        if item.chosen_by is None and item.copies != item.runs:
            runs, copies = site.size("times", Expression(item.runs)), S.One
        elif item.chosen_by is None:
            runs = copies = site.size("times", Expression(item.runs), least=0)
        else:
            runs = site.size("top_k", Expression(item.runs))
            copies = site.size("experts", Expression(item.copies))
            rule = "top_k ({runs}) must be at most experts ({copies})"
            shown = {"runs": runs, "copies": copies}
            site.require(AtLeast(copies - runs, 0), rule, shown, "top_k")
        self.requirements += site.requirements
        return runs, copies

    def _iteration(
        self, item: Repeat, before: Shapes, sources: Iterable[Tensor] = ()
    ) -> tuple[tuple[Part, ...], Shapes]:
        """The body's costs and what leaves it, where ``before`` enters, from the source or else."""
        sources = tuple(sources) or tuple(each.source for each in item.carried)
        for each, shape, source in zip(item.carried, before, sources, strict=True):
            self.shapes[each.entry] = shape
            self.entering[each.entry] = source
            self.sources[each.entry] = (each.source,)
        self.in_repeats += 1
        try:
            parts = self.parts(item.items)
            return parts, tuple(self.shapes[each.result] for each in item.carried)
        finally:
            self.in_repeats -= 1

    def _growing(self, item: Repeat, before: Shapes, after: Shapes, runs: Expr) -> GroupCost | None:
        """All iterations at once, where each adds as much to every axis as the first.

        By induction: the body makes ``before + (i + 1)·step`` of ``before + i·step``, whatever i.
        """
        if [*map(len, before)] != [*map(len, after)]:
            return None
        steps = tuple(tuple(map(sub, new, old)) for old, new in zip(before, after, strict=True))
        index = Symbol(f"turn of {item.path}", integer=True, nonnegative=True)
        self.least = {**self.least, index: 0}
        first = len(self.requirements)
        try:
            parts, left = self._iteration(item, _grown(before, steps, index))
        except SpecError:  # one of unknown number cannot do what one after others can
            return None
        found = self.requirements[first:]
        del self.requirements[first:]
        if not same_shapes(left, _grown(before, steps, index + 1)):
            return None
        iterations = Iterations(index, runs)
        self.last_indices[index] = iterations.last
        try:
            self.requirements += [
                each for one in found for each in _in_all_iterations(one, iterations, self.least)
            ]
            _require_polynomials(parts, index)
        except OpenFormError as error:
            hint = "fix the symbols in times with --set, or put them under let"
            raise item.error(f"{_changing(before, after, left)}: {error}", hint) from None
        self._require_where_it_runs(first, runs)
        output = _grown(before, steps, runs)
        return self._finish(item, output, parts, Multiplicity(runs, runs), index)

    def _index(self, item: Repeat, path: str, runs: Expr) -> Symbol | None:
        """Return the index of a repeat's iterations, where each leaves something in memory."""
        if runs is S.One or not has_sides((item,)):
            return None
        index = Symbol(f"turn of {path}", integer=True, nonnegative=True)
        self.last_indices[index] = runs - 1
        return index

    def _iterations(
        self, item: Repeat, parts: tuple[Part, ...], shapes: tuple[Shapes, Shapes], runs: Expr
    ) -> tuple[Shapes, tuple[Part, ...]]:
        """Return the iterations that change the shape, one by one, then the rest at once.

        The first has the parts given, and the shapes are what enters and leaves it. Of an open
        number of iterations it alone may change the shape.
        """
        before, shape = shapes
        iterations: list[Part] = [_iteration_group(item, "turn_1", parts, shape, S.One)]
        done = 1
        while runs - done != 0:
            parts, after = self._iteration(item, shape, _results_of(item, f"turn_{done}"))
            rest = runs - done
            if same_shapes(shape, after):
                name = f"turn_{done + 1}" + "_on" * (rest != 1)
                index = self._index(item, f"{item.path}/{name}", rest)
                iterations.append(_iteration_group(item, name, parts, after, rest, index))
                break
            if not _is_bounded(runs):
                hint = "fix the symbols in times with --set, or put them under let"
                raise item.error(_changing(before, shape, after), hint)
            done += 1
            iterations.append(_iteration_group(item, f"turn_{done}", parts, after, S.One))
            shape = after
        return shape, tuple(iterations)

    def _finish(
        self,
        item: Repeat,
        outputs: Shapes,
        parts: tuple[Part, ...],
        often: Multiplicity = ONCE,
        index: Symbol | None = None,
    ) -> GroupCost:
        for each, shape in zip(item.carried, outputs, strict=True):
            self.shapes[each.output] = shape
            self.sources[each.output] = (each.result,)
        runs, copies, *_ = often
        last = parts[-1] if parts else None
        if isinstance(last, GroupCost) and last.kind == "turn":
            flow = RepeatFlow(_of_iterations(item, last.path), is_loop=False)
        else:
            of_memory = index or self._index(item, item.path, runs)
            flow = RepeatFlow(item.carried, True, item.chosen_by, item.sides, of_memory)
        named = (item.name, item.path, item.kind, item.origin)
        return GroupCost(*named, parts, outputs[0], runs, copies, index, flow)

    def _way(self, node: Node) -> Way:
        """Return the last tensors on the way to a node, with their shapes."""
        steps: list[tuple[str, Shape]] = []
        tensor: Tensor | None = node.inputs[0] if node.inputs else None
        while tensor is not None and len(steps) < MAX_STEPS:
            steps.append((tensor.label, self.shapes[tensor]))
            before = self.sources.get(tensor, ())
            tensor = before[0] if before else None
        return tuple(reversed(steps))


def _in_all_iterations(
    requirement: Requirement, iterations: Iterations, least: Least
) -> Iterator[Requirement]:
    """Yield a layer's requirements over all iterations, free of the iteration's index."""
    for condition, which in in_all_iterations(requirement.condition, iterations, least):
        at = partial(at_iteration, index=iterations.index, value=which)
        quantities = {name: at(e) for name, e in requirement.quantities.items()}
        way = tuple((name, tuple(map(at, shape))) for name, shape in requirement.way)
        if condition.decide(least) is not True:
            yield requirement._replace(condition=condition, quantities=quantities, way=way)


def _require_polynomials(parts: Iterable[Part], index: Symbol) -> None:
    """Every extent and size is a polynomial in the iteration; so all counts have closed sums."""
    for layer, _ in counted_in(parts):
        sizes = {f"axis {i} of {layer.node.name}": e for i, e in enumerate(layer.output)}
        sizes |= {loop.name: loop.extent for nest in layer.cost.nests for loop in nest.loops}
        sizes |= {parameter.name: parameter.size for parameter in layer.cost.parameters}
        sizes |= {inner.name: inner.size for inner in layer.cost.inner}
        for name, size in sizes.items():
            try:
                coefficients(size, index)
            except OpenFormError:
                cause = f"{name} of {layer.node.path} is {text_of(size)} in it, no polynomial"
                raise OpenFormError(cause) from None


def _is_bounded(runs: Expr) -> bool:
    """Return whether so many iterations may be worked out one by one."""
    return bool(runs.is_Integer and runs <= MAX_ITERATIONS)


def same_shape(before: Shape, after: Shape) -> bool:
    """Return whether two shapes are proved equal."""
    if before == after:
        return True
    return len(before) == len(after) and all(
        Equal(a, b).decide({}) for a, b in zip(before, after, strict=True)
    )


def same_shapes(before: Shapes, after: Shapes) -> bool:
    """Return whether the shapes of several tensors are proved equal, one by one."""
    return all(map(same_shape, before, after))


def _grown(shapes: Shapes, steps: Shapes, count: Expr) -> Shapes:
    """Some shapes after so many iterations that each add a step to every axis."""
    return tuple(
        tuple((size + count * step).expand() for size, step in zip(*pair, strict=True))
        for pair in zip(shapes, steps, strict=True)
    )


def _changing(*states: Shapes) -> str:
    """Describe how the iterations change a shape: the axes that differ, one after the other."""
    shapes = next(each for each in zip(*states, strict=True) if len(set(each)) > 1)
    if len(set(map(len, shapes))) > 1:
        shown = " → ".join(map(show_shape, shapes))
        return f"every turn changes the number of axes: {shown}"
    changes = ", ".join(
        f"axis {i} from {' to '.join(map(text_of, extents))}"
        for i, extents in enumerate(zip(*shapes, strict=True))
        if len(set(extents)) > 1
    )
    step = ", by more than a step that is always the same" if len(shapes) > 2 else ""
    return f"every turn changes {changes}{step}"


def _iteration_group(
    item: Repeat,
    name: str,
    parts: tuple[Part, ...],
    outputs: Shapes,
    runs: Expr,
    index: Symbol | None = None,
) -> GroupCost:
    path = f"{item.path}/{name}"
    moved = tuple(_moved(part, item.path, path) for part in parts)
    number = int(name.split("_")[1])
    before = None if number == 1 else f"{item.path}/turn_{number - 1}"
    sources = (before and each.output._replace(producer=before) for each in item.carried)
    carried = tuple(
        Carry(
            source or each.source,
            _moved_tensor(each.entry, item.path, path),
            _moved_tensor(each.result, item.path, path),
            each.output._replace(producer=path),
        )
        for source, each in zip(sources, item.carried, strict=True)
    )
    sides = tuple(_moved_tensor(side, item.path, path) for side in item.sides)
    flow = RepeatFlow(carried, True, None, sides, index)
    return GroupCost(name, path, "turn", item.origin, moved, outputs[0], runs, runs, None, flow)


def _of_iterations(item: Repeat, last: str) -> tuple[Carry, ...]:
    """Return what goes through iterations that stand one by one, to the last of a path."""
    return tuple(each._replace(result=each.output._replace(producer=last)) for each in item.carried)


def _results_of(item: Repeat, name: str) -> Iterator[Tensor]:
    """Yield the outputs of an iteration that is shown apart from the others."""
    for each in item.carried:
        yield _moved_tensor(each.result, item.path, f"{item.path}/{name}")


def _moved_tensor(tensor: Tensor, old: str, new: str) -> Tensor:
    """A tensor whose producer's path begins with ``new`` instead of ``old``, if it does."""
    inside = tensor.producer.startswith(f"{old}/") and not tensor.producer.startswith(
        f"{old}/turn_"
    )
    return tensor._replace(producer=new + tensor.producer[len(old) :]) if inside else tensor


def _moved(part: Part, old: str, new: str) -> Part:
    """A part whose path begins with ``new`` instead of ``old``."""
    move = partial(_moved_tensor, old=old, new=new)
    if isinstance(part, LayerCost):
        path, inputs = new + part.node.path[len(old) :], tuple(map(move, part.node.inputs))
        node = part.node._replace(path=path, inputs=inputs)
        return part._replace(node=node, reads=tuple(map(move, part.reads)))
    parts = tuple(_moved(inner, old, new) for inner in part.parts)
    flow = part.flow and part.flow.moved(move)
    return part._replace(path=new + part.path[len(old) :], parts=parts, flow=flow)


def least_values(graph: Graph) -> Least:
    """The smallest value of every free symbol that has one."""
    return {
        symbol(name, spec.domain): spec.least
        for name, spec in graph.symbols.items()
        if spec.least is not None and name not in graph.fixed
    }


def on_the_way(error: SpecError, shapes: str) -> SpecError:
    """The same error with the shapes that led there, if there are any."""
    if not shapes:
        return error
    return error.replaced(hint=f"{error.hint}; {shapes}" if error.hint else shapes)


MAX_STEPS = 6
"""The most tensors that an error shows of the way to a layer."""


def show_way(way: Way, show: Callable[[Shape], str]) -> str:
    """``shapes on the way: input [1, 3, 224, 224] → conv2d_1 [1, 96, 55, 55]``."""
    if not way:
        return ""
    steps = ["…"] * (len(way) == MAX_STEPS) + [f"{name} {show(shape)}" for name, shape in way]
    return f"shapes on the way: {' → '.join(steps)}"
