"""A network's totals as a Python module: exact for integers of any size, needing nothing else."""

import keyword

from archspec.errors import visible
from costmodel.algebra.code import INFIX, Function, Language, Program
from costmodel.analysis.document import Document

_RESERVED = frozenset({*keyword.kwlist, "__debug__", "ValueError", "max", "min", "round_to"})

LANGUAGE = Language(
    number=str,
    binary={
        **INFIX,
        "floor_div": lambda a, b: f"({a}//{b})" if b.isalnum() else f"({a}//({b}))",
    },
    round_to=lambda over, under, divisor: f"round_to({over}, {under}, {divisor})",
    reserved=_RESERVED.__contains__,
)

ROUND_TO = '''
def round_to(over, under, divisor):
    """The multiple of divisor nearest to over/under, at least divisor and 90 % of over/under."""
    nearest = max(divisor, (2*over + under*divisor)//(2*under*divisor)*divisor)
    return nearest + divisor if 10*nearest*under < 9*over else nearest

'''


def render(document: Document) -> str:
    """One function per metric; what makes no valid network raises ValueError."""
    made = document.in_language(LANGUAGE)
    functions = "\n\n".join(_function(made, function) for function in made.functions)
    helper = ROUND_TO * ("round_to(" in functions)
    return f'"""{escaped(made.title)}"""\n{helper}\n\n{functions}'


def escaped(shown: str) -> str:
    """Return a text that stands between the quotes of a docstring as it is.

    No quote and no backslash of it is one of Python's, and it stays one line (see `visible`).
    """
    return visible(shown).replace("\\", "\\\\").replace('"', '\\"')


def _function(made: Program, function: Function) -> str:
    check = [
        f"    if not ({' and '.join(made.checks)}):",
        f"        raise ValueError({made.rule!r})",
    ]
    lines = [
        f"def {function.name}({', '.join(made.parameters.names)}):",
        f'    """{escaped(" ".join(function.about))}"""',
        *(check if made.checks else ()),
        f"    return {function.closed_form}",
    ]
    return "\n".join(lines) + "\n"
