"""The command that shows a transformer at inference."""

from typing import Annotated

from cyclopts import Parameter

from archspec.errors import SpecError
from costmodel.cli.options import NOTHING_GIVEN, WHOLE, Format, Given, Spec, Symbolic, warn


def inference(
    spec: Spec,
    /,
    *,
    prompt: Annotated[
        int | None, WHOLE, Parameter(help="Tokens that prefill takes; 512 where not given.")
    ] = None,
    generate: Annotated[
        int | None, WHOLE, Parameter(help="Steps of decode after them; 128 where not given.")
    ] = None,
    batch: Annotated[
        int | None, WHOLE, Parameter(help="Sequences that run together; 1 where not given.")
    ] = None,
    symbolic: Symbolic = False,
    format: Format = "table",  # noqa: A002 - the option's name
    given: Given = NOTHING_GIVEN,
) -> None:
    """Show what prefill and decode cost: cache, bytes, times at least, the batch that fits."""
    from costmodel.render import find_renderer
    from costmodel.studies.inference import Plan, infer
    from costmodel.studies.inference_document import document

    render = find_renderer(format)
    numbers = {"prompt": prompt, "generate": generate, "batch": batch}
    known = {name: number for name, number in numbers.items() if number is not None}
    if symbolic and known:
        raise SpecError(f"--{next(iter(known))} is a number, and --symbolic leaves it open")
    found = infer(
        spec,
        None if symbolic else Plan(**known),
        **given.request,
    )
    warn(found.decode)
    print(render(document(found)), end="")
