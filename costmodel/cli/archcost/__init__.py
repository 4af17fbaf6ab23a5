"""The public names under the name of the distribution: ``from archcost import analyze``.

A wheel has this folder as the package ``archcost``, too; ``python -m archcost`` runs the command
line.
"""

from typing import TYPE_CHECKING

from costmodel import __all__ as __all__
from costmodel import __getattr__ as __getattr__  # which imports each name as it is asked for

if TYPE_CHECKING:
    from costmodel import *  # noqa: F403
