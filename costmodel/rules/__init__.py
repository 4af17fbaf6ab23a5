"""Shape and cost rules, in the rooms of their kinds: ``archspec/layers/conv.py`` has its rules in ``conv.py`` here."""

from costmodel.rules.base import Requirement, Shape, Site, cost_rule, elements, shape_rule

__all__ = ["Requirement", "Shape", "Site", "cost_rule", "elements", "shape_rule"]
