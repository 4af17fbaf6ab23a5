"""What a network costs: shapes, counts and conditions as closed forms in its symbols.

    from costmodel import analyze

    alexnet = analyze("specs/alexnet.yaml")
    alexnet.macs                    # a sympy expression in n, c, h, w, g
    alexnet.at(h=192, w=192).macs   # a number
    alexnet.function("macs")        # a vectorised NumPy function of its symbols
"""

from archspec.errors import SpecError
from costmodel.analysis import Analysis, analyze

__all__ = ["Analysis", "SpecError", "analyze"]
