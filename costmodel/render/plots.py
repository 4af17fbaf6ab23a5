"""Plots as files, with matplotlib (the extra ``plot``), which is imported only here and now."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.errors import SpecError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Paint = Callable[[Axes], None]

SUFFIXES = (".svg", ".png", ".pdf")
"""The kinds of files that a plot can be, by the end of the path."""

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#777777"
"""Colours that are told apart by all eyes. Source: Okabe and Ito, 2008."""


def plot(path: str, paint: "Paint", *, width: float = 8, height: float = 4.5) -> None:
    """Draw into a file; the same drawing is the same file.

    Args:
        path: where to; its end says what kind of file it is.
        paint: draws on the axes.
        width: in inches.
        height: in inches.

    Raises:
        SpecError: the path has another end, cannot be written, or matplotlib is missing.
    """
    require_plot(path)
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "archcost", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(width, height), layout="constrained", dpi=150)
        paint(figure.subplots())
        dated = {".svg": "Date", ".pdf": "CreationDate"}.get(Path(path).suffix)
        try:
            figure.savefig(path, metadata={dated: None} if dated else {}, facecolor="white")
        except OSError as error:
            raise SpecError(f"cannot write {path}: {error.strerror}") from None


def require_plot(path: str) -> None:
    """Make sure, before anything is worked out, that a plot can be made.

    Raises:
        SpecError: the path has another end or is in no folder, or matplotlib is missing.
    """
    if Path(path).suffix not in SUFFIXES:
        raise SpecError(f"a plot is no '{path}'", hint=f"its end is {', '.join(SUFFIXES)}")
    if not Path(path).parent.is_dir():
        raise SpecError(f"cannot write {path}: No such file or directory")
    try:
        import matplotlib  # noqa: F401 - whether it is there
    except ImportError:
        raise SpecError("plots need matplotlib", hint="pip install 'archcost[plot]'") from None
