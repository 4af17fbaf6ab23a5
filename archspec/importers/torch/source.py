"""Specs from PyTorch: a factory of modules by its name, or a module of Python."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

from archspec.errors import SpecError, did_you_mean
from archspec.importers.calls import Size, SourceNetwork
from archspec.importers.source import Imported, Options, SourceCounts
from archspec.importers.torch.counts import counted
from archspec.importers.torch.graph import Learned, Made, OperatorGraph, build, needed
from archspec.importers.torch.inline import inlined
from archspec.importers.torch.inputs import Entering, read_inputs, symbol_values
from archspec.importers.torch.table import row_of
from archspec.importers.torch.trace import Sample, Traced, find_sample, on_its_way, quiet, trace

Result = TypeVar("Result")

EXTRA = "pip install 'archcost[torch]'"


def read(source: str, options: Options) -> Imported:
    """Return the spec of a factory, ``torch:MODULE:FACTORY``, whose code is run.

    Args:
        source: the factory.
        options: the sizes of its inputs, and the values of its parameters.

    Raises:
        SpecError: there is no such factory, it or its module's forward raises an error, or an
            operator has no kind.
    """
    factory = _factory(source)
    entering = read_inputs(options.inputs)
    fixed = {name: values[0] for name, values in options.vary.items() if len(values) == 1}
    varied = {name: values for name, values in options.vary.items() if len(values) > 1}
    if varied:
        return _fitted(source, factory, entering, fixed, varied, partial=options.partial)
    return imported(_made(source, factory, fixed), entering, source, partial=options.partial)


def read_module(module: Any, inputs: Sequence[str]) -> Imported:
    """Return the spec of a module of Python.

    Args:
        module: an ``nn.Module``; its weights are not read.
        inputs: the sizes of each input, as ``n, 3, h, w``.

    Raises:
        SpecError: its forward raises an error, or an operator has no kind.
    """
    torch, name = _torch(), type(module).__name__
    if not isinstance(module, torch.nn.Module):
        raise SpecError(f"{name} is neither a spec nor a torch.nn.Module")
    return imported(_without_data(module), read_inputs(inputs), name, partial=False)


def _torch() -> Any:
    try:
        return import_module("torch")
    except ModuleNotFoundError:
        raise SpecError("importing a module needs PyTorch", hint=EXTRA) from None


def _factory(source: str) -> Any:
    """Return what a source names; the folder in which the command runs is looked at, too.

    Raises:
        SpecError: there is no such module, or nothing of that name in it.
    """
    _torch()
    _, *parts = source.split(":")
    if len(parts) != 2 or not all(parts):
        hint = "as in torch:torchvision.models:resnet50"
        raise SpecError(f"'{source}' names no factory of a module", hint=hint)
    module, factory = parts
    found: Any = _module(module)
    for part in factory.split("."):
        if not hasattr(found, part):
            near = did_you_mean(part, [n for n in dir(found) if not n.startswith("_")])
            raise SpecError(f"{module} has no '{part}'", hint=near)
        found = getattr(found, part)
    return found


def _module(name: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return linked(name)
    except ModuleNotFoundError as error:
        cause = f"there is no module '{error.name}' here"
        hint = f"it is looked for from {folder}, and among what is installed"
        raise SpecError(cause, hint=hint) from None
    except Exception as error:
        raise SpecError(f"importing {name} raises {_said(error)}") from None


_UNLINKED = "nms", "qnms"
"""Operators that torchvision asks for before its own library is loaded."""

_LIBRARIES: list[Any] = []


def linked(name: str) -> ModuleType:
    """Import a module; torchvision, too, where its library fits another PyTorch than there is."""
    return linking(lambda: import_module(name))


def linking(action: Callable[[], Result]) -> Result:
    """Return what an action does; one that imports torchvision without its library is retried."""
    try:
        return action()
    except Exception as error:
        if "operator torchvision::" not in str(error):
            raise
    known = _torch().ops.torchvision
    library = _torch().library.Library("torchvision", "FRAGMENT")
    _LIBRARIES.append(library)
    for operator in (each for each in _UNLINKED if not hasattr(known, each)):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    for loaded in [each for each in sys.modules if each.split(".")[0] == "torchvision"]:
        del sys.modules[loaded]
    return action()


def _said(error: Exception) -> str:
    return (
        f"{type(error).__name__}: {str(error).strip().splitlines()[0][:300] if str(error) else ''}"
    )


def _made(source: str, factory: Any, arguments: Mapping[str, Any]) -> Any:
    """Return the module of a factory, without a weight where it allows that.

    Raises:
        SpecError: the factory raises an error, or makes no module.
    """
    torch = _torch()
    try:
        module = factory
        if not isinstance(factory, torch.nn.Module):
            with quiet():
                module = linking(lambda: _called(factory, arguments))
    except Exception as error:
        raise SpecError(f"{source} raises {_said(error)}") from None
    if not isinstance(module, torch.nn.Module):
        cause = f"{source} makes a {type(module).__name__}, which is no torch.nn.Module"
        raise SpecError(cause)
    tensors = (*module.parameters(), *module.buffers())
    is_own = module is not factory and all(tensor.is_meta for tensor in tensors)
    return module.eval() if is_own else _without_data(module)


def _called(factory: Any, arguments: Mapping[str, Any]) -> Any:
    """Return what a factory makes; one that reads what it makes gets tensors with data."""
    torch = _torch()
    try:
        with torch.device("meta"):
            return factory(**arguments)
    except (NotImplementedError, RuntimeError):
        return factory(**arguments)


def _without_data(module: Any) -> Any:
    """Return a copy of a module on the meta device, for inference; the module stays as it is."""
    from copy import deepcopy

    tensors = [*module.parameters(), *module.buffers()]
    return deepcopy(module, {id(tensor): _empty(tensor) for tensor in tensors}).eval()


def _empty(tensor: Any) -> Any:
    torch = _torch()
    empty = tensor.detach().to("meta")
    if isinstance(tensor, torch.nn.Parameter):
        return torch.nn.Parameter(empty, requires_grad=tensor.requires_grad)
    return empty


def imported(
    module: Any, inputs: Sequence[Entering], source: str, *, partial: bool = False
) -> Imported:
    """Return the spec of a module without data."""
    from archspec.importers.folding.writing import write

    found = network_of(module, inputs, source, partial=partial)
    text, names = write(found.network)

    def measure(values: Mapping[str, int | float]) -> SourceCounts:
        return _counted(module, inputs, found, values)

    return Imported(text, measure, names, (*found.network.notes, *found.network.remarks))


class Found(NamedTuple):
    """A module's calls, the names of the parameters that they use, and how it runs."""

    network: SourceNetwork
    used: frozenset[str]
    sample: Sample


def _counted(
    module: Any, inputs: Sequence[Entering], found: Found, values: Mapping[str, int | float]
) -> SourceCounts:
    """Return what PyTorch counts of a module at some values of its inputs' symbols."""
    sizes = {name: int(value) for name, value in values.items()}
    at = {**found.sample.values, **_also_equal(found.network, sizes)}
    return counted(module, inputs, Sample(found.sample.integers, at), found.used)


def _also_equal(network: SourceNetwork, values: Mapping[str, int]) -> dict[str, int]:
    """Return values with those of symbols that equal others."""
    equal = {}
    for note in network.notes:
        name, is_, other, *_ = (*note.rstrip(":").split(), "", "", "")
        if is_ == "is" and other.rstrip(":") in values:
            equal[name] = values[other.rstrip(":")]
    return {**values, **equal}


def network_of(module: Any, inputs: Sequence[Entering], source: str, *, partial: bool) -> Found:
    """Return the calls of a module, the parameters that they use, and how it runs."""
    sample = find_sample(module, inputs)
    traced = trace(module, inputs, sample)
    sample = on_its_way(traced, inputs, sample)
    learned, buffers = _state(module, traced)
    nodes = inlined(traced.program)
    graph = OperatorGraph(nodes, learned, buffers, traced.names, type(module).__name__)
    build(graph, row_of, partial=partial)
    outputs = tuple(dict.fromkeys(map(graph.tensor, _outputs(nodes))))
    if not outputs:
        raise SpecError(f"no tensor leaves the forward of {type(module).__name__}")
    found = list(needed(graph, outputs))
    calls = tuple(made.call for made in found)
    used = _used(found)
    entering = _entering(nodes, traced, graph, calls, outputs)
    symbols = {
        name: value
        for name, value in next(symbol_values(inputs)).items()
        if name not in traced.fixed
    }
    symbols = {name: sample.values[name] for name in symbols}
    notes = tuple(_fixed_notes(traced)), tuple(_unused_notes(module, used))
    name = type(module).__name__
    network = SourceNetwork(name, source, symbols, entering, calls, outputs, *notes)
    return Found(network, used, sample)


def _state(module: Any, traced: Traced) -> tuple[dict[str, Learned], list[str]]:
    """Return placeholder → the parameter that it is, and the placeholders that are buffers."""
    first: dict[int, str] = {}
    for name, tensor in module.named_parameters(remove_duplicate=False):
        first.setdefault(id(tensor), name)
    parameters = dict(module.named_parameters(remove_duplicate=False))
    learned: dict[str, Learned] = {}
    buffers: list[str] = []
    for each in traced.program.graph_signature.input_specs:
        placeholder, target = getattr(each.arg, "name", ""), each.target
        if target in parameters:
            tensor = parameters[target]
            shape = tuple(map(int, tensor.shape))
            learned[placeholder] = Learned(
                first[id(tensor)], prod(shape), shape, bool(tensor.requires_grad)
            )
        elif each.kind.name != "USER_INPUT":
            buffers.append(placeholder)
    return learned, buffers


def _outputs(graph: Any) -> list[Any]:
    """Return the nodes of the tensors that leave."""
    (output,) = (node for node in graph.nodes if node.op == "output")
    return [n for n in output.all_input_nodes if hasattr(n.meta.get("val"), "shape")]


def _used(found: Sequence[Made]) -> frozenset[str]:
    """Return the names of the parameters that calls use."""
    names = {name for made in found for weight in made.weights for name in weight.parameters}
    return frozenset(names | {made.call.weights for made in found if made.call.kind == "parameter"})


def _entering(
    graph: Any,
    traced: Traced,
    operators: OperatorGraph,
    calls: Sequence[Any],
    outputs: Sequence[str],
) -> dict[str, tuple[int | Size, ...]]:
    """Return the inputs that something reads, with their extents."""
    from archspec.importers.torch.sizes import number_of

    read_ = {tensor for call in calls for tensor in call.inputs} | {*outputs}
    found: dict[str, tuple[int | Size, ...]] = {}
    for node in graph.nodes:
        if node.op == "placeholder" and node.name in read_ and node.name not in operators.made:
            shape = node.meta["val"].shape
            found[str(node.name)] = tuple(number_of(size, traced.names) for size in shape)
    return found


def _fixed_notes(traced: Traced) -> list[str]:
    return [f"{name} is {value}: the module asks for it" for name, value in traced.fixed.items()]


def _unused_notes(module: Any, used: frozenset[str]) -> list[str]:
    """Return a note on the parameters that the forward does not use."""
    left = {n: p.numel() for n, p in module.named_parameters() if n not in used}
    if not left:
        return []
    owners = dict.fromkeys(name.rpartition(".")[0] or name for name in left)
    shown = ", ".join([*owners][:3]) + ", …" * (len(owners) > 3)
    total = sum(left.values())
    return [f"{total:,} parameters that the forward does not use are left out, of {shown}"]


def _fitted(
    source: str,
    factory: Any,
    inputs: Sequence[Entering],
    fixed: Mapping[str, Any],
    varied: Mapping[str, Sequence[Any]],
    *,
    partial: bool,
) -> Imported:
    """Return the spec of a factory in which some of its parameters are symbols."""
    from archspec.importers.folding.writing import write_fitted

    def made(values: Mapping[str, Any]) -> tuple[Any, Found]:
        module = _made(source, factory, {**fixed, **values})
        return module, network_of(module, inputs, source, partial=partial)

    def make(values: Mapping[str, Any]) -> SourceNetwork:
        found.append(made(values)[1])
        return found[-1].network

    found: list[Found] = []
    text, names = write_fitted(make, varied)
    known = found[0].network

    def measure(values: Mapping[str, int | float]) -> SourceCounts:
        own = (value for name, value in values.items() if name not in known.symbols)
        module, (network, used, sample) = made(dict(zip(varied, own, strict=True)))
        sizes = {name: value for name, value in values.items() if name in known.symbols}
        return _counted(module, inputs, Found(network, used, sample), sizes)

    return Imported(text, measure, names, (*known.notes, *known.remarks))
