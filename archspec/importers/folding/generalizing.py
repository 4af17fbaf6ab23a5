"""Lists of entries that differ in numbers alone → one list with names for these numbers.

The values of one number in all lists are a column. Equal columns of one sort share a name, and a
column that is always the same multiple of another is written as that multiple of its name, so that
a bottleneck needs ``channels`` alone for its ``channels`` and ``4*channels``. A padding that keeps
the size is written in terms of its kernel.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from archspec.expressions import ExpressionError, parse
from archspec.importers.calls import Field, Size
from archspec.importers.folding.drafts import Body, Item, Named
from archspec.importers.folding.forms import defaults_of, is_open
from archspec.importers.folding.naming import as_name, unused
from archspec.scope import Scope, resolve
from archspec.trees import Number, Truth

CHANNELS = frozenset(
    (
        *("out_channels", "out_features", "groups", "embedding_dim", "hidden_size", "num_groups"),
        *("channels", "features", "shape", "size", "num_heads"),
    )
)
"""Fields whose numbers are of one sort: a name for one may stand in another, as may multiples."""

_PLAINER = {
    "out_channels": "channels",
    "out_features": "features",
    "groups": "channels",
    "shape": "size",
    "shifts": "shift",
    "sizes": "size",
}
"""Field → what its number is called where it is not the field of the last such entry."""

Place = tuple[object, ...]
"""The way from a list of entries to a number in it."""

Column = tuple[Field | None, ...]
"""The values of one number in each of the lists."""


class General(NamedTuple):
    """The common form of some lists of entries, and the numbers in which they differ.

    Attributes:
        body: the common list, with names for numbers.
        columns: name → its value in each of the lists.
        defaults: name → the value that the kind has where none is given.
    """

    body: Body
    columns: Mapping[str, Column]
    defaults: Mapping[str, Field]


def generalized(bodies: Sequence[Body], taken: Iterable[str]) -> General:
    """Return lists of entries of one form as one.

    Args:
        bodies: the lists.
        taken: names that have a meaning where it will stand.
    """
    holes = [dict(numbers_in(body)) for body in bodies]
    places = [place for place in holes[0] if len({_key(hole[place]) for hole in holes}) > 1]
    columns = {place: tuple(hole[place] for hole in holes) for place in places}
    names = _Names(taken)
    ends = {_field(place): place for place in holes[0]}
    texts = names.texts(columns, ends.values())
    return General(filled(bodies[0], texts), names.columns, names.defaults)


def _key(value: object) -> tuple[str, object]:
    """Tell true from 1."""
    return type(value).__name__, value


def numbers_in(body: Body, place: Place = ()) -> Iterable[tuple[Place, Field]]:
    """Yield every number that may have a name, those that are not written included.

    Args:
        body: the list of entries.
        place: the way to it.
    """
    for i, item in enumerate(body.items):
        for name, default in defaults_of(item.kind).items():
            if name not in item.fields:
                yield (*place, i, name), default  # type: ignore[misc]
        for name, value in item.fields.items():
            yield from _in_value(value, (*place, i, name))
        for name, inner in item.bodies.items():
            for k, each in enumerate(inner):
                yield from numbers_in(each, (*place, i, name, k))


def _in_value(value: object, place: Place) -> Iterable[tuple[Place, Field]]:
    if isinstance(value, tuple) and not isinstance(value, Size | Named):
        for i, each in enumerate(value):
            yield from _in_value(each, (*place, i))
    elif is_open(value):
        yield place, value  # type: ignore[misc]


def filled(body: Body, texts: Mapping[Place, Size], place: Place = ()) -> Body:
    """Return a list of entries with names for numbers.

    Args:
        body: the list.
        texts: place → what stands for the number there.
        place: the way to it.
    """
    items = tuple(_with(item, texts, (*place, i)) for i, item in enumerate(body.items))
    return body._replace(items=items)


def _with(item: Item, texts: Mapping[Place, Size], place: Place) -> Item:
    fields = {n: _value(v, texts, (*place, n)) for n, v in item.fields.items()}
    absent = (name for name in defaults_of(item.kind) if name not in item.fields)
    fields |= {name: texts[*place, name] for name in absent if (*place, name) in texts}
    bodies = {
        name: tuple(filled(body, texts, (*place, name, k)) for k, body in enumerate(inner))
        for name, inner in item.bodies.items()
    }
    return item._replace(fields=fields, bodies=bodies)


def _value(value: Field | Named, texts: Mapping[Place, Size], place: Place) -> Field | Named:
    if isinstance(value, tuple) and not isinstance(value, Size | Named):
        return tuple(_value(each, texts, (*place, i)) for i, each in enumerate(value))
    return texts.get(place, value)


def _field(place: Place) -> str:
    """Return the field in which a number stands."""
    return [word for word in place if isinstance(word, str)][-1]


def _sort(field: str) -> str:
    """Return which numbers a name for a field's number may stand for, too."""
    stem = re.sub(r"\d+$", "", field).removeprefix("hidden_").rstrip("_")
    return "out_channels" if stem in CHANNELS else stem


class _Names:
    """Names for numbers, as few as say all of them."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = {*taken}
        self.columns: dict[str, Column] = {}
        self.defaults: dict[str, Field] = {}

    def texts(self, columns: Mapping[Place, Column], ends: Iterable[Place]) -> dict[Place, Size]:
        """Return the text for each number: a name, or a multiple of what a name stands for.

        Args:
            columns: place → the values there.
            ends: the last place of each field; what stands there is called by the field's name.
        """
        bases: dict[tuple[str, Column], list[tuple[Place, int]]] = {}
        found: dict[Place, tuple[Column, int]] = {}
        padded = {p: k for p in columns if (k := _kernel(p, columns)) is not None}
        rest = [place for place in columns if place not in padded]
        for place in sorted(rest, key=lambda p: _magnitude(columns[p])):
            column, sort = columns[place], _sort(_field(place))
            base, factor = column, 1
            for other, known in bases:
                ratio = _ratio(column, known) if other == sort else None
                if ratio and (ratio == 1 or sort == "out_channels"):
                    base, factor = known, ratio
                    break
            bases.setdefault((sort, base), []).append((place, factor))
            found[place] = base, factor
        named = self._named(bases, list(columns), ends)
        texts = {
            place: Size(_times(factor, named[_sort(_field(place)), base]))
            for place, (base, factor) in found.items()
        }
        half = {p: Size(f"({texts[kernel].text} - 1)//2") for p, kernel in padded.items()}
        return texts | half

    def _named(
        self,
        bases: Mapping[tuple[str, Column], list[tuple[Place, int]]],
        order: list[Place],
        ends: Iterable[Place],
    ) -> dict[tuple[str, Column], str]:
        """Return a name for each column."""
        named: dict[tuple[str, Column], str] = {}
        first = {
            key: min((_field(p) == "shape", order.index(p), p) for p, k in places if k == 1)
            for key, places in bases.items()
        }
        for key in sorted(bases, key=lambda k: first[k][1:]):
            field = _field(first[key][2])
            last = {place for place in ends if (place, 1) in bases[key]}
            if field in CHANNELS and last:
                field = _field(max(last, key=order.index))
            stem = field if last and field != "shape" else _PLAINER.get(field, field)
            name = unused(as_name(stem.rstrip("0123456789")), self.taken)
            self.taken.add(name)
            named[key] = name
            self.columns[name] = key[1]
            default = self._default(key[1])
            if default is not None:
                self.defaults[name] = default
        return named

    def _default(self, column: Column) -> Field | None:
        """Return a value that most lists have, where that is a small number."""
        common = max(column, key=column.count)
        if isinstance(common, bool) or common in (0, 1):
            return common if column.count(common) > 1 else None
        return None


def _kernel(place: Place, columns: Mapping[Place, Column]) -> Place | None:
    """Return the place of the kernel that a padding keeps the size for, if it always does."""
    kernel = (*place[:-1], "kernel_size")
    if place[-1] != "padding" or kernel not in columns:
        return None
    pairs = zip(columns[place], columns[kernel], strict=True)
    is_half = all(isinstance(k, int) and p == (k - 1) // 2 and k % 2 for p, k in pairs)
    return kernel if is_half else None


_ATOM = re.compile(r"(?:(\d+)\*)?([A-Za-z_]\w*(?:\([^()]*\))?)")


def _factored(value: Field | None) -> tuple[int, str]:
    """Return an integer factor of a value, and what it is a factor of: 6 and ``x`` of ``6*x``."""
    if type(value) is int:
        return value, ""
    text = value.text if isinstance(value, Size) else repr(value)
    atom = _ATOM.fullmatch(text)
    return (int(atom[1] or 1), atom[2]) if atom else (1, text)


def _magnitude(column: Column) -> tuple[int, int]:
    factors = [_factored(value) for value in column]
    return sum(bool(text) for _, text in factors), sum(factor for factor, _ in factors)


def _ratio(column: Column, base: Column) -> int | None:
    """Return how many times another column one is, where that is one integer."""
    if column == base and list(map(type, column)) == list(map(type, base)):
        return 1
    pairs = [(_factored(a), _factored(b)) for a, b in zip(column, base, strict=True)]
    if any(a[1] != b[1] or b[0] == 0 for a, b in pairs):
        return None
    (ratio, *others) = {Fraction(a[0], b[0]) for a, b in pairs}
    return int(ratio) if not others and ratio.denominator == 1 and ratio > 1 else None


def _times(factor: int, name: str) -> str:
    return name if factor == 1 else f"{factor}*{name}"


_PRODUCT = re.compile(r"(?<![\w.*/%])(\d+)\*\((\d+)\*(\w+(?:\([^()]*\))?)\)")


def _multiplied(match: re.Match[str]) -> str:
    """Return ``6*x`` for ``2*(3*x)``."""
    return f"{int(match[1]) * int(match[2])}*{match[3]}"


def substituted(value: object, arguments: Mapping[str, object]) -> object:
    """Return a field's value in which names stand for what is given.

    Args:
        value: the value.
        arguments: name → what it stands for.
    """
    if isinstance(value, Size):
        return _substituted(value.text, arguments)
    if isinstance(value, tuple) and not isinstance(value, Named):
        return tuple(substituted(each, arguments) for each in value)
    return value


def _substituted(text: str, arguments: Mapping[str, object]) -> object:
    if text in arguments:
        return arguments[text]
    if not any(re.search(rf"\b{name}\b", text) for name in arguments):
        return Size(text)

    def put(match: re.Match[str]) -> str:
        given = arguments.get(match[0], match[0])
        written = given.text if isinstance(given, Size) else str(given)
        return written if re.fullmatch(r"\w+", written) else f"({written})"

    new = _PRODUCT.sub(_multiplied, re.sub(r"[A-Za-z_]\w*", put, text))
    try:
        value = resolve(parse(new), Scope({}))
    except ExpressionError:
        return Size(new)
    return value.value if isinstance(value, Number | Truth) else Size(new)
