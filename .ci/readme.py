"""The README as the index of packages shows it: a hook of hatchling.

Paths of this project lead nowhere there. Until the project has an address, what they link is words;
from then on ``ADDRESS`` makes them links.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

ADDRESS = ""
"""The address before a path of the project, as ``https://…/blob/main/``; '' without one."""


def on_an_index(text: str) -> str:
    """Return a page without the links and figures that only a checkout has."""
    text = re.sub(r"<!--.*?-->\n?", "", text)
    if ADDRESS:
        return re.sub(r"\]\((?!https?:)", f"]({ADDRESS}", text)
    text = re.sub(r"!\[.*?\]\((?!https?:).*?\)\n*", "", text)
    return re.sub(r"\[([^\]]*)\]\((?!https?:).*?\)", r"\1", text)


class CustomMetadataHook(MetadataHookInterface):
    """Gives the metadata of the distribution its long description."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the README, as an index shows it."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": on_an_index(text)}
