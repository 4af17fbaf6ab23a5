"""The command that writes a network in the form of another tool."""

from typing import Annotated

from cyclopts import Parameter

from archspec.architecture import load
from archspec.errors import find_named
from archspec.files import written
from costmodel.cli.options import Given, Spec
from costmodel.cli.tell import tell

Settings = Annotated[
    list[str] | None,
    Parameter(name="--set", help="Give symbols values, as h=192; the others have their defaults."),
]
Form = Annotated[
    str, Parameter(help="torch: the source of an nn.Module, which needs nothing but torch.")
]
Output = Annotated[
    str | None, Parameter(name=["--output", "-o"], help="Write into a file, as net.py.")
]


def export(
    spec: Spec,
    /,
    *,
    format: Form = "torch",  # noqa: A002 - the option's name
    set_: Settings = None,
    output: Output = None,
) -> None:
    """Write a network as a PyTorch module of the same layers, shapes and parameters.

    Every symbol has a number in it; blocks are classes, repeats lists of modules.

    Examples:
        archcost export resnet50 -o resnet50.py
        archcost export net.yaml --set width=0.5 h=192

    Raises:
        SpecError: the spec breaks a rule, or the form has none of its layers.
    """
    from costmodel.analysis.loading import analyze
    from costmodel.render.torch_module import module_source

    write = find_named("form", format, {"torch": module_source})
    header = load(spec).header
    settings = {**header.defaults, **Given(set_=set_).fixed}
    source = write(analyze(spec, settings=settings))
    if output is None:
        print(source, end="")
        return
    with written(output) as draft:
        draft.write_text(source, encoding="utf-8")
    tell(f"{output} is written")
