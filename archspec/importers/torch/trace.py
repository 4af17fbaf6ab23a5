"""A module of PyTorch, traced with symbols for sizes, no weight ever made."""

import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from inspect import signature
from linecache import getline
from os.path import basename
from types import MappingProxyType
from typing import Any, NamedTuple

from archspec.errors import SpecError
from archspec.importers.torch.inline import functional
from archspec.importers.torch.inputs import (
    Axis,
    Entering,
    Tensors,
    as_integers,
    is_users,
    symbol_values,
    tensors,
)
from archspec.importers.torch.recurrent import whole_networks


class Sample(NamedTuple):
    """Sizes and arguments with which a module runs.

    Attributes:
        integers: which inputs are integers.
        values: values of the symbols.
        odd: other values, of which no two are alike, where it takes such; it is traced with these,
            so that nothing that holds of them by chance becomes part of the spec.
    """

    integers: tuple[bool, ...]
    values: Mapping[str, int]
    odd: Mapping[str, int] = MappingProxyType({})


class Traced(NamedTuple):
    """A traced module: its graph, and the symbols of its sizes.

    Attributes:
        program: PyTorch's exported program.
        fixed: symbols that the module pins → the number, or the symbol that it equals.
        names: PyTorch's symbol → what stands for it.
    """

    program: Any
    fixed: Mapping[str, int | str]
    names: Mapping[str, str]


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what PyTorch says while it runs, and let it make tensors without data."""
    import torch

    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            stack.enter_context(torch.no_grad())
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        logging.disable(level)


def run(module: Any, given: Tensors) -> Any:
    """Return what a module gives for tensors without data, on the way that export takes."""
    import torch

    before = torch.compiler._is_compiling_flag
    torch.compiler._is_compiling_flag = True
    try:
        with torch.device("meta"):
            return module(*given.placed, **given.named)
    finally:
        torch.compiler._is_compiling_flag = before


def find_sample(module: Any, inputs: Sequence[Entering]) -> Sample:
    """Return types and sizes of inputs with which a module runs.

    Raises:
        SpecError: it runs with none.
    """
    names = list(signature(module.forward).parameters)
    first: Exception | None = None
    for values in symbol_values(inputs):
        for integers in as_integers(inputs, names):
            try:
                with quiet():
                    run(module, tensors(inputs, integers, values))
                return Sample(integers, values, _odd(module, inputs, integers, values))
            except Exception as error:
                first = first or error
    assert first is not None
    raise forward_error(module, first)


_SPREAD = (13, 27, 45, 7)
"""Numbers added to the sizes of the run that is traced: equal sizes would become one symbol."""


def _odd(
    module: Any, inputs: Sequence[Entering], integers: Sequence[bool], values: Mapping[str, int]
) -> Mapping[str, int]:
    """Return odd values of the symbols with which a module runs, or else multiples of 32."""
    large = [name for name, value in values.items() if value > 3]
    small = {name: value + 2 + i for i, (name, value) in enumerate(values.items())}
    for steps in (_SPREAD, (32, 64, 96, 128), (0, 0, 0, 0)):
        more = {name: values[name] + steps[i % len(steps)] for i, name in enumerate(large)}
        odd = {**small, **more}
        try:
            with quiet():
                run(module, tensors(inputs, integers, odd))
        except Exception:
            continue
        return odd
    return values


_NEEDS_DATA = ("item()", "data-dependent", "DataDependent", "Boolean value of", "_local_scalar")
"""Texts in errors of a forward that reads a number out of a tensor."""

_SIZED_BY_DATA = ("nonzero", "masked_select", "unique", "DynamicOutputShape")
"""Texts in errors of a forward in which the data say how many elements there are."""

_BRANCH = re.compile(r"(if|elif|while|assert|for)\b|.*(\b(and|or|not|if|bool)\b)")
"""The beginning of a line of Python that goes one way or another."""


def forward_error(module: Any, error: Exception) -> SpecError:
    """Return the error of a forward that cannot be run without data."""
    place = _place(module, error)
    where = f" ({place.file}: {place.line})" if place.file else ""
    entry, every = place.path or type(module).__name__, f"{type(error).__name__} {error}"
    if any(each in every for each in _SIZED_BY_DATA):
        cause = f"how many elements there are depends on the data{where}"
        return SpecError(cause, hint="every shape must follow from the input's", entry=entry)
    if any(each in every for each in _NEEDS_DATA):
        cause, hint = (
            "a number is read out of a tensor",
            "leave .item() and its like out of forward",
        )
        if _BRANCH.match(place.line):
            cause = "the control flow depends on what a tensor holds"
            hint = "let forward go one way only, or compute both and use torch.where"
        return SpecError(f"{cause}{where}, but no tensor has data here", hint=hint, entry=entry)
    text = (str(error).strip() or type(error).__name__).split("\n")[0][:300]
    cause = f"the forward raises {type(error).__name__}{where}: {text}"
    return SpecError(cause, hint="give sizes that it takes, as --input 'n, 3, h=224'", entry=entry)


class Place(NamedTuple):
    """The module that was running, as a path, and the source line, outside of PyTorch."""

    path: str = ""
    file: str = ""
    line: str = ""


def _place(module: Any, error: BaseException) -> Place:
    """Return the place in which an error was raised."""
    paths = {id(each): path for path, each in module.named_modules()}
    trace, place = error.__traceback__, Place()
    while trace is not None:
        file, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        if is_users(file):
            variables = trace.tb_frame.f_locals.values()
            path = paths.get(id(next(iter(variables), None)), place.path)
            place = Place(path, f"{basename(file)}:{line}", getline(file, line).strip())
        trace = trace.tb_next
    return place


def trace(module: Any, inputs: Sequence[Entering], sample: Sample) -> Traced:
    """Return a module's operators with symbols for sizes.

    Symbols that it takes one value of only are fixed, one after the other.

    Raises:
        SpecError: it cannot be traced, whatever is fixed.
    """
    symbols = list(sample.values)
    first: Exception | None = None
    for open_ in (symbols, symbols[:1], []):
        for way in (_oblivious, _specialising):
            try:
                return _at_defaults(module, inputs, sample, open_, way)
            except SpecError:
                raise
            except Exception as error:
                first = first or error
    assert first is not None
    raise forward_error(module, first)


def _at_defaults(
    module: Any,
    inputs: Sequence[Entering],
    sample: Sample,
    open_: Sequence[str],
    way: Callable[[], Any],
) -> Traced:
    """Return a trace in which symbols that tracing pins, as unrolled loops do, have defaults."""
    traced = _traced(module, inputs, sample, open_, way)
    pinned = [n for n in open_ if traced.fixed.get(n, sample.values[n]) != sample.values[n]]
    if not any(isinstance(traced.fixed[name], int) for name in pinned):
        return traced
    left = [name for name in open_ if name not in pinned]
    return _traced(module, inputs, sample, left, way)


def on_its_way(traced: Traced, inputs: Sequence[Entering], sample: Sample) -> Sample:
    """Return a sample with values at which a module goes the way that it was traced on.

    A module may go another way at some sizes, as one that resizes a map which its patches do not
    divide: then other values are the defaults, unless the user says them.
    """
    candidates = (sample.values, *symbol_values(inputs))
    return sample._replace(values=min(candidates, key=lambda each: _departures(traced, each)))


def _departures(traced: Traced, values: Mapping[str, int]) -> int:
    """Return how many conditions of the way that a module was traced on do not hold."""
    nodes = traced.program.graph.nodes
    first = next((size for node in nodes for size in _sizes(node.meta.get("val"))), None)
    if first is None:
        return 0
    at = {}
    for symbol, text in traced.names.items():
        factor, _, name = text.rpartition("*")
        at[symbol] = int(factor or 1) * values.get(name, 1)
    guards = [guard.expr for guard in first.node.shape_env.guards]
    symbols = {symbol for guard in guards for symbol in guard.free_symbols if str(symbol) in at}
    numbers = {symbol: 0 * symbol + at[str(symbol)] for symbol in symbols}  # as PyTorch has them
    return sum(str(guard.xreplace(numbers)) == "False" for guard in guards)


def _sizes(value: Any) -> list[Any]:
    """Return the sizes of a tensor that are symbols."""
    return [size for size in getattr(value, "shape", ()) if hasattr(size, "node")]


@contextmanager
def _oblivious() -> Iterator[None]:
    """Let no size count as 0 or 1 where PyTorch asks for its own sake."""
    from torch.fx.experimental import _config

    with _config.patch(backed_size_oblivious=True):
        yield


@contextmanager
def _specialising() -> Iterator[None]:
    yield


def _traced(
    module: Any,
    inputs: Sequence[Entering],
    sample: Sample,
    open_: Sequence[str],
    way: Callable[[], Any],
) -> Traced:
    import torch

    values = {**sample.values, **{name: sample.odd[name] for name in open_ if name in sample.odd}}
    given = tensors(inputs, sample.integers, values)
    auto = torch.export.Dim.AUTO
    dynamic = [
        {i: auto for i, axis in enumerate(each.axes) if axis.symbol in open_} for each in inputs
    ]
    shapes = _dynamic_shapes(module, inputs, dynamic)
    with quiet(), way(), whole_networks(), torch.device("meta"):
        program = torch.export.export(
            module, given.placed, given.named, dynamic_shapes=shapes, strict=False
        )
        program = functional(program)
    return _named(program, inputs, values)


def _dynamic_shapes(
    module: Any, inputs: Sequence[Entering], dynamic: Sequence[Mapping[int, Any]]
) -> Any:
    """Return what is dynamic, by the names of forward's parameters."""
    names = list(signature(module.forward).parameters.values())
    placed = [d for e, d in zip(inputs, dynamic, strict=True) if not e.name]
    named = {e.name: d for e, d in zip(inputs, dynamic, strict=True) if e.name}
    if names and names[0].kind is names[0].VAR_POSITIONAL:
        return {names[0].name: tuple(placed), **named}
    return {**{p.name: d for p, d in zip(names, placed, strict=False)}, **named}


def _named(program: Any, inputs: Sequence[Entering], values: Mapping[str, int]) -> Traced:
    """Return a program with the names of its symbols, and what it fixes."""
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    user = [nodes[name] for name in program.graph_signature.user_inputs if name in nodes]
    ordered = [*(e for e in inputs if not e.name), *(e for e in inputs if e.name)]
    names: dict[str, str] = {}
    fixed: dict[str, int | str] = {}
    for entering, node in zip(ordered, user, strict=False):
        for axis, size in zip(entering.axes, node.meta["val"].shape, strict=True):
            if axis.symbol:
                _name_axis(axis, size, names, fixed, values)
    return Traced(program, fixed, names)


def _name_axis(
    axis: Axis,
    size: Any,
    names: dict[str, str],
    fixed: dict[str, int | str],
    values: Mapping[str, int],
) -> None:
    """Name PyTorch's symbol of one axis, or fix ours where the module fixes it."""
    expression = getattr(getattr(size, "node", None), "expr", size)
    if isinstance(size, int) or getattr(expression, "is_Integer", False):
        fixed[axis.symbol] = values[axis.symbol]
        return
    known = names.setdefault(str(expression), axis.text)
    if known != axis.text and axis.factor == 1:
        fixed[axis.symbol] = known
