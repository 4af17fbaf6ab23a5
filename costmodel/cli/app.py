"""The application: its commands, each with the module that is imported when it is run."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from os.path import exists
from typing import TYPE_CHECKING, Any

from cyclopts import App, CycloptsError, Parameter

from archspec.errors import SpecError, did_you_mean
from costmodel.cli.commands import command_of
from costmodel.cli.misuse import misuse
from costmodel.cli.networks import report
from costmodel.cli.tell import tell
from costmodel.studies import QUESTIONS

if TYPE_CHECKING:
    from rich.console import Console

COMMANDS = {
    "docs": "documents",
    "schema": "documents",
    "sweep": "sweeps",
    "table": "tables",
}
"""Command that is no question → the module of this package with the function of that name."""

LEAST_WIDTH, MOST_WIDTH = 40, 400
"""The fewest and the most columns that the help is laid out for, whatever the terminal says."""


def _version() -> str:
    try:
        return version("archcost")
    except PackageNotFoundError:
        return "unknown, for archcost is run from its folder and not installed"


app = App(
    name="archcost",
    help="What a neural network costs, in closed form: shapes, parameters, MACs, activations.",
    version=_version,
    version_flags=["--version"],
    help_format="plaintext",
    exit_on_error=False,
    print_error=False,
    result_action="return_value",
    default_parameter=Parameter(negative=(), consume_multiple=True),
)
app.default(report)
for name, module in COMMANDS.items():
    app.command(f"{__package__}.{module}:{name}", name=name)


def find_command(name: str) -> bool:
    """Return whether there is a command of a name; that of a question is made only now."""
    if name in app:
        return True
    question = QUESTIONS.get(name)
    if question is not None:
        app.command(command_of(question), name=name)
    return question is not None


def known_commands() -> list[str]:
    """Return the names of all commands; those of questions are made now."""
    names = [name for name in sorted({*COMMANDS, *QUESTIONS}) if find_command(name)]
    for failed in QUESTIONS.failed:
        tell(f"warning: {failed}")
    return names


def run(words: list[str]) -> Any:
    """Return the result of a command line; show the list of commands where it is empty.

    Raises:
        SpecError: a word is no command, option or value, or a command finds a rule broken.
    """
    console = _help_console() if asks_for_help(words) else None
    if words:
        require_command(words[0])
    try:
        return app(words or app.help_flags[:1], console=console)
    except CycloptsError as error:
        raise misuse(error, words) from None


def asks_for_help(words: Sequence[str]) -> bool:
    """Return whether a command line asks for help; if so, all that help lists is imported now."""
    asks = not words or not set(words).isdisjoint(app.help_flags)
    if asks:
        known_commands()
        app.resolved_commands()  # the list says of each what the docstring of its function does
    return asks


def require_command(word: str) -> None:
    """Make sure that the first word of a command line is a command, or may be a spec.

    Raises:
        SpecError: it is neither.
    """
    plain = word.replace("_", "").replace("-", "").isalnum() and not word.startswith("-")
    if plain and not find_command(word) and not exists(word):
        cause = f"'{word}' is no command, and no such file is here"
        hint = did_you_mean(word, known_commands()) or "archcost --help lists them"
        raise SpecError(cause, hint=hint)


def _help_console() -> "Console":
    """Return a console for the help: of a width at which its panels end, and in time.

    Where nobody reads on, it says so as every other output does, and ends nothing by itself.
    """
    from rich.console import Console

    class HelpConsole(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    console = HelpConsole()
    console.width = min(max(console.width, LEAST_WIDTH), MOST_WIDTH)
    return console
