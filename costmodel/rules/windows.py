"""Windows that slide over an axis: the arithmetic that convolutions and pooling share."""

from typing import NamedTuple

from sympy import Expr, S

from costmodel.algebra.functions import Maximum, Minimum, absorbed, ceil_div, floor_div
from costmodel.rules.formula import SizeFormula

AXES = {1: ("l",), 2: ("h", "w"), 3: ("d", "h", "w")}
"""What the spatial axes of an input of each rank are called."""


class Window(NamedTuple):
    """A kernel on one axis.

    Attributes:
        axis: the axis' name, ``h``.
        size: extent of the input, h_i.
        kernel: taps, k.
        stride: step, s.
        dilation: distance of taps, d.
        before: padding before, p.
        after: padding after.
        same: whether the padding is chosen so that the output is ``ceil(h_i/s)``.
        ceil_mode: whether a last window that the stride cuts off is kept, if it starts in the
            input.
    """

    axis: str
    size: Expr
    kernel: Expr
    stride: Expr
    dilation: Expr = S.One
    before: Expr = S.Zero
    after: Expr = S.Zero
    same: bool = False
    ceil_mode: bool = False

    @property
    def word(self) -> str:
        """The axis' name in words."""
        return {"h": "height", "w": "width", "d": "depth", "l": "length"}[self.axis]

    @property
    def span(self) -> Expr:
        """The extent of the dilated kernel, ``d·(k − 1) + 1``."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def skips(self) -> bool:
        """Return whether the windows provably leave gaps in the input and touch no padding."""
        known = self.stride.is_Integer and self.span.is_Integer and self.stride > self.span
        padded = self.ceil_mode or self.before != 0 or self.after != 0
        return bool(known) and not padded and (not self.same or self.span is S.One)

    @property
    def sides(self) -> tuple[Expr, Expr]:
        """The padding before and after.

        ``same`` adds ``max((h_o − 1)·s + span − h_i, 0)``, the odd element after.
        Source: TensorFlow's ``SAME``; ``torch.nn.Conv2d`` at stride 1.
        """
        if not self.same:
            return self.before, self.after
        needed = ((self.output - 1) * self.stride + self.span - self.size).expand()
        total = Maximum(needed, S.Zero)
        before = floor_div(total, 2)
        return before, total - before

    @property
    def room(self) -> Expr:
        """Positions of the first tap at stride 1, less one: ``h_i + p + p − span``."""
        return self.size + self.before + self.after - self.span

    @property
    def output(self) -> Expr:
        """Return the number of windows, h_o, as a single floor division.

        With ``ceil_mode`` the windows are those of a division that rounds up, but at most
        ``ceil((h_i + p)/s)``, since the last must start in the input or the padding before it; of
        two floors over the same stride the smaller has the smaller dividend.
        """
        if self.same:
            return absorbed(ceil_div(self.size, self.stride))
        dividend = (self.room + self.stride).expand()
        if self.ceil_mode:
            last_start = (self.size + self.before + self.stride - 1).expand()
            rounded_up = (dividend + self.stride - 1).expand()
            dividend = Minimum(rounded_up, last_start)
        return absorbed(floor_div(dividend, self.stride))

    def derivation(self, output: Expr) -> SizeFormula:
        """Return the derivation of the output size, as the lecture's slides show it."""
        axis, size = self.axis, f"{{{self.axis}_i}}"
        names = {f"{axis}_i": self.size, "s": self.stride}
        if self.same:
            return SizeFormula(f"{axis}_o", f"⌈{size}/{{s}}⌉", names, output)
        if self.before == self.after:
            padding, padded = " + 2·{p}", {"p": self.before}
        else:
            padding = " + {p_before} + {p_after}"
            padded = {"p_before": self.before, "p_after": self.after}
        k = f"k_{axis}"
        is_dense = self.dilation is S.One
        kernel = f" − {{{k}}}" if is_dense else f" − {{d}}·({{{k}}} − 1) − 1"
        names |= padded | {k: self.kernel} | ({} if is_dense else {"d": self.dilation})
        over = f"{size}{padding}{kernel}"
        if self.ceil_mode:
            template = f"min(⌈({over})/{{s}}⌉ + 1, ⌈({size} + {{p}})/{{s}}⌉)"
            return SizeFormula(f"{axis}_o", template, names, output)
        template = f"⌊({over})/{{s}}⌋ + 1"
        return SizeFormula(f"{axis}_o", template, names, output, (self.room, self.stride))
