"""The lines of a page that show text as it is, in which a marker is a text like any other."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from costmodel.docs.styles import LATEX, MARKDOWN, RST, Style

_VERBATIM = re.compile(r"\\begin\{(verbatim\*?|Verbatim|lstlisting|minted|comment)\}")

_DIRECTIVE = re.compile(r"(?P<before>[\s>*+\d.)-]*)(?P<fence>`{3,}|~{3,})\s*\{(?P<name>[\w:.-]+)\}")
"""A fence of MyST, whose content is Markdown again."""

_FENCE = re.compile(r"[\s>*+\d.)-]*(?P<fence>`{3,}|~{3,})(?P<info>.*?)\s*$")
"""A line that begins or ends a fence."""

_ADMONITION = re.compile(r"(?P<indent>[ \t]*)(?:!!!|\?\?\?\+?|===[!+]?)\s+\S")
"""A block of mkdocs, whose content is indented by four spaces."""

_DEFINITION = re.compile(r"([\s>*+-]*):(?=[ \t]+\S)")
"""The beginning of a definition, which holds what an item of a list does."""

_LITERAL = frozenset(
    (
        *("code", "code-block", "code-cell", "sourcecode", "literalinclude", "parsed-literal"),
        *("raw", "math", "highlight", "mermaid", "prompt", "ipython", "doctest", "eval-rst"),
        *("testcode", "testoutput", "testsetup"),
    )
)
"""The directives that show or run what they hold."""

_LITERAL_RST = re.compile(
    rf"(?P<indent>[ \t]*)(?:\.\.\s+(?:{'|'.join(map(re.escape, sorted(_LITERAL)))})::"
    r"|(?!\.\.\s).*::\s*$|\.\.\s*$)"
)
"""A line of reStructuredText behind which what is indented further is shown as it is."""

_PARTS_OF_LINES = re.compile(
    r"\\.|(?P<code>(?<!`)(?P<fence>`+)(?!`).+?(?<!`)(?P=fence)(?!`))|(?P<comment><!--.*?-->)",
    re.DOTALL,
)
"""Escaped signs, code and comments within lines, of which the first to begin is the one meant."""


class Shown(NamedTuple):
    """The lines of a page, by their numbers from 0, in which a marker is no marker.

    Attributes:
        code: those that are meant to show text: fences, verbatim environments, literal blocks.
        indented: code by its indentation alone, which may be an accident.
        comments: in Markdown, those on which a comment is a block; None where every line may be.
    """

    code: frozenset[int] = frozenset()
    indented: frozenset[int] = frozenset()
    comments: frozenset[int] | None = None

    def is_code(self, number: int) -> bool:
        """Return whether a line is code."""
        return number in self.code or number in self.indented


def shown_lines(texts: Sequence[str], styles: tuple[Style, ...]) -> Shown:
    """Return the lines that show text as it is.

    In Markdown these are fences and indented code (CommonMark 0.31, sections 4.4 and 4.5), but not
    the content of directives of MyST and blocks of mkdocs; in LaTeX the environments that print
    what they hold, in reStructuredText literal blocks.
    """
    if MARKDOWN in styles:
        return _of_markdown(texts)
    if LATEX in styles:
        return Shown(frozenset(_verbatim(texts)))
    return Shown(frozenset(_literal(texts) if RST in styles else ()))


def _of_markdown(texts: Sequence[str]) -> Shown:
    if not any("archcost" in text for text in texts):
        return Shown()
    from markdown_it import MarkdownIt

    kinds: dict[str, set[int]] = {"fence": set(), "code_block": set(), "html_block": set()}
    plain = "\n".join(text.replace("\r", " ") for text in _opened(texts))
    for token in MarkdownIt("commonmark").disable("inline").parse(plain):
        if token.type in kinds and token.map:
            kinds[token.type].update(range(*token.map))
    return Shown(*(frozenset(lines) for lines in kinds.values()))


def fences_around(texts: Sequence[str], number: int) -> tuple[str, ...]:
    """Return the fences of the directives that a line of Markdown is in, the outermost first."""
    fences: list[str] = []
    for text in texts[:number]:
        if (fence := _FENCE.match(text)) is None:
            continue
        ended = [] if fence["info"] else [f for f in fences if fence["fence"].startswith(f)]
        if ended:
            del fences[fences.index(ended[0]) :]
        elif _DIRECTIVE.match(text):
            fences.append(fence["fence"])
    return tuple(fences)


def _opened(texts: Sequence[str]) -> list[str]:
    """Return the lines with what directives and blocks hold as part of the page around them."""
    lines = list(texts)
    for number, line in enumerate(lines):
        if (fence := _DIRECTIVE.match(line)) and fence["name"] not in _LITERAL:
            sign, least = fence["fence"][0], len(fence["fence"])
            lines[number] = fence["before"]
            is_end = re.compile(rf"[\s>]*{sign}{{{least},}}\s*")
            after = range(number + 1, len(lines))
            end = next((n for n in after if is_end.fullmatch(lines[n])), None)
            if end is not None:
                lines[end] = lines[end].rstrip().rstrip(sign)
        elif definition := _DEFINITION.match(line):
            lines[number] = f"{definition[1]}-{line[definition.end(1) + 1 :]}"
        elif block := _ADMONITION.match(line):
            indent = block["indent"]
            for inside in range(number + 1, len(lines)):
                text = lines[inside]
                if text.strip() and not text.startswith(indent + " " * 4):
                    break
                lines[inside] = indent + text[len(indent) + 4 :]
    return lines


def _verbatim(texts: Iterable[str]) -> Iterator[int]:
    end = ""
    for number, text in enumerate(texts):
        if not end and (match := _VERBATIM.search(text)):
            end = f"\\end{{{match[1]}}}"
        if end:
            yield number
        end = "" if end in text else end


def _literal(texts: Iterable[str]) -> Iterator[int]:
    """Yield the lines that are indented further than one which begins a literal block."""
    deeper: int | None = None
    for number, text in enumerate(texts):
        if not text.strip():
            continue
        indent = len(text) - len(text.lstrip())
        if deeper is not None and indent > deeper:
            yield number
            continue
        deeper = indent if _LITERAL_RST.match(text) else None


def hidden_within(texts: Sequence[str], number: int) -> list[tuple[int, int]]:
    """Return where code and escaped signs begin and end in a line of Markdown or HTML."""
    first, last = number, number + 1
    while first and texts[first - 1].strip():
        first -= 1
    while last < len(texts) and texts[last].strip():
        last += 1
    start = sum(len(text) + 1 for text in texts[first:number])
    found = _PARTS_OF_LINES.finditer("\n".join(texts[first:last]))
    spans = (part.span() for part in found if not part["comment"])
    return [(a - start, b - start) for a, b in spans]
