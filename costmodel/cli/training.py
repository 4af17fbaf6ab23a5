"""The command that shows what a step of training takes."""

from dataclasses import dataclass

from archspec.errors import find_named
from costmodel.cli.options import Depth, Given, Spec, Symbolic, ViewFormat, options, require_depth


@options
@dataclass(frozen=True)
class Trained(Given):
    """The same of a network that is trained: every learnable parameter counts, Adam trains."""

    convention: str = "torch"
    optimizer: str | None = "adam"


USUAL = Trained()
"""Adam, no checkpoints, every learnable parameter."""


def training(
    spec: Spec,
    /,
    *,
    symbolic: Symbolic = False,
    depth: Depth = None,
    format: ViewFormat = "table",  # noqa: A002 - the option's name
    given: Trained = USUAL,
) -> None:
    """Show what training takes: what is kept for the backward pass, state, forward and backward."""
    from costmodel.render.training import FORMATS
    from costmodel.studies.training import TrainingReport

    render = find_named("format", format, FORMATS)
    require_depth(depth)
    analysis = given.analysis(spec, numbers_suffice=not symbolic and format != "json")
    print(render(TrainingReport(analysis, symbolic=symbolic, depth=depth)), end="")
