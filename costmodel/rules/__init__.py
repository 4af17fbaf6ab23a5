"""Shape and cost rules: those of the kinds in ``archspec/layers/conv.py`` are in ``conv.py``."""

from costmodel.rules.base import Requirement, Shape, Site, cost_rule, elements, shape_rule

__all__ = ["Requirement", "Shape", "Site", "cost_rule", "elements", "shape_rule"]
