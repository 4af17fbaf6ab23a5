"""The report of one network as it is, which needs no parser of command lines."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from archspec.importers import find_source
from archspec.zoo import SUFFIXES, find_name, split_variant
from costmodel.algebra.sums import NoClosedFormError
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.loading import Setup, analyze
from costmodel.analysis.standing import warnings_of
from costmodel.cli.tell import tell_all

_T = TypeVar("_T")


def print_plain_report(words: Sequence[str]) -> bool:
    """Print the report of a network whose name alone is given; return whether that is so.

    To import the parser takes a third as long as all else that such a report needs.

    Args:
        words: the command line, without ``archcost``; ``--symbolic`` may follow the name.

    Raises:
        SpecError: the spec breaks a rule.
    """
    spec, symbolic = words[0] if words else "", list(words[1:]) == ["--symbolic"]
    if not (len(words) == 1 or symbolic) or not _is_spec(spec):
        return False
    from costmodel.render import TABLE, find_renderer
    from costmodel.studies.report import Report
    from costmodel.studies.report_document import document

    def shown(analysis: Analysis) -> str:
        return find_renderer(TABLE)(document(Report(analysis, symbolic=symbolic)))

    print(worked_out(spec, shown, Setup(), symbolic=symbolic), end="")
    return True


def _is_spec(word: str) -> bool:
    """Return whether a word is one network, of the zoo or in a file, and can be nothing else."""
    from costmodel.network.networks import names_several

    path = split_variant(word)[0]
    if word.startswith("-") or not (path.endswith(SUFFIXES) or find_name(path)):
        return False
    return find_source(word) is None and not names_several([word])


def worked_out(spec: str, work: Callable[[Analysis], _T], setup: Setup, *, symbolic: bool) -> _T:
    """Return the result of some work on a spec, done in numbers where a law is open.

    What the spec says without effect is told on stderr.

    Raises:
        SpecError: the spec or what is given breaks a rule, or a law that is needed is open.
    """
    analysis = _analysis(spec, setup, numbers_suffice=not symbolic)
    try:
        return work(analysis)
    except NoClosedFormError:
        if symbolic or setup.assume or not analysis.symbols:
            raise
    values = {name: str(value) for name, value in analysis.graph.values.items()}
    return work(_analysis(spec, setup._replace(settings=values), numbers_suffice=True))


def _analysis(spec: str, setup: Setup, *, numbers_suffice: bool) -> Analysis:
    analysis = analyze(spec, **setup._asdict(), numbers_suffice=numbers_suffice)
    tell_all(warnings_of([analysis]))
    return analysis
