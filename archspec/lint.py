"""Find what has no effect in a spec: unused names, and layers whose output nothing reads."""

from collections.abc import Iterable, Iterator, Mapping, Set
from itertools import chain
from typing import Any, NamedTuple

from pydantic import BaseModel

from archspec.architecture import Architecture
from archspec.composites import Composite
from archspec.document import Path_
from archspec.entries import BlockCall, Entry
from archspec.errors import Origin
from archspec.graph import Graph, Group, Node, Repeat, items_in
from archspec.layers import Layer, find_kind
from archspec.trees import Name, Tensor


class SpecWarning(NamedTuple):
    """Something that is right by the rules and is probably not meant.

    Attributes:
        cause: what is without effect.
        origin: where it stands.
        entry: what it belongs to.
    """

    cause: str
    origin: Origin
    entry: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.entry}: {self.cause}"


def warnings_of(architecture: Architecture, graph: Graph) -> tuple[SpecWarning, ...]:
    """The warnings of a spec, by place."""
    found = [
        *_unused_names(architecture),
        *_unused_blocks(architecture),
        *_unused_types(architecture, graph),
        *_unreachable(graph, architecture),
    ]
    return tuple(sorted(found, key=lambda warning: warning.origin))


def names_in(value: Any) -> Iterator[str]:
    """Yield every name in the expressions of a value, however deep they are."""
    if isinstance(value, Name):
        yield value.id
    elif isinstance(value, BaseModel):
        for field in value.model_fields_set:
            yield from names_in(getattr(value, field))
    elif isinstance(value, Mapping):
        yield from names_in(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from names_in(item)


def _unused_names(architecture: Architecture) -> Iterator[SpecWarning]:
    """Yield the symbols, ``let`` values and parameters of blocks that no expression uses."""
    header = architecture.written
    variants = [variant.let for variant in header.variants.values()]
    used = {*names_in((header.input, header.let, variants, architecture.entries))}
    for name, block in architecture.blocks.items():
        inner = {*names_in(tuple(block[:-1]))}
        used |= inner
        if name not in header.blocks:
            continue
        yield from _unused(architecture, ("blocks", name, "parameters"), block.parameters, inner)
    yield from _unused(architecture, ("symbols",), header.symbols, used)
    yield from _unused(architecture, ("let",), header.let, used)


def _unused(
    architecture: Architecture, path: Path_, names: Iterable[str], used: set[str]
) -> Iterator[SpecWarning]:
    for name in names:
        if name not in used:
            origin = architecture.document.key_origin((*path, name))
            yield SpecWarning(f"'{name}' is never used", origin, ".".join(map(str, path[:2])))


def _unused_blocks(architecture: Architecture) -> Iterator[SpecWarning]:
    """Yield the blocks that neither an entry nor a block in use calls."""
    called: set[str] = set()
    lists = [architecture.entries]
    while lists:
        for each in _contents(lists.pop()):
            if isinstance(each, BlockCall) and each.block not in called:
                called.add(each.block)
                lists.append(architecture.blocks[each.block].entries)
    yield from _unused(architecture, ("blocks",), architecture.written.blocks, called)


def _contents(entries: Iterable[Entry]) -> Iterator[Layer | Composite | BlockCall]:
    """Yield the content of every entry as written, those inside bodies included."""
    for entry in entries:
        yield entry.content
        for body in chain.from_iterable(entry.bodies.values()):
            yield from _contents(body)


def _unused_types(architecture: Architecture, graph: Graph) -> Iterator[SpecWarning]:
    """Yield the kinds that are given number types although the spec has no layer of them."""
    if not architecture.header.precision.kinds:
        return
    lists = (architecture.entries, *(block.entries for block in architecture.blocks.values()))
    written = chain.from_iterable(map(_contents, lists))
    kinds = {each.kind for each in written if isinstance(each, Layer)}
    kinds |= {node.kind for node in graph.nodes}
    for name in architecture.document.data["precision"]["kinds"]:
        if find_kind(name).kind not in kinds:
            origin = architecture.document.key_origin(("precision", "kinds", name))
            yield SpecWarning(f"no layer is '{name}'", origin, "precision.kinds")


def _unreachable(graph: Graph, architecture: Architecture) -> Iterator[SpecWarning]:
    """Yield the layers, repeats and inputs that nothing takes and the network does not return.

    An input that an entry names is not among them, though that entry is of another variant.
    """
    tensors = _taken(graph)
    taken = {tensor.producer for tensor in tensors}
    taken |= {node.owner for node in graph.nodes if node.owner}
    for item in items_in(graph.items):
        if isinstance(item, Group):
            continue
        if item.path not in taken:
            cause = "nothing takes its output; it counts all the same"
            yield SpecWarning(cause, item.origin, item.path)
        elif isinstance(item, Node):
            yield from _unused_outputs(item, tensors)
    taken |= {*names_in(tuple(entry.sources for entry in architecture.entries))}
    for given in graph.inputs:
        if given.name not in taken:
            yield SpecWarning("nothing takes this input", given.origins[0], f"input.{given.name}")


def _unused_outputs(node: Node, taken: Set[Tensor]) -> Iterator[SpecWarning]:
    """Yield the outputs that nothing takes of a layer with several, of which one is taken."""
    count = node.layer.outputs
    for number in range(count if count > 1 else 0):
        if Tensor(node.path, number) not in taken:
            cause = (
                f"nothing takes its output {node.name}.{number}; take it with from: "
                f"{node.name}.{number}, or write slice or select for the part that is used"
            )
            yield SpecWarning(cause, node.origin, node.path)


def _taken(graph: Graph) -> set[Tensor]:
    """The tensors that layers read; a repeat also reads its own results, and leaves the network's.

    What enters a repeat is read where something in it reads its entry.
    """
    found = {graph.output, *graph.sides}
    for item in reversed([*items_in(graph.items)]):  # what is in a repeat comes before it
        if isinstance(item, Node):
            found.update(item.inputs)
        elif isinstance(item, Repeat):
            found |= {each.result for each in item.carried} | {*item.sides}
            found |= {each.source for each in item.carried if each.entry in found}
            found |= {item.chosen_by} if item.chosen_by else set()
    return found
