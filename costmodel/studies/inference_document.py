"""The document of a transformer at inference: a column for each run, or the laws of each."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import partial
from typing import Any

from sympy import Expr
from sympy.core.symbol import Str

from archspec.arithmetic import Rational
from archspec.errors import SpecError
from costmodel.algebra.functions import Quantity
from costmodel.algebra.printing import text
from costmodel.analysis import document as doc
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.loading import Setup
from costmodel.analysis.standing import document_of, standing_notes, warnings_of
from costmodel.metrics.registry import METRICS
from costmodel.network.precision import is_floating
from costmodel.rules.formula import show_bytes, show_decimal, show_number, show_quantity
from costmodel.scenario.scenario import PAST
from costmodel.scenario.training import OPTIONS
from costmodel.studies import question
from costmodel.studies.hardware import shown_bytes
from costmodel.studies.inference import STEPS, Figures, Inference, MemoryUse, Plan, Work, infer
from costmodel.studies.report import Report
from costmodel.studies.report_document import head
from costmodel.studies.ridge_batch import (
    AnyRoof,
    ExpertChoice,
    LinearRoof,
    NoRidgeBatch,
    RoundedRoof,
    linear_roofs,
    longest,
    roofs,
)

COUNTS = doc.ColumnKind(lambda count: show_quantity(count, "").strip())
BYTES = doc.ColumnKind(
    lambda size: show_quantity(size, "B") if size >= 1 else f"{float(size):.4g} B"
)
SECONDS = doc.quantity_in("s")
RATE = SECONDS._replace(show=lambda n: f"{float(n):,.4g}" if n < 1000 else f"{float(n):,.0f}")

FORMS = {
    "macs": ("MACs", COUNTS),
    "macs_least": ("MACs, at least", COUNTS),
    "weights": ("weights read", BYTES),
    "weights_expected": ("weights, expected", BYTES),
    "weights_most": ("weights, at most", BYTES),
    "cache_reads": ("cache read", BYTES),
    "cache_writes": ("cache written", BYTES),
    "activations": ("activations moved", BYTES),
    "compute": ("products", SECONDS),
    "memory": ("bytes", SECONDS),
    "memory_most": ("bytes, at most", SECONDS),
    "cache": ("cache", BYTES),
    "kv_cache_per_token": ("cache per token", BYTES),
}
"""Name of a figure of a run's work → its title and kind of column."""

LEAST = {"weights": "weights, at least", "memory": "bytes, at least"}
"""The titles of what has a lower end and an upper one where there are experts."""

OF_RUNS = {
    "tokens": ("tokens", doc.COUNT),
    "past": ("tokens before", doc.COUNT),
    **FORMS,
    "weights_per_token": ("per token", BYTES),
    "weights_per_token_most": ("per token", BYTES),
    "latency": (METRICS["latency"].title, SECONDS),
    "bound": ("bound by", doc.FIGURE),
    "tokens_per_second": ("tokens/s, at most", RATE),
}
"""Name of a figure of a run → its title and kind of column."""

BELOW = {"weights": "weights_per_token", "weights_most": "weights_per_token_most"}
"""A line → the one that stands below it."""


@question(group="Look at a network", without=("energy", "past", *OPTIONS))
def inference(
    spec: str,
    /,
    *,
    prompt: int | None = None,
    generate: int | None = None,
    batch: int | None = None,
    symbolic: bool = False,
    setup: Setup = Setup(),  # noqa: B008 - a frozen value
) -> doc.Document:
    """Show what prefill and decode cost: cache, bytes, times at least, the batch that fits.

    Args:
        spec: Path of a YAML spec, or PATH@VARIANT.
        prompt: Tokens that prefill takes; 512 where not given.
        generate: Steps of decode after them; 128 where not given.
        batch: Sequences that run together; 1 where not given.
        symbolic: closed forms.
        setup: the options beside the spec.

    Examples:
        archcost inference llama3-8b --hardware h100-sxm --dtype fp16
        archcost inference gpt2 --prompt 100 --generate 20

    Raises:
        SpecError: the network generates no tokens, or an option excludes another.
    """
    numbers = {"prompt": prompt, "generate": generate, "batch": batch}
    known = {name: number for name, number in numbers.items() if number is not None}
    if symbolic and known:
        raise SpecError(f"--{next(iter(known))} is a number, and --symbolic leaves it open")
    found = infer(spec, None if symbolic else Plan(**known), **setup._asdict())

    def blocks() -> Iterator[doc.Block]:
        yield from _form_lists(found) if symbolic else _numbers(found)
        yield doc.entries(_notes(found))

    rows = partial(_plain_forms if symbolic else _plain_runs, found)
    messages = warnings_of([found.decode])
    return document_of(found.decode, blocks, partial(_data, found), rows=rows, messages=messages)


def _numbers(found: Inference) -> Iterator[doc.Block]:
    runs = found.figures
    columns = (
        doc.Column("figure", ""),
        *(doc.Column(run.name, run.name, doc.FIGURE) for run in runs),
    )
    yield doc.Table(columns, tuple(_row(found, name) for name in _lines(found)))
    yield doc.entries(_answers(found))


def _lines(found: Inference) -> Iterator[str]:
    """Return the names of the lines; the fewest MACs have none where they are all MACs."""
    runs = found.figures
    same = all(run.work["macs_least"] == run.work["macs"] for run in runs)
    left_out = {"cache", *BELOW.values(), *(["macs_least"] if same else [])}
    if found.device is None:
        left_out |= {"latency", "bound", "tokens_per_second"}
    for name in OF_RUNS:
        if name not in left_out and name in _values(runs[0]):
            yield from (name, BELOW[name]) if name in BELOW else (name,)


def _row(found: Inference, name: str) -> doc.Row:
    """Return a line with a cell for each run."""
    kind = OF_RUNS[name][1]
    cells: dict[str, doc.Cell] = {"figure": _title(found, name)}
    for run in found.figures:
        value = _values(run)[name]
        cells[run.name] = kind.show(value) if isinstance(value, Rational) else value or ""
    return doc.Row(cells, int(name in BELOW.values()))


def _values(run: Figures) -> dict[str, Rational | str | None]:
    """Return what is told of a run, in the order of JSON."""
    most = run.weights_per_token_most
    return {
        "tokens": run.tokens,
        "past": run.past,
        **run.work,
        "weights_per_token": run.weights_per_token,
        **({} if most is None else {"weights_per_token_most": most}),
        "latency": run.latency,
        "bound": run.bound,
        "tokens_per_second": run.rate,
    }


def _plain_runs(found: Inference) -> doc.Table:
    """Return a row for each run with its exact numbers, times in seconds."""
    rows = tuple(doc.Row({"name": run.name, **_values(run)}) for run in found.figures)
    names = (name for name in rows[0].cells if name != "name")
    kinds = (doc.Column(name, name, OF_RUNS[name][1]) for name in names)
    return doc.Table((doc.Column("name", "name"), *kinds), rows)


def _plain_forms(found: Inference) -> doc.Table:
    """Return a row for each law; one without a closed form is left empty."""
    columns = (doc.Column("run", "run"), doc.Column("figure", "figure"), doc.Column("law", "law"))
    rows = (
        (key, name, None if form is None else doc.ClosedForm(form))
        for key, _, forms in _closed_forms(found)
        for name, form in forms.items()
    )
    return doc.table_of(columns, rows)


def _title(found: Inference, name: str) -> str:
    """Return what a row or law is called; with experts its lower end is said to be one."""
    return LEAST[name] if found.has_experts and name in LEAST else OF_RUNS[name][0]


def _answers(found: Inference) -> Iterator[doc.Note]:
    """Return the sizes of the cache, the batch that fits, and where the roof is."""
    yield "cache per token", f"{show_bytes(found.cache_per_token)}, of one sequence"
    yield from _sizes(found)
    if found.device is not None:
        yield from _fit(found)
        yield from _roofs(found)


def _sizes(found: Inference) -> Iterator[doc.Note]:
    prompt, generate, batch = found.required_plan
    last = found.memories[-1]
    each, rest = divmod(last.cache, batch)
    after = f"after {show_number(prompt + generate)} tokens"
    if rest:  # bytes are rounded up of all sequences together
        yield "cache", f"{show_bytes(last.cache)} of {show_number(batch)} sequences, {after}"
    else:
        yield "cache per sequence", f"{show_bytes(each)}, {after}"
    for memory in found.memories:
        yield f"memory, {memory.name}", _sum(memory, batch)


def _sum(memory: MemoryUse, batch: int) -> str:
    parts = (memory.weights, memory.cache, memory.activations)
    weights, cache, activations = map(BYTES.show, parts)
    sequences = "1 sequence" if batch == 1 else f"{show_number(batch)} sequences"
    return (
        f"{BYTES.show(memory.total)} = weights {weights} + cache {cache} of {sequences}"
        f" + activations {activations} at their peak"
    )


def _fit(found: Inference) -> Iterator[doc.Note]:
    assert found.capacity is not None
    assert found.device is not None
    last, batch = max(memory.total for memory in found.memories), found.largest_batch
    fits = "it fits" if last <= found.capacity else "it does not fit"
    yield "capacity", f"{shown_bytes(found.capacity)}; {fits}"
    if batch is None:
        yield "largest batch", "not decided: no form proves that more sequences take more"
    else:
        none = "none: not even one sequence fits"
        yield "largest batch", f"{show_number(batch)} sequences fit" if batch else none


def _roofs(found: Inference) -> Iterator[doc.Note]:
    name = found.axes.batch
    for i, linear in enumerate(linear_roofs(found)):
        what = "linear layers" if linear.share is None else "linear layers of experts"
        note = f"{what} alone: bound by memory below {_linear(linear, name)}"
        yield "" if i else "memory roof", note
    for roof in roofs(found):
        chosen = "" if roof.experts is None else f", {CHOICES[roof.experts]}"
        yield "", f"decode after {show_number(roof.past)} tokens{chosen}: {_roof(roof, name)}"
    end = longest(found)
    if end is not None:
        note = f"up to {show_number(end)} tokens" if end else "no token"
        yield "", f"a batch that is bound by compute is there after {note}"


CHOICES = {
    ExpertChoice.SAME: "all tokens choosing the same experts",
    ExpertChoice.SPREAD: "tokens spread over as many experts as they can",
}
"""How tokens choose their experts, in words."""


def _linear(roof: LinearRoof, name: str) -> str:
    unit = "FLOP/s" if is_floating(roof.operations) else "OP/s"
    rate, speed = show_quantity(roof.rate, unit), show_quantity(roof.bandwidth, "B/s")
    value, size = f"{float(roof.batch):.5g}", f"{float(roof.weight_bytes):g} B"
    types = f"products in {roof.operations}, weights in {roof.weights}"
    shown = f"{name} = {value} = {rate}·{size}/(2·{speed}) ({types})"
    if roof.spread is None:
        return shown
    spread = f"{name} = {float(roof.spread):.5g} = {value}·{show_decimal(roof.share or 1)}"
    return f"{shown} where all tokens choose the same, below {spread} where they spread evenly"


def _roof(roof: AnyRoof, name: str) -> str:
    if isinstance(roof, NoRidgeBatch):
        return f"not decided: {roof.reason}"
    if isinstance(roof, RoundedRoof):
        return _rounded(roof, name)
    moved, computed, shared = map(SECONDS.show, (roof.moved, roof.computed, roof.shared))
    if roof.batch is None:
        each = f"each sequence takes {moved} to move, {computed} to compute"
        return f"bound by memory with any {name}: {each}"
    if roof.batch == 1:
        return f"bound by compute with any {name}"
    below = f"bound by memory below {name} = {show_number(roof.batch)}"
    return f"{below} = ceil({shared} of all/({computed} - {moved} of each))"


def _rounded(roof: RoundedRoof, name: str) -> str:
    if roof.batch is None:
        return "bound by memory with batches however large (bytes are rounded up)"
    if roof.batch == 1:
        return f"bound by compute with any {name}"
    least, before = show_number(roof.batch), show_number(roof.batch - 1)
    return (
        f"bound by compute from {name} = {least} on, by memory at {name} = {before}"
        " (bytes are rounded up)"
    )


def _notes(found: Inference) -> Iterator[doc.Note]:
    """Return what the numbers stand on, and what counts."""
    if found.has_experts:
        yield "experts", EXPERTS
    if found.device is not None:
        title = METRICS["latency"].title
        yield title, "products at the peak, bytes at full bandwidth, the longer of both"
    if found.narrows:
        last = "attention" if found.decode.can_be_fused else "layer that keeps something"
        yield "prefill", f"what follows the last {last} is worked out of the last token alone"
    conditions = _conditions(found)
    yield from standing_notes(found.decode, at=_setting(found), conditions=conditions)


EXPERTS = (
    "weights read are at least those of top_k, where all tokens choose the same, and at most those "
    "of min(experts, tokens*top_k), where they spread; evenly, each expert then sees "
    "tokens*top_k/experts tokens; expected are those of experts*(1 - (1 - top_k/experts)**tokens), "
    "where every token chooses at random"
)
"""What is known of the weights of experts."""


def _conditions(found: Inference) -> Iterator[doc.Note]:
    """Return the conditions of both uses, once where they are the same."""
    required = {use: " and ".join(Report(of).conditions) for use, of in _uses(found)}
    if len(set(required.values())) == 1:
        required = {"": required["prefill"]}
    for use, conditions in required.items():
        if conditions:
            yield f"{use} valid when".strip(), conditions


def _uses(found: Inference) -> tuple[tuple[str, Analysis], ...]:
    return ("prefill", found.prefill), ("decode", found.decode)


def _setting(found: Inference) -> str:
    """Return the values of all symbols; in place of prefill's and decode's own, the plan."""
    if found.plan is None:
        return Report(found.prefill).setting_without(PAST)
    plan = ", ".join(f"{name} = {number}" for name, number in found.plan._asdict().items())
    others = Report(found.decode).setting_without(*found.own_symbols)
    return f"{plan}, {others}" if others else plan


OPEN = "no closed form in these symbols: it bends or steps"
"""What stands for a law that has none."""


Use = tuple[str, str, Mapping[str, Expr | None]]
"""The name of prefill, of a step or of all steps, what its symbols mean, and its laws if closed."""


def _form_lists(found: Inference) -> Iterator[doc.Block]:
    for _, about, named in _closed_forms(found):
        yield doc.Line(about, "bold")
        forms = ((_title(found, name), form) for name, form in named.items())
        shown = ((title, OPEN if form is None else doc.ClosedForm(form)) for title, form in forms)
        yield doc.Entries(tuple(doc.LabelledValue(f"  {title}", form) for title, form in shown))


def _closed_forms(found: Inference) -> tuple[Use, Use, Use]:
    (prefill, step), decode = found.works, found.decode
    tokens = found.axes.tokens
    name = "kv_cache_per_token"
    one = {name: _closed_form(name, decode, decode.total(name))}
    return (
        ("prefill", f"prefill: {tokens} tokens, none before", _of(found.prefill, prefill)),
        ("step", "a step of decode: 1 token, past before", {**_of(decode, step), **one}),
        ("steps", f"{STEPS} steps, {tokens} tokens before the first", _sums(found, step)),
    )


def _of(analysis: Analysis, work: Work) -> dict[str, Expr]:
    return {name: _closed_form(name, analysis, work[name]) for name in FORMS if name in work}


def _sums(found: Inference, step: Work) -> dict[str, Expr | None]:
    names = (name for name in FORMS if name in step and name != "cache")
    sums = {name: found.sum_of_steps(step[name]) for name in names}
    return {
        n: None if form is None else _closed_form(n, found.decode, form) for n, form in sums.items()
    }


def _closed_form(name: str, analysis: Analysis, form: Expr) -> Expr:
    grouped = analysis.by_resolution(form)
    is_time = FORMS[name][1] is SECONDS
    return Quantity(grouped, Str("s")) if is_time else analysis.closed_form(grouped)


def _data(found: Inference) -> dict[str, Any]:
    """Return counts and bytes exactly, times in seconds."""
    start = head(Report(found.decode, symbolic=True))
    start["symbols"] = {
        name: value for name, value in start["symbols"].items() if name not in found.own_symbols
    }
    start["conditions"] = {use: list(Report(of).conditions) for use, of in _uses(found)}
    device = None if found.device is None else found.device.profile.key
    start |= {"device": device, "axes": {"batch": found.axes.batch, "tokens": found.axes.tokens}}
    if found.plan is None:
        forms = {
            key: {n: None if form is None else text(form) for n, form in named.items()}
            for key, _, named in _closed_forms(found)
        }
        return {**start, "laws": forms}
    numbers = {
        "plan": found.plan._asdict(),
        "runs": [
            {"name": run.name, **{n: _plain_of(n, value) for n, value in _values(run).items()}}
            for run in found.figures
        ],
        "kv_cache_per_token": doc.plain_number(found.cache_per_token),
        "memory": doc.plain({**m._asdict(), "total": m.total} for m in found.memories),
        "experts": found.has_experts,
    }
    return {**start, **numbers, **(_device_part(found) if found.device else {})}


def _plain_of(name: str, value: Rational | str | None) -> int | float | str | None:
    """Return what is told of a run as JSON has it; rates, and bytes of a token, are rounded."""
    if value is None or isinstance(value, str):
        return value
    if OF_RUNS[name][1] in (SECONDS, RATE):
        return float(value)
    return (
        float(value)
        if name in BELOW.values() and value.denominator > 1
        else doc.plain_number(value)
    )


def _device_part(found: Inference) -> dict[str, Any]:
    assert found.capacity is not None
    return {
        "capacity": doc.plain_number(found.capacity),
        "largest_batch": found.largest_batch,
        "linear_roofs": [
            _floats({**roof._asdict(), "spread": roof.spread}) for roof in linear_roofs(found)
        ],
        "roofs": [_floats(roof._asdict()) for roof in roofs(found)],
        "longest": longest(found),
    }


def _floats(roof: Mapping[str, Any]) -> dict[str, Any]:
    return {n: float(v) if isinstance(v, Fraction) else v for n, v in roof.items()}
