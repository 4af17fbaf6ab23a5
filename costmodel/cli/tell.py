"""Messages on stderr, beside the data on stdout."""

import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress

from archspec.errors import visible

PREFIX = "archcost: "
"""The beginning of each message."""


def tell(*lines: str) -> None:
    """Tell something on stderr, each of its lines as it is; where nobody can hear it, nothing."""
    with suppress(OSError):
        print(PREFIX + "\n".join(map(visible, lines)), file=sys.stderr)


def mark(file: str, line: int, text: str, *, title: str = "archcost") -> None:
    """Mark a line of a file as wrong, in a workflow of GitHub; elsewhere do nothing.

    Source: docs.github.com, "Workflow commands for GitHub Actions", setting an error message.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    whole = re.sub(r"\[cell [0-9]+\]$", "", file)  # of a notebook the page alone is a file
    place = f"file={_property(whole)}" + f",line={line}" * (bool(line) and whole == file)
    with suppress(OSError):
        print(f"::error {place},title={_property(title)}::{_data(text)}", file=sys.stderr)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def tell_all(messages: Iterable[str]) -> None:
    """Tell several messages, each of which may have several lines."""
    for message in messages:
        tell(*message.split("\n"))
