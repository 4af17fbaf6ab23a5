"""Regular expressions for expressions, valid in both ECMA 262 and Python.

They refuse no expression. No regular expression tells all the others: brackets are counted up to
`DEEPEST` of a form, and commas where a call holds no other. None runs longer than its text's
length times a few.
"""

from collections.abc import Iterator

from archspec.expressions import FUNCTIONS, OF_NAMES

DEEPEST = 8
"""The most pairs of one form of brackets in a text whose brackets are counted."""

_GAP = r"[ \t\r\n]*"
_POWER = "[eE][-+]?[0-9]{1,3}"
_NUMBER = rf"(?:(?:0|[1-9][0-9]*)|[0-9]+(?:\.[0-9]*(?:{_POWER})?|{_POWER})|\.[0-9]+(?:{_POWER})?)"
_CALLED = "|".join((*FUNCTIONS, *OF_NAMES))
_PART = r"(?:\.(?:\*|[A-Za-z0-9_]+))*"


def _word(keywords: str) -> str:
    """Return the pattern of a word that is no keyword."""
    return rf"(?!(?:{keywords})\b)[A-Za-z_][A-Za-z0-9_]*\b"


def _alternating(before: str, keywords: str, operators: str) -> str:
    """Operands and operators in turn; a keyword is no operand."""
    opening = rf"(?:(?:[-+(]{before}|(?:{_CALLED}){_GAP}\(){_GAP})*"
    operand = rf"{opening}(?:{_NUMBER}|{_word(keywords)}{_PART}){_GAP}(?:[\])]{_PART}{_GAP})*"
    return rf"^{_GAP}{operand}(?:(?:{operators}){_GAP}{operand})*$"


_ARITHMETIC = r"\*\*?|//?|[-+%,\[]"

NUMERIC = _alternating("", "and|or|not|true|false", _ARITHMETIC)
"""What every number looks like."""

EXPRESSION = _alternating(r"|not\b", "and|or|not", rf"{_ARITHMETIC}|[=!<>]=|[<>]|and\b|or\b")
"""What every number and every condition looks like."""

TRUTH = r"[<>]|[=!]=|\b(?:and|or|not|true|false)\b"
"""What a condition has in it, if it is not `ONE_NAME`."""

ONE_NAME = (
    rf"^(?:[ \t\r\n(+]|reversed{_GAP}\()*{_word('true|false')}"
    r"[ \t\r\n)]*(?:\[[\s\S]*\][ \t\r\n)]*)?$"
)
"""A name, or an item of a list."""


REFERENCE = (
    r"^(?:[^\[(]*|\s*(?:reversed\s*\(\s*)*[A-Za-z_][A-Za-z0-9_]*"
    r"(?:\s*(?:\.\s*(?:\*|[A-Za-z0-9_]+)|\)|\[[\s\S]*\]))*\s*)$"
)
"""Matches a reference to tensors: a name, or one with parts, an index or ``reversed``."""


def _balanced(opening: str, closing: str, top: str) -> str:
    """Brackets of one form in pairs, or more than `DEEPEST` of them; ``top`` is outside of all."""
    others = rf"[^{opening}{closing}]*"
    inside = others
    for _ in range(DEEPEST - 1):
        inside = rf"{others}(?:{opening}{inside}{closing}{others})*"
    outside = rf"[^{opening}{closing}{top}]*"
    many = rf"[^{opening}]*(?:{opening}[^{opening}]*){{{DEEPEST + 1},}}"
    return rf"^(?:{outside}(?:{opening}{inside}{closing}{outside})*|{many})$"


PARENTHESES = _balanced(r"\(", r"\)", ",")
"""Parentheses in pairs, and commas in them alone."""

SQUARE = _balanced(r"\[", r"\]", "")
"""Square brackets in pairs."""


_CONNECTIVE = r"\b(?:and|or|not)\b"


def _faults() -> Iterator[str]:
    """Yield patterns of texts that no expression contains."""
    yield rf"^[ \t\r\n(+]*{_NUMBER}[ \t\r\n)]*$"  # a number, written as text
    yield r"\([^()\[\]]*\]"
    yield r"\[[^()\[\]]*\)"
    yield rf"(?:^|[^A-Za-z0-9_.])[0-9.][A-Za-z0-9_.]*{_GAP}\["  # an item of a number
    yield rf"[/%]{_GAP}0(?:\.0*)?{_GAP}(?:$|[^A-Za-z0-9_. \t\r\n*\[])"  # a division by 0
    yield rf"(?:^|[^A-Za-z0-9_ \t\r\n]){_GAP}\([^()]*,"  # a comma outside of calls
    yield rf"{_CONNECTIVE}{_GAP}{_NUMBER}{_GAP}(?:$|[)\]]|(?:and|or)\b)"  # a number for a condition
    yield rf"(?:^|[(\[,]|{_CONNECTIVE}){_GAP}{_NUMBER}{_GAP}(?:and|or)\b"
    yield rf"\b(?:true|false){_GAP}(?:[-+*/%<>\[]|[=!]=)"  # a truth value for a number
    yield rf"(?:[-*/%<>=\[]|(?:[0-9)\]]|\b{_word('and|or|not')}){_GAP}\+){_GAP}(?:true|false)\b"
    yield from map(_miscounted, FUNCTIONS)


def _miscounted(name: str) -> str:
    """A call of a function with too few arguments, or too many, where no other is in it."""
    least, most = FUNCTIONS[name]
    ways = [rf"(?:[^(),]*,){{0,{least - 2}}}[^(),]*\)"] if least > 1 else []
    ways += [] if most is None else [rf"(?:[^(),]*,){{{most}}}"]
    return rf"\b{name}{_GAP}\((?:{'|'.join(ways)})" if ways else ""


FAULTS = "|".join(filter(None, _faults()))
"""What no expression has in it."""
