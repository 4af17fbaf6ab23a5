"""Scenarios as axes: several devices and types of numbers, each a column of its name."""

from collections.abc import Collection, Iterable, Mapping
from itertools import product
from typing import Any

from archspec.errors import SpecError
from archspec.fields import shortened
from costmodel.scenario.scenario import NOWHERE, Scenario, scenario
from costmodel.scenario.training import OPTIONS as TRAINING
from costmodel.sweep.vary import split

FIELDS: dict[str, tuple[str, ...]] = {
    "precision": ("dtype", "weights", "activations", "accumulators", "cache"),
    "device": ("hardware", "energy", "efficiency"),
    "training": TRAINING,
    "attention": ("attention",),
    "page": ("page",),
}
"""Field of a scenario → the options that decide it, which may vary."""

OPTIONS = tuple(option for options in FIELDS.values() for option in options)

Options = Mapping[str, str]
"""Option → its value, of those that vary."""


def read_scenarios(
    vary: Iterable[str], known: Collection[str]
) -> tuple[list[Options], tuple[str, ...]]:
    """Return all combinations of a scenario's options that vary, and the other texts.

    Args:
        vary: what varies, as texts.
        known: the names of the specs, which keep their own meaning.

    Raises:
        SpecError: an option has no value, or one twice.
    """
    axes: dict[str, list[str]] = {}
    others = []
    for text in vary:
        name, equals, values = (part.strip() for part in text.partition("="))
        if not equals or name not in OPTIONS or name in known:
            others.append(text)
            continue
        found = list(split(values, ","))
        if name in axes or not all(found) or len(set(found)) < len(found):
            cause = f"--vary {shortened(text)}: {name} takes values that differ"
            raise SpecError(cause, hint="as in --vary hardware=t4,a100-80gb dtype=fp16,int8")
        axes[name] = found
    return [dict(zip(axes, each, strict=True)) for each in product(*axes.values())], tuple(others)


def with_options(base: Scenario, options: Options) -> Scenario:
    """Return a scenario in which some options have other values.

    Raises:
        SpecError: an option is set in the scenario, too, or a value breaks its rule.
    """
    made = scenario(**options)
    changes: dict[str, Any] = {}
    for field, names in FIELDS.items():
        varied = [name for name in names if name in options]
        if varied and getattr(base, field) != getattr(NOWHERE, field):
            cause = f"--vary {varied[0]}: the scenario says already {' or '.join(names)}"
            raise SpecError(cause, hint="vary all of them, one with a single value, or none")
        if varied:
            changes[field] = getattr(made, field)
    if changes.get("training") is not None and base.past is not None:
        raise SpecError("a cache is not trained with", hint="leave --past out, or the optimizer")
    return base._replace(**changes)
