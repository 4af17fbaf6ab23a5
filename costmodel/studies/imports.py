"""What a source counts itself, beside what the spec that was written from it counts."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from archspec import SpecError
from archspec.importers.source import Counts, Imported
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.document import COUNT, Block, Column, Document, Line, table_of
from costmodel.analysis.loading import analyze

SIZES = 3
"""The number of sizes at which both are compared: the spec's own and two odd ones."""

_NONE = "–"


class Compared(NamedTuple):
    """Both counts at one size.

    Attributes:
        values: the values of the symbols.
        analysis: the analysis of the spec there.
        source: what the source counts.
    """

    values: Mapping[str, int]
    analysis: Analysis
    source: Counts

    @property
    def rows(self) -> Iterator[tuple[str, object, object]]:
        """Yield what is counted, the source's number and the spec's."""
        for name, count in (("params", self.source.params), ("macs", self.source.macs)):
            if count is not None:
                yield name, count, self.analysis.value(name)
        if self.source.outputs is not None:
            for i, (theirs, ours) in enumerate(
                zip(self.source.outputs, self._outputs, strict=False)
            ):
                yield f"output {i}" if i else "output", theirs, ours
            if len(self.source.outputs) != len(self._outputs):
                yield "outputs", len(self.source.outputs), len(self._outputs)

    @property
    def _outputs(self) -> tuple[tuple[int, ...], ...]:
        graph, evaluate = self.analysis.graph, self.analysis.evaluator
        shapes = {tensor: shape for layer in self.analysis.layers for tensor, shape in zip(
            layer.made, layer.outputs, strict=True)}
        found = (shapes.get(tensor) for tensor in (*graph.sides, graph.output))
        return tuple(tuple(map(evaluate, shape)) for shape in found if shape is not None)
