"""The language of archcost: specs in YAML, read into typed architectures and graphs.

text → document (line marks) → Architecture (pydantic) → Graph
"""

from archspec.architecture import Architecture, load
from archspec.errors import Origin, SpecError
from archspec.graph import Graph, Node, build_graph

DISTRIBUTION = "archcost"
"""Tells this package from unrelated ones of the same name."""

__all__ = [
    "DISTRIBUTION",
    "Architecture",
    "Graph",
    "Node",
    "Origin",
    "SpecError",
    "build_graph",
    "load",
]
