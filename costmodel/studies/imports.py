"""A source's own counts beside those of the spec that was written from it."""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from archspec import SpecError
from archspec.arithmetic import Rational
from archspec.header import Symbol
from archspec.importers.source import Imported, SourceCounts
from archspec.trees import Tensor
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.document import FIGURE, Block, Column, Document, Line, Row, Table
from costmodel.analysis.domains import nearest_valid
from costmodel.analysis.loading import analyze
from costmodel.network.propagation import GroupCost, Part
from costmodel.rules import Shape
from costmodel.rules.formula import show_number

MOST = 3
"""The number of sizes at which both are compared: the spec's own and two odd ones."""


class SizeComparison(NamedTuple):
    """Both counts at one size.

    Attributes:
        values: the values of the symbols.
        analysis: the analysis of the spec there.
        source: what the source counts.
    """

    values: Mapping[str, Rational]
    analysis: Analysis
    source: SourceCounts

    @property
    def size(self) -> str:
        """Return the values as one text."""
        return " ".join(f"{name}={value}" for name, value in self.values.items()) or "as it is"

    @property
    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield what is counted, the source's count and the spec's."""
        for name, count in (("params", self.source.params), ("macs", self.source.macs)):
            if count is not None:
                yield name, show_number(count), show_number(self.analysis.value(name))
        if self.source.outputs is not None:
            ours = outputs_of(self.analysis)
            yield "outputs", _shown(self.source.outputs), _shown(ours)

    @property
    def is_equal(self) -> bool:
        """Return whether both count the same."""
        return all(theirs == ours for _, theirs, ours in self.rows)


def _shown(shapes: Iterable[tuple[Rational, ...]]) -> str:
    return ", ".join(f"[{', '.join(map(str, shape))}]" for shape in shapes)


def outputs_of(analysis: Analysis) -> tuple[tuple[Rational, ...], ...]:
    """Return the shapes of what leaves a network, at the symbols' values."""
    graph = analysis.graph
    known = dict(_shapes(analysis.propagation.parts))
    known |= {Tensor(name): shape for name, shape in analysis.propagation.inputs.items()}
    shapes = (known.get(tensor, ()) for tensor in (*graph.sides, graph.output))
    return tuple(tuple(map(analysis.evaluator, shape)) for shape in shapes)


def _shapes(parts: Iterable[Part]) -> Iterator[tuple[Tensor, Shape]]:
    """Yield every tensor with its shape."""
    for part in parts:
        if isinstance(part, GroupCost):
            yield Tensor(part.path), part.output
            yield from _shapes(part.parts)
        else:
            yield from zip(part.made, part.outputs, strict=True)


def compared(title: str, imported: Imported) -> Document:
    """Return the document of both counts at up to three sizes; it holds where they are equal.

    Args:
        title: the source.
        imported: the spec that was written from it.
    """
    found = tuple(_compared(imported)) if imported.measure else ()
    unequal = [each for each in found if not each.is_equal]
    notes = list(imported.notes)
    if imported.measure is None:
        notes.append("the source counts nothing itself, so that nothing is compared")
    elif unequal:
        notes.append(_first_difference(unequal[0], imported))
    else:
        counted = ", ".join(name for name, *_ in found[0].rows)
        notes.append(f"equal at {len(found)} size{'s' * (len(found) > 1)}: {counted}")

    def blocks() -> Iterator[Block]:
        if found:
            yield _table(found)
        yield from map(Line, notes)

    def data() -> dict[str, object]:
        rows = [
            {"size": each.size, "what": what, "source": theirs, "spec": ours}
            for each in found
            for what, theirs, ours in each.rows
        ]
        names = dict(imported.names)
        return {"source": title, "compared": rows, "notes": notes, "names": names}

    return Document(title, blocks=blocks, data=data, holds=not unequal)


_COLUMNS = (
    *(Column("size", "size"), Column("what", "what")),
    *(Column("source", "source", FIGURE), Column("spec", "spec", FIGURE), Column("same", "")),
)


def _table(found: Iterable[SizeComparison]) -> Table:
    rows = []
    for each in found:
        for i, (what, theirs, ours) in enumerate(each.rows):
            same = "equal" if theirs == ours else "differs"
            cells = {"size": "" if i else each.size, "what": what, "source": theirs, "spec": ours}
            rows.append(Row({**cells, "same": same}, style="" if theirs == ours else "bad"))
    return Table(_COLUMNS, tuple(rows))


def _compared(imported: Imported) -> Iterator[SizeComparison]:
    """Yield both counts at the spec's own size, and at odd ones that are valid for both."""
    assert imported.measure is not None
    done = 0
    for values in _sizes(imported.text):
        plain = {n: int(v) if v.denominator == 1 else float(v) for n, v in values.items()}
        try:
            analysis = analyze(
                imported.text, convention="torch", settings=values, numbers_suffice=True
            )
            source = imported.measure(plain)
        except SpecError:
            if not done:
                raise
            continue  # the source takes no such size
        yield SizeComparison(values, analysis, source)
        done += 1
        if done == MOST:
            return


_ODD = ((5, 1), (11, 2), (1, 1), (2, 0), (0, 2), (0, 3))
"""Sizes that are tried: the tenths that are added to each default, and how many times it is."""


def _odd(symbol: Symbol, value: Rational, tenths: int, more: int) -> Rational:
    """Return another value of a symbol, as odd as can be; of a real one, between its bounds."""
    if symbol.domain == "real" and symbol.min is not None and symbol.max is not None:
        share = Fraction(7 * tenths + 13 * more + 3, 150)
        return round(symbol.min + (symbol.max - symbol.min) * share, 2)
    return value + (value * tenths // 10 + more if tenths else value * (more - 1))


def _sizes(text: str) -> Iterator[dict[str, Rational]]:
    """Yield values of the symbols: the defaults, then odd ones at which the network is valid."""
    free = analyze(text, convention="torch", numbers_suffice=True)
    defaults = dict(free.graph.values)
    yield defaults
    seen = [defaults]
    for tenths, more in _ODD:
        values = {
            name: _odd(free.graph.symbols[name], value, tenths, more + i * bool(tenths))
            for i, (name, value) in enumerate(defaults.items())
        }
        first = [*values][:1]
        for tried in (values, {**defaults, **{name: values[name] for name in first}}):
            if not free.is_valid_at(tried):
                tried = {**tried, **nearest_valid(free, tried, [*tried])}
            if tried not in seen and free.is_valid_at(tried):
                seen.append(tried)
                yield tried
                break


def _first_difference(unequal: SizeComparison, imported: Imported) -> str:
    """Return a sentence on the first layer whose parameters differ, or on what differs in all."""
    analysis, ours = unequal.analysis, dict[str, Rational]()
    for layer in analysis.layers:
        name = imported.names.get(layer.node.path, "")
        count = analysis.evaluator(analysis.of_layer("params", layer))
        ours[name] = ours.get(name, 0) + count
    for name, count in ours.items():
        theirs = unequal.source.layers.get(name)
        if theirs is not None and theirs != count:
            return f"{name} has {theirs:,} parameters in the source and {count:,} here"
    what, theirs_, ours_ = next(row for row in unequal.rows if row[1] != row[2])
    return f"{what} at {unequal.size}: {theirs_} in the source, {ours_} here"
