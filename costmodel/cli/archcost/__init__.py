"""The public names under the name of the distribution: ``from archcost import analyze, sweep``.

A wheel has this folder as the package ``archcost``, too; ``python -m archcost`` runs the command
line.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import costmodel

__all__ = ["__version__", "sweep", *costmodel.__all__]

try:
    __version__ = version("archcost")
except PackageNotFoundError:  # run from its folder
    __version__ = ""

if TYPE_CHECKING:
    from costmodel import *  # noqa: F403
    from costmodel.cli.functions import sweep_points as sweep
else:

    def __getattr__(name: str) -> Any:
        return costmodel.__getattr__("sweep_points" if name == "sweep" else name)


def __dir__() -> list[str]:
    return sorted(__all__)
