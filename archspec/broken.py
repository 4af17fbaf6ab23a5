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
    """Return what is wrong with a text that a YAML parser refuses.

    Args:
        error: what the parser raised.
        text: the text.
    """
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    mark, begins = (getattr(error, name, None) for name in ("problem_mark", "context_mark"))
    lines = text.splitlines()
    number, column = (mark.line, mark.column) if mark else (0, 0)
    line = lines[number] if number < len(lines) else ""
    opened = (begins.line + 1, begins.column + 1) if begins else (0, 0)
    context = getattr(error, "context", None) or ""
    said = _Complaint(context, problem, opened, line[:column], line[column:], number + 1)
    found = (explain(said) for explain in (_tab, _flow, _quote, _colon, _key, _token, _block))
    return next(filter(None, found), Fault(problem))


def _tab(said: _Complaint) -> Fault | None:
    if "\t" in (said.before + said.after[:1]):
        return Fault("a tab stands where spaces must stand", "YAML indents with spaces, not tabs")
    return None


def _flow(said: _Complaint) -> Fault | None:
    """A list or a mapping in brackets that does not end, or has more than items in it."""
    for what, (opening, closing) in _CLOSING.items():
        if what in said.context:
            line, column = said.opened
            where = f"before '{said.after[0]}'" if said.after else "at the end of the file"
            cause = f"the '{opening}' of line {line}, column {column} is not closed: "
            hint = f"write {closing} where it ends, perhaps at the end of line {line}"
            if said.line == line:
                hint = f"write , between two items, or {closing} where it ends"
            if said.after[:1] in ("[", "(", "{"):
                hint = _QUOTES
            elif said.after[:1] in ("]", "}"):
                hint = f"write {closing} before the {said.after[0]}"
            return Fault(f"{cause}there is no ',' or '{closing}' {where}", hint)
    return None


def _quote(said: _Complaint) -> Fault | None:
    if "scalar" not in said.context or "block" in said.context or "plain" in said.context:
        return None
    if "escape" in said.problem:
        hint = "write \\\\ for a backslash, or put the text in single quotes"
        return Fault("the text in double quotes has an escape that YAML does not know", hint)
    line, column = said.opened
    cause = f"the quote of line {line}, column {column} is not closed"
    return Fault(cause, "write the same quote where the text ends")


def _colon(said: _Complaint) -> Fault | None:
    if "mapping values are not allowed" not in said.problem:
        return None
    if ": " in said.before:
        return Fault("a second ':' stands in one value", f"put the value in quotes; {_COLON}")
    cause = "a key stands below a value that is no mapping, or further in than the keys above it"
    return Fault(cause, f"{_COLON}; {_INDENT}")


def _key(said: _Complaint) -> Fault | None:
    if "simple key" not in said.context:
        return None
    return Fault(f"line {said.opened[0]} has no ':' behind its key", "write key: value")


def _token(said: _Complaint) -> Fault | None:
    if "next token" not in said.context or not said.after:
        return None
    return Fault(f"no value begins with '{said.after[0]}'", "put the text in quotes")


def _block(said: _Complaint) -> Fault | None:
    """A line that goes on neither with the list nor with the mapping that it stands in."""
    if "block" not in said.context or "scalar" in said.context:
        return None
    line = said.opened[0]
    if said.after[:1] in ("]", "}"):
        return Fault(f"nothing is open that '{said.after[0]}' closes", "take it out")
    if said.before.rstrip().endswith(("'", '"')):
        return Fault("more stands behind a text in quotes", "put all of the value in quotes")
    if "collection" in said.context:
        hint = "an entry begins with a dash, and its keys stand further in than the dash"
        return Fault(
            f"this line has no dash and belongs to no entry of the list of line {line}", hint
        )
    return Fault(f"this line does not go on with the mapping that begins on line {line}", _INDENT)
