"""The syntax of documents: comments, and how text, code and figures are written."""

import re
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from archspec.errors import SpecError, visible
from costmodel.render.latex import escaped as escaped_latex
from costmodel.render.latex import in_ascii
from costmodel.render.markdown import escaped as escaped_markdown
from costmodel.render.rst import escaped as escaped_rst


class Style(NamedTuple):
    """The comments of a document that are markers, and what stands between them.

    Attributes:
        name: what the style is called.
        around: what a line may begin with before the comment: spaces, signs of quotes and of items.
        begin: the rest of a line that begins a marker, with its ``command``.
        end: the rest of a line that ends one.
        marker: what looks like either; a line that does and is neither is an error.
        inline: a marker within a line, with its ``command`` and its ``text``.
        opens: what begins one, or is meant to.
        own: the format whose text stands as it is; all other text stands as code.
        is_spaced: whether what stands between markers is parted from them by empty lines.
        code: a text and the language that it is in → how it stands.
        figure: a path and what it shows → how it stands.
        comment: a text that no reader sees.
        text: a text within a line → how it stands.
    """

    name: str
    around: re.Pattern[str]
    begin: re.Pattern[str]
    end: re.Pattern[str]
    marker: re.Pattern[str]
    inline: re.Pattern[str]
    opens: re.Pattern[str]
    own: str
    is_spaced: bool
    code: Callable[[str, str], str]
    figure: Callable[[str, str], str]
    comment: Callable[[str], str]
    text: Callable[[str], str]


def fenced(text: str, language: str, around: Iterable[str] = ()) -> str:
    """Return a text within a fence that is longer than any in the text.

    Args:
        text: the lines within.
        language: the language that they are in.
        around: the fences of the directives around it, which it must not end.

    Raises:
        SpecError: every fence would.
    """
    around = list(around)
    for sign in "`~":
        longest = max(map(len, re.findall(f"{sign}+", text)), default=0)
        fence = sign * max(3, longest + 1)
        if not any(fence.startswith(outer) for outer in around):
            return f"{fence}{language}\n{text}{fence}\n"
    cause = f"a fence here would end the directives around it, which begin with {around}"
    raise SpecError(cause, hint="write theirs longer, as ````{note}")


_END_OF_LATEX = re.compile(r"\\end(?=\s*\{)")
"""The end of an environment; with the package ``verbatim`` spaces may stand before the brace."""


def _verbatim(text: str, language: str) -> str:  # noqa: ARG001 - LaTeX asks for no language
    inside = in_ascii(_END_OF_LATEX.sub(r"\\ end", text))  # which ends none
    return f"\\begin{{verbatim}}\n{inside}\\end{{verbatim}}\n"


def _code_block(text: str, language: str) -> str:
    lines = "".join(f"   {line}\n" if line else "\n" for line in text.splitlines())
    return f".. code-block:: {language}\n\n{lines}"


def _preformatted(text: str, language: str) -> str:
    return f'<pre><code class="language-{language}">{escape(text, quote=False)}</code></pre>\n'


def _markdown_figure(path: str, shown: str) -> str:
    return f"![{escaped_markdown(shown)}]({quote(path)})\n"


def _html_figure(path: str, shown: str) -> str:
    return f'<img src="{quote(path)}" alt="{escape(visible(shown))}">\n'


def _latex_figure(path: str, shown: str) -> str:
    if path.endswith(".svg"):
        cause = f"LaTeX prints no SVG, as {path}"
        raise SpecError(cause, hint="draw it with --plot into a .pdf")
    caption = escaped_latex(shown)
    return f"\\includegraphics[width=\\linewidth]{{{_plain(path)}}} % {caption}\n"


def _rst_figure(path: str, shown: str) -> str:
    return f".. image:: {_plain(path)}\n   :alt: {visible(shown)}\n"


PLAIN = re.compile(r"[\w./+@,=-]+")
"""A path that stands as it is in a page of every style."""


def _plain(path: str) -> str:
    """Return a path for a language that has no way to write a sign of its own within one.

    Raises:
        SpecError: it has such a sign.
    """
    if not PLAIN.fullmatch(path):
        cause = f"the path from this page to its figure, '{path}', cannot be written in it"
        hint = "letters, digits and . _ - / + @ , = make one; name the folder anew, or move one"
        raise SpecError(cause, hint=hint)
    return path


_Pattern = re.Pattern[str]
_Patterns = tuple[_Pattern, _Pattern, _Pattern, _Pattern, _Pattern, _Pattern]

_SPACES = r"[ \t]*"
_CONTAINERS = r"(?:[ \t]*(?:>|(?:[-+*:]|\d{1,9}[.)])(?=[ \t])))*[ \t]*"
"""The signs of quotes, items and definitions, and the spaces, that lead a line inside of them."""

_ITEMS = r"(?:[ \t]*(?:[-+*•]|#\.|\(?(?:\d{1,9}|[a-zA-Z])[.)])(?=[ \t]))*[ \t]*"
"""The same in reStructuredText, where cells of a list of rows are such items."""

_NONE = r"(?!)(?P<command>)(?P<text>)"
"""The pattern of a marker within a line where a style has none."""


def _patterns(
    before: str,
    after: str = "",
    command: str = ".*",
    *,
    around: str = _SPACES,
    inline: tuple[str, str] = (_NONE, _NONE),
) -> _Patterns:
    """Return the patterns of a style of comments, as `Style` has them.

    Args:
        before: what stands in front of the first word.
        after: what stands behind the last one.
        command: what the command may be.
        around: what a line may begin with.
        inline: a marker within a line, and what begins one.
    """
    return (
        re.compile(around),
        re.compile(rf"{before}archcost\s*:(?!:)(?P<command>{command}){after}\s*"),
        re.compile(rf"{before}/\s*archcost\s*{after}\s*"),
        re.compile(rf"{before}(?:archcost\s*:|/\s*archcost\b)"),
        re.compile(inline[0]),
        re.compile(inline[1]),
    )


_TO_END = "(?:(?!-->).)*"
_COMMENTS = (
    rf"<!--\s*archcost\s*:(?!:)(?P<command>{_TO_END})-->(?P<text>(?:(?!<!--).)*)"
    r"<!--\s*/\s*archcost\s*-->",
    r"<!--\s*(?:archcost\s*:|/\s*archcost\b)",
)
_MACRO = (
    r"\\archcost\s*\{(?P<command>[^{}]*)\}\s*\{(?P<text>(?:[^{}]|\{[^{}]*\})*)\}",
    r"(?<!\\)\\archcost\s*\{",
)

_MARKDOWN = _patterns(r"<!--\s*", "-->", _TO_END, around=_CONTAINERS, inline=_COMMENTS)
_HTML = _patterns(r"\s*<!--\s*", "-->", _TO_END, around="", inline=_COMMENTS)
_PERCENT = _patterns(r"\s*%+\s*", around="", inline=_MACRO)
_MYST = _patterns(r"%\s*", around=_CONTAINERS)
_DOTS = _patterns(r"\.\.\s+", around=_ITEMS)


_HTML_COMMENT = "<!-- {} -->\n".format
_PERCENT_COMMENT = "% {}\n".format

MARKDOWN = Style(
    "Markdown",
    *_MARKDOWN,
    *("markdown", True, fenced, _markdown_figure, _HTML_COMMENT, escaped_markdown),
)
MYST = Style(
    "MyST", *_MYST, "markdown", True, fenced, _markdown_figure, _PERCENT_COMMENT, escaped_markdown
)
HTML = Style("HTML", *_HTML, "html", False, _preformatted, _html_figure, _HTML_COMMENT, escape)
LATEX = Style(
    *("LaTeX", *_PERCENT, "latex", False),
    *(_verbatim, _latex_figure, _PERCENT_COMMENT, escaped_latex),
)
RST = Style(
    "reStructuredText",
    *(*_DOTS, "rst", True, _code_block, _rst_figure, ".. {}\n".format, escaped_rst),
)

BY_SUFFIX = {
    **dict.fromkeys((".md", ".markdown", ".qmd", ".rmd", ".ipynb"), (MARKDOWN, MYST)),
    **dict.fromkeys((".html", ".htm"), (HTML,)),
    **dict.fromkeys((".tex", ".latex", ".ltx", ".sty"), (LATEX,)),
    **dict.fromkeys((".rst", ".rest"), (RST,)),
}
"""The end of a path → the styles that its comments may have."""

OTHER = (MARKDOWN, LATEX, RST)
"""The styles of all other files."""


def styles_of(path: Path) -> tuple[Style, ...]:
    """Return the styles that may be found in a file."""
    return BY_SUFFIX.get(path.suffix.lower(), OTHER)
