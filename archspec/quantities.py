"""Physical quantities as a datasheet writes them: a number, or a number with its unit.

A number alone is in the base unit. Decimal and binary prefixes are kept apart: a GB is 10**9
bytes, a GiB 2**30.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated, Any

from archspec.arithmetic import Rational, tidy
from archspec.errors import did_you_mean
from archspec.fields import Read, refused, shortened, show

DECIMAL = {"f": -15, "p": -12, "n": -9, "µ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12}
"""Prefix → its power of 10."""

_READ = {**DECIMAL, "u": DECIMAL["µ"]}
"""The decimal prefixes with the one that keyboards have, too."""

BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40}
"""Prefix → its power of 2."""

LARGEST = Fraction(10**30)
"""More than any quantity of a device, in base units; one over it is less than any."""

_NUMBER_AND_UNIT = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?(?:[eE]-?[0-9]{1,2})?)\s*([^\s\d].*)")


@dataclass(frozen=True)
class Dimension:
    """The dimension of a quantity: bytes, seconds, joules, ….

    Attributes:
        name: as errors call it.
        units: unit → how many base units it is.
        example: one well written.
    """

    name: str
    units: dict[str, Rational] = field(hash=False)
    example: str

    def read(self, value: Any) -> Rational:
        """A positive quantity, in the base unit.

        Raises:
            PydanticCustomError: it is none, or has the unit of another dimension.
        """
        number, unit = _parts(value)
        if number is None:
            raise refused(f"{show(value)} is no {self.name}", f"write a number, or {self.example}")
        if unit not in self.units:
            near = did_you_mean(unit, self.units)
            usual = f"write it as {self.example}"
            hint = near if near and near.startswith("did") else usual
            raise refused(f"{show(value)} is no {self.name}: '{unit}' is no unit of it", hint)
        if number <= 0:
            raise refused(f"{show(value)} is no {self.name}: it must be positive")
        quantity = tidy(number * self.units[unit])
        if not 1 / LARGEST <= quantity <= LARGEST:
            raise refused(f"{shortened(show(value))} is no {self.name} of anything there is")
        return quantity


def _parts(value: Any) -> tuple[Fraction | None, str]:
    """The number and the unit; a number alone is in base units."""
    if isinstance(value, int | Fraction) and not isinstance(value, bool):
        return Fraction(value), ""
    match = _NUMBER_AND_UNIT.fullmatch(shortened(value)) if isinstance(value, str) else None
    return (Fraction(match[1]), match[2]) if match else (None, "")


def _scaled(name: str, prefixes: Iterable[str], size: int = 1) -> dict[str, Rational]:
    """A unit with its decimal prefixes."""
    return {f"{p}{name}": tidy(size * Fraction(10) ** _READ[p]) for p in prefixes}


def _bytes(end: str) -> dict[str, Rational]:
    binary = {f"{prefix}B{end}": 2**power for prefix, power in BINARY.items()}
    return {"": 1, **_scaled(f"B{end}", ("", "k", "M", "G", "T")), **binary}


_RATES = ("", "k", "M", "G", "T")

OPERATIONS_PER_SECOND = Dimension(
    "rate of operations",
    {
        "": 1,
        **_scaled("OP/s", _RATES),
        **_scaled("FLOP/s", _RATES),
        **_scaled("MAC/s", _RATES, size=2),  # a multiplication and an addition
    },
    "312 TFLOP/s",
)
CAPACITY = Dimension("capacity", _bytes(""), "80 GiB")
BANDWIDTH = Dimension("bandwidth", _bytes("/s"), "2039 GB/s")
COUNT = Dimension(
    "count",
    {
        "": 1,
        **{p: 10 ** DECIMAL[p] for p in ("k", "M", "G", "T")},
        **{p: 2**n for p, n in BINARY.items()},
    },
    "300M",
)
TIME = Dimension("time", {"": 1, **_scaled("s", ("n", "µ", "u", "m", ""))}, "10 ms")
ENERGY = Dimension("energy", {"": 1, **_scaled("J", ("f", "p", "n", "µ", "u", "m", ""))}, "3.7 pJ")
POWER = Dimension("power", {"": 1, **_scaled("W", ("m", "", "k"))}, "400 W")
FREQUENCY = Dimension("frequency", {"": 1, **_scaled("Hz", ("", "k", "M", "G"))}, "480 MHz")

BESIDE_NUMBERS = {
    unit: size
    for dimension in (COUNT, CAPACITY, TIME, ENERGY)
    for unit, size in dimension.units.items()
    if unit.isascii() and unit
}
"""The units behind a number of an expression on the command line; a µ is read as u there."""

_SCHEMA = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]}

OperationsPerSecond = Annotated[int | Fraction, Read(OPERATIONS_PER_SECOND.read, _SCHEMA)]
"""In operations per second; a multiply-accumulate is two."""

Capacity = Annotated[int | Fraction, Read(CAPACITY.read, _SCHEMA)]
"""In bytes."""

Bandwidth = Annotated[int | Fraction, Read(BANDWIDTH.read, _SCHEMA)]
"""In bytes per second."""

Energy = Annotated[int | Fraction, Read(ENERGY.read, _SCHEMA)]
"""In joules."""

Power = Annotated[int | Fraction, Read(POWER.read, _SCHEMA)]
"""In watts."""

Frequency = Annotated[int | Fraction, Read(FREQUENCY.read, _SCHEMA)]
"""In hertz."""
