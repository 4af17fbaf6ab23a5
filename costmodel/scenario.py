"""A scenario: what is said beside the spec, of number types and of the device."""

from typing import NamedTuple

from archspec.arithmetic import Rational
from archspec.errors import SpecError, find_named
from archspec.hardware import Profile
from archspec.precision import TYPES, UNSAID, Precision
from costmodel.settings import Number, to_rational


class Device(NamedTuple):
    """Where a network runs.

    Attributes:
        profile: its figures.
        efficiency: the part of its peaks and bandwidth that is reached, from 0 to 1.
        energies: the profile whose energies it takes, where they are not its own.
    """

    profile: Profile
    efficiency: Rational = 1
    energies: str | None = None


class Scenario(NamedTuple):
    """What a network's costs are asked for.

    Attributes:
        precision: the types of all numbers of which the spec says nothing nearer.
        device: where it runs, where one is given.
    """

    precision: Precision = UNSAID
    device: Device | None = None


NOWHERE = Scenario()
"""No device; the types that the spec says, else fp32."""


def scenario(
    *,
    dtype: str | None = None,
    weights: str | None = None,
    activations: str | None = None,
    accumulators: str | None = None,
    cache: str | None = None,
    hardware: str | None = None,
    energy: str | None = None,
    efficiency: Number | None = None,
) -> Scenario:
    """A scenario from what a person says.

    Args:
        dtype: the type of weights and activations.
        weights: the type of weights alone.
        activations: the type of activations alone.
        accumulators: the type in which products are summed.
        cache: the type of cached keys and values.
        hardware: a device's name, or the path of a profile.
        energy: the profile whose energies it takes, where it has none of its own.
        efficiency: the part of the device's peaks and bandwidth that is reached.

    Raises:
        SpecError: an unknown type or device, or a number out of its range.
    """
    said = {
        "weights": weights or dtype,
        "activations": activations or dtype,
        "accumulators": accumulators,
        "cache": cache,
    }
    for name in filter(None, said.values()):
        find_named("type", name, TYPES)
    precision = UNSAID.model_copy(update=said)
    return Scenario(precision, _device(hardware, energy, efficiency))


def _device(name: str | None, energy: str | None, efficiency: Number | None) -> Device | None:
    if name is None:
        for option, given in (("energy", energy), ("efficiency", efficiency)):
            if given is not None:
                raise SpecError(f"{option} is of a device", hint="name one with --hardware")
        return None
    from costmodel.machines import find_profile, with_energy_of

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
