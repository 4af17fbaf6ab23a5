"""The script ``archcost``: runs the command line and turns every error into one message."""

import gc
import os
import signal
import sys
from io import TextIOWrapper

gc.disable()  # a run is short: what it imports is no garbage

from costmodel import require_own_language  # noqa: E402

_TOO_LARGE = """\
a number is beyond 1.8e308, more than is shown in units or as a ratio
  hint: set smaller values, or ask for laws with --symbolic"""


def main() -> None:
    """Run the command line; exit status 0 good, 1 a check failed, 2 bad input, 130/143 stopped."""
    signal.signal(signal.SIGTERM, _stop)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a sign that the terminal lacks is no error
    try:
        status = run_words(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except KeyboardInterrupt:
        status = 130
    gc.freeze()  # nor is it worth a search for garbage at the end
    sys.exit(status)


def _stop(number: int, _: object) -> None:
    """End as an interrupt does, so that what is half written is removed.

    Raises:
        SystemExit: always; 143 where the process is terminated.
    """
    sys.exit(128 + number)


def run_words(arguments: list[str]) -> int:
    """Run the words of a command line; return its exit status."""
    try:
        require_own_language()
    except ImportError as error:
        return _fail(str(error))
    from archspec.errors import SpecError
    from archspec.expressions import ExpressionError
    from costmodel.cli import run

    try:
        status = run(arguments)
    except SpecError as error:
        return _fail(*error.messages)
    except ExpressionError as error:
        return _fail(str(error))
    except OverflowError:
        return _fail(_TOO_LARGE)
    return status if isinstance(status, int) else 0


def _fail(*messages: str) -> int:
    for message in messages:
        print(f"archcost: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
