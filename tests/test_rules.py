"""Shape and cost rules against the brute-force counts of `tests.oracle`.

Each layer is written as a spec three times: with numbers, with symbols for the sizes of its input,
and with a symbol of its own for every number. What archcost says must be the count each time.
"""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from sympy import Expr

from archspec import SpecError
from archspec.architecture import read_architecture
from archspec.document import parse_document
from archspec.expansion import build_graph
from costmodel.algebra.conditions import AtLeast
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import FloorDiv
from costmodel.algebra.printing import text
from costmodel.algebra.reduction import reduced
from costmodel.algebra.symbols import symbol
from costmodel.metrics.registry import find_metric
from costmodel.network.context import Context
from costmodel.network.precision import NetworkTypes
from costmodel.network.propagation import LayerCost, Propagation, propagate
from costmodel.scenario.conventions import find_convention
from costmodel.scenario.scenario import NOWHERE
from tests import oracle
from tests.conftest import examples
from tests.oracle import Axis, Conv, Count, Pool, Sizes
from tests.test_algebra import run

moderate = settings(
    deadline=None, max_examples=examples(150), suppress_health_check=[HealthCheck.too_slow]
)

CONVENTIONS = {"torch": {"conv", "linear"}, "lecture": {"conv", "linear", "pool"}}
"""The outputs that count as activations."""


# A layer as a spec.


class Writer:
    """Writes numbers as they are or as symbols, each its own, and remembers their values."""

    def __init__(self, *, sizes: bool = False, fields: bool = False) -> None:
        self.sizes = sizes
        self.fields = fields
        self.values: dict[str, int] = {}

    def size(self, number: int) -> str:
        """A number of the input's shape."""
        return self._named(number) if self.sizes else str(number)

    def field(self, number: int) -> str:
        """A number of a field; a symbol is positive, so 0 stays."""
        return self._named(number) if self.fields and number > 0 else str(number)

    def _named(self, number: int) -> str:
        name = f"s{len(self.values)}"
        self.values[name] = number
        return name

    def fields_of(self, numbers: Sequence[int]) -> str:
        """One number per axis, or one for all where they are equal."""
        if len(set(numbers)) == 1:
            return self.field(numbers[0])
        return f"[{', '.join(map(self.field, numbers))}]"


class Case(NamedTuple):
    """A layer, the shape that enters, and what the oracle counts.

    Attributes:
        source: the layer as the oracle knows it, or as a spec's entry.
        shape: of the input.
        counted: by the oracle.
        feature_map: ``conv``, ``linear``, ``pool``, or nothing where the layer works in place.
        average: whether a pooling takes the mean, not the maximum.
    """

    source: Conv | Pool | str
    shape: Sizes
    counted: Count
    feature_map: str = ""
    average: bool = False


def entry_of(case: Case, writer: Writer) -> str:
    match case.source:
        case Conv():
            return conv_entry(case.source, writer)
        case Pool():
            return pool_entry(case.source, writer, average=case.average)
    return case.source


def conv_entry(conv: Conv, writer: Writer) -> str:
    axes = conv.axes
    fields = {
        "out_channels": writer.field(conv.out_channels),
        "kernel_size": writer.fields_of([axis.kernel for axis in axes]),
        "stride": writer.fields_of([axis.stride for axis in axes]),
        "dilation": writer.fields_of([axis.dilation for axis in axes]),
        "padding": sides_of(conv, writer) if conv.padding == "explicit" else conv.padding,
        "groups": writer.field(conv.groups),
        "bias": str(conv.bias).lower(),
    }
    return entry(f"conv{len(axes)}d", fields)


def sides_of(conv: Conv, writer: Writer) -> str:
    if all(axis.before == axis.after for axis in conv.axes):
        return writer.fields_of([axis.before for axis in conv.axes])
    sides = ([writer.field(axis.before), writer.field(axis.after)] for axis in conv.axes)
    return f"[{', '.join(f'[{before}, {after}]' for before, after in sides)}]"


def pool_entry(pool: Pool, writer: Writer, *, average: bool) -> str:
    axes = pool.axes
    fields = {
        "kernel_size": writer.fields_of([axis.kernel for axis in axes]),
        "stride": writer.fields_of([axis.stride for axis in axes]),
        "padding": writer.fields_of([axis.before for axis in axes]),
        "ceil_mode": str(pool.ceil_mode).lower(),
    }
    if [axis.stride for axis in axes] == [axis.kernel for axis in axes]:
        del fields["stride"]
    if not average:
        fields["dilation"] = writer.fields_of([axis.dilation for axis in axes])
    return entry(f"{'avg' if average else 'max'}pool{len(axes)}d", fields)


def entry(kind: str, fields: dict[str, str]) -> str:
    return f"{kind}: {{{', '.join(f'{name}: {value}' for name, value in fields.items())}}}"


def propagated(shape: Iterable[str], entries: Iterable[str], values: Iterable[str]) -> Propagation:
    """A spec with these entries, its symbols all 1 by default, propagated."""
    lines = [
        "archspec: 1",
        "name: layers under test",
        f"symbols: {{{', '.join(f'{name}: 1' for name in values)}}}",
        f"input: [{', '.join(shape)}]",
        "layers:",
        *(f"  - {line}" for line in entries),
    ]
    return propagate(build_graph(read_architecture(parse_document("\n".join(lines)))))


# A layer compared with its count.


def metric(name: str, layer: LayerCost, convention: str) -> Expr:
    count = find_metric(name).per_layer
    assert count is not None
    return count(layer, Context(find_convention(convention), NOWHERE, NetworkTypes({}, {})))


def evaluator(writer: Writer) -> Evaluator:
    return Evaluator({symbol(name): value for name, value in writer.values.items()})


def laws(layer: LayerCost) -> list[Expr]:
    activations = [metric("activations", layer, convention) for convention in CONVENTIONS]
    return [
        *layer.output,
        metric("params", layer, "torch"),
        metric("macs", layer, "torch"),
        *activations,
    ]


def counts(case: Case) -> list[int]:
    shape, params, macs = case.counted
    activations = [
        case.counted.elements if case.feature_map in counted else 0
        for counted in CONVENTIONS.values()
    ]
    return [*shape, params, macs, *activations]


def compare(case: Case, writer: Writer) -> None:
    """Every number of the layer, evaluated and printed, and every condition."""
    shape = [writer.size(size) for size in case.shape]
    source = entry_of(case, writer)
    propagation = propagated(shape, [source], writer.values)
    evaluate = evaluator(writer)
    found = laws(propagation.layers[0])
    assert [evaluate(law) for law in found] == counts(case), source
    assert [run(text(law), writer.values) for law in found] == counts(case), source
    assert all(required.condition.holds(evaluate) for required in propagation.requirements), source


def compare_all(case: Case) -> None:
    compare(case, Writer())
    compare(case, Writer(sizes=True))
    compare(case, Writer(sizes=True, fields=True))


# The oracle itself, by hand.


def test_the_oracle_counts_a_convolution() -> None:
    """4 filters of 1 × 3 × 3 over 5 × 5 positions: 36 weights and 4 biases, 900 products."""
    axis = Axis(3, before=1, after=1)
    counted = oracle.count_conv(Conv(1, 2, (5, 5), 4, (axis, axis), groups=2))
    assert counted == Count((1, 4, 5, 5), 36 + 4, 4 * 9 * 25)
    assert counted.elements == 100


def test_the_oracle_counts_a_linear_layer() -> None:
    """Three rows of 4 features to 5."""
    assert oracle.count_linear((3, 4), 5, bias=True) == Count((3, 5), 4 * 5 + 5, 3 * 4 * 5)


# Convolutions.


def axes_of(
    rank: int, *, padding: int, dilation: int, kernel: int = 3
) -> SearchStrategy[tuple[Axis, ...]]:
    axis = st.builds(
        Axis,
        kernel=st.integers(1, kernel),
        stride=st.integers(1, 3),
        before=st.integers(0, padding),
        after=st.integers(0, padding),
        dilation=st.integers(1, dilation),
    )
    return st.tuples(*[axis] * rank)


@st.composite
def convolutions(draw: st.DrawFn, ranks: Sequence[int] = (1, 2, 3)) -> Conv:
    """Convolutions whose windows may or may not fit."""
    rank = draw(st.sampled_from(ranks))
    groups = draw(st.integers(1, 3))
    return Conv(
        batch=draw(st.integers(1, 2)),
        channels=groups * draw(st.integers(1, 2)),
        sizes=draw(st.tuples(*[st.integers(1, 4 if rank == 3 else 7)] * rank)),
        out_channels=groups * draw(st.integers(1, 2)),
        axes=draw(axes_of(rank, padding=1 if rank == 3 else 2, dilation=2)),
        groups=groups,
        bias=draw(st.booleans()),
        padding=draw(st.sampled_from(["explicit", "explicit", "same", "valid"])),
    )


def conv_case(conv: Conv) -> Case:
    shape = (conv.batch, conv.channels, *conv.sizes)
    return Case(conv, shape, oracle.count_conv(conv), "conv")


def fits(count: Count) -> bool:
    return min(count.shape) > 0


@moderate
@given(conv=convolutions())
@example(conv=Conv(1, 4, (5, 6), 6, (Axis(3, 2, 1, 0, 2), Axis(2, 1, 0, 2)), 2))
@example(conv=Conv(2, 3, (7, 7), 3, (Axis(3, 2, 1, 1), Axis(3, 2, 1, 1)), 3, bias=False))
def test_convolution(conv: Conv) -> None:
    case = conv_case(conv)
    assume(fits(case.counted))
    compare_all(case)


@moderate
@given(size=st.integers(1, 5), excess=st.integers(1, 4), padding=st.integers(0, 2))
def test_a_window_that_does_not_fit_is_refused(size: int, excess: int, padding: int) -> None:
    """With numbers an error; with symbols a condition that does not hold."""
    axis = Axis(size + padding + excess, before=padding)
    conv = Conv(1, 2, (size,), 2, (axis,))
    assert not fits(oracle.count_conv(conv))
    shape = (conv.batch, conv.channels, *conv.sizes)
    with pytest.raises(SpecError, match=r"the window \(\d+\) must fit the padded length \(\d+\)"):
        propagated(map(str, shape), [conv_entry(conv, Writer())], ())
    writer = Writer(sizes=True)
    sizes = [writer.size(size) for size in shape]
    propagation = propagated(sizes, [conv_entry(conv, writer)], writer.values)
    evaluate = evaluator(writer)
    assert not all(required.condition.holds(evaluate) for required in propagation.requirements)


@pytest.mark.parametrize("name", ["in_channels (4)", "out_channels (4)"])
def test_groups_that_do_not_divide_the_channels_are_refused(name: str) -> None:
    channels = 4 if name.startswith("in") else 6
    source = f"conv1d: {{out_channels: {10 - channels}, kernel_size: 1, groups: 3}}"
    with pytest.raises(SpecError, match=r"channels \(4\) must be divisible by groups \(3\)") as e:
        propagated(["1", str(channels), "5"], [source], ())
    assert name in str(e.value)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("stride: g", "(h - 3)//g + 1"),
        ("kernel_size: g", "h - g + 1"),
        ("dilation: g", "h - 2*g"),
        ("padding: g", "h + 2*g - 2"),
        ("padding: [[0, g]]", "h + g - 2"),
    ],
)
def test_any_field_may_be_a_symbol(field: str, expected: str) -> None:
    """The conditions, reduced, hold exactly where there is an output."""
    name, value = field.split(": ")
    fields = {"out_channels": "4", "kernel_size": "3", name: value}
    propagation = propagated(["1", "4", "h"], [entry("conv1d", fields)], ["g", "h"])
    conditions = reduced((r.condition for r in propagation.requirements), {})
    for h, g in product(range(1, 20), range(1, 9)):
        evaluate = Evaluator({symbol("g"): g, symbol("h"): h})
        output = run(expected, {"h": h, "g": g})
        assert evaluate(propagation.layers[0].output[2]) == output
        assert all(c.holds(evaluate) for c in conditions) == (output >= 1), (h, g)


# Pooling.


@st.composite
def poolings(draw: st.DrawFn) -> Pool:
    rank = draw(st.sampled_from([1, 2, 3]))
    kernels = draw(st.tuples(*[st.integers(1, 5)] * rank))
    strides = draw(st.just(kernels) | st.tuples(*[st.integers(1, 5)] * rank))
    paddings = [draw(st.integers(0, kernel // 2)) for kernel in kernels]
    dilation = draw(st.integers(1, 3))
    return Pool(
        batch=draw(st.integers(1, 2)),
        channels=draw(st.integers(1, 3)),
        sizes=draw(st.tuples(*[st.integers(1, 12 // rank + 2)] * rank)),
        axes=tuple(
            Axis(kernel, stride, padding, padding, dilation)
            for kernel, stride, padding in zip(kernels, strides, paddings, strict=True)
        ),
        ceil_mode=draw(st.booleans()),
    )


def pool_case(pool: Pool, *, average: bool) -> Case:
    if average:
        pool = pool._replace(axes=tuple(axis._replace(dilation=1) for axis in pool.axes))
    shape = (pool.batch, pool.channels, *pool.sizes)
    return Case(pool, shape, oracle.count_pool(pool), "pool", average)


@moderate
@given(pool=poolings(), average=st.booleans())
@example(pool=Pool(1, 1, (6,), (Axis(2, 4, 1, 1),), ceil_mode=True), average=False)
@example(pool=Pool(1, 1, (2,), (Axis(3, 2),), ceil_mode=True), average=False)
@example(pool=Pool(1, 1, (1,), (Axis(2, 2, 1, 1),), ceil_mode=True), average=True)
def test_pooling(pool: Pool, average: bool) -> None:
    case = pool_case(pool, average=average)
    assume(fits(case.counted))
    compare_all(case)


def test_padding_of_more_than_half_a_pooling_window_is_refused() -> None:
    source = "maxpool1d: {kernel_size: 3, padding: 2}"
    with pytest.raises(SpecError, match=r"padding \(2\) must be at most half of kernel_size \(3\)"):
        propagated(["1", "1", "9"], [source], ())


PYTORCH_CEIL_MODE = [
    # (h, k, s, p, d) → h_o, by hand from PyTorch's rule (FACTS: Shapes)
    ((6, 3, 2, 0, 1), 3),  # floor gives 2; the third window starts at 4, inside
    ((7, 3, 2, 0, 1), 3),  # nothing is left over
    ((6, 2, 4, 1, 1), 2),  # (6 + 2 − 2 + 3)//4 + 1 = 3, but (3 − 1)·4 = 8 ≥ 6 + 1
    ((5, 2, 3, 1, 1), 2),  # (5 + 2 − 2 + 2)//3 + 1 = 3, but (3 − 1)·3 = 6 ≥ 5 + 1
    ((2, 3, 2, 0, 1), 1),  # a window larger than the input
    ((9, 3, 3, 1, 2), 3),  # span 5: (9 + 2 − 5 + 2)//3 + 1 = 3, and 6 < 10
]


@pytest.mark.parametrize(("given_sizes", "expected"), PYTORCH_CEIL_MODE)
def test_ceil_mode_by_hand(given_sizes: tuple[int, int, int, int, int], expected: int) -> None:
    size, kernel, stride, padding, dilation = given_sizes
    pool = Pool(1, 1, (size,), (Axis(kernel, stride, padding, padding, dilation),), ceil_mode=True)
    case = pool_case(pool, average=False)
    assert case.counted.shape == (1, 1, expected)
    compare_all(case)


@moderate
@given(rank=st.sampled_from([1, 2, 3]), data=st.data())
def test_adaptive_pooling(rank: int, data: st.DataObject) -> None:
    shape = data.draw(st.tuples(*[st.integers(1, 4)] * (rank + 2)))
    outputs = data.draw(st.tuples(*[st.integers(1, 5)] * rank))
    source = f"adaptive_avgpool{rank}d: {{output_size: {Writer().fields_of(outputs)}}}"
    count = oracle.count_adaptive_pool(shape, outputs)
    compare(Case(source, shape, count, "pool"), Writer())
    compare(Case(source, shape, count, "pool"), Writer(sizes=True))


# Layers without windows.

shapes = st.lists(st.integers(1, 5), min_size=2, max_size=5).map(tuple)


@moderate
@given(shape=shapes, out_features=st.integers(1, 6), bias=st.booleans())
def test_linear(shape: Sizes, out_features: int, bias: bool) -> None:
    source = f"linear: {{out_features: {out_features}, bias: {str(bias).lower()}}}"
    count = oracle.count_linear(shape, out_features, bias=bias)
    compare(Case(source, shape, count, "linear"), Writer())
    compare(Case(source, shape, count, "linear"), Writer(sizes=True))


@moderate
@given(shape=shapes, data=st.data())
def test_flatten(shape: Sizes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(shape) - 1))
    end = data.draw(st.integers(start, len(shape) - 1))
    from_the_end = data.draw(st.booleans())
    shown = end - len(shape) if from_the_end else end
    source = f"flatten: {{start_dim: {start}, end_dim: {shown}}}"
    case = Case(source, shape, oracle.count_flatten(shape, start, shown))
    compare(case, Writer())
    compare(case, Writer(sizes=True))


def test_flatten_keeps_the_batch() -> None:
    compare_all(Case("flatten", (2, 3, 4, 5), oracle.count_flatten((2, 3, 4, 5))))


@moderate
@given(shape=shapes, affine=st.booleans())
def test_batchnorm(shape: Sizes, affine: bool) -> None:
    source = f"batchnorm: {{affine: {str(affine).lower()}}}"
    compare_all(Case(source, shape, oracle.count_batchnorm(shape, affine=affine)))


@moderate
@given(shape=shapes, axes=st.integers(1, 2), names=st.sampled_from([(), ("w",), ("w", "b")]))
def test_layernorm(shape: Sizes, axes: int, names: tuple[str, ...]) -> None:
    affine, bias = (str(name in names).lower() for name in "wb")
    source = f"layernorm: {{axes: {axes}, elementwise_affine: {affine}, bias: {bias}}}"
    compare_all(Case(source, shape, oracle.count_layernorm(shape, axes, names)))


@pytest.mark.parametrize("kind", ["relu", "gelu", "softmax", "dropout", "identity", "swish"])
def test_what_leaves_its_input_as_it_is(kind: str) -> None:
    compare_all(Case(kind, (2, 3, 4), Count((2, 3, 4))))


# Several layers.


roomy_convolutions = st.builds(
    Conv,
    batch=st.integers(1, 2),
    channels=st.just(2),
    sizes=st.tuples(st.integers(5, 8), st.integers(5, 8)),
    out_channels=st.sampled_from([2, 4]),
    axes=axes_of(2, padding=2, dilation=2),
    groups=st.integers(1, 2),
)
half_padded = st.builds(
    lambda kernel, stride: Axis(kernel, stride, kernel // 2, kernel // 2),
    st.integers(1, 3),
    st.integers(1, 3),
)


@moderate
@given(
    conv=roomy_convolutions,
    axes=st.tuples(half_padded, half_padded),
    ceil_mode=st.booleans(),
    features=st.integers(1, 4),
)
def test_layers_in_a_row(
    conv: Conv, axes: tuple[Axis, Axis], ceil_mode: bool, features: int
) -> None:
    """Convolution, normalisation, pooling, flatten, linear: each as if it stood alone."""
    cases = row_of_layers(conv, axes, ceil_mode, features)
    compare_in_a_row(cases, Writer())
    compare_in_a_row(cases, Writer(sizes=True))
    compare_in_a_row(cases, Writer(sizes=True, fields=True))


def row_of_layers(
    conv: Conv, axes: tuple[Axis, Axis], ceil_mode: bool, features: int
) -> list[Case]:
    first = conv_case(conv)
    shape = first.counted.shape
    pool = Pool(shape[0], shape[1], shape[2:], axes, ceil_mode)
    second = pool_case(pool, average=False)
    flat = oracle.count_flatten(second.counted.shape)
    last = oracle.count_linear(flat.shape, features, bias=True)
    return [
        first,
        Case("batchnorm", shape, oracle.count_batchnorm(shape, affine=True)),
        second,
        Case("flatten", second.counted.shape, flat),
        Case(f"linear: {{out_features: {features}}}", flat.shape, last, "linear"),
    ]


def compare_in_a_row(cases: Sequence[Case], writer: Writer) -> None:
    shape = [writer.size(size) for size in cases[0].shape]
    entries = [entry_of(case, writer) for case in cases]
    propagation = propagated(shape, entries, writer.values)
    evaluate = evaluator(writer)
    for case, layer in zip(cases, propagation.layers, strict=True):
        assert [evaluate(law) for law in laws(layer)] == counts(case), entries
    assert all(required.condition.holds(evaluate) for required in propagation.requirements)


# Chains of windows over one axis.


class Step(NamedTuple):
    """One layer of a chain over ``(1, 1, h)``."""

    axis: Axis
    pool: bool
    ceil_mode: bool = False
    same: bool = False

    def entry(self) -> str:
        """As a spec says it."""
        if self.pool:
            return pool_entry(
                Pool(1, 1, (1,), (self.axis,), self.ceil_mode), Writer(), average=False
            )
        conv = Conv(1, 1, (1,), 1, (self.axis,), padding="same" if self.same else "explicit")
        return conv_entry(conv, Writer())

    def output(self, size: int) -> int:
        """The formulas of FACTS ("Shapes"), in integers; ``PyTorch``'s for pooling."""
        kernel, stride, before, after, dilation = self.axis
        if self.same:
            return -(-size // stride)
        room = size + before + after - dilation * (kernel - 1) - 1
        if not self.ceil_mode:
            return room // stride + 1
        output = (room + stride - 1) // stride + 1
        return output - 1 if (output - 1) * stride >= size + before else output

    def windows(self, size: int) -> int:
        """The same by sliding."""
        if self.same:
            return len(oracle.slide_same(size, self.axis))
        slide = oracle.slide_to_the_end if self.ceil_mode else oracle.slide
        return len(slide(size, self.axis))


@st.composite
def steps(draw: st.DrawFn) -> Step:
    pool = draw(st.booleans())
    kernel = draw(st.integers(1, 5))
    before = draw(st.integers(0, kernel // 2 if pool else 3))
    after = before if pool else draw(st.integers(0, 3))
    axis = Axis(kernel, draw(st.integers(1, 3)), before, after, draw(st.integers(1, 2)))
    ceil_mode = pool and draw(st.booleans())
    return Step(axis, pool, ceil_mode, not pool and draw(st.integers(0, 5)) == 0)


def recurrence(chain: Iterable[Step], size: int) -> list[int]:
    """The output of every layer, as far as there is one."""
    outputs = []
    for step in chain:
        size = step.output(size)
        outputs.append(size)
        if size < 1:
            break
    return outputs


@moderate
@given(step=steps(), size=st.integers(1, 40))
def test_the_recurrence_counts_windows(step: Step, size: int) -> None:
    assert max(step.output(size), 0) == step.windows(size)


@moderate
@given(chain=st.lists(steps(), min_size=1, max_size=8))
@example(chain=[Step(Axis(11, 4, 2, 2), False), Step(Axis(3, 2), True), Step(Axis(3, 2), True)])
def test_a_chain_is_a_single_floor(chain: list[Step]) -> None:
    """It equals the recurrence wherever the reported condition holds, and nowhere else."""
    propagation = propagated(["1", "1", "h"], [step.entry() for step in chain], ["h"])
    law = propagation.layers[-1].output[2]
    assert len(law.atoms(FloorDiv)) <= 1, text(law)
    least = reported_minimum(propagation)
    for size in range(least, least + 101):
        outputs = recurrence(chain, size)
        assert min(outputs) >= 1, (size, outputs)
        assert Evaluator({symbol("h"): size})(law) == outputs[-1], (size, text(law))
        assert run(text(law), {"h": size}) == outputs[-1], (size, text(law))
    for size in range(max(1, least - 200), least):
        assert min(recurrence(chain, size)) < 1, size


def reported_minimum(propagation: Propagation) -> int:
    """The bound of the one condition ``h >= …``, or 1 where every size is good."""
    height = symbol("h")
    conditions = reduced((r.condition for r in propagation.requirements), {height: 1})
    assert len(conditions) <= 1, conditions
    for condition in conditions:
        assert isinstance(condition, AtLeast)
        assert condition.expression == height
        return int(condition.bound)
    return 1


@pytest.mark.parametrize(
    ("chain", "printed", "least"),
    [
        # AlexNet's windows (DESIGN: One floor), by hand: 63 → 15 → 7 → 3 → 1, and 62 → 14 → 6 → 2
        (
            [Step(Axis(11, 4, 2, 2), False), Step(Axis(3, 2), True), Step(Axis(5, 1, 2, 2), False),
             Step(Axis(3, 2), True), Step(Axis(3, 1, 1, 1), False), Step(Axis(3, 2), True)],
            "(h - 63)//32 + 1", 63,
        ),
        # VGG-16's: five halvings
        ([Step(Axis(3, 1, 1, 1), False), Step(Axis(2, 2), True)] * 5, "h//32", 32),
        # ResNet-50's: 7/2 and 3/2 with padding, then 3/2 at the start of three stages
        (
            [Step(Axis(7, 2, 3, 3), False), *[Step(Axis(3, 2, 1, 1), False)] * 4],
            "ceil(h/32)", 1,
        ),
    ],
)  # fmt: skip
def test_published_chains(chain: list[Step], printed: str, least: int) -> None:
    propagation = propagated(["1", "1", "h"], [step.entry() for step in chain], ["h"])
    assert text(propagation.layers[-1].output[2]) == printed
    assert reported_minimum(propagation) == least
