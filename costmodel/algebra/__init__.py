"""The algebra: exact expressions over integer symbols, with one floor division that composes.

sympy holds the expressions; what it does not know of floors, conditions and maxima stands here.
"""

from costmodel.algebra import floors, printing, sympy_code

__all__ = ["floors", "printing", "sympy_code"]
