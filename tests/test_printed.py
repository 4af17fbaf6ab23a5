"""Every law that is printed, evaluated as Python at random points of every network of the zoo.

Beside it stands the sum over the layers, worked out with numbers alone: for every layer the loops'
extents at that point, multiplied out. At two of the points the network is also analysed with all
of its symbols set, where no law has a symbol any more.
"""

import random
import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby
from math import ceil, floor, log2, sqrt
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sympy import Mul

from archspec import SpecError
from archspec.arithmetic import Rational, round_to
from archspec.zoo import networks_like
from costmodel import Analysis, analyze
from costmodel.algebra.conditions import Divides
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import floor_div
from costmodel.algebra.printing import PythonText, prepared, text
from costmodel.algebra.symbols import symbol
from costmodel.analysis.document import ClosedForm, Table
from costmodel.metrics.registry import METRICS
from costmodel.studies.report import Report
from costmodel.studies.report_document import symbolic_table
from tests.conftest import examples

SPECS = Path(__file__).parent.parent / "specs"
METRICS_OF_LAYERS = {"params", "macs", "activations", "activations_peak", "memory_peak"}
POINTS, SET_POINTS, DRAWS = examples(100), 2, 2_000
NAMED_POINTS = examples(20)
MOST_TERMS = 8
SCREEN = 600

PYTHON = {
    "floor": floor,
    "ceil": ceil,
    "min": min,
    "max": max,
    "round_to": round_to,
    "sqrt": sqrt,
    "log2": log2,
}


def variants() -> Iterator[Any]:
    """The first variant of every family; the others, which differ in numbers, when asked for."""
    for family, of_family in groupby(networks_like(), key=lambda each: each.family):
        path, (first, *others) = (
            SPECS / f"{family}.yaml",
            [each.variant or "" for each in of_family],
        )
        yield f"{path}@{first}"
        yield from (pytest.param(f"{path}@{name}", marks=pytest.mark.exhaustive) for name in others)


class Network(NamedTuple):
    """A network of the zoo; its analysis is what its tests share."""

    name: str
    spec: str
    analysis: Analysis


@pytest.fixture(scope="module", params=variants(), ids=lambda spec: spec.split("/")[-1])
def network(request: pytest.FixtureRequest) -> Network:
    spec = request.param.rstrip("@")
    return Network(request.param.split("/")[-1], spec, analyze(spec))


def points(
    analysis: Analysis, random: random.Random, count: int = POINTS
) -> list[dict[str, Rational]]:
    """Valid points, as many different ones as are found: near the defaults and far from them."""
    found: dict[tuple[Rational, ...], dict[str, Rational]] = {}
    for _ in range(DRAWS):
        point = {name: drawn(analysis, name, random) for name in analysis.symbols}
        try:
            analysis.at(**point)
        except SpecError:
            continue
        found.setdefault(tuple(point.values()), point)
        if len(found) == count:
            break
    return list(found.values())


def drawn(analysis: Analysis, name: str, random: random.Random) -> Rational:
    """A value that the symbol's own rules and most conditions allow."""
    symbol = analysis.graph.symbols[name]
    if symbol.domain == "real":
        low, high = symbol.min or Fraction(1, 8), symbol.max or symbol.default * 3
        return low + (high - low) * Fraction(random.randint(0, 64), 64)
    unit = 1
    for condition in analysis.conditions:
        match condition:
            case Divides(divisor, dividend) if divisor.is_Integer:
                unit = int(divisor) if str(dividend) == name else unit
    most = symbol.default * random.choice((1, 1, 2, 4)) // unit
    return random.choice((symbol.default, unit * random.randint(1, max(int(most), 1))))


def by_layers(analysis: Analysis, metric: str, evaluate: Evaluator) -> Rational:
    """The count of all layers, every factor of every loop nest a number before it is multiplied."""
    parts = analysis.parts(METRICS[metric])
    values = [evaluate(part) for part in parts]
    if METRICS[metric].combine == "max":
        return max(values)
    return sum(values) + evaluate(analysis.beside_layers(METRICS[metric]))


def test_every_printed_law(network: Network) -> None:
    analysis = network.analysis
    laws: dict[str, Any] = {
        metric: compile(text(analysis.closed_form(analysis.total(metric))), metric, "eval")
        for metric in METRICS_OF_LAYERS
    }
    chosen = points(analysis, random.Random(network.name))
    assert len(chosen) >= min(POINTS, 20)
    for i, point in enumerate(chosen):
        evaluate = analysis.evaluator_at(point)
        numeric = analyze(network.spec, settings=point) if i < SET_POINTS else None
        for metric, law in laws.items():
            printed = eval(law, {"__builtins__": {}, **PYTHON, **point})
            assert printed == by_layers(analysis, metric, evaluate), (metric, point)
            if numeric is not None:
                assert printed == numeric.value(metric), (metric, point)


def totals(table: Table) -> Iterator[tuple[str, str]]:
    """Return the totals of a table as they are printed."""
    assert table.total is not None
    for name, cell in table.total.cells.items():
        if isinstance(cell, ClosedForm):
            yield name, cell.text()


def test_no_total_is_longer_than_a_screen(network: Network) -> None:
    """With the names that stand below a report, as plain assignments before it, it is exact."""
    analysis = network.analysis
    for metrics in ((), ("in_out_peak", "memory_peak")):
        report = Report(analysis, metrics, symbolic=True)
        table = symbolic_table(report)
        shown = dict(totals(table))
        long = {name for name, law in shown.items() if len(law) > SCREEN}
        assert not long
        definitions = [form.text().split(" = ", 1) for form in table.where]
        names = [name for name, _ in definitions]
        assert len(set(names)) == len(names)
        assert not set(names) & analysis.graph.symbols.keys()
        together = " ".join([*shown.values(), *(defined for _, defined in definitions)])
        assert set(names) <= set(re.findall(r"\w+", together))
        program = "\n".join(f"{name} = {defined}" for name, defined in definitions)
        for point in points(analysis, random.Random(network.name), NAMED_POINTS):
            known: dict[str, Any] = {"__builtins__": {}, **PYTHON, **point}
            exec(program, known)
            evaluate = analysis.evaluator_at(point)
            for metric in METRICS_OF_LAYERS & shown.keys():
                assert eval(shown[metric], known) == by_layers(analysis, metric, evaluate)


TRANSFORMERS = {"swin", "mobilevit", "t5", "transformer", "maxvit"}
"""Families that are no convolutional networks, or not alone; they have more terms."""

MORE = {"inceptionv3.yaml@inception_v3_aux": 10, "wav2vec2.yaml": 9}
"""Networks of more resolutions: their convolutions shrink maps one by one."""


def test_macs_have_a_term_per_resolution(network: Network) -> None:
    name = network.name.rstrip("@")
    analysis = network.analysis
    law = prepared(analysis.closed_form(analysis.macs))
    sums = [factor for factor in Mul.make_args(law) if factor.is_Add]
    terms = PythonText().terms(sums[0] if len(sums) == 1 else law)
    if name.split(".")[0] not in TRANSFORMERS:
        assert len(terms) <= MORE.get(name, MORE.get(name.split("@")[0], MOST_TERMS))


def test_no_sign_stands_under_a_division_or_beside_a_ceiling() -> None:
    """The minus of ``ceil(x) = −floor(−x)`` and of what turns take away: ``- n*c16//4``."""
    report = Report(analyze(SPECS / "efficientnet.yaml"), symbolic=True)
    table = symbolic_table(report)
    cells = (cell for row in table.rows for cell in row.cells.values())
    laws = [cell.text() for cell in cells if isinstance(cell, ClosedForm)]
    laws += [text for _, text in totals(table)]
    assert [law for law in laws if re.search(r"\(-[^()]*\)//|-k\d\*\(-|\*\(-ceil", law)] == []


def test_a_ceiling_is_exact_of_fractions() -> None:
    """``ceil(h/32)`` is ``-(-h//32)`` (docs/algebra.md), also where floats are too coarse."""
    printed = text(floor_div(symbol("h") + 31, 32))
    assert printed == "ceil(h/32)"
    for h in (1, 32, 33, 2**53 + 33, 2**60 + 1):
        assert eval(printed, {"ceil": ceil}, {"h": Fraction(h)}) == -(-h // 32)
