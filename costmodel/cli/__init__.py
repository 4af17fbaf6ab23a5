"""The command line: a module for every family of commands, imported when one of them is run."""

COMMANDS = {
    "completion": "completion",
    "docs": "documents",
    "init": "first",
    "schema": "documents",
    "sweep": "sweeps",
    "table": "tables",
}
"""Command that is no question → the module of this package with the function of that name."""
