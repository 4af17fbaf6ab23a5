"""The published facts of every spec in ``specs/``, each with its source in the spec."""

from fractions import Fraction

import pytest

from archspec import load
from archspec.header import Fact
from costmodel import analyze
from tests.conftest import ROOT

FACTS = [
    (path.name, fact)
    for path in sorted((ROOT / "specs").glob("*.yaml"))
    for fact in load(str(path)).header.expect
]


def rounded(value: int | Fraction, fact: Fact) -> int | Fraction:
    """A value as the fact's source rounds it."""
    if fact.rounded is None:
        return value
    units = Fraction(value) / fact.rounded.to
    return int(units) if fact.rounded.how == "floor" else int(units + Fraction(1, 2))


@pytest.mark.parametrize(
    ("name", "fact"), FACTS, ids=[f"{name}-{fact.source[:40]}" for name, fact in FACTS]
)
def test_a_published_fact(name: str, fact: Fact) -> None:
    variant = f"@{fact.variant}" if fact.variant else ""
    analysis = analyze(f"{ROOT / 'specs' / name}{variant}", convention=fact.convention or "lecture")
    assert rounded(getattr(analysis.at(**fact.at), fact.metric), fact) == fact.value
