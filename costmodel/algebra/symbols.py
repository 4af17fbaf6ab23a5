"""The one factory of symbols."""

from functools import cache

from sympy import Symbol


@cache
def symbol(name: str, domain: str = "integer") -> Symbol:
    """Return the symbol of a name: positive, and an integer unless its domain is ``real``.

    The same name and domain give the same symbol everywhere.
    """
    if domain == "integer":
        return Symbol(name, integer=True, positive=True)
    return Symbol(name, positive=True)
