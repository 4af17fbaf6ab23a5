"""Counts by brute force: every output position, kernel tap and channel is visited one by one.

Nothing here is a formula, and nothing is shared with `costmodel`: a window is slid over a padded
axis, and what a loop touches is put into a set and counted. For small layers only.

Sources: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016; the
documentation of ``torch.nn.Conv2d``, ``MaxPool2d`` and ``LayerNorm``.
"""

from collections.abc import Iterator, Sequence
from itertools import count, product
from typing import Literal, NamedTuple

Sizes = tuple[int, ...]
Taps = tuple[int, ...]
"""The places that a kernel touches on one padded axis, counted from the start of the padding."""


class Count(NamedTuple):
    """What a layer has and does.

    Attributes:
        shape: of the output.
        params: learnable numbers.
        macs: multiplications of a weight with an input element, those with padding included.
    """

    shape: Sizes
    params: int = 0
    macs: int = 0

    @property
    def elements(self) -> int:
        """Elements of the output."""
        return sum(1 for _ in positions(self.shape))


class Axis(NamedTuple):
    """One spatial axis of a layer that slides a kernel."""

    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1


class Conv(NamedTuple):
    """A convolution over ``(batch, channels, *sizes)``."""

    batch: int
    channels: int
    sizes: Sizes
    out_channels: int
    axes: tuple[Axis, ...]
    groups: int = 1
    bias: bool = True
    padding: Literal["explicit", "same", "valid"] = "explicit"


class Pool(NamedTuple):
    """A pooling over ``(batch, channels, *sizes)``."""

    batch: int
    channels: int
    sizes: Sizes
    axes: tuple[Axis, ...]
    ceil_mode: bool = False


def positions(sizes: Sequence[int]) -> Iterator[Sizes]:
    """Every index of a tensor."""
    return product(*map(range, sizes))


def taps_from(start: int, axis: Axis) -> Taps:
    """The places that the kernel touches when its first tap is at ``start``."""
    return tuple(start + tap * axis.dilation for tap in range(axis.kernel))


def slide(size: int, axis: Axis) -> list[Taps]:
    """The taps of every window that lies wholly on the padded axis."""
    padded = range(axis.before + size + axis.after)
    windows: list[Taps] = []
    for start in count(step=axis.stride):
        taps = taps_from(start, axis)
        if taps[-1] not in padded:
            return windows
        windows.append(taps)
    raise AssertionError("the window never left the axis")


def slide_to_the_end(size: int, axis: Axis) -> list[Taps]:
    """With ``ceil_mode``: one more window where the step before it left an element uncovered.

    It must start inside the input or the padding before it.
    """
    windows = slide(size, axis)
    start = len(windows) * axis.stride
    last_before = taps_from(start - axis.stride, axis)[-1]
    uncovered = last_before + 1 < axis.before + size + axis.after
    if uncovered and start < axis.before + size:
        windows.append(taps_from(start, axis))
    return windows


def slide_same(size: int, axis: Axis) -> list[Taps]:
    """With ``same``: one window per input element that a stride reaches, whatever the padding."""
    return [taps_from(start, axis) for start in range(0, size, axis.stride)]


def conv_windows(conv: Conv) -> list[list[Taps]]:
    """Per axis, the taps of every output position."""
    pairs = list(zip(conv.sizes, conv.axes, strict=True))
    if conv.padding == "same":
        return [slide_same(size, axis) for size, axis in pairs]
    if conv.padding == "valid":
        return [slide(size, axis._replace(before=0, after=0)) for size, axis in pairs]
    return [slide(size, axis) for size, axis in pairs]


def count_conv(conv: Conv) -> Count:
    """Slide the kernel of every output channel over the input channels of its group."""
    windows = conv_windows(conv)
    shape = (conv.batch, conv.out_channels, *map(len, windows))
    weights: set[tuple[int, ...]] = set()
    macs = 0
    for _, channel in positions(shape[:2]):
        inputs = list(inputs_of(channel, conv))
        for window in product(*windows):
            for tap in positions([len(taps) for taps in window]):
                weights.update((channel, seen, *tap) for seen in range(len(inputs)))
                macs += sum(1 for _ in inputs)
    return Count(shape, len(weights) + (conv.out_channels if conv.bias else 0), macs)


def inputs_of(channel: int, conv: Conv) -> Iterator[int]:
    """The input channels in the group of an output channel, each group a run of channels."""
    group = next(
        index
        for index, members in enumerate(runs(conv.out_channels, conv.groups))
        if channel in members
    )
    yield from runs(conv.channels, conv.groups)[group]


def runs(channels: int, groups: int) -> list[list[int]]:
    """The channels dealt into groups of neighbours, all of the same number."""
    dealt: list[list[int]] = [[] for _ in range(groups)]
    for channel in range(channels):
        dealt[channel * groups // channels].append(channel)
    if len(set(map(len, dealt))) != 1:
        raise AssertionError(f"{channels} channels do not make {groups} equal groups")
    return dealt


def count_pool(pool: Pool) -> Count:
    """Slide the window of every channel; nothing is multiplied with a weight."""
    step = slide_to_the_end if pool.ceil_mode else slide
    windows = [step(size, axis) for size, axis in zip(pool.sizes, pool.axes, strict=True)]
    return Count((pool.batch, pool.channels, *map(len, windows)))


def count_adaptive_pool(shape: Sizes, outputs: Sizes) -> Count:
    """PyTorch's windows ``floor(i·h/o) … ceil((i + 1)·h/o)``, none of which may be empty."""
    kept = []
    for size, output in zip(shape[2:], outputs, strict=True):
        windows = [range(i * size // output, -(-(i + 1) * size // output)) for i in range(output)]
        kept.append(sum(1 for window in windows if window))
    return Count((*shape[:2], *kept))


def count_linear(shape: Sizes, out_features: int, *, bias: bool) -> Count:
    """Every row of the leading axes times every column of the weight."""
    *leading, features = shape
    weights = set()
    macs = 0
    for *_, output, seen in positions([*leading, out_features, features]):
        weights.add((output, seen))
        macs += 1
    return Count((*leading, out_features), len(weights) + (out_features if bias else 0), macs)


def count_flatten(shape: Sizes, start: int = 1, end: int = -1) -> Count:
    """The axes from ``start`` to ``end`` become one: as long as they have distinct indices."""
    axes = range(len(shape))
    merged = axes[start : axes[end] + 1]
    indices = {tuple(index[axis] for axis in merged) for index in positions(shape)}
    return Count((*shape[: merged[0]], len(indices), *shape[merged[-1] + 1 :]))


def count_batchnorm(shape: Sizes, *, affine: bool) -> Count:
    """A scale and a shift for every channel that is met."""
    touched = {(name, index[1]) for index in positions(shape) for name in ("scale", "shift")}
    return Count(shape, len(touched) if affine else 0)


def count_layernorm(shape: Sizes, axes: int, names: Sequence[str]) -> Count:
    """One number of each learnable tensor for every index of the last axes that is met."""
    touched = {(name, index[-axes:]) for index in positions(shape) for name in names}
    return Count(shape, len(touched))
