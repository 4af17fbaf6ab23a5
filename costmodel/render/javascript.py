"""A network's totals as a JavaScript module: BigInt, exact at every size, nothing else needed."""

from json import dumps

from archspec.errors import visible
from costmodel.algebra.code import INFIX, Function, Language, Program
from costmodel.analysis.document import Document

_KEYWORDS = (
    "await break case catch class const continue debugger default delete do else enum export "
    "extends false finally for function if implements import in instanceof interface let new null "
    "package private protected public return static super switch this throw true try typeof var "
    "void while with yield arguments eval undefined BigInt RangeError floorDiv max min roundTo"
)

LANGUAGE = Language(
    number=lambda value: f"{value}n",
    binary={
        **INFIX,
        "floor_div": lambda a, b: f"floorDiv({a}, {b})",
    },
    round_to=lambda over, under, divisor: f"roundTo({over}, {under}, {divisor})",
    reserved=frozenset(_KEYWORDS.split()).__contains__,
    equals="===",
)

HEAD = """\
const floorDiv = (a, b) => a / b - (a % b < 0n ? 1n : 0n);
const max = (a, b) => (a > b ? a : b);
const min = (a, b) => (a < b ? a : b);
// The multiple of d nearest to a/b, halves up, at least d and at least 90 % of a/b.
const roundTo = (a, b, d) => {
  const nearest = max(d, floorDiv(2n*a + b*d, 2n*b*d)*d);
  return 10n*nearest*b < 9n*a ? nearest + d : nearest;
};
"""


def render(document: Document) -> str:
    """One function per metric; what makes no valid network throws RangeError."""
    made = document.in_language(LANGUAGE)
    functions = "\n".join(_function(made, function) for function in made.functions)
    return f"// {escaped(made.title)}\n{HEAD}\n{functions}"


def escaped(shown: str) -> str:
    """Return a text that stays in the comment of a line, also where a page holds the script.

    It stays one line (see `visible`), and no ``</script>`` and no ``-->`` is in it.
    """
    return visible(shown).replace("</", "< /").replace("-->", "-- >").replace("<!--", "< !--")


def _function(made: Program, function: Function) -> str:
    names = ", ".join(made.parameters.names)
    valid = " && ".join(made.checks) or "true"
    lines = [
        *(f"// {escaped(line)}" for line in function.about),
        f"export function {function.name}({names}) {{",
        f"  [{names}] = [{names}].map(BigInt);",
        f"  if (!({valid})) throw new RangeError({dumps(made.rule)});",
        f"  return {function.closed_form};",
        "}",
    ]
    return "\n".join(lines) + "\n"
