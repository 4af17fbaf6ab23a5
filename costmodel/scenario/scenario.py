"""A scenario: what is said beside the spec: types, the device, tokens before, training."""

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, Unpack

from archspec.architecture import Architecture
from archspec.arithmetic import Rational
from archspec.errors import SpecError, find_named
from archspec.header import Symbol
from archspec.precision import UNSAID, Precision, find_type
from costmodel.scenario.settings import Number, to_rational
from costmodel.scenario.training import OPTIONS, Training, training

if TYPE_CHECKING:
    from archspec.hardware import Profile


class Device(NamedTuple):
    """The device that a network runs on, with the options about it.

    Attributes:
        profile: its figures.
        efficiency: the part of its peaks and bandwidth that is reached, from 0 to 1.
        energies: the profile whose energies it takes, where they are not its own.
    """

    profile: "Profile"
    efficiency: Rational = 1
    energies: str | None = None


class AttentionImplementation(Enum):
    """The implementation of attention: fused, or with the score matrix stored whole."""

    FUSED = "fused"
    UNFUSED = "unfused"

    def __str__(self) -> str:
        """Return the sentence that stands below every bound that depends on it."""
        return _ATTENTIONS[self]


_ATTENTIONS = {
    AttentionImplementation.FUSED: "fused: scores are never in memory whole, and times count "
    "no product that a causal mask hides",
    AttentionImplementation.UNFUSED: "unfused: all scores are worked out and stored in memory",
}
ATTENTIONS = {attention.value: attention for attention in AttentionImplementation}


class Scenario(NamedTuple):
    """The scenario in which costs are computed: device, number types, tokens, training.

    Attributes:
        precision: the types of all numbers of which the spec says nothing nearer.
        device: where it runs, where one is given.
        past: how many tokens came before those that enter, whose keys and values are cached; `PAST`
            where that is a symbol, None where no cache is kept.
        training: how it is trained, where that is said.
        attention: how attention is implemented; bounds take the least, which is fused.
        last_only: whether of all tokens that enter only what comes out of the last is used, so that
            nothing after the last attention has to work on the others.
        page: tokens of a page, where a cache is kept in whole pages of one sequence each.
    """

    precision: Precision = UNSAID
    device: Device | None = None
    past: Rational | str | None = None
    training: Training | None = None
    attention: AttentionImplementation = AttentionImplementation.FUSED
    last_only: bool = False
    page: Rational | None = None

    @property
    def is_fused(self) -> bool:
        """Return whether fusible maps stay out of memory, and masked products are not made."""
        return self.attention is AttentionImplementation.FUSED

    def device_for(self, what: str) -> Device:
        """The device, on which something depends.

        Raises:
            SpecError: none is given.
        """
        if self.device is None:
            hint = "name one with --hardware; archcost hardware lists them"
            raise SpecError(f"{what} depends on the device, and none is given", hint=hint)
        return self.device


PAST = "past"
"""The symbol of the tokens that came before."""


NOWHERE = Scenario()
"""No device, no cache; the types that the spec says, else fp32."""


class ScenarioOptions(TypedDict, total=False):
    """The options of a scenario, as a user gives them.

    Attributes:
        dtype: the type of weights and activations.
        weights: the type of weights alone.
        activations: the type of activations alone.
        accumulators: the type in which products are summed.
        cache: the type of cached keys and values.
        hardware: a device's name, or the path of a profile.
        energy: the profile whose energies it takes, where it has none of its own.
        efficiency: the part of the device's peaks and bandwidth that is reached.
        past: how many tokens came before, or ``past`` for a symbol.
        optimizer: what trains it: sgd, momentum, adam, adamw, adafactor, lion, adam8bit,
            adamw8bit or lion8bit.
        checkpoint: what is made again in training: none, blocks, attention, or the name of a
            kind or block, as residual.
        master: the copy of weights narrower than 32 bits: fp32 or none.
        gradients: the type of the gradients; the weights' where not given.
        loss: the loss: none, or cross_entropy, which keeps log-probabilities in fp32.
        attention: how attention is implemented: fused or unfused.
        page: tokens of a page, of which a cache takes whole ones.
    """

    dtype: str | None
    weights: str | None
    activations: str | None
    accumulators: str | None
    cache: str | None
    hardware: str | None
    energy: str | None
    efficiency: Number | None
    past: Number | None
    optimizer: str | None
    checkpoint: str | None
    master: str | None
    gradients: str | None
    loss: str | None
    attention: str | None
    page: Number | None


def scenario(**options: Unpack[ScenarioOptions]) -> Scenario:
    """Return the scenario of some options (see `ScenarioOptions`); None means as usual.

    Raises:
        SpecError: an unknown type, device or way to train, or a number out of its range.
    """
    words: dict[str, Any] = {**options}
    trained = training(**{word: words[word] for word in OPTIONS if word in words})
    tokens, page = _tokens(options.get("past")), _page(options.get("page"))
    if trained is not None and tokens is not None:
        raise SpecError("a cache is not trained with", hint="leave --past out, or --optimizer")
    device = _device(options.get("hardware"), options.get("energy"), options.get("efficiency"))
    attention = find_named("attention", options.get("attention") or "fused", ATTENTIONS)
    made = Scenario(_precision(options), device, tokens, trained, attention)
    return made._replace(page=page)


def as_scenario(given: Scenario | Mapping[str, Number]) -> Scenario:
    """Return a scenario as it is, or the one of some options (see `ScenarioOptions`).

    Raises:
        SpecError: a word is none of a scenario's.
    """
    if isinstance(given, Scenario):
        return given
    for name in given:
        find_named("word of a scenario", name, ScenarioOptions.__annotations__)
    return scenario(**given)  # type: ignore[arg-type]


def _precision(options: ScenarioOptions) -> Precision:
    dtype = options.get("dtype")
    types = {
        "weights": options.get("weights") or dtype,
        "activations": options.get("activations") or dtype,
        "accumulators": options.get("accumulators"),
        "cache": options.get("cache"),
    }
    found = {of: name and find_type(name) for of, name in types.items()}
    return UNSAID.model_copy(update=found)


def _tokens(past: Number | None) -> Rational | str | None:
    if past is None or past == PAST:
        return past
    return _whole(PAST, past, 0, f"an integer of at least 0, or {PAST} to leave it open")


def _page(page: Number | None) -> Rational | None:
    return None if page is None else _whole("page", page, 1, "an integer of at least 1")


def _whole(name: str, value: Number, least: int, hint: str) -> Rational:
    """A number of tokens."""
    tokens = to_rational(name, value)
    if tokens.denominator != 1 or tokens < least:
        raise SpecError(f"{name} = {value} is no number of tokens", hint=hint)
    return tokens


def with_past(architecture: Architecture, scenario: Scenario) -> Architecture:
    """The spec with the symbol of the tokens before, where it is left open.

    Raises:
        SpecError: the spec gives that name a meaning of its own.
    """
    if scenario.past is None:
        return architecture
    header, written = architecture.header, architecture.written
    if PAST in written.symbols or PAST in written.let:
        raise SpecError(
            f"the spec says itself what '{PAST}' is",
            hint=f"leave --past out and set it with --set {PAST}=…, or call it by another name",
        )
    if scenario.past != PAST or PAST in header.symbols:
        return architecture
    symbols = {**header.symbols, PAST: Symbol(default=1, doc="tokens in the cache")}
    return architecture._replace(header=header.model_copy(update={"symbols": symbols}))


def _device(name: str | None, energy: str | None, efficiency: Number | None) -> Device | None:
    if name is None:
        for option, given in (("energy", energy), ("efficiency", efficiency)):
            if given is not None:
                raise SpecError(f"{option} is of a device", hint="name one with --hardware")
        return None
    from costmodel.scenario.devices import find_profile, with_energy_of

    profile = find_profile(name)
    if energy is not None:
        profile = with_energy_of(profile, find_profile(energy))
    return Device(profile, _part("efficiency", efficiency), energy)


def _part(name: str, value: Number | None) -> Rational:
    """A number above 0 and of at most 1; 1 where none is given."""
    part = 1 if value is None else to_rational(name, value)
    if not 0 < part <= 1:
        raise SpecError(f"{name} = {value} is no part; it is above 0 and at most 1")
    return part
