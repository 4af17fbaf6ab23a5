"""The kinds of layers: one class each, registered by the modules of this package."""

from importlib import import_module
from pathlib import Path

from archspec.layers.base import ALIASES, KINDS, Layer, Torch, find_kind, kind, load_kinds
from archspec.layers.names import NAMES

__all__ = ["ALIASES", "KINDS", "Layer", "Torch", "find_kind", "kind", "load_kinds"]

for unlisted in sorted({file.stem for file in Path(__file__).parent.glob("[!_]*.py")} - set(NAMES)):
    import_module(f"{__name__}.{unlisted}")
