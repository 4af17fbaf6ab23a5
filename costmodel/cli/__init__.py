"""The command line: a module for every family of commands, imported when one of them is run."""

COMMANDS = {
    "compare": "comparisons",
    "completion": "completion",
    "diff": "comparisons",
    "docs": "documents",
    "energy": "energies",
    "fit": "energies",
    "inference": "inference",
    "init": "first",
    "latency": "latency",
    "memory": "memory",
    "schema": "documents",
    "solve": "questions",
    "sweep": "sweeps",
    "table": "tables",
    "training": "training",
}
"""Command that is no question → the module of this package with the function of that name."""
