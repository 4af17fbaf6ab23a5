"""Notebooks as pages: their Markdown cells, in a file that stays as it is otherwise."""

import json
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from archspec.errors import Origin, SpecError

SUFFIX = ".ipynb"


class Cell(NamedTuple):
    """A text with markers: a page, or a Markdown cell of a notebook.

    Attributes:
        name: what errors call it.
        text: the text.
    """

    name: str
    text: str


def is_notebook(page: Path) -> bool:
    """Return whether a page is a notebook, by the end of its path."""
    return page.suffix.lower() == SUFFIX


def cells_of(text: str, page: Path, kind: str = "markdown") -> list[Cell]:
    """Return the Markdown cells of a notebook, or those of another kind.

    Raises:
        SpecError: it is no notebook.
    """
    try:
        data = json.loads(text)
        cells = [*enumerate(data["cells"], 1)]
        return [
            Cell(f"{page}[cell {number}]", "".join(cell["source"]))
            for number, cell in cells
            if cell["cell_type"] == kind
        ]
    except json.JSONDecodeError as error:
        origin = Origin(str(page), error.lineno, error.colno)
        raise SpecError(f"this is no notebook: {error.msg}", origin=origin) from None
    except (KeyError, TypeError):
        origin = Origin(str(page), 1, 1)
        raise SpecError("this is no notebook with cells", origin=origin) from None


def with_cells(text: str, sources: list[str]) -> str:
    """Return a notebook with other texts of its Markdown cells; what is the same stays as it is."""
    data = json.loads(text)
    write = _writer(text, data)
    cells = (cell for cell in data["cells"] if cell["cell_type"] == "markdown")
    for cell, source in zip(cells, sources, strict=True):
        if "".join(cell["source"]) != source:
            is_text = isinstance(cell["source"], str)
            cell["source"] = source if is_text else source.splitlines(keepends=True)
    return text if data == json.loads(text) else write(data)


def _writer(text: str, data: Any) -> Any:
    """Return the function that writes a notebook as it was written, else as Jupyter does."""
    end = text[len(text.rstrip()) :]
    indents: tuple[int | str, ...] = (1, 2, 4, "\t")
    for indent, ascii_only in product(indents, (False, True)):

        def write(changed: Any, indent: int | str = indent, ascii_only: bool = ascii_only) -> str:
            return json.dumps(changed, indent=indent, ensure_ascii=ascii_only) + end

        if write(data) == text:
            return write
    return lambda changed: json.dumps(changed, indent=1, ensure_ascii=False) + end
