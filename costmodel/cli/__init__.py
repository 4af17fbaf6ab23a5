"""The command line: a module for every family of commands, which registers them with `app`."""

from costmodel.cli import devices, documents, memory, networks, proofs, questions, tables
from costmodel.cli.app import app

__all__ = ["app", "devices", "documents", "memory", "networks", "proofs", "questions", "tables"]
