"""Shapes, costs and conditions of neural networks as closed forms in their symbols.

from costmodel import analyze

alexnet = analyze("specs/alexnet.yaml")
alexnet.macs                    # a sympy expression in n, c, h, w, g
alexnet.at(h=192, w=192).macs   # a number
alexnet.function("macs")        # a vectorised NumPy function of its symbols
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.errors import SpecError
    from costmodel.analysis.analysis import Analysis
    from costmodel.analysis.loading import analyze

__all__ = ["Analysis", "SpecError", "analyze"]


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


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"costmodel has no '{name}'")
    require_own_language()
    from archspec.errors import SpecError
    from costmodel.analysis.analysis import Analysis
    from costmodel.analysis.loading import analyze

    return {"Analysis": Analysis, "SpecError": SpecError, "analyze": analyze}[name]
