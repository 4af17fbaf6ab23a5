"""Shape, cost and backward rules: those of ``archspec/layers/conv.py`` are in ``conv.py``."""

from costmodel.rules.base import (
    Requirement,
    Shape,
    Site,
    backward_rule,
    cost_rule,
    elements,
    shape_rule,
)

__all__ = ["Requirement", "Shape", "Site", "backward_rule", "cost_rule", "elements", "shape_rule"]
