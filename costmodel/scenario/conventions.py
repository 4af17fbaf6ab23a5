"""Counting conventions: values that say what counts, printed with every number."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from archspec.errors import find_named
from costmodel.rules.cost import Output, Role


class Convention(NamedTuple):
    """A convention: which parameters, products and feature maps count.

    Attributes:
        name: as ``--convention`` takes it.
        summary: what counts, in one line.
        roles: the roles of the learnable tensors that count as params.
        feature_maps: the outputs that count as activations.
        counts_input: whether the network's input is one of the feature maps.
        counts_bias: whether adding a bias is a MAC per output element.
    """

    name: str
    summary: str
    roles: frozenset[Role]
    feature_maps: frozenset[Output]
    counts_input: bool = False
    counts_bias: bool = False

    def __str__(self) -> str:
        return f"{self.name} ({self.summary})"


CONVENTIONS: Mapping[str, Convention] = MappingProxyType(
    {
        convention.name: convention
        for convention in (
            Convention(
                "lecture",
                "params: weights, no bias or normalisation; MACs: products of conv, linear, "
                "matmul; activations: input + every feature map that is not in place",
                roles=frozenset({Role.WEIGHT}),
                feature_maps=frozenset(output for output in Output if output.is_feature_map),
                counts_input=True,
            ),
            Convention(
                "torch",
                "params: every learnable one; MACs: products of conv, linear, matmul; "
                "activations: outputs of conv, linear, matmul",
                roles=frozenset(Role),
                feature_maps=frozenset({Output.CONV, Output.LINEAR, Output.MATMUL}),
            ),
            Convention(
                "pycls",
                "params: every learnable one; MACs: products + 1 per output element of a layer "
                "with bias; activations: outputs of conv, pool, linear, global pooling excluded",
                roles=frozenset(Role),
                feature_maps=frozenset({Output.CONV, Output.LINEAR, Output.POOL}),
                counts_bias=True,
            ),
        )
    }
)


def find_convention(name: str) -> Convention:
    """The convention of a name.

    Raises:
        SpecError: there is none.
    """
    return find_named("convention", name, CONVENTIONS)
