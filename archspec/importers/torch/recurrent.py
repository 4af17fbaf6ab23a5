"""Recurrent networks as one operator each while a module is traced, which unrolls them else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

_SCHEMA = (
    "{0}(Tensor input, {1} hx, Tensor[] params, bool has_biases, int num_layers, float dropout, "
    "bool train, bool bidirectional, bool batch_first) -> ({2})"
)

_STATES = {"lstm": 2, "gru": 1, "rnn_tanh": 1, "rnn_relu": 1}
"""The functions that PyTorch's recurrent modules call → the states that they hand on."""


@lru_cache(maxsize=1)
def _library() -> Any:
    """Return the library of the operators, which stay as long as it does."""
    import torch

    library = torch.library.Library("archcost", "FRAGMENT")
    for name, states in _STATES.items():
        given = "Tensor" if states == 1 else "Tensor[]"
        left = ", ".join(["Tensor"] * (states + 1))
        library.define(_SCHEMA.format(name, given, left))
        library.impl(name, _without_data, "CompositeExplicitAutograd")
    return library


def _without_data(given: Any, hx: Any, *rest: Any) -> Any:
    """Return tensors without data of the shapes that leave: every step, and the last states."""
    states = hx if isinstance(hx, list | tuple) else [hx]
    directions = 1 + bool(rest[-2])
    steps = given.new_empty((*given.shape[:-1], directions * states[0].shape[-1]))
    return (steps, *(given.new_empty(state.shape) for state in states))


@contextmanager
def whole_networks() -> Iterator[None]:
    """Let PyTorch's recurrent modules call one operator each; packed sequences stay as they are."""
    import torch

    functions: Any = torch._VF
    _library()
    kept = {name: getattr(functions, name) for name in _STATES}
    for name, function in kept.items():
        setattr(functions, name, partial(_called, getattr(torch.ops.archcost, name), function))
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(functions, name, function)


def _called(operator: Callable[..., Any], function: Callable[..., Any], *args: Any) -> Any:
    is_packed = not isinstance(args[3], bool)  # else it says there whether there are biases
    return (function if is_packed else operator)(*args)
