"""The allowed range of each number, declared once for the reader and for the schema."""

from fractions import Fraction
from typing import Any, NamedTuple

FORM = "form"
"""The key of a schema that stands for a form that many fields share (see `archspec.schema`)."""

LARGEST = 10**300
SMALLEST = Fraction(1, LARGEST)
"""The bounds of a spec's literals, 0 aside; what reads JSON knows little more."""


class Range(NamedTuple):
    """Some numbers, by what all of them keep to.

    Attributes:
        name: what the schema calls it.
        rule: what must hold of a number, in words.
        whole: whether it is an integer.
        least: the smallest, or None.
        most: the largest, or None.
        without: a number between them that is none of them, or None.
    """

    name: str
    rule: str
    whole: bool = False
    least: int | None = None
    most: int | None = None
    without: int | None = None

    def broken_rule(self, value: int | Fraction) -> str | None:
        """The rule that a number breaks, or None."""
        size = abs(Fraction(value))
        if size and not SMALLEST <= size <= LARGEST:
            return "must be 0, or from 1e-300 to 1e300 in size"
        holds = (
            not (self.whole and value.denominator != 1)
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and value != self.without
        )
        return None if holds else self.rule

    def nearest(self, value: int | Fraction) -> int | Fraction | None:
        """The number of this range that is nearest to one outside, or None if there is none."""
        within = value if self.least is None else max(value, self.least)
        within = within if self.most is None else min(within, self.most)
        within = round(within) if self.whole else within
        return None if self.broken_rule(within) else within

    @property
    def schema(self) -> dict[str, Any]:
        """The literals, as JSON Schema; it refuses what is not finite, too."""
        ends = float(LARGEST) if self.whole else None  # of the others, `FINITE` has them
        least, most = self.least, ends if self.most is None else self.most
        bounds = {"minimum": -ends if least is None and ends else least, "maximum": most}
        found: dict[str, Any] = {key: at for key, at in bounds.items() if at is not None}
        if self.without is not None and self.without == self.least:
            found["exclusiveMinimum"] = found.pop("minimum")
        elif self.without is not None:
            found["not"] = {"const": self.without}
        if self.whole:
            return {"type": "integer", **found}
        return {FORM: "finite", **found}


FINITE = {
    "description": "A number that is neither infinite nor none at all, .inf or .nan.",
    "type": "number",
    "minimum": -float(LARGEST),
    "maximum": float(LARGEST),
    "not": {"exclusiveMinimum": float(LARGEST)},
}
"""All literals, as JSON Schema: no bound refuses NaN, but it is above none either."""

NUMBER = Range("number", "must be a number")
INTEGER = Range("integer", "must be an integer", whole=True)
POSITIVE_INTEGER = Range("positive_integer", "must be a positive integer", whole=True, least=1)
NATURAL = Range("natural", "must be an integer of at least 0", whole=True, least=0)
EXTENT = Range(
    "extent", "must be a positive integer, or -1 for the rest", whole=True, least=-1, without=0
)
PROBABILITY = Range("probability", "must be from 0 to 1", least=0, most=1)
POSITIVE = Range("positive", "must be more than 0", least=0, without=0)
NOT_NEGATIVE = Range("not_negative", "must be at least 0", least=0)
NOT_ZERO = Range("not_zero", "must not be 0", without=0)

RANGES = (
    *(NUMBER, INTEGER, POSITIVE_INTEGER, NATURAL, EXTENT),
    *(PROBABILITY, POSITIVE, NOT_NEGATIVE, NOT_ZERO),
)
"""All of them."""
