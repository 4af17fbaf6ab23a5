"""The grammar of ``--vary``: values, a range of them, or a link to other symbols.

    vary   := name '=' (values | link)
    values := part (',' part)*
    part   := number | first ':' last [':' step] | list | 'true' | 'false' | choice
    choice := 'choice(' values ')'
    list   := '[' item (',' item)* ']' ['*' count]
    item   := list | choice | an expression; of a let name
    step   := number | '*' factor | 'log'
    link   := an expression of other symbols

Numbers are exact: ``0.35:1.4:0.05`` is the 22 rationals 7/20, 2/5, … 7/5. Each choice inside a list
varies by itself, under the list's name and its place: those of ``k=[choice(3,5),7]*2`` are ``k_0``
and ``k_2``.
"""

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import floor
from typing import NamedTuple

from archspec.arithmetic import Rational, tidy
from archspec.errors import SpecError
from archspec.expressions import MAX_NUMBER_BITS, ExpressionError, parse
from archspec.fields import shortened
from archspec.scope import free_names
from archspec.trees import Tree
from costmodel.scenario.settings import to_rational

TRUTHS = ("true", "false")
"""The spelling of truth values."""

MAX_VALUES = 1_000_000
"""The most values that one symbol takes."""

FORMS = "as in --vary h=96,128,160 width=0.35:1.4:0.05 d=256:4096:*2 w=h"


class SampledRange(NamedTuple):
    """All numbers from the first to the last, drawn alike, or each ratio where logarithmic."""

    first: Rational
    last: Rational
    logarithmic: bool = False


Value = Rational | str
"""A symbol's value, or the text of what a ``let`` name is to stand for."""


class Varied(NamedTuple):
    """A name and the values that it takes.

    Attributes:
        name: a symbol, or a ``let`` name.
        values: they, in order; empty where it is an interval or a link.
        interval: the numbers that samples are drawn from, where there is one.
        link: what decides its value, where it is linked.
        text: as it was given.
        pattern: of a list with choices, it with their names in their places.
        of: of a choice in a list, the list's name.
    """

    name: str
    values: tuple[Value, ...] = ()
    interval: SampledRange | None = None
    link: Tree | None = None
    text: str = ""
    pattern: str = ""
    of: str = ""


def read_varied(texts: Iterable[str]) -> tuple[Varied, ...]:
    """Return what some texts vary, in order.

    Raises:
        SpecError: a text says nothing, or a name is varied twice.
    """
    varied: dict[str, Varied] = {}
    for text in texts:
        for one in _read(text):
            if one.name in varied:
                raise SpecError(f"--vary {shortened(text)}: '{one.name}' is varied twice")
            varied[one.name] = one._replace(text=text)
    return tuple(varied.values())


def _read(text: str) -> Iterator[Varied]:
    name, equals, values = (part.strip() for part in text.partition("="))
    if not (equals and name and values):
        raise SpecError(f"--vary takes name=values, not '{text}'", hint=FORMS)
    try:
        parts = list(split(values, ","))
        if len(parts) == 1 and parts[0].startswith("[") and _CHOICES.search(parts[0]):
            yield from _list_of_choices(name, parts[0])
        else:
            yield _sorted_out(name, [each for part in parts for each in _chosen(part)])
    except (ExpressionError, SpecError) as error:
        cause = f"--vary {shortened(text)}: {error.cause}"
        raise SpecError(cause, hint=error.hint or FORMS) from None


_CHOICES = re.compile(r"\bchoice\s*\(")
_CHOICE = re.compile(r"choice\s*\((.*)\)", re.DOTALL)
_REPEATED = re.compile(r"(\[.*\])\s*\*\s*(\d{1,4})", re.DOTALL)


def _chosen(part: str) -> list[str]:
    """Return the values of ``choice(3,5,7)``; any other part as it is."""
    found = _CHOICE.fullmatch(part)
    return list(split(found[1], ",")) if found else [part]


def _list_of_choices(name: str, text: str) -> Iterator[Varied]:
    """Yield a list with names in the places of its choices, and what each of them varies."""
    found: list[Varied] = []

    def pattern(name: str, text: str) -> str:
        if text.startswith("["):
            parts = (pattern(f"{name}_{i}", item) for i, item in enumerate(_items(text)))
            return f"[{', '.join(parts)}]"
        if not _CHOICES.search(text):
            return text
        if not _CHOICE.fullmatch(text):
            hint = "write the numbers that it makes, as choice(6,12)"
            raise SpecError(f"'{shortened(text)}': a choice in a list stands alone", hint=hint)
        found.append(_sorted_out(name, _chosen(text)))
        return name

    yield Varied(name, pattern=pattern(name, text))
    for one in found:
        if not all(isinstance(value, Rational) for value in one.values) or not one.values:
            hint = "a choice of lists is a list of them: depths=[2,2],[3,4]"
            raise SpecError(f"a choice in a list is of numbers, not {one.name}", hint=hint)
        yield one._replace(of=name)


def _items(text: str) -> list[str]:
    """Return the items of ``[a, b]``, several times of ``[a, b]*3``."""
    repeated = _REPEATED.fullmatch(text)
    inner, times = (repeated[1], int(repeated[2])) if repeated else (text, 1)
    if not inner.endswith("]"):
        raise SpecError(f"'{shortened(text)}' is not closed", hint="as in [choice(3,5,7)]*20")
    return list(split(inner[1:-1], ",")) * times


def _sorted_out(name: str, parts: list[str]) -> Varied:
    if len(parts) == 1 and (found := _interval(name, parts[0])):
        return Varied(name, interval=found)
    if len(parts) == 1 and (link := _link(parts[0])):
        return Varied(name, link=link)
    values: dict[Value, None] = {}
    for part in parts:
        for value in _values(name, part):
            if value in values:
                raise SpecError(f"the value {briefly(value)} stands there twice")
            values[value] = None
            if len(values) > MAX_VALUES:
                raise SpecError(f"more than {MAX_VALUES:,} values of one symbol")
    return Varied(name, tuple(values))


def split(text: str, sign: str) -> Iterator[str]:
    """Yield the parts of a text between a sign that stands in no brackets."""
    part, depth = "", 0
    for each in text:
        depth += (each in "([") - (each in ")]")
        if each == sign and depth == 0:
            yield part.strip()
            part = ""
        else:
            part += each
    yield part.strip()


def _link(part: str) -> Tree | None:
    """Return an expression of other symbols, or None where it is none."""
    if part.startswith("[") or ":" in part:
        return None
    tree = parse(part)
    return tree if free_names(tree) else None


def _interval(name: str, part: str) -> SampledRange | None:
    """Return the interval of ``32:512`` or ``32:512:log``, or None where it is none."""
    ends = list(split(part, ":"))
    logarithmic = len(ends) == 3 and ends[2] == "log"
    if len(ends) != 2 and not logarithmic:
        return None
    first, last = _ends(name, ends)
    return SampledRange(first, last, logarithmic)


def _ends(name: str, ends: list[str]) -> tuple[Rational, Rational]:
    first, last = (to_rational(name, end) for end in ends[:2])
    if first > last:
        raise SpecError(f"an empty range: {briefly(first)} is more than {briefly(last)}")
    return first, last


def _values(name: str, part: str) -> Iterator[Value]:
    ends = list(split(part, ":"))
    if part.startswith("[") or part in TRUTHS:
        yield part
    elif len(ends) == 1:
        yield _number(name, part)
    elif len(ends) == 2:
        yield from _stepped(*_ends(name, ends), 1)
    elif len(ends) == 3 and ends[2].startswith("*"):
        yield from _multiplied(*_ends(name, ends), to_rational("the factor", ends[2][1:]))
    elif len(ends) == 3:
        yield from _stepped(*_ends(name, ends), to_rational("the step", ends[2]))
    else:
        raise SpecError(f"'{part}' is no range first:last:step")


def _number(name: str, part: str) -> Rational:
    if free_names(parse(part)):
        raise SpecError(f"'{part}' is no number; a link to other symbols is one expression alone")
    return to_rational(name, part)


def _stepped(first: Rational, last: Rational, step: Rational) -> Iterator[Rational]:
    """Yield ``first, first + step, …`` up to ``last``, which is among them where it is hit."""
    if step <= 0:
        raise SpecError(f"the step is {step}; it must be more than 0")
    count = floor(Fraction(last - first) / step) + 1
    if count > MAX_VALUES:
        found = abridged(f"{count:,}")
        raise SpecError(f"{found} values of one symbol; at most {MAX_VALUES:,} are swept")
    return (tidy(first + i * step) for i in range(count))


def _multiplied(first: Rational, last: Rational, factor: Rational) -> Iterator[Rational]:
    """Yield ``first, first·factor, first·factor², …`` up to ``last``."""
    if factor <= 1:
        raise SpecError(f"the factor is {factor}; it must be more than 1")
    if first <= 0:
        raise SpecError(f"a range by factors begins above 0, not at {first}")
    value = first
    while value <= last:
        if value.denominator.bit_length() > MAX_NUMBER_BITS:
            raise SpecError(f"values of more than {MAX_NUMBER_BITS:,} bits")
        yield value
        value = tidy(value * factor)


LONG = 24
"""A number of more signs is shown by its ends in an error."""


def briefly(value: Value) -> str:
    """Return a value as an error shows it."""
    return abridged(show_value(value))


def abridged(number: str) -> str:
    """Return the ends of a long number, and how many digits it has."""
    if len(number) <= LONG:
        return number
    return f"{number[:8]}…{number[-4:]} ({sum(map(str.isdigit, number))} digits)"


def show_value(value: Value) -> str:
    """Return a value as a person writes it: ``0.35``, or ``1/3`` where no decimal is exact."""
    if isinstance(value, str) or value.denominator == 1:
        return str(value)
    places = decimal_places(value)
    if places is None:
        return str(value)
    digits = f"{abs(value.numerator) * 10**places // value.denominator:0{places + 1}}"
    return f"{'-' * (value < 0)}{digits[:-places]}.{digits[-places:]}"


MAX_PLACES = 30
"""The most decimal places that are written out."""


def decimal_places(value: Rational) -> int | None:
    """Return how many decimal places make it exact; None where more than `MAX_PLACES` would."""
    for places in range(MAX_PLACES + 1):
        if 10**places % value.denominator == 0:
            return places
    return None
