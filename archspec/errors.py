"""The one exception of the project, and the place in a file that it points at."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar
from unicodedata import category


class Origin(NamedTuple):
    """A place in a text: ``file:line:column``, lines and columns counted from 1.

    ``movable`` says whether what stands there is on one line, so that columns can be added.
    """

    file: str
    line: int
    column: int
    movable: bool = True

    def __str__(self) -> str:
        return f"{visible(self.file)}:{self.line}:{self.column}"

    def shifted(self, columns: int) -> "Origin":
        """The place ``columns`` further right on the same line."""
        return self._replace(column=self.column + columns) if self.movable else self


class SpecError(ValueError):
    """Something a person wrote breaks a rule.

    Inner code raises it with a short cause; the door that knows the place adds origin and entry
    once.

    Attributes:
        cause: the value and the rule it breaks.
        hint: the nearest right thing, or None.
        origin: where it stands, or None where there is no file.
        entry: the layer or field it belongs to, or None.
    """

    def __init__(
        self,
        cause: str,
        *,
        hint: str | None = None,
        origin: Origin | None = None,
        entry: str | None = None,
    ) -> None:
        super().__init__(cause)
        self.cause = printable(cause)
        self.hint = printable(hint, MAX_HINT) if hint else None
        self.origin = origin
        self.entry = printable(entry) if entry else None

    def placed(self, origin: Origin | None, entry: str | None = None) -> "SpecError":
        """The same error with what it does not know yet filled in."""
        return SpecError(
            self.cause,
            hint=self.hint,
            origin=self.origin or origin,
            entry=self.entry or entry,
        )

    def __str__(self) -> str:
        place = f"{self.origin}: " if self.origin else ""
        entry = f"{self.entry}: " if self.entry else ""
        hint = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{place}{entry}{self.cause}{hint}"


MAX_NAMES = 2_000  # among more, the nearest is not looked for
T = TypeVar("T")

MAX_TEXT, MAX_HINT = 400, 900  # characters of a cause, and of a hint with shapes in it


def printable(text: str, most: int = MAX_TEXT) -> str:
    """Return a text as one short line that commands no terminal."""
    return visible(text) if len(text) <= most else f"{visible(text[:most])}…"


def visible(
    text: str, *, keep: str = "", write: Callable[[str], str] = lambda sign: repr(sign)[1:-1]
) -> str:
    r"""Return a text on one line, with every sign that a terminal would obey or hide spelled out.

    These are the controls (an escape becomes ``\x1b``, a line feed ``\n``), the signs that turn the
    direction of writing (``\u202e``), other invisible ones, and halves of characters. Spaces of
    every width stay.

    Args:
        text: the text.
        keep: signs that stay as they are.
        write: how such a sign is spelled.
    """

    def spelled(found: re.Match[str]) -> str:
        sign = found.group()
        is_seen = sign in keep or sign.isprintable() or category(sign) == "Zs"
        return sign if is_seen else write(sign)

    return _NOT_ASCII.sub(spelled, text)


_NOT_ASCII = re.compile(r"[^ -~]")
"""What is no printable sign of ASCII, which all are seen."""


def find_named(kind: str, name: str, known: Mapping[str, T]) -> T:
    """What has a name among the known.

    Args:
        kind: what it is, for the error.
        name: the name.
        known: name → thing.

    Raises:
        SpecError: nothing has that name.
    """
    if name not in known:
        raise SpecError(f"unknown {kind} '{name}'", hint=did_you_mean(name, known))
    return known[name]


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A hint that names the nearest of the ``known`` names, or lists them where there are few."""
    from difflib import get_close_matches

    names = sorted(set(known))
    if len(names) > MAX_NAMES:
        return None
    lower = {known_name.lower(): known_name for known_name in names}
    near = get_close_matches(name[:100].lower(), lower, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{lower[near[0]]}'?"
    if 0 < len(names) <= 16:
        return f"known here: {', '.join(names)}"
    return None
