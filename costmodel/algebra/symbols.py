"""The one factory of symbols."""

from functools import cache
from typing import Any

import sympy


class Symbol(sympy.Symbol):  # type: ignore[misc]
    """A symbol that also answers to its bare name: ``macs.subs({"h": 48})``.

    sympy makes ``Symbol("h")`` of that text, of which nothing is known, so that it would be another
    symbol than the positive integer ``h``, and nothing would be replaced. A plain symbol of the
    same name and assumptions is equal to it.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        plain: Any = other if type(other) in (sympy.Symbol, Symbol) else None
        return plain is not None and self._hashable_content() == plain._hashable_content()

    __hash__ = sympy.Symbol.__hash__  # of the class's name, which is the same, and the content

    def _eval_subs(self, old: Any, new: Any) -> Any:
        bare = isinstance(old, sympy.Symbol) and old == sympy.Symbol(self.name)
        return new if bare else super()._eval_subs(old, new)


@cache
def symbol(name: str, domain: str = "integer") -> Symbol:
    """Return the symbol of a name: positive, and an integer unless its domain is ``real``.

    The same name and domain give the same symbol everywhere.
    """
    if domain == "integer":
        return Symbol(name, integer=True, positive=True)
    return Symbol(name, positive=True)
