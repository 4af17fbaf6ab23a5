"""The command that shows what a step of training takes."""

from dataclasses import dataclass

from costmodel.cli.options import Depth, Format, Given, Spec, Symbolic, options, require_depth


@options
@dataclass(frozen=True)
class Trained(Given):
    """The same of a network that is trained: Adam trains it."""

    optimizer: str | None = "adam"


USUAL = Trained()
"""Adam, no checkpoints."""


def training(
    spec: Spec,
    /,
    *,
    symbolic: Symbolic = False,
    depth: Depth = None,
    format: Format = "table",  # noqa: A002 - the option's name
    given: Trained = USUAL,
) -> None:
    """Show what training takes: what is kept for the backward pass, state, forward and backward."""
    from costmodel.render import find_renderer
    from costmodel.studies.training import TrainingReport
    from costmodel.studies.training_document import document

    render = find_renderer(format)
    require_depth(depth)
    analysis = given.analysis(spec, numbers_suffice=not symbolic and format != "json")
    print(render(document(TrainingReport(analysis, symbolic=symbolic, depth=depth))), end="")
