"""Findings for the terminal: a table of PASS and FAIL."""

from collections.abc import Sequence

from archspec.arithmetic import Rational
from archspec.errors import visible
from costmodel.rules.formula import show_decimal, show_number
from costmodel.studies.facts import Finding

HEAD: tuple[str, ...] = ("", "spec", "fact", "published", "ours", "difference", "", "source")


def render(findings: Sequence[Finding]) -> str:
    """One line per fact, then how many passed and failed."""
    rows = [tuple(map(visible, row)) for row in (HEAD, *map(_row, findings))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    failed = sum(not finding.passes for finding in findings)
    lines += ["", f"{len(findings) - failed} passed, {failed} failed"]
    return "\n".join(lines) + "\n"


def _row(finding: Finding) -> tuple[str, ...]:
    fact = finding.fact
    setting = ", ".join(f"{name}={show_decimal(value)}" for name, value in fact.at.items())
    about = f"{fact.metric} ({fact.convention or 'lecture'}{', ' * bool(setting)}{setting})"
    return (
        "PASS" if finding.passes else "FAIL",
        finding.spec,
        about,
        *map(_number, (fact.value, finding.shown, finding.difference)),
        "" if fact.rounded is None else f"× {show_number(fact.rounded.to)}",
        fact.source,
    )


def _number(value: Rational) -> str:
    return show_number(value) if isinstance(value, int) else show_decimal(value)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Text to the left, numbers to the right."""
    cells = [
        cell.rjust(width) if 3 <= i <= 5 else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
