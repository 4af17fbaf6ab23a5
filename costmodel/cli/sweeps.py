"""The command that looks at many points of a design space at once."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from archspec.errors import SpecError
from costmodel.analysis.standing import warnings_of
from costmodel.cli.options import (
    NOTHING_GIVEN,
    UNFRAMED,
    WHOLE,
    NetworkOptions,
    PageOptions,
    PlotFile,
    options,
    require_values,
)
from costmodel.cli.tell import tell, tell_all
from costmodel.render.plots import Drawing, require_plot

if TYPE_CHECKING:
    from costmodel.sweep.figures import SweepFigure
    from costmodel.sweep.query import Request
    from costmodel.sweep.shards import Merged
    from costmodel.sweep.study import Plan, Sweep


Specs = Annotated[
    list[str],
    Parameter(help="Names of the zoo or paths; NAME@VARIANT, NAME@* for all variants."),
]
Vary = Annotated[
    list[str] | None,
    Parameter(
        help="What varies: h=96,128,160 width=0.35:1.4:0.05 d=256:4096:*2, or w=h as a link."
    ),
]
Output = Annotated[
    str | None,
    Parameter(name=["--output", "-o"], help="Write into a file: .csv .jsonl .parquet .md .tex."),
]
Format = Annotated[
    str | None,
    Parameter(
        help="How to show it: table, csv, jsonl (json: an object a line), parquet, markdown, "
        "latex, rst."
    ),
]


Label = Annotated[
    list[str] | None,
    Parameter(
        help="Columns that name lines, bars or points in a plot; without one, the name by which a "
        "page refers to the table (latex, rst)."
    ),
]
Caption = Annotated[str, Parameter(help="What stands above the table (markdown, latex, rst).")]
Colour = Annotated[
    str | None, Parameter(help="A column by which lines, bars or points are coloured.")
]


@options
@dataclass(frozen=True)
class SweepRequest:
    """The options that say what is shown and kept of all points.

    Attributes:
        metric: What is shown: metrics, and what is made of them.
        where: What must hold, as 'macs <= 300e6'.
        pareto: Keep the front, what no other point beats in all of these: macs:min accuracy:max.
        top: Keep so many of the best, of which --by says the best.
        by: What is best: macs, or macs:max for the largest.
        sort: The order of the rows: macs, or macs:max; the next where rows are equal in it.
        minimise: Keep the front of these, as --pareto macs:min does.
        maximise: Keep the front of these, as --pareto accuracy:max does.
    """

    metric: list[str] | None = None
    where: list[str] | None = None
    pareto: list[str] | None = None
    top: Annotated[int | None, WHOLE] = None
    by: str | None = None
    sort: list[str] | None = None
    minimise: list[str] | None = None
    maximise: list[str] | None = None

    @property
    def texts(self) -> "Request":
        """The same as texts, which are parsed when the networks are known."""
        from costmodel.sweep.query import Request

        for option in ("metric", "where", "pareto", "sort", "minimise", "maximise"):
            require_values(f"--{option}", getattr(self, option))
        metrics = tuple(dict.fromkeys(self.metric or ()))
        where, pareto, sort = (tuple(each or ()) for each in (self.where, self.pareto, self.sort))
        pareto += (*(self.minimise or ()), *(f"{each}:max" for each in self.maximise or ()))
        return Request(metrics, where, pareto, self.top, self.by, sort)


NO_REQUEST = SweepRequest()
"""The usual metrics of all points."""


@options
@dataclass(frozen=True)
class SweptPoints:
    """The options that say which points are looked at, where, and what is known of them.

    Attributes:
        join: A CSV file with columns of your own, found by symbols' values.
        sample: Look at so many points by chance, as 1e6, not at the whole grid.
        search: Look at so many points, proposed by what was found so far (extra: search).
        seed: Of the sample or the search, 0 or more: the same seed, the same points.
        predict: MODULE:FUNCTION whose code is run: it makes a column of the others.
        jobs: Processes that evaluate points, all cores if not said; the rows are the same.
        on: The place where points are evaluated: local, or dask://host:8786.
        shard: One part of so many, as 3/64: the same points whenever it is run.
    """

    join: str | None = None
    sample: str | None = None
    search: str | None = None
    seed: Annotated[int | None, WHOLE] = None
    predict: list[str] | None = None
    jobs: Annotated[int | None, WHOLE] = None
    on: str = "local"
    shard: str | None = None

    def of(self, plan: "Plan") -> "Plan":
        """Return a plan that looks at these points."""
        from costmodel.sweep.shards import shard_of

        require_values("--predict", self.predict)
        return plan._replace(
            join=self.join,
            sample=_count("--sample", self.sample),
            seed=_seed(self.seed, self.sample or self.search),
            shard=shard_of(self.shard),
            search=_count("--search", self.search),
            predict=tuple(self.predict or ()),
        )


ALL_POINTS = SweptPoints()
"""All points of a grid, evaluated on this machine."""


def sweep(
    specs: Specs,
    /,
    *,
    vary: Vary = None,
    request: SweepRequest = NO_REQUEST,
    points: SweptPoints = ALL_POINTS,
    output: Output = None,
    format: Format = None,  # noqa: A002 - the option's name
    plot: PlotFile = None,
    label: Label = None,
    colour: Colour = None,
    caption: Caption = "",
    given: NetworkOptions = NOTHING_GIVEN,
) -> Drawing | None:
    """Evaluate metrics at many points, and keep what is asked for: filters, fronts, the best.

    Examples:
        archcost sweep mobilenet_v2 --vary h=96,128,160 w=h width=0.5,1
        archcost sweep resnet50 --vary n=1:64 h=128,224 --top 3 --by memory_peak:max
        archcost sweep merge part-*.parquet --pareto macs -o front.csv
    """
    from costmodel.sweep.study import Plan

    drawn = plot, label, colour
    if specs[0] == MERGE:
        if vary or points != ALL_POINTS or given != NOTHING_GIVEN or any(drawn):
            cause = "shards that were evaluated are merged: points and figures are of a sweep"
            raise SpecError(cause, hint="say it where the shards are made")
        _merge(specs[1:], request, output, format)
        return None
    require_values("--vary", vary)
    plan = points.of(Plan(tuple(specs), tuple(vary or ()), request.texts, given.setup))
    framing = PageOptions(caption)
    if plot is None and label and format in ("latex", "tex", "rst"):
        framing, drawn = PageOptions(caption, " ".join(label)), (None, None, colour)
    return _swept(plan, format, output, (points.on, points.jobs), drawn, framing)


def _swept(
    plan: "Plan",
    form: str | None,
    output: str | None,
    place: tuple[str, int | None],
    drawn: tuple[str | None, list[str] | None, str | None],
    framing: PageOptions,
) -> Drawing | None:
    """Carry out a sweep, and return what is drawn of it."""
    from costmodel.render.sweep_files import find_format
    from costmodel.sweep.cluster import require_place
    from costmodel.sweep.study import planned

    plot, found, workers = drawn[0], find_format(form, output), require_place(*place)
    is_page = found == "rst" or framing != UNFRAMED
    if is_page and output is not None:
        raise SpecError("--caption and --label are of a table that is printed", hint="leave -o out")
    if framing.caption and found not in ("table", "markdown", "latex", "rst"):
        raise SpecError("--caption is of a table", hint="--format markdown, latex or rst")
    study = planned(plan)
    figure = _figure(study, *drawn)
    _carry_out(study, found, output, figure, (place[0], workers), framing if is_page else None)
    if not (figure and plot):
        return None
    from costmodel.render.sweep_plot import draw

    return draw(figure, plot)


def _figure(
    study: "Sweep", plot: str | None, label: list[str] | None, colour: str | None
) -> "SweepFigure | None":
    """Return the figure of a sweep, where one is to be drawn."""
    if plot is None:
        if label or colour:
            raise SpecError("--label and --colour are of a plot", hint="say --plot front.svg")
        return None
    from costmodel.sweep.figures import SweepFigure

    require_values("--label", label)
    require_plot(plot)
    return SweepFigure(study, label or (), colour)


MERGE = "merge"
"""In place of a spec it says that what follows are files of shards."""


def _merge(
    files: list[str], request: SweepRequest, output: str | None, form_name: str | None
) -> None:
    """Reduce the files of all shards of a sweep to what one run gives, and write that."""
    from costmodel.render.sweep import points_note
    from costmodel.render.sweep_files import find_format, merged, write_file, write_text

    if not files:
        raise SpecError("no shards to merge", hint="as in archcost sweep merge part-*.parquet")
    if request.metric:
        raise SpecError("--metric: shards are merged with the columns that they have")
    form = find_format(form_name or (None if output else "csv"), output)
    found, chunks = merged(files, request.texts)
    notes = (("points", points_note(found)) for _ in range(1))  # when all rows are there
    if form in ("table", "rst"):
        raise SpecError(f"merged rows are data, no {form}", hint="--format csv, markdown, …")
    if output is None:
        write_text(found.fields, chunks, form, sys.stdout, notes)
    else:
        write_file(output, found.fields, chunks, form, notes)
    _tell(found, form, output)


def _seed(seed: int | None, sample: str | None) -> int:
    if seed is not None and sample is None:
        raise SpecError(
            f"--seed {seed} is of a sample or a search, and all points are looked at",
            hint="say how many are drawn, as --sample 1e6",
        )
    if seed is not None and seed < 0:
        raise SpecError(f"--seed {seed}: a seed is 0 or more")
    return seed or 0


def _count(option: str, text: str | None) -> int | None:
    """Return the number of points of a sample or a search, as 1e6."""
    from costmodel.scenario.settings import to_rational
    from costmodel.sweep.space import MAX_POINTS

    if text is None:
        return None
    count = to_rational(option, text)
    if count.denominator != 1 or not 1 <= count <= MAX_POINTS:
        name = option.removeprefix("--")
        raise SpecError(f"{option} {text}: a {name} has from 1 to {MAX_POINTS:,} points")
    return int(count)


def _carry_out(
    study: "Sweep",
    form: str,
    output: str | None,
    figure: "SweepFigure | None",
    place: tuple[str, int],
    framing: PageOptions | None,
) -> None:
    """Evaluate, reduce and write a sweep, whose rows pass a figure where one is drawn."""
    from costmodel.render import find_renderer
    from costmodel.render.sweep import first_rows, notes_of
    from costmodel.render.sweep_files import write_file, write_text
    from costmodel.render.terminal import render
    from costmodel.sweep.cluster import evaluated
    from costmodel.sweep.fields import fields_of
    from costmodel.sweep.shards import about, shard_fields

    _warn(study)
    fields = shard_fields(study) if form == "parquet" else fields_of(study)
    shown = ""
    shows = output is not None or form == "table"
    with evaluated(*place, study) as rows, _progress(len(study.numbers), shows=shows) as watch:
        chunks = rows(watch)
        chunks = figure.passing(chunks) if figure else chunks
        notes = notes_of(study)
        if output is not None:
            write_file(output, fields, chunks, form, notes, partial(about, study))
        elif framing is not None:
            made = first_rows(study, fields, chunks, notes, shows_all=form != "table")
            shown = find_renderer(form)(framing.around(made, form))
        elif form == "table":
            shown = render(first_rows(study, fields, chunks, notes))
        else:
            write_text(fields, chunks, form, sys.stdout, notes)
    print(shown, end="")
    _tell(study, form, output)


def _warn(study: "Sweep") -> None:
    """Print warnings on stderr: what the specs say without effect, and where rows are sorted."""
    from costmodel.sweep.order import disk_note

    if study.query.sort and not study.query.keeps_few:
        is_certain = study.join is None and not study.query.conditions
        if note := disk_note(len(study.numbers), is_certain=is_certain):
            tell(note)
    analyses = filter(None, (case.typical for case in study.cases))
    tell_all(dict.fromkeys(warnings_of(analyses)))


def _tell(study: "Sweep | Merged", form: str, output: str | None) -> None:
    """Tell on stderr what is not in the data: the rows that are left out."""
    from costmodel.render.sweep import points_note

    left = study.tally.invalid or study.tally.unmatched
    if output is not None:
        tell(f"{study.tally.kept:,} rows in {output}")
    if form in ("csv", "jsonl", "parquet") and (left or output is not None):
        tell(f"points: {points_note(study)}")


@contextmanager
def _progress(size: int, *, shows: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr, if that is a terminal and nothing else is being written to it."""
    if not (shows and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rate]:,.0f} points/s")
    bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
    with bar:
        task = bar.add_task("", total=size, rate=0)
        yield lambda count: bar.update(task, completed=count, rate=bar.tasks[task].speed or 0)
