"""Symbols that are linked: their values and expressions follow from what varies."""

from collections.abc import Mapping
from typing import Any

from sympy import Expr

from archspec.errors import SpecError
from archspec.expressions import ExpressionError
from archspec.scope import Scope, free_names, resolve
from archspec.trees import Measure, Name, Number, Tree
from costmodel.algebra.translate import translate
from costmodel.analysis.analysis import Analysis
from costmodel.scenario.settings import to_rational

Links = Mapping[str, Tree]
"""Symbol → the expression that decides it, those first that others hang on."""


def settled(settings: Mapping[str, Any], links: Links) -> dict[str, Any]:
    """Return settings, and the values of the symbols that are linked to these alone.

    Raises:
        SpecError: such a link has no value there.
    """
    found = dict(settings)
    for name, link in links.items():
        names = free_names(link)
        if names <= found.keys():
            numbers = {each: Number(to_rational(each, found[each])) for each in names}
            try:
                value = resolve(link, Scope(numbers))
            except ExpressionError as error:
                raise SpecError(f"link of '{name}': {error.cause}") from None
            found[name] = value.value if isinstance(value, Number) else value
    return found


def link_expressions(links: Links, analysis: Analysis) -> dict[str, Expr]:
    """Return what symbols are linked to, as expressions of what varies alone.

    Raises:
        SpecError: a link is no expression that arrays can compute.
    """
    symbols = analysis.symbols
    scope = Scope(
        {n: Name(n) if n in symbols else Number(v) for n, v in analysis.graph.values.items()}
    )
    found: dict[str, Expr] = {}

    def lookup(leaf: Name | Measure) -> Expr:
        assert isinstance(leaf, Name)
        return found.get(leaf.id, symbols[leaf.id])

    for name, link in links.items():
        try:
            found[name] = translate(resolve(link, scope), lookup)  # type: ignore[arg-type]
        except (ExpressionError, ValueError) as error:
            cause = getattr(error, "cause", str(error))
            raise SpecError(f"link of '{name}': {cause}", hint="as in w=h or w=2*h") from None
    return found
