"""A budget of work: what may explode counts its steps, and beyond the budget ends in an error.

Steps are counted and not timed, so that a spec that is refused on one machine is refused on all.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from archspec.errors import FinalError, SpecError

MAX_STEPS = 200_000
"""The most steps that one question about a network may take; the zoo's take fewer than a tenth."""

HINT = "give some symbols a number with --set, or nest fewer repeats in each other"


class NamedEntry(Protocol):
    """An entry of a spec, which an error can name."""

    def error(self, cause: str, hint: str | None = None) -> SpecError:
        """Return an error that names the entry and its place."""


@dataclass
class _Budget:
    """The steps that are left for a question."""

    question: str
    entry: Callable[[], NamedEntry]
    hint: str
    left: int


_budget: ContextVar[_Budget | None] = ContextVar("budget", default=None)


@contextmanager
def budget(question: str, entry: Callable[[], NamedEntry], hint: str = HINT) -> Iterator[None]:
    """Let the body take `MAX_STEPS` steps, those of a question inside it not counted.

    Args:
        question: what is worked out, for the error.
        entry: gives the entry that is to blame where the work itself does not know one.
        hint: what to do where the steps are used up.

    Raises:
        FinalError: the steps are used up.
    """
    token = _budget.set(_Budget(question, entry, hint, MAX_STEPS))
    try:
        yield
    finally:
        _budget.reset(token)


def afforded(steps: int) -> bool:
    """Take steps from the budget; return False where they are not left, or none is.

    For work that may be given up: what it would find is not needed for a right answer.
    """
    found = _budget.get()
    if found is None:
        return True
    found.left -= steps
    return found.left >= 0


def charge(steps: int, entry: NamedEntry | None = None) -> None:
    """Take steps from the budget, if there is one.

    Raises:
        FinalError: none are left.
    """
    if not afforded(steps) and (found := _budget.get()):
        cause = f"{found.question} take more than {MAX_STEPS:,} steps of algebra to work out"
        error = (entry or found.entry()).error(cause, found.hint)
        raise FinalError(error.cause, hint=error.hint, origin=error.origin, entry=error.entry)
