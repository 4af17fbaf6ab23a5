"""The kinds of layers: one class each, registered by importing its module."""

from archspec.layers import (
    activation,
    attention,
    conv,
    embedding,
    linear,
    matmul,
    merge,
    norm,
    pool,
    recurrent,
    reshape,
)
from archspec.layers.base import KINDS, FieldError, Layer, find_kind, kind, load_kinds

__all__ = [
    "KINDS",
    "FieldError",
    "Layer",
    "activation",
    "attention",
    "conv",
    "embedding",
    "find_kind",
    "kind",
    "linear",
    "load_kinds",
    "matmul",
    "merge",
    "norm",
    "pool",
    "recurrent",
    "reshape",
]
