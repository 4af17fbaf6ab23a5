"""The command line: a module for every family of commands, which registers them with `app`."""

from costmodel.cli import (
    comparisons,
    devices,
    documents,
    energies,
    inference,
    latency,
    memory,
    networks,
    proofs,
    questions,
    sweeps,
    tables,
    training,
)
from costmodel.cli.app import app

__all__ = [
    "app",
    "comparisons",
    "devices",
    "documents",
    "energies",
    "inference",
    "latency",
    "memory",
    "networks",
    "proofs",
    "questions",
    "sweeps",
    "tables",
    "training",
]
