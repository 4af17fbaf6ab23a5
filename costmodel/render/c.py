"""A network's totals as C: 64-bit integers, every operation checked, nothing else needed."""

import re
from functools import partial

from archspec.errors import SpecError, visible
from costmodel.algebra.code import Function, Language, Program
from costmodel.analysis.document import Document

_KEYWORDS = (
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while bool true false result ok value "
    "alignas alignof asm constexpr nullptr static_assert thread_local typeof typeof_unqual main "
    "linux unix i386 mips sparc sun NULL"
)
_OPERATIONS = ("add", "sub", "mul", "floor_div")
_CHOICES = ("max", "min")


_RESERVED = frozenset({*_KEYWORDS.split(), *_OPERATIONS, *_CHOICES, "round_to"})

_KEPT = re.compile(r"_.*|u?int\w*_t|[A-Z][A-Z0-9_]*_(MIN|MAX|WIDTH|C)")
"""Names that C keeps for itself and for its headers, and the macros of ``stdint.h``."""


def _number(value: int) -> str:
    if value.bit_length() > 63:
        raise SpecError(f"{value:,} is too large for 64 bits", hint="use --format python")
    return f"INT64_C({value})"


def _checked(name: str, a: str, b: str) -> str:
    return f"{name}({a}, {b}, &ok)"


def _chosen(name: str, a: str, b: str) -> str:
    return f"{name}({a}, {b})"


LANGUAGE = Language(
    number=_number,
    binary={
        **{name: partial(_checked, name) for name in _OPERATIONS},
        **{name: partial(_chosen, name) for name in _CHOICES},
    },
    round_to=lambda over, under, divisor: f"round_to({over}, {under}, {divisor}, &ok)",
    reserved=lambda name: bool(_KEPT.fullmatch(name)) or name in _RESERVED,
)

HEAD = """\
#include <stdbool.h>
#include <stdint.h>

/* What leaves 64 bits makes *ok false; what is worked out from it then means nothing. */
static inline int64_t add(int64_t a, int64_t b, bool *ok) {
    int64_t c;
    *ok &= !__builtin_add_overflow(a, b, &c);
    return c;
}

static inline int64_t sub(int64_t a, int64_t b, bool *ok) {
    int64_t c;
    *ok &= !__builtin_sub_overflow(a, b, &c);
    return c;
}

static inline int64_t mul(int64_t a, int64_t b, bool *ok) {
    int64_t c;
    *ok &= !__builtin_mul_overflow(a, b, &c);
    return c;
}

static inline int64_t floor_div(int64_t a, int64_t b, bool *ok) {
    *ok &= b > 0;
    return b > 0 ? a / b - (a % b < 0) : 0;
}

static inline int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }

static inline int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }

/* The multiple of d nearest to a/b, halves up, at least d and at least 90 % of a/b. */
static inline int64_t round_to(int64_t a, int64_t b, int64_t d, bool *ok) {
    int64_t half = add(mul(2, a, ok), mul(b, d, ok), ok);
    int64_t near = max(d, mul(floor_div(half, mul(2, mul(b, d, ok), ok), ok), d, ok));
    return mul(10, mul(near, b, ok), ok) < mul(9, a, ok) ? add(near, d, ok) : near;
}
"""


def render(document: Document) -> str:
    """One function per metric: false where the result is no 64-bit number of a valid network."""
    made = document.in_language(LANGUAGE)
    functions = "\n".join(_function(made, function) for function in made.functions)
    return f"/* {escaped(made.title)}; {escaped(made.rule)} */\n{HEAD}\n{functions}"


def escaped(shown: str) -> str:
    """Return a text that stays in a comment: it neither ends it nor begins another.

    It stays one line (see `visible`), and no backslash joins that to the next.
    """
    return visible(shown).replace("*/", "* /").replace("/*", "/ *").replace("\\", "\\ ")


def _function(made: Program, function: Function) -> str:
    arguments = [*(f"int64_t {name}" for name in made.parameters.names), "int64_t *result"]
    lines = [
        f"/* {escaped(' '.join(function.about))} */",
        f"bool {function.name}({', '.join(arguments)}) {{",
        "    bool ok = true;",
        f"    ok &= {' && '.join(made.checks) or 'true'};",
        "    if (!ok) return false;",
        f"    int64_t value = {function.closed_form};",
        "    if (ok) *result = value;",
        "    return ok;",
        "}",
    ]
    return "\n".join(lines) + "\n"
