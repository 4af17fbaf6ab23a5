"""The command that writes a first spec, and beside it the schema that editors complete it with."""

from os.path import isdir, lexists
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from archspec.errors import SpecError
from archspec.files import written
from archspec.zoo import FIRST, STDIN, SUFFIXES
from costmodel.cli.documents import schema_text

SCHEMA = "archspec.schema.json"
"""The file that the first line of the first spec names."""

TRY = """\
{spec} is written{beside}

  archcost {spec}                        what each layer costs
  archcost {spec} --symbolic             the same as formulas in its symbols
  archcost {spec} --set h=64 width=0.5   at another size
  archcost explain {spec}                each number: formula, numbers put in, value
"""

OURS = ", and beside it {schema}, with which editors complete and check it."

ANOTHER = """.
{schema} was there already and is not the one of this archcost, so that it stays as it is;
archcost schema > {schema} replaces it, and editors complete and check specs."""


def init(file: Annotated[str, Parameter(help="The file to make.")] = "net.yaml", /) -> None:
    """Write a first spec, explained by comments; it runs as it is, and is yours to change.

    Examples:
        archcost init
        archcost init mine.yaml

    Raises:
        SpecError: there is such a file already, or it cannot be made.
    """
    if file == STDIN:
        raise SpecError("a first spec is written into a file", hint="archcost init net.yaml")
    if isdir(file):
        inside = Path(file, "net.yaml").as_posix()
        raise SpecError(f"{file} is a folder", hint=f"archcost init {inside}")
    if not file.endswith(SUFFIXES):
        raise SpecError(f"a spec ends in .yaml, not as {file}", hint=f"archcost init {file}.yaml")
    if lexists(file):
        raise SpecError(f"{file} is there already", hint="name another, as archcost init mine.yaml")
    schema = Path(file).with_name(SCHEMA)
    if not isdir(schema.parent):
        raise SpecError(f"there is no folder {schema.parent}", hint=f"mkdir -p {schema.parent}")
    texts = {schema: schema_text(), Path(file): FIRST.read_text(encoding="utf-8")}
    for path, text in texts.items():
        if not lexists(path):
            with written(path) as draft:
                draft.write_text(text, encoding="utf-8")
    is_ours = schema.read_text(encoding="utf-8", errors="replace") == texts[schema]
    beside = (OURS if is_ours else ANOTHER).format(schema=schema)
    print(TRY.format(spec=file, beside=beside), end="")
