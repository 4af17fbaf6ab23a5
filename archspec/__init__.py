"""The language of archcost: specs in YAML, read into typed architectures and graphs.

text → document (line marks) → Architecture (pydantic) → Graph
"""

from archspec.architecture import Architecture as Architecture
from archspec.architecture import load as load
from archspec.errors import Origin as Origin
from archspec.errors import SpecError as SpecError
from archspec.expansion import build_graph as build_graph
from archspec.graph import Graph as Graph
from archspec.graph import Group as Group
from archspec.graph import Node as Node
from archspec.graph import Repeat as Repeat

DISTRIBUTION = "archcost"
"""Tells this package from unrelated ones of the same name."""
