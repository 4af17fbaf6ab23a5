"""A sweep for the terminal: a table of its first rows, and what stands below it."""

from collections.abc import Iterable, Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from archspec.errors import SpecError
from costmodel.algebra.conditions import condition_text
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.standing import standing_notes
from costmodel.metrics.registry import NoCountError
from costmodel.render.sweep_files import Notes, shown
from costmodel.render.terminal import drawn, entries, print_whole, styled
from costmodel.sweep.fields import Field
from costmodel.sweep.reduce import Objective, Tally
from costmodel.sweep.rows import Rows
from costmodel.sweep.study import Sweep, SweptNetwork
from costmodel.sweep.vary import show_value

MOST_ROWS = 50
"""How many rows a table shows where no other number is asked for."""


def render_table(
    sweep: Sweep, fields: Sequence[Field], chunks: Iterable[Rows], notes: Notes
) -> str:
    """Return the first rows as a table, and how many more there are."""
    most = max(MOST_ROWS, sweep.query.top or 0)
    rows: list[list[str]] = []
    count = 0
    for chunk in chunks:
        wanted = max(most - count, 0)
        if wanted:
            first = chunk.first(wanted)
            columns = [[shown(f, v) for v in f.values(first).tolist()] for f in fields]
            rows += map(list, zip(*columns, strict=True))
        count += chunk.count
    return drawn(lambda console: _draw(sweep, fields, rows, count, notes, console))


def _draw(
    sweep: Sweep,
    fields: Sequence[Field],
    rows: Sequence[Sequence[str]],
    count: int,
    notes: Notes,
    console: Console,
) -> None:
    names = dict.fromkeys(case.architecture.header.name for case in sweep.cases)
    console.print(styled(", ".join(names), "bold"))
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for field in fields:
        justify = "left" if field.kind == "text" else "right"
        table.add_column(field.title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*row)
    print_whole(table, console)
    if count > len(rows):
        console.print(Text(f" … {count - len(rows):,} more\n", style="dim"))
    entries(notes(), console)


def notes_of(sweep: Sweep) -> Iterator[tuple[str, str]]:
    """Yield what stands below a sweep: points, values, conditions, convention."""
    yield "points", points_note(sweep)
    yield from _none(sweep)
    if sweep.seed is not None:
        yield "sample", f"by chance, seed {sweep.seed}"
    for one in sweep.varied:
        if one.link is not None:
            yield "linked", one.text
    if (analysis := typical(sweep.cases[0])) is not None:
        yield from standing_notes(
            analysis,
            at=_fixed(sweep),
            conditions=_conditions(sweep, analysis),
            metrics=sweep.query.metrics,
        )
    elif at := _fixed(sweep):
        yield "at", at


def _none(sweep: Sweep) -> Iterator[tuple[str, str]]:
    """Yield why networks have no number of a metric."""
    for case in sweep.cases:
        of = " ".join(case.labels.values())
        for error in filter(None, map(case.none_of, sweep.query.metrics)):
            yield "none", f"{error.cause}{f' ({of})' if of else ''}"


def _fixed(sweep: Sweep) -> str:
    """Return the values of the symbols that are not varied, where all networks have the same."""
    fixed = [each.fixed for each in sweep.cases]
    if any(each != fixed[0] for each in fixed):
        return ""
    return ", ".join(f"{name} = {show_value(value)}" for name, value in fixed[0].items())


def _conditions(sweep: Sweep, analysis: Analysis) -> str:
    """Return what must hold of the symbols, where there is one network."""
    conditions = analysis.conditions if len(sweep.cases) == 1 else ()
    return " and ".join(map(condition_text, conditions))


def points_note(sweep: Sweep) -> str:
    """Return how many points were looked at, and what became of them."""
    tally = sweep.tally
    parts = [f"{tally.points:,}"]
    if tally.invalid:
        parts.append(_invalid(tally))
    if tally.unmatched and sweep.join:
        parts.append(f"{_so_many(tally.unmatched, 'has', 'have')} no line in {sweep.join.file}")
    if tally.refused:
        conditions = " and ".join(condition.text for condition in sweep.query.conditions)
        parts.append(f"{_so_many(tally.refused, 'breaks', 'break')} {conditions}")
    if sweep.query.pareto:
        objectives = (
            f"{'largest' if o.largest else 'least'} {o.expression.text}" for o in sweep.query.pareto
        )
        parts.append(f"the front of {', '.join(objectives)} has {tally.front:,}")
    if sweep.query.top and sweep.query.by:
        best = f"with the {_best(sweep.query.by)}"
        parts.append(f"the {_so_many(tally.kept, f'{best} is', f'{best} are')} kept")
    if sweep.join and sweep.join.unused:
        lines = _so_many(sweep.join.unused, "line {} is", "lines {} are")
        parts.append(f"{lines} of no point".format(f"of {sweep.join.file}"))
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


def typical(case: SweptNetwork) -> Analysis | None:
    """Return an analysis that says what holds of all points, if there is one."""
    try:
        return case.typical
    except SpecError:
        return None
