"""Whether a network fits a device: every memory, and the layers that break."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from archspec.arithmetic import Rational
from archspec.hardware import Profile
from costmodel.analysis.document import Note, plain_number
from costmodel.render.json import dumped
from costmodel.render.markdown import code, escaped, line_of, listed
from costmodel.render.solution import document, standing, told
from costmodel.render.terminal import drawn, entries, heading, print_whole, styled
from costmodel.rules.formula import count_of, show_bytes, show_number
from costmodel.studies.fit import CONTENTS, Fit, Need, in_words
from costmodel.studies.problem import Answer, Question
from costmodel.studies.report import Report
from costmodel.studies.report_document import document as report_document
from costmodel.studies.report_document import head, notes
from costmodel.studies.weight_placement import Full

NEEDS = ("memory", "holds", "needed", "capacity", "used", "")
BREAKS = ("breaks at", "in memory", "over")

MAX_BREAKS = 10
"""The most layers that are listed; JSON has all."""

BESIDE = ("kv_cache", "gradients", "optimizer_state", "activations_kept")
"""What gets a line of its own; weights and the peak have theirs in every report."""

ORDERS = {
    "given": "the layers work in the given order",
    "best": "the layers work in the best order at the values of the symbols",
}

NOT_COUNTED = "the program, its stack and the buffers of a runtime, which take their part as well"


class Solved(NamedTuple):
    """The largest value at which a network fits.

    Attributes:
        question: what was asked.
        answer: the value, with its certificate.
        there: the memories at that value, where there is one.
    """

    question: Question
    answer: Answer
    there: Fit | None

    @property
    def profile(self) -> Profile:
        """The device."""
        return self.question.analysis.basis.device.profile


def _verdict(need: Need) -> str:
    return f"{count_of(need.over, 'byte')} over" if need.over else "fits"


def _share(need: Need) -> str:
    return f"{float(100 * need.needed / need.memory.capacity):.1f} %"


def _needs(fit: Fit) -> Iterator[tuple[str, ...]]:
    for need in fit.needs:
        sizes = map(show_number, (need.needed, need.memory.capacity))
        yield need.memory.name, need.memory.holds, *sizes, _share(need), _verdict(need)


def _breaks(fit: Fit) -> Iterator[tuple[str, ...]]:
    """The layers that break, the worst first."""
    worst = sorted(fit.breaks, key=lambda each: -each.over)
    for path, needed, over in worst[:MAX_BREAKS]:
        yield path, show_number(needed), show_number(over)


def _more(fit: Fit) -> str:
    """How many layers more break, where not all are listed."""
    more = len(fit.breaks) - MAX_BREAKS
    return f"… and {more:,} more; --format json lists all" if more > 0 else ""


def _notes(fit: Fit, profile: Profile) -> Iterator[Note]:
    """What is to be said of the verdict, of the memories and of the device."""
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
    """The order of the layers, and whether another would do."""
    if fit.order is not None:
        yield "order", ORDERS[fit.order]
    if fit.best is not None:
        yield "hint", f"in another order it fits, with {show_bytes(fit.best)}: --order best"


def _of_memory(need: Need, fit: Fit, profile: Profile) -> Iterator[Note]:
    """Where a memory is full, what it lacks, and how large it is."""
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


def _headline(fit: Fit, profile: Profile) -> str:
    training = "" if fit.order else " in training"
    return f"{'fits' if fit.fits else 'does not fit'} {profile.key}{training}"


def _grid(titles: tuple[str, ...], rows: Iterator[tuple[str, ...]], texts: int) -> Table:
    """A table whose first columns are texts, and the others numbers."""
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, title in enumerate(titles):
        grid.add_column(title, justify="left" if i < texts or not title else "right", no_wrap=True)
    for row in rows:
        grid.add_row(*row)
    return grid


def _tables(fit: Fit, console: Console) -> None:
    console.print()
    print_whole(_grid(NEEDS, _needs(fit), 2), console)
    console.print()
    if fit.breaks and fit.room >= 0:
        print_whole(_grid(BREAKS, _breaks(fit), 1), console)
        if more := _more(fit):
            console.print(Text(more, style="dim"))
        console.print()


def table(report: Report, fit: Fit) -> str:
    """Every memory, then the layers that break."""

    def draw(console: Console) -> None:
        profile = report.analysis.basis.device.profile
        heading(report_document(report), console)
        console.print(_headline(fit, profile))
        _tables(fit, console)
        entries((*_notes(fit, profile), *notes(report)), console)

    return drawn(draw)


def _markdown_table(
    titles: tuple[str, ...], rows: Iterator[tuple[str, ...]], texts: int
) -> Iterator[str]:
    yield line_of(titles)
    yield line_of(["---" if i < texts or not t else "---:" for i, t in enumerate(titles)])
    for first, *rest in rows:
        yield line_of([code(first), *rest])
    yield ""


def _markdown_tables(fit: Fit) -> Iterator[str]:
    yield from _markdown_table(NEEDS, _needs(fit), 2)
    if fit.breaks and fit.room >= 0:
        yield from _markdown_table(BREAKS, _breaks(fit), 1)
        if more := _more(fit):
            yield from (more, "")


def markdown(report: Report, fit: Fit) -> str:
    """The same as Markdown."""
    profile = report.analysis.basis.device.profile
    lines = [f"**{escaped(report.title)}** {_headline(fit, profile)}", "", *_markdown_tables(fit)]
    lines += listed((*_notes(fit, profile), *notes(report)))
    return "\n".join(lines) + "\n"


def json(report: Report, fit: Fit) -> str:
    """The same as data, in bytes."""
    profile = report.analysis.basis.device.profile
    return _text({**head(report), "hardware": profile.key, **_document(fit)})


def _text(document: Mapping[str, Any]) -> str:
    return dumped(document)


def _document(fit: Fit) -> dict[str, Any]:
    return {
        "fits": fit.fits,
        "order": fit.order,
        "fits_in_best_order": None if fit.best is None else plain_number(fit.best),
        "memories": list(map(_need, fit.needs)),
        "room": plain_number(fit.room),
        "breaks": [
            {"path": path, "needed": plain_number(needed), "over": plain_number(over)}
            for path, needed, over in fit.breaks
        ],
    }


def _need(need: Need) -> dict[str, Any]:
    numbers: dict[str, Rational] = {
        "needed": need.needed,
        "capacity": need.memory.capacity,
        "over": need.over,
    }
    return {
        "name": need.memory.name,
        "holds": {metric: plain_number(size) for metric, size in need.sizes.items()},
        **{name: plain_number(value) for name, value in numbers.items()},
        "full_at": None if need.passes is None else _full(need.passes),
    }


def _full(full: Full) -> dict[str, Any]:
    copies = [
        {"group": group, "of_a": word, "number": plain_number(number), "of": plain_number(of)}
        for group, word, number, of in full.copies
    ]
    return {"path": full.path, "copies": copies}


def _asked(solved: Solved) -> str:
    network, name = solved.question.analysis.graph.name, solved.question.name
    return f"{network}: the largest {name} that fits {solved.profile.key}"


def solved_table(solved: Solved) -> str:
    """The largest value and its certificate, then every memory there."""

    def draw(console: Console) -> None:
        console.print(styled(_asked(solved), "bold"), soft_wrap=True)
        console.print()
        entries(told(solved.question, solved.answer), console)
        if solved.there is not None:
            _tables(solved.there, console)
        entries(_solved_notes(solved), console)

    return drawn(draw)


def _solved_notes(solved: Solved) -> Iterator[Note]:
    """What is to be said of the memories at the value, and what the answer stands on."""
    if solved.there is not None:
        yield from _notes(solved.there, solved.profile)
    yield from standing(solved.question)


def solved_markdown(solved: Solved) -> str:
    """The same as Markdown."""
    lines = [f"**{escaped(_asked(solved))}**", "", *listed(told(solved.question, solved.answer))]
    if solved.there is not None:
        lines += ["", *_markdown_tables(solved.there)]
    return "\n".join([*lines, *listed(_solved_notes(solved))]) + "\n"


def solved_json(solved: Solved) -> str:
    """The same as data, in bytes."""
    there = None if solved.there is None else _document(solved.there)
    found = document(solved.question, solved.answer)
    return _text({**found, "hardware": solved.profile.key, "there": there})


class Views(NamedTuple):
    """How a format shows a verdict.

    Attributes:
        verdict: of a network at its values.
        solved: of the largest value of a symbol.
    """

    verdict: Callable[[Report, Fit], str]
    solved: Callable[[Solved], str]


FORMATS: Mapping[str, Views] = {
    "table": Views(table, solved_table),
    "markdown": Views(markdown, solved_markdown),
    "json": Views(json, solved_json),
}
