"""The cost of a layer, before a convention decides what counts."""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from sympy import Expr, Mul, S

from costmodel.algebra.places import Reads
from costmodel.rules.formula import Formula
from costmodel.rules.nests import LoopNest


class Role(Enum):
    """What a learnable tensor is for; a convention counts some roles."""

    WEIGHT = "weight"
    BIAS = "bias"
    NORM = "normalisation"


class Output(Enum):
    """How a layer's output comes to be; a convention counts some of them as feature maps."""

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
    IN_PLACE = "in place"
    VIEW = "view"
    PARAMETER = "parameter"

    @property
    def is_feature_map(self) -> bool:
        """Whether it is a new feature map: neither an input's elements nor learned ones."""
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
    """

    name: str
    role: Role
    size: Expr
    rule: str
    shape: tuple[Expr, ...] = ()
    read: Expr | None = None
    copies: Expr = S.One

    @property
    def total(self) -> Expr:
        """The elements of all copies."""
        return self.copies * self.size


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
    """The keys and values that an attention keeps from one run to the next.

    Attributes:
        rows: sequences, each with a cache of its own.
        keys: elements of a token's keys, ``G·d_h``.
        values: elements of a token's values, ``G·d_v``.
        held: tokens whose keys and values it holds after the run.
        read: tokens whose keys and values the run reads from it.
        written: tokens whose keys and values the run writes into it.
        grows: whether every further token of a sequence adds to it.
    """

    rows: Expr
    keys: Expr
    values: Expr
    held: Expr
    read: Expr
    written: Expr
    grows: bool


class Cost(NamedTuple):
    """A layer's products, learnable tensors and kind of output.

    Attributes:
        output: how the output comes to be.
        nests: its loop nests.
        parameters: its learnable tensors, weights of nests included.
        sizes: how the output's extents follow, where no window of a nest says it.
        inner: the feature maps inside it, which count as its output does.
        axes: of each axis of the output the axis of the input whose places it has, None where it
            has none of them; not given, the places of all or of none are the same (see `keeps`).
        tied: the learnable tensors that another layer owns.
        cache: what it keeps for the next run, where it keeps something.
        carried: of each input and each of its axes the axis of the output that has its places one
            by one, so that a place depends on no other; None where they meet. Where it is not
            given, the other fields say it (see `carries`).
        last: the axis of the input of which only the last place is taken.
        joint: the axis on which several inputs, or several outputs, lie one behind the other.
        reads: of each output, or of all, the axes of the input whose places it moves or resamples;
            None for places at no constant distance.
        ends: the axes of the input of which every element sees all.
        sees: how many of its inputs enter what it makes, where others only give a size.
    """

    output: Output
    nests: tuple[LoopNest, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    sizes: tuple[Formula, ...] = ()
    inner: tuple[Inner, ...] = ()
    axes: tuple[int | None, ...] | None = None
    tied: tuple[Parameter, ...] = ()
    cache: Cache | None = None
    carried: tuple[tuple[int | None, ...], ...] | None = None
    last: int | None = None
    joint: int | None = None
    reads: tuple[Mapping[int, Reads | None], ...] = ()
    ends: tuple[int, ...] = ()
    sees: int | None = None

    @property
    def slides(self) -> bool:
        """Whether windows say which elements of the input an output's element sees."""
        return any(operand.axes for nest in self.nests for operand in nest.operands)

    @property
    def keeps(self) -> bool:
        """Whether every element of the output stands where that of the input stood."""
        return self.axes is None and self.output in (Output.IN_PLACE, Output.BROADCAST)

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


def kept_but(rank: int, *lost: int) -> tuple[int | None, ...]:
    """Return each axis of a tensor at its own place, None for those that are lost."""
    gone = {axis % rank for axis in lost}
    return tuple(None if axis in gone else axis for axis in range(rank))


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
