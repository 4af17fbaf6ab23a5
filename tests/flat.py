"""A network as a flat spec: one entry per call, so that importers are tested alone."""

from archspec.importers.calls import Field, Size
from archspec.importers.calls import SourceNetwork as Network


def plain(value: Field) -> object:
    """A field as YAML has it."""
    if isinstance(value, Size):
        return value.text
    if isinstance(value, tuple):
        return list(map(plain, value))
    return value


def flat_spec(network: Network) -> dict[str, object]:
    """Its spec as a mapping, every call by its own name."""
    return {
        "archspec": 1,
        "name": network.name or "imported",
        "symbols": dict(network.symbols),
        "input": {name: [plain(s) for s in shape] for name, shape in network.inputs.items()},
        "layers": [
            {call.kind: {name: plain(value) for name, value in call.fields.items()}}
            | {"name": call.name}
            | ({"from": list(call.inputs)} if call.inputs else {})
            for call in network.calls
        ],
        "outputs": list(network.outputs),
    }
