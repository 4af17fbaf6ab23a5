"""Conditions reduced to the shortest equivalent set, each in the light of the others."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from math import ceil, gcd, lcm

from sympy import Add, Basic, Expr, Integer, Mul, Number, S, Symbol

from archspec.arithmetic import Rational
from costmodel.algebra.bounds import Least, is_at_least, is_positive, lower_bound
from costmodel.algebra.conditions import AtLeast, Condition, Divides, Equal, condition_text, sides
from costmodel.algebra.functions import (
    Extremum,
    FloorDiv,
    Maximum,
    Minimum,
    exact,
    floor_div,
    is_whole,
    plain,
    separated,
)
from costmodel.algebra.residues import U, about, shortest

Fact = tuple[Expr, bool]
"""An expression that is never negative, and whether it is known to be 0."""


def _facts_of(condition: Condition, least: Least) -> Iterator[Fact]:
    """Yield what a condition states; a positive multiple of q is at least q."""
    match condition:
        case AtLeast(expression, bound):
            yield expression - exact(bound), False
        case Equal(left, right):
            yield left - right, True
            yield from _facts_of_floors(left - right, least)
        case Divides(divisor, dividend) if is_positive(divisor):
            if is_positive(dividend) or (lower_bound(dividend, least) or 0) > 0:
                yield dividend - divisor, False


def _facts_of_floors(difference: Expr, least: Least) -> Iterator[Fact]:
    """Yield ``x >= k·q`` for each ``x//q`` that equals something of at least k."""
    for term in Add.make_args(difference):
        factor, floor = term.as_coeff_Mul()
        if isinstance(floor, FloorDiv) and is_positive(floor.args[1]):
            bottom = lower_bound((term - difference) / factor, least)
            if bottom is not None:
                x, q = floor.args
                yield x - q * ceil(bottom), False


def is_at_least_where(
    expression: Expr, bound: Rational, least: Least, conditions: Iterable[Condition]
) -> bool:
    """Return whether a bound is proved where conditions hold, each of which is used by itself.

    With ``f >= 0`` an expression is at least ``e − k·f`` for every positive k; one is tried for
    each term that both have.
    """
    if is_at_least(expression, bound, least):
        return True
    facts = (fact for condition in conditions for fact in _facts_of(condition, least))
    return any(
        is_at_least(lower, bound, least) for fact in facts for lower in _below(expression, *fact)
    )


def _below(expression: Expr, fact: Expr, is_zero: bool) -> Iterator[Expr]:
    """Yield lower bounds of an expression where a fact holds, each without a term of both."""
    mine, theirs = _terms(expression), _terms(fact)
    for rest in mine.keys() & theirs.keys() - {S.One}:
        factor = mine[rest] / theirs[rest]
        if factor > 0 or is_zero:
            yield (expression - factor * fact).expand()


def _terms(expression: Expr) -> dict[Expr, Expr]:
    """Return the coefficient of each term of a sum."""
    terms = (term.as_coeff_Mul() for term in Add.make_args(expression))
    return {rest: factor for factor, rest in terms}


def decided_extrema(expression: Expr, least: Least, conditions: Iterable[Condition]) -> Expr:
    """Return an expression, its extrema without the arguments that are proved never to be it."""
    known = tuple(conditions)
    found = {e: _decided(e, least, known) for e in expression.atoms(Extremum)}
    return expression.xreplace({e: kept for e, kept in found.items() if kept != e})


def _decided(extremum: Extremum, least: Least, conditions: tuple[Condition, ...]) -> Expr:
    kept = list(extremum.args)
    for arg in extremum.args:
        others = [other for other in kept if other is not arg]
        ahead = (extremum.sign * (other - arg) for other in others)
        if any(is_at_least_where(more, 0, least, conditions) for more in ahead):
            kept = others
    return extremum.func(*kept)


def reached_branches(condition: AtLeast, least: Least, conditions: Iterable[Condition]) -> AtLeast:
    """Return ``max(a, b) >= k`` without the arguments that are proved to stay below k."""
    known = tuple(conditions)
    if not isinstance(condition.expression, Maximum):
        return condition

    def falls_short(branch: Expr) -> bool:
        missing = exact(condition.bound) - branch
        if (lower_bound(missing, least) or 0) > 0:
            return True
        return is_whole(missing) and is_at_least_where(missing, 1, least, known)

    kept = [branch for branch in condition.expression.args if not falls_short(branch)]
    return AtLeast(Maximum(*kept), condition.bound) if kept else condition


def with_exact_floors(condition: Condition, known: Divides) -> Condition:
    """Return a condition with fewer floors, given what divides a known dividend.

    Where m divides x, ``(x + r)//q`` is ``x/q + r//q`` for a q that divides m. Where m divides
    ``s + r``, s is ``m·k − r``, and k is put back as ``(s + r)/m``.
    """
    floors = _floors(condition)
    exact_ones = {floor: _exact_floor(floor, known) for floor in floors}
    changed = condition.mapped(lambda e: e.xreplace(exact_ones).expand())
    condition = changed if len(_floors(changed)) < len(floors) else condition
    solved = _solved(known)
    if solved is None:
        return condition
    name, value, quotient, multiple = solved
    changed = condition.mapped(lambda e: e.subs(name, value).expand())
    if len(_floors(changed)) >= len(_floors(condition)):
        return condition
    return changed.mapped(lambda e: e.subs(quotient, multiple).expand())


def _exact_floor(floor: Expr, known: Divides) -> Expr:
    """Return a floor as a quotient plus a number, if its argument is a known multiple."""
    (x, q), (multiple, dividend) = floor.args, known
    rest = x - dividend
    if not (rest.is_Integer and is_whole(multiple / q) and is_positive(q)):
        return floor
    return dividend / q + floor_div(rest, q)


def _solved(known: Divides) -> tuple[Symbol, Expr, Symbol, Expr] | None:
    """Return a symbol of the dividend and its value, the quotient's symbol and its value."""
    if not known.divisor.is_Integer or known.dividend.has(FloorDiv):
        return None
    for factor, name in (term.as_coeff_Mul() for term in Add.make_args(known.dividend)):
        rest = known.dividend - factor * name
        if name.is_Symbol and name.is_integer and abs(factor) == 1 and not rest.has(name):
            quotient = Symbol(f"({known.dividend})/{known.divisor}", integer=True)
            value = factor * (known.divisor * quotient - rest)
            return name, value, quotient, known.dividend / known.divisor
    return None


def _floors(condition: Condition) -> set[Expr]:
    return set().union(*(side.atoms(FloorDiv) for side in sides(condition)))


MAX_SHIFT = 64
"""The largest divisor whose remainders are tried one by one."""


def simplified(condition: Condition) -> tuple[Condition, ...]:
    """Return equivalent conditions with fewer floors and without common factors."""
    if isinstance(condition, AtLeast):
        return _bounded(condition)
    found = _equal(condition) if isinstance(condition, Equal) else (condition,)
    return tuple(
        _without_factor(_over_one_divisor(each)) if isinstance(each, Divides) else each
        for each in found
    )


def _over_one_divisor(condition: Divides) -> Divides:
    """``64/b`` is a multiple of q as b·q divides 64; what q divides for certain is left out."""
    divisor, dividend = condition
    if divisor.is_Integer and is_whole(dividend):
        return condition
    quotients = [term / divisor for term in Add.make_args(dividend)]
    over, under = Add(*(q for q in quotients if not is_whole(q))).as_numer_denom()
    return Divides(under, over)


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
    """Reduce coefficients modulo the divisor: 2 divides ``3·h − 2`` where it divides h."""
    terms = [term.as_coeff_Mul() for term in Add.make_args(dividend)]
    if not all(factor.is_Integer and is_whole(rest) for factor, rest in terms):
        return dividend
    left = Add(*(_nearest(int(factor), divisor) * rest for factor, rest in terms))
    return left if left != 0 else dividend


def _nearest(factor: int, divisor: int) -> int:
    """Return the remainder that is nearest to 0; half of an even divisor is positive."""
    remainder = factor % divisor
    return remainder - divisor if 2 * remainder > divisor else remainder


def _equal(condition: Equal) -> tuple[Condition, ...]:
    """Return an equality without common factors, or equivalent divisibilities."""
    difference = separated((condition.left - condition.right).expand()).expand()
    difference = (difference / _common_factor(difference)).expand()
    found = _exact_floors(difference)
    if found:
        return found
    for floor in sorted(difference.atoms(FloorDiv), key=str):
        factor = difference.coeff(floor)
        sign = -1 if factor.could_extract_minus_sign() else 1
        multiple = _as_multiple(sign * difference, floor)
        if multiple is not None:
            return (multiple,)
    return (_ordered(difference),)


def _common_factor(difference: Expr) -> Expr:
    """Return the number and the positive factors that all terms share."""
    numbers, rests = zip(*(t.as_coeff_Mul() for t in Add.make_args(difference)), strict=True)
    powers = [_positive_powers(rest) for rest in rests]
    shared = set[Expr].intersection(*map(set, powers))
    content = gcd(*map(int, numbers)) if all(number.is_Integer for number in numbers) else 1
    return Mul(content or 1, *(base ** min(each[base] for each in powers) for base in shared))


def _positive_powers(product: Expr) -> dict[Expr, int]:
    """Return the positive factors of a product with their exponents."""
    factors = (factor.as_base_exp() for factor in Mul.make_args(product))
    return {base: int(e) for base, e in factors if e.is_Integer and e > 0 and is_positive(base)}


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
    """Return that k divides y, which is ``k·((y + r)//k) − y == 0`` for ``0 <= r < k``.

    And ``(y + k − 1)//k − y//k == 0``, the floor that is rounded up: the same.
    """
    factor = difference.coeff(floor)
    y = (factor * floor - difference).expand()
    if not (is_whole(factor) and is_positive(factor) and is_whole(y)):
        return None
    if factor == 1 and isinstance(y, FloorDiv):
        (x, q), (other, divisor) = floor.args, y.args
        rounded_up = q == divisor and q.is_Integer and (x - other).expand() == q - 1
        return Divides(q, other) if rounded_up else None
    shifts = range(min(int(factor), MAX_SHIFT)) if factor.is_Integer else (S.Zero, factor - 1)
    found = factor != 1 and any(FloorDiv((y + r).expand(), factor) == floor for r in shifts)
    return Divides(factor, y) if found else None


def _ordered(difference: Expr) -> Equal:
    """Return an equality whose terms have no minus, the first on the left."""

    def size(term: Expr) -> Expr:
        return -term if term.could_extract_minus_sign() else term

    terms = sorted(Add.make_args(difference), key=lambda t: (bool(t.is_Rational), str(size(t))))
    sign = -1 if terms and terms[0].could_extract_minus_sign() else 1
    left = Add(*(sign * t for t in terms if not (sign * t).could_extract_minus_sign()))
    return Equal(left, left - sign * difference)


def _bounded(condition: AtLeast) -> tuple[AtLeast, ...]:
    """Return a bound in its final form: numbers on the right, few floors and denominators."""
    constant, rest = condition.expression.as_coeff_Add()
    condition = AtLeast(rest, condition.bound - plain(constant))
    for term in Add.make_args(rest):
        factor, least = term.as_coeff_Mul()
        if isinstance(least, Minimum) and factor > 0:
            parts = (AtLeast(rest - term + factor * x, condition.bound) for x in least.args)
            return tuple(bound for part in parts for bound in _bounded(part))
    if isinstance(rest, Maximum):
        return (_of_branches(rest, condition.bound),)
    for rewrite in _BOUND_RULES:
        result = rewrite(*condition)
        if result is not None:
            return _bounded(result)
    return (condition,)


def _of_branches(largest: Maximum, bound: Rational) -> AtLeast:
    """``max(a, b) >= k`` as ``max(a', b') >= 0``, each branch in its final form."""
    branches = [_bounded(AtLeast(arg, bound)) for arg in largest.args]
    return AtLeast(
        Maximum(*(Minimum(*(e - exact(k) for e, k in branch)) for branch in branches)), 0
    )


def _without_content(e: Expr, bound: Rational) -> AtLeast | None:
    """c·e >= b is e >= b/c, for a positive number c and integers in e."""
    terms = [term.as_coeff_Mul() for term in Add.make_args(e)]
    if not all(is_whole(rest) for _, rest in terms):
        return None
    factors = [plain(factor) for factor, _ in terms]
    under = lcm(*(factor.denominator for factor in factors))
    content = Fraction(gcd(*(int(factor * under) for factor in factors)), under)
    if content in (0, 1):
        return None
    return AtLeast((e / exact(content)).expand(), Fraction(bound) / content)


def _with_whole_bound(e: Expr, bound: Rational) -> AtLeast | None:
    """E >= b is e >= ceil(b), for an integer e."""
    return AtLeast(e, ceil(bound)) if type(bound) is not int and is_whole(e) else None


def _without_denominator(e: Expr, bound: Rational) -> AtLeast | None:
    """x/d >= b is x − b·d >= 0, for a positive d."""
    over, under = e.as_numer_denom()
    if not under.free_symbols or not is_positive(under):
        return None
    return AtLeast((over - under * exact(bound)).expand(), 0)


def _without_positive_factor(e: Expr, bound: Rational) -> AtLeast | None:
    """x·y >= 0 is y >= 0, for a positive x; x·y >= 1 is y >= 1, for integers."""
    if bound not in (0, 1) or not (e.is_Add or e.is_Mul):
        return None
    factor = _common_factor(e)
    rest = (e / factor).expand()
    if not factor.free_symbols or (bound == 1 and not (is_whole(factor) and is_whole(rest))):
        return None
    return AtLeast(rest, bound)


def _without_power(e: Expr, bound: Rational) -> AtLeast | None:
    """``(x//q)**k >= 1`` is ``x//q >= 1``, for positive x and q."""
    base, exponent = e.as_base_exp()
    if bound != 1 or exponent in (0, 1) or not (exponent.is_Integer and exponent > 0):
        return None
    if not isinstance(base, FloorDiv) or not all(map(is_positive, base.args)):
        return None
    return AtLeast(base, 1)


def _without_halves(e: Expr, bound: Rational) -> AtLeast | None:
    """``x//2 + ceil(x/2)`` is x. Source: Hermite's identity for two parts."""
    found = {term.as_coeff_Mul()[::-1]: term for term in Add.make_args(e)}
    for half, factor in found:
        if isinstance(half, FloorDiv) and half.args[1] == 2:
            x = half.args[0]
            other = found.get((FloorDiv(x + 1, half.args[1]), factor))
            if other is not None and is_whole(x):
                return AtLeast((e - factor * half - other + factor * x).expand(), bound)
    return None


def _without_floor(e: Expr, bound: Rational) -> AtLeast | None:
    """x//q + y >= b is x + q·(y − b) >= 0, for integers y, b and a positive q."""
    for floor in Add.make_args(e):
        rest = e - floor
        if isinstance(floor, FloorDiv) and is_whole(rest) and is_positive(floor.args[1]):
            x, q = floor.args
            return AtLeast((x + q * (rest - exact(bound))).expand(), 0)
    return None


def _without_subtracted_floor(e: Expr, bound: Rational) -> AtLeast | None:
    """Y − x//q >= b is q·(y − b + 1) − x >= 1, for integers and a positive q."""
    for term in Add.make_args(e):
        floor, rest = -term, e - term
        if isinstance(floor, FloorDiv) and all(map(is_whole, (*floor.args, rest))):
            x, q = floor.args
            if is_positive(q):
                return AtLeast((q * (rest - exact(bound) + 1) - x).expand(), 1)
    return None


_BOUND_RULES: tuple[Callable[[Expr, Rational], AtLeast | None], ...] = (
    _without_content,
    _with_whole_bound,
    _without_denominator,
    _without_positive_factor,
    _without_power,
    _without_halves,
    _without_floor,
    _without_subtracted_floor,
)


MAX_ROUNDS = 4
"""How often conditions are rewritten in the light of the others."""


def reduced(
    conditions: Iterable[Condition], least: Least, given: Iterable[Condition] = ()
) -> tuple[Condition, ...]:
    """Return the shortest equivalent set of conditions, none of which follows from the others.

    ``96 % g`` and ``256 % g`` become ``32 % g``; ``h % 2`` and ``h % 16`` become ``h % 16``; of
    two lower bounds the larger stays.

    Args:
        conditions: what must hold.
        least: the smallest values of the symbols.
        given: what holds of the symbols anyway.
    """
    known = list(given)
    found = [*known, *_open(conditions, least)]
    for _ in range(MAX_ROUNDS):
        before = found
        required = [c for c in _merged(found) if c not in known]
        required = [_among_others(c, [*known, *required], least) for c in required]
        required = _exactly(_merged(_open(required, least)), known, least)
        found = [*known, *_open(required, least)]
        if found == before:
            break
    for condition in list(found):
        if _is_implied(condition, found, least):
            found.remove(condition)
    needed = [c for c in _without_renamed(found) if c not in known]
    higher = raised(least, needed)
    needed = [c for c in needed if not _is_proved(c, higher)]
    return tuple(sorted(needed, key=lambda c: (isinstance(c, AtLeast), condition_text(c))))


def _without_renamed(conditions: list[Condition]) -> list[Condition]:
    """Return conditions without those that are others by an equality of two symbols."""
    found = list(conditions)
    for equal in [c for c in found if isinstance(c, Equal) and c.left.is_Symbol]:
        for condition in [c for c in found if c != equal and equal.right.is_Symbol]:
            other = condition.mapped(partial(_replaced, {equal.left: equal.right}))
            if other != condition and other in found:
                found.remove(condition)
    return found


def _replaced(same: Mapping[Expr, Expr], expression: Expr) -> Expr:
    return expression.xreplace(same)


def _open(conditions: Iterable[Condition], least: Least) -> list[Condition]:
    """Return the conditions in their final forms, each once, without those that always hold."""
    forms = (form for condition in conditions for form in simplified(condition))
    return [form for form in dict.fromkeys(forms) if not form.decide(least)]


def _among_others(condition: Condition, found: list[Condition], least: Least) -> Condition:
    """Return a condition with extrema decided and floors made exact by the others."""
    others = [other for other in found if other != condition]
    least = raised(least, others)
    condition = condition.mapped(lambda side: decided_extrema(side, least, others))
    if isinstance(condition, AtLeast):
        condition = reached_branches(condition, least, others)
    if about(condition) is None:
        for other in others:
            if isinstance(other, Divides):
                condition = with_exact_floors(condition, other)
    return condition


def _exactly(
    required: list[Condition], known: Iterable[Condition], least: Least
) -> list[Condition]:
    """Return the conditions on each quantity in their shortest form."""
    rest: list[Condition] = []
    groups: dict[Expr, list[Condition]] = {}
    for condition in required:
        found = about(condition)
        if found is None:
            rest.append(condition)
        else:
            groups.setdefault(found.quantity, []).append(found.condition)
    facts = [each for each in map(about, known) if each is not None]
    for quantity, group in groups.items():
        given = tuple(fact.condition for fact in facts if fact.quantity == quantity)
        first, short = lower_bound(quantity, least), tuple(group)
        if first is not None:
            short = shortest(short, given, ceil(first))
        stands = {U: quantity}
        rest += [each.mapped(partial(Basic.xreplace, rule=stands)) for each in short]
    return rest


def raised(least: Least, conditions: Iterable[Condition]) -> Least:
    """Return the smallest values of the symbols where the conditions hold."""
    higher = dict(least)
    for condition in conditions:
        match condition:
            case AtLeast(Symbol() as name, bound):
                higher[name] = max(bound, higher.get(name, 0))
            case Divides(Number() as divisor, Symbol() as name) if name.is_positive and divisor > 0:
                higher[name] = max(plain(divisor), higher.get(name, 0))
    return higher


def is_impossible(condition: Condition, least: Least) -> bool:
    """Return whether a condition is false for all symbols of at least their smallest values."""
    if not isinstance(condition, AtLeast):
        return condition.decide(least) is False
    short = (exact(condition.bound) - condition.expression).expand()
    return is_whole(short) and is_at_least(short, 1, least)


def _is_proved(condition: Condition, least: Least) -> bool:
    """Return whether a bound of more than a symbol follows from the symbols' smallest values."""
    if not isinstance(condition, AtLeast) or condition.expression.is_Symbol:
        return False
    return is_at_least(condition.expression, condition.bound, least)


def _is_implied(condition: Condition, known: Iterable[Condition], least: Least) -> bool:
    """Return whether a condition follows from others: a positive multiple of m is at least m."""
    others = [other for other in known if other is not condition]
    if any(_implied_by(other, condition, least) for other in others):
        return True
    if not isinstance(condition, AtLeast):
        return False
    return is_at_least_where(condition.expression, condition.bound, raised(least, others), others)


def _implied_by(known: Condition, condition: Condition, least: Least) -> bool:
    """Return whether a condition follows from a known multiple or equal of a symbol.

    Of two conditions on one symbol's multiples the other is never left out for this one.
    """
    match known:
        case Equal(Symbol() as name, other) | Equal(other, Symbol() as name) if name not in (
            other.free_symbols
        ):
            stands = other
        case Divides(Integer() as m, Symbol() as name) if not (
            isinstance(condition, Divides) and condition.dividend.is_Symbol
        ):
            stands = m * Symbol(f"{name}/{m}", integer=True, positive=True)
        case Divides(divisor, dividend) if isinstance(condition, Divides):
            return is_whole(condition.dividend * divisor / (dividend * condition.divisor))
        case _:
            return False
    if isinstance(condition, Equal) and {condition.left, condition.right} == {name, stands}:
        return False
    changed = condition.mapped(lambda e: e.xreplace({name: stands}))
    return bool(changed.decide(least))


def _merged(conditions: Iterable[Condition]) -> list[Condition]:
    merged: dict[tuple[str, Expr], Condition] = {}
    for condition in conditions:
        key = _subject(condition)
        merged[key] = _both(merged[key], condition) if key in merged else condition
    return list(merged.values())


def _subject(condition: Condition) -> tuple[str, Expr]:
    """Return the subject of a condition; two with the same subject can be merged."""
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
