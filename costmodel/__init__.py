"""Shapes, costs and conditions of neural networks as closed forms in their symbols.

from costmodel import analyze, solve

alexnet = analyze("alexnet")    # a name of the zoo, a path, a mapping, or the text of a spec
alexnet.macs                    # a sympy expression in n, c, h, w, g
alexnet.at(h=192, w=192).macs   # a number
alexnet.function("macs")        # a vectorised NumPy function of its symbols
alexnet.table("macs").to_pandas()
solve("resnet50", for_="h", where="macs <= 2G").to_pandas()

Every command of the command line is a function here, which returns a `Document`: what a notebook
shows as a table, ``data()`` as plain data, and `to_pandas`, `to_polars`, `to_arrow` as columns.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from archspec.errors import SpecError
    from costmodel.analysis.analysis import Analysis
    from costmodel.analysis.document import Document
    from costmodel.analysis.loading import analyze
    from costmodel.cli.functions import sweep_points

    check: Callable[..., Document]
    compare: Callable[..., Document]
    conventions: Callable[..., Document]
    diff: Callable[..., Document]
    energy: Callable[..., Document]
    explain: Callable[..., Document]
    fit: Callable[..., Document]
    hardware: Callable[..., Document]
    inference: Callable[..., Document]
    latency: Callable[..., Document]
    memory: Callable[..., Document]
    prove: Callable[..., Document]
    sensitivity: Callable[..., Document]
    solve: Callable[..., Document]
    training: Callable[..., Document]
    value: Callable[..., Document]
    zoo: Callable[..., Document]

QUESTIONS = (
    *("check", "compare", "conventions", "diff", "energy", "explain", "fit", "hardware"),
    *("inference", "latency", "memory", "prove", "sensitivity", "solve", "training"),
    *("value", "zoo"),
)
"""The questions that are functions here, each of which its command's help describes."""

__all__ = ["Analysis", "Document", "SpecError", "analyze", "sweep_points", *QUESTIONS]


def require_own_language() -> None:
    """Make sure that ``archspec`` is the package that belongs to this one.

    Raises:
        ImportError: Python finds an unrelated package of that name.
    """
    import archspec

    if getattr(archspec, "DISTRIBUTION", None) != "archcost":
        raise ImportError(
            f"the package archspec at {archspec.__file__} is an unrelated one; "
            "install archcost into an environment of its own"
        )


def _table(network: "Analysis", *metrics: str, symbolic: bool = False) -> "Document":
    from costmodel.cli.functions import layers

    return layers(network, metrics, symbolic=symbolic)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _show(shown: Any) -> str:
    from costmodel.cli.functions import show

    return show(shown)


def _public(name: str) -> Any:
    """Return what a public name stands for, imported only now.

    Networks get the methods that stand above what they are made of: `table`, and what notebooks
    show.
    """
    require_own_language()
    from archspec.errors import SpecError
    from costmodel.analysis.analysis import Analysis, Point
    from costmodel.analysis.document import Document
    from costmodel.analysis.loading import analyze

    setattr(Analysis, "table", _table)  # noqa: B010
    for owner in (Analysis, Document, Point):
        setattr(owner, "_repr_html_", _show)  # noqa: B010
    if name in QUESTIONS:
        from costmodel.cli.functions import function_of

        return function_of(name)
    if name == "sweep_points":
        from costmodel.cli.functions import sweep_points

        return sweep_points
    own = {"Analysis": Analysis, "Document": Document, "SpecError": SpecError, "analyze": analyze}
    return own[name]


if not TYPE_CHECKING:  # a misspelt name is an error of the type check

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"costmodel has no '{name}'")
        return _public(name)
