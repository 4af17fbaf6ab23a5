"""The language of archcost: specs in YAML, read into typed architectures and graphs.

text → document (line marks) → Architecture (pydantic) → Graph
"""

from archspec.architecture import Architecture, load
from archspec.errors import Origin, SpecError
from archspec.expansion import build_graph
from archspec.graph import Graph, Group, Node, Repeat

DISTRIBUTION = "archcost"
"""Tells this package from unrelated ones of the same name."""

__all__ = [
    "DISTRIBUTION",
    "Architecture",
    "Graph",
    "Group",
    "Node",
    "Origin",
    "Repeat",
    "SpecError",
    "build_graph",
    "load",
]
