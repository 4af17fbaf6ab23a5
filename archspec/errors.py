"""The one exception of the project, and the place in a file that it points at."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from typing import Any, NamedTuple, TypeVar
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
    once. Where several rules are broken that have nothing to do with each other, one error stands
    for all of them: its own fields are those of the first.

    Attributes:
        cause: the value and the rule it breaks.
        hint: the nearest right thing, or None.
        origin: where it stands, or None where there is no file.
        entry: the layer or field it belongs to, or None.
        subject: what it is about wherever that stands, as a name without a meaning; of several
            errors about one subject only the first is told. None where the place matters.
        others: the errors that are raised together with this one.
    """

    def __init__(
        self,
        cause: str,
        *,
        hint: str | None = None,
        origin: Origin | None = None,
        entry: str | None = None,
        subject: str | None = None,
    ) -> None:
        super().__init__(cause)
        self.cause = printable(cause)
        self.hint = printable(hint, MAX_HINT) if hint else None
        self.origin = origin
        self.entry = printable(entry) if entry else None
        self.subject = subject
        self.others: tuple[SpecError, ...] = ()

    @property
    def errors(self) -> tuple["SpecError", ...]:
        """Every error that is raised together with this one, itself first."""
        return (self, *self.others)

    def placed(self, origin: Origin | None, entry: str | None = None) -> "SpecError":
        """The same error with what it does not know yet filled in."""
        return self.replaced(origin=self.origin or origin, entry=self.entry or entry)

    def replaced(self, **otherwise: Any) -> "SpecError":
        """The same error with another hint, origin or entry.

        Args:
            otherwise: what is another, by its name.
        """
        same = {name: getattr(self, name) for name in ("hint", "origin", "entry", "subject")}
        error = SpecError(self.cause, **(same | otherwise))
        error.others = self.others
        return error

    @property
    def messages(self) -> tuple[str, ...]:
        """One text for each of the first errors, and one that counts those that are left out."""
        shown = tuple(error.message for error in self.errors[:MAX_SHOWN])
        left = len(self.errors) - len(shown)
        return (*shown, f"and {left} more error{'s' * (left > 1)}") if left else shown

    def __str__(self) -> str:
        return "\n".join(self.messages)

    @property
    def message(self) -> str:
        """This error alone: place, entry and cause on one line, the hint on the next."""
        place = f"{self.origin}: " if self.origin else ""
        entry = f"{self.entry}: " if self.entry else ""
        hint = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{place}{entry}{self.cause}{hint}"


class FinalError(SpecError):
    """A limit is broken, so that nothing else of the spec is looked at."""


MAX_SHOWN = 10
"""The most errors of one spec whose texts are shown."""

MAX_GATHERED = 100
"""The most errors of one spec that are looked for."""

MAX_MET = 500
"""The most errors that are met, those counted that follow from others."""


class Gathered:
    """The errors of one pass over a spec, raised together at its end.

    Attributes:
        found: the errors, in the order in which they were met.
        met: how many there were, those counted that say no more than another.
    """

    def __init__(self) -> None:
        self.found: list[SpecError] = []
        self.met = 0
        self._seen: set[object] = set()

    def excuse(self, subject: str) -> None:
        """Leave out errors about a subject, since they would follow from one that is told.

        Args:
            subject: the subject (see `SpecError`).
        """
        self._seen.add(subject)

    def excused_outputs(self, path: str) -> str | None:
        """Return the subject that is excused of a tensor's path: its own, or of a group around."""
        groups = accumulate(path.split("/"), "{}/{}".format)
        return next((s for s in map("outputs {}".format, groups) if s in self._seen), None)

    def add(self, error: SpecError) -> None:
        """Keep an error, and those that come with it.

        Raises:
            FinalError: there are so many that no more are looked for.
        """
        errors, error.others = error.errors, ()
        for each in errors:
            self._keep(each)
        if len(self.found) >= MAX_GATHERED or self.met >= MAX_MET:
            raise FinalError("so many errors that the rest of the spec is not looked at")

    def _keep(self, error: SpecError) -> None:
        """Keep an error that says more than those that are kept."""
        self.met += 1
        key = error.subject or (error.cause, error.origin, error.entry)
        if key not in self._seen:
            self._seen.add(key)
            self.found.append(error)

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Keep the error that ends the body, so that what follows it is looked at, too."""
        try:
            yield
        except FinalError:
            raise
        except SpecError as error:
            self.add(error)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Raise all gathered errors as one where the ``with`` block ends.

        Raises:
            SpecError: something was gathered, or ends the body.
        """
        try:
            with self.gathering():
                yield
        except FinalError as error:
            self._keep(error)
        if self.found:
            first = self.found[0]
            first.others = tuple(self.found[1:])
            raise first from None
        if self.met:
            raise LookupError("an error is left out that follows from none that is told")


MAX_NAMES = 2_000  # among more, the nearest is not looked for
T = TypeVar("T")

MAX_TEXT, MAX_HINT = 400, 900  # characters of a cause, and of a hint with shapes in it


def printable(text: str, most: int = MAX_TEXT) -> str:
    """Return a text as one short line that commands no terminal."""
    return visible(text) if len(text) <= most else f"{visible(text[:most])}…"


def visible(
    text: str, *, keep: str = "", write: Callable[[str], str] = lambda sign: ascii(sign)[1:-1]
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
        is_seen = (sign.isprintable() and sign not in _FILLERS) or category(sign) == "Zs"
        return sign if is_seen or sign in keep else write(sign)

    return _NOT_ASCII.sub(spelled, text)


_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
"""Letters and marks without a shape. Source: Unicode 15, Default_Ignorable_Code_Point."""

_NOT_ASCII = re.compile(r"[^ -~]")
"""Matches a character outside of printable ASCII; only those may be invisible."""


def find_named(kind: str, name: str, known: Mapping[str, T]) -> T:
    """Return the value that a name stands for, or raise an error that suggests the nearest name.

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
    """A hint that names the nearest of the other ``known`` names, or lists them if they are few."""
    names = sorted({*known} - {name})
    near = nearest(name, names)
    if near:
        return f"did you mean '{near}'?"
    if 0 < len(names) <= 16:
        return f"known here: {', '.join(names)}"
    return None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the one of the ``known`` names that is most like another, or None if none is."""
    from difflib import get_close_matches

    names = sorted(set(known))
    if len(names) > MAX_NAMES:
        return None
    lower = {known_name.lower(): known_name for known_name in names}
    near = get_close_matches(name[:100].lower(), lower, n=1, cutoff=0.6)
    return lower[near[0]] if near else None
