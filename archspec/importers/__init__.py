"""Specs written from what people have: PyTorch modules, ONNX files, Hugging Face configurations.

Each importer turns its source into a :class:`~archspec.importers.calls.Network` of plain entries;
folding and writing, shared by all, turn that into a spec that a person would have written.
Importers never count: the analysis of the spec does.

A source is one text: ``torch:torchvision.models:resnet50``, ``net.onnx``, ``config.json``. What is
said beside it may stand behind a ``#``, its parts between semicolons: the sizes of an input, a
parameter of the factory with its values, ``partial``; as in ``torch:my.nets:make#n, 3, h, w``.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from archspec.errors import SpecError
from archspec.importers.source import Imported, Importer, Options

TORCH = "torch:"
"""The beginning of a source that is a factory of modules: its code is run."""

_MODULES = {TORCH: "torch_source", ".onnx": "onnx", ".json": "config"}
"""The beginning or the end of a source → the module of this package with its `read`."""

_PARTIAL = "partial"


def form_of(text: str) -> str | None:
    """Return the form of an importable source, as ``.onnx``; None for a spec and for a name."""
    source = split_source(text)[0]
    if source.startswith(TORCH):
        return TORCH
    form = Path(source).suffix.lower()
    return form if form in _MODULES and not _is_spec(Path(source), form) else None


def _is_spec(path: Path, form: str) -> bool:
    """Return whether a file of JSON is a spec, which YAML can read."""
    if form != ".json" or not path.is_file():
        return False
    with path.open("rb") as stream:
        return re.search(rb'"archspec"\s*:', stream.read(1 << 20)) is not None


def split_source(text: str) -> tuple[str, str]:
    """Return a source, and what stands behind its ``#``; of what is no source, all of it."""
    source, _, said = text.partition("#")
    is_source = source.startswith(TORCH) or source.endswith(tuple(_MODULES))
    return (source, said) if is_source else (text, "")


def with_options(text: str, options: Options) -> str:
    """Return a source as one text, with what is said beside it; what it says itself stays."""
    source, said = split_source(text)
    values = (f"{name}={','.join(map(str, each))}" for name, each in options.vary.items())
    parts = (said, *options.inputs, *values, _PARTIAL * options.partial)
    whole = ";".join(filter(None, parts))
    return f"{source}#{whole}" if whole else source


def read_options(inputs: Iterable[str], vary: Iterable[str], *, partial: bool = False) -> Options:
    """Return what is said beside a source.

    Args:
        inputs: the sizes of each input, as ``n, 3, h, w``.
        vary: parameters of its factory, each with its values, as ``width=0.5,1``.
        partial: whether operators that no kind expresses are marked.

    Raises:
        SpecError: a parameter has no value.
    """
    varied: dict[str, tuple[int | float | str, ...]] = {}
    for each in vary:
        name, equals, values = each.partition("=")
        if not equals or not name.strip().isidentifier() or not values.strip():
            cause = f"--vary takes a parameter of the factory and its values, not '{each}'"
            raise SpecError(cause, hint='as in --vary "width_mult=0.5,0.75,1.0"')
        varied[name.strip()] = tuple(_value(value.strip()) for value in values.split(","))
    return Options(tuple(inputs), MappingProxyType(varied), partial)


def _value(text: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def options_of(text: str) -> Options:
    """Return what stands behind the ``#`` of a source."""
    parts = [part.strip() for part in split_source(text)[1].split(";") if part.strip()]
    vary = [part for part in parts if re.match(r"\w+\s*=", part)]
    inputs = [part for part in parts if part not in (*vary, _PARTIAL)]
    return read_options(inputs, vary, partial=_PARTIAL in parts)


def read_source(text: str) -> Imported:
    """Return the spec of an importable source; one that was read before is not read again.

    Raises:
        SpecError: it cannot be read, or holds what no kind expresses.
    """
    path = Path(split_source(text)[0])
    return _read(text, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=8)
def _read(text: str, changed: int) -> Imported:  # noqa: ARG001 - a file that changed is another
    form = form_of(text)
    if form is None:
        hint = "torch:MODULE:FACTORY, an ONNX file (*.onnx) and config.json (*.json) are"
        raise SpecError(f"{text} is nothing that a spec can be written from", hint=hint)
    module = f"{__name__}.{_MODULES[form]}"
    try:
        read: Importer = import_module(module).read
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise SpecError(f"this archcost cannot import {form} yet") from None
    return read(split_source(text)[0], options_of(text))
