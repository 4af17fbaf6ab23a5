"""Whether a network fits a device: its model and its peak memory against what the memories hold.

Weights lie in flash where the device has some, else in its main memory beside the activations,
which lie in the main memory: the furthest that can be written.
"""

from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from archspec.arithmetic import Rational
from archspec.hardware import Level, Profile
from costmodel.algebra.evaluate import Evaluator
from costmodel.analysis import Analysis
from costmodel.machines import main_memory
from costmodel.metrics import METRICS


class Memory(NamedTuple):
    """A memory of a device, and what lies in it.

    Attributes:
        name: as the profile has it.
        capacity: in bytes.
        metrics: the metrics whose bytes it holds together.
    """

    name: str
    capacity: Rational
    metrics: tuple[str, ...]

    @property
    def holds(self) -> str:
        """What lies in it, in words."""
        return " and ".join(CONTENTS[metric] for metric in self.metrics)

    @property
    def constraint(self) -> str:
        """What must hold for it to suffice, as ``archcost solve --where`` takes it."""
        return f"{' + '.join(self.metrics)} <= {self.capacity}"


CONTENTS = {"model_size": "weights", "memory_peak": "activations"}
"""The metrics of what lies in memories, with what it is."""


class Need(NamedTuple):
    """What a memory has to hold.

    Attributes:
        memory: it.
        needed: so many bytes.
        passes: the layer at whose weights, added up in order, it overflows; None where it does not.
    """

    memory: Memory
    needed: Rational
    passes: str | None

    @property
    def over(self) -> Rational:
        """The bytes for which there is no room."""
        return max(self.needed - self.memory.capacity, 0)


class Break(NamedTuple):
    """A layer that cannot work.

    Attributes:
        path: it.
        needed: the bytes in memory while it works.
        over: those for which there is no room.
    """

    path: str
    needed: Rational
    over: Rational


class Fit(NamedTuple):
    """Whether a network fits.

    Attributes:
        needs: what every memory has to hold.
        room: the bytes for what is in memory while a layer works; negative where the model alone
            is more than what there is.
        breaks: the layers that need more, in order.
    """

    needs: tuple[Need, ...]
    room: Rational
    breaks: tuple[Break, ...]

    @property
    def fits(self) -> bool:
        """Whether every memory holds what it has to."""
        return not any(need.over for need in self.needs)


def memories(profile: Profile) -> tuple[Memory, ...]:
    """The memories that have to hold a network, flash before the main memory.

    Raises:
        SpecError: the device has no memory that can be written.
    """
    main = main_memory(profile)
    flash = [level for level in profile.fields.memory.values() if not level.writable]
    if not flash:
        return (_memory(profile, main, "model_size", "memory_peak"),)
    weights = _memory(profile, flash[-1], "model_size")
    return weights, _memory(profile, main, "memory_peak")


def _memory(profile: Profile, level: Level, *metrics: str) -> Memory:
    name = next(name for name, other in profile.fields.memory.items() if other is level)
    return Memory(name, level.capacity.value, metrics)


def fit(analysis: Analysis, evaluate: Evaluator | None = None) -> Fit:
    """Whether a network fits the device of its scenario.

    Args:
        analysis: the network.
        evaluate: gives the numbers; else the symbols have their own values.

    Raises:
        SpecError: there is no device, or it has no memory that can be written.
    """
    number = evaluate or analysis.evaluator
    alive = {path: number(size) for path, size in analysis.memory.items()}
    weights = [number(part) for part in analysis.parts(METRICS["model_size"])]
    sizes: dict[str, Rational] = {"model_size": sum(weights), "memory_peak": max(alive.values())}
    held = memories(analysis.basis.device.profile)
    needs = [
        Need(memory, sum(sizes[m] for m in memory.metrics), _passes(memory, weights, analysis))
        for memory in held
    ]
    beside = sizes["model_size"] if "model_size" in held[-1].metrics else 0
    room = held[-1].capacity - beside
    return Fit(tuple(needs), room, tuple(_breaks(alive, room)))


def _passes(memory: Memory, weights: list[Rational], analysis: Analysis) -> str | None:
    if "model_size" not in memory.metrics:
        return None
    totals = zip(accumulate(weights), analysis.layers, strict=True)
    return next((x.node.path for total, x in totals if total > memory.capacity), None)


def _breaks(alive: dict[str, Rational], room: Rational) -> Iterator[Break]:
    return (Break(path, size, size - room) for path, size in alive.items() if size > room)
