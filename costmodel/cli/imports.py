"""The command that writes a spec from a PyTorch module, an ONNX file or a config.json."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from archspec.files import require_writable, written
from archspec.importers import read_options, read_source, with_options
from costmodel.cli.options import Format, options, require_values
from costmodel.cli.tell import tell

Source = Annotated[
    str, Parameter(help="torch:MODULE:FACTORY, whose code is run; a *.onnx file; a config.json.")
]
Output = Annotated[
    str | None, Parameter(name=("--output", "-o"), help="The file to write; else the screen.")
]


@options
@dataclass(frozen=True)
class SourceOptions:
    """The options that stand beside a source.

    Attributes:
        input: The sizes of an input, as 'n, 3, h, w': names become symbols, h=224 with a default.
            Once for each input; 'ids: n, t' is the one of that name.
        vary: Call the factory with values of a parameter, as 'width_mult=0.5,0.75,1.0': it becomes
            a symbol; one value alone is fixed.
        partial: Mark what no kind expresses as missing, instead of an error.
    """

    input: list[str] | None = None
    vary: list[str] | None = None
    partial: bool = False


NO_OPTIONS = SourceOptions()


def import_source(
    source: Source,
    /,
    *,
    output: Output = None,
    beside: SourceOptions = NO_OPTIONS,
    format: Format = "table",  # noqa: A002 - the option's name
) -> int:
    """Write the spec of a PyTorch module, an ONNX file or a config.json of Hugging Face.

    At up to three sizes the source's own counts of parameters, products and
    output shapes stand beside those of the spec. Where they differ the exit
    status is 1, and the first layer that differs is named. Importing from
    torch: runs the code of that module; nothing else runs it.

    Examples:
        archcost import torch:torchvision.models:resnet50 --input "n, 3, h, w" -o net.yaml
        archcost import config.json -o net.yaml

    Raises:
        SpecError: the source cannot be read, or holds what no kind expresses.
    """
    from costmodel.render import find_renderer
    from costmodel.studies.imports import compared

    require_values("--input", beside.input)
    require_values("--vary", beside.vary)
    render = find_renderer(format)
    if output is not None:
        require_writable(output)
    options_given = read_options(beside.input or (), beside.vary or (), partial=beside.partial)
    imported = read_source(with_options(source, options_given))
    _write(imported.text, output)
    document = compared(source, imported)
    if output is None:
        tell(*render(document).splitlines())
    else:
        print(render(document), end="")
    return int(not document.holds)


def _write(text: str, output: str | None) -> None:
    """Write a spec into a file, or print it."""
    if output is None:
        print(text, end="")
        return
    with written(output) as draft:
        Path(draft).write_text(text, encoding="utf-8")
