"""Messages on stderr, beside the data on stdout."""

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


def tell_all(messages: Iterable[str]) -> None:
    """Tell several messages, each of which may have several lines."""
    for message in messages:
        tell(*message.split("\n"))
