"""A cost rule as a loop nest: one declaration from which every count is read off.

A convolution *is* the loops over ``c_i/g, k_h, k_w, h_o, w_o, c_o``. The product of all extents
is its MACs; the product of the extents that index the weight is its #params; of those that index
the output, the output's size. The formula that a reader sees is the declaration itself and cannot
disagree with the number.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from sympy import Expr, Mul, S

from costmodel.algebra.bounds import is_at_least
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.places import ReadPlaces
from costmodel.rules.formula import SizeFormula
from costmodel.rules.windows import Window

BATCH = "n"
"""The loop over the batch; the slides leave it out where it is 1."""


class Loop(NamedTuple):
    """One loop of a nest.

    Attributes:
        name: as on the slides: ``c_o``, ``k_h``.
        count: how many there are before they are divided into groups.
        share: the name and number of the groups that divide them, or None: the loop ``c_i/g``.
        window: the window whose positions it counts, where it does.
    """

    name: str
    count: Expr
    share: tuple[str, Expr] | None = None
    window: Window | None = None

    @property
    def extent(self) -> Expr:
        """The number of iterations of this loop."""
        return self.count / self.share[1] if self.share else self.count

    @property
    def derivation(self) -> SizeFormula | None:
        """The formula that gives the loop's extent from the input size, where a window has one."""
        return self.window.derivation(self.count) if self.window else None

    @property
    def label(self) -> str:
        """``c_i/g``, or ``k_h``."""
        return f"{self.name}/{self.share[0]}" if self.share else self.name

    def numbers(self, evaluate: Evaluator) -> str:
        """``96/2``, or ``5``."""
        if self.share is None:
            return str(evaluate(self.count))
        return f"{evaluate(self.count)}/{evaluate(self.share[1])}"


class LoopBody(Enum):
    """The work of a loop nest at each point."""

    MULTIPLY_ACCUMULATE = "multiply-accumulate"
    MAXIMUM = "maximum"
    MEAN = "mean"


class AxisMap(NamedTuple):
    """One axis of an operand: the loops that move along it, their steps, where they start.

    A convolution reads height ``s·h_o + d·k_h − p``: ``AxisMap(("h_o", "k_h"), (s, d), -p)``.
    """

    loops: tuple[str, ...]
    steps: tuple[Expr, ...]
    start: Expr


class Operand(NamedTuple):
    """A tensor that a nest reads or writes.

    Attributes:
        name: ``input``, ``weight``, ``output``.
        loops: the loops that index it; for a window, through its axes.
        learnable: whether it is a parameter.
        axes: the affine maps of its axes, where loops share one.
        size: its elements, where they are not the product of its loops, as windows overlap.
        source: the number of the layer's input that it is; None of what is learned or made inside.
        inner: the name of the feature map inside the layer that it is, where that is told apart.
    """

    name: str
    loops: tuple[str, ...]
    learnable: bool = False
    axes: tuple[AxisMap, ...] = ()
    size: Expr | None = None
    source: int | None = None
    inner: str | None = None


@lru_cache(2**14)
def _product(*factors: Expr) -> Expr:
    return Mul(*factors)


class LoopNest(NamedTuple):
    """The loops of a layer, in the order of the slides, and what each operand takes from them.

    Attributes:
        loops: outermost first.
        operands: what is read, then what is written.
        body: what happens at each point.
        name: which of a layer's products it is, where there are several.
        biased: whether a bias is added to every element that is written.
        copies: how many equal products it stands for, one after the other, each with weights of
            its own; the loops, and the sizes of the operands, are those of one.
        least: the points at which any implementation runs the body; None where that is all of them.
            What a mask hides need not be worked out, but conventions count it.
    """

    loops: tuple[Loop, ...]
    operands: tuple[Operand, ...]
    body: LoopBody = LoopBody.MULTIPLY_ACCUMULATE
    name: str = ""
    biased: bool = False
    copies: Expr = S.One
    least: Expr | None = None

    @property
    def points(self) -> Expr:
        """The number of times the body runs: the product of all extents, times the copies."""
        return _product(self.copies, *(loop.extent for loop in self.loops))

    @property
    def macs(self) -> Expr:
        """The multiply-accumulates: all points, where the body is one."""
        return self.points if self.body is LoopBody.MULTIPLY_ACCUMULATE else Mul(0)

    @property
    def factors(self) -> tuple[Loop, ...]:
        """The loops whose extents make the points: the copies, if there are several, before all."""
        return repeated(self.copies, self.loops)

    @property
    def least_macs(self) -> Expr:
        """The multiply-accumulates that any implementation makes: no more than `macs`."""
        if self.least is None or self.macs == 0:
            return self.macs
        return self.copies * self.least

    @property
    def activations_read(self) -> Expr:
        """Elements of feature maps that must be read at least once."""
        return sum(
            (self.size(o) for o in self.operands if not o.learnable and o.name != "output"), Mul(0)
        )

    @property
    def writes(self) -> Expr:
        """Elements that must be written at least once."""
        return self.size(self.operand("output"))

    def size(self, operand: Operand) -> Expr:
        """The elements of an operand: the product of the extents that index it."""
        if operand.size is not None:
            return operand.size
        return Mul(*(loop.extent for loop in self.over(operand.loops)))

    def operand(self, name: str) -> Operand:
        """The operand of a name."""
        return next(o for o in self.operands if o.name == name)

    def over(self, names: Iterable[str]) -> tuple[Loop, ...]:
        """The loops of these names, in the nest's order."""
        wanted = set(names)
        return tuple(loop for loop in self.loops if loop.name in wanted)

    @property
    def reads(self) -> Mapping[int, ReadPlaces | None]:
        """The places that windows read, by axis of the map; None where they leave gaps."""
        spread = self.operand("output").axes
        of_axis = self._spread if spread else self._slid
        return {i: of_axis(axis) for i, axis in enumerate(spread or self.operand("input").axes, 2)}

    def _slid(self, axis: AxisMap) -> ReadPlaces:
        """Return what a window reads: ``s·h_o + d·k_h − p``."""
        stride, dilation = axis.steps
        span = (self._taps(axis) - 1) * dilation
        return ReadPlaces(stride, axis.start, (axis.start + span).expand())

    def _spread(self, axis: AxisMap) -> ReadPlaces | None:
        """Return the taps that fall on the output, of a window that writes ``s·h_i + d·k_h − p``.

        With a stride of 1 it reads ``h_o + p − d·k_h``; else, without dilation, from
        ``ceil((h_o + p − k_h + 1)/s)`` to ``(h_o + p)//s``: it has no gaps where ``k_h >= s``.
        """
        stride, dilation = axis.steps
        reach = self._taps(axis) - 1
        if stride is S.One:
            return ReadPlaces(S.One, (-axis.start - dilation * reach).expand(), -axis.start)
        if dilation is not S.One or is_at_least(stride - reach, 2, {}):
            return None
        return ReadPlaces(S.One, (-axis.start - reach + stride - 1).expand(), -axis.start, stride)

    def _taps(self, axis: AxisMap) -> Expr:
        """Return the extent of the kernel's loop on an axis."""
        return self.over(axis.loops[1:])[0].extent


def repeated(copies: Expr, loops: Iterable[Loop]) -> tuple[Loop, ...]:
    """Return the loops with one over equal copies around them, where there are several."""
    return tuple(loops) if copies is S.One else (Loop("layers", copies), *loops)


def product_formula(loops: Iterable[Loop], evaluate: Evaluator) -> tuple[str, str]:
    """``c_i/g·k_h·k_w·c_o`` and ``96/2 × 5 × 5 × 256``; a batch of one is left out.

    Args:
        loops: the factors.
        evaluate: gives the numbers.
    """
    shown = [loop for loop in loops if loop.name != BATCH or evaluate(loop.count) != 1]
    if not shown:
        return "1", "1"
    rule = "·".join(loop.label for loop in shown)
    return rule, " × ".join(loop.numbers(evaluate) for loop in shown)
