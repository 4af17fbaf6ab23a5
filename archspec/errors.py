"""The one exception of the project, and the place in a file that it points at."""

from collections.abc import Iterable
from typing import NamedTuple


class Origin(NamedTuple):
    """A place in a text: ``file:line:column``, lines and columns counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def shifted(self, columns: int) -> "Origin":
        """The place ``columns`` further right on the same line."""
        return self._replace(column=self.column + columns)


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
        self.cause = cause
        self.hint = hint
        self.origin = origin
        self.entry = entry

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


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A hint that names the nearest of the ``known`` names, or lists them where there are few."""
    from difflib import get_close_matches

    names = sorted(set(known))
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    if 0 < len(names) <= 16:
        return f"known here: {', '.join(names)}"
    return None
