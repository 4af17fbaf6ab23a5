"""PyTorch's own counts of a module at some sizes, without data."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from math import prod
from typing import Any

from archspec.importers.source import SourceCounts
from archspec.importers.torch.inputs import Entering, tensors
from archspec.importers.torch.trace import Sample, forward_error, quiet, run


class _Whole(AbstractContextManager["_Whole"]):
    """Tells the counter that all belongs to the whole; following each module needs gradients."""

    parents = frozenset(("Global",))

    def __exit__(self, *_: object) -> None:
        """Do nothing."""


def counted(
    module: Any, inputs: Sequence[Entering], sample: Sample, used: frozenset[str]
) -> SourceCounts:
    """Return what PyTorch counts: the parameters that are used, products, output shapes.

    Args:
        module: the module, without data.
        inputs: its inputs.
        sample: their types, and the values of the symbols.
        used: the names of the parameters that the forward uses.

    Raises:
        SpecError: its forward does not run at these sizes.
    """
    from torch.utils.flop_counter import FlopCounterMode

    given = tensors(inputs, sample.integers, sample.values)
    counter = FlopCounterMode(display=False, custom_mapping=_unseen())
    counter.mod_tracker = _Whole()
    try:
        with quiet(), counter:
            left = run(module, given)
    except Exception as error:
        raise forward_error(module, error) from None
    parameters = {n: p.numel() for n, p in module.named_parameters() if n in used}
    layers: dict[str, int] = {}
    for name, elements in parameters.items():
        owner = name.rpartition(".")[0]
        layers[owner] = layers.get(owner, 0) + elements
    outputs = tuple(dict.fromkeys(_tensors(left)))
    shapes = tuple(tuple(map(int, tensor.shape)) for tensor in outputs)
    return SourceCounts(sum(parameters.values()), counter.get_total_flops() // 2, shapes, layers)


def _unseen() -> dict[Any, Any]:
    """Return the products that the counter of PyTorch does not know: those with experts."""
    import torch

    packages = (torch.ops.aten, "_grouped_mm"), (torch.ops.transformers, "grouped_mm_fallback")
    found = (getattr(package, name, None) for package, name in packages)
    return {operator: _of_rows for operator in found if operator is not None}


def _of_rows(rows: Any, matrices: Any, *_: Any, **__: Any) -> int:
    """Return twice the products of each row with one of several matrices."""
    return 2 * int(prod(rows)) * int(matrices[-1])


def _tensors(value: Any) -> list[Any]:
    """Return the tensors in what a forward gives."""
    from torch.utils._pytree import tree_leaves

    return [leaf for leaf in tree_leaves(value) if hasattr(leaf, "shape")]
