"""Conditions on one integer, exactly: the values that keep them all, and their shortest form.

The integer is a symbol or a quantity: ``h``, ``h + t``, ``a*t``, ``ceil(8*width)``.

A function of an integer u that is made of lines, floors, roundings, minima and maxima grows evenly
from some value on: ``f(u + period) = f(u) + step``. So whether a condition holds repeats from some
value on, and a window of values, those before and one period, shows all of them: conditions that
agree in the window agree everywhere.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from math import ceil, lcm
from typing import NamedTuple

from sympy import Add, Expr, Integer, Mul, Symbol

from archspec.arithmetic import Rational, tidy
from archspec.expressions import ExpressionError
from costmodel.algebra.conditions import AtLeast, Condition, Divides, Equal, condition_text
from costmodel.algebra.domains import symbols_of
from costmodel.algebra.evaluate import values_over
from costmodel.algebra.functions import (
    Extremum,
    FloorDiv,
    Operation,
    RoundTo,
    exact,
    floor_div,
    is_whole,
)
from costmodel.algebra.waves import wave_of

U = Symbol("u", integer=True)
"""The symbol that stands for a quantity."""


class QuantityCondition(NamedTuple):
    """An integer quantity, and a condition on it alone, in which `U` stands for it."""

    quantity: Expr
    condition: Condition


def about(condition: Condition) -> QuantityCondition | None:
    """Return the one quantity of a condition, its only symbol or a sum, if it has one."""
    names = symbols_of(condition)
    if len(names) == 1:
        name = names.pop()
        if name.is_integer:
            return QuantityCondition(name, condition.mapped(lambda e: e.xreplace({name: U})))
    reader = _QuantityReader()
    try:
        changed = condition.mapped(reader.read)
    except _SeveralError:
        return None
    return None if reader.quantity is None else QuantityCondition(reader.quantity, changed)


class _SeveralError(ValueError):
    """An expression is about several quantities, or about none of a known form."""


class _QuantityReader:
    """Puts `U` for one quantity, which is what it meets first."""

    def __init__(self) -> None:
        self.quantity: Expr | None = None

    def read(self, expression: Expr) -> Expr:
        """Return an expression over `U`.

        Raises:
            _SeveralError: it is no expression over the quantity.
        """
        if expression.is_Rational:
            return expression
        lines = [term for term in Add.make_args(expression) if not term.has(Operation)]
        others = [term for term in Add.make_args(expression) if term.has(Operation)]
        return Add(self._line(Add(*lines)), *map(self._term, others))

    def _line(self, line: Expr) -> Expr:
        """``6*h + 6*t + 1`` as ``6*U + 1``, the quantity being ``h + t``."""
        constant, rest = line.as_coeff_Add()
        if rest == 0:
            return constant
        content, primitive = rest.as_content_primitive()
        if primitive.could_extract_minus_sign():
            content, primitive = -content, -primitive
        return content * self._standing(primitive) + constant

    def _term(self, term: Expr) -> Expr:
        """Return a multiple of a floor, a rounding or an extremum of the quantity, over `U`."""
        factor, operation = term.as_coeff_Mul()
        if not isinstance(operation, FloorDiv | RoundTo | Extremum):
            raise _SeveralError
        if isinstance(operation, Extremum) or all(map(is_whole, operation.args)):
            return Mul(factor, operation.func(*map(self.read, operation.args)))
        return factor * self._standing(operation)

    def _standing(self, quantity: Expr) -> Expr:
        if self.quantity is None:
            self.quantity = quantity
        if quantity != self.quantity or not is_whole(quantity):
            raise _SeveralError
        return U


MAX_WINDOW = 10_000
"""The most values that are looked at one by one."""


class Growth(NamedTuple):
    """Integers from which on, and after which, a function of an integer grows by the same step."""

    start: int
    period: int
    step: Rational


def growth(expression: Expr) -> Growth | None:
    """Return how an expression of `U` grows; None if unknown, or its period is too long."""
    wave = wave_of(expression) if len(expression.free_symbols) < 2 else None
    if wave is None:
        return None
    start = max(ceil(wave.start), 0)
    is_short = start + wave.period <= MAX_WINDOW
    return Growth(start, int(wave.period), tidy(wave.rise)) if is_short else None


def _first_from(expression: Expr, bound: Rational) -> int | None:
    """Return a value from which on a growing expression is at least a bound."""
    found = growth(expression)
    if found is None or found.step <= 0:
        return None
    values = values_over(expression, U, range(found.start, found.start + found.period))
    periods = max(ceil(Fraction(bound - value) / found.step) for value in values)
    return found.start + max(periods, 0) * found.period


class Recurrence(NamedTuple):
    """The value from which on, and the period after which, it repeats whether a condition holds."""

    start: int
    period: int


@lru_cache(maxsize=10_000)
def window(condition: Condition) -> Recurrence | None:
    """Return the window of a condition on `U`; None where none is known, or it is too long."""
    try:
        found = _window(condition)
    except ExpressionError:
        return None
    return found if found is not None and found.start + found.period <= MAX_WINDOW else None


def _window(condition: Condition) -> Recurrence | None:
    match condition:
        case Divides(divisor, dividend) if divisor.is_Integer:
            return _window_of_remainder(dividend, int(divisor))
        case Divides(divisor, dividend) if dividend.is_Integer and dividend != 0:
            return _window_of_divisor(divisor, abs(int(dividend)))
        case Divides():
            return None
        case AtLeast(expression, bound):
            return _window_of_sign(expression - exact(bound))
        case Equal(left, right):
            return _window_of_sign(left - right)


def _window_of_divisor(divisor: Expr, dividend: int) -> Recurrence | None:
    """Return the window of ``dividend % divisor == 0``; no divisor exceeds the dividend."""
    factor, rest = divisor.as_coeff_Mul()
    base, exponent = rest.as_base_exp()
    is_power = factor.is_Integer and base == U and exponent.is_Integer and exponent > 0
    end = dividend + 1 if is_power else _first_from(divisor, dividend + 1)
    return None if end is None else Recurrence(end, 1)


def _window_of_sign(expression: Expr) -> Recurrence | None:
    """Return the window of a sign: a repetition, or all up to the last change of sign."""
    found = growth(expression)
    if found is None or found.step == 0:
        return None if found is None else Recurrence(found.start, found.period)
    end = _first_from(expression if found.step > 0 else -expression, 1)
    return None if end is None else Recurrence(end, 1)


def _window_of_remainder(dividend: Expr, divisor: int) -> Recurrence | None:
    """Return the window of a remainder; of a polynomial it is as long as the divisor."""
    found = growth(dividend)
    if found is not None:
        periods = (Fraction(found.step) / divisor).denominator
        return Recurrence(found.start, found.period * periods)
    terms = [term.as_coeff_Mul() for term in Add.make_args(dividend)]
    powers = [(factor, rest.as_base_exp()) for factor, rest in terms]
    whole = all(
        factor.is_Integer and (base in (U, 1)) and exponent.is_Integer and exponent >= 0
        for factor, (base, exponent) in powers
    )
    return Recurrence(0, divisor) if whole else None


def shortest(
    conditions: tuple[Condition, ...], given: tuple[Condition, ...], first: int
) -> tuple[Condition, ...]:
    """Return the shortest conditions on `U` that are equivalent for all values from ``first`` on.

    Conditions that no value keeps, and those of which no window is known, stay as they are; what is
    given holds anyway.
    """
    open_ones = tuple(c for c in conditions if window(c) is None)
    known = tuple(c for c in conditions if c not in open_ones)
    domain = tuple(c for c in given if window(c) is not None)
    if not known or (len(known) == 1 and _is_plain(known[0])):
        return conditions
    return (*_shortest(known, domain, first), *open_ones)


def _is_plain(condition: Condition) -> bool:
    """Return whether it says as little as can be: a bound or a divisor of a symbol."""
    match condition:
        case AtLeast(Symbol(), _) | Divides(Integer(), Symbol()):
            return True
    return False


@lru_cache(maxsize=1_000)
def _shortest(
    conditions: tuple[Condition, ...], given: tuple[Condition, ...], first: int
) -> tuple[Condition, ...]:
    whole = _common_window((*conditions, *given))
    if max(whole.start - first, 0) + whole.period > MAX_WINDOW:
        return conditions
    try:
        table = _Table(whole, first, conditions, given)
    except ExpressionError:
        return conditions
    if not any(table.wanted):
        return conditions
    own = table.without_implied(conditions)
    forms = [own] if all(map(_is_plain, own)) else [own, *table.forms()]
    return min(forms, key=lambda form: sum(len(condition_text(c)) + 5 for c in form))


def _common_window(conditions: Iterable[Condition]) -> Recurrence:
    """Return the start and the period from which on the truths of all conditions repeat."""
    windows = [found for c in conditions if (found := window(c)) is not None]
    return Recurrence(max(w.start for w in windows), lcm(*(w.period for w in windows)))


class _Table:
    """The values in a window that may be, and those of them that keep all conditions."""

    def __init__(
        self,
        window: Recurrence,
        first: int,
        conditions: tuple[Condition, ...],
        given: tuple[Condition, ...],
    ) -> None:
        self.window = window  # of all conditions, what is given included
        self.own_window = _common_window(conditions)
        self.values = range(first, max(window.start, first) + window.period)
        self.known: dict[Condition, list[bool]] = {}  # whether each holds, value by value
        self.allowed = self.all_hold(given)
        self.wanted = self.all_hold((*given, *conditions))

    def holds(self, condition: Condition) -> list[bool]:
        """Return whether a condition holds, value by value."""
        if condition not in self.known:
            self.known[condition] = self._holds(condition)
        return self.known[condition]

    def _holds(self, condition: Condition) -> list[bool]:
        def values_of(expression: Expr) -> list[Rational]:
            return values_over(expression, U, self.values)

        match condition:
            case AtLeast(expression, bound):
                return [v >= bound for v in values_of(expression)]
            case Divides(divisor, dividend):
                pairs = zip(values_of(dividend), values_of(divisor), strict=True)
                return [q != 0 and x % q == 0 for x, q in pairs]
            case Equal(left, right):
                return [v == 0 for v in values_of(left - right)]

    def all_hold(self, conditions: Iterable[Condition]) -> list[bool]:
        """Return whether all of some conditions hold, value by value."""
        columns = [self.holds(condition) for condition in conditions]
        return [all(row) for row in zip(*columns, strict=True)] or [True] * len(self.values)

    def agrees(self, conditions: Iterable[Condition]) -> bool:
        """Return whether conditions say the same of the values that may be."""
        found = self.all_hold(conditions)
        return all(f == w for f, w, a in zip(found, self.wanted, self.allowed, strict=True) if a)

    def without_implied(self, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
        """Return the conditions without those that the others imply, the longest left out first."""
        left = list(conditions)
        for condition in sorted(conditions, key=lambda c: -len(condition_text(c))):
            others = [c for c in left if c is not condition]
            if self.agrees(others):
                left = others
        return tuple(left)

    def forms(self) -> Iterator[tuple[Condition, ...]]:
        """Yield short sets of equivalent conditions."""
        kept = [v for v, wanted in zip(self.values, self.wanted, strict=True) if wanted]
        yield from self._checked([self._between(kept[0], kept[-1])])
        yield from self._checked(
            (*form, *bound)
            for form in self._repeated()
            for bound in ((), (AtLeast(U, self._bound(form, kept[0])),))
        )

    def _checked(self, forms: Iterable[tuple[Condition, ...]]) -> Iterator[tuple[Condition, ...]]:
        """Yield the forms that say the same in the window, and whose own window is no longer."""
        for form in forms:
            windows = [window(c) for c in form]
            fits = all(
                w is not None
                and w.start <= max(self.window.start, self.values[0])
                and self.window.period % w.period == 0
                for w in windows
            )
            if fits and self.agrees(form):
                yield form

    def _between(self, low: int, high: int) -> tuple[Condition, ...]:
        """Return the conditions of ``low <= u <= high``."""
        if low == high:
            return (Equal(U, Integer(low)),)
        above = (AtLeast(U, low),) if low > self.values[0] else ()
        return (*above, AtLeast(-U, -high))

    def _bound(self, form: tuple[Condition, ...], low: int) -> int:
        """Return a stated bound above all smaller values for which a form holds by mistake."""
        stated = [c.bound for c in self.known if isinstance(c, AtLeast) and c.expression == U]
        rows = zip(self.values, self.all_hold(form), self.allowed, strict=True)
        wrong = [v for v, held, allowed in rows if held and allowed and v < low]
        usable = [int(b) for b in stated if max(wrong, default=low) < b <= low]
        return max(usable, default=low)

    def _repeated(self) -> Iterator[tuple[Condition, ...]]:
        """Yield forms for the values that repeat: none, or ``((u + c)//length) % k == 0``."""
        start = max(self.own_window.start - self.values[0], 0)
        places = [i for i in range(start, len(self.values)) if self.allowed[i]]
        for period in _divisors(self.own_window.period):
            kept = {self.values[i] % period for i in places if self.wanted[i]}
            left = {self.values[i] % period for i in places if not self.wanted[i]}
            if not left:
                yield ()
                return
            if not kept & left:
                yield from ((form,) for form in _intervals(sorted(kept), left, period))
                return


def _divisors(number: int) -> Iterator[int]:
    return (d for d in range(1, number + 1) if number % d == 0)


def _intervals(kept: list[int], left: set[int], period: int) -> Iterator[Condition]:
    """Yield conditions that `U` is, modulo a period, in an interval with none of the left.

    The interval's length divides the period; it begins at 0 or 1 where it may, as in ``u//length``
    and ``ceil(u/length)``, else as early or as late as it may.
    """
    if not kept:
        return
    gaps = [(b - a) % period or period for a, b in zip(kept, [*kept[1:], kept[0]], strict=True)]
    widest = max(range(len(kept)), key=gaps.__getitem__)
    start = kept[(widest + 1) % len(kept)]
    end = start + period - gaps[widest]
    if any((i % period) in left for i in range(start, end + 1)):
        return
    free = period - (end - start) - 1
    before = next((i for i in range(free) if (start - 1 - i) % period in left), free)
    after = next((i for i in range(free) if (end + 1 + i) % period in left), free)
    for length in _divisors(period):
        first, last = max(start - before, end + 1 - length), min(start, end + 1 + after - length)
        if length < period and first <= last:
            nice = {begin for begin in (0, 1, period, period + 1) if first <= begin <= last}
            for begin in sorted(nice | {first, last}):
                yield from _in_interval(begin, length, period)


def _in_interval(begin: int, length: int, period: int) -> Iterator[Condition]:
    """``(u − begin) % period < length``, as a multiple of ``period/length``."""
    shift = -begin % period
    for each in (shift, shift - period) if shift else (0,):
        yield Divides(Integer(period // length), floor_div(U + each, length))
