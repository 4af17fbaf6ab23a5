"""The syntax of documents: comments, and how text, code and figures are written."""

import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from archspec.errors import SpecError, visible
from costmodel.render.latex import escaped as escaped_latex
from costmodel.render.markdown import escaped as escaped_markdown


class Style(NamedTuple):
    """The comments of a document that are markers, and what stands between them.

    Attributes:
        name: what the style is called.
        begin: a line that begins a marker, with its ``command``.
        end: a line that ends one.
        marker: what looks like either; a line that does and is neither is an error.
        own: the format whose text stands as it is; all other text stands as code.
        is_spaced: whether what stands between markers is parted from them by empty lines.
        code: a text and the language that it is in → how it stands.
        figure: a path and what it shows → how it stands.
        comment: a text that no reader sees.
    """

    name: str
    begin: re.Pattern[str]
    end: re.Pattern[str]
    marker: re.Pattern[str]
    own: str
    is_spaced: bool
    code: Callable[[str, str], str]
    figure: Callable[[str, str], str]
    comment: Callable[[str], str]


def _fenced(text: str, language: str) -> str:
    """Return a text within a fence that is longer than any in the text."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}{fence}\n"


_END_OF_LATEX = re.compile(r"\\end(?=\s*\{)")
"""The end of an environment; with the package ``verbatim`` spaces may stand before the brace."""


def _verbatim(text: str, language: str) -> str:  # noqa: ARG001 - LaTeX asks for no language
    inside = _END_OF_LATEX.sub(r"\\ end", text)  # which ends none
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


_Patterns = tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]


def _patterns(before: str, after: str = "", command: str = ".*") -> _Patterns:
    """Return the patterns of a style of comments: its beginning, its end, and what looks so.

    Args:
        before: what stands in front of the first word.
        after: what stands behind the last one.
        command: what the command may be.
    """
    return (
        re.compile(rf"{before}archcost\s*:(?!:)(?P<command>{command}){after}\s*"),
        re.compile(rf"{before}/\s*archcost\s*{after}\s*"),
        re.compile(rf"{before}(?:archcost\s*:|/\s*archcost\b)"),
    )


_HTML = _patterns(r" {0,3}<!--\s*", "-->", "(?:(?!-->).)*")
_PERCENT = _patterns(r"\s*%+\s*")
_MYST = _patterns(r" {0,3}%\s*")
_DOTS = _patterns(r"\.\.\s+")


_HTML_COMMENT = "<!-- {} -->\n".format
_PERCENT_COMMENT = "% {}\n".format

MARKDOWN = Style("Markdown", *_HTML, "markdown", True, _fenced, _markdown_figure, _HTML_COMMENT)
MYST = Style("MyST", *_MYST, "markdown", True, _fenced, _markdown_figure, _PERCENT_COMMENT)
HTML = Style("HTML", *_HTML, "html", False, _preformatted, _html_figure, _HTML_COMMENT)
LATEX = Style("LaTeX", *_PERCENT, "latex", False, _verbatim, _latex_figure, _PERCENT_COMMENT)
RST = Style("reStructuredText", *_DOTS, "rst", True, _code_block, _rst_figure, ".. {}\n".format)

BY_SUFFIX = {
    **dict.fromkeys((".md", ".markdown", ".qmd", ".rmd"), (MARKDOWN, MYST)),
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
