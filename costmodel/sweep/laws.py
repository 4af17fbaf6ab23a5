"""What a sweep computes of one network, as one integer program: columns, conditions, questions."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sympy import Expr, Symbol

from archspec.errors import SpecError, did_you_mean
from archspec.expressions import ExpressionError, parse
from archspec.header import Symbol as Declared
from archspec.scope import Scope, free_names, resolve
from archspec.trees import Items, Measure, Name, Number, Tree, Value
from costmodel.algebra.conditions import Condition
from costmodel.algebra.functions import Maximum, exact
from costmodel.algebra.translate import translate
from costmodel.algebra.work import budget
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.constraints import Constraint, Stated, read_constraints, read_quantity
from costmodel.metrics.registry import METRICS
from costmodel.scenario.settings import to_rational
from costmodel.sweep.lowering import Part, Program

Link = str | Tree
"""What another symbol decides, as a text or its tree."""


def settled(settings: Mapping[str, Any], links: Mapping[str, Link]) -> dict[str, Any]:
    """Settings, and the values of the symbols that are linked to these alone.

    Raises:
        SpecError: such a link has no value there.
    """
    found = dict(settings)
    for name, link in links.items():
        tree = parse(link) if isinstance(link, str) else link
        names = free_names(tree)
        if names <= found.keys():
            found[name] = _value(name, tree, {each: found[each] for each in names})
    return found


def _value(name: str, link: Tree, values: Mapping[str, Any]) -> Any:
    numbers = {each: Number(to_rational(each, value)) for each, value in values.items()}
    try:
        found = resolve(link, Scope(numbers))
    except ExpressionError as error:
        raise SpecError(f"link of '{name}': {error.cause}") from None
    return found.value if isinstance(found, Number) else found


class Laws(NamedTuple):
    """The laws of one network that a sweep asks for.

    Attributes:
        analysis: the network.
        columns: name → what it states.
        constraints: what is asked of every point.
    """

    analysis: Analysis
    columns: Mapping[str, Stated]
    constraints: tuple[Constraint, ...]

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Where the network is valid."""
        return self.analysis.demands

    def values(self, varied: Iterable[str], links: Mapping[str, Expr]) -> dict[Symbol, Expr]:
        """What every other symbol stands for: its link, its value, the last turn of a repeat."""
        analysis, given = self.analysis, set(varied)
        laws: dict[Symbol, Expr] = {
            index: Maximum(last, exact(0))
            for index, last in analysis.propagation.last_turns.items()
        }
        for name, free in analysis.symbols.items():
            if name in links:
                laws[free] = links[name]
            elif name not in given:
                laws[free] = exact(analysis.graph.values[name])
        return laws

    def links(self, said: Mapping[str, Link]) -> dict[str, Expr]:
        """What symbols are linked to, as expressions of the axes alone.

        Raises:
            SpecError: a link is no expression, or names itself or a later one.
        """
        found: dict[str, Expr] = {}
        symbols = self.analysis.symbols
        for name, link in said.items():
            self.check_symbol(name)
            known = {symbols[each]: expression for each, expression in found.items()}
            found[name] = self._link(name, link).xreplace(known)
            for other in said:
                if symbols.get(other) in found[name].free_symbols:
                    raise SpecError(f"{name} is linked to {other}, which is linked itself later")
        return found

    def _link(self, name: str, said: Link) -> Expr:
        analysis = self.analysis

        def lookup(leaf: Name | Measure) -> Expr:
            assert isinstance(leaf, Name)
            return analysis.symbols[leaf.id]

        scope: dict[str, Value] = {
            each: Name(each) if each in analysis.symbols else Number(value)
            for each, value in analysis.graph.values.items()
        }
        try:
            tree = parse(said) if isinstance(said, str) else said
            found = resolve(tree, Scope(scope))
            if isinstance(found, Items):
                raise ExpressionError("a list is no number")
            return translate(found, lookup)
        except (ExpressionError, ValueError) as error:
            cause = getattr(error, "cause", str(error))
            raise SpecError(f"link of '{name}': {cause}", hint="as in w=h or w=2*h") from None

    def check_symbol(self, name: str) -> None:
        """Make sure that a symbol can be varied.

        Raises:
            SpecError: it is no free symbol.
        """
        symbols = self.analysis.symbols
        if name in self.analysis.graph.fixed:
            raise SpecError(f"'{name}' is set, so it cannot vary")
        if name not in symbols:
            raise SpecError(f"there is no symbol '{name}'", hint=did_you_mean(name, symbols))


def laws_of(analysis: Analysis, columns: Mapping[str, str], where: Iterable[str]) -> Laws:
    """The laws that some columns and questions are about.

    Raises:
        SpecError: a text states nothing of metrics and symbols.
    """
    stated = {name: _stated(text, analysis) for name, text in columns.items()}
    return Laws(analysis, stated, read_constraints(where, analysis))


def _stated(text: str, analysis: Analysis) -> Stated:
    metric = METRICS.get(text.strip())
    if metric is None:
        return read_quantity(text, analysis)
    expression = analysis.law_of(metric, analysis.total(metric.name))
    return Stated(expression, metric.quantity is None)


class Lowered(NamedTuple):
    """The laws as nodes of one program.

    Attributes:
        program: all nodes.
        inputs: symbol's name → its node.
        links: linked symbol → its value.
        columns: name → its value.
        counts: the columns that are integers.
        valid: the nodes that say where the network is valid and everything has a value.
        met: the nodes that say where what is asked holds.
    """

    program: Program
    inputs: Mapping[str, int]
    links: Mapping[str, Part]
    columns: Mapping[str, Part]
    counts: frozenset[str]
    valid: tuple[int, ...]
    met: tuple[int, ...]


def lowered(
    laws: Laws, denominators: Mapping[str, int], links: Mapping[str, Link] | None = None
) -> Lowered:
    """The program of some laws, the given symbols being integers over denominators."""
    hint = "ask for fewer columns, or give some symbols a number with --set"
    with budget("the operations of the sweep", laws.analysis.propagation.largest_layer, hint):
        return _lowered(laws, denominators, links or {})


def _lowered(laws: Laws, denominators: Mapping[str, int], links: Mapping[str, Link]) -> Lowered:
    symbols = laws.analysis.symbols
    linked = laws.links(links)
    values = laws.values(denominators, linked)
    program = Program({symbols[name]: under for name, under in denominators.items()}, values)
    inputs = {name: program.lower(symbols[name]).over for name in denominators}
    columns = {name: program.lower(stated.expression) for name, stated in laws.columns.items()}
    columns = {name: _shown(program, part, laws.columns[name]) for name, part in columns.items()}
    shown = {name: program.signed(program.lower(symbols[name])) for name in linked}
    conditions = [program.condition(condition) for condition in laws.conditions]
    declared = laws.analysis.graph.symbols
    conditions += [node for name, p in shown.items() for node in _rules(program, p, declared[name])]
    met = [_asked(program, constraint) for constraint in laws.constraints]
    return Lowered(
        program,
        inputs,
        shown,
        columns,
        frozenset(name for name, stated in laws.columns.items() if stated.is_count),
        (*program.defined, *conditions),
        tuple(met),
    )


def _rules(program: Program, part: Part, declared: Declared) -> Iterator[int]:
    """What a linked symbol's value must keep: positive, in its range, a multiple."""
    step = (declared.multiple_of or 1) if declared.domain == "integer" else declared.multiple_of
    zero = Part(program.zero, program.one)
    if not program.is_positive(part.over):
        yield program.compare("gt", part, zero)
    for name, bound in (("ge", declared.min), ("le", declared.max)):
        if bound is not None:
            yield program.compare(name, part, program.lower(exact(bound)))
    if step and (step > 1 or part.under != program.one):
        by = program.divisor(program.mul(part.under, program.const(step)))
        yield program.op("divides", by, part.over)


def _shown(program: Program, part: Part, stated: Stated) -> Part:
    """The denominators of what may be compared are positive."""
    return part if stated.is_count and part.under == program.one else program.signed(part)


def _asked(program: Program, constraint: Constraint) -> int:
    left, right = program.lower(constraint.left), program.lower(constraint.right)
    return program.compare("lt" if constraint.strict else "le", left, right)
