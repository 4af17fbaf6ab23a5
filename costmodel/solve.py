"""Laws asked backwards: the largest or smallest value of a symbol at which constraints hold.

The search is exact: over integers (or the multiples that the network allows) by bisection where
the form of the law proves that it rises or falls, else value by value; over real numbers by the
places where floors and roundings step. The answer comes with the numbers at it and beyond it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike, fspath

from archspec import SpecError, load
from archspec.arithmetic import Rational
from archspec.errors import did_you_mean
from costmodel.analysis import Number, analyze_architecture, to_rational
from costmodel.assumptions import read_assumptions
from costmodel.conventions import find_convention
from costmodel.queries import read_constraints
from costmodel.questions import Answer, End, Question
from costmodel.search import Grid, Line


def ask(
    spec: str | PathLike[str],
    symbol: str,
    constraints: Iterable[str],
    *,
    end: End | None = None,
    step: Number | None = None,
    convention: str = "lecture",
    settings: Mapping[str, Number] | None = None,
    assume: Iterable[str] = (),
) -> tuple[Question, Answer]:
    """Ask for a symbol's value: ``ask("specs/resnet.yaml", "width", ["macs <= 300e6"])``.

    Args:
        spec: path of a YAML spec.
        symbol: the symbol that is open; the others have their defaults, or what is set or assumed.
        constraints: comparisons of metrics and symbols, ``and`` between several.
        end: ``largest`` or ``smallest``; else the largest, or the smallest where the constraints
            hold from some value on.
        step: look at its multiples only.
        convention: what counts.
        settings: values of other symbols.
        assume: what else holds of the symbols, as ``w == h``.

    Raises:
        SpecError: the spec, a constraint or an option breaks a rule.
    """
    architecture = load(fspath(spec))
    declared, assumed = architecture.header.symbols, tuple(assume)
    if symbol not in declared:
        hint = did_you_mean(symbol, declared) or f"the spec has {', '.join(declared) or 'none'}"
        raise SpecError(f"there is no symbol '{symbol}'", hint=hint)
    given = {name: to_rational(name, value) for name, value in (settings or {}).items()}
    if symbol in given:
        raise SpecError(f"'{symbol}' is set; what is solved for is open")
    equal = read_assumptions(assumed, declared, {}).derived
    if symbol in equal:
        raise SpecError(f"'{symbol}' is assumed to equal another", hint="solve for that one")
    kept = architecture.header.defaults.items()
    fixed = {name: value for name, value in kept if name not in (symbol, *equal)} | given
    analysis = analyze_architecture(architecture, find_convention(convention), fixed, assumed)
    wanted = read_constraints(constraints, analysis)
    if not wanted:
        raise SpecError("nothing is asked for", hint='as in --where "macs <= 300e6"')
    question = Question(
        analysis, symbol, wanted, "largest", None if step is None else _positive(step)
    )
    question = replace(question, end=end or ("smallest" if question.falls else "largest"))
    return question, answer(question)


def _positive(step: Number) -> Rational:
    size = to_rational("step", step)
    if size <= 0:
        raise SpecError(f"step = {size} must be positive")
    return size


def answer(question: Question) -> Answer:
    """The answer to a question."""
    search = Line(question) if question.domain.step is None else Grid(question)
    return search.answer()
