"""A report as JSON: every quantity as an expression and as its value."""

import json
from typing import Any

from sympy import Expr

from archspec.arithmetic import Rational
from archspec.errors import visible
from costmodel.algebra.functions import Quantity
from costmodel.algebra.printing import text
from costmodel.render.scenario import scenario_fields
from costmodel.studies.report import Report, Row, show_decimal

VERSION = 1
"""The version of this form."""


def render(report: Report) -> str:
    """The report as JSON; an ``expr`` evaluated as Python at the symbols gives its ``value``."""
    return dumped(document(report))


def dumped(document: Any) -> str:
    r"""Return plain data as the text of a JSON file; signs that are not seen are spelled out.

    What JSON lets stand as it is, and a terminal or JavaScript takes for more than a sign, is
    written ``\u202e``: the same text to whoever reads the JSON.
    """
    return as_json(json.dumps(document, indent=1, ensure_ascii=False), keep="\n") + "\n"


def as_json(text: str, keep: str = "") -> str:
    """Return JSON with the signs that are not seen spelled out as JSON spells them."""
    return visible(text, keep=keep, write=lambda sign: json.dumps(sign)[1:-1])


def head(report: Report) -> dict[str, Any]:
    """Which network it is, where, and what counts."""
    analysis = report.analysis
    return {
        "archcost": VERSION,
        "name": report.title,
        "variant": analysis.graph.variant,
        "symbols": {name: plain_number(v) for name, v in report.values.items()},
        "convention": analysis.convention.name,
        **scenario_fields(analysis),
        **({"missing": report.missing} if report.missing else {}),
        "conditions": list(report.conditions),
        "assumptions": list(report.assumptions),
    }


def document(report: Report) -> dict[str, Any]:
    """The report as plain data."""
    return {
        **head(report),
        "inputs": [
            {"name": row.name, "output_shape": _shapes(report, row)[0], **_counts(report, row)}
            for row in report.rows
            if row.kind == "input"
        ],
        "groups": [_group(report, row) for row in report.rows if row.is_group],
        "layers": [
            _layer(report, row) for row in report.rows if not (row.is_group or row.kind == "input")
        ],
        "totals": {metric.name: _total(report, metric.name) for metric in report.totals},
        "field_ends": [end._asdict() for end in report.ends] if report.has_fields else [],
        "strides_differ": list(report.clashes) if report.has_fields else [],
        **{
            f"{name}s": [
                {"layers": list(peak.layers), **quantity(report, report.analysis.law(peak.term))}
                for peak in report.peaks(name)
            ]
            for name in ("activations_peak", "in_out_peak", "memory_peak")
        },
        **_order(report),
    }


def _order(report: Report) -> dict[str, Any]:
    """The best order of the layers, where its memory is asked for."""
    if all(metric.name != "memory_peak_best" for metric in report.totals):
        return {}
    found = report.analysis.best_order
    shown = {"layers": found.layers, "unsearched": found.unsearched, "is_best": found.is_best}
    return {"best_order": shown}


def _group(report: Report, row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "path": row.path,
        "runs": quantity(report, row.runs),
        "copies": quantity(report, row.copies),
        **_counts(report, row),
    }


def _layer(report: Report, row: Row) -> dict[str, Any]:
    first, *others = _shapes(report, row)
    return {
        "name": row.name,
        "kind": row.kind,
        "path": row.path,
        "inputs": list(row.inputs),
        "output_shape": first,
        **({"output_shapes": [first, *others]} if others else {}),
        **_counts(report, row),
    }


def _shapes(report: Report, row: Row) -> list[dict[str, Any]]:
    return [
        {
            "expr": [text(size) for size in shape],
            "value": [plain_number(report.number(size)) for size in shape],
        }
        for shape in row.shapes
    ]


def _counts(report: Report, row: Row) -> dict[str, Any]:
    """Every column's count; None where the line has none."""
    found = {metric.name: row.counts.get(metric.name) for metric in report.columns}
    return {n: None if count is None else quantity(report, count) for n, count in found.items()}


def _total(report: Report, name: str) -> dict[str, Any] | None:
    law = report.total_if_any(name)
    return None if law is None else quantity(report, law)


def quantity(report: Report, expression: Expr) -> dict[str, Any]:
    """An expression and its value."""
    number = report.number(expression)
    value = float(number) if isinstance(expression, Quantity) else plain_number(number)
    return {"expr": text(expression), "value": value}


def plain_number(value: Rational) -> int | float | str:
    """A number as JSON has it; a fraction without an end is text, not a rounded number."""
    if isinstance(value, int):
        return value
    shown = show_decimal(value)
    return shown if "/" in shown else float(value)
