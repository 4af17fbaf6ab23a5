"""What a person is told beside the data: lines on stderr."""

import sys
from contextlib import suppress

from archspec.errors import visible

TOLD = "archcost: "
"""What each begins with."""


def tell(*lines: str) -> None:
    """Tell something on stderr, each of its lines as it is; where nobody can hear it, nothing."""
    with suppress(OSError):
        print(TOLD + "\n".join(map(visible, lines)), file=sys.stderr)
