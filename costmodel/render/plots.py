"""Plots as files, with matplotlib (the extra ``plot``), which is imported only here and now."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from warnings import catch_warnings, filterwarnings

from archspec.errors import SpecError, visible
from archspec.files import require_writable, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes

T = TypeVar("T")

SUFFIXES = (".svg", ".png", ".pdf")
"""The kinds of files that a plot can be, by the end of the path."""

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#777777"
"""Colours that are told apart by all eyes. Source: Okabe and Ito, 2008."""


class Drawing(NamedTuple):
    """A figure that was drawn.

    Attributes:
        about: the networks, and what is shown of them, on one line.
        digest: what changes with the numbers and words that are shown, whatever draws them.
    """

    about: str
    digest: str


_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "archcost",
    "svg.fonttype": "none",
    "font.size": 9,
    "text.usetex": False,  # whatever a person's own matplotlib does with texts
}
"""The settings of every figure."""


def plot(
    path: str,
    about: str,
    shown: T,
    paint: "Callable[[T, Axes], None]",
    *,
    width: float = 8,
    height: float = 4.5,
) -> Drawing:
    """Draw into a file; the same drawing is the same file.

    Args:
        path: where to; its end says what kind of file it is.
        about: the networks, and what is shown of them.
        shown: all that the drawing shows, as records and lists of numbers and texts.
        paint: draws that on the axes, and nothing else.
        width: in inches.
        height: in inches.

    Raises:
        SpecError: the path has another end, cannot be written, or matplotlib is missing.
    """
    require_plot(path)
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE), catch_warnings():
        filterwarnings("ignore", "Glyph .* missing")  # the reader of an SVG may have the sign
        figure = Figure(figsize=(width, height), layout="constrained", dpi=150)
        paint(drawable(shown), figure.subplots())
        dated = {".svg": "Date", ".pdf": "CreationDate"}.get(Path(path).suffix)
        form, metadata = Path(path).suffix.removeprefix("."), {dated: None} if dated else {}
        with written(path) as draft:
            figure.savefig(draft, format=form, metadata=metadata, facecolor="white")
    return Drawing(" ".join(about.split()), digest_of((shown, width, height)))


def drawable(shown: T) -> T:
    """Return what is to be drawn, with every text in it drawn as it is.

    No dollar of a text begins a formula of matplotlib's, and no sign of it is one that SVG cannot
    hold (see `visible`); lines may end in it.
    """
    if isinstance(shown, str):
        return visible(shown, keep="\n").replace("$", r"\$")  # type: ignore[return-value]
    if isinstance(shown, tuple | list):
        parts = map(drawable, shown)
        return type(shown)(*parts) if hasattr(shown, "_fields") else type(shown)(parts)
    return shown


def digest_of(shown: Any) -> str:
    """Twelve hexadecimal digits that change with what is shown.

    Fractional numbers count to 12 digits: the last of 16 may differ between machines.
    """
    from hashlib import sha256

    return sha256(_as_text(shown).encode()).hexdigest()[:12]


def _as_text(shown: Any) -> str:
    """Numbers, texts, records and arrays as one text; different ones are different texts."""
    if isinstance(shown, float):
        return f"{shown:.12g}"
    if isinstance(shown, tuple | list):
        return f"({','.join(map(_as_text, shown))})"
    return _as_text(shown.tolist()) if hasattr(shown, "tolist") else repr(shown)


def require_plot(path: str) -> None:
    """Make sure, before anything is worked out, that a plot can be made.

    Raises:
        SpecError: the path has another end or cannot be written, or matplotlib is missing.
    """
    if Path(path).suffix not in SUFFIXES:
        raise SpecError(f"a plot is no '{path}'", hint=f"its end is {', '.join(SUFFIXES)}")
    require_writable(path)
    try:
        import matplotlib  # noqa: F401 - whether it is there
    except ImportError:
        raise SpecError(
            "plots need matplotlib", hint="pip install matplotlib, the extra 'plot' of archcost"
        ) from None
