"""Published laws, derived: a paper's formula less what the networks' laws give, as an identity."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb, prod
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sympy import Expr, Mul, Symbol, cancel, expand, factor, nan, zoo

from archspec.arithmetic import Rational
from archspec.errors import SpecError, did_you_mean
from archspec.expressions import FUNCTIONS, ExpressionError, parse
from archspec.laws import Law, read_laws
from archspec.layers.base import as_expression
from archspec.scope import Scope, resolve
from archspec.trees import Binary, Call, Measure, Name, Tree, Unary
from costmodel.algebra.conditions import condition_text
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import separated
from costmodel.algebra.printing import real_text
from costmodel.algebra.symbols import symbol
from costmodel.algebra.translate import translate
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.analysis.standing import require_whole
from costmodel.metrics.registry import METRICS, find_metric
from costmodel.network.assumptions import Assumptions, read_assumptions
from costmodel.rules.formula import show_number
from costmodel.scenario.conventions import Convention, find_convention
from costmodel.scenario.scenario import scenario
from costmodel.studies import question

PUBLISHED = Path(__file__).parent / "published"
"""The folder of the laws that come with the package."""


MAX_TERMS = 5_000
"""The most terms of a formula that is multiplied out."""

MAX_FACTORED = 100
"""The most terms of a formula whose factors are looked for."""


class CountCall(NamedTuple):
    """A call in a derivation: ``macs(network)``, or ``macs(network, part)``.

    Attributes:
        metric: what is counted.
        network: of which network.
        part: of which layers: all in something of that name; None where the whole network counts.
    """

    metric: str
    network: str
    part: Name | None

    def __str__(self) -> str:
        arguments = self.network if self.part is None else f"{self.network}, {self.part.id}"
        return f"{self.metric}({arguments})"

    def of(self, analysis: Analysis) -> Expr:
        """Return the count, in the spec's symbols.

        Raises:
            ExpressionError: the network has nothing of that name.
        """
        if self.part is None:
            return analysis.total(self.metric)
        paths = {layer.node.path: layer.node.path.split("/") for layer in analysis.layers}
        inside = [c for c in analysis.counted if self.part.id in paths[c.layer.node.path]]
        if not inside:
            hint = did_you_mean(self.part.id, {name for path in paths.values() for name in path})
            cause = f"the network '{self.network}' has no layer '{self.part.id}'"
            raise ExpressionError(cause, self.part.position, hint)
        found = find_metric(self.metric).of(inside, analysis.context)
        return analysis.assumed.shown(found)


def read_derivation(law: Law) -> tuple[Tree, dict[str, CountCall]]:
    """Return a law's ``derived`` as an expression in which each count is a name, and the counts.

    Raises:
        SpecError: it is no expression, or counts what is not there.
    """
    counts: dict[str, CountCall] = {}
    with law.place("derived"):
        tree = parse(law.fields.derived, {**FUNCTIONS, **dict.fromkeys(METRICS, (1, 2))})
        named = _named(tree, law, counts)
    counted = {count.network for count in counts.values()}
    for network in law.networks:
        if network not in counted:
            with law.place("networks", network):
                raise SpecError("nothing of this network is counted", hint=f"as macs({network})")
    return named, counts


def _named(tree: Tree, law: Law, counts: dict[str, CountCall]) -> Tree:
    """Return a tree with a name for every count, and note the counts."""
    match tree:
        case Call(metric, arguments) if metric in METRICS:
            count = _count(metric, arguments, law)
            counts[str(count)] = count
            return Name(str(count))
        case Call(function, arguments):
            return Call(function, tuple(_named(a, law, counts) for a in arguments))
        case Unary(operator, operand):
            return Unary(operator, _named(operand, law, counts))
        case Binary(operator, left, right):
            return Binary(operator, _named(left, law, counts), _named(right, law, counts))
    return tree


def _count(metric: str, arguments: tuple[Tree, ...], law: Law) -> CountCall:
    names = [argument for argument in arguments if isinstance(argument, Name)]
    if len(names) < len(arguments):
        raise ExpressionError(
            f"{metric} counts a network, or a part of one", hint=f"as {metric}(network, layer)"
        )
    network, part = names[0], names[1] if len(names) > 1 else None
    if network.id not in law.networks:
        hint = did_you_mean(network.id, law.networks)
        raise ExpressionError(f"there is no network '{network.id}'", network.position, hint)
    return CountCall(metric, network.id, part)


@dataclass(frozen=True)
class Proof:
    """A published law beside the formula that is derived.

    Attributes:
        law: what is published.
        convention: what counts.
        conditions: where the networks are valid, beside what is assumed.
        derived: what the networks' laws give.
        published: the paper's formula.
        stated: what they are stated to differ by.
    """

    law: Law
    convention: Convention
    conditions: tuple[str, ...]
    derived: Expr
    published: Expr
    stated: Expr

    @cached_property
    def residual(self) -> Expr:
        """Derived less published."""
        return cancel(self.derived - self.published)

    @cached_property
    def holds(self) -> bool:
        """Return True where the residual is identically the one that is stated."""
        return bool(cancel(self.residual - self.stated) == 0)

    @property
    def defaults(self) -> dict[str, Rational]:
        """The symbols' values in the example."""
        return {name: symbol.default for name, symbol in self.law.symbols.items()}

    def example(self, expression: Expr, values: Mapping[str, Rational] | None = None) -> Rational:
        """Return the value of a formula, at the defaults where no values are given."""
        known = values or self.defaults
        return Evaluator({free: known[n] for n, free in _symbols(self.law).items()})(expression)

    @property
    def counterexample(self) -> dict[str, Rational]:
        """Values at which the formulas differ: the defaults, or near them; they may break rules."""
        defaults = self.defaults
        near = [{**defaults, name: value + 1} for name, value in defaults.items()]
        further = {name: value + 1 for name, value in defaults.items()}
        wrong = self.residual - self.stated
        for values in (defaults, *near, further):
            if self.example(wrong, values) != 0:
                return values
        return defaults


def prove(law: Law) -> Proof:
    """Derive a law's formula and compare it with the published one.

    Raises:
        SpecError: a network breaks a rule, or a formula has no meaning.
    """
    tree, counted = read_derivation(law)
    assumed = _assumed(law)
    with law.place("convention"):
        convention = find_convention(law.fields.convention)
    with law.place("scenario"):
        setting = scenario(**law.fields.scenario.model_dump())
    setup = Setup(convention, assume=tuple(law.fields.assume), scenario=setting)
    analyses = {name: _analyzed(name, law, setup) for name in law.networks}
    with law.place("derived"):
        counts = {name: count.of(analyses[count.network]) for name, count in counted.items()}
        derived = _expression(tree, law, assumed, counts)
    published = _formula("published", law, assumed)
    stated = _formula("residual", law, assumed)
    with law.place("published"):
        _require_small(derived - published - stated)
    found = (condition for analysis in analyses.values() for condition in analysis.conditions)
    conditions = tuple(dict.fromkeys(map(condition_text, found)))
    return Proof(law, convention, conditions, derived, published, stated)


def _symbols(law: Law) -> dict[str, Symbol]:
    return {name: symbol(name, declared.domain) for name, declared in law.symbols.items()}


def _assumed(law: Law) -> Assumptions:
    """Return the assumptions of a law."""
    with law.place("assume"):
        assumed = read_assumptions(law.fields.assume, law.symbols, {})
        try:
            assumed.valued({s: law.symbols[name].default for name, s in _symbols(law).items()})
        except SpecError as error:
            hint = "give the symbols defaults that keep it"
            raise SpecError(error.cause.replace("values", "defaults", 1), hint=hint) from None
    return assumed


def _analyzed(name: str, law: Law, setup: Setup) -> Analysis:
    with law.place("networks", name):
        return require_whole(analyze_architecture(law.networks[name], setup))


def _formula(field: Literal["published", "residual"], law: Law, assumed: Assumptions) -> Expr:
    with law.place(field):
        return _expression(getattr(law.fields, field).tree, law, assumed, {})


def _expression(tree: Tree, law: Law, assumed: Assumptions, counts: Mapping[str, Expr]) -> Expr:
    """Return a formula in the symbols and counts, evaluated under the assumptions."""
    free, counted = _symbols(law), {name: Symbol(name, positive=True) for name in counts}
    names = {name: assumed.derived.get(name, Name(name)) for name in free}
    resolved = resolve(tree, Scope({**names, **{name: Name(name) for name in counts}}))
    known = {**{name: assumed.stand_in.get(s, s) for name, s in free.items()}, **counted}

    def lookup(leaf: Name | Measure) -> Expr:
        assert isinstance(leaf, Name)  # no tensor enters a formula, so nothing of it is measured
        return known[leaf.id]

    found = translate(as_expression(resolved).tree, lookup)
    found = assumed.shown(found).xreplace({counted[name]: counts[name] for name in counts})
    found = separated(found)
    if found.has(nan, zoo):
        raise ExpressionError("division by zero")
    _require_small(found)
    return found


def _require_small(formula: Expr) -> None:
    """Make sure that a formula can be multiplied out, and over one denominator."""
    if _terms(formula) > MAX_TERMS:
        raise ExpressionError(f"multiplied out, this has over {MAX_TERMS:,} terms")


def _terms(expression: Expr) -> int:
    """Return how many terms an expression has at most, multiplied out over one denominator."""
    inner = [_terms(part) for part in expression.args]
    if expression.is_Add:
        return sum(inner) * prod(map(_terms, _denominators(expression)))
    if expression.is_Mul:
        return prod(inner)
    if expression.is_Pow and expression.exp.is_Integer:
        times = abs(int(expression.exp))
        return comb(inner[0] + times - 1, times)
    return 1


def _denominators(expression: Expr) -> set[Expr]:
    """Return the sums that terms of a sum are divided by."""
    factors = (factor for term in expression.args for factor in Mul.make_args(term))
    return {x.base for x in factors if x.is_Pow and x.base.is_Add and x.exp.is_negative}


def shown(expression: Expr) -> str:
    """Return the shortest form of a formula; a quotient in it need not be an integer."""
    canonical = cancel(expression)
    forms = [expression, expand(canonical)]
    if _terms(canonical) <= MAX_FACTORED:
        forms.append(factor(canonical))
    return min(map(real_text, forms), key=len)


def built_in_files() -> tuple[Path, ...]:
    """Return the files of the laws that come with the package."""
    return tuple(sorted(PUBLISHED.glob("*.yaml")))


def select(laws: Iterable[Law], names: Iterable[str]) -> tuple[Law, ...]:
    """Return the laws of some names, or all where none are given.

    Raises:
        SpecError: there is no law of a name.
    """
    known, wanted = tuple(laws), tuple(names)
    for name in wanted:
        if name not in {law.name for law in known}:
            hint = did_you_mean(name, (law.name for law in known))
            raise SpecError(f"there is no law '{name}'", hint=hint)
    return tuple(law for law in known if not wanted or law.name in wanted)


NAMES = (
    *("name", "law", "published", "derived", "residual", "because", "stated", "for example"),
    *("assuming", "valid when", "scenario", "convention", "source"),
)
"""The columns behind the verdict."""


@question(name="prove", group="Ask")
def prove_laws(files: list[str] | None = None, /, *, law: tuple[str, ...] = ()) -> doc.Document:
    """Derive published formulas from networks; exit status 1 where one is not as published.

    Args:
        files: Files of laws; else the built-in.
        law: Laws by name; all where not given.

    Examples:
        archcost prove
        archcost prove --law kaplan_params resnet_bottleneck
    """
    laws = [each for file in files or built_in_files() for each in read_laws(file)]
    return document([prove(each) for each in select(laws, law)])


def document(proofs: Sequence[Proof]) -> doc.Document:
    """Return the document of some proofs: a row for each, then how many hold."""
    failed = sum(not proof.holds for proof in proofs)

    def blocks() -> Iterator[doc.Block]:
        columns = (doc.Column("verdict", ""), *(doc.Column(name, name) for name in NAMES))
        rows = (
            doc.Row(dict(_cells(proof)), style="good" if proof.holds else "bad") for proof in proofs
        )
        yield doc.Table(columns, tuple(rows), listed=True)
        conventions = dict.fromkeys(proof.convention.name for proof in proofs)
        yield doc.entries(("convention", convention) for convention in conventions)
        yield doc.Line(f"{len(proofs) - failed} proved, {failed} failed")

    def data() -> dict[str, Any]:
        return {"archcost": doc.VERSION, "laws": list(map(_data, proofs))}

    return doc.Document("", blocks, data, holds=not failed)


def _cells(proof: Proof) -> Iterator[tuple[str, doc.Cell]]:
    fields = proof.law.fields
    yield "verdict", "PROVED" if proof.holds else "FAILED"
    yield "name", doc.Code(proof.law.name)
    yield "law", fields.doc
    yield "published", doc.Code(proof.law.written("published"))
    yield "derived", doc.Code(f"{fields.derived} = {shown(proof.derived)}")
    yield "residual", doc.Code(shown(proof.residual))
    yield "because", fields.because
    if not proof.holds:
        yield "stated", doc.Code(proof.law.written("residual"))
        yield "for example", _example(proof)
    if fields.assume:
        yield "assuming", doc.Code(" and ".join(fields.assume))
    if proof.conditions:
        yield "valid when", doc.Code(" and ".join(proof.conditions))
    yield "scenario", str(fields.scenario)
    yield "convention", proof.convention.name
    yield "source", fields.source


def _example(proof: Proof) -> str:
    """Return the text of a counterexample: both formulas' values where they differ."""
    values = proof.counterexample
    shown_values = ", ".join(f"{name} = {value}" for name, value in values.items())
    published, derived = (proof.example(e, values) for e in (proof.published, proof.derived))
    numbers = f"{show_number(derived)} derived, {show_number(published)} published"
    return f"{numbers}, at {shown_values}"


def _data(proof: Proof) -> dict[str, Any]:
    fields = proof.law.fields
    formulas = {
        "published": proof.published,
        "derived": proof.derived,
        "residual": proof.residual,
        "stated": proof.stated,
    }
    return {
        "name": proof.law.name,
        "doc": fields.doc,
        "source": fields.source,
        "convention": proof.convention.name,
        "symbols": doc.plain(proof.defaults),
        "assumptions": fields.assume,
        "conditions": list(proof.conditions),
        "derivation": fields.derived,
        **{
            name: {"expr": shown(formula), "value": doc.plain_number(proof.example(formula))}
            for name, formula in formulas.items()
        },
        "because": fields.because,
        "proved": proof.holds,
    }
