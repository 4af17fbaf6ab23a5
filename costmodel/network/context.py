"""Everything a metric needs besides the layer: convention, types, device, network."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from sympy import Expr

from archspec import Graph
from archspec.errors import SpecError
from archspec.trees import Tensor
from costmodel.algebra.bounds import Least
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.once import once
from costmodel.network.assumptions import Assumptions
from costmodel.network.precision import LayerTypes, NetworkTypes, in_bytes
from costmodel.network.propagation import LayerCost, Propagation
from costmodel.rules.cost import Inner, Parameter
from costmodel.scenario.conventions import Convention
from costmodel.scenario.scenario import Device, Scenario
from costmodel.scenario.training import OPTIMIZERS, Training

_T = TypeVar("_T")


class WholeNetwork(Protocol):
    """A whole network, as a metric sees it for which one layer is not enough."""

    @property
    def graph(self) -> Graph:
        """The network's graph."""

    @property
    def propagation(self) -> Propagation:
        """Its shapes and costs."""

    @property
    def assumed(self) -> Assumptions:
        """The assumptions about the symbols."""

    @property
    def least(self) -> Least:
        """The smallest values of the symbols."""

    @property
    def evaluator(self) -> Evaluator:
        """Gives every expression its number at the symbols' values."""

    def total(self, metric: str) -> Expr:
        """Return a metric of the whole network in closed form."""

    def by_resolution(self, expression: Expr) -> Expr:
        """Return a sum over layers with one term per resolution."""

    def largest(self, parts: list[Expr]) -> Expr:
        """Return the largest of some counts."""


@dataclass(frozen=True)
class Context:
    """Everything a metric needs besides the layer.

    Attributes:
        convention: what counts.
        scenario: what is said beside the spec.
        typed: the types of all layers and tensors.
        whole: the network that the layers are of; a count of one layer alone needs none.
    """

    convention: Convention
    scenario: Scenario
    typed: NetworkTypes
    whole: WholeNetwork | None = field(default=None, compare=False, repr=False)

    @property
    def network(self) -> WholeNetwork:
        """The network that the layers are of."""
        assert self.whole is not None, "this metric is of a network, not of a layer alone"
        return self.whole

    @once
    def derived(self, make: Callable[["Context"], _T]) -> _T:
        """Return what a function or class makes of this; it is made once and kept.

        Args:
            make: gives what several layers or metrics need of the whole network.
        """
        return make(self)

    @property
    def device(self) -> Device:
        """The device.

        Raises:
            SpecError: none is given.
        """
        return self.scenario.device_for("what is asked for")

    @property
    def training(self) -> Training:
        """The way in which the network is trained.

        Raises:
            SpecError: nothing is said of it.
        """
        if self.scenario.training is None:
            hint = f"name an optimizer with --optimizer: {', '.join(OPTIMIZERS)}"
            raise SpecError("this depends on how the network is trained", hint=hint)
        return self.scenario.training

    def params_of(self, layer: LayerCost) -> list[Parameter]:
        """Return the learnable tensors of a layer that the convention counts."""
        return [p for p in layer.cost.parameters if p.role in self.convention.roles]

    def trained_of(self, layer: LayerCost) -> list[Parameter]:
        """Return those of them that are trained."""
        return [parameter for parameter in self.params_of(layer) if parameter.is_trained]

    def inside(self, layer: LayerCost) -> tuple[Inner, ...]:
        """Return the feature maps inside a layer that are in memory while it works."""
        is_fused = self.scenario.is_fused
        return tuple(i for i in layer.cost.inner if not (is_fused and i.is_fusible))

    def least_macs(self, layer: LayerCost) -> Expr:
        """Return the fewest multiply-accumulates of a layer, the bias where that counts."""
        cost = layer.cost
        macs = cost.least_macs if self.scenario.is_fused else cost.macs
        return macs + cost.biased if self.convention.counts_bias else macs

    def types_of(self, layer: LayerCost) -> LayerTypes:
        """Return the types of a layer's numbers."""
        return self.typed.layers[layer.node.path]

    def type_of(self, tensor: Tensor) -> str:
        """Return the type of a tensor's elements."""
        return self.typed.tensors[tensor]

    def bytes_of(self, tensor: Tensor, elements: Expr) -> Expr:
        """Return the bytes of some elements of a tensor."""
        return in_bytes(elements, self.type_of(tensor))
