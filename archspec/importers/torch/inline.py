"""The graph of an exported program with all inner graphs put in their places."""

from itertools import product
from typing import Any


def functional(program: Any) -> Any:
    """Return a program in which no operator writes into a tensor that others see through a view.

    What is written in place is, after that, read from the operator that writes it. A tensor that
    nothing of the inputs or of the parameters enters, as a mask of windows, stays as it is.

    Args:
        program: PyTorch's exported program.
    """
    nodes = [*program.graph.nodes]
    place = {node: i for i, node in enumerate(nodes)}
    roots: dict[Any, Any] = {}
    seen_through: dict[Any, list[Any]] = {}
    fed: set[Any] = set()
    for node in nodes:
        writes, views = _aliasing(node)
        if node.op == "placeholder" or (reads_elements(node) and fed & {*node.all_input_nodes}):
            fed.add(node)
            fed |= {*node.args[:1]} if writes else set()
        writes = writes and node in fed
        base = node.args[0] if (writes or views) and node.args else node
        roots[node] = root = roots.get(base, base)
        if writes:
            others = (each for each in seen_through.get(root, ()) if each is not base)
            if any(place[user] > place[node] for each in others for user in each.users):
                return program.run_decompositions({})
            base.replace_all_uses_with(node, lambda user, node=node: place[user] > place[node])
        seen_through.setdefault(root, []).append(node)
    return program


SHAPES_ONLY = frozenset(
    f"{how}_{what}"
    for how, what in (
        *product(("zeros", "ones", "full", "empty", "rand", "randn"), ("like",)),
        *product(("new",), ("zeros", "ones", "full", "empty")),
    )
)
"""Operators that read the shape of a tensor and nothing else."""


def reads_elements(node: Any) -> bool:
    """Return whether a node reads more of the tensors that enter it than their shapes."""
    is_size = not has_tensor(node.meta.get("val"))
    return not is_size and getattr(node.target, "_opname", "") not in SHAPES_ONLY


def has_tensor(value: Any) -> bool:
    """Return whether a value of the graph is a tensor, or several."""
    if isinstance(value, tuple | list):
        return any(map(has_tensor, value))
    return hasattr(value, "shape")


def _aliasing(node: Any) -> tuple[bool, bool]:
    """Return whether an operator writes into its first tensor, and whether it is a view of it."""
    if getattr(node.target, "__name__", "") == "getitem":
        return False, True
    schema = getattr(node.target, "_schema", None)
    if schema is None or not schema.arguments or not schema.returns:
        return False, False
    alias = schema.arguments[0].alias_info
    return bool(alias and alias.is_write), bool(alias and schema.returns[0].alias_info)


def inlined(program: Any) -> Any:
    """Return the graph of a program; what runs without gradients or casts is part of it.

    Args:
        program: PyTorch's exported program.
    """
    graph, owner = program.graph, program.graph_module
    while (found := _outer(graph, owner)) is not None:
        node, inner, arguments = found
        holes = [each for each in inner.graph.nodes if each.op == "placeholder"]
        places = dict(zip(holes, arguments, strict=True))
        for each in inner.graph.nodes:
            if each.op == "get_attr":
                setattr(owner, f"{node.name}_{each.target}", getattr(inner, each.target))
        with graph.inserting_before(node):
            left = graph.graph_copy(inner.graph, places)
        for each in graph.nodes:
            if each.op == "get_attr" and not hasattr(owner, each.target):
                each.target = f"{node.name}_{each.target}"
        _hand_on(graph, node, left)
    return graph


def _outer(graph: Any, owner: Any) -> tuple[Any, Any, Any] | None:
    """Return the first operator that runs an inner graph, with that graph and its arguments."""
    for node in graph.nodes:
        if node.op != "call_function":
            continue
        for i, each in enumerate(node.args):
            if getattr(each, "op", "") == "get_attr" and hasattr(
                getattr(owner, each.target, None), "graph"
            ):
                return node, getattr(owner, each.target), node.args[i + 1 :]
    return None


def _hand_on(graph: Any, node: Any, left: Any) -> None:
    """Let what leaves an inner graph stand for the outputs of the operator that ran it."""
    outputs = left if isinstance(left, tuple | list) else (left,)
    for user in [*node.users]:
        if getattr(user.target, "__name__", "") == "getitem":
            user.replace_all_uses_with(outputs[user.args[1]])
            graph.erase_node(user)
    if node.users:
        node.replace_all_uses_with(outputs[0])
    graph.erase_node(node)
