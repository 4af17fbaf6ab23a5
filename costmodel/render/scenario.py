"""What is said of a scenario below every number: types of numbers, the device, training."""

from collections.abc import Iterator
from typing import Any

from costmodel.analysis import Analysis
from costmodel.report import show_decimal


def scenario_notes(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """The types that numbers have; the device, how much of its peaks is reached; training."""
    types = (f"{of} {' '.join(names)}" for of, names in analysis.types.items())
    yield "types", ", ".join(types)
    device = analysis.scenario.device
    if device is not None:
        reached = device.efficiency
        part = "" if reached == 1 else f", {show_decimal(reached)} of its peaks reached"
        taken = f", with the energies of {device.energies}" if device.energies else ""
        yield "device", f"{device.profile.key}: {device.profile.fields.name}{part}{taken}"
    if analysis.scenario.training is not None:
        yield "training", str(analysis.scenario.training)


def scenario_fields(analysis: Analysis) -> dict[str, Any]:
    """The same as plain data."""
    fields: dict[str, Any] = {"types": {of: list(names) for of, names in analysis.types.items()}}
    device = analysis.scenario.device
    if device is not None:
        fields["device"] = device.profile.key
        fields["efficiency"] = float(device.efficiency)
    if analysis.scenario.training is not None:
        fields["training"] = analysis.scenario.training.fields
    return fields
