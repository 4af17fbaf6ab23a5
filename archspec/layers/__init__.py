"""The kinds of layers: one class each, registered by importing the modules of this package."""

from importlib import import_module
from pkgutil import iter_modules

from archspec.layers.base import ALIASES, KINDS, Layer, Torch, find_kind, kind, load_kinds

__all__ = ["ALIASES", "KINDS", "Layer", "Torch", "find_kind", "kind", "load_kinds"]

for module in iter_modules(__path__):
    import_module(f"{__name__}.{module.name}")
