"""Shape, cost and backward rules: those of ``archspec/layers/conv.py`` are in ``conv.py``."""

from costmodel.rules.base import Shape, Site, backward_rule, cost_rule, elements, keeps, shape_rule

__all__ = ["Shape", "Site", "backward_rule", "cost_rule", "elements", "keeps", "shape_rule"]
