"""Commands that hold networks against each other: two versions of a spec, several specs."""

from collections.abc import Callable, Collection
from typing import Annotated

from cyclopts import Parameter

from archspec import Architecture
from archspec.errors import SpecError, did_you_mean
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.loading import analyze_loaded
from costmodel.cli.options import (
    NOTHING_GIVEN,
    Format,
    Given,
    Metrics,
    Step,
    Symbolic,
    chosen,
    require_values,
    warn,
)
from costmodel.cli.tell import tell
from costmodel.scenario.conventions import convention_of
from costmodel.scenario.settings import positive, to_rational

Version = Annotated[
    str,
    Parameter(help="PATH or REVISION:PATH; REVISION: alone of the other's file; @VARIANT or @*."),
]
Budgets = Annotated[
    list[str] | None,
    Parameter(
        help="What metrics may gain, as 'macs +2%' 'params +0'; exit status 1 beyond it.",
    ),
]


def diff(
    old: Version,
    new: Version,
    /,
    *,
    metric: Metrics = None,
    max_: Budgets = None,
    symbolic: Symbolic = False,
    format: Format = "table",  # noqa: A002 - the option's name
    given: Given = NOTHING_GIVEN,
) -> int:
    """Show what a change of a spec does to every metric; 1 where it goes beyond a budget."""
    from costmodel.render import find_renderer
    from costmodel.studies.budgets import read_budget
    from costmodel.studies.diff import differences
    from costmodel.studies.diff_document import document, show_balance
    from costmodel.studies.revisions import load_source, read_sources

    render, metrics = find_renderer(format), chosen(metric)
    require_values("--max", max_)
    budgets = tuple(map(read_budget, max_ or ()))
    before, after = map(load_source, read_sources(old, new))
    analyse = analyser(given, (*before.specs, *after.specs))
    found = differences(before, after, analyse, metrics, budgets)
    for spec in found.diffs:
        warn(spec.new)
    print(render(document(found, symbolic=symbolic)), end="")
    for network, balance in found.broken:
        name = network.new.graph.variant or network.new.graph.name
        tell(f"{name}: {show_balance(balance)}")
    return int(any(found.broken))


def compare(
    specs: Annotated[list[str], Parameter(help="Two or more: PATH, REVISION:PATH; @VARIANT, @*.")],
    /,
    *,
    metric: Metrics = None,
    for_: Annotated[
        str | None, Parameter(help="The symbol along which to look; else each.")
    ] = None,
    step: Step = None,
    format: Format = "table",  # noqa: A002 - the option's name
    given: Given = NOTHING_GIVEN,
) -> None:
    """Show networks side by side, and from which value of a symbol on their order is another."""
    from costmodel.network.networks import expanded
    from costmodel.render import find_renderer
    from costmodel.studies.compare import ComparedNetwork, Comparison, labels
    from costmodel.studies.compare_document import document
    from costmodel.studies.revisions import load_source, read_source

    render, metrics = find_renderer(format), chosen(metric)
    loaded = [
        (side.source._replace(variant=spec.variant), spec)
        for side in map(load_source, map(read_source, expanded(specs)))
        for spec in side.specs
    ]
    if len(loaded) < 2:
        raise SpecError("one network alone is not compared", hint="name two, or PATH@* for all")
    size = None if step is None else positive("step", step)
    analyse, fixed = analyser(given, [spec for _, spec in loaded]), frozenset(given.fixed)
    names = labels([source for source, _ in loaded])
    analyses = [analyse(spec) for _, spec in loaded]
    networks = (
        ComparedNetwork(name, each, fixed) for name, each in zip(names, analyses, strict=True)
    )
    found = Comparison(tuple(networks), metrics, for_, size)
    for analysis in analyses:
        warn(analysis)
    print(render(document(found)), end="")


def analyser(given: Given, specs: Collection[Architecture]) -> Callable[[Architecture], Analysis]:
    """Return the function that analyses some specs; a symbol is set where a spec has it.

    Raises:
        SpecError: none of them has a symbol that is set.
    """
    known = {name for spec in specs for name in spec.header.symbols}
    fixed = {name: to_rational(name, value) for name, value in given.fixed.items()}
    for name in fixed.keys() - known:
        hint = did_you_mean(name, known)
        raise SpecError(f"none of the specs has a symbol '{name}' to set", hint=hint)

    convention = convention_of(given.convention, *specs)

    def analyse(spec: Architecture) -> Analysis:
        own = {name: value for name, value in fixed.items() if name in spec.header.symbols}
        said = own, given.assumed, given.scenario
        return analyze_loaded(spec, convention, *said, numbers_suffice=True)

    return analyse
