"""The rows of operators that arrange elements anew, or look them up."""

from collections.abc import Sequence
from typing import Any

from archspec.importers.calls import Field, Size
from archspec.importers.torch.fields import alias, field_of, per_axis, rounded, same_size, written
from archspec.importers.torch.graph import Operator
from archspec.importers.torch.sizes import Number, is_whole, new_shape
from archspec.layers import KINDS


def reshape(op: Operator) -> str:
    """Add another shape of the same elements, unless it is that which enters."""
    source = op.first
    entering = op.shape_of(source)
    if len(entering) == len(op.shape) and all(
        same_size(a, b) for a, b in zip(entering, op.shape, strict=True)
    ):
        return alias(op, op.tensor(source))
    shape = new_shape(op.shape, entering, op.graph.names)
    return op.emit("reshape", {"shape": shape}, [op.tensor(source)])


def flatten(op: Operator) -> str:
    """Add the joint of neighbouring axes, unless it is one alone."""
    start, end = op.plain("start_dim"), op.plain("end_dim")
    rank = len(op.shape_of("self"))
    if rank and (start % rank) == (end % rank):
        return alias(op, op.tensor("self"))
    fields = written(op, KINDS["flatten"], {"start_dim": start, "end_dim": end})
    return op.emit("flatten", fields, [op.tensor("self")])


def split(op: Operator) -> str:
    """Add the parts of an axis, by the extents of what leaves."""
    axis = op.plain("dim") or 0
    sizes = tuple(op.number(part.shape[axis]) for part in op.value)
    if len(sizes) == 1:
        return alias(op, op.tensor("self"))
    if all(size == sizes[0] for size in sizes):
        fields: dict[str, Any] = {"chunks": len(sizes), "dim": axis}
        return op.emit("chunk", written(op, KINDS["chunk"], fields), [op.tensor("self")])
    if sum(isinstance(size, Size) for size in sizes) and isinstance(sizes[-1], Size):
        return _chunks(op, axis, sizes)
    given = {"sizes": sizes} | ({"dim": axis} if axis != 1 else {})
    return op.emit("split", given, [op.tensor("self")])


def _chunks(op: Operator, axis: int, sizes: Sequence[Number]) -> str:
    given: dict[str, Field] = {"sizes": tuple(sizes)}
    return op.emit("split", given | ({"dim": axis} if axis != 1 else {}), [op.tensor("self")])


def unbind(op: Operator) -> None:
    """Let each part of an axis be selected where it is used."""


def item(op: Operator) -> str:
    """Take one of several outputs."""
    source, index = op.node.args
    name = getattr(source.target, "_opname", "")
    if name == "unbind":
        inner = Operator(op.graph, source)
        fields = written(op, KINDS["select"], {"dim": inner.plain("dim"), "index": index})
        fields.setdefault("dim", inner.plain("dim"))
        return op.emit("select", fields, [inner.tensor("self")])
    tensor = op.graph.aliases.get(source.name, source.name)
    if tensor in op.graph.failed:
        raise op.graph.failed[tensor]
    made = op.graph.made.get(tensor)
    if (source.name in op.graph.outputs) and (index < len(op.graph.outputs[source.name])):
        return alias(op, op.graph.outputs[source.name][index])
    if made is not None and KINDS[made.call.kind].has_numbered_outputs(made.call.fields):
        return alias(op, f"{tensor}.{index}")
    if index:
        raise op.unknown(f"output {index} of {name}")
    return alias(op, tensor)


def slice_(op: Operator) -> str:
    """Add a part of an axis, unless it is the whole."""
    axis = op.plain("dim") or 0
    before, after = op.shape_of("self")[axis], op.shape[axis]
    if same_size(before, after):
        return alias(op, op.tensor("self"))
    return op.emit("slice", _part(op, axis, before), [op.tensor("self")])


def _part(op: Operator, axis: int, before: Any) -> dict[str, Field]:
    """Return the fields of the part of an axis that an operator reads or writes."""
    start, end, step = (op.plain(n) for n in ("start", "end", "step"))
    fields: dict[str, Any] = {"dim": axis, "start": start or 0, "step": step}
    if end is not None and not (is_whole(end) and is_whole(before) and int(end) >= int(before)):
        fields["end"] = None if is_whole(end) and int(end) > 1 << 40 else end
    if isinstance(fields["start"], int) and is_whole(before) and -fields["start"] > int(before):
        fields["start"] = 0
    return {"dim": axis, **written(op, KINDS["slice"], fields)}


def select(op: Operator) -> str:
    """Add one place of an axis."""
    index = op.plain("index")
    fields: dict[str, Field] = {"dim": op.plain("dim")}
    fields |= {"index": op.number(index)} if not (is_whole(index) and int(index) == 0) else {}
    return op.emit("select", fields, [op.tensor("self")])


def squeeze(op: Operator) -> str:
    """Add a squeeze for each axis of extent 1 that goes."""
    entering, given = op.shape_of("self"), op.plain("dim")
    axes = range(len(entering)) if given is None else given
    axes = [axes] if isinstance(axes, int) else axes
    ones = sorted(
        {a % len(entering) for a in axes if is_whole(entering[a]) and int(entering[a]) == 1}
    )
    tensor = op.tensor("self")
    if not ones:
        return alias(op, tensor)
    for axis in ones[:0:-1]:
        tensor = op.emit("squeeze", {"dim": axis}, [tensor], part=f"axis{axis}")
    return op.emit("squeeze", {"dim": ones[0]}, [tensor])


def expand(op: Operator) -> str:
    """Add copies along axes of extent 1, unless there is one copy of each."""
    entering, leaving = op.shape_of("self"), op.shape
    more = len(leaving) - len(entering)
    shape = tuple(
        -1 if i >= more and same_size(entering[i - more], size) else op.number(size)
        for i, size in enumerate(leaving)
    )
    if all(size == -1 for size in shape):
        return alias(op, op.tensor("self"))
    return op.emit("expand", {"shape": shape}, [op.tensor("self")])


def repeat(op: Operator) -> str:
    """Add copies of the whole, side by side, unless there is one."""
    copies = op.plain("repeats") if "repeats" in op.arguments else op.plain("dims")
    if all(is_whole(each) and int(each) == 1 for each in copies):
        return alias(op, op.tensor("self"))
    return op.emit("tile", {"dims": op.numbers(copies)}, [op.tensor("self")])


def pad(op: Operator) -> str:
    """Add a border, unless it is empty."""
    amounts = op.plain("pad")
    if not any(not is_whole(each) or int(each) for each in amounts):
        return alias(op, op.tensor("self"))
    fields = written(op, KINDS["pad"], {"pad": amounts, "mode": op.plain("mode")})
    return op.emit("pad", fields, [op.tensor("self")])


def upsample(op: Operator) -> str:
    """Add an interpolation, by its factor where that is given."""
    parts = op.name.removeprefix("_").removeprefix("upsample_").removesuffix("_aa")
    mode = parts.rstrip("0123456789d").rstrip("_")
    mode = {"nearest-exact": "nearest", "nearest_exact": "nearest"}.get(mode, mode)
    source = op.first
    factors, sizes = op.plain("scale_factors"), op.shape[2:]
    entering = op.shape_of(source)[2:]
    if factors:
        fields: dict[str, Any] = {"scale_factor": per_axis([rounded(f) for f in factors])}
        if any(not is_whole(f) for f in map(rounded, factors) if not isinstance(f, float)):
            fields = {}
    else:
        fields = {"size": per_axis(op.numbers(sizes))}
        if all(same_size(a, b) for a, b in zip(entering, sizes, strict=True)):
            return alias(op, op.tensor(source))
    shown = dict(fields)
    if mode != "nearest":
        shown["mode"] = mode
    return op.emit("upsample", shown, [op.tensor(source)])


def index(op: Operator) -> str:
    """Add the lookup of rows of one axis."""
    given = [(i, index) for i, index in enumerate(op.arguments["indices"]) if index is not None]
    if any(str(getattr(i.meta["val"], "dtype", "")) == "torch.bool" for _, i in given):
        raise op.unknown("how many elements a mask takes depends on the data")
    axis, rows = given[0]
    if len(given) == 1:
        return lookup(op, "self", axis, rows)
    last = given[-1][0]
    if [i for i, _ in given] != [*range(axis, last + 1)]:
        raise op.unknown("it looks up by several axes that are no neighbours")
    places = op.graph.tensor(rows)
    for i, each in given[1:]:
        fields: dict[str, Field] = {"other": op.number(op.shape_of("self")[i])}
        scaled = op.emit("mul", fields, [places], part=f"rows{i}")
        places = op.emit("add", {}, [scaled, op.graph.tensor(each)], part=f"places{i}")
    joint: dict[str, Field] = {"start_dim": axis, "end_dim": last}
    flat = op.emit("flatten", joint, [op.tensor("self")], part="joint")
    rank = max(len(each.meta["val"].shape) for _, each in given)
    return _looked_up(op, flat, axis, places, rank)


def lookup(op: Operator, table: str, axis: int, rows: Any) -> str:
    """Add the lookup of rows of one axis of a tensor, by indices of any shape.

    Args:
        op: the operator.
        table: the argument that is looked up in.
        axis: the axis.
        rows: the indices.
    """
    rank = len(rows.meta["val"].shape)
    return _looked_up(op, op.tensor(table), axis, op.graph.tensor(rows), rank)


def _looked_up(op: Operator, source: str, axis: int, indices: str, rank: int) -> str:
    """Add the lookup by indices of any rank."""
    if rank == 1:
        return op.emit("index_select", {"dim": axis}, [source, indices])
    flat = op.emit("reshape", {"shape": (-1,)}, [indices], part="rows")
    made = op.emit("index_select", {"dim": axis}, [source, flat], part="lookup")
    return op.emit("reshape", {"shape": new_shape(op.shape, (), op.graph.names)}, [made])


def put(op: Operator) -> str:
    """Add the writing of places of one axis of a list, by the list of their numbers."""
    given = [index for index in op.arguments["indices"] if index is not None]
    if len(given) != 1 or len(op.shape) != 1 or len(given[0].meta["val"].shape) != 1:
        raise op.unknown("it writes to places of several axes")
    places, values = op.graph.tensor(given[0]), op.tensor("values")
    return op.emit("scatter", {"dim": 0}, [op.tensor("self"), places, values])


def index_select(op: Operator) -> str:
    """Add the places of an axis that a list of indices says."""
    fields: dict[str, Field] = {"dim": op.plain("dim")}
    return op.emit("index_select", fields, [op.tensor("self"), op.tensor("index")])


def transposed(op: Operator) -> str:
    """Add the turn of a matrix."""
    return op.emit("transpose", {}, [op.tensor("self")])


def movedim(op: Operator) -> str:
    """Add axes in another order, one of which moves."""
    rank = len(op.shape)
    source, target = op.plain("source"), op.plain("destination")
    sources = [source] if isinstance(source, int) else list(source)
    targets = [target] if isinstance(target, int) else list(target)
    order = [i for i in range(rank) if i not in [s % rank for s in sources]]
    for goal, origin in sorted(zip(targets, sources, strict=True), key=lambda p: p[0] % rank):
        order.insert(goal % rank, origin % rank)
    return op.emit("permute", {"dims": tuple(order)}, [op.tensor("self")])


def one_hot(op: Operator) -> str:
    """Add a vector for each index."""
    classes = op.shape[-1]
    return op.emit("one_hot", {"num_classes": op.number(classes)}, [op.tensor("self")])


def argsort(op: Operator) -> str:
    """Add a sort, of which the places leave."""
    fields = {name: op.plain(name) for name in ("dim", "descending")}
    made = op.emit("sort", written(op, KINDS["sort"], fields), [op.tensor("self")], part="sorted")
    return alias(op, f"{made}.1")


def roll(op: Operator) -> str:
    """Add the elements shifted around axes, unless they stay."""
    shifts, dims = op.plain("shifts"), op.plain("dims")
    if not any(shifts):
        return alias(op, op.tensor("self"))
    return op.emit(
        "roll", {"shifts": field_of(op, shifts), "dims": tuple(dims)}, [op.tensor("self")]
    )


def slice_scatter(op: Operator) -> str:
    """Add a part of a tensor written anew, unless it is the whole, or what stands there."""
    source, axis = op.tensor("self"), op.plain("dim") or 0
    before, after = op.shape_of("self")[axis], op.shape_of("src")[axis]
    if same_size(before, after):
        return alias(op, op.tensor("src"))
    read = op.graph.made.get(op.tensor("src"))
    part = "slice", _part(op, axis, before), (source,)
    if read and (read.call.kind, dict(read.call.fields), read.call.inputs) == part:
        return alias(op, source)
    return scattered(op)


def scattered(op: Operator) -> str:
    """Add elements put in other places; a slice's places are a list that costs nothing."""
    source, dim = op.tensor("self"), op.plain("dim")
    written_to = op.tensor("src") if op.is_tensor("src") else ""
    if op.name == "select_scatter":
        written_to = op.emit("unsqueeze", {"dim": dim}, [written_to], part="axis")
    extents = op.shape_of("index") if op.is_tensor("index") else op.shape_of("src")
    if op.name == "select_scatter":
        axis = dim % len(op.shape)
        extents = (*extents[:axis], 1, *extents[axis:])
    full: dict[str, Field] = {"shape": op.numbers(extents)}
    places = op.tensor("index") if op.is_tensor("index") else op.emit("full", full, (), part="at")
    written_to = written_to or op.emit("full", full, (), part="value")
    fields: dict[str, Field] = {"dim": dim, **({"reduce": "add"} if "add" in op.name else {})}
    return op.emit("scatter", fields, [source, places, written_to])


def copied(op: Operator) -> str:
    """Let what is copied be what leaves, in the shape of what it is copied to."""
    entering, leaving = op.shape_of("src"), op.shape
    if len(entering) == len(leaving) and all(map(same_size, entering, leaving)):
        return alias(op, op.tensor("src"))
    return op.emit("expand", {"shape": op.numbers(leaving)}, [op.tensor("src")])


def filled(op: Operator) -> str:
    """Add a tensor of one number, of the shape of what is filled."""
    return op.emit("full", {"shape": op.numbers(op.shape) or (1,)}, ())
