"""The command line: a module for every family of commands, imported when one of them is run."""

from typing import NamedTuple


class Command(NamedTuple):
    """A command that is no question.

    Attributes:
        module: the module of this package with the function of the command's name.
        group: the group of commands among which help lists it.
        function: the function's name, where it is another than the command's.
    """

    module: str
    group: str
    function: str = ""


LOOK, COMPARE, MANY, DOCUMENTS = "Look at a network", "Compare", "Many points", "Documents"

GROUPS = (LOOK, "Ask", COMPARE, MANY, "Devices and conventions", DOCUMENTS)
"""The groups of commands in the order of help; those of other distributions come behind."""

COMMANDS = {
    "table": Command("tables", COMPARE),
    "sweep": Command("sweeps", MANY),
    "docs": Command("documents", DOCUMENTS),
    "import": Command("imports", DOCUMENTS, "import_source"),
    "schema": Command("documents", DOCUMENTS),
    "init": Command("first", DOCUMENTS),
    "completion": Command("completion", DOCUMENTS),
}
"""The commands that are no questions."""
