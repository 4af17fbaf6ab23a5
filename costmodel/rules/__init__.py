"""Shape, cost and backward rules: those of ``archspec/layers/conv.py`` are in ``conv.py``."""

from costmodel.rules.base import Both as Both
from costmodel.rules.base import Shape as Shape
from costmodel.rules.base import Site as Site
from costmodel.rules.base import backward_rule as backward_rule
from costmodel.rules.base import cost_rule as cost_rule
from costmodel.rules.base import elements as elements
from costmodel.rules.base import keeps as keeps
from costmodel.rules.base import rule as rule
from costmodel.rules.base import shape_rule as shape_rule
