"""The command that writes a first spec, and beside it the schema that editors complete it with."""

from os.path import lexists
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from archspec.errors import SpecError
from archspec.files import written
from archspec.zoo import FIRST, SUFFIXES
from costmodel.cli.documents import schema_text

SCHEMA = "archspec.schema.json"
"""The file that the first line of the first spec names."""

TRY = """\
{spec} is written, and beside it {schema}, with which editors complete and check it.

  archcost {spec}                        what each layer costs
  archcost {spec} --symbolic             the same as formulas in its symbols
  archcost {spec} --set h=64 width=0.5   at another size
  archcost explain {spec}                each number: formula, numbers put in, value
"""


def init(file: Annotated[str, Parameter(help="The file to make.")] = "net.yaml", /) -> None:
    """Write a first spec, explained by comments; it runs as it is, and is yours to change.

    Examples:
        archcost init
        archcost init mine.yaml

    Raises:
        SpecError: there is such a file already, or it cannot be made.
    """
    if not file.endswith(SUFFIXES):
        raise SpecError(f"a spec ends in .yaml, not as {file}", hint=f"archcost init {file}.yaml")
    if lexists(file):
        raise SpecError(f"{file} is there already", hint="name another, as archcost init mine.yaml")
    schema = Path(file).with_name(SCHEMA)
    texts = {schema: schema_text(), Path(file): FIRST.read_text(encoding="utf-8")}
    for path, text in texts.items():
        if not lexists(path):
            with written(path) as draft:
                draft.write_text(text, encoding="utf-8")
    print(TRY.format(spec=file, schema=schema), end="")
