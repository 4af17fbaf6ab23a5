"""Renderers: a document → text. None of them computes anything, and none knows a study."""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points

from archspec.errors import find_named
from costmodel.analysis.document import Document

Renderer = Callable[[Document], str]

_NAMES = ("json", "csv", "markdown", "latex", "rst", "python", "c", "javascript")

FORMATS = {"table": f"{__name__}.terminal"} | {name: f"{__name__}.{name}" for name in _NAMES}
"""Format → the module that renders it."""

ENTRY_POINTS = "archcost.formats"
"""The group in which other distributions name modules with a ``render`` of theirs."""


CODE = ("python", "c", "javascript")
"""The formats that are functions, of which only the report of one network can be made."""


def others() -> dict[str, str]:
    """Return the formats that other distributions add → their modules."""
    return {each.name: each.value for each in entry_points(group=ENTRY_POINTS)}


def find_renderer(name: str) -> Renderer:
    """Return the function that renders a format; its module is imported only now.

    Raises:
        SpecError: there is no such format.
    """
    known = FORMATS if name in FORMATS else others() | FORMATS
    module = import_module(find_named("format", name, known))
    render: Renderer = module.render
    return render
