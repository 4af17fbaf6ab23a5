"""Conditions reduced to the shortest set that says the same."""

from collections.abc import Iterable
from fractions import Fraction
from math import ceil, gcd, lcm

from sympy import Add, Expr, Integer, Mul, S, Symbol

from costmodel.algebra.bounds import Least, is_at_least
from costmodel.algebra.conditions import AtLeast, Condition, Divides, Equal, condition_text
from costmodel.algebra.functions import FloorDiv, exact, is_positive, is_whole, plain

MAX_SHIFT = 64
"""The largest divisor whose remainders are tried one by one."""


def simplified(condition: Condition) -> tuple[Condition, ...]:
    """Equivalent conditions on what stands under the floors."""
    if isinstance(condition, AtLeast):
        return (_unfloored(condition),)
    if isinstance(condition, Equal):
        found = _equal(condition)
        return tuple(_without_factor(c) if isinstance(c, Divides) else c for c in found)
    return (_without_factor(condition),)


def _without_factor(condition: Divides) -> Divides:
    """``m`` divides ``c·x`` as ``m/gcd(c, m)`` does x; ``c·g`` divides ``c·m`` as g does m."""
    factor, rest = condition.dividend.as_coeff_Mul()
    own, divisor = condition.divisor.as_coeff_Mul()
    if rest is S.One and own.is_Integer and own > 1 and divisor is not S.One:
        return Divides(divisor, factor / own) if not factor % own else condition
    if rest is S.One or not (condition.divisor.is_Integer and factor.is_Integer and is_whole(rest)):
        return condition
    smaller = condition.divisor / gcd(int(condition.divisor), int(factor))
    return Divides(smaller, _remainders(rest, int(smaller)))


def _remainders(dividend: Expr, divisor: int) -> Expr:
    """``3·h − 2`` is a multiple of 2 as h is: its coefficients count but for multiples."""
    terms = [term.as_coeff_Mul() for term in Add.make_args(dividend)]
    if not all(factor.is_Integer and is_whole(rest) for factor, rest in terms):
        return dividend
    left = Add(*(_nearest(int(factor), divisor) * rest for factor, rest in terms))
    return left if left != 0 else dividend


def _nearest(factor: int, divisor: int) -> int:
    """The remainder that is nearest to 0; half of an even divisor is positive."""
    remainder = factor % divisor
    return remainder - divisor if 2 * remainder > divisor else remainder


def _equal(condition: Equal) -> tuple[Condition, ...]:
    """An equality without common factors, or what it says of divisors."""
    difference = (condition.left - condition.right).expand()
    difference = (difference / _common_factor(difference)).expand()
    found = _exact_floors(difference)
    if found:
        return found
    for term in Add.make_args(difference):
        factor, floor = term.as_coeff_Mul()
        if isinstance(floor, FloorDiv):
            multiple = _as_multiple(difference if factor > 0 else -difference, floor)
            if multiple is not None:
                return (multiple,)
    return (_ordered(difference),)


def _common_factor(difference: Expr) -> Expr:
    """The number and the positive factors that all terms share."""
    terms = [term.as_coeff_Mul() for term in Add.make_args(difference)]
    shared = set.intersection(
        *({f for f in Mul.make_args(rest) if is_positive(f)} for _, rest in terms)
    )
    numbers = [plain(number) for number, _ in terms]
    content = gcd(*map(int, numbers)) if all(isinstance(n, int) for n in numbers) else 1
    return Mul(content or 1, *shared)


def _exact_floors(difference: Expr) -> tuple[Condition, ...]:
    """``Π q_i·(x_i//q_i) == Π x_i``, all positive: every q_i divides its x_i."""
    terms = Add.make_args(difference)
    floors = difference.atoms(FloorDiv)
    if len(terms) != 2 or not floors or any(f.args[0].has(FloorDiv) for f in floors):
        return ()
    without = [term for term in terms if not term.has(FloorDiv)]
    quotients = {floor: floor.args[0] / floor.args[1] for floor in floors}
    positive = all(is_positive(part) for floor in floors for part in floor.args)
    if len(without) != 1 or not positive or difference.xreplace(quotients).expand() != 0:
        return ()
    return tuple(Divides(q, x) for x, q in sorted((f.args for f in floors), key=str))


def _as_multiple(difference: Expr, floor: Expr) -> Condition | None:
    """What ``k·((y + r)//k) − y == 0`` says for ``0 <= r < k``: that k divides y.

    And ``(y + k − 1)//k − y//k == 0``, the floor that is rounded up: the same.
    """
    factor = difference.coeff(floor)
    y = (factor * floor - difference).expand()
    if not (factor.is_Integer and is_whole(y)):
        return None
    if factor == 1 and isinstance(y, FloorDiv):
        (x, q), (other, divisor) = floor.args, y.args
        rounded_up = q == divisor and q.is_Integer and (x - other).expand() == q - 1
        return Divides(q, other) if rounded_up else None
    shifts = range(min(int(factor), MAX_SHIFT))
    found = factor > 1 and any(FloorDiv((y + r).expand(), factor) == floor for r in shifts)
    return Divides(factor, y) if found else None


def _text_without_sign(term: Expr) -> str:
    return str(-term if term.could_extract_minus_sign() else term)


def _ordered(difference: Expr) -> Equal:
    """The equality with its terms on the side where they have no minus, the first on the left."""
    terms = sorted(Add.make_args(difference), key=_text_without_sign)
    sign = -1 if terms and terms[0].could_extract_minus_sign() else 1
    left = Add(*(sign * t for t in terms if not (sign * t).could_extract_minus_sign()))
    return Equal(left, left - sign * difference)


def _unfloored(condition: AtLeast) -> AtLeast:
    """``x//q + k >= b`` means ``x >= q·(b − k)``; numbers and factors move to the right."""
    constant, rest = condition.expression.as_coeff_Add()
    bound = condition.bound - plain(constant)
    if isinstance(rest, FloorDiv) and rest.args[1].is_Integer:
        return _unfloored(AtLeast(rest.args[0], ceil(bound) * int(rest.args[1])))
    if isinstance(rest, FloorDiv) and is_whole(rest.args[1]) and is_positive(rest.args[1]):
        x, q = rest.args
        return _unfloored(AtLeast((x - q * ceil(bound)).expand(), 0))
    shared = _shared_number(rest)
    if shared > 1:
        return AtLeast((rest / shared).expand(), ceil(Fraction(bound) / shared))
    over, under = rest.as_numer_denom()
    if under.free_symbols and is_positive(under):
        return _unfloored(AtLeast((over - under * exact(bound)).expand(), 0))
    factor, core = rest.as_coeff_Mul()
    if factor > 0 and is_whole(core):
        bound = ceil(bound / Fraction(plain(factor)))
        if isinstance(core, FloorDiv) and core.args[1].is_Integer:
            return _unfloored(AtLeast(core, bound))
        return AtLeast(core, bound)
    return AtLeast(rest, bound)


def _shared_number(expression: Expr) -> int:
    """What divides every term of a sum of integers."""
    terms = [term.as_coeff_Mul() for term in Add.make_args(expression)]
    if len(terms) < 2 or not all(f.is_Integer and is_whole(rest) for f, rest in terms):
        return 1
    return gcd(*(int(factor) for factor, _ in terms))


def reduced(
    conditions: Iterable[Condition], least: Least, given: Iterable[Condition] = ()
) -> tuple[Condition, ...]:
    """The shortest equivalent set: what always holds is dropped, what implies another replaces it.

    ``96 % g`` and ``256 % g`` become ``32 % g``; ``h % 2`` and ``h % 16`` become ``h % 16``; of
    two lower bounds the larger stays.

    Args:
        conditions: what must hold.
        least: the smallest values of the symbols.
        given: what holds of the symbols anyway.
    """
    known = list(given)
    asked = [c for given in conditions for c in simplified(given) if not c.decide(least)]
    found = [*known, *asked]
    while True:
        merged = _merged(found)
        found = [_without_floor(condition, merged) for condition in merged]
        if found == merged:
            needed = [c for c in _without_implied(merged, least) if c not in known]
            higher = raised(least, needed)
            needed = [c for c in needed if not _is_proved(c, higher)]
            return tuple(sorted(needed, key=_order))


def _without_implied(conditions: list[Condition], least: Least) -> list[Condition]:
    """What is left where one after the other is dropped that follows from those still there."""
    left = list(conditions)
    for condition in conditions:
        if _is_implied(condition, left, least):
            left.remove(condition)
    return left


def raised(least: Least, conditions: Iterable[Condition]) -> Least:
    """The smallest values of the symbols where the conditions hold."""
    bounds = (c for c in conditions if isinstance(c, AtLeast) and c.expression.is_Symbol)
    return {**least, **{c.expression: max(c.bound, least.get(c.expression, 0)) for c in bounds}}


def is_impossible(condition: Condition, least: Least) -> bool:
    """Whether a condition is false for all symbols of at least their smallest values."""
    if not isinstance(condition, AtLeast):
        return condition.decide(least) is False
    short = (exact(condition.bound) - condition.expression).expand()
    return is_whole(short) and is_at_least(short, 1, least)


def _is_proved(condition: Condition, least: Least) -> bool:
    """Whether a bound of more than a symbol follows from the symbols' smallest values."""
    if not isinstance(condition, AtLeast) or condition.expression.is_Symbol:
        return False
    return is_at_least(condition.expression, condition.bound, least)


def _is_implied(condition: Condition, known: Iterable[Condition], least: Least) -> bool:
    """A positive multiple of m is at least m; what is never less than a large one is large too."""
    others = [other for other in known if other is not condition]
    if any(_implied_by(other, condition, least) for other in others):
        return True
    if not isinstance(condition, AtLeast):
        return False
    return any(
        _implies_multiple(other, condition)
        if isinstance(other, Divides)
        else isinstance(other, AtLeast) and _exceeds(condition, other, least)
        for other in others
    )


def _implied_by(known: Condition, condition: Condition, least: Least) -> bool:
    """Whether a condition holds once a symbol is what is known of it: a multiple, or an equal.

    Of two conditions on one symbol's multiples the other is never left out for this one.
    """
    match known:
        case Equal(Symbol() as name, other) | Equal(other, Symbol() as name) if name not in (
            other.free_symbols
        ):
            stands = other
        case Divides(Integer() as m, Symbol() as name) if not _is_multiple_of_symbol(condition):
            stands = m * Symbol(f"{name}/{m}", integer=True, positive=True)
        case _:
            return False
    if isinstance(condition, Equal) and {condition.left, condition.right} == {name, stands}:
        return False
    changed = condition.mapped(lambda e: e.xreplace({name: stands}))
    return bool(changed.decide(least))


def _is_multiple_of_symbol(condition: Condition) -> bool:
    return isinstance(condition, Divides) and bool(condition.dividend.is_Symbol)


def _implies_multiple(known: Divides, condition: AtLeast) -> bool:
    if not is_positive(known.dividend):
        return False
    if known.dividend - known.divisor == condition.expression:
        return condition.bound <= 0
    same = known.dividend == condition.expression and known.divisor.is_Integer
    return same and bool(known.divisor >= condition.bound)


def _exceeds(condition: AtLeast, known: AtLeast, least: Least) -> bool:
    """Whether the expression is that of the known bound and something that is enough more."""
    more = condition.expression - known.expression
    return is_at_least(more, condition.bound - known.bound, least)


def _merged(conditions: Iterable[Condition]) -> list[Condition]:
    merged: dict[tuple[str, Expr], Condition] = {}
    for condition in conditions:
        key = _subject(condition)
        merged[key] = _both(merged[key], condition) if key in merged else condition
    return list(merged.values())


def _without_floor(condition: Condition, known: Iterable[Condition]) -> Condition:
    """``k | x//q`` is ``k·q | x`` where ``q | x`` is known: the floor cuts nothing off."""
    match condition:
        case Divides(k, FloorDiv() as floor) if k.is_Integer:
            x, q = floor.args
            for other in known:
                if isinstance(other, Divides) and other.dividend == x and _divides(q, other):
                    return Divides(k * q, x)
    return condition


def _divides(q: Expr, known: Divides) -> bool:
    return bool(q.is_Integer and known.divisor.is_Integer and known.divisor % q == 0)


def _subject(condition: Condition) -> tuple[str, Expr]:
    """Two conditions with the same subject can be said as one."""
    match condition:
        case Divides(divisor, dividend) if dividend.is_Integer:
            return "divisor", divisor
        case Divides(divisor, dividend) if divisor.is_Integer:
            return "multiple", dividend
        case AtLeast(expression, _):
            return "bound", expression
    return "itself", Symbol(condition_text(condition))


def _both(first: Condition, second: Condition) -> Condition:
    match first, second:
        case Divides(divisor, a), Divides(_, b) if a.is_Integer and b.is_Integer:
            return Divides(divisor, Integer(gcd(int(a), int(b))))
        case Divides(a, dividend), Divides(b, _) if a.is_Integer and b.is_Integer:
            return Divides(Integer(lcm(int(a), int(b))), dividend)
        case AtLeast(expression, a), AtLeast(_, b):
            return AtLeast(expression, max(a, b))
    return first


def _order(condition: Condition) -> tuple[bool, str]:
    return isinstance(condition, AtLeast), condition_text(condition)
