"""What arithmetic and the movement of data take, in joules, by a table of energies.

``MACs·(multiply + add) + 8·bytes·energy of a bit``, the bytes being those that a layer moves at
least. Activations come from the nearest memory that holds all that is in memory while the layer
works, weights from the nearest that holds the whole model beside the network's peak memory, else
from flash where the device has some; what fits nowhere comes from the furthest. Power that is drawn
without work, control and instructions are not counted: a lower bound.
"""

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from sympy import Add, Expr, S

from archspec.errors import SpecError
from archspec.hardware import EnergyFigure, Profile
from costmodel.algebra.functions import Maximum, exact, terms_of
from costmodel.machines import operation_energy
from costmodel.metrics import count_macs
from costmodel.propagation import LayerCost
from costmodel.storage import (
    Bounds,
    Chains,
    Rung,
    Storage,
    chains,
    chosen,
    per_byte,
    rungs,
    unknown,
)
from costmodel.traffic import traffic

if TYPE_CHECKING:
    from costmodel.analysis import Analysis


class LayerEnergy(NamedTuple):
    """What one run of a layer takes, in joules.

    Attributes:
        arithmetic: of its multiply-accumulates.
        weights: of the weights that are read.
        activations: of the feature maps that are read and written.
    """

    arithmetic: Expr
    weights: Expr
    activations: Expr

    @property
    def total(self) -> Expr:
        """All together."""
        return Add(*self)


class Origin(NamedTuple):
    """Where a layer's bytes come from, at numbers; None where it moves none.

    Attributes:
        weights: the memory of its weights.
        activations: the memory of its feature maps.
    """

    weights: Storage | None
    activations: Storage | None


class Energies:
    """What the layers of a network take on its device.

    Args:
        analysis: the network, with a device.

    Raises:
        SpecError: there is no device, it states no energies or has no memory.
    """

    def __init__(self, analysis: "Analysis") -> None:
        self.analysis = analysis
        self.basis = analysis.basis
        self.profile: Profile = analysis.basis.device.profile
        if self.profile.fields.energy is None:
            hint = "take them from a table, as with --energy horowitz-45nm"
            raise SpecError(f"{self.profile.key} states no energies", hint=hint)
        self.chains: Chains = chains(self.profile)
        self.known = Bounds(analysis.least, analysis.evaluator)
        self._layers: dict[str, LayerEnergy] = {}
        self._ladders: dict[str, tuple[Rung, ...]] = {}

    def of_layer(self, layer: LayerCost) -> LayerEnergy:
        """What one run of a layer takes.

        Raises:
            SpecError: a figure is not known.
        """
        path = layer.node.path
        if path not in self._layers:
            self._layers[path] = self._of_layer(layer)
        return self._layers[path]

    def _of_layer(self, layer: LayerCost) -> LayerEnergy:
        moved = traffic(layer, self.basis)
        return LayerEnergy(
            self._arithmetic(layer),
            self._moved(moved.weights, self.weights, "the weights", layer),
            self._moved(moved.activations, self.activations(layer), "the activations", layer),
        )

    def _arithmetic(self, layer: LayerCost) -> Expr:
        """``MACs·(multiply + add)``, products and sums each in their type.

        Source: Horowitz, ISSCC 2014, as MIT 6.5940, lecture 2, has it.
        """
        macs = count_macs(layer, self.basis)
        if macs == 0:
            return S.Zero
        types = self.basis.types_of(layer)
        try:
            multiply = operation_energy(self.profile, "multiply", types.operations)
            add = operation_energy(self.profile, "add", types.accumulators)
        except SpecError as error:
            raise error.placed(None, layer.node.path) from None
        return macs * exact(multiply + add)

    def _moved(self, size: Expr, ladder: tuple[Rung, ...], what: str, layer: LayerCost) -> Expr:
        """``bytes·8·energy of a bit`` from where they lie."""
        if size == 0:
            return S.Zero
        for storage, _ in ladder:
            if storage.figure is None:
                raise unknown(storage, self.profile, what, layer.node.path)
        return size * per_byte(ladder)

    def activations(self, layer: LayerCost) -> tuple[Rung, ...]:
        """Where the feature maps of a layer may lie."""
        path = layer.node.path
        if path not in self._ladders:
            alive = self.analysis.memory[path]
            self._ladders[path] = rungs(self.chains.activations, alive, self.known)
        return self._ladders[path]

    def origin(self, layer: LayerCost) -> Origin:
        """Where the layer's bytes come from at the symbols' values."""
        taken, evaluate = self.of_layer(layer), self.analysis.evaluator
        return Origin(
            None if taken.weights == 0 else chosen(self.weights, evaluate),
            None if taken.activations == 0 else chosen(self.activations(layer), evaluate),
        )

    @property
    def figures(self) -> dict[str, EnergyFigure]:
        """What is counted with, by name: operations, then accesses from the nearest memory on."""
        operations: dict[str, EnergyFigure] = {}
        reached: set[Storage] = set()
        for layer in self.analysis.layers:
            taken = self.of_layer(layer)
            if taken.arithmetic != 0:
                operations |= self._operations(layer)
            ladders = (self.weights, taken.weights), (self.activations(layer), taken.activations)
            reached |= {rung.storage for ladder, moved in ladders if moved != 0 for rung in ladder}
        ordered = dict.fromkeys((*self.chains.activations, *self.chains.weights))
        return operations | {s.name: s.figure for s in ordered if s in reached and s.figure}

    def _operations(self, layer: LayerCost) -> dict[str, EnergyFigure]:
        types, table = self.basis.types_of(layer), self.profile.fields.energy
        assert table is not None
        return {
            f"multiply {types.operations}": table.multiply[types.operations],
            f"add {types.accumulators}": table.add[types.accumulators],
        }

    @cached_property
    def resident(self) -> Expr:
        """The bytes of the whole model beside the network's peak memory."""
        peak = terms_of(self.analysis.total("memory_peak"))
        model = self.analysis.total("model_size")
        return Maximum(*(model + term for term in peak))

    @cached_property
    def weights(self) -> tuple[Rung, ...]:
        """Where all weights may lie."""
        return rungs(self.chains.weights, self.resident, self.known)
