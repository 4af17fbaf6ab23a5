"""The command line."""

import sys
from collections.abc import Iterable
from typing import Annotated

from cyclopts import App, Parameter

from archspec.errors import SpecError
from costmodel.analysis import Analysis, analyze

app = App(
    name="archcost",
    help="What a neural network costs, in closed form: shapes, parameters, MACs, activations.",
    version_flags=["--version"],
    help_format="plaintext",
    exit_on_error=False,
    print_error=False,
    result_action="return_value",
)

Settings = Annotated[
    list[str] | None,
    Parameter(
        name="--set",
        consume_multiple=True,
        negative=(),
        help="Fix symbols to numbers, as h=192 width=0.5; the others stay symbols.",
    ),
]
Assumed = Annotated[
    list[str] | None,
    Parameter(
        consume_multiple=True,
        negative=(),
        help="What holds of the symbols, as 'h % 32 == 0' 'w == h': laws become simpler.",
    ),
]
ConventionName = Annotated[
    str, Parameter(help="What counts: lecture, torch or pycls; printed with every report.")
]
Spec = Annotated[str, Parameter(help="Path of a YAML spec, or PATH@VARIANT.")]


Symbolic = Annotated[
    bool, Parameter(negative=(), help="Print closed forms in the symbols, not numbers.")
]
Metrics = Annotated[
    list[str] | None,
    Parameter(
        consume_multiple=True,
        negative=(),
        help="What to show: params, model_size, macs, flops, activations, activations_peak, "
        "memory_peak, receptive_field, effective_stride, effective_padding.",
    ),
]
Depth = Annotated[
    int | None, Parameter(help="How many groups to open within each other; 0 shows the outermost.")
]
ViewFormat = Annotated[str, Parameter(help="How to show it: table, markdown or json.")]
Wanted = Annotated[str, Parameter(name="--for", help="The symbol that is wanted.")]
Constraints = Annotated[
    list[str],
    Parameter(
        consume_multiple=True,
        negative=(),
        help="What is to hold, as 'macs <= 300e6' 'params <= 4e6'.",
    ),
]
Format = Annotated[
    str,
    Parameter(help="How to show it: table, json, csv, markdown, latex, python, c or javascript."),
]


SensitivityFormat = Annotated[str, Parameter(help="How to show it: table, json or markdown.")]


@app.default
def report(
    spec: Spec,
    /,
    *,
    symbolic: Symbolic = False,
    settings: Settings = None,
    assume: Assumed = None,
    convention: ConventionName = "lecture",
    metric: Metrics = None,
    depth: Depth = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """Show what every layer and the whole network cost."""
    from costmodel.render import find_renderer
    from costmodel.report import Report

    render = find_renderer(format)
    _require_values("--metric", metric)
    if depth is not None and depth < 0:
        raise SpecError(f"--depth {depth} opens less than nothing", hint="0 shows the outermost")
    numbers_suffice = not symbolic and format != "json"
    _require_values("--assume", assume)
    analysis = _analyze(
        spec, settings, convention, assume=assume or (), numbers_suffice=numbers_suffice
    )
    metrics = tuple(dict.fromkeys(metric or ()))
    print(render(Report(analysis, metrics, symbolic, depth)), end="")


@app.command
def explain(
    spec: Spec,
    layer: Annotated[str | None, Parameter(help="A layer, or all of a kind.")] = None,
    /,
    *,
    settings: Settings = None,
    assume: Assumed = None,
    convention: ConventionName = "lecture",
) -> None:
    """Show how every number comes to be: formula, numbers put in, value."""
    from costmodel.explain import explain as explanations
    from costmodel.render.explanation import render

    _require_values("--assume", assume)
    analysis = _analyze(spec, settings, convention, assume=assume or (), numbers_suffice=True)
    print(render(analysis, explanations(analysis, layer)), end="")


@app.command
def sensitivity(
    spec: Spec,
    /,
    *,
    settings: Settings = None,
    assume: Assumed = None,
    convention: ConventionName = "lecture",
    metric: Metrics = None,
    format: SensitivityFormat = "table",  # noqa: A002 - the option's name
) -> None:
    """Show how the metrics react to each symbol: order, derivative, +1 %, twice the value."""
    from costmodel.render.sensitivity import find_renderer
    from costmodel.sensitivity import Sensitivity

    render = find_renderer(format)
    _require_values("--metric", metric)
    _require_values("--assume", assume)
    analysis = _analyze(spec, settings, convention, assume=assume or (), numbers_suffice=False)
    print(render(Sensitivity(analysis, tuple(dict.fromkeys(metric or ())))), end="")


@app.command
def check(specs: Annotated[list[str], Parameter(help="Specs, or folders of specs.")], /) -> int:
    """Prove the published facts of specs; exit status 1 where one fails, 2 where one is bad."""
    from costmodel.facts import Finding, check_facts, spec_files
    from costmodel.render.findings import render

    findings: list[Finding] = []
    errors: list[SpecError] = []
    for spec in spec_files(specs):
        try:
            findings += check_facts(spec)
        except SpecError as error:
            errors.append(error)
    if not (findings or errors):
        raise SpecError("these specs expect nothing", hint="write facts under expect")
    if findings:
        print(render(findings), end="")
    for bad in errors:
        print(f"archcost: {bad}", file=sys.stderr)
    return 2 if errors else int(not all(finding.passes for finding in findings))


@app.command
def solve(
    spec: Spec,
    /,
    *,
    for_: Wanted,
    where: Constraints,
    largest: Annotated[bool, Parameter(negative=(), help="Ask for the largest value.")] = False,
    smallest: Annotated[bool, Parameter(negative=(), help="Ask for the smallest value.")] = False,
    step: Annotated[str | None, Parameter(help="Look at multiples of it only, as 0.05.")] = None,
    settings: Settings = None,
    assume: Assumed = None,
    convention: ConventionName = "lecture",
    format: Annotated[str, Parameter(help="How to show it: table or json.")] = "table",  # noqa: A002
) -> int:
    """Find the largest or smallest value of a symbol at which constraints hold; 1 if none does."""
    from costmodel.questions import Verdict
    from costmodel.render.solution import find_renderer
    from costmodel.solve import ask

    if largest and smallest:
        raise SpecError("--largest and --smallest are two questions", hint="ask one at a time")
    _require_values("--where", where)
    _require_values("--assume", assume)
    render = find_renderer(format)
    question, answer = ask(
        spec,
        for_,
        where,
        end="largest" if largest else "smallest" if smallest else None,
        step=step,
        convention=convention,
        settings=_fixed(settings),
        assume=assume or (),
    )
    print(render(question, answer), end="")
    return int(answer.verdict is Verdict.INFEASIBLE)


@app.command
def prove(
    files: Annotated[list[str] | None, Parameter(help="Files of laws; else the built-in.")] = None,
    /,
    *,
    law: Annotated[
        list[str] | None,
        Parameter(consume_multiple=True, negative=(), help="Laws by name; all where not given."),
    ] = None,
    format: ViewFormat = "table",  # noqa: A002 - the option's name
) -> int:
    """Derive published formulas from networks; exit status 1 where one is not as published."""
    from archspec.laws import read_laws
    from costmodel.prove import built_in_files, prove, select
    from costmodel.render.proofs import find_renderer

    render = find_renderer(format)
    _require_values("--law", law)
    laws = [each for file in files or built_in_files() for each in read_laws(file)]
    proofs = [prove(each) for each in select(laws, law or ())]
    print(render(proofs), end="")
    return int(not all(proof.holds for proof in proofs))


@app.command
def hardware(
    devices: Annotated[
        list[str] | None,
        Parameter(help="Devices by name, or your own files (.yaml); else all built-in ones."),
    ] = None,
    /,
    *,
    format: ViewFormat = "table",  # noqa: A002 - the option's name
) -> None:
    """List the devices there are, or every figure of some with its source."""
    from costmodel.machines import built_in_profiles, find_profile
    from costmodel.render.hardware import find_views

    views = find_views(format)
    if devices:
        print(views.figures([find_profile(device) for device in devices]), end="")
    else:
        print(views.overview(built_in_profiles()), end="")


def _analyze(
    spec: str,
    settings: list[str] | None,
    convention: str,
    *,
    assume: Iterable[str] = (),
    numbers_suffice: bool,
) -> Analysis:
    analysis = analyze(
        spec,
        convention=convention,
        settings=_fixed(settings),
        assume=assume,
        numbers_suffice=numbers_suffice,
    )
    for warning in analysis.warnings:
        print(f"archcost: warning: {warning}", file=sys.stderr)
    return analysis


def _fixed(settings: list[str] | None) -> dict[str, str]:
    """The symbols that ``--set`` fixes, each to one number."""
    fixed: dict[str, str] = {}
    _require_values("--set", settings)
    for text in settings or ():
        name, value = _setting(text)
        if name in fixed:
            raise SpecError(f"--set gives {name} twice, {fixed[name]} and {value}")
        fixed[name] = value
    return fixed


def _require_values(option: str, values: list[str] | None) -> None:
    """An option that takes values was given some, or was not given."""
    if values == []:
        raise SpecError(f"{option} needs a value")


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise SpecError(f"--set takes name=number, not '{text}'", hint="as in --set h=192 n=8")
    return name.strip(), value.strip()
