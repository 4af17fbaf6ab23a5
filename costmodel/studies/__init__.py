"""A file for each question about networks: a function that returns a `Document`.

With ``@question()`` in front of it the function is a command, too, of the same name: its parameters
are the command's words and options, and its docstring is their help, which a section ``Examples``
ends (docs/architecture.md has an example). A first parameter ``analysis`` stands for the path of a
spec and for all options that say something beside it (``--set``, ``--hardware``, …); with an option
``for_``, the symbol of that name alone is open in it. A keyword ``setup`` stands for these options
alone, where specs are words. Other positional parameters are words, keywords are options,
``--format`` is there by itself, and ``--plot`` where the question says what draws the ``study`` of
its document. Other distributions name modules with questions of theirs in the entry point group
``archcost.questions``.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from archspec.extensions import Register

if TYPE_CHECKING:
    from costmodel.analysis.document import Document

Ask = TypeVar("Ask", bound="Callable[..., Document]")


class Question(NamedTuple):
    """A question that is a command.

    Attributes:
        name: the command.
        ask: the function that answers it.
        opens: whether it needs closed forms; else numbers will do where there is no closed form,
            and closed forms are needed for ``--symbolic`` only.
        plot: the module of `costmodel.render` that draws what its document is about, if any.
        group: the group of commands among which help lists it.
        without: the options beside the spec that change nothing in its answer.
        defaults: the options beside the spec that have another default, by name.
    """

    name: str
    ask: "Callable[..., Document]"
    opens: bool
    plot: str
    group: str
    without: tuple[str, ...]
    defaults: Mapping[str, str]


OTHERS = "Others"
"""The group of the questions that name none."""

QUESTIONS = Register[Question](__name__, "questions")
"""The questions by the names of their commands."""


def question(
    *,
    name: str = "",
    opens: bool = False,
    plot: str = "",
    group: str = OTHERS,
    without: tuple[str, ...] = (),
    **defaults: str,
) -> Callable[[Ask], Ask]:
    """Return a decorator that registers a function as a question (see `Question`).

    Args:
        name: the command; else the function's name.
        opens: whether it needs closed forms.
        plot: the module of `costmodel.render` that draws it.
        group: the group of commands among which help lists it.
        without: the options beside the spec that change nothing in its answer.
        defaults: options beside the spec that have another default, as ``optimizer="adam"``.
    """

    def register(ask: Ask) -> Ask:
        command = name or ask.__name__.strip("_").replace("_", "-")
        QUESTIONS.add(command, Question(command, ask, opens, plot, group, without, defaults))
        return ask

    return register
