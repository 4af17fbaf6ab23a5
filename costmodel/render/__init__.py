"""Renderers: a document → text. None of them computes anything, and none knows a study."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path

from archspec.errors import find_named
from costmodel.analysis.document import Document

Renderer = Callable[[Document], str]

BEGINS = "\ndef render(document: Document) -> str:"
"""The text that makes a file of this folder a format, which is called as the file."""

TABLE = "table"
"""The format of a terminal, whose file is `terminal`."""

ENTRY_POINTS = "archcost.formats"
"""The group in which other distributions name modules with a ``render`` of theirs."""


CODE = ("python", "c", "javascript")
"""The formats that are functions, of which only the report of one network can be made."""


SYNONYMS = {"md": "markdown", "tex": "latex", "text": "table", "txt": "table"}
"""Other name of a format, as the end of its files → the format."""


@cache
def formats() -> dict[str, str]:
    """Return our formats → the modules that render them."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    names = [file.stem for file in files if BEGINS in file.read_text(encoding="utf-8")]
    modules = {TABLE if name == "terminal" else name: f"{__name__}.{name}" for name in names}
    return {TABLE: modules.pop(TABLE), **modules}


def others() -> dict[str, str]:
    """Return the formats that other distributions add → their modules."""
    from importlib.metadata import entry_points

    return {each.name: each.value for each in entry_points(group=ENTRY_POINTS)}


def find_renderer(name: str) -> Renderer:
    """Return the function that renders a format; its module is imported only now.

    Raises:
        SpecError: there is no such format.
    """
    name = SYNONYMS.get(name.lower(), name.lower())
    known = formats() if name in formats() else others() | formats()
    module = import_module(find_named("format", name, known))
    render: Renderer = module.render
    return render
