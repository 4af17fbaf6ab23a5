"""The values of one symbol at which layers turn from memory- to compute-bound, exactly."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import groupby
from typing import NamedTuple

from sympy import Expr, S, Symbol

from archspec.arithmetic import Rational
from archspec.errors import SpecError
from costmodel.algebra.domains import Domain
from costmodel.algebra.sign_chart import sign_chart
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.domains import domain_of
from costmodel.network.propagation import CountedLayer
from costmodel.rules.formula import show_decimal


class Regime(NamedTuple):
    """Values of the symbol over which one side bounds.

    Attributes:
        bound: ``compute`` or ``memory``.
        first: the first value.
        last: the last value, or None where there is no end.
    """

    bound: str
    first: Rational
    last: Rational | None


class Crossover(NamedTuple):
    """The bound of a layer, or of the network, over the values of a symbol.

    Attributes:
        parts: from the first value on; none where nothing takes time.
        is_decided: whether nothing is left open beyond the last part.
    """

    parts: tuple[Regime, ...] = ()
    is_decided: bool = True

    def summary(self, name: str) -> str:
        """``memory-bound up to n = 41, compute-bound from n = 42``."""
        if not self.parts:
            return "takes no time" if self.is_decided else "not decided"
        if len(self.parts) == 1 and self.is_decided:
            return f"always {self.parts[0].bound}-bound"
        texts = [f"{part.bound}-bound {self._values(name, part)}" for part in self.parts]
        if not self.is_decided:
            texts.append(f"not compared beyond {name} = {_shown(self.parts[-1].last)}")
        return ", ".join(texts)

    def _values(self, name: str, part: Regime) -> str:
        is_last = part == self.parts[-1] and self.is_decided
        if part == self.parts[0] and part.last is not None:
            return f"up to {name} = {_shown(part.last)}"
        if is_last:
            return f"from {name} = {_shown(part.first)}"
        if part.first == part.last:
            return f"at {name} = {_shown(part.first)}"
        return f"from {name} = {_shown(part.first)} to {_shown(part.last)}"


def _shown(value: Rational | None) -> str:
    assert value is not None
    return show_decimal(value)


@dataclass(frozen=True)
class Crossovers:
    """The crossovers of a network whose one open symbol is ``name``.

    Attributes:
        analysis: the network, the other symbols at their values.
        name: the symbol.
        step: the user's own step, if one was given.
    """

    analysis: Analysis
    name: str
    step: Rational | None = None

    @cached_property
    def domain(self) -> Domain:
        """The values of the symbol.

        Raises:
            SpecError: these are all real numbers.
        """
        domain = domain_of(self.analysis, self.name, self.step)
        if domain.step is None:
            hint = "give a step, as --step 0.05: its multiples are compared"
            raise SpecError(f"{self.name} may be any real number", hint=hint)
        return domain

    @property
    def symbol(self) -> Symbol:
        """The symbol as the laws have it."""
        return self.analysis.symbols[self.name]

    @cached_property
    def layers(self) -> dict[str, Crossover]:
        """A layer's path → its crossover."""
        return {c.layer.node.path: self._of_layer(c) for c in self.analysis.counted}

    @cached_property
    def network(self) -> Crossover:
        """The crossover of the sums over all layers, as the lecture compares them."""
        return self._of(self.analysis.total("compute_time"), self.analysis.total("memory_time"))

    @property
    def matters(self) -> bool:
        """Return whether any time depends on the symbol."""
        times = (self.analysis.total(name) for name in ("compute_time", "memory_time"))
        return any(self.symbol in self.analysis.closed_form(time).free_symbols for time in times)

    def _of_layer(self, counted: CountedLayer) -> Crossover:
        """Return the crossover of one run of a layer."""
        layer, often = counted
        if often.repeats:
            cause = f"what bounds it changes with the turns, whose number {self.name} leaves open"
            raise layer.node.error(cause, "ask for another symbol")
        times = (self.analysis.of_layer(name, layer) for name in ("compute_time", "memory_time"))
        return self._of(*times)

    @cached_property
    def _of(self) -> Callable[[Expr, Expr], Crossover]:
        """The crossover of two times; equal ones are compared once."""
        return cache(self._compared)

    def _compared(self, computation: Expr, memory: Expr) -> Crossover:
        """Return where the first is at least the second, and where it is less."""
        if computation is memory is S.Zero:
            return Crossover()
        excess = self.analysis.assumed.shown(computation) - self.analysis.assumed.shown(memory)
        chart = sign_chart(excess, self.symbol, self.domain, self._is_valid)
        regimes = []
        for is_memory, group in groupby(chart.stretches, key=lambda stretch: stretch.sign < 0):
            first, *others = group
            bound = "memory" if is_memory else "compute"  # of equals the first
            regimes.append(Regime(bound, first.first, others[-1].last if others else first.last))
        return Crossover(tuple(regimes), chart.is_decided)

    @cached_property
    def _is_valid(self) -> Callable[[Rational], bool]:
        return cache(lambda value: self.analysis.is_valid_at({self.name: value}))
