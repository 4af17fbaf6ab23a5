"""The notes below every report: values, conditions, types, device, convention."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.errors import SpecError
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.document import Block, Document, Line, Note
from costmodel.rules.formula import show_decimal
from costmodel.scenario.conventions import Convention

if TYPE_CHECKING:
    from costmodel.algebra.code import Language, Program

StatedNotes = str | Iterable[Note]
"""A text under the usual label, nothing where it is empty; or notes with their own labels."""


def standing_notes(
    analysis: Analysis, *, at: StatedNotes, conditions: StatedNotes, metrics: Iterable[str] = ()
) -> Iterator[Note]:
    """Yield the notes of a network: all that its numbers depend on (see `in_order`).

    Args:
        analysis: the network.
        at: the values of its symbols.
        conditions: those that must hold of them.
        metrics: the metrics that are shown of it.
    """
    scenario = scenario_notes(analysis, metrics)
    assumed, convention = analysis.assumed.texts, analysis.convention
    return in_order(at, assumed, conditions, scenario=scenario, convention=convention)


def in_order(
    at: StatedNotes,
    assumed: Iterable[str],
    conditions: StatedNotes,
    *,
    scenario: Iterable[Note],
    convention: Convention,
) -> Iterator[Note]:
    """Yield the notes in the order of every report: values, assumptions, conditions, scenario."""
    yield from _under("at", at)
    yield from _under("assuming", " and ".join(assumed))
    yield from _under("valid when", conditions)
    yield from scenario
    yield "convention", convention.name


def _under(label: str, notes: StatedNotes) -> Iterable[Note]:
    if isinstance(notes, str):
        return [(label, notes)] if notes else []
    return notes


def scenario_notes(analysis: Analysis, metrics: Iterable[str] = ()) -> Iterator[Note]:
    """Yield the notes on the types of numbers, the device, training and attention."""
    yield from (("note", text) for text in analysis.notes)
    types = (f"{of} {' '.join(names)}" for of, names in analysis.types.items())
    yield "types", ", ".join(types)
    device = analysis.scenario.device
    if device is not None:
        reached = device.efficiency
        part = "" if reached == 1 else f", {show_decimal(reached)} of its peaks reached"
        taken = f", with the energies of {device.energies}" if device.energies else ""
        yield "device", f"{device.profile.key}: {device.profile.fields.name}{part}{taken}"
    if (alone := compute_alone(analysis, metrics)) is not None:
        yield "compute alone", alone
    if analysis.scenario.training is not None:
        yield "training", str(analysis.scenario.training)
    if analysis.can_be_fused:
        yield "attention", str(analysis.scenario.attention)
    if analysis.scenario.page is not None:
        yield "page", f"a cache takes whole pages of {analysis.scenario.page} tokens of a sequence"


def compute_alone(analysis: Analysis, metrics: Iterable[str]) -> str | None:
    """Return the reason why times count operations alone, where no bandwidth is known; else None.

    Args:
        analysis: the network.
        metrics: the metrics that are shown of it; only among bounds of time there are such.
    """
    if analysis.scenario.device is None:
        return None
    from costmodel.metrics.latency import BOUNDS
    from costmodel.scenario.devices import no_bandwidth

    cause = no_bandwidth(analysis.scenario.device.profile)
    if cause is None or not any(name in BOUNDS for name in metrics):
        return None
    return f"{cause}, so what moves is not bounded"


def document_of(
    analysis: Analysis,
    blocks: Callable[[], Iterator[Block]],
    data: Callable[[], dict[str, Any]],
    **more: Any,
) -> Document:
    """Return the document of a network, with its name and source (see `Document`)."""
    graph = analysis.graph
    return marked(Document(graph.title, blocks, data, graph.source or "", **more), [analysis])


class MissingNote(NamedTuple):
    """The operators that are missing in a network, with the sentence that says so.

    Attributes:
        note: a sentence that says so.
        operators: operator → the paths of the layers that stand for it.
    """

    note: str
    operators: Mapping[str, list[str]]


def marked(document: Document, analyses: Iterable[Analysis]) -> Document:
    """Return a document whose every form ends with the operators that are missing in its networks.

    Every document about a network is made by this, as its last step, so that no number of it stands
    without that.

    Args:
        document: what is said of the networks.
        analyses: the networks.
    """
    gaps = {gap.note: gap for gap in map(gap_of, analyses) if gap}
    if not gaps:
        return document

    def blocks() -> Iterator[Block]:
        yield from document.blocks()
        yield from (Line(note, "bold") for note in gaps)

    def data() -> dict[str, Any]:
        return {**document.data(), "missing": {n: dict(gap.operators) for n, gap in gaps.items()}}

    def program(language: "Language") -> "Program":
        made = document.in_language(language)
        return made._replace(title="; ".join((made.title, *gaps)))

    return replace(document, blocks=blocks, data=data, program=document.program and program)


def gap_of(analysis: Analysis) -> MissingNote | None:
    """Return what is missing in a network; None where nothing is."""
    if not analysis.missing:
        return None
    names, count = ", ".join(analysis.missing), sum(map(len, analysis.missing.values()))
    what = "1 operator is missing" if count == 1 else f"{count} operators are missing"
    note = f"{analysis.graph.title}: {what}: {names}; totals are lower bounds"
    return MissingNote(note, analysis.missing)


def require_whole(analysis: Analysis) -> Analysis:
    """Return the analysis, of which an exact number is to be compared with a published one.

    Raises:
        SpecError: an operator is missing, so that its totals are lower bounds.
    """
    gap = gap_of(analysis)
    if gap is not None:
        raise SpecError(gap.note, hint="only the numbers of a whole network are compared")
    return analysis


def warnings_of(analyses: Iterable[Analysis]) -> tuple[str, ...]:
    """Return the messages on what specs say without effect, and on what they lack."""
    listed = list(analyses)
    found = (f"warning: {warning}" for analysis in listed for warning in analysis.warnings)
    gaps = filter(None, map(gap_of, listed))
    return (*found, *(f"warning: {gap.note}" for gap in gaps))


def scenario_fields(analysis: Analysis, metrics: Iterable[str] = ()) -> dict[str, Any]:
    """Return the scenario as plain data."""
    fields: dict[str, Any] = {"notes": list(analysis.notes)} if analysis.notes else {}
    fields["types"] = {of: list(names) for of, names in analysis.types.items()}
    device = analysis.scenario.device
    if device is not None:
        fields["device"] = device.profile.key
        fields["efficiency"] = float(device.efficiency)
    if (alone := compute_alone(analysis, metrics)) is not None:
        fields["compute_alone"] = alone
    if analysis.scenario.training is not None:
        fields["training"] = analysis.scenario.training.fields
    if analysis.can_be_fused:
        fields["attention"] = analysis.scenario.attention.value
    if analysis.scenario.page is not None:
        fields["page"] = int(analysis.scenario.page)
    return fields
