"""The joules of arithmetic and of moving data, by a table of energies.

``MACs·(multiply + add) + 8·bytes·energy of a bit``, both those that a layer makes and moves at
least. Activations come from the nearest memory that holds all that is in memory while the layer
works, in each iteration of a repeat; weights from the nearest that holds the whole model, the
cache and the network's peak memory, else from flash where the device has some; cached keys and
values from the nearest that can be written and holds as much. What fits nowhere comes from the
furthest. Power that is drawn without work, control and instructions are not counted: a lower bound.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

from sympy import Add, Expr, S

from archspec.arithmetic import Rational
from archspec.errors import SpecError
from archspec.hardware import EnergyFigure, Profile
from costmodel.algebra.functions import Maximum, exact, terms_of
from costmodel.algebra.once import once
from costmodel.algebra.sums import OpenFormError, each_by_each, no_closed_form
from costmodel.metrics.data_movement import data_movement
from costmodel.metrics.liveness import WorkingLayer
from costmodel.metrics.memory_peak import at_work
from costmodel.metrics.registry import JOULES, METRICS, SUM_OF_ALL_RUNS, Aggregation, Need, metric
from costmodel.network.context import Context
from costmodel.network.propagation import CountedLayer, LayerCost
from costmodel.scenario.conventions import DEFAULT, find_convention
from costmodel.scenario.devices import energy_table, operation_energy
from costmodel.scenario.memory_hierarchy import (
    Chains,
    MemoryOption,
    Storage,
    SymbolBounds,
    chains,
    chosen,
    per_byte,
    rungs,
    unknown,
)

Ladder = tuple[MemoryOption, ...]
"""The memories that may hold something, from the nearest on."""


class LayerEnergy(NamedTuple):
    """The joules of all runs of a layer: of its products, and of what is read and written."""

    arithmetic: Expr
    weights: Expr
    cache: Expr
    activations: Expr

    @property
    def total(self) -> Expr:
        """All together."""
        return Add(*self)


class MemorySources(NamedTuple):
    """The memories that a layer's bytes come from, at numbers; none where it moves none."""

    weights: tuple[Storage, ...]
    cache: tuple[Storage, ...]
    activations: tuple[Storage, ...]


class Energies:
    """The energy that the layers of a network take on its device.

    Args:
        context: what counts are made from, with a device.

    Raises:
        SpecError: there is no device, it states no energies or has no memory.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.network = context.network
        self.profile: Profile = context.device.profile
        self.table = energy_table(self.profile)
        self.chains: Chains = chains(self.profile)
        self.known = SymbolBounds(self.network.least, self.network.evaluator)

    def of_layer(self, layer: LayerCost) -> LayerEnergy:
        """Return the joules of all runs of a layer, part by part.

        Raises:
            SpecError: a figure is not known.
        """
        return self._taken(layer.node.path)

    @once
    def _taken(self, path: str) -> LayerEnergy:
        metrics = (METRICS[f"energy_{part}"] for part in LayerEnergy._fields)
        return LayerEnergy(*(metric.of([self._counted[path]], self.context) for metric in metrics))

    @cached_property
    def _counted(self) -> dict[str, CountedLayer]:
        return {counted.layer.node.path: counted for counted in self.network.propagation.counted}

    def arithmetic(self, layer: LayerCost) -> Expr:
        """``MACs·(multiply + add)`` of one run, products and sums each in their type.

        The MACs are those that any implementation makes: none that a causal mask hides.

        Source: Horowitz, ISSCC 2014, as MIT 6.5940, lecture 2, has it.
        """
        macs = self.context.least_macs(layer)
        if macs == 0:
            return S.Zero
        types = self.context.types_of(layer)
        try:
            multiply = operation_energy(self.profile, "multiply", types.operations)
            add = operation_energy(self.profile, "add", types.accumulators)
        except SpecError as error:
            raise error.placed(None, layer.node.path) from None
        return macs * exact(multiply + add)

    def weights(self, layer: LayerCost) -> Expr:
        """``bytes·8·energy of a bit`` of the weights that one run reads."""
        moved = data_movement(layer, self.context).weights
        return moved * self._per_byte(self.beside, "the weights", layer) if moved != 0 else S.Zero

    def cache(self, layer: LayerCost) -> Expr:
        """``bytes·8·energy of a bit`` of the keys and values that one run reads and writes."""
        moved = data_movement(layer, self.context).cache
        return moved * self._per_byte(self.cached, "the cache", layer) if moved != 0 else S.Zero

    def activations(self, layer: LayerCost) -> Expr:
        """``Σ bytes·8·energy of a bit`` of the feature maps that all runs read and write.

        Raises:
            SpecError: iterations of an open number grow otherwise than at an even pace.
        """
        moved = data_movement(layer, self.context).activations
        if moved == 0:
            return S.Zero
        runs: dict[Expr, list[Expr]] = defaultdict(list)
        try:
            for iteration in self.iterations[layer.node.path]:
                ladder = self.ladder(iteration.alive)
                joules = self._per_byte(ladder, "the activations", layer)
                for each, times in _over_iterations(moved, joules, iteration):
                    runs[each].append(times)
        except OpenFormError:
            raise no_closed_form("energy_activations", layer.node) from None
        return Add(*(each_by_each(Add(*t).expand(), each) for each, t in runs.items()))

    def _per_byte(self, ladder: Ladder, what: str, layer: LayerCost) -> Expr:
        """The joules of a byte from where it lies."""
        for storage, _ in ladder:
            if storage.figure is None:
                raise unknown(storage, self.profile, what, layer.node.path)
        return per_byte(ladder)

    @cached_property
    def iterations(self) -> dict[str, list[WorkingLayer]]:
        """Every layer's path, with its iterations that are told apart."""
        found: dict[str, list[WorkingLayer]] = defaultdict(list)
        for iteration in at_work(self.context):
            found[iteration.layer.node.path].append(iteration)
        return found

    def ladder(self, alive: Expr) -> Ladder:
        """Return the memories that may hold feature maps while so much is in memory."""
        return rungs(self.chains.activations, alive, self.known)

    @cached_property
    def origins(self) -> dict[str, MemorySources]:
        """Every layer's path, with where its bytes come from at the symbols' values."""
        return {layer.node.path: self._origin(layer) for layer in self.network.propagation.layers}

    def _origin(self, layer: LayerCost) -> MemorySources:
        taken, evaluate = self.of_layer(layer), self.network.evaluator
        works = dict.fromkeys(storage for storage, _ in self.worked_in(layer))
        return MemorySources(
            () if taken.weights == 0 else (chosen(self.beside, evaluate),),
            () if taken.cache == 0 else (chosen(self.cached, evaluate),),
            tuple(works),
        )

    def worked_in(self, layer: LayerCost) -> Iterator[tuple[Storage, Rational]]:
        """Yield the memory that holds a layer's feature maps in each iteration, and their bytes."""
        evaluate = self.network.evaluator
        if self.of_layer(layer).activations == 0:
            return
        for iteration in self.iterations[layer.node.path]:
            for alive in iteration.alive_in_each(evaluate):
                yield chosen(self.ladder(alive), evaluate), evaluate(alive)

    @property
    def figures(self) -> dict[str, EnergyFigure]:
        """The figures that count, by name: operations, then accesses from the nearest memory on."""
        operations: dict[str, EnergyFigure] = {}
        reached: set[Storage] = set()
        for layer in self.network.propagation.layers:
            types = self.context.types_of(layer)
            if self.of_layer(layer).arithmetic != 0:
                operations[f"multiply {types.operations}"] = self.table.multiply[types.operations]
                operations[f"add {types.accumulators}"] = self.table.add[types.accumulators]
            reached |= {rung.storage for ladder in self._ladders(layer) for rung in ladder}
        ordered = dict.fromkeys((*self.chains.activations, *self.chains.weights))
        return operations | {s.name: s.figure for s in ordered if s in reached and s.figure}

    def _ladders(self, layer: LayerCost) -> Iterator[Ladder]:
        """Yield the memories that may hold the weights, cache and feature maps of a layer."""
        taken = self.of_layer(layer)
        if taken.weights != 0:
            yield self.beside
        if taken.cache != 0:
            yield self.cached
        if taken.activations != 0:
            yield from (self.ladder(each.alive) for each in self.iterations[layer.node.path])

    @cached_property
    def stored(self) -> Expr:
        """The bytes of every learnable parameter, whatever the convention: all are stored."""
        network, every = self.network, replace(self.context, convention=find_convention(DEFAULT))
        size = METRICS["model_size"].of(network.propagation.counted, every)
        return network.assumed.shown(network.by_resolution(size))

    @cached_property
    def keeps_cache(self) -> bool:
        """Return whether keys and values are kept from one run to the next."""
        layers = self.network.propagation.layers
        return any(data_movement(layer, self.context).cache != 0 for layer in layers)

    @cached_property
    def kept(self) -> Expr:
        """The bytes of the cache after the run, where there is one."""
        return self.network.total("kv_cache") if self.keeps_cache else S.Zero

    @cached_property
    def resident(self) -> Expr:
        """The bytes of the whole model and its cache beside the network's peak memory."""
        peak = terms_of(self.network.total("memory_peak"))
        return Maximum(*(self.stored + self.kept + term for term in peak))

    @cached_property
    def beside(self) -> Ladder:
        """The memories that may hold all weights."""
        return rungs(self.chains.weights, self.resident, self.known)

    @cached_property
    def cached(self) -> Ladder:
        """The memories that may hold the cache: beside the model, and such as can be written."""
        return rungs(self.chains.activations, self.resident, self.known)


def _over_iterations(
    moved: Expr, joules: Expr, iteration: WorkingLayer
) -> Iterator[tuple[Expr, Expr]]:
    """Yield joules with how often they are taken; where bytes grow, those of one with all bytes.

    Raises:
        OpenFormError: the memory changes with the iterations otherwise than at an even pace.
    """
    if iteration.grows(joules):
        yield S.One, iteration.over_iterations(joules * moved)
    elif iteration.grows(moved):
        yield joules, iteration.over_iterations(moved)
    else:
        yield joules * moved, iteration.over_iterations(S.One)


_DEVICE = (Need.DEVICE,)


@metric("energy", "energy", JOULES, SUM_OF_ALL_RUNS, needs=_DEVICE)
def count_energy(layer: LayerCost, context: Context) -> Expr:
    """Joules of arithmetic and of all accesses."""
    return context.derived(Energies).of_layer(layer).total


def _register(part: str, doc: str, *together: Aggregation) -> None:
    """Register one part of the energy."""

    @metric(f"energy_{part}", part, JOULES, *together, needs=_DEVICE)
    def count(layer: LayerCost, context: Context) -> Expr:
        joules: Expr = getattr(context.derived(Energies), part)(layer)
        return joules

    count.__doc__ = doc


_register("arithmetic", "Joules of the multiply-accumulates.")
_register("weights", "Joules of reading weights.")
_register("cache", "Joules of reading and writing cached keys and values.")
_register("activations", "Joules of reading and writing feature maps.", SUM_OF_ALL_RUNS)
