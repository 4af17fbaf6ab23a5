"""Published facts: what a spec expects, beside what its laws give."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from math import floor
from os.path import isdir
from pathlib import Path
from typing import Any, NamedTuple

from archspec import Architecture, SpecError, load
from archspec.arithmetic import Rational, tidy
from archspec.errors import Origin
from archspec.header import Fact, Rounding
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.analysis.standing import require_whole
from costmodel.metrics.registry import find_metric
from costmodel.network.networks import expanded
from costmodel.rules.formula import show_decimal, show_number
from costmodel.scenario.scenario import Scenario
from costmodel.studies import question


class Finding(NamedTuple):
    """One fact and our number.

    Attributes:
        spec: the file, with the variant where the fact is about one.
        fact: what is published, with its source.
        convention: what counts, by name.
        value: our number.
        shown: our number, rounded as the source rounds.
        place: where the fact stands.
    """

    spec: str
    fact: Fact
    convention: str
    value: Rational
    shown: Rational
    place: Origin | None = None

    @property
    def passes(self) -> bool:
        """Return True where our number is the published one."""
        return self.shown == self.fact.value

    @property
    def difference(self) -> Rational:
        """Our number less the published one, in the source's units."""
        return tidy(Fraction(self.shown) - Fraction(self.fact.value))


@question(group="Ask")
def check(specs: list[str], /) -> doc.Document:
    """Prove the published facts of specs; exit status 1 where one fails, 2 where one is bad.

    Args:
        specs: Specs, or folders of specs.

    Examples:
        archcost check alexnet
        archcost check resnet vgg

    Raises:
        SpecError: the specs expect nothing, or none of them can be read.
    """
    findings: list[Finding] = []
    errors: list[SpecError] = []
    for spec in spec_files(specs):
        try:
            findings += check_facts(spec)
        except SpecError as error:
            errors.append(error)
    if not (findings or errors):
        raise SpecError("these specs expect nothing", hint="write facts under expect")
    return replace(document(findings), errors=tuple(errors))


def spec_files(paths: Iterable[str]) -> Iterator[str]:
    """Yield the specs that some paths stand for: a file, or all specs in a folder.

    Raises:
        SpecError: a folder without specs.
    """
    for path in expanded(paths):
        if not isdir(path):
            yield path
            continue
        found = sorted(str(file) for file in Path(path).rglob("*.yaml"))
        if not found:
            raise SpecError(f"no spec (*.yaml) in {path}")
        yield from found


def check_facts(spec: str) -> Iterator[Finding]:
    """Yield every fact of a spec, in its order; of ``PATH@VARIANT`` those of the variant.

    Raises:
        SpecError: the spec breaks a rule, or a fact names what is not there.
    """
    architecture = load(spec)
    analyses: dict[tuple[object, ...], Analysis] = {}
    path = architecture.document.file
    for i, fact in enumerate(architecture.header.expect):
        if architecture.variant not in (None, fact.variant):
            continue
        name = f"{path}@{fact.variant}" if fact.variant else path
        try:
            about = (fact.variant, fact.convention, *fact.at.items(), str(fact.precision))
            if about not in analyses:
                analyses[about] = _analyzed(architecture.varied(fact.variant), fact)
            analysis = analyses[about]
            value = analysis.value(find_metric(fact.metric).name)
        except SpecError as error:
            raise error.placed(architecture.document.origin(("expect", i)), f"expect.{i}") from None
        place = architecture.document.origin(("expect", i))
        shown = rounded(value, fact.rounded)
        yield Finding(name, fact, analysis.convention.name, value, shown, place)


def _analyzed(architecture: Architecture, fact: Fact) -> Analysis:
    """Return the analysis at the numbers that a fact is about."""
    settings = architecture.header.defaults | fact.at
    setup = Setup(fact.convention, settings, scenario=Scenario(fact.precision))
    return require_whole(analyze_architecture(architecture, setup))


def rounded(value: Rational, rounding: Rounding | None) -> Rational:
    """Return a number as a source rounds it: in units, down or to the nearest."""
    if rounding is None:
        return value
    units = Fraction(value) / Fraction(rounding.to)
    return floor(units) if rounding.how == "floor" else floor(units + Fraction(1, 2))


COLUMNS = (
    *(doc.Column("verdict", ""), doc.Column("spec", "spec"), doc.Column("fact", "fact")),
    *(doc.Column(name, name, doc.COUNT) for name in ("published", "ours", "difference")),
    *(doc.Column("rounded", "", keep=-1), doc.Column("source", "source", keep=-1)),
)


def document(findings: Sequence[Finding]) -> doc.Document:
    """Return the document of some findings: a line for each, then how many passed."""
    failed = sum(not finding.passes for finding in findings)

    def blocks() -> Iterator[doc.Block]:
        if not findings:
            return
        yield doc.table_of(COLUMNS, map(_cells, findings))
        yield doc.Line(f"{len(findings) - failed} passed, {failed} failed")

    def data() -> dict[str, Any]:
        return {"archcost": doc.VERSION, "facts": list(map(_data, findings))}

    faults = tuple(map(_fault, filter(lambda finding: not finding.passes, findings)))
    return doc.Document("", blocks, data, holds=not failed, faults=faults)


def _fault(finding: Finding) -> doc.Failure:
    numbers = (finding.fact.metric, show_number(finding.shown), show_number(finding.fact.value))
    file, line = (finding.spec, 0) if finding.place is None else finding.place[:2]
    return doc.Failure(file, line, "{} is {}, and {} is published".format(*numbers))


def _data(finding: Finding) -> dict[str, Any]:
    fact = finding.fact
    return {
        "spec": finding.spec,
        "metric": fact.metric,
        "convention": finding.convention,
        "symbols": {name: doc.plain_number(value) for name, value in fact.at.items()},
        "published": doc.plain_number(fact.value),
        "value": doc.plain_number(finding.value),
        "shown": doc.plain_number(finding.shown),
        "passes": finding.passes,
        "source": fact.source,
    }


def _cells(finding: Finding) -> tuple[doc.Cell, ...]:
    fact = finding.fact
    setting = ", ".join(f"{name}={show_decimal(value)}" for name, value in fact.at.items())
    return (
        "PASS" if finding.passes else "FAIL",
        finding.spec,
        f"{fact.metric} ({finding.convention}{', ' * bool(setting)}{setting})",
        *(fact.value, finding.shown, finding.difference),
        "" if fact.rounded is None else f"× {show_number(fact.rounded.to)}",
        fact.source,
    )
