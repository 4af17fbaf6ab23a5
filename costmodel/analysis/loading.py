"""From a spec to its analysis: read, decided, propagated, and held to what its rules ask."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from archspec import Architecture, Graph, SpecError, build_graph, load
from archspec.architecture import Source
from archspec.arithmetic import Rational
from archspec.errors import did_you_mean
from archspec.expressions import ExpressionError
from archspec.graph import item_output, made_in, nodes_of, read_in
from archspec.importers import Module, Shapes, from_python
from archspec.trees import Tensor
from costmodel.algebra.conditions import Condition, condition_text
from costmodel.algebra.domains import domain_under, symbols_of
from costmodel.algebra.reduction import is_impossible
from costmodel.algebra.symbols import symbol
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.domains import nearest_valid
from costmodel.network.assumptions import read_assumptions
from costmodel.network.decoding import keeps_past, meeting, only_new, require_decodable, resting
from costmodel.network.known_layers import KnownLayers
from costmodel.network.networks import is_called
from costmodel.network.propagation import (
    LayerCost,
    Propagation,
    least_values,
    on_the_way,
    propagate,
)
from costmodel.scenario.conventions import Convention, convention_of
from costmodel.scenario.scenario import NOWHERE, Scenario, as_scenario, with_past
from costmodel.scenario.settings import Number, to_rational


class Setup(NamedTuple):
    """The options of every network (see `analyze`).

    Attributes:
        convention: what counts; None where the specs say it (see `convention_of`).
        settings: symbols that are set.
        assume: what holds of the symbols.
        scenario: types of numbers, and the device.
    """

    convention: Convention | str | None = None
    settings: Mapping[str, Number] = {}
    assume: tuple[str, ...] = ()
    scenario: Scenario = NOWHERE

    @property
    def numbers(self) -> dict[str, Rational]:
        """The symbols that are set, each with its exact number."""
        return {name: to_rational(name, value) for name, value in self.settings.items()}

    def at(self, settings: Mapping[str, Number]) -> "Setup":
        """Return the same with other symbols set."""
        return self._replace(settings=settings)

    def agreed(self, *specs: Architecture) -> "Setup":
        """Return the same with the one convention of some specs (see `convention_of`)."""
        return self._replace(convention=convention_of(self.convention, *specs))

    def given_to(self, spec: Architecture) -> dict[str, Rational]:
        """Return the symbols of a network that are set, each with its number.

        A setting ``NETWORK:SYMBOL`` is of the networks that are called so, and goes before others.
        """
        found: dict[str, Rational] = {}
        for given, value in sorted(self.settings.items(), key=lambda pair: ":" in pair[0]):
            of, colon, name = given.rpartition(":")
            if name in spec.header.symbols and (not colon or is_called(spec, of)):
                found[name] = to_rational(name, value)
        return found

    def require_known(self, specs: Collection[Architecture]) -> None:
        """Make sure that what is set is a symbol of one of some networks.

        Raises:
            SpecError: none of them has it, or none is called so.
        """
        for given in self.settings:
            of, colon, name = given.rpartition(":")
            meant = [spec for spec in specs if not colon or is_called(spec, of)]
            if not meant:
                hint = did_you_mean(of, [spec.header.name for spec in specs])
                raise SpecError(f"--set {given}: there is no network '{of}' here", hint=hint)
            known = [*dict.fromkeys(n for spec in meant for n in spec.header.symbols)]
            if name not in known:
                cause = f"none of the specs has a symbol '{name}' to set"
                raise SpecError(cause, hint=did_you_mean(name, known))


def setup_of(analysis: Analysis) -> Setup:
    """Return the options that an analysis was made with, no symbol being set."""
    return Setup(analysis.convention, {}, analysis.assumed.texts, analysis.scenario)


def analyze(
    spec: Source | Module,
    *,
    input: Shapes | None = None,  # noqa: A002 - what --input says
    convention: str | None = None,
    settings: Mapping[str, Number] | None = None,
    assume: Iterable[str] = (),
    scenario: Scenario | Mapping[str, Number] = NOWHERE,
    numbers_suffice: bool = False,
) -> Analysis:
    """Analyse a spec: shapes, costs and conditions as closed forms in its symbols.

    Args:
        spec: a name of the zoo, as ``resnet50``, or the path of a YAML spec, ``@VARIANT`` behind;
            the text of a spec, or what it says as a mapping; what a spec is written from, as
            ``torch:torchvision.models:resnet50``, whose code is run; or an ``nn.Module``, whose
            weights are not read.
        input: the sizes of a module's input, ``("n", 3, "h", "w")``: names are symbols, numbers
            are fixed. Several are a list of such, or a mapping by ``forward``'s parameters.
        convention: what counts: ``torch``, ``lecture``, ``pycls``, or a path ending in
            ``.yaml``; where it is None, what the spec's header says, else ``torch``.
        settings: symbols fixed to numbers; the others stay symbols.
        assume: what holds of the others: ``h % 32 == 0``, ``h >= 64``, ``w == h``.
        scenario: types of numbers, the device and what else is said beside the spec, as
            ``{"dtype": "fp16", "hardware": "a100-80gb"}`` (see
            `costmodel.scenario.scenario.scenario`).
        numbers_suffice: whether, where the symbols leave the structure open, an analysis with all
            of them fixed to their defaults will do.

    Raises:
        SpecError: the spec or a setting breaks a rule.
    """
    setup = Setup(convention, settings or {}, tuple(assume), as_scenario(scenario))
    architecture = load(spec if input is None else from_python(spec, input))
    return analyze_loaded(architecture, setup, numbers_suffice=numbers_suffice)


def analyze_loaded(architecture: Architecture, setup: Setup, *, numbers_suffice: bool) -> Analysis:
    """Return the analysis of a loaded spec (see `analyze`); an error names the broken numbers."""
    try:
        return analyze_architecture(architecture, setup)
    except SpecError:
        if setup.assume:
            raise
        defaults = with_past(architecture, setup.scenario).header.defaults
        try:
            numeric = analyze_architecture(architecture, setup.at({**defaults, **setup.numbers}))
        except SpecError as error:
            try:
                free = unchecked(architecture, setup.at({}))
            except SpecError:
                raise error from None
            raise _with_conditions(error, free, setup.numbers) from None
        if numbers_suffice:
            return numeric
        raise


def _with_conditions(error: SpecError, free: Analysis, fixed: Mapping[str, Rational]) -> SpecError:
    """Return an error with the conditions under which the network is valid, if they are known."""
    if error.origin is None:  # it is not about the network, but about what is set
        return error
    if any(is_impossible(condition, least_values(free.graph)) for condition in free.conditions):
        return error
    conditions = " and ".join(map(condition_text, free.conditions))
    if not conditions:
        return error
    return on_the_way(error, f"valid when {conditions}{_broken(free, fixed)}")


def _broken(free: Analysis, fixed: Mapping[str, Rational]) -> str:
    """Return a text: the conditions that fail, and the nearest values at which none does."""
    values = {**free.graph.values, **fixed}
    try:
        evaluate = free.evaluator_at(values)
        failed = [condition for condition in free.conditions if not condition.holds(evaluate)]
    except (SpecError, ExpressionError):  # a condition has no value there
        return ""
    about = sorted({s.name for condition in failed for s in symbols_of(condition)})
    if not about:
        return ""
    texts = " and ".join(map(condition_text, failed))
    at = ", ".join(f"{name} = {values[name]}" for name in about)
    failure = f"; {texts} fail{'s' * (len(failed) == 1)} at {at}"
    if len(free.conditions) == 1:
        failure = f", which fails at {at}"
    near = nearest_valid(free, values, sorted(about, key=lambda name: (name not in fixed, name)))
    shown = " ".join(f"{name}={value}" for name, value in near.items())
    return f"{failure}; the nearest that holds: --set {shown}" if near else failure


def analyze_architecture(architecture: Architecture, setup: Setup) -> Analysis:
    """Return the analysis of a loaded spec (see `analyze`)."""
    analysis = unchecked(architecture, setup)
    try:
        return analysis.checked()
    except SpecError as error:
        if not setup.assume:
            raise
        near = _near_defaults(analysis.architecture, analysis.demands)
        try:
            return unchecked(near, setup).checked()
        except SpecError:
            raise error from None


def unchecked(
    architecture: Architecture, setup: Setup, known: KnownLayers[LayerCost] | None = None
) -> Analysis:
    """Return the analysis of a loaded spec whose symbols' values may make no valid network."""
    numbers, scenario = setup.numbers, setup.scenario
    convention = convention_of(setup.convention, architecture)
    architecture = with_past(architecture, scenario)
    assumed = read_assumptions(setup.assume, architecture.header.symbols, numbers)
    near = _near_defaults(architecture, assumed.conditions)
    graph = build_graph(near, numbers, assumed.derived, known.blocks if known else None)
    past, still = scenario.past, set[str]()
    if past is not None:
        alone = propagate(graph, assumed)
        if not keeps_past(alone):
            raise no_token_before()
        still = resting(alone)
    propagation = propagate(graph, assumed, past, resting=still, known=known)
    if scenario.last_only and (narrowed := last_mixed(graph, propagation)) is not None:
        propagation = propagate(graph, assumed, past, narrowed, still)
    if scenario.past:
        require_decodable(propagation)
        propagation = only_new(propagation)
    return Analysis(graph, propagation, convention, architecture, assumed, scenario)


def last_mixed(graph: Graph, propagation: Propagation) -> tuple[Tensor, int] | None:
    """Return the output of the last item that mixes tokens, if all after it reads nothing else.

    With it the axis of its tokens.

    Each token by itself goes through what is left of the network then, as the one of a step does.
    None where something after it takes what was made before, or where there is nothing after it.
    """
    items = graph.items
    met, axes = meeting(propagation)
    meets = [any(node.path in met for node in nodes_of((item,))) for item in items]
    after = len(meets) - meets[::-1].index(True) if True in meets else len(items)
    rest = items[after:]
    if not rest:
        return None
    left, own = item_output(items[after - 1]), set(made_in(rest))
    taken = {tensor for tensor in read_in(rest) if tensor.producer not in own}
    return (left, axes[left]) if taken == {left} and left in axes else None


def no_token_before() -> SpecError:
    """Return the error of a network without a layer that reads past tokens."""
    return SpecError(
        "no layer here meets tokens that came before: there is no causal self_attention, no cache",
        hint="prefill, decode and past are of layers that keep something for the next token, as "
        "self_attention with causal: true and no kv_length",
    )


def _near_defaults(architecture: Architecture, conditions: Iterable[Condition]) -> Architecture:
    """Return the spec with the defaults nearest to its own that keep conditions on one symbol."""
    symbols, required = dict(architecture.header.symbols), tuple(conditions)
    if not required:
        return architecture
    for name, declared in symbols.items():
        domain = domain_under(declared, symbol(name, declared.domain), required)
        symbols[name] = declared.model_copy(update={"default": domain.nearest(declared.default)})
    header = architecture.header.model_copy(update={"symbols": symbols})
    return architecture._replace(header=header)
