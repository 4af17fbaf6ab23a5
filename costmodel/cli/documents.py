"""Commands about documents: pages whose tables are generated, and the language's schema."""

from os.path import isdir
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from archspec.errors import SpecError, visible
from costmodel.cli.tell import tell

Pages = Annotated[
    list[str], Parameter(help="Pages or patterns: Markdown, MyST, LaTeX, reStructuredText.")
]
Check = Annotated[
    bool,
    Parameter(negative=(), help="Change nothing; show what is stale, with exit status 1."),
]
Root = Annotated[
    str | None,
    Parameter(help="The folder that paths in markers start from; else the project's."),
]


def docs(pages: Pages, /, *, check: Check = False, root: Root = None) -> int:
    """Fill pages between <!-- archcost: COMMAND --> and <!-- /archcost -->."""
    from costmodel.docs.pages import refreshed, write

    if root is not None and not isdir(root):
        raise SpecError(f"--root {root} is no folder")
    changes = refreshed(pages, Path(root) if root is not None else None)
    stale = [change for change in changes if change.is_stale]
    if check:
        for change in stale:
            print(visible(change.diff(), keep="\n\t"), end="")
    else:
        write(changes)
    for change in stale:
        told = f"{change.stale} of {change.markers} markers " if change.markers else ""
        done = "stale" if check else "refreshed" if change.markers else "written"
        tell(f"{change.path}: {told}{done}")
    if not stale:
        markers = sum(change.markers for change in changes)
        tell(f"{markers} markers up to date")
    return int(check and bool(stale))


def schema() -> None:
    """Print the JSON Schema of specs, for editors; kinds that other distributions add are in it."""
    import json

    from archspec.layers import load_kinds
    from archspec.schema import language_schema

    for failed in load_kinds():
        tell(f"warning: {failed}")
    print(json.dumps(language_schema(), indent=1, ensure_ascii=False))
