"""Modules that exporters of torch say the nodes of an ONNX graph stand in."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from archspec.importers.calls import SourceModule

if TYPE_CHECKING:
    from onnx import NodeProto


def modules_of(node: "NodeProto") -> tuple[SourceModule, ...]:
    """Return the modules that an exporter of torch says a node stands in, outermost first.

    Args:
        node: the node: named as ``/layer1/layer1.0/conv2/Conv``, or with the exporter's metadata.
    """
    noted = _noted_modules(node)
    if noted or not node.name.startswith("/"):
        return noted
    path = ""
    found = [SourceModule("", "")]
    for part in node.name.split("/")[1:-1]:
        inside = not path or part.startswith(f"{path}.")
        path = part if inside else f"{path}.{part}"
        found.append(SourceModule(path, _class_of(path)))
    return tuple(found)


def _class_of(path: str) -> str:
    """A class that the file does not tell: the last word of the path, without its number."""
    return path.rpartition(".")[2].rstrip("0123456789_") or "Block"


def _noted_modules(node: "NodeProto") -> tuple[SourceModule, ...]:
    from ast import literal_eval

    notes = {entry.key: entry.value for entry in node.metadata_props}
    try:
        scopes = literal_eval(notes["pkg.torch.onnx.name_scopes"])
        classes = literal_eval(notes["pkg.torch.onnx.class_hierarchy"])
        rows = list(zip(scopes[:-1], classes[:-1], strict=True))
    except (KeyError, ValueError, SyntaxError, TypeError):
        return ()
    return tuple(SourceModule(str(scope), str(name).rpartition(".")[2]) for scope, name in rows)


def weight_name(node: "NodeProto", name: str, extents: Iterable[int | None]) -> str:
    """Return what identifies a stored tensor where a node takes it.

    Torch's exporter stores small tensors of equal values once, as biases that are still 0. Of two
    modules that take one vector each has its own; a matrix is shared.
    """
    is_vector = sum(size != 1 for size in extents) <= 1
    modules = _noted_modules(node) if is_vector else ()
    return f"{name} of {modules[-1].path}" if modules else name
