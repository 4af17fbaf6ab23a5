"""A file for each question about networks: a function that returns a `Document`.

With ``@question()`` in front of it the function is a command, too, of the same name: its parameters
are the command's words and options, and its docstring is their help (docs/architecture.md has an
example). A first parameter ``analysis`` stands for the path of a spec and for all options that say
something beside it (``--set``, ``--hardware``, …); other positional parameters are words, keywords
are options, and ``--format`` is there by itself. Other distributions name modules with questions of
theirs in the entry point group ``archcost.questions``.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from archspec.extensions import load_extensions

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
        defaults: the options beside the spec that have another default, by name.
    """

    name: str
    ask: "Callable[..., Document]"
    opens: bool
    defaults: Mapping[str, str]


QUESTIONS: dict[str, Question] = {}
"""The questions whose files were imported, by name."""


def question(*, name: str = "", opens: bool = False, **defaults: str) -> Callable[[Ask], Ask]:
    """Return a decorator that registers a function as a question (see `Question`).

    Args:
        name: the command; else the function's name.
        opens: whether it needs closed forms.
        defaults: options beside the spec that have another default, as ``convention="torch"``.
    """

    def register(ask: Ask) -> Ask:
        command = name or ask.__name__.strip("_").replace("_", "-")
        if command in QUESTIONS:
            raise ValueError(f"question '{command}' is registered twice")
        QUESTIONS[command] = Question(command, ask, opens, defaults)
        return ask

    return register


def find_question(name: str) -> Question | None:
    """Return the question of a name; only the file of that name is imported, where it has it."""
    module = f"{__name__}.{name.replace('-', '_')}"
    if name not in QUESTIONS and module.rpartition(".")[2].isidentifier() and find_spec(module):
        import_module(module)
    if name not in QUESTIONS:
        list(load_extensions("questions"))
    return QUESTIONS.get(name)


def load_questions() -> list[str]:
    """Import the files of all questions; return what is to be said of those that fail."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return list(load_extensions("questions"))
