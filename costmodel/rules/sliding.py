"""Checks that convolutions and pooling share, of their windows and their input."""

from collections.abc import Iterable

from sympy import Expr

from archspec.fields import Expression
from costmodel.algebra.conditions import AtLeast
from costmodel.rules.base import Site, show_shape
from costmodel.rules.nests import AxisMap
from costmodel.rules.windows import AXES, Window


def require_output(site: Site, windows: Iterable[Window]) -> tuple[Expr, ...]:
    """Return the sizes of a sliding window's output, and require each to be at least 1.

    Raises:
        SpecError: one of them is 0 or less, whatever the symbols are.
    """
    outputs = []
    for window in windows:
        output = window.output
        site.require(
            AtLeast(output, 1),
            f"the window ({{span}}) must fit the padded {window.word} ({{padded}})",
            {"span": window.span, "padded": window.size + window.before + window.after},
            "kernel_size",
        )
        outputs.append(output)
    return tuple(outputs)


def tap_axes(windows: Iterable[Window]) -> tuple[AxisMap, ...]:
    """Return the index that each window tap reads, ``s·h_o + d·k_h − p``, for each axis."""
    return tuple(
        AxisMap((f"{w.axis}_o", f"k_{w.axis}"), (w.stride, w.dilation), -w.sides[0])
        for w in windows
    )


def spatial_input(site: Site, rank: int) -> tuple[Expr, ...]:
    """The spatial axes of an input ``(n, c, …)`` with ``rank`` of them.

    Raises:
        SpecError: the input has another number of axes.
    """
    axes = ", ".join(("n", "c", *AXES[rank]))
    if len(site.input) != rank + 2:
        raise site.node.error(
            f"the input {show_shape(site.input)} has {len(site.input)} axes, not ({axes})"
        )
    return site.input[2:]


def require_probability(site: Site, name: str, expression: Expression) -> None:
    """A field is a number from 0 to 1."""
    value = site.value(name, expression)
    rule = f"{name} ({{value}}) must be from 0 to 1"
    for bound in (AtLeast(value, 0), AtLeast(1 - value, 0)):
        site.require(bound, rule, {"value": value}, name)


def require_mode(site: Site, mode: str, size: Expr, side: Expr, field: str) -> None:
    """PyTorch: a reflection is smaller than the axis, a circular padding at most as large."""
    if mode in ("reflect", "circular"):
        most = "less than" if mode == "reflect" else "at most"
        rule = f"{field} ({{side}}) must be {most} the axis ({{size}}) in mode {mode}"
        least = 1 if mode == "reflect" else 0
        site.require(AtLeast(size - side, least), rule, {"side": side, "size": size}, field)
