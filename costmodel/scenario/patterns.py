"""Patterns of paths, as a shell expands them where there is one: ``specs/*.yaml``, ``docs/**``."""

from glob import glob, has_magic
from os.path import exists
from pathlib import Path

from archspec.errors import SpecError
from archspec.importers import TORCH
from archspec.zoo import networks_like


def is_pattern(path: str) -> bool:
    """Return whether a path is a pattern; the name of an existing file or a factory is none."""
    return has_magic(path) and not exists(path) and not path.startswith(TORCH)


def matches(path: str, what: str) -> list[str]:
    """The files that a path stands for, sorted; without a pattern the path itself.

    Raises:
        SpecError: nothing matches the pattern.
    """
    if not is_pattern(path):
        return [path]
    found = sorted(glob(path, recursive=True))
    if not found:
        hint = f"looked for from {Path.cwd().name}/"
        if what == "spec" and networks_like(path):
            hint = f"archcost zoo '{path}' lists networks of the zoo; NAME@* is all of a family"
        raise SpecError(f"no {what} matches '{path}'", hint=hint)
    return found
