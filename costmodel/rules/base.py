"""The register of shape and cost rules, and the place where a rule looks at its layer."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Generic, NamedTuple, TypeVar

from sympy import Expr, Integer, Mul

from archspec.errors import SpecError
from archspec.fields import Expression, ShapeOf
from archspec.graph import Group, Input, Node, Repeat
from archspec.layers import ALIASES, Layer
from archspec.trees import Tree
from costmodel.algebra.bounds import Least
from costmodel.algebra.conditions import AtLeast, Condition, Divides
from costmodel.algebra.floors import open_divisors
from costmodel.algebra.functions import RoundTo, absorbed, is_whole
from costmodel.rules.backward import Backward
from costmodel.rules.cost import Cost

Shape = tuple[Expr, ...]
"""The extents of a tensor's axes, in elements."""


class Several(NamedTuple):
    """The shapes of a layer that several tensors leave."""

    shapes: tuple[Shape, ...]


_AT_LEAST = {0: "an integer of at least 0", 1: "a positive integer"}

Translate = Callable[[Tree], Expr]
"""A resolved tree as a sympy expression; may raise ValueError."""


Way = tuple[tuple[str, Shape], ...]
"""Tensors by name with their shapes, in the order in which they come to be."""


class Requirement(NamedTuple):
    """A condition, and the rule of the layer that asks for it.

    Attributes:
        condition: what must hold.
        node: the layer.
        rule: the rule in words, its quantities in braces.
        quantities: name → expression.
        field: the field that the rule is about, or None.
        way: the tensors that led to the layer, with their shapes.
    """

    condition: Condition
    node: Node | Input | Repeat | Group
    rule: str
    quantities: Mapping[str, Expr]
    field: str | None = None
    way: Way = ()

    def broken(self, show: Callable[[Expr], object]) -> SpecError:
        """Return the error of a broken rule, its quantities shown by ``show``."""
        shown = {name: show(expression) for name, expression in self.quantities.items()}
        return self.node.error(self.rule.format_map(shown), field=self.field)


@dataclass
class Site:
    """One layer in its network: the shapes that enter, the values of its fields, its requirements.

    Attributes:
        node: the layer's node, or the input or repeat whose sizes are read.
        inputs: the shapes that enter.
        translate: gives the value of a field's expression.
        least: the smallest value of each symbol.
        past: how many tokens came before those that enter, where a cache is kept.
        requirements: the conditions that it has asked for so far.
        both: the shape and the cost of the layer, where one rule gives both (see `rule`).
    """

    node: Node | Input | Repeat | Group
    inputs: tuple[Shape, ...]
    translate: Translate
    least: Least
    past: Expr | None = None
    requirements: list[Requirement] = field(default_factory=list)
    both: "Both | None" = None
    _values: dict[tuple[str, Expression], Expr] = field(default_factory=dict)
    _read: set[str] = field(default_factory=set)

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the tensors that enter."""
        return tuple(t.label for t in self.node.inputs) if isinstance(self.node, Node) else ()

    @property
    def input(self) -> Shape:
        """The shape that enters, where it is one."""
        return self.inputs[0]

    def require_axes(self) -> None:
        """Make sure that the input has as many axes as PyTorch's name of the kind asks for.

        Raises:
            SpecError: it has more, or fewer.
        """
        assert isinstance(self.node, Node)
        torch, kind = self.node.torch, type(self.node.layer)
        if torch is None or torch.fits(len(self.input)):
            return
        least, most = torch.axes or (0, 0)
        wanted = str(least) if least == most else f"{least} or {most}"
        cause = f"{torch.name} takes {wanted} axes; the input {show_shape(self.input)} has "
        others = (alias.torch for alias in ALIASES.values() if alias.kind == kind.kind)
        fitting = next((other.name for other in others if other.fits(len(self.input))), None)
        hint = f"write {fitting} here, or {kind.kind} for any" if fitting else None
        raise self.node.error(f"{cause}{len(self.input)}", hint)

    def require_same_rank(self) -> None:
        """Make sure that all inputs have as many axes.

        Raises:
            SpecError: they do not.
        """
        if len({len(shape) for shape in self.inputs}) > 1:
            shapes = zip(self.sources, map(show_shape, self.inputs), strict=True)
            shown = ", ".join(f"{name} {shape}" for name, shape in shapes)
            raise self.node.error(f"the inputs have different numbers of axes: {shown}")

    def value(self, name: str, expression: Expression) -> Expr:
        """Return the value of a field's expression, given with the field's name.

        Raises:
            SpecError: it has none.
        """
        self._read.add(name)
        try:
            value = self.translate(expression.tree)
        except SpecError:  # a size that is unknown, since an error is told already
            raise
        except ValueError as error:
            raise self.node.error(str(error), field=name) from None
        self._require_divisors(name, value)
        return value

    def _require_divisors(self, name: str, value: Expr) -> None:
        """Ask for positive divisors, without which there is no value; -2 divides as it is."""
        for rounded in value.atoms(RoundTo):
            self._require_whole("the divisor of round_to", rounded.args[1], "an integer", name)
        for divisor in open_divisors(value):
            if is_whole(divisor) and AtLeast(-divisor, 1).decide(self.least) is not True:
                rule = f"the divisor ({{divisor}}) in {name} must be positive"
                self.require(AtLeast(divisor, 1), rule, {"divisor": divisor}, name)

    def size(
        self, name: str, expression: Expression, least: int = 1, word: str | None = None
    ) -> Expr:
        """Return the value of a field that must be an integer of at least ``least``.

        Args:
            name: the field.
            expression: what stands there.
            least: the smallest value it may have.
            word: what errors call it; else the field's name.
        """
        if (name, expression) not in self._values:
            size, wanted = absorbed(self.value(name, expression)), _AT_LEAST[least]
            self._require_whole(word or name, size, wanted, name)
            rule = f"{word or name} ({{value}}) must be {wanted}"
            self.require(AtLeast(size, least), rule, {"value": size}, name)
            self._values[name, expression] = size
        return self._values[name, expression]

    def integer(self, name: str, expression: Expression) -> int:
        """The value of a field that must be a known integer, as an axis is."""
        value = self.value(name, expression)
        if not value.is_Integer:
            raise self.node.error(f"{name} ({value}) must be a known integer", field=name)
        return int(value)

    def per_axis(
        self, name: str, given: Expression | tuple[Expression, ...], rank: int, least: int = 1
    ) -> tuple[Expr, ...]:
        """One size per axis, from one for all or a list."""
        return tuple(self.size(name, item, least) for item in self.each_axis(name, given, rank))

    def extents(self, name: str, given: ShapeOf) -> tuple[Expr, ...]:
        """The spatial extents of another tensor of as many axes as the input.

        Raises:
            SpecError: it has another number of axes.
        """
        axes = range(2, len(self.input))
        found = tuple(self.value(name, given.extent(axis)) for axis in axes)
        if found != tuple(self.value(name, given.extent(axis - len(self.input))) for axis in axes):
            cause = f"{name} names a tensor of more axes than the {len(self.input)} of what enters"
            raise self.node.error(cause, field=name)
        return found

    def each_axis(
        self, name: str, given: Expression | tuple[Expression, ...], rank: int
    ) -> tuple[Expression, ...]:
        """One expression per axis, from one for all or a list.

        Raises:
            SpecError: the list is of another length.
        """
        if isinstance(given, Expression):
            return (given,) * rank
        if len(given) != rank:
            cause = f"{name} has {len(given)} values for {rank} axes"
            hint = f"write one number, or a list of {rank}"
            raise self.node.error(cause, hint, name)
        return given

    def read_others(self, layer: Layer) -> None:
        """Give every field that no rule has read a value, or its error.

        Raises:
            SpecError: a field has none.
        """
        others = [each for each in expressions_of(layer) if each[0] not in self._read]
        for name, given in others:
            self.value(name, given)

    def require(
        self,
        condition: Condition,
        rule: str,
        quantities: Mapping[str, Expr],
        field: str | None = None,
    ) -> None:
        """Ask for a condition; one that is false whatever the symbols is an error at once.

        Args:
            condition: what must hold.
            rule: the rule in words, its quantities in braces.
            quantities: name → expression.
            field: the field that the rule is about.

        Raises:
            SpecError: the condition is false.
        """
        requirement = Requirement(condition, self.node, rule, quantities, field)
        truth = condition.decide(self.least)
        if truth is False:
            raise requirement.broken(text_of)
        if truth is None:
            self.requirements.append(requirement)

    def require_divisible(self, word: str, size: Expr, field: str, divisor: Expr) -> None:
        """Ask that a size, called ``word`` in errors, be a multiple of a field's value."""
        rule = f"{word} ({{size}}) must be divisible by {field} ({{divisor}})"
        self.require(Divides(divisor, size), rule, {"size": size, "divisor": divisor}, field)

    def axis(self, index: int, name: str | None = None) -> int:
        """An axis counted from 0, from an index that may count from the end.

        Raises:
            SpecError: the input has no such axis.
        """
        rank = len(self.input)
        if not -rank <= index < rank:
            raise self.node.error(
                f"axis {index} of an input with {rank} axes {show_shape(self.input)}", field=name
            )
        return index % rank

    def axis_of(self, name: str, expression: Expression) -> int:
        """The axis that a field names, counted from 0 (see `axis`)."""
        return self.axis(self.integer(name, expression), name)

    def new_axis_of(self, name: str, expression: Expression) -> int:
        """The place of a new axis that a field names, counted from 0."""
        index, places = self.integer(name, expression), len(self.input) + 1
        if not -places <= index < places:
            shown = show_shape(self.input)
            raise self.node.error(f"no place {index} for a new axis in {shown}", field=name)
        return index % places

    def axes_of(self, name: str, expressions: Iterable[Expression]) -> tuple[int, ...]:
        """The axes that a field lists, counted from 0, each once."""
        axes = tuple(self.axis_of(name, expression) for expression in expressions)
        if len(set(axes)) < len(axes):
            raise self.node.error(f"{name} names an axis twice", field=name)
        return axes

    def whole(self, name: str, expression: Expression) -> Expr:
        """The value of a field that must be an integer, of whatever sign."""
        value = absorbed(self.value(name, expression))
        self._require_whole(name, value, "an integer", name)
        return value

    def _require_whole(self, word: str, value: Expr, wanted: str, name: str) -> None:
        if not is_whole(value):
            over, under = value.as_numer_denom()
            rule = f"{word} ({{value}}) must be {wanted}"
            self.require(Divides(under, over), rule, {"value": value}, name)


def expressions_of(layer: Layer) -> Iterator[tuple[str, Expression]]:
    """Yield the expressions that stand in a layer's fields, each with its field, by their names."""
    for name in sorted(layer.model_fields_set):
        given = getattr(layer, name)
        for item in given if type(given) is tuple else (given,):
            if isinstance(item, Expression):
                yield name, item


def show_shape(shape: Shape) -> str:
    """``[1, 96, (h - 7)//4 + 1]``."""
    return f"[{', '.join(map(text_of, shape))}]"


def text_of(expression: Expr) -> str:
    """Return the text of an expression in an error."""
    from costmodel.algebra.printing import text

    return str(expression) if expression.is_Rational else text(expression)


@lru_cache(2**14)
def elements(shape: Shape) -> Expr:
    """Return the number of elements of a tensor."""
    return Mul(*shape) if shape else Integer(1)


def replaced(shape: Shape, axis: int, size: Expr) -> Shape:
    """A shape with another extent of one axis."""
    return (*shape[:axis], size, *shape[axis + 1 :])


_Rule = TypeVar("_Rule", bound=Callable[..., Any])
_R = TypeVar("_R", bound=Callable[..., Any])


class Rules(Generic[_Rule]):
    """The rules of one sort, by the classes of layers that they are of; registers them, too.

    Args:
        sort: as errors call it: ``shape``, ``cost``, ``backward``.
    """

    def __init__(self, sort: str) -> None:
        self._sort = sort
        self._rules: dict[type[Layer], Any] = {}

    def __call__(self, *layers: type[Layer]) -> Callable[[_R], _R]:
        """Return a decorator that registers a function for some classes and their subclasses.

        Raises:
            ValueError: a class has one already.
        """

        def register(rule: _R) -> _R:
            for layer in layers:
                if layer in self._rules:
                    known = self._rules[layer].__name__
                    raise ValueError(f"{layer.__name__} has a rule already: {known}")
                self._rules[layer] = rule
            return rule

        return register

    def get(self, layer: type[Layer]) -> _Rule | None:
        """Return the rule of a class, or None; those of our own kinds are imported when needed."""
        module = rule_module(layer)
        if module and find_spec(module):
            import_module(module)
        return next((self._rules[each] for each in layer.__mro__ if each in self._rules), None)

    def find(self, layer: type[Layer]) -> _Rule:
        """Return the rule of a class.

        Raises:
            LookupError: there is none; the message names the file where it belongs.
        """
        rule, module = self.get(layer), rule_module(layer)
        if rule is not None:
            return rule
        place = f"in {module.replace('.', '/')}.py" if module else f"beside {layer.__module__}"
        raise LookupError(f"kind '{layer.kind}' has no {self._sort} rule; it belongs {place}")


shape_rule = Rules[Callable[[Any, Site], Shape | Several]]("shape")
"""The functions that give the shape of a layer's output."""

cost_rule = Rules[Callable[[Any, Site, Shape], Cost]]("cost")
"""The functions that give the cost of a layer, from the shape of its output."""

backward_rule = Rules[Callable[[Any, Site, Shape], Backward]]("backward")
"""The functions that give what a layer keeps for its backward pass."""


Both = tuple[Shape | Several, Cost]
_Of = TypeVar("_Of", bound=Callable[[Any, Site], Both])


def rule(*layers: type[Layer]) -> Callable[[_Of], _Of]:
    """Return a decorator that registers a function for the shape and the cost of some classes.

    Of each layer it is called once. Where classes share one of the two alone, there are
    `shape_rule` and `cost_rule`.
    """

    def register(function: _Of) -> _Of:
        def both(layer: Layer, site: Site) -> Both:
            if site.both is None:
                site.both = function(layer, site)
            return site.both

        def cost(layer: Layer, site: Site, output: Shape) -> Cost:
            shape, found = both(layer, site)
            if output != (shape.shapes[0] if isinstance(shape, Several) else shape):
                raise LookupError(f"kind '{layer.kind}' has its own shape rule, but no cost rule")
            return found

        shape_rule(*layers)(wraps(function)(lambda layer, site: both(layer, site)[0]))
        cost_rule(*layers)(wraps(function)(cost))
        return function

    return register


def keeps(backward: Backward, *layers: type[Layer]) -> None:
    """Let layers of some classes keep the same for their backward pass, whatever their sizes."""

    def always(layer: Layer, site: Site, output: Shape) -> Backward:  # noqa: ARG001
        """The same, whatever the layer's fields and shapes."""
        return backward

    backward_rule(*layers)(always)


def rule_module(layer: type[Layer]) -> str | None:
    """Return the module of our own rules for a class; None for a class from elsewhere."""
    package, _, name = layer.__module__.rpartition(".")
    return f"costmodel.rules.{name}" if package == "archspec.layers" else None
