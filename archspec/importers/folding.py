"""Network → draft: modules become blocks, equal neighbours repeats, sums residuals."""

from collections.abc import Mapping

from archspec.errors import SpecError
from archspec.importers.calls import Call, Network
from archspec.importers.drafts import Body, Draft, Item, Named, unnumbered
from archspec.importers.naming import as_name, unused
from archspec.layers import Layer, find_kind


def fold(network: Network) -> Draft:
    """Return the entries of a network.

    Args:
        network: the network.
    """
    calls, outputs = _renamed(network)
    body = Body(tuple(_items(calls)), tuple(network.inputs), outputs[-1])
    return Draft(body, {}, outputs)


def _renamed(network: Network) -> tuple[tuple[Call, ...], tuple[str, ...]]:
    """Return the calls and outputs, where ``.1`` is the number of an output and nothing else."""
    tensors = {name: name for name in network.inputs}
    several: dict[str, bool] = {}
    calls: list[Call] = []
    for call in network.calls:
        if call.name in tensors:
            raise SpecError(f"two calls or inputs are named '{call.name}'")
        layer = find_kind(call.kind)
        name = unused(as_name(call.name, call.kind), {*several, *network.inputs})
        inputs = tuple(_tensor(given, tensors, several, call.name) for given in call.inputs)
        tensors[call.name] = name
        several[name] = layer.outputs is not Layer.outputs
        calls.append(call._replace(name=name, inputs=inputs))
    return tuple(calls), tuple(_tensor(t, tensors, several, "outputs") for t in network.outputs)


def _tensor(
    given: str, tensors: Mapping[str, str], several: Mapping[str, bool], user: str
) -> str:
    """Return a tensor by its new name; of a call that has several outputs with its number."""
    if given in tensors:
        name = tensors[given]
        return f"{name}.0" if several.get(name) else name
    bearer, _, number = given.rpartition(".")
    if bearer not in tensors or not number.isdecimal():
        raise SpecError(f"{user} takes '{given}', which nothing before it makes")
    name = tensors[bearer]
    return f"{name}.{int(number)}" if several.get(name) else name


def _items(calls: tuple[Call, ...]) -> list[Item]:
    """Return an entry for each call."""
    used = {tensor for call in calls for tensor in call.inputs}
    owners: dict[str, str] = {}
    items = []
    for call in calls:
        parts = sorted((t for t in used if unnumbered(t) == call.name), key=len)
        outputs = tuple(parts) or (call.name,)
        owner = owners.setdefault(call.weights, outputs[0]) if call.weights else outputs[0]
        items.append(_item(call, outputs, owner))
    return items


def _item(call: Call, outputs: tuple[str, ...], owner: str) -> Item:
    """Return the entry of a call, which shares its weights where another owns them."""
    if owner == outputs[0]:
        return Item(call.kind, call.inputs, outputs, call.fields, runs=((call,),))
    return Item("share", call.inputs, outputs, {"of": Named(owner)}, runs=((call,),))
