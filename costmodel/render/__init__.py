"""Renderers: a report → text. None of them computes anything."""

from collections.abc import Callable
from importlib import import_module

from archspec.errors import find_named
from costmodel.studies.report import Report

_NAMES = ("table", "json", "csv", "markdown", "latex", "python", "c", "javascript")

FORMATS = {name: f"costmodel.render.{name}" for name in _NAMES}
"""Format → the module that renders it."""


def find_renderer(name: str) -> Callable[[Report], str]:
    """The function that renders a format; its module is imported only now.

    Raises:
        SpecError: there is no such format.
    """
    module = import_module(find_named("format", name, FORMATS))
    render: Callable[[Report], str] = module.render
    return render
