"""Loops of an ONNX graph whose number of iterations is known, so that they can be written out."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from archspec.importers.onnx.operator import OnnxNode, UnknownOperatorError
from archspec.importers.onnx.sizes import extent
from archspec.importers.onnx.values import KnownTensor, OnnxTensor

MOST_ITERATIONS = 1024
"""The most times that the body of a loop is translated."""


class UnrolledLoop(NamedTuple):
    """A loop that runs a number of times that is known.

    Attributes:
        times: how often.
        states: what an iteration hands to the next, before the first.
        rows: the sequences of which each iteration takes a place, on their first axes.
        is_counted: whether an iteration is told its number and says whether another follows.
    """

    times: int
    states: tuple[OnnxTensor, ...]
    rows: tuple[OnnxTensor, ...] = ()
    is_counted: bool = True

    @classmethod
    def of(cls, op: OnnxNode) -> "UnrolledLoop":
        """Return the iterations of a Loop or a Scan.

        Raises:
            UnknownOperatorError: how often it runs is no number.
        """
        given = tuple(value for value in op.inputs if value is not None)
        if op.kind == "Scan":
            split = len(given) - op.attribute("num_scan_inputs")
            axes = ("scan_input_axes", "scan_output_axes", "scan_input_directions")
            if any(any(op.attribute(name) or ()) for name in axes) or op.opset < 9:
                raise UnknownOperatorError("scans other axes than the first, or backwards")
            size = op.shape(split)[0]
            return cls(_iteration_count(size.field, f"{size}"), given[:split], given[split:], False)
        goes = op.value(1).read() if op.has(1) else None
        if op.has(1) and (goes is None or goes.item is None or goes.item.field != 1):
            raise UnknownOperatorError("whether it runs at all depends on data")
        known = op.value(0).read() if op.has(0) else None
        item = known.item if known is not None else None
        times = _iteration_count(item and item.field, str(item or ""))
        return cls(times, tuple(map(op.value, range(2, len(op.inputs)))))

    def counters(self, iteration: int) -> tuple[OnnxTensor, ...]:
        """Return the number of an iteration, and that it runs."""
        numbers = (KnownTensor((), (extent(each),)) for each in (iteration, 1))
        return tuple(OnnxTensor((), known=n, real=False) for n in numbers if self.is_counted)

    def slices(self, op: OnnxNode, iteration: int) -> Iterator[OnnxTensor]:
        """Yield the place of each sequence that an iteration takes."""
        for row in self.rows:
            yield op.emit("select", [row], (row.shape or ())[1:], dim=0, index=iteration)

    def checks(self, left: Sequence[OnnxTensor]) -> int:
        """Return how many outputs of an iteration say whether another follows: none, or one.

        Raises:
            UnknownOperatorError: it depends on data.
        """
        if not self.is_counted:
            return 0
        known = left[0].read()
        if known is None or known.item is None or known.item.field != 1:
            raise UnknownOperatorError("whether another iteration follows depends on data")
        return 1


def _iteration_count(count: int | None, size: str) -> int:
    if count is None:
        cause = f"how often it runs is no number{', but ' * bool(size)}{size}"
        raise UnknownOperatorError(cause, hint="say the size as a number, as --input 'n, 12, 8'")
    if not 0 < count <= MOST_ITERATIONS:
        raise UnknownOperatorError(
            f"it runs {count} times; 1 to {MOST_ITERATIONS:,} are written out"
        )
    return count


def stacked(op: OnnxNode, values: Sequence[OnnxTensor]) -> OnnxTensor:
    """Return what each iteration leaves, one behind the other on a new first axis.

    Args:
        op: the loop.
        values: what the iterations leave, in order.
    """
    shape = values[0].shape or ()
    rows = [op.emit("unsqueeze", [value], (extent(1), *shape), dim=0) for value in values]
    if len(rows) == 1:
        return rows[0]
    return op.emit("concat", rows, (extent(len(rows)), *shape), axis=0)
