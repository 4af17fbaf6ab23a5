"""Proofs of published laws: for the terminal, as Markdown and as JSON."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from archspec.errors import visible
from costmodel.analysis.document import VERSION, plain_number
from costmodel.render.json import dumped
from costmodel.render.markdown import code, escaped, line_of
from costmodel.render.terminal import drawn, entries
from costmodel.rules.formula import show_number
from costmodel.studies.prove import Proof, shown

HEAD = ("law", "published", "derived", "assuming", "residual", "", "convention", "source")


def verdict(proof: Proof) -> str:
    """``PROVED`` or ``FAILED``."""
    return "PROVED" if proof.holds else "FAILED"


def table(proofs: Sequence[Proof]) -> str:
    """The formulas of each law below each other, then how many are proved."""

    def draw(console: Console) -> None:
        for proof in proofs:
            head = Text(verdict(proof), style="bold green" if proof.holds else "bold red")
            head.append(f"  {visible(proof.law.name)}", style="bold")
            console.print(head, soft_wrap=not console.is_terminal)
            entries(((f"  {label}", note) for label, note in _notes(proof)), console)
            console.print()
        said = dict.fromkeys(str(proof.convention) for proof in proofs)
        entries((("convention", convention) for convention in said), console)
        console.print()
        console.print(summary(proofs))

    return drawn(draw)


def summary(proofs: Sequence[Proof]) -> str:
    """How many are proved, and how many are not."""
    failed = sum(not proof.holds for proof in proofs)
    return f"{len(proofs) - failed} proved, {failed} failed"


def _notes(proof: Proof) -> Iterator[tuple[str, str]]:
    fields = proof.law.fields
    if fields.doc:
        yield "law", fields.doc
    yield "published", proof.law.written("published")
    yield "derived", f"{fields.derived} = {shown(proof.derived)}"
    yield "residual", shown(proof.residual)
    if fields.because:
        yield "because", fields.because
    if not proof.holds:
        yield "stated", proof.law.written("residual")
        yield "for example", _example(proof)
    if fields.assume:
        yield "assuming", " and ".join(fields.assume)
    if proof.conditions:
        yield "valid when", " and ".join(proof.conditions)
    if str(fields.scenario):
        yield "scenario", str(fields.scenario)
    yield "convention", proof.convention.name
    yield "source", fields.source


def _example(proof: Proof) -> str:
    """Two numbers that differ show a person that two formulas do."""
    values = proof.counterexample
    shown_values = ", ".join(f"{name} = {value}" for name, value in values.items())
    published, derived = (proof.example(e, values) for e in (proof.published, proof.derived))
    numbers = f"{show_number(derived)} derived, {show_number(published)} published"
    return f"{numbers}, at {shown_values}"


def markdown(proofs: Sequence[Proof]) -> str:
    """One row per law."""
    rows = [line_of(HEAD), line_of(["---"] * len(HEAD))]
    return "\n".join([*rows, *map(_row, proofs), "", summary(proofs)]) + "\n"


def _row(proof: Proof) -> str:
    fields = proof.law.fields
    because = f" ({escaped(fields.because)})" if fields.because else ""
    return line_of(
        [
            f"{code(proof.law.name)}: {escaped(fields.doc)}"
            if fields.doc
            else code(proof.law.name),
            code(proof.law.written("published")),
            f"{code(fields.derived)} = {code(shown(proof.derived))}",
            ", ".join(map(code, fields.assume)),
            code(shown(proof.residual)) + because,
            verdict(proof),
            ", ".join(filter(None, (proof.convention.name, str(fields.scenario)))),
            escaped(fields.source),
        ]
    )


def json(proofs: Sequence[Proof]) -> str:
    """Every formula as an expression and as its value where the symbols have their defaults."""
    document = {"archcost": VERSION, "laws": list(map(_document, proofs))}
    return dumped(document)


def _document(proof: Proof) -> dict[str, Any]:
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


FORMATS: Mapping[str, Callable[[Sequence[Proof]], str]] = {
    "table": table,
    "markdown": markdown,
    "json": json,
}
