"""Recurrent networks as one operator each while a module is traced, which unrolls them else.

So are the scans of Mamba as transformers has them, a function of its own in each of the modules.
"""

import sys
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
    library.define(
        "selective_scan(Tensor x, Tensor step, Tensor decay, Tensor b, Tensor c) -> Tensor"
    )
    library.impl("selective_scan", lambda x, *_: x.new_empty(x.shape), "CompositeExplicitAutograd")
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
    kept = [(functions, name, getattr(functions, name)) for name in _STATES]
    scans = [(m, _SCAN, getattr(m, _SCAN)) for m in [*sys.modules.values()] if _has_scan(m)]
    for owner, name, function in kept:
        setattr(owner, name, partial(_called, getattr(torch.ops.archcost, name), function))
    for owner, name, function in scans:
        setattr(owner, name, partial(_scanned, function))
    try:
        yield
    finally:
        for owner, name, function in (*kept, *scans):
            setattr(owner, name, function)


def _called(operator: Callable[..., Any], function: Callable[..., Any], *args: Any) -> Any:
    is_packed = not isinstance(args[3], bool)  # else it says there whether there are biases
    return (function if is_packed else operator)(*args)


_SCAN, _SCANNED = "mamba_selective_scan", ("x", "step", "decay", "b", "c")


def _has_scan(module: Any) -> bool:
    return getattr(module, "__name__", "").startswith("transformers.models.") and _SCAN in vars(
        module
    )


def _scanned(
    function: Callable[..., Any],
    x: Any,
    step: Any,
    decay: Any,
    b: Any,
    c: Any,
    D: Any = None,  # noqa: N803 - as transformers calls it
    z: Any = None,
    delta_bias: Any = None,
    **given: Any,
) -> Any:
    """Return what a scan makes of all steps, as one operator between those around it."""
    import torch

    if given.get("return_last_state"):
        return function(x, step, decay, b, c, D, z, delta_bias, **given)
    step = step if delta_bias is None else step + delta_bias[..., None]
    step = torch.nn.functional.softplus(step) if given.get("delta_softplus") else step
    made = torch.ops.archcost.selective_scan(x, step, decay, b, c)
    made = made if D is None else made + x * D[None, :, None]
    return made if z is None else made * torch.nn.functional.silu(z)
