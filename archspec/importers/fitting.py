"""Several networks of one factory → one draft, whose numbers are formulas of the parameters."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import chain
from typing import NamedTuple

from archspec.errors import SpecError
from archspec.importers.calls import Call, Field, Network, Real, Size
from archspec.importers.drafts import Body, Draft
from archspec.importers.folding import Folded, drafted, folded
from archspec.importers.forms import defaults_of, form_of
from archspec.importers.formula_search import Formula, Points, formulas, multiples, shares
from archspec.importers.generalizing import filled, numbers_in, substituted
from archspec.importers.naming import as_name, unused

Given = Mapping[str, int | float]
"""Parameter of a factory → its value."""

Make = Callable[[Given], Network]
"""Makes the network of some values; a `SpecError` where a value makes none."""

ROUNDS = 4
"""How often values that refute a formula are learned from."""

HELD_OUT = 2
"""The values, not used to find the formulas, that they are verified at."""

Place = tuple[object, ...]


class Fitted(NamedTuple):
    """A network with symbols for parameters of its factory, and its entries.

    Attributes:
        network: the network at the values that are the symbols' defaults.
        draft: its entries.
    """

    network: Network
    draft: Draft


def fit(make: Make, vary: Mapping[str, Sequence[int | float]]) -> Fitted:
    """Return the network of all values of some parameters.

    The last value of each is the symbol's default. Formulas are found at the values that are given
    and at some between and beyond them, and verified at others.

    Args:
        make: makes the network of some values.
        vary: parameter → values of it.

    Raises:
        SpecError: a number follows no formula that is known, or the networks differ in more than
            numbers and in how often their parts stand.
    """
    return _Fit(make, {name: [*map(exact, values)] for name, values in vary.items()}).fitted()


def exact(value: float) -> Fraction:
    """Return the decimal that a person wrote.

    Args:
        value: a number.
    """
    return Fraction(str(value))


class _Fit:
    """The networks that were made, and what follows from them."""

    def __init__(self, make: Make, values: Mapping[str, list[Fraction]]) -> None:
        for name, given in values.items():
            if len({*given}) < 2:
                raise SpecError(f"--vary {name} has one value", hint=f"as {name}=1,2,4")
        self.make = make
        self.values = values
        self.base = {name: given[-1] for name, given in values.items()}
        self.made: dict[tuple[Fraction, ...], Network | None] = {}
        first = self.network({})
        if first is None:
            raise SpecError("the factory makes no network of the last values")
        self.first = first
        taken = {*first.symbols}
        self.symbols = {name: unused(as_name(name), taken) for name in values}

    def network(self, changed: Mapping[str, Fraction]) -> Network | None:
        """The network of some values, the others at the base; None where they make none."""
        point = {**self.base, **changed}
        key = tuple(point.values())
        if key not in self.made:
            given = {
                n: int(v) if v.denominator == 1 and self._whole(n) else float(v)
                for n, v in point.items()
            }
            try:
                self.made[key] = self.make(given)
            except SpecError:
                if all(value in self.values[name] for name, value in point.items()):
                    raise
                self.made[key] = None
        return self.made[key]

    def _whole(self, name: str) -> bool:
        return all(value.denominator == 1 for value in self.values[name])

    def fitted(self) -> Fitted:
        """Find formulas, check them at other values, and learn from those that refute them."""
        used = {name: [*values] for name, values in self.values.items()}
        for name in used:
            used[name] += self._unseen(name, used[name], max(0, 4 - len({*used[name]})))
        error = SpecError("")
        for _ in range(ROUNDS):
            found = self._found(used)
            held = {name: self._unseen(name, used[name], HELD_OUT) for name in used}
            try:
                self._verify(found, held)
            except SpecError as refuted:
                error = refuted
                used = {name: [*values, *held[name]] for name, values in used.items()}
                continue
            return self._written(found)
        raise error

    def _unseen(self, name: str, used: Sequence[Fraction], most: int) -> list[Fraction]:
        """Return values of a parameter that were not used yet and that make a network."""
        tried = probes(self.values[name], whole=self._whole(name))
        found: list[Fraction] = []
        for value in tried:
            if len(found) == most:
                break
            if value not in used and self.network({name: value}) is not None:
                found.append(value)
        return found

    def _found(self, used: Mapping[str, Sequence[Fraction]]) -> Folded:
        """Return the folded network, with formulas that fit the values that are used."""
        deep = [n for n in used if any(not self._is_alike({n: v}) for v in used[n])]
        wide = {name: values for name, values in used.items() if name not in deep}
        network = _Numbers(self, wide).fitted()
        found = folded(network)
        for name in deep:
            found = self._deepened(found, name, used[name])
        return found

    def _is_alike(self, changed: Mapping[str, Fraction]) -> bool:
        other = self.network(changed)
        return other is None or _kinds(other) == _kinds(self.first)

    def _deepened(self, found: Folded, name: str, values: Sequence[Fraction]) -> Folded:
        """Return a folded network in which what stands more often stands as often as a formula says."""
        base = folded(self.first)
        if _form(base) != _form(found):
            cause = f"at the last values parts are equal that are not at all values of {name}"
            raise SpecError(cause, hint="give other values as the last")
        columns: dict[Place, dict[Fraction, Fraction]] = {}
        for value in dict.fromkeys(values):
            network = self.network({name: value})
            if network is None:
                continue
            other = folded(network)
            if _form(other) != _form(base):
                cause = (
                    f"the networks of {name} = {_show(self.base[name])} and {_show(value)} differ"
                )
                told = "in more than in numbers and in how often a part stands"
                raise SpecError(f"{cause} {told}", hint=f"give larger values of {name}")
            for place, number in numbers_in(other.body):
                if isinstance(number, int | float):
                    columns.setdefault(place, {})[value] = exact(number)
        old = dict(numbers_in(found.body))
        texts = {}
        for place, seen in columns.items():
            if len({*seen.values()}) > 1:
                formula = next(formulas([*seen.items()]), None)
                if formula is None or isinstance(old[place], Size):
                    raise self._no_formula(str(place[-1]), name, seen)
                texts[place] = Size(formula.of(self.symbols[name]))
        return found._replace(body=filled(found.body, texts))

    def _no_formula(self, where: str, name: str, seen: Mapping[Fraction, Fraction]) -> SpecError:
        shown = ", ".join(f"{_show(v)} at {name} = {_show(x)}" for x, v in sorted(seen.items()))
        hint = "give values nearer to each other, or fewer parameters"
        return SpecError(f"{where}: no formula that is known gives {shown}", hint=hint)

    def _verify(self, found: Folded, held: Mapping[str, Sequence[Fraction]]) -> None:
        """Check every number at values that were not used, one by one and all together."""
        points = [{name: value} for name, values in held.items() for value in values]
        together = [dict(zip(held, values, strict=True)) for values in zip(*held.values())]
        points += together if len(held) > 1 else []
        seen = 0
        for point in points:
            network = self.network(point)
            if network is None:
                continue
            seen += 1
            self._verify_at(found, network, point)
        if not seen:
            names = ", ".join(held)
            raise SpecError(f"no further value of {names} makes a network to verify formulas at")

    def _verify_at(self, found: Folded, network: Network, point: Mapping[str, Fraction]) -> None:
        values = {**self.base, **point}
        known = {self.symbols[n]: v for n, v in values.items()}
        there = Counter(_spelled(folded(network).body, {}))
        here = Counter(_spelled(found.body, known))
        if there != here:
            wrong = next(chain((there - here).elements(), (here - there).elements()))
            shown = ", ".join(f"{n} = {_show(v)}" for n, v in values.items())
            raise SpecError(f"at {shown} the formulas found do not hold for {wrong[0]} {wrong[1]}")

    def _written(self, found: Folded) -> Fitted:
        defaults = {
            self.symbols[name]: int(value) if self._whole(name) else Real(value)
            for name, value in self.base.items()
        }
        network = self.first._replace(symbols={**self.first.symbols, **defaults})
        return Fitted(network, drafted(found, network))


class _Numbers:
    """The numbers of networks of the same calls, as formulas of what they differ in."""

    def __init__(self, fit: _Fit, used: Mapping[str, Sequence[Fraction]]) -> None:
        self.fit = fit
        self.used = used
        self.known: dict[
            tuple[str, tuple[tuple[Fraction, Fraction], ...]], tuple[str, Formula]
        ] = {}

    def fitted(self) -> Network:
        """Return the network of the base, with formulas for its numbers."""
        samples = {
            name: [
                (value, network)
                for value in dict.fromkeys(values)
                if (network := self.fit.network({name: value}))
            ]
            for name, values in self.used.items()
        }
        calls = tuple(self._call(i, call, samples) for i, call in enumerate(self.fit.first.calls))
        return self.fit.first._replace(calls=calls)

    def _call(
        self, i: int, call: Call, samples: Mapping[str, list[tuple[Fraction, Network]]]
    ) -> Call:
        fields = {}
        names = dict.fromkeys((*call.fields, *defaults_of(call.kind)))
        for field in names:
            value = _given(call, field)
            others = {
                name: [(x, _given(network.calls[i], field)) for x, network in seen]
                for name, seen in samples.items()
            }
            new = self._value(value, others, call, field)
            if field in call.fields or new != value:
                fields[field] = new
        return call._replace(fields=fields)

    def _value(
        self,
        value: Field | None,
        others: Mapping[str, list[tuple[Fraction, Field | None]]],
        call: Call,
        field: str,
    ) -> Field | None:
        """Return a field's value, with a formula for each number in it that differs."""
        if all(other == value for seen in others.values() for _, other in seen):
            return value
        parts = {name: [(x, _parts(other)) for x, other in seen] for name, seen in others.items()}
        mine = _parts(value)
        where = f"{call.modules[-1].path if call.modules else call.name} ({call.kind}.{field})"
        if any(frame != mine[0] for seen in parts.values() for _, (frame, _) in seen):
            raise SpecError(f"{where}: its values differ in more than numbers")
        texts = []
        for k, number in enumerate(mine[1]):
            columns = {n: [(x, p[1][k]) for x, p in seen] for n, seen in parts.items()}
            texts.append(self._text(number, columns, where))
        return _joined(value, texts)

    def _text(
        self, base: Fraction, columns: Mapping[str, list[tuple[Fraction, Fraction]]], where: str
    ) -> str | None:
        """Return the formula of a number as text; None where it is a constant."""
        changing = [n for n, seen in columns.items() if any(y != base for _, y in seen)]
        texts = []
        for name in changing:
            seen = columns[name]
            text = self._of_one(name, tuple(seen))
            if text is None:
                raise self.fit._no_formula(where, name, dict(seen))
            texts.append(text)
        if len(texts) < 2:
            return texts[0] if texts else None
        return f"({')*('.join(texts)})/{base ** (len(texts) - 1)}"

    def _of_one(self, name: str, seen: tuple[tuple[Fraction, Fraction], ...]) -> str | None:
        """Return the formula of a number that one parameter decides, as text."""
        if (name, seen) in self.known:
            return self.known[name, seen][0]
        ways = chain(self._derived(name, seen, multiples), self._direct(name, seen))
        found = next(chain(ways, self._derived(name, seen, shares)), None)
        if found is None:
            return None
        self.known[name, seen] = found
        return found[0]

    def _direct(self, name: str, seen: Points) -> Iterator[tuple[str, Formula]]:
        """Yield formulas of the parameter itself, with their texts."""
        return ((found.of(self.fit.symbols[name]), found) for found in formulas(seen))

    def _derived(
        self, name: str, seen: Points, ways: Callable[[Points], Iterator[Formula]]
    ) -> Iterator[tuple[str, Formula]]:
        """Yield formulas of numbers whose own formula is known, with their texts."""
        for (other, column), (text, formula) in self.known.items():
            if other == name:
                pairs = [(known, y) for (_, known), (_, y) in zip(column, seen, strict=True)]
                inner = text if formula.atomic else f"({text})"
                yield from ((way.of(inner), way) for way in ways(pairs))


def probes(values: Sequence[Fraction], *, whole: bool) -> Iterator[Fraction]:
    """Yield values near some others: between them, beyond them, of their own multiples first.

    Args:
        values: the others.
        whole: whether all must be integers.
    """
    ordered = sorted({*values})
    low, high = ordered[0], ordered[-1]
    if not whole:
        for part in (34, 71, 107, 57, 23, 89, 113, 11, 47, 97):
            yield round(low + (high - low) * Fraction(part, 100), 2)
        return
    step = min(b - a for a, b in zip(ordered, ordered[1:], strict=False))
    seen = {*values}
    tried = [high + step, low + 1, high + 1, high + 2 * step, high + 3 * step, low + 2, high + 3]
    tried += [high + 4 * step, high + 5 * step, 2 * high]
    for value in tried:
        if value not in seen:
            seen.add(value)
            yield value


def _kinds(network: Network) -> list[object]:
    """Return what two networks of the same calls have in common."""
    place = {call.name: i for i, call in enumerate(network.calls)}

    def known(tensor: str) -> object:
        bearer, _, number = tensor.rpartition(".")
        if tensor in place or bearer not in place:
            return place.get(tensor, tensor)
        return place[bearer], number

    return [(call.kind, *map(known, call.inputs)) for call in network.calls]


def _given(call: Call, field: str) -> Field | None:
    if field in call.fields:
        return call.fields[field]
    return defaults_of(call.kind).get(field)  # type: ignore[return-value]


_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")

Parts = tuple[object, list[Fraction]]


def _parts(value: object) -> Parts:
    """Return what is no number in a field's value, and the numbers in it."""
    if isinstance(value, Size):
        return ("size", *_NUMBER.split(value.text)), [*map(Fraction, _NUMBER.findall(value.text))]
    if isinstance(value, tuple):
        inner = [_parts(each) for each in value]
        return tuple(frame for frame, _ in inner), [n for _, numbers in inner for n in numbers]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number", [exact(value)]
    return value, []


def _joined(value: object, texts: list[str | None]) -> Field:
    """Return a field's value with formulas for some of its numbers."""
    left = iter(texts)

    def put(value: object) -> object:
        if isinstance(value, Size):

            def number(match: re.Match[str]) -> str:
                text = next(left)
                return match[0] if text is None else f"({text})"

            return Size(_NUMBER.sub(number, value.text))
        if isinstance(value, tuple):
            return tuple(map(put, value))
        if isinstance(value, int | float) and not isinstance(value, bool):
            text = next(left)
            return value if text is None else Size(text)
        return value

    return put(value)  # type: ignore[return-value]


def _form(found: Folded) -> object:
    return form_of(found.uses, found.body.items, found.body.inputs, with_numbers=False)


def _spelled(body: Body, known: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield every layer that a list of entries stands for, with its fields."""
    for item in body.items:
        fields = {**defaults_of(item.kind), **item.fields}
        times = substituted(fields.pop("times", 1), known)
        shown = {name: substituted(value, known) for name, value in fields.items()}
        inner = [each for part in item.parts for each in _spelled(part, known)]
        if not item.bodies:
            listed = [f"{n}: {_plain(v)}" for n, v in sorted(shown.items())]
            inner = [(item.kind, f"{{{', '.join(listed)}}}")]
        for _ in range(times if isinstance(times, int) else 0):
            yield from inner


def _plain(value: object) -> str:
    if isinstance(value, tuple) and not isinstance(value, Size):
        return f"[{', '.join(map(_plain, value))}]"
    if isinstance(value, int | float | Fraction) and not isinstance(value, bool):
        return str(Fraction(str(value)))
    return str(value)


def _show(value: Fraction) -> str:
    return str(int(value)) if value.denominator == 1 else f"{float(value):g}"
