"""Choose the memory that a network's bytes come from, by capacity, in closed form and at numbers.

A chain of memories goes from the nearest to the one that takes what fits in none before it.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple, get_args

from sympy import Expr, S

from archspec.arithmetic import Rational, tidy
from archspec.errors import SpecError
from archspec.hardware import AccessFigure, Kind, Profile
from costmodel.algebra.bounds import Least, is_at_least
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.functions import Maximum, Minimum, exact, floor_div, terms_of
from costmodel.scenario.devices import access, main_memory


class Storage(NamedTuple):
    """A memory that bytes may come from.

    Attributes:
        name: as the profile has it.
        kind: of the memory.
        capacity: in bytes; None where the profile does not say.
        figure: what an access takes; None where the profile does not say.
    """

    name: str
    kind: str
    capacity: Rational | None
    figure: AccessFigure | None

    @property
    def per_bit(self) -> Rational:
        """Joules of one bit."""
        assert self.figure is not None
        return tidy(Fraction(self.figure.value) / self.figure.bits)


class MemoryOption(NamedTuple):
    """A memory that may hold something."""

    storage: Storage
    step: Expr  # 1 where no memory before it holds the thing, else 0


Chain = tuple[Storage, ...]
"""Memories from the nearest on; the last takes what fits in none before it."""


class Chains(NamedTuple):
    """The memories in which a network's bytes may be stored."""

    activations: Chain  # those that can be written
    weights: Chain  # these, and flash where the device has some


def chains(profile: Profile) -> Chains:
    """The memories of a device whose energies are known, and the last whether it is or not.

    Raises:
        SpecError: it has no memory that can be written.
    """
    found = tuple(_of_levels(profile) if profile.fields.memory else _of_table(profile))
    writable = tuple(storage for storage in found if storage.kind != "flash")
    if not writable:
        main_memory(profile)
    flash = tuple(storage for storage in found if storage.kind == "flash")
    return Chains(_known(writable), _known((*writable, *flash[-1:])))


def _known(storages: Chain) -> Chain:
    *near, last = storages
    return (*(storage for storage in near if storage.figure), last)


def _of_levels(profile: Profile) -> Iterator[Storage]:
    for name, level in profile.fields.memory.items():
        capacity = level.capacity.value
        known = any(figure.kind == level.kind for figure in _figures(profile).values())
        figure = access(profile, level.kind, capacity) if known else None
        yield Storage(name, level.kind, capacity, figure)


def _of_table(profile: Profile) -> Iterator[Storage]:
    """The memories of a table of energies: all of a stated size, and the first of a kind without.

    Raises:
        SpecError: there are none.
    """
    for kind in get_args(Kind):
        of_kind = [(name, f) for name, f in _figures(profile).items() if f.kind == kind]
        sized = [pair for pair in of_kind if pair[1].capacity]
        others = [pair for pair in of_kind if not pair[1].capacity]
        for name, figure in (*sized, *others[:1]):
            yield Storage(name, kind, figure.capacity, figure)


def _figures(profile: Profile) -> dict[str, AccessFigure]:
    return profile.fields.energy.access if profile.fields.energy else {}


class SymbolBounds(NamedTuple):
    """The smallest value of each symbol, and a valid example, so that not all has to be proved."""

    least: Least
    example: Evaluator


def exceeds(size: Expr, capacity: Rational, known: SymbolBounds) -> Expr:
    """``min(1, size//(capacity + 1))``: 1 where so many bytes are more than a capacity, else 0.

    Where bounds show that they always are, it is 1.
    """
    whole = int(capacity) + 1
    terms = terms_of(size)
    if any(known.example(t) >= whole and is_at_least(t, whole, known.least) for t in terms):
        return S.One
    return Minimum(S.One, Maximum(*(floor_div(term, whole) for term in terms)))


def rungs(chain: Chain, size: Expr, known: SymbolBounds) -> tuple[MemoryOption, ...]:
    """The memories of a chain that may be the nearest to hold some bytes."""
    found = [MemoryOption(chain[0], S.One)]
    for near, far in pairwise(chain):
        step = S.One if near.capacity is None else exceeds(size, near.capacity, known)
        if step is S.Zero:
            break
        if step is S.One:
            found.clear()
        found.append(MemoryOption(far, step))
    return tuple(found)


def per_byte(ladder: Iterable[MemoryOption]) -> Expr:
    """``8·(e₁ + Σ (eₖ − eₖ₋₁)·stepₖ)``: joules of a byte from where it lies."""
    joules, before = S.Zero, S.Zero
    for storage, step in ladder:
        here = 8 * exact(storage.per_bit)
        joules, before = joules + (here - before) * step, here
    return joules


def chosen(ladder: Iterable[MemoryOption], evaluate: Evaluator) -> Storage:
    """The memory of a ladder that it is at numbers."""
    return [rung.storage for rung in ladder if evaluate(rung.step)][-1]


def unknown(storage: Storage, profile: Profile, what: str, path: str) -> SpecError:
    """The error of a memory whose energy is not known."""
    kinds = ", ".join(dict.fromkeys(figure.kind for figure in _figures(profile).values()))
    cause = f"{profile.key} has no energy per access of {storage.kind}, where {what} lie"
    hint = (
        f"it has {kinds or 'none'}; write energy.access with kind: {storage.kind} in a profile of "
        "your own, and name that with --energy"
    )
    return SpecError(cause, hint=hint, entry=path)
