"""Words behind a number that are no units: what their author meant, and how it is written."""

import re
from collections.abc import Iterable

_WORDS = {"thousand": "k", "million": "M", "billion": "G", "bn": "G", "trillion": "T"}
"""Word → the prefix that stands for it."""

_COUNTED = re.compile(r"([kmgt]?)(?:macs?|flops?|ops?|params?|parameters|tokens?)")
"""Matches a prefix before what is counted, which the name of the metric says already."""


def unit_hint(number: str, word: str, units: Iterable[str]) -> str | None:
    """Return the hint for a number with a word behind it, or None where nothing is like the word.

    Args:
        number: the number.
        word: what stands behind it.
        units: those that may.
    """
    if re.fullmatch(r"_[\d_]+", word):
        return f"write {number}{word.replace('_', '')}"
    counted = _COUNTED.fullmatch(word.lower())
    meant = counted[1] if counted else _WORDS.get(word.lower(), word.removesuffix("ytes"))
    near = [unit for unit in units if unit.lower() == meant.lower()]
    if counted and not meant:
        return f"write {number}"
    return f"write {number} {near[0]}" if near else None
