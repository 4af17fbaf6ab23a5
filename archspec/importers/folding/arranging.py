"""A network's calls as folding takes them: with names of their own, each where it belongs.

A source may make what has no input, as a learned table, before all else: here it stands in the
module that uses it, right before it is used. And a list of tensors that grows, each time joined
anew (DenseNet: ``concat(x, a)``, ``concat(x, a, b)``, …), is joined step by step: each
concatenation reads the one before it, so that all its steps are the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from archspec.errors import SpecError
from archspec.importers.calls import LayerCall, SourceModule, SourceNetwork
from archspec.importers.folding.drafts import unnumbered
from archspec.importers.folding.naming import as_name, unused
from archspec.layers import find_kind

MIN_STEPS = 3
"""The fewest concatenations of a list that grows."""

STEPWISE = (
    "a list of tensors that grows is joined step by step, as an implementation with one buffer does"
    " it: memory_peak is that of such a one"
)


def arranged(network: SourceNetwork) -> SourceNetwork:
    """Return a network with its calls as folding takes them.

    Args:
        network: the network.

    Raises:
        SpecError: it has no call or output, or one takes what nothing before it makes.
    """
    calls, outputs = _renamed(network)
    if not calls or not outputs:
        raise SpecError("the network has no layer" if not calls else "nothing leaves the network")
    steps = _stepwise(settled := _settled(calls))
    notes = () if steps == settled else (STEPWISE,)
    return network._replace(calls=tuple(steps), outputs=outputs, notes=notes)


def _renamed(network: SourceNetwork) -> tuple[list[LayerCall], tuple[str, ...]]:
    """Return the calls and outputs, where ``.1`` is the number of an output and nothing else."""
    tensors = {name: name for name in network.inputs}
    several: dict[str, bool] = {}
    calls: list[LayerCall] = []
    for call in network.calls:
        if call.name in tensors:
            raise SpecError(f"two calls or inputs are named '{call.name}'")
        layer = find_kind(call.kind)
        name = unused(as_name(call.name, call.kind), {*several, *network.inputs})
        inputs = tuple(_tensor(given, tensors, several, call.name) for given in call.inputs)
        tensors[call.name] = name
        several[name] = layer.has_numbered_outputs(call.fields)
        calls.append(call._replace(name=name, inputs=inputs))
    return calls, tuple(_tensor(t, tensors, several, "outputs") for t in network.outputs)


def _tensor(given: str, tensors: Mapping[str, str], several: Mapping[str, bool], user: str) -> str:
    """Return a tensor by its new name; of a call that has several outputs with its number."""
    if given in tensors:
        name = tensors[given]
        return f"{name}.0" if several.get(name) else name
    bearer, _, number = given.rpartition(".")
    if bearer not in tensors or not number.isdecimal():
        raise SpecError(f"{user} takes '{given}', which nothing before it makes")
    name = tensors[bearer]
    return f"{name}.{int(number)}" if several.get(name) else name


def _settled(calls: Sequence[LayerCall]) -> list[LayerCall]:
    """Return calls of which those without inputs and modules stand where they are used."""
    free = {call.name: call for call in calls if not call.inputs and not call.modules}
    users: dict[str, list[LayerCall]] = {}
    for call in calls:
        for tensor in dict.fromkeys(call.inputs):
            users.setdefault(unnumbered(tensor), []).append(call)
    found: list[LayerCall] = []
    for call in calls:
        for tensor in dict.fromkeys(map(unnumbered, call.inputs)):
            if tensor in free:
                modules = common(user.modules for user in users[tensor])
                found.append(free.pop(tensor)._replace(modules=modules))
        if call.name not in free or call.name not in users:
            found.append(call)
    return found


def common(modules: Iterable[tuple[SourceModule, ...]]) -> tuple[SourceModule, ...]:
    """Return the modules that several calls stand in, outermost first.

    Args:
        modules: the modules of each call.
    """
    found: list[SourceModule] = []
    for first, *others in zip(*modules, strict=False):
        if any(other != first for other in others):
            break
        found.append(first)
    return tuple(found)


def _stepwise(calls: Sequence[LayerCall]) -> list[LayerCall]:
    """Return calls in which a concatenation of more than an earlier one reads that one."""
    makers = {call.name: call for call in calls}
    joined: dict[tuple[str, ...], str] = {}
    longest: dict[str, tuple[str, ...]] = {}
    steps: dict[str, tuple[str, ...]] = {}
    for call in calls:
        if call.kind == "concat" and len(call.inputs) > 1:
            before = joined.get(call.inputs[:-1])
            if before and dict(makers[before].fields) == dict(call.fields):
                longest[call.name] = (*longest.get(before, (before,)), call.name)
            joined.setdefault(call.inputs, call.name)
    for names in longest.values():
        if len(names) >= MIN_STEPS:
            steps |= {name: (before, makers[name].inputs[-1]) for before, name in pairwise(names)}
            steps.setdefault(names[0], makers[names[0]].inputs)
    return [_step(call, steps[call.name], makers) if call.name in steps else call for call in calls]


def _step(call: LayerCall, inputs: tuple[str, ...], makers: Mapping[str, LayerCall]) -> LayerCall:
    """Return a concatenation as a step of the module in which what it joins was made."""
    last = makers.get(unnumbered(inputs[-1]), call)
    return call._replace(inputs=inputs, modules=common((call.modules, last.modules)))
