"""Specs written from what people have: PyTorch modules, ONNX files, Hugging Face configurations.

Each importer turns its source into a :class:`~archspec.importers.calls.Network` of plain entries;
folding and writing, shared by all, turn that into a spec that a person would have written.
Importers never count: the analysis of the spec does.

A source is one text: ``torch:torchvision.models:resnet50``, ``net.onnx``, ``config.json`` or the
folder that it is in. What is said beside it may stand behind a ``#``, its parts between semicolons:
the sizes of an input, ``vary`` and a parameter of the factory with its values, ``partial``; as in
``torch:my.nets:make#n, 3, h, w;vary width=0.5,1``.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from os import PathLike, fspath
from os.path import isdir, isfile
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from archspec.errors import SpecError
from archspec.importers.source import Imported, Importer, Options

TORCH = "torch:"
"""The beginning of a source that is a factory of modules: its code is run."""

_MODULES = {TORCH: "torch.source", ".onnx": "onnx.source", ".json": "config.source"}
"""The beginning or the end of a source → the module of this package with its `read`."""

_PARTIAL, _VARY = "partial", "vary "

_CONFIG = "config.json"
"""The file of a folder that is a source."""


class Module(Protocol):
    """An ``nn.Module``, whose type is not known where PyTorch is not installed."""

    forward: Callable[..., Any]


Shape = Sequence[int | str]
"""The sizes of an input in Python: ``("n", 3, "h", "w")``, names being symbols."""

Shapes = Shape | Sequence[Shape] | Mapping[str, Shape]
"""The sizes of one input, of several in order, or of several by the parameters of ``forward``."""


class SourceText(NamedTuple):
    """An importable source, taken apart.

    Attributes:
        name: it, without the options behind its ``#``.
        options: these.
        form: the beginning or the end that says what it is, as ``.onnx``.
    """

    name: str
    options: str
    form: str

    def read(self) -> Imported:
        """Return the spec of the source; one that was read before is not read again.

        Raises:
            SpecError: it cannot be read, or holds what no kind expresses.
        """
        path = Path(self.name, _CONFIG) if isdir(self.name) else Path(self.name)
        return _read(self, path.stat().st_mtime_ns if path.is_file() else 0)


def form_by_name(text: str) -> str:
    """Return the form of source that a text has by its name, whether there is such a file or not.

    It is one of `TORCH`, ``.onnx`` and ``.json``, or "" of other texts.
    """
    name = text.partition("#")[0]
    form = TORCH if name.startswith(TORCH) else Path(name).suffix.lower()
    return form if form in _MODULES else ""


def find_source(text: str) -> SourceText | None:
    """Return the importable source that a text names; None where it names a spec, or nothing."""
    name, _, options = text.partition("#")
    form = form_by_name(name) or ".json" * isfile(Path(name, _CONFIG))
    return None if not form or _is_spec(name, form) else SourceText(name, options, form)


def _is_spec(name: str, form: str) -> bool:
    """Return whether a file of JSON is a spec, which YAML can read."""
    if form != ".json" or not isfile(name):
        return False
    with open(name, "rb") as stream:
        return re.search(rb'"archspec"\s*:', stream.read(1 << 20)) is not None


def with_options(text: str, options: Options) -> str:
    """Return a source as one text, with what is said beside it; what it says itself stays."""
    name, _, said = text.partition("#")
    values = (f"{_VARY}{name}={','.join(map(str, each))}" for name, each in options.vary.items())
    parts = (said, *options.inputs, *values, _PARTIAL * options.partial)
    whole = ";".join(filter(None, parts))
    return f"{name}#{whole}" if whole else name


def read_options(inputs: Iterable[str], vary: Iterable[str], *, partial: bool = False) -> Options:
    """Return what is said beside a source.

    Args:
        inputs: the sizes of each input, as ``n, 3, h, w``.
        vary: parameters of its factory, each with its values, as ``width=0.5,1``.
        partial: whether operators that no kind expresses are marked.

    Raises:
        SpecError: a parameter has no value.
    """
    varied: dict[str, tuple[int | float | str | None, ...]] = {}
    for each in vary:
        name, equals, values = each.partition("=")
        if not equals or not name.strip().isidentifier() or not values.strip():
            cause = f"--vary takes a parameter of the factory and its values, not '{each}'"
            raise SpecError(cause, hint='as in --vary "width_mult=0.5,0.75,1.0"')
        varied[name.strip()] = tuple(_value(value.strip()) for value in values.split(","))
    return Options(tuple(inputs), MappingProxyType(varied), partial)


_CONSTANTS: dict[str, bool | None] = {"None": None, "True": True, "False": False}


def _value(text: str) -> int | float | str | None:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def from_python(source: object, shapes: Shapes) -> str:
    """Return the text of a module's spec, or a source that says the sizes of its inputs.

    Args:
        source: an ``nn.Module``, or an importable source.
        shapes: the sizes of its inputs.

    Raises:
        SpecError: it is neither, or no spec can be written from it.
    """
    inputs = _texts(shapes)
    if isinstance(source, str | PathLike):
        return with_options(fspath(source), Options(inputs))
    reader = import_module(f"{__name__}.{_MODULES[TORCH]}")
    text: str = reader.read_module(source, inputs).text
    return text


def _texts(shapes: Shapes) -> tuple[str, ...]:
    """Return the sizes of each input as ``--input`` has them."""
    if isinstance(shapes, Mapping):
        return tuple(f"{name}: {_texts(shape)[0]}" for name, shape in shapes.items())
    if all(isinstance(size, int | str) for size in shapes):
        return (", ".join(map(str, shapes)),)
    return tuple(_texts(shape)[0] for shape in shapes if not isinstance(shape, int | str))


def options_of(text: str) -> Options:
    """Return what stands behind the ``#`` of a source."""
    parts = [part.strip() for part in text.split(";") if part.strip()]
    vary = [part for part in parts if part.startswith(_VARY)]
    inputs = [part for part in parts if part not in (*vary, _PARTIAL)]
    return read_options(inputs, [each[len(_VARY) :] for each in vary], partial=_PARTIAL in parts)


def read_source(text: str) -> Imported:
    """Return the spec of an importable source (see `SourceText.read`).

    Raises:
        SpecError: it is none, cannot be read, or holds what no kind expresses.
    """
    source = find_source(text)
    if source is None:
        hint = "torch:MODULE:FACTORY, an ONNX file (*.onnx) and config.json (*.json) are"
        raise SpecError(f"{text} is nothing that a spec can be written from", hint=hint)
    return source.read()


@lru_cache(maxsize=8)
def _read(source: SourceText, changed: int) -> Imported:  # noqa: ARG001 - a file that changed is another
    module = f"{__name__}.{_MODULES[source.form]}"
    try:
        read: Importer = import_module(module).read
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise SpecError(f"this archcost cannot import {source.form} yet") from None
    return read(source.name, options_of(source.options))
