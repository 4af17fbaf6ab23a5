"""Renderers: a report → text. None of them computes anything."""

from collections.abc import Callable
from importlib import import_module

from archspec.errors import SpecError, did_you_mean
from costmodel.report import Report

FORMATS = ("table", "json", "csv", "markdown", "latex", "python", "c", "javascript")
"""The names of the formats, each the module that renders it."""


def find_renderer(name: str) -> Callable[[Report], str]:
    """The function that renders a format; its module is imported only now.

    Raises:
        SpecError: there is no such format.
    """
    if name not in FORMATS:
        raise SpecError(f"unknown format '{name}'", hint=did_you_mean(name, FORMATS))
    render: Callable[[Report], str] = import_module(f"costmodel.render.{name}").render
    return render
