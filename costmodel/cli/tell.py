"""Messages on stderr, beside the data on stdout."""

import os
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
    place = f"file={_property(file)}" + f",line={line}" * bool(line)
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
