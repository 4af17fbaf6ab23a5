"""What commands share: their options, and the analysis that these ask for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

from cyclopts import Parameter, Token

from archspec.errors import SpecError
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.loading import analyze
from costmodel.cli.misuse import is_like_a_spec
from costmodel.cli.tell import tell
from costmodel.metrics.registry import OpenLawError
from costmodel.render import FORMATS
from costmodel.scenario.scenario import Scenario, scenario

_T = TypeVar("_T")

Spec = Annotated[str, Parameter(help="Path of a YAML spec, or PATH@VARIANT.")]
Specs = Annotated[
    list[str], Parameter(help="Paths of specs, patterns as 'specs/*.yaml', PATH@VARIANT or PATH@*.")
]
Symbolic = Annotated[
    bool, Parameter(negative=(), help="Print closed forms in the symbols, not numbers.")
]
Metrics = Annotated[
    list[str] | None,
    Parameter(
        consume_multiple=True,
        negative=(),
        help="What to show: params, model_size, macs, macs_least, flops, activations, "
        "activations_peak, memory_peak, memory_peak_best, bytes_moved, kv_cache, "
        "kv_cache_per_token, gradients, optimizer_state, activations_kept, training_memory, "
        "training_macs, receptive_field, "
        "effective_stride, effective_padding; with --hardware also energy, latency, "
        "latency_network, compute_time, memory_time.",
    ),
]


def whole(_: object, tokens: Sequence[Token]) -> int:
    """An integer of the command line; a fraction is not rounded to one.

    Raises:
        ValueError: it is none.
    """
    text = tokens[0].value
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"'{text}' is no integer") from None


WHOLE = Parameter(converter=whole)
"""Of options that take an integer."""

Depth = Annotated[
    int | None,
    WHOLE,
    Parameter(help="How many groups to open within each other; 0 shows the outermost."),
]
Format = Annotated[str, Parameter(help=f"How to show it: {', '.join(FORMATS)}.")]


def _type(what: str) -> Parameter:
    return Parameter(help=f"The type of {what}: fp32, tf32, bf16, fp16, fp8, int8, int4, …")


@Parameter(name="*")
@dataclass(frozen=True)
class Given:
    """What is said of a network beside its spec."""

    settings: Annotated[
        list[str] | None,
        Parameter(
            name="--set",
            consume_multiple=True,
            negative=(),
            help="Give symbols values, as h=192 width=0.5; the others keep theirs, or stay open "
            "with --symbolic.",
        ),
    ] = None
    assume: Annotated[
        list[str] | None,
        Parameter(
            consume_multiple=True,
            negative=(),
            help="What holds of the symbols, as 'h % 32 == 0' 'w == h': laws become simpler.",
        ),
    ] = None
    convention: Annotated[
        str, Parameter(help="What counts: lecture, torch or pycls; printed with every report.")
    ] = "lecture"
    dtype: Annotated[str | None, _type("weights and activations")] = None
    weights: Annotated[str | None, _type("weights")] = None
    activations: Annotated[str | None, _type("activations")] = None
    accumulators: Annotated[str | None, _type("the sums of products")] = None
    cache: Annotated[str | None, _type("cached keys and values")] = None
    hardware: Annotated[
        str | None, Parameter(help="The device: a name, or the path of a profile (.yaml).")
    ] = None
    energy: Annotated[
        str | None, Parameter(help="The profile whose energies the device takes, as horowitz-45nm.")
    ] = None
    efficiency: Annotated[
        str | None, Parameter(help="The part of the device's peaks that is reached, as 0.5.")
    ] = None

    past: Annotated[
        str | None,
        Parameter(
            help="How many tokens came before, their keys and values cached; past leaves it open."
        ),
    ] = None
    optimizer: Annotated[
        str | None,
        Parameter(help="What trains it: sgd, momentum, adam, adamw or adafactor."),
    ] = None
    checkpoint: Annotated[
        str | None,
        Parameter(help="What is made again in training: none, blocks or attention."),
    ] = None
    master: Annotated[
        str | None,
        Parameter(help="The copy of weights narrower than 32 bits in training: fp32 or none."),
    ] = None
    attention: Annotated[
        str | None,
        Parameter(
            help="How attention is implemented: fused (no score matrix in memory, no products that "
            "a causal mask hides; what bounds take) or unfused."
        ),
    ] = None

    @property
    def fixed(self) -> dict[str, str]:
        """The symbols that ``--set`` fixes, each to one number."""
        fixed: dict[str, str] = {}
        require_values("--set", self.settings)
        for text in self.settings or ():
            name, value = _setting(text)
            if name in fixed:
                raise SpecError(f"--set gives {name} twice, {fixed[name]} and {value}")
            fixed[name] = value
        return fixed

    @property
    def assumed(self) -> tuple[str, ...]:
        """What ``--assume`` says."""
        require_values("--assume", self.assume)
        return tuple(self.assume or ())

    @property
    def scenario(self) -> Scenario:
        """The types of numbers, and the device."""
        return scenario(
            dtype=self.dtype,
            weights=self.weights,
            activations=self.activations,
            accumulators=self.accumulators,
            cache=self.cache,
            hardware=self.hardware,
            energy=self.energy,
            efficiency=self.efficiency,
            past=self.past,
            optimizer=self.optimizer,
            checkpoint=self.checkpoint,
            master=self.master,
            attention=self.attention,
        )

    def analysis(self, spec: str, *, numbers_suffice: bool) -> Analysis:
        """The analysis of a spec; what the spec says without effect is told on stderr."""
        analysis = analyze(
            spec,
            convention=self.convention,
            settings=self.fixed,
            assume=self.assumed,
            scenario=self.scenario,
            numbers_suffice=numbers_suffice,
        )
        warn(analysis)
        return analysis

    def opened(self, spec: str, name: str) -> Analysis:
        """The analysis of a spec in which one symbol is open, the others at their values."""
        from costmodel.studies.solve import opened

        return opened(
            spec,
            name,
            convention=self.convention,
            settings=self.fixed,
            assume=self.assumed,
            scenario=self.scenario,
        )

    def worked_out(self, spec: str, work: Callable[[Analysis], _T], *, laws: bool) -> _T:
        """What is made of a spec; all in numbers where these suffice and a metric has no law.

        Raises:
            SpecError: the spec or what is given breaks a rule, or a law that is needed is open.
        """
        analysis = self.analysis(spec, numbers_suffice=not laws)
        try:
            return work(analysis)
        except OpenLawError:
            if laws or self.assume or not analysis.symbols:
                raise
        return work(self.in_numbers(analysis).analysis(spec, numbers_suffice=True))

    def in_numbers(self, analysis: Analysis) -> "Given":
        """The same with every symbol set to its value."""
        values = [f"{name}={value}" for name, value in analysis.graph.values.items()]
        return replace(self, settings=values or None)


NOTHING_GIVEN = Given()
"""The spec's own defaults."""


@Parameter(name="*")
@dataclass(frozen=True)
class Stored(Given):
    """What is said of a network that is to be stored: all of its parameters count."""

    convention: Annotated[
        str, Parameter(help="What counts: torch (all that is learned is stored), lecture or pycls.")
    ] = "torch"


ALL_STORED = Stored()
"""The spec's own defaults, all parameters counted."""


def warn(analysis: Analysis) -> None:
    """Tell on stderr what a spec says without effect."""
    for warning in analysis.warnings:
        tell(f"warning: {warning}")


def require_values(option: str, values: list[str] | None) -> None:
    """An option that takes values was given some, or was not given.

    Raises:
        SpecError: it was given none.
    """
    if values == []:
        raise SpecError(f"{option} needs a value")


def require_depth(depth: int | None) -> None:
    """``--depth`` opens some groups, or none.

    Raises:
        SpecError: it is negative.
    """
    if depth is not None and depth < 0:
        raise SpecError(f"--depth {depth} opens less than nothing", hint="0 shows the outermost")


def chosen(metrics: list[str] | None) -> tuple[str, ...]:
    """The metrics that ``--metric`` names, each once."""
    require_values("--metric", metrics)
    return tuple(dict.fromkeys(metrics or ()))


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        hint = f"put {text} before --set" if is_like_a_spec(text) else "as in --set h=192 n=8"
        raise SpecError(f"--set takes name=number, not '{text}'", hint=hint)
    return name.strip(), value.strip()
