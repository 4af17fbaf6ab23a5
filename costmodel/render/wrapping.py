"""Lines of a text, or of a closed form, that is longer than there is room for.

A closed form breaks between its terms and never within a call as ``ceil(h/2)``; a text between its
words, of which a number and its unit are one, as are the sides of an equation.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from rich.cells import cell_len

HANG = "  "
"""The indent of a closed form's lines after the first."""

OPEN = {"", "max", "min"}
"""The words before brackets within which a law may break: those of a sum, and of a list."""

SIGNS = {"=", "==", "<", "<=", ">", ">=", "%", "+", "-", "−", "×"}
"""The words that keep those beside them."""

_BRACKET = re.compile(r"(\w*)\(|\)")
_PLACE_OF_FORM = re.compile(r"(?<=,) | (?=[+-] )|(?<!\*)(?=\*[^*])")
_PLACE_OF_TEXT = re.compile(r" |(?<=/)(?=[a-z_])")


class BreakPlace(NamedTuple):
    """A place at which a line may end.

    Attributes:
        cost: that of the least is taken, of equals the last.
        place: how many signs are before it.
    """

    cost: int
    place: int


def wrapped(text: str, room: int, *, is_form: bool = False) -> list[str]:
    """Return a text on lines of at most some places; a single word that is longer is cut.

    Args:
        text: on one line.
        room: the places of a line.
        is_form: whether it is a closed form, which breaks between its terms.
    """
    used = [0, *accumulate(map(cell_len, text))]
    if used[-1] <= room:
        return [text]
    breaks = list(_of_form(text) if is_form else _of_text(text))
    lines, start, indent = [], 0, ""
    while used[-1] - used[start] > room - len(indent):
        end = max(bisect_right(used, used[start] + room - len(indent)) - 1, start + 1)
        fitting = [each for each in breaks if start < each.place <= end]
        late = [each for each in fitting if each.place > (3 * start + end) // 4] or fitting
        best = min(late, key=lambda each: (each.cost, -each.place), default=BreakPlace(0, end))
        lines.append(indent + text[start : best.place])
        start, indent = best.place + (text[best.place] == " "), HANG * is_form
    return [*lines, indent + text[start:]]


def _of_form(form: str) -> Iterator[BreakPlace]:
    """Yield the places outside calls: behind a comma, between terms, before a factor."""
    words = list(_words_around(form))
    for found in _PLACE_OF_FORM.finditer(form):
        place = found.start()
        if OPEN.issuperset(words[place]):
            cost = 1 if not found[0] else -1 if form[place - 1] == "," else 0
            yield BreakPlace(cost + 2 * len(words[place]), place)


def _of_text(text: str) -> Iterator[BreakPlace]:
    """Yield the places: between words, before an equality or in a path, beside a sign or amount."""
    words = list(_words_around(text))
    for found in _PLACE_OF_TEXT.finditer(text):
        place = found.start()
        before, after = text[:place].rpartition(" ")[2], text[place:].lstrip().partition(" ")[0]
        is_amount = re.fullmatch(r"[\d.,]*\d", before) and after[:1].isalpha()
        cost = 2 if is_amount or {before, after} & SIGNS else 0
        cost = 1 if after == "=" or not found[0] else cost
        yield BreakPlace(cost if OPEN.issuperset(words[place]) else 3, place)


def _words_around(text: str) -> Iterator[tuple[str, ...]]:
    """Yield for each place of a text the words before the brackets around it."""
    words: tuple[str, ...] = ()
    brackets = {each.end() - 1: each for each in _BRACKET.finditer(text)}
    for i in range(len(text)):
        yield words
        if i in brackets:
            words = words[:-1] if text[i] == ")" else (*words, brackets[i][1])
