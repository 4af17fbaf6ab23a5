"""Texts that are no YAML: the parser's complaint in words that say what to write."""

from typing import Any, NamedTuple

_CLOSING = {"flow mapping": ("{", "}"), "flow sequence": ("[", "]")}
_QUOTES = 'put an expression with brackets or commas in quotes, as "sizes[0]"'
_COLON = "a kind that has keys beside it ends with a colon, as - relu:"
_INDENT = "the keys of one mapping begin in one column, and so do the dashes of one list"


class Fault(NamedTuple):
    """A mistake in a text, with what to write instead."""

    cause: str
    hint: str | None = None


class _Complaint(NamedTuple):
    """The complaint of a parser, of either of PyYAML's parsers."""

    context: str  # what it was reading
    problem: str  # what it could not read
    opened: tuple[int, int]  # line and column where what it was reading begins, from 1
    before: str  # what stands on the line before the problem
    after: str  # what stands there and behind it
    line: int  # the line of the problem, counted from 1


def fault_of(error: Any, text: str) -> Fault:
    """Return what is wrong with a text that a YAML parser refuses."""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    mark, begins = (getattr(error, name, None) for name in ("problem_mark", "context_mark"))
    lines = text.splitlines()
    number, column = (mark.line, mark.column) if mark else (0, 0)
    line = lines[number] if number < len(lines) else ""
    opened = (begins.line + 1, begins.column + 1) if begins else (0, 0)
    context = getattr(error, "context", None) or ""
    complaint = _Complaint(context, problem, opened, line[:column], line[column:], number + 1)
    found = (explain(complaint) for explain in (_tab, _flow, _quote, _colon, _key, _token, _block))
    return next(filter(None, found), Fault(problem))


def _tab(complaint: _Complaint) -> Fault | None:
    if "\t" in (complaint.before + complaint.after[:1]):
        return Fault("a tab stands where spaces must stand", "YAML indents with spaces, not tabs")
    return None


def _flow(complaint: _Complaint) -> Fault | None:
    """A list or a mapping in brackets that does not end, or has more than items in it."""
    for what, (opening, closing) in _CLOSING.items():
        if what in complaint.context:
            line, column = complaint.opened
            where = (
                f"before '{complaint.after[0]}'" if complaint.after else "at the end of the file"
            )
            cause = f"the '{opening}' of line {line}, column {column} is not closed: "
            hint = f"write {closing} where it ends, perhaps at the end of line {line}"
            if complaint.line == line:
                hint = f"write , between two items, or {closing} where it ends"
            if complaint.after[:1] in ("[", "(", "{"):
                hint = _QUOTES
            elif complaint.after[:1] in ("]", "}"):
                hint = f"write {closing} before the {complaint.after[0]}"
            return Fault(f"{cause}there is no ',' or '{closing}' {where}", hint)
    return None


def _quote(complaint: _Complaint) -> Fault | None:
    if (
        "scalar" not in complaint.context
        or "block" in complaint.context
        or "plain" in complaint.context
    ):
        return None
    if "escape" in complaint.problem:
        hint = "write \\\\ for a backslash, or put the text in single quotes"
        return Fault("the text in double quotes has an escape that YAML does not know", hint)
    line, column = complaint.opened
    cause = f"the quote of line {line}, column {column} is not closed"
    return Fault(cause, "write the same quote where the text ends")


def _colon(complaint: _Complaint) -> Fault | None:
    if "mapping values are not allowed" not in complaint.problem:
        return None
    if ": " in complaint.before:
        return Fault("a second ':' stands in one value", f"put the value in quotes; {_COLON}")
    cause = "a key stands below a value that is no mapping, or further in than the keys above it"
    return Fault(cause, f"{_COLON}; {_INDENT}")


def _key(complaint: _Complaint) -> Fault | None:
    if "simple key" not in complaint.context:
        return None
    return Fault(f"line {complaint.opened[0]} has no ':' behind its key", "write key: value")


def _token(complaint: _Complaint) -> Fault | None:
    if "next token" not in complaint.context or not complaint.after:
        return None
    return Fault(f"no value begins with '{complaint.after[0]}'", "put the text in quotes")


def _block(complaint: _Complaint) -> Fault | None:
    """A line that goes on neither with the list nor with the mapping that it stands in."""
    if "block" not in complaint.context or "scalar" in complaint.context:
        return None
    line = complaint.opened[0]
    if complaint.after[:1] in ("]", "}"):
        return Fault(f"nothing is open that '{complaint.after[0]}' closes", "take it out")
    if complaint.before.rstrip().endswith(("'", '"')):
        return Fault("more stands behind a text in quotes", "put all of the value in quotes")
    if "collection" in complaint.context:
        hint = "an entry begins with a dash, and its keys stand further in than the dash"
        return Fault(
            f"this line has no dash and belongs to no entry of the list of line {line}", hint
        )
    return Fault(f"this line does not go on with the mapping that begins on line {line}", _INDENT)
