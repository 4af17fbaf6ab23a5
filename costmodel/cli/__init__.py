"""The command line: a module for every family of commands, imported when one of them is run."""

from costmodel.cli.app import app, run

__all__ = ["app", "run"]
