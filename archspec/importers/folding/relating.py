"""Sizes as expressions of the sizes that enter a block, which are the same at each of its places.

A window that is cut out of a feature map pads it to whole windows: as expressions of the network's
symbols its sizes are others in each stage, and longer from stage to stage. As expressions of the
map that enters they are one.
"""

import ast
import re
from collections.abc import Iterator, Sequence

from archspec.importers.calls import Field, Size

Shape = Sequence[int | Size]
"""The extents of a tensor."""


def related(column: Sequence[Field | None], shapes: Sequence[Shape | None]) -> Size | None:
    """Return the one expression of the entering sizes that numbers are; None where there is none.

    Args:
        column: a number at each place of a block.
        shapes: the extents of the tensor that enters it there, where they are known.
    """
    found = set()
    for value, shape in zip(column, shapes, strict=True):
        if not isinstance(value, Size) or shape is None:
            return None
        found.add(_by_entering(value.text, shape))
        if len(found) > 1:
            return None
    return Size(found.pop())


def _by_entering(text: str, shape: Shape) -> str:
    """Return an expression in which ``in_shape[i]`` stands for what equals it."""
    extents = [(e.text, f"in_shape[{i}]") for i, e in enumerate(shape) if isinstance(e, Size)]
    for extent, name in sorted(extents, key=lambda each: -len(each[0])):
        form = ast.dump(_parsed(extent))
        for start, stop in reversed([*_spans(_parsed(text), form)]):
            text = f"{text[:start]}{name}{text[stop:]}"
    return re.sub(r"(?<!\w)\((in_shape\[\d+\])\)", r"\1", text)


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _spans(tree: ast.AST, form: str) -> Iterator[tuple[int, int]]:
    """Yield where an expression has a part of some form, without parts of such parts."""
    if isinstance(tree, ast.expr) and ast.dump(tree) == form:
        yield tree.col_offset, tree.end_col_offset or 0
        return
    for each in ast.iter_child_nodes(tree):
        yield from _spans(each, form)
