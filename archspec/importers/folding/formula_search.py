"""Formulas for a number that was seen at several values of a symbol, exact at all of them.

Candidates are tried from the plainest on: a constant, a line, the symbol over an integer, a
multiple of it rounded to a divisor (`round_to` as MobileNet rounds, or up), rounded down or up to
an integer, a constant below 1 that grows above, a parabola. The factor of a rounded multiple is
bounded by each point from both sides: of all factors in the interval left, the value at 1 comes
first, then the integer with the most twos, else the fraction with the smallest denominator.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from archspec.arithmetic import round_to

DIVISORS = (8, 4, 16, 32, 64, 128, 256, 2, 10)
"""Divisors that sizes are rounded to, the usual ones first."""

MOST = 400
"""The most factors that are tried for one divisor."""

Points = tuple[tuple[Fraction, Fraction], ...]
"""Value of the symbol → the number there."""


class Formula(NamedTuple):
    """A function of one number.

    Attributes:
        text: the expression, where ``{}`` stands for the number.
        at: its value.
        atomic: whether it can stand in a product without parentheses.
    """

    text: str
    at: Callable[[Fraction], Fraction]
    atomic: bool = False

    def of(self, inner: str) -> str:
        """Return the expression in which something stands for the number.

        Args:
            inner: the text of an expression.
        """
        return self.text.format(inner)


def formulas(points: Points) -> Iterator[Formula]:
    """Yield formulas that give a number at every one of some points, the plainest first.

    Args:
        points: the points; two of one place say the same.
    """
    for candidate in _candidates(dict(points)):
        if all(candidate.at(x) == y for x, y in points):
            yield candidate


def _candidates(seen: dict[Fraction, Fraction]) -> Iterator[Formula]:
    """Yield formulas that may fit."""
    values = {*seen.values()}
    if len(values) == 1:
        (only,) = values
        yield Formula(str(only), lambda _: only, atomic=True)
        if len(seen) > 1:
            yield from _bounded_below(seen)
        return
    yield from _polynomials(seen, 1)
    yield from _divided(seen)
    yield from _rounded(seen)
    yield from _whole(seen)
    yield from _bounded_below(seen)
    yield from _polynomials(seen, 2)


def _polynomials(seen: dict[Fraction, Fraction], degree: int) -> Iterator[Formula]:
    """Yield the polynomial of a degree through the first points, where there is one more."""
    if len(seen) < degree + 2:
        return
    xs = sorted(seen)[: degree + 1]
    coefficients = _interpolated(tuple((x, seen[x]) for x in xs))

    def at(x: Fraction) -> Fraction:
        return sum((c * x**i for i, c in enumerate(coefficients)), Fraction(0))

    terms = [_term(c, i) for i, c in reversed([*enumerate(coefficients)]) if c]
    text = " + ".join(terms).replace("+ -", "- ")
    yield Formula(text, at, atomic=len(terms) == 1)


def _interpolated(points: Points) -> list[Fraction]:
    """Return the coefficients of the polynomial through some points, the constant one first."""
    found = [Fraction(0)] * len(points)
    for i, (x, y) in enumerate(points):
        basis = [Fraction(1)]
        for j, (other, _) in enumerate(points):
            if i != j:
                shifted = [Fraction(0), *basis]
                scaled = [-other * c for c in basis] + [Fraction(0)]
                basis = [(a + b) / (x - other) for a, b in zip(shifted, scaled, strict=True)]
        found = [f + y * b for f, b in zip(found, basis, strict=True)]
    return found


def _term(factor: Fraction, power: int) -> str:
    """Return one term of a polynomial as text."""
    if power == 0:
        return str(factor)
    name = "{}" if power == 1 else f"{{}}**{power}"
    over, under = factor.numerator, factor.denominator
    product = name if over == 1 else f"-{name}" if over == -1 else f"{over}*{name}"
    return product if under == 1 else f"{product}/{under}"


def _product(factor: Fraction) -> str:
    return _term(factor, 1)


def _divided(seen: dict[Fraction, Fraction]) -> Iterator[Formula]:
    """Yield the symbol over an integer, rounded down: the one that divides most values first."""
    positive = {x: y for x, y in seen.items() if y > 0}
    if any(x.denominator > 1 for x in seen) or not positive:
        return
    least = max(floor(x / (y + 1)) + 1 for x, y in positive.items())
    most = min(floor(x / y) for x, y in positive.items())
    for k in sorted(range(max(2, least), most + 1), key=lambda k: sum(x % k > 0 for x in seen)):
        yield Formula(f"{{}}//{k}", lambda x, k=k: Fraction(x // k))  # type: ignore[misc]


def _rounded(seen: dict[Fraction, Fraction]) -> Iterator[Formula]:
    """Yield multiples of a divisor: the nearest one, or the next."""
    for divisor in DIVISORS:
        if any(y % divisor for y in seen.values()):
            continue
        for factor in _factors(seen, below=divisor, above=Fraction(divisor, 2)):
            yield Formula(
                f"round_to({_product(factor)}, {divisor})",
                lambda x, c=factor, d=divisor: Fraction(round_to(c * x, d)),  # type: ignore[misc]
                atomic=True,
            )
        for factor in _factors(seen, below=divisor, above=Fraction(0)):
            yield Formula(
                f"{divisor}*ceil({_product(factor / divisor)})",
                lambda x, c=factor, d=divisor: Fraction(d * ceil(c * x / d)),  # type: ignore[misc]
                atomic=True,
            )


def _whole(seen: dict[Fraction, Fraction]) -> Iterator[Formula]:
    """Yield products that are rounded down or up to an integer."""
    for shift in (0, -1, 1):
        tail = f" {'+' if shift > 0 else '-'} {abs(shift)}" if shift else ""
        moved = {x: y - shift for x, y in seen.items()}
        for factor in _factors(moved, below=0, above=1):
            yield Formula(
                f"floor({_product(factor)}){tail}",
                lambda x, c=factor, s=shift: Fraction(floor(c * x) + s),  # type: ignore[misc]
                atomic=not shift,
            )
        for factor in _factors(moved, below=1, above=0):
            yield Formula(
                f"ceil({_product(factor)}){tail}",
                lambda x, c=factor, s=shift: Fraction(ceil(c * x) + s),  # type: ignore[misc]
                atomic=not shift,
            )


def _bounded_below(seen: dict[Fraction, Fraction]) -> Iterator[Formula]:
    """Yield what is a constant below 1 and grows above: ``round_to(1280*max(1, x), 8)``."""
    small = {y for x, y in seen.items() if x <= 1}
    large = {x: y for x, y in seen.items() if x > 1}
    if len(small) != 1 or not large:
        return
    (least,) = small
    yield Formula(
        f"{_term(least, 0)}*max(1, {{}})", lambda x: least * max(Fraction(1), x), atomic=True
    )
    for divisor in DIVISORS:
        yield Formula(
            f"round_to({least}*max(1, {{}}), {divisor})",
            lambda x, d=divisor: Fraction(round_to(least * max(Fraction(1), x), d)),  # type: ignore[misc]
            atomic=True,
        )


def _factors(
    seen: dict[Fraction, Fraction], below: int | Fraction, above: int | Fraction
) -> list[Fraction]:
    """Return factors c for which c·x is near enough to each number, the plainest first.

    Args:
        seen: value → the number there.
        below: how much less than the number the product may be.
        above: how much more.
    """
    positive = {x: y for x, y in seen.items() if x > 0}
    if not positive:
        return []
    low = max((y - below) / x for x, y in positive.items())
    high = min((y + above) / x for x, y in positive.items())
    if low > high:
        return []
    integers = [Fraction(i) for i in range(ceil(low), min(floor(high), ceil(low) + MOST) + 1)]
    integers.sort(key=lambda c: (c != seen.get(Fraction(1)), -_twos(c), c))
    return integers or _simplest(low, high)


def _twos(number: Fraction) -> int:
    """Return how often 2 divides an integer; of 0 none."""
    count, value = 0, number.numerator
    while value and value % 2 == 0:
        count, value = count + 1, value // 2
    return count


def _simplest(low: Fraction, high: Fraction) -> list[Fraction]:
    """Return the fractions of the smallest denominators from one number to another."""
    found: list[Fraction] = []
    for under in range(2, 65):
        found += [Fraction(i, under) for i in range(ceil(low * under), floor(high * under) + 1)]
        if found:
            return found[:MOST]
    return []


def multiples(points: Points) -> Iterator[Formula]:
    """Yield the formula of a number that is always the same multiple of another one.

    Args:
        points: the other number → this one.
    """
    ratios = {y / x for x, y in points if x}
    if len(ratios) == 1:
        (ratio,) = ratios
        if ratio > 1 and ratio.denominator == 1:
            yield Formula(_product(ratio), lambda x: ratio * x, atomic=True)


def shares(points: Points) -> Iterator[Formula]:
    """Yield formulas of a number that is a part of another one, rounded or not.

    Args:
        points: the other number → this one.
    """
    yield from (each for each in _shares() if all(each.at(x) == y for x, y in points))


def _shares() -> Iterator[Formula]:
    for share in (4, 2, 3, 6, 8, 12, 16):
        part = f"{{}}//{share}"
        yield Formula(part, lambda x, k=share: Fraction(x // k))  # type: ignore[misc]
        for divisor in DIVISORS[:3]:
            yield Formula(
                f"round_to({part}, {divisor})",
                lambda x, k=share, d=divisor: Fraction(round_to(x // k, d)),  # type: ignore[misc]
                atomic=True,
            )
