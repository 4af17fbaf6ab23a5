"""What metrics are computed from, beside the layers: the convention, the types, the device."""

from typing import NamedTuple

from sympy import Expr

from archspec.errors import SpecError
from archspec.trees import Tensor
from costmodel.network.precision import Typed, Types, in_bytes
from costmodel.network.propagation import LayerCost
from costmodel.rules.cost import Inner, Parameter
from costmodel.scenario.conventions import Convention
from costmodel.scenario.scenario import Device, Scenario
from costmodel.scenario.training import Training


class Basis(NamedTuple):
    """What a count is made from.

    Attributes:
        convention: what counts.
        scenario: what is said beside the spec.
        typed: the types of all layers and tensors.
    """

    convention: Convention
    scenario: Scenario
    typed: Typed

    @property
    def device(self) -> Device:
        """The device.

        Raises:
            SpecError: none is given.
        """
        return self.scenario.device_for("what is asked for")

    @property
    def training(self) -> Training:
        """How the network is trained.

        Raises:
            SpecError: nothing is said of it.
        """
        if self.scenario.training is None:
            hint = "name an optimizer with --optimizer: sgd, momentum, adam, adamw or adafactor"
            raise SpecError("this depends on how the network is trained", hint=hint)
        return self.scenario.training

    def params_of(self, layer: LayerCost) -> list[Parameter]:
        """Return the learnable tensors of a layer that the convention counts."""
        return [p for p in layer.cost.parameters if p.role in self.convention.roles]

    def inside(self, layer: LayerCost) -> tuple[Inner, ...]:
        """The feature maps inside a layer that are in memory while it works."""
        is_fused = self.scenario.is_fused
        return tuple(i for i in layer.cost.inner if not (is_fused and i.is_fusible))

    def least_macs(self, layer: LayerCost) -> Expr:
        """The multiply-accumulates that a layer makes at least, the bias where that counts."""
        cost = layer.cost
        macs = cost.least_macs if self.scenario.is_fused else cost.macs
        return macs + cost.biased if self.convention.counts_bias else macs

    def types_of(self, layer: LayerCost) -> Types:
        """The types of a layer's numbers."""
        return self.typed.layers[layer.node.path]

    def type_of(self, tensor: Tensor) -> str:
        """The type of a tensor's elements."""
        return self.typed.tensors[tensor]

    def bytes_of(self, tensor: Tensor, elements: Expr) -> Expr:
        """The bytes of some elements of a tensor."""
        return in_bytes(elements, self.type_of(tensor))
