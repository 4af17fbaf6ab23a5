"""What a sweep computes of one network, as one integer program: columns, conditions, questions."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sympy import Expr, Symbol

from archspec.arithmetic import Rational
from archspec.errors import SpecError, did_you_mean
from archspec.expressions import ExpressionError, parse
from archspec.scope import Scope, resolve
from archspec.trees import Measure, Name, Tree
from costmodel.algebra.conditions import Condition
from costmodel.algebra.functions import Maximum, exact
from costmodel.algebra.translate import translate
from costmodel.analysis import Analysis
from costmodel.metrics import METRICS
from costmodel.queries import Constraint, Stated, read_constraints, read_quantity
from costmodel.sweep.lowering import Part, Program

Link = str | Tree
"""What another symbol decides, as a text or its tree."""


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

    def link(self, name: str, said: Link) -> Expr:
        """What a symbol is linked to, as an expression of the others.

        Raises:
            SpecError: it is none.
        """
        symbols = self.analysis.symbols

        def lookup(leaf: Name | Measure) -> Expr:
            assert isinstance(leaf, Name)
            return symbols[leaf.id]

        try:
            tree = parse(said) if isinstance(said, str) else said
            found = resolve(tree, Scope({each: Name(each) for each in symbols}))
            return translate(found, lookup)  # type: ignore[arg-type]
        except (ExpressionError, ValueError) as error:
            cause = getattr(error, "cause", str(error))
            raise SpecError(f"{name}={said}: {cause}", hint="as in w=h or w=2*h") from None

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
    symbols = laws.analysis.symbols
    linked = {name: laws.link(name, said) for name, said in (links or {}).items()}
    values = laws.values(denominators, linked)
    program = Program({symbols[name]: under for name, under in denominators.items()}, values)
    inputs = {name: program.lower(symbols[name]).over for name in denominators}
    columns = {name: program.lower(stated.expression) for name, stated in laws.columns.items()}
    columns = {name: _shown(program, part, laws.columns[name]) for name, part in columns.items()}
    conditions = [program.condition(condition) for condition in laws.conditions]
    met = [_asked(program, constraint) for constraint in laws.constraints]
    return Lowered(
        program,
        inputs,
        {name: program.lower(symbols[name]) for name in linked},
        columns,
        frozenset(name for name, stated in laws.columns.items() if stated.is_count),
        (*program.defined, *conditions),
        tuple(met),
    )


def _shown(program: Program, part: Part, stated: Stated) -> Part:
    """The denominators of what may be compared are positive."""
    return part if stated.is_count and part.under == program.one else program.signed(part)


def _asked(program: Program, constraint: Constraint) -> int:
    left, right = program.lower(constraint.left), program.lower(constraint.right)
    return program.compare("lt" if constraint.strict else "le", left, right)


Number = Rational
