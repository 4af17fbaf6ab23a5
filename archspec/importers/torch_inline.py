"""The graph of an exported program with all inner graphs put in their places."""

from typing import Any


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
