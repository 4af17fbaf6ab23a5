"""Commands about documents: pages whose tables are generated, and the language's schema."""

from dataclasses import is_dataclass, replace
from os.path import isdir
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import CycloptsError, Parameter

from archspec.errors import SpecError, visible
from costmodel.cli.misuse import misuse
from costmodel.cli.tell import mark, tell

if TYPE_CHECKING:
    from costmodel.docs.commands import Place

Pages = Annotated[
    list[str], Parameter(help="Pages or patterns: Markdown, MyST, LaTeX, reStructuredText.")
]
Check = Annotated[
    bool,
    Parameter(help="Change nothing; show what is stale or no marker, with exit status 1."),
]
Root = Annotated[
    str | None,
    Parameter(help="The folder that paths in markers start from; else the project's."),
]


LEFT_OVER = (
    "this looks like a marker, and is left as it is; it stands in code by its indentation, in a "
    "paragraph, over several lines, in a raw cell, or is of another kind of page; a fence shows "
    "one on purpose"
)
"""The error about a text that looks like a marker and is not filled, with the possible causes."""


def docs(pages: Pages, /, *, check: Check = False, root: Root = None) -> int:
    """Fill pages between <!-- archcost: COMMAND --> and <!-- /archcost -->.

    Examples:
        archcost docs README.md
        archcost docs --check 'docs/*.md'
    """
    from costmodel.docs.pages import refreshed, write

    if root is not None and not isdir(root):
        raise SpecError(f"--root {root} is no folder")
    changes = refreshed(pages, run_marker, Path(root) if root is not None else None)
    stale = [change for change in changes if change.is_stale]
    left = [place for change in changes for place in change.left_over]
    for place in left:
        tell(f"{'' if check else 'warning: '}{place}: {LEFT_OVER}")
    if check:
        for place in left:
            mark(place.file, place.line, LEFT_OVER)
        for change in stale:
            for place in change.stale:
                mark(place.file, place.line, "this is stale: archcost docs refreshes it")
            print(visible(change.diff(), keep="\n\t"), end="")
    else:
        write(changes)
    for change in stale:
        count = f"{len(change.stale)} of {change.markers} markers " if change.markers else ""
        done = "stale" if check else "refreshed" if change.markers else "written"
        tell(f"{change.path}: {count}{done}")
    if not stale:
        markers = sum(change.markers for change in changes)
        tell(f"{markers} markers up to date")
    return int(check and bool(stale or left))


def run_marker(words: tuple[str, ...], place: "Place") -> tuple[object, str]:
    """Run the command line of a marker; return its result and the format of its text.

    Args:
        words: the command line, without ``archcost``.
        place: the name of a parameter and the path that it names → where to write that file.

    Raises:
        SpecError: a word is no command, option or value, or a command finds a rule broken.
    """
    from costmodel.cli.app import app, asks_for_help, require_command

    asks_for_help(words)
    require_command(words)
    try:
        command, bound, _ = app.parse_args(words)
    except CycloptsError as error:
        raise misuse(error, words) from None
    bound.arguments.update(_placed(dict(bound.arguments), place))
    made = command(*bound.args, **bound.kwargs)
    return made, str(bound.arguments.get("format", ""))


def _placed(arguments: dict[str, Any], place: "Place") -> dict[str, Any]:
    """Return the arguments that name a file to write, with the path to write it at instead."""
    from costmodel.docs.commands import WRITTEN

    changed: dict[str, Any] = {}
    for name, value in arguments.items():
        if name in WRITTEN and value is not None:
            changed[name] = place(name, value)
        elif is_dataclass(value) and not isinstance(value, type):
            changed[name] = replace(value, **_placed(vars(value), place))
    return changed


def schema() -> None:
    """Print the JSON Schema of specs, for editors; kinds that other distributions add are in it.

    Examples:
        archcost schema
        archcost schema > archspec.schema.json
    """
    print(schema_text(), end="")


def schema_text() -> str:
    """Return the JSON Schema of specs; tell of kinds of other distributions that are missing."""
    import json

    from archspec.layers import load_kinds
    from archspec.schema import language_schema

    for failed in load_kinds():
        tell(f"warning: {failed}")
    return json.dumps(language_schema(), indent=1, ensure_ascii=False) + "\n"
