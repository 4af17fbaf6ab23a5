"""The command line: a module for every family of commands, which registers them with `app`."""

from costmodel.cli import devices, memory, networks, proofs, questions, sweeps
from costmodel.cli.app import app

__all__ = ["app", "devices", "memory", "networks", "proofs", "questions", "sweeps"]
