"""Exact sizes over symbols, in a normal form that prints as an expression of the language.

A size is a polynomial whose atoms are symbols, quotients ``p//q``, ``max`` and ``min``. The
identities that it knows, for integers ``m`` and positive ``b``, ``d``:

* ``(d·m + r)//d = m + r//d``
* ``(p//b + m)//d = (p + b·m)//(b·d)``
* ``(g·p + r)//(g·d) = (p + r//g)//d``
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import reduce
from math import gcd, lcm
from typing import NamedTuple, Union

from archspec.arithmetic import Rational, tidy
from archspec.errors import SpecError


class FloorQuotient(NamedTuple):
    """``over // by``, rounded down."""

    over: "Extent"
    by: "Extent"

    def __str__(self) -> str:
        return f"{_factor(self.over)}//{_factor(self.by)}"


class ExtremeSize(NamedTuple):
    """``max(…)`` or ``min(…)`` of several sizes."""

    function: str
    of: tuple["Extent", ...]

    def __str__(self) -> str:
        return f"{self.function}({', '.join(map(str, self.of))})"


Atom = str | FloorQuotient | ExtremeSize
Monomial = tuple[Atom, ...]
Number = Union[int, Fraction, "Extent"]


class Extent(NamedTuple):
    """A sum of monomials, each with its coefficient; none of them is 0."""

    terms: tuple[tuple[Monomial, Rational], ...]

    @property
    def number(self) -> Rational | None:
        """Its value, where it depends on no symbol."""
        if not self.terms:
            return 0
        ((monomial, value), *others) = self.terms
        return None if others or monomial else value

    @property
    def field(self) -> int | None:
        """Its value as an integer, or None where it has none."""
        number = self.number
        return number if isinstance(number, int) else None

    def plus(self, other: Number, factor: Rational = 1) -> "Extent":
        """Return the sum with a multiple of another size."""
        found = dict(self.terms)
        for monomial, value in extent(other).terms:
            found[monomial] = found.get(monomial, 0) + factor * value
        return _normal(found)

    def minus(self, other: Number) -> "Extent":
        """Return the difference from another size."""
        return self.plus(other, -1)

    def times(self, other: Number) -> "Extent":
        """Return the product with another size."""
        found: dict[Monomial, Rational] = {}
        for left, a in self.terms:
            for right, b in extent(other).terms:
                product = tuple(sorted((*left, *right), key=str))
                found[product] = found.get(product, 0) + a * b
        return _normal(found)

    def over(self, other: Number) -> "Extent":
        """Return the exact quotient by another size.

        Raises:
            SpecError: it is no polynomial.
        """
        divisor = extent(other)
        number = divisor.number
        if number:
            return self.times(Fraction(1) / number)
        exact = _divided(self, divisor) if divisor.terms else None
        if exact is None:
            raise SpecError(f"({self}) / ({divisor}) is no exact size")
        return exact

    def floor(self) -> "Extent":
        """Return the largest integer that is no larger."""
        common = lcm(*(Fraction(value).denominator for _, value in self.terms))
        return self.times(common).floor_div(common)

    def floor_div(self, other: Number) -> "Extent":
        """Return the quotient by another size, rounded down."""
        divisor = extent(other)
        if not divisor.terms:
            raise SpecError(f"({self}) is divided by 0")
        if any(isinstance(value, Fraction) for _, value in (*self.terms, *divisor.terms)):
            return self.over(divisor).floor()
        number = divisor.field
        if number is not None:
            return _floor(self if number > 0 else self.times(-1), abs(number))
        exact = _divided(self, divisor)
        return exact if exact is not None else _atom(FloorQuotient(self, divisor))

    def ceil_div(self, other: Number) -> "Extent":
        """Return the quotient by another size, rounded up."""
        return self.times(-1).floor_div(other).times(-1)

    def modulo(self, other: Number) -> "Extent":
        """Return the remainder of the division by another size."""
        return self.minus(self.floor_div(other).times(other))

    @property
    def least(self) -> Rational | None:
        """A bound from below where each symbol and each quotient is at least 1 or 0."""
        if any(value < 0 for monomial, value in self.terms if monomial):
            return None
        of_symbols = (
            value if all(isinstance(atom, str) for atom in monomial) else 0
            for monomial, value in self.terms
        )
        return sum(of_symbols, start=Fraction(0))

    def at(self, values: Mapping[str, int]) -> Rational:
        """Return its value, given one of every symbol.

        Args:
            values: symbol → value.
        """
        total: Rational = 0
        for monomial, factor in self.terms:
            for atom in monomial:
                factor = factor * _atom_at(atom, values)
            total += factor
        return tidy(total)

    def __str__(self) -> str:
        ordered = sorted(self.terms, key=lambda term: (not term[0], term[1] < 0, str(term[0])))
        text = " ".join(_term(*term) for term in ordered) or "0"
        return text.removeprefix("+ ") if text.startswith("+") else text.replace("- ", "-", 1)


def extent(value: Number | float | str) -> Extent:
    """Return a number or a symbol as a size.

    Args:
        value: the number, or the symbol's name.
    """
    if isinstance(value, Extent):
        return value
    if isinstance(value, str):
        return Extent((((value,), 1),))
    number = tidy(Fraction(value))
    return Extent((((), number),) if number else ())


def chosen(function: str, values: Iterable[Number]) -> Extent:
    """Return the largest or the smallest of several sizes.

    Args:
        function: ``max`` or ``min``.
        values: the sizes.
    """
    of = tuple(dict.fromkeys(map(extent, values)))
    sign = 1 if function == "max" else -1
    left = [a for a in of if not any(_beats(b, a, sign) for b in of if b is not a)]
    return left[0] if len(left) == 1 else _atom(ExtremeSize(function, tuple(left or of)))


def product(values: Iterable[Number]) -> Extent:
    """Return the product of sizes."""
    return reduce(Extent.times, map(extent, values), extent(1))


def _beats(winner: Extent, loser: Extent, sign: int) -> bool:
    least = winner.minus(loser).times(sign).least
    return least is not None and least >= 0


def _atom(atom: Atom) -> Extent:
    return Extent((((atom,), 1),))


def _normal(terms: Mapping[Monomial, Rational]) -> Extent:
    kept = ((monomial, tidy(value)) for monomial, value in terms.items() if value)
    return Extent(tuple(sorted(kept, key=lambda term: [str(atom) for atom in term[0]])))


def _floor(size: Extent, divisor: int) -> Extent:
    """The quotient by a positive integer: see the identities above."""
    if divisor == 1:
        return size
    whole = _normal({m: value // divisor for m, value in size.terms})
    rest = _normal({m: value % divisor for m, value in size.terms})
    inner = [m for m, value in rest.terms if value == 1 and _is_quotient(m)]
    if len(inner) == 1 and isinstance(inner[0][0], FloorQuotient):
        quotient = inner[0][0]
        by = quotient.by.field or 1
        left = rest.minus(_atom(quotient)).times(by).plus(quotient.over)
        return whole.plus(_floor(left, by * divisor))
    common = gcd(divisor, *(int(value) for monomial, value in rest.terms if monomial))
    if common > 1:
        scaled = _normal({m: value // common for m, value in rest.terms})
        return whole.plus(_floor(scaled, divisor // common))
    if rest.number is not None:
        return whole
    return whole.plus(_atom(FloorQuotient(rest, extent(divisor))))


def _is_quotient(monomial: Monomial) -> bool:
    return (
        len(monomial) == 1
        and isinstance(monomial[0], FloorQuotient)
        and monomial[0].by.field is not None
    )


def _divided(size: Extent, divisor: Extent) -> Extent | None:
    """The polynomial that gives ``size`` times ``divisor``; None where there is none."""
    result, rest = extent(0), size
    leading, factor = max(divisor.terms, key=_rank)
    while rest.terms:
        monomial, value = max(rest.terms, key=_rank)
        left = list(monomial)
        for atom in leading:
            if atom not in left:
                return None
            left.remove(atom)
        ratio = Fraction(value) / factor
        if ratio.denominator != 1:
            return None
        step = _normal({tuple(left): ratio})
        result, rest = result.plus(step), rest.minus(step.times(divisor))
    return result


def _rank(term: tuple[Monomial, Rational]) -> tuple[int, list[str]]:
    return len(term[0]), [str(atom) for atom in term[0]]


def _atom_at(atom: Atom, values: Mapping[str, int]) -> Rational:
    if isinstance(atom, str):
        return values[atom]
    if isinstance(atom, FloorQuotient):
        return atom.over.at(values) // atom.by.at(values)
    return (max if atom.function == "max" else min)(each.at(values) for each in atom.of)


def _factor(size: Extent) -> str:
    text = str(size)
    return text if text.isalnum() or text.replace("_", "").isalnum() else f"({text})"


def _term(monomial: Monomial, value: Rational) -> str:
    factors = [f"({atom})" if isinstance(atom, FloorQuotient) else str(atom) for atom in monomial]
    if len(monomial) == 1 and value == 1:
        factors = [str(monomial[0])]
    if abs(value) != 1 or not factors:
        factors.insert(0, str(abs(value)) if isinstance(value, int) else f"({abs(value)})")
    return ("- " if value < 0 else "+ ") + "*".join(factors)
