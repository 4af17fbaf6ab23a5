"""The documents of a verdict and of the largest value that fits: every memory, what breaks."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from archspec.hardware import Profile
from costmodel.analysis.document import (
    COUNT,
    SHARE,
    Block,
    Cell,
    Code,
    Column,
    Document,
    Line,
    Note,
    entries,
    plain_number,
    table_of,
)
from costmodel.rules.formula import count_of, show_bytes
from costmodel.studies import solve_document
from costmodel.studies.fit import CONTENTS, Fit, MemoryNeed, in_words
from costmodel.studies.problem import Answer, Problem
from costmodel.studies.report import Report
from costmodel.studies.report_document import head, notes
from costmodel.studies.weight_placement import Full

NEEDS = (
    Column("memory", "memory"),
    Column("holds", "holds"),
    Column("needed", "needed", COUNT),
    Column("capacity", "capacity", COUNT, keep=-1),
    Column("used", "used", SHARE),
    Column("verdict", "", keep=1),
)

BREAKS = (
    Column("path", "breaks at"),
    Column("needed", "in memory", COUNT),
    Column("over", "over", COUNT),
)

MAX_BREAKS = 10
"""The most layers that are listed; JSON has all."""

BESIDE = ("kv_cache", "gradients", "optimizer_state", "activations_kept")
"""The metrics that get a line of their own; weights and the peak have theirs in every report."""

ORDERS = {
    "given": "the layers work in the given order",
    "best": "the layers work in the best order at the values of the symbols",
}

NOT_COUNTED = "the program, its stack and the buffers of a runtime, which take their part as well"


def document(report: Report, fit: Fit) -> Document:
    """Return the document of a verdict: every memory, then the layers that break."""
    profile = report.analysis.context.device.profile

    def blocks() -> Iterator[Block]:
        training = "" if fit.order else " in training"
        yield Line(f"{'fits' if fit.fits else 'does not fit'} {profile.key}{training}")
        yield from _tables(fit)
        yield entries((*_notes(fit, profile), *notes(report)))

    return Document(
        title=report.title,
        source=report.analysis.graph.source or "",
        blocks=blocks,
        data=lambda: {**head(report), "hardware": profile.key, **_data(fit)},
    )


def solved(problem: Problem, answer: Answer, there: Fit | None) -> Document:
    """Return the document of the largest value at which a network fits.

    Args:
        problem: what was asked.
        answer: the value, with its certificate.
        there: the memories at that value, where there is one.
    """
    profile = problem.analysis.context.device.profile

    def blocks() -> Iterator[Block]:
        yield entries(solve_document.told(problem, answer))
        if there is not None:
            yield from _tables(there)
        found = () if there is None else _notes(there, profile)
        yield entries((*found, *solve_document.standing(problem)))

    def data() -> dict[str, Any]:
        memories = None if there is None else _data(there)
        found = solve_document.data(problem, answer)
        return {**found, "hardware": profile.key, "there": memories}

    title = f"{problem.analysis.graph.name}: the largest {problem.name} that fits {profile.key}"
    return Document(title, blocks, data)


def _tables(fit: Fit) -> Iterator[Block]:
    """Return the memories, then the layers that break, the worst first."""
    yield table_of(NEEDS, map(_need, fit.needs))
    if fit.breaks and fit.room >= 0:
        worst = sorted(fit.breaks, key=lambda each: -each.over)
        shown = ((Code(path), needed, over) for path, needed, over in worst[:MAX_BREAKS])
        yield table_of(BREAKS, shown)
        more = len(fit.breaks) - MAX_BREAKS
        if more > 0:
            yield Line(f"… and {more:,} more; --format json lists all", "dim")


def _need(need: MemoryNeed) -> tuple[Cell, ...]:
    memory = need.memory
    share = Fraction(need.needed) / Fraction(memory.capacity)
    verdict = f"{count_of(need.over, 'byte')} over" if need.over else "fits"
    return Code(memory.name), memory.holds, need.needed, memory.capacity, share, verdict


def _notes(fit: Fit, profile: Profile) -> Iterator[Note]:
    """Return what is to be said of the verdict, of the memories and of the device."""
    yield from _order(fit)
    for need in fit.needs:
        yield from _of_memory(need, fit, profile)
    for metric in fit.metrics:
        if metric in BESIDE:
            yield CONTENTS[metric], show_bytes(fit.needs[-1].sizes[metric])
    yield "not counted", NOT_COUNTED
    if profile.fields.doc:
        yield "of the device", profile.fields.doc


def _order(fit: Fit) -> Iterator[Note]:
    """Return the order of the layers, and whether another would do."""
    if fit.order is not None:
        yield "order", ORDERS[fit.order]
    if fit.best is not None:
        yield "hint", f"in another order it fits, with {show_bytes(fit.best)}: --order best"


def _of_memory(need: MemoryNeed, fit: Fit, profile: Profile) -> Iterator[Note]:
    """Return where a memory is full, what it lacks, and how large it is."""
    memory = need.memory
    if need.passes:
        yield f"{memory.name} is full", f"at the weights of {need.passes}"
    if fit.room < 0 and need is fit.needs[-1]:
        beside, works = (
            in_words(memory.metrics[:-1]),
            "layer works" if fit.order else "step is made",
        )
        lacking = f"{count_of(-fit.room, 'byte')} for the {beside} alone: no {works}"
        yield f"{memory.name} lacks", lacking
    source = profile.fields.memory[memory.name].capacity.source
    yield memory.name, f"{show_bytes(memory.capacity)}: {source}"


def _data(fit: Fit) -> dict[str, Any]:
    return {
        "fits": fit.fits,
        "order": fit.order,
        "fits_in_best_order": plain_number(fit.best),
        "memories": list(map(_need_data, fit.needs)),
        "room": plain_number(fit.room),
        "breaks": [
            {"path": path, "needed": plain_number(needed), "over": plain_number(over)}
            for path, needed, over in fit.breaks
        ],
    }


def _need_data(need: MemoryNeed) -> dict[str, Any]:
    return {
        "name": need.memory.name,
        "holds": {metric: plain_number(size) for metric, size in need.sizes.items()},
        "needed": plain_number(need.needed),
        "capacity": plain_number(need.memory.capacity),
        "over": plain_number(need.over),
        "full_at": None if need.passes is None else _full(need.passes),
    }


def _full(full: Full) -> dict[str, Any]:
    copies = [
        {"group": group, "of_a": word, "number": plain_number(number), "of": plain_number(of)}
        for group, word, number, of in full.copies
    ]
    return {"path": full.path, "copies": copies}
