"""The layers at which the peak of activations may be: the maximum's terms, and whose they are."""

from collections.abc import Sequence
from typing import NamedTuple

from sympy import Expr

from archspec.arithmetic import Rational
from costmodel.algebra.functions import terms_of
from costmodel.algebra.sign_chart import leaders
from costmodel.analysis.closed_forms import ClosedForms
from costmodel.analysis.domains import domain_of
from costmodel.metrics.registry import find_metric

METRIC = "activations_peak"


class Peak(NamedTuple):
    """One term of the maximum, input and output together, with the layers whose it is."""

    term: Expr
    layers: tuple[str, ...]

    @property
    def owner(self) -> str:
        """The layers in a few words."""
        first, *others = self.layers
        return f"{first} and {len(others)} like it" if others else first


class PeakRange(NamedTuple):
    """Values of a symbol over which one term is the largest.

    Attributes:
        term: the largest term.
        first: the first value.
        last: the last value, or None where it is proved to be the largest from the first on.
    """

    term: Expr
    first: Rational
    last: Rational | None


class PeakRanges(NamedTuple):
    """The largest of some terms wherever the symbol's values are valid.

    Attributes:
        leads: where each term is the largest; of equals it is the one that was it before.
        is_decided: whether nothing is left open: all values are met, or the last leads for good.
    """

    leads: tuple[PeakRange, ...]
    is_decided: bool


def peaks(analysis: ClosedForms, metric: str = METRIC) -> tuple[Peak, ...]:
    """Return the terms of a maximum over the network's layers, each with its layers."""
    total = analysis.total(metric)
    layers: dict[Expr, list[str]] = {term: [] for term in terms_of(total)}
    parts = analysis.parts(find_metric(metric))
    for counted, part in zip(analysis.counted, parts, strict=True):
        for term in terms_of(part):
            shown = analysis.assumed.shown(analysis.by_resolution(term))
            if shown in layers:
                layers[shown].append(counted.layer.node.path)
    return tuple(Peak(term, tuple(found)) for term, found in layers.items())


def winners(analysis: ClosedForms, terms: Sequence[Expr]) -> tuple[Expr, ...]:
    """Return those of some terms that are the largest anywhere; all, where that is not decided."""
    race = _race_of(analysis, terms)
    if race is None or not race.is_decided:
        return tuple(terms)
    return tuple(dict.fromkeys(lead.term for lead in race.leads))


def race_of(analysis: ClosedForms, metric: str = METRIC) -> PeakRanges | None:
    """Return where each term is the peak, if there are several and one symbol alone is open."""
    return _race_of(analysis, terms_of(analysis.total(metric)))


def _race_of(analysis: ClosedForms, terms: Sequence[Expr]) -> PeakRanges | None:
    """Return the terms compared over the values of the one symbol that is open, if one alone is."""
    if len(analysis.symbols) != 1 or len(terms) < 2:
        return None
    ((name, symbol),) = analysis.symbols.items()
    domain = domain_of(analysis, name)
    if domain.step is None:
        return None
    shown = [analysis.assumed.shown(term) for term in terms]
    found = leaders(shown, symbol, domain, lambda value: analysis.is_valid_at({name: value}))
    leads = (PeakRange(shown[each.leader], each.first, each.last) for each in found.stretches)
    return PeakRanges(tuple(leads), found.is_decided)
