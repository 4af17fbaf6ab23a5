"""The notes below every report: values, conditions, types, device, convention."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from costmodel.analysis.analysis import Analysis
from costmodel.analysis.document import Block, Document, Note
from costmodel.rules.formula import show_decimal
from costmodel.scenario.conventions import Convention

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
    """Return the reason why bounds of time are those of the operations alone; None where not.

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
    return Document(graph.title, blocks, data, graph.source or "", **more)


def warnings_of(analyses: Iterable[Analysis]) -> tuple[str, ...]:
    """Return the messages on what specs say without effect."""
    return tuple(f"warning: {warning}" for analysis in analyses for warning in analysis.warnings)


def scenario_fields(analysis: Analysis, metrics: Iterable[str] = ()) -> dict[str, Any]:
    """Return the scenario as plain data."""
    fields: dict[str, Any] = {"types": {of: list(names) for of, names in analysis.types.items()}}
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
