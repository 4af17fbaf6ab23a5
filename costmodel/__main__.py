"""The script ``archcost``: runs the command line and turns every error into one message."""

import gc
import os
import signal
import sys
from errno import EBADF, EDQUOT, EFBIG, EIO, ENOSPC
from io import TextIOWrapper

gc.disable()  # a run is short: what it imports is no garbage
os.environ.setdefault("SYMPY_CACHE_SIZE", "100000")  # of 1,000, the laws of a network find none
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # a search of all distributions

from costmodel import require_own_language  # noqa: E402

_OF_OUTPUT = (EBADF, EIO, EFBIG, ENOSPC, EDQUOT)
"""Error numbers of an output that is closed, full or gone."""

_STOPS = ("SIGTERM", "SIGHUP")
"""The signals that end a run; not every system has the second."""

_TOO_LARGE = """\
a number is beyond 1.8e308, more than is shown in units or as a ratio
  hint: set smaller values, or ask for laws with --symbolic"""


def main() -> None:
    """Run the command line; exit status 0 good, 1 a check failed, 2 bad input, 128 + n stopped."""
    for number in signal.Signals:
        if number.name in _STOPS and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)  # not where nohup has it ignored
    _prepare_streams()
    try:
        status = run_words(sys.argv[1:])
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is dropped
        status = 0 if isinstance(error, BrokenPipeError) else _fail(_of_system(error))
    except KeyboardInterrupt:
        status = 130
    gc.freeze()  # nor is it worth a search for garbage at the end
    sys.exit(status)


def _prepare_streams() -> None:
    """Make sure that there are streams; one that is closed refuses what is written to it."""
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a sign that the terminal lacks is no error


def _of_system(error: OSError) -> str:
    """Say what the system refuses: to write the output, to use a file, or something else."""
    cause = error.strerror or str(error)
    if isinstance(error, FileNotFoundError) and error.filename is None:
        return "the folder that this is run from is not there any more"
    if error.filename is not None:
        return f"cannot use {error.filename}: {cause}"
    return f"cannot write the output: {cause}" if error.errno in _OF_OUTPUT else cause


def _stop(number: int, _: object) -> None:
    """End as an interrupt does, so that what is half written is removed.

    Raises:
        SystemExit: always; 143 where the process is terminated, 129 where its terminal is gone.
    """
    sys.exit(128 + number)


def run_words(arguments: list[str]) -> int:
    """Run the words of a command line; return its exit status."""
    try:
        require_own_language()
    except ImportError as error:
        print(f"archcost: {error}", file=sys.stderr)
        return 2
    if arguments[:1] == ["__complete"]:
        from costmodel.cli.completion import candidates

        print("".join(f"{each}\n" for each in candidates(" ".join(arguments[1:]))), end="")
        return 0
    from archspec.errors import SpecError
    from archspec.expressions import ExpressionError
    from costmodel.cli.plain import print_plain_report
    from costmodel.cli.tell import mark

    try:
        if print_plain_report(arguments):
            return 0
        from costmodel.cli.app import run

        status = run(arguments)
    except SpecError as error:
        if error.origin is not None:
            mark(error.origin.file, error.origin.line, error.cause)
        return _fail(*error.messages)
    except ExpressionError as error:
        return _fail(str(error))
    except OverflowError:
        return _fail(_TOO_LARGE)
    return status if isinstance(status, int) else 0


def _fail(*messages: str) -> int:
    from costmodel.cli.tell import tell_all

    tell_all(messages)
    return 2


if __name__ == "__main__":
    main()
