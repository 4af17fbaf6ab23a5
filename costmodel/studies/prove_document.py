"""The document of proofs: every published formula with what is derived."""

from collections.abc import Iterator, Sequence
from typing import Any

from archspec.laws import read_laws
from costmodel.analysis.document import (
    VERSION,
    Block,
    Cell,
    Code,
    Column,
    Document,
    Line,
    Row,
    Table,
    entries,
    plain_number,
)
from costmodel.rules.formula import show_number
from costmodel.studies import question
from costmodel.studies.prove import Proof, built_in_files, prove, select, shown

NAMES = (
    *("name", "law", "published", "derived", "residual", "because", "stated", "for example"),
    *("assuming", "valid when", "scenario", "convention", "source"),
)
"""The columns behind the verdict."""


@question(name="prove")
def prove_laws(files: list[str] | None = None, /, *, law: tuple[str, ...] = ()) -> Document:
    """Derive published formulas from networks; exit status 1 where one is not as published.

    Args:
        files: Files of laws; else the built-in.
        law: Laws by name; all where not given.
    """
    laws = [each for file in files or built_in_files() for each in read_laws(file)]
    return document([prove(each) for each in select(laws, law)])


def document(proofs: Sequence[Proof]) -> Document:
    """Return the document of some proofs: a row for each, then how many hold."""
    failed = sum(not proof.holds for proof in proofs)

    def blocks() -> Iterator[Block]:
        columns = (Column("verdict", ""), *(Column(name, name) for name in NAMES))
        rows = (
            Row(dict(_cells(proof)), style="good" if proof.holds else "bad") for proof in proofs
        )
        yield Table(columns, tuple(rows), listed=True)
        conventions = dict.fromkeys(proof.convention.name for proof in proofs)
        yield entries(("convention", convention) for convention in conventions)
        yield Line(f"{len(proofs) - failed} proved, {failed} failed")

    def data() -> dict[str, Any]:
        return {"archcost": VERSION, "laws": list(map(_data, proofs))}

    return Document("", blocks, data, holds=not failed)


def _cells(proof: Proof) -> Iterator[tuple[str, Cell]]:
    fields = proof.law.fields
    yield "verdict", "PROVED" if proof.holds else "FAILED"
    yield "name", Code(proof.law.name)
    yield "law", fields.doc
    yield "published", Code(proof.law.written("published"))
    yield "derived", Code(f"{fields.derived} = {shown(proof.derived)}")
    yield "residual", Code(shown(proof.residual))
    yield "because", fields.because
    if not proof.holds:
        yield "stated", Code(proof.law.written("residual"))
        yield "for example", _example(proof)
    if fields.assume:
        yield "assuming", Code(" and ".join(fields.assume))
    if proof.conditions:
        yield "valid when", Code(" and ".join(proof.conditions))
    yield "scenario", str(fields.scenario)
    yield "convention", proof.convention.name
    yield "source", fields.source


def _example(proof: Proof) -> str:
    """Return two numbers that differ, which show a person that two formulas do."""
    values = proof.counterexample
    shown_values = ", ".join(f"{name} = {value}" for name, value in values.items())
    published, derived = (proof.example(e, values) for e in (proof.published, proof.derived))
    numbers = f"{show_number(derived)} derived, {show_number(published)} published"
    return f"{numbers}, at {shown_values}"


def _data(proof: Proof) -> dict[str, Any]:
    fields = proof.law.fields
    formulas = {
        "published": proof.published,
        "derived": proof.derived,
        "residual": proof.residual,
        "stated": proof.stated,
    }
    return {
        "name": proof.law.name,
        "doc": fields.doc,
        "source": fields.source,
        "convention": proof.convention.name,
        "symbols": {name: plain_number(value) for name, value in proof.defaults.items()},
        "assumptions": fields.assume,
        "conditions": list(proof.conditions),
        "derivation": fields.derived,
        **{name: _formula(proof, expression) for name, expression in formulas.items()},
        "because": fields.because,
        "proved": proof.holds,
    }


def _formula(proof: Proof, expression: Any) -> dict[str, Any]:
    return {"expr": shown(expression), "value": plain_number(proof.example(expression))}
