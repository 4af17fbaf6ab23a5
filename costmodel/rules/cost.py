"""The cost of a layer, before a convention decides what counts."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from sympy import Expr, Mul, S

from costmodel.algebra.places import ReadPlaces
from costmodel.rules.formula import SizeFormula
from costmodel.rules.nests import LoopNest

TRUTH = "int8"
"""The type of a truth value. Source: ``torch.bool``, a byte."""

PLACE = "int64"
"""The type of an index. Source: ``torch.argmax`` and the like."""


class Role(Enum):
    """The purpose of a learnable tensor; a convention counts some roles."""

    WEIGHT = "weight"
    BIAS = "bias"
    NORM = "normalisation"


class Output(Enum):
    """The origin of a layer's output; a convention counts some of them as feature maps."""

    CONV = "convolution"
    LINEAR = "linear"
    POOL = "pooling"
    GLOBAL_POOL = "global or adaptive pooling"
    CONCAT = "concatenation"
    LOOKUP = "lookup"
    MATMUL = "matrix product"
    RESAMPLE = "resampling"
    PAD = "padding"
    BROADCAST = "broadcast"
    COPY = "copy"
    IN_PLACE = "in place"
    VIEW = "view"
    PARAMETER = "parameter"

    @property
    def is_feature_map(self) -> bool:
        """Return whether it is a new feature map: neither an input's elements nor learned ones."""
        return self not in (Output.IN_PLACE, Output.VIEW, Output.PARAMETER)


class Parameter(NamedTuple):
    """A learnable tensor.

    Attributes:
        name: PyTorch's name for it.
        role: what it is for.
        size: its elements.
        rule: its size in names, ``c_o·c_i/g·k_h·k_w``.
        shape: the extents of its axes, where another layer may share it.
        read: the elements that one run reads, where not all.
        copies: how many equal tensors of this size and shape it stands for.
        is_trained: whether it is trained; a frozen one has no gradient.
        looked_up: how many rows its gradient has, with an index each, where it has those alone that
            one run reads; None where it has all.
    """

    name: str
    role: Role
    size: Expr
    rule: str
    shape: tuple[Expr, ...] = ()
    read: Expr | None = None
    copies: Expr = S.One
    is_trained: bool = True
    looked_up: Expr | None = None

    @property
    def total(self) -> Expr:
        """The elements of all copies."""
        return self.copies * self.size


class Buffer(NamedTuple):
    """A tensor that a layer has but does not learn.

    Attributes:
        name: PyTorch's name for it.
        size: its elements.
        bits: of each of them; None where they have the type of the layer's weights.
    """

    name: str
    size: Expr
    bits: int | None = None


class Inner(NamedTuple):
    """A feature map inside a layer that several products make.

    Attributes:
        name: what it is: ``scores``.
        size: its elements.
        output: how it comes to be.
        is_fusible: whether an implementation may use it piece by piece, so that it is never in
            memory as a whole; the nests that make and read it name it as their operand's ``inner``.
    """

    name: str
    size: Expr
    output: Output = Output.LINEAR
    is_fusible: bool = False


class Cache(NamedTuple):
    """The tensors that a layer keeps from one run to the next, a part of each for every token.

    Attributes:
        rows: sequences, each with a cache of its own.
        parts: elements that a token has in each tensor: keys ``G·d_h`` and values ``G·d_v``.
        held: tokens of which it holds something after the run.
        read: tokens of which the run reads something from it.
        written: tokens of which the run writes something into it.
        grows: whether every further token of a sequence adds to it.
        is_given: whether a field of the layer says its length, whatever came before.
        joins: the axis on which the output has the kept tokens before those that enter, if it has.
    """

    rows: Expr
    parts: tuple[Expr, ...]
    held: Expr
    read: Expr
    written: Expr
    grows: bool = True
    is_given: bool = False
    joins: int | None = None


class KeptState(NamedTuple):
    """The tensors of fixed size that a layer keeps from one run to the next.

    Attributes:
        rows: sequences, each with a state of its own.
        parts: elements of each tensor, of one sequence.
        read: how often the run reads it: once, where another came before.
        written: how often the run writes it.
        axis: the axis of the output on which the tokens are that it hands something on along.
    """

    rows: Expr
    parts: tuple[Expr, ...]
    read: Expr
    written: Expr
    axis: int


class Cost(NamedTuple):
    """A layer's products, learnable tensors and kind of output.

    Attributes:
        output: how the output comes to be.
        nests: its loop nests.
        parameters: its learnable tensors, weights of nests included.
        sizes: how the output's extents follow, where no window of a nest says it.
        inner: the feature maps inside it, which count as its output does.
        axes: of each axis of the output the axis of the inputs whose places it has, None where it
            has none of them; see `axes_of` for what holds where it is not given.
        tied: the learnable tensors that another layer owns.
        cache: what it keeps for the next run of every token, where it keeps something.
        state: what it keeps for the next run whatever the tokens, where it keeps something.
        meets: the axes that the output has, but on which a place depends on others, by statistics
            over them, or is told from others, by weights of its own; -1 is the last axis.
        carried: of each of several inputs that have axes of their own, and each of its axes, the
            axis of the output that has its places one by one; None where they meet.
        last: the axis of the input of which only the last place is taken.
        joint: the axis on which several inputs, or several outputs, lie one behind the other.
        reads: of each output, or of all, the axes of the input whose places it moves or resamples;
            None for places at no constant distance.
        ends: the axes of the input of which every element sees all.
        sees: how many of its inputs enter what it makes, where others only give a size.
        is_part: whether a view shows only some of its input's elements.
        reuses: the inputs in whose memory a layer in place may write its output; where it is not
            given, those of the output's extents.
        buffers: the tensors that it has but does not learn.
        types: of each output the type of its numbers, where the layer sets it, as `TRUTH` of a
            comparison; None, or nothing at all, where it follows from the types around it.
        missing: the operator, where it is one of which nothing but the output's shape is known.
    """

    output: Output
    nests: tuple[LoopNest, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    sizes: tuple[SizeFormula, ...] = ()
    inner: tuple[Inner, ...] = ()
    axes: tuple[int | None, ...] | None = None
    tied: tuple[Parameter, ...] = ()
    cache: Cache | None = None
    state: KeptState | None = None
    meets: tuple[int, ...] = ()
    carried: tuple[tuple[int | None, ...], ...] | None = None
    last: int | None = None
    joint: int | None = None
    reads: tuple[Mapping[int, ReadPlaces | None], ...] = ()
    ends: tuple[int, ...] = ()
    sees: int | None = None
    is_part: bool = False
    reuses: tuple[int, ...] | None = None
    buffers: tuple[Buffer, ...] = ()
    types: tuple[str | None, ...] = ()
    missing: str = ""

    def sharing(
        self, inputs: Sequence[tuple[Expr, ...]], output: tuple[Expr, ...]
    ) -> tuple[int, ...]:
        """Return the inputs in whose memory the output may lie: a view's, or those it overwrites.

        Args:
            inputs: the shapes that enter.
            output: the shape that leaves.
        """
        if self.output is Output.VIEW:
            return (0,) if inputs else ()
        if self.output is not Output.IN_PLACE:
            return ()
        alike = (i for i, shape in enumerate(inputs) if shape == output)
        return tuple(alike) if self.reuses is None else self.reuses

    def trains(self, *roles: Role) -> bool:
        """Return whether a learnable tensor of some roles, or of any, is trained; or a tied one."""
        tensors = (*self.parameters, *self.tied)
        return any(p.is_trained and (not roles or p.role in roles) for p in tensors)

    @property
    def frozen(self) -> "Cost":
        """The same with its own parameters frozen."""
        own = tuple(parameter._replace(is_trained=False) for parameter in self.parameters)
        return self._replace(parameters=own)

    @property
    def kept(self) -> tuple["Cache | KeptState", ...]:
        """Return the cache and the state that it keeps for the next run."""
        each: tuple[Cache | KeptState | None, ...] = self.cache, self.state
        return tuple(one for one in each if one is not None)

    @property
    def extends(self) -> bool:
        """Return whether the layer keeps something for later tokens."""
        return self.state is not None or (
            self.cache is not None and self.cache.grows and not self.cache.is_given
        )

    @property
    def slides(self) -> bool:
        """Return whether an element of the output reads a window of the input."""
        return any(operand.axes for nest in self.nests for operand in nest.operands)

    @property
    def keeps(self) -> bool:
        """Return whether every element of the output has the place of its input's."""
        return self.axes is None and self.output in (Output.IN_PLACE, Output.BROADCAST)

    @property
    def is_rearranged(self) -> bool:
        """Return whether the same elements, in the same order, have other axes."""
        return self.output is Output.VIEW and self.axes is None and not self.reads

    def axes_of(self, rank: int) -> tuple[int | None, ...] | None:
        """Return of each axis of an output of some rank the axis of the inputs that it has.

        Windows and what works element by element keep all axes but for a convolution's channels;
        None where nothing is said of any axis.
        """
        if self.axes is not None:
            return self.axes
        if self.slides:
            return axes_but(rank, 1 if self.output is Output.CONV else None)
        return axes_but(rank) if self.keeps else None

    @property
    def places_read(self) -> tuple[Mapping[int, ReadPlaces | None], ...]:
        """The axes whose places each output, or all, moves or resamples: `reads`, or windows."""
        return self.reads or ((self.nests[0].reads if self.slides else {}),)

    @property
    def macs(self) -> Expr:
        """Multiply-accumulates of all products."""
        return sum((nest.macs for nest in self.nests), Mul(0))

    @property
    def least_macs(self) -> Expr:
        """Multiply-accumulates that any implementation makes (see `LoopNest.least`)."""
        return sum((nest.least_macs for nest in self.nests), Mul(0))

    @property
    def can_be_fused(self) -> bool:
        """Return whether an implementation may spare memory or products (`Scenario.attention`)."""
        spares = any(nest.least is not None for nest in self.nests)
        return spares or any(inner.is_fusible for inner in self.inner)

    @property
    def biased(self) -> Expr:
        """Elements to which a bias is added."""
        return sum((nest.copies * nest.writes for nest in self.nests if nest.biased), Mul(0))


def axes_but(rank: int, lost: int | None = None) -> tuple[int | None, ...]:
    """The axes of an output that has the places of its input on all axes but one."""
    return tuple(None if axis == lost else axis for axis in range(rank))


def weight_of(nest: LoopNest) -> Parameter:
    """The learnable operand of a nest."""
    operand = next(o for o in nest.operands if o.learnable)
    loops = [loop for name in operand.loops for loop in nest.over([name])]
    rule, shape = "·".join(loop.label for loop in loops), tuple(loop.extent for loop in loops)
    size = nest.size(operand)
    return Parameter(operand.name, Role.WEIGHT, size, rule, shape, copies=nest.copies)


def weight_and_bias(nest: LoopNest, channels: Expr) -> tuple[Parameter, ...]:
    """The learnable operand of a nest, and a bias per channel of the output, if one is added."""
    weight = weight_of(nest)
    return (weight, Parameter("bias", Role.BIAS, channels, "c_o")) if nest.biased else (weight,)
