"""A document as JSON: exact numbers, and every quantity as an expression and as its value."""

import json
from typing import Any

from archspec.errors import visible
from costmodel.analysis.document import Document


def render(document: Document) -> str:
    """Return the document's data as JSON."""
    return dumped(document.data())


def dumped(data: Any) -> str:
    r"""Return plain data as the text of a JSON file; signs that are not seen are spelled out.

    What JSON lets stand as it is, and a terminal or JavaScript takes for more than a sign, is
    written ``\u202e``: the same text to whoever reads the JSON.
    """
    return as_json(json.dumps(data, indent=1, ensure_ascii=False), keep="\n") + "\n"


def as_json(text: str, keep: str = "") -> str:
    """Return JSON with the signs that are not seen spelled out as JSON spells them."""
    return visible(text, keep=keep, write=lambda sign: json.dumps(sign)[1:-1])
