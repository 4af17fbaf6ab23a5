"""The command that writes a network in the form of another tool."""

from collections.abc import Callable
from typing import Annotated, NamedTuple

from cyclopts import Parameter

from archspec.architecture import load
from archspec.errors import SpecError, find_named
from archspec.files import written
from costmodel.analysis.analysis import Analysis
from costmodel.cli.options import NetworkOptions, Spec
from costmodel.cli.tell import tell

Settings = Annotated[
    list[str] | None,
    Parameter(name="--set", help="Give symbols values, as h=192; the others have their defaults."),
]
Form = Annotated[
    str,
    Parameter(help="torch: the source of an nn.Module; onnx: a graph without weights."),
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
    """Write a network as a PyTorch module, or as an ONNX graph without weights.

    Every symbol has a number in it. Blocks are classes of the module, repeats lists of modules; it
    has the same layers, shapes and parameters, and needs nothing but torch. In a graph, a kind that
    ONNX has no operator for is a node of the domain archcost.

    Examples:
        archcost export resnet50 -o resnet50.py
        archcost export resnet50 --format onnx -o resnet50.onnx
        archcost export net.yaml --set width=0.5 h=192

    Raises:
        SpecError: the spec breaks a rule, or the form has none of its layers.
    """
    from costmodel.analysis.loading import analyze

    forms: dict[str, Callable[[Analysis], Exported]] = {"torch": _module, "onnx": _graph}
    write = find_named("form", format, forms)
    if format == "onnx" and output is None:
        raise SpecError("an ONNX graph is written into a file", hint="add -o net.onnx")
    header = load(spec).header
    settings = {**header.defaults, **NetworkOptions(set_=set_).fixed}
    made = write(analyze(spec, settings=settings))
    if output is None:
        print(made.content.decode(), end="")
        return
    with written(output) as draft:
        draft.write_bytes(made.content)
    tell(f"{output} is written")
    if made.note:
        tell(made.note)


class Exported(NamedTuple):
    """The content of a file, and what its reader must know."""

    content: bytes
    note: str = ""


def _module(analysis: Analysis) -> Exported:
    from costmodel.render.torch_module import module_source

    return Exported(module_source(analysis).encode())


def _graph(analysis: Analysis) -> Exported:
    from costmodel.render.onnx_graph import model

    found = model(analysis)
    return Exported(found.SerializeToString(), found.doc_string)
