"""A sweep for the terminal: a table of its first rows, and what stands below it."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from costmodel.algebra.conditions import condition_text
from costmodel.analysis.document import (
    FIGURE,
    TEXT,
    Block,
    Column,
    Document,
    Line,
    entries,
    table_of,
)
from costmodel.analysis.standing import gap_of, scenario_notes, standing_notes
from costmodel.metrics.registry import NoCountError
from costmodel.render.sweep_files import Notes, shown
from costmodel.sweep.fields import Field
from costmodel.sweep.reduce import Objective, Tally
from costmodel.sweep.rows import Rows
from costmodel.sweep.shards import Merged
from costmodel.sweep.study import Sweep
from costmodel.sweep.vary import show_value

MOST_ROWS = 50
"""How many rows a table shows where no other number is asked for."""


def first_rows(
    sweep: Sweep,
    fields: Sequence[Field],
    chunks: Iterable[Rows],
    notes: Notes,
    *,
    shows_all: bool = False,
) -> Document:
    """Return the document of the first rows as a table, and how many more there are; or of all."""
    most = sweep.size if shows_all else max(MOST_ROWS, sweep.query.top or 0)
    rows: list[tuple[str, ...]] = []
    count = 0
    for chunk in chunks:
        if count < most:  # a space where there is nothing: a column without any text is left out
            first = chunk.first(most - count)
            columns = [[shown(f, v) or " " for v in f.values(first).tolist()] for f in fields]
            rows += zip(*columns, strict=True)
        count += chunk.count

    def blocks() -> Iterator[Block]:
        kinds = (TEXT if field.kind == "text" else FIGURE for field in fields)
        yield table_of(
            (Column(f.name, f.head, kind) for f, kind in zip(fields, kinds, strict=True)), rows
        )
        if count > len(rows):
            yield from (Line(f" … {count - len(rows):,} more", "dim"), Line(""))
        yield entries(notes)

    names = dict.fromkeys(case.architecture.header.name for case in sweep.cases)
    return Document(", ".join(names), blocks, data=dict)


def notes_of(sweep: Sweep) -> Iterator[tuple[str, str]]:
    """Yield what stands below a sweep: points, values, conditions, convention."""
    yield "points", points_note(sweep)
    yield from _none(sweep)
    if sweep.plan.search is not None:
        yield "search", _search_note(sweep)
    elif sweep.seed is not None:
        yield "sample", f"by chance, seed {sweep.seed}"
    for one in sweep.varied:
        if one.link is not None:
            yield "linked", one.text
    at = ", ".join(f"{name} = {show_value(value)}" for name, value in sweep.fixed.items())
    if (analysis := sweep.cases[0].typical) is not None:
        conditions = analysis.conditions if len(sweep.cases) == 1 else ()
        texts = " and ".join(map(condition_text, conditions))
        metrics = sweep.query.metrics
        if (gap := gap_of(analysis)) is not None:
            yield "missing", gap.note
        notes = [*standing_notes(analysis, at=at, conditions=texts, metrics=metrics)]
        yield from _of_scenarios(sweep, notes, metrics)
    elif at:
        yield "at", at


def _search_note(sweep: Sweep) -> str:
    """Return how the points were found that were looked at."""
    count = sweep.points_of_space
    if count <= sweep.size:
        return "all points of the space"
    points = f"{count:,}" if count < 10**15 else f"{Decimal(count):.1e}"
    return f"of {points} points, as NSGA-II of Optuna proposes them, seed {sweep.plan.seed}"


def _of_scenarios(
    sweep: Sweep, notes: Sequence[tuple[str, str]], metrics: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield the notes on the first network, those on scenarios with what each of them says."""
    first = sweep.cases[0].architecture
    found: dict[str, dict[str, None]] = {}
    for case in sweep.cases:
        if case.architecture is first and case.typical is not None:
            for label, note in scenario_notes(case.typical, metrics):
                found.setdefault(label, {})[note] = None
    for label, note in notes:
        yield label, "; ".join(found.get(label, {note: None}))


def _none(sweep: Sweep) -> Iterator[tuple[str, str]]:
    """Yield why networks have no number of a metric."""
    for case in sweep.cases:
        of = " ".join(case.labels.values())
        for error in filter(None, map(case.none_of, sweep.query.metrics)):
            yield "none", f"{error.cause}{f' ({of})' if of else ''}"


def points_note(sweep: Sweep | Merged) -> str:
    """Return how many points were looked at, and what became of them."""
    tally, query = sweep.tally, sweep.reduction
    file, unused = sweep.joined or ("", 0)
    parts = [f"{tally.points:,}"]
    if tally.invalid:
        parts.append(_invalid(tally))
    if tally.unmatched:
        parts.append(f"{_so_many(tally.unmatched, 'has', 'have')} no line in {file}")
    if tally.refused:
        conditions = " and ".join(sweep.conditions)
        parts.append(f"{_so_many(tally.refused, 'breaks', 'break')} {conditions}")
    if query.pareto:
        objectives = ", ".join(map(_best, query.pareto))
        parts.append(f"the front of {objectives} has {tally.front:,}")
    if query.top and query.by:
        best = f"with the {_best(query.by)}"
        parts.append(f"the {_so_many(tally.kept, f'{best} is', f'{best} are')} kept")
    if unused:
        lines = _so_many(unused, "line {} is", "lines {} are")
        parts.append(f"{lines} of no point".format(f"of {file}"))
    return "; ".join(parts)


def _best(objective: Objective) -> str:
    return f"{'largest' if objective.largest else 'least'} {objective.expression.text}"


def _invalid(tally: Tally) -> str:
    """Return how many points have no row, and why the first of them has none."""
    if isinstance(tally.refusal, NoCountError):
        left_out = _so_many(tally.invalid, "is", "are")
        return f"{left_out} left out ({tally.refusal.cause})"
    why = f" (as {tally.refusal.cause})" if tally.refusal else ""
    return f"{_so_many(tally.invalid, 'makes', 'make')} no valid network{why}"


def _so_many(count: int, one: str, many: str) -> str:
    """Return a count before the words that fit it."""
    return f"{count:,} {one if count == 1 else many}"
