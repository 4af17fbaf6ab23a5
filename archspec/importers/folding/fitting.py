"""Several networks of one factory → one network whose numbers are formulas of its parameters.

1. The factory is called with every value given for a parameter, the others at their last values,
   and with a few values more, so that formulas have something to fail at.
2. A parameter that leaves the kinds and the wiring of all calls as they are decides numbers. Each
   number that differs gets the plainest formula that gives it at all these values
   (`formula_search`): of the parameter, or of another number whose formula is known.
3. Any other parameter must decide how often parts stand: the networks, folded, are equal but for
   numbers, among them the ``times`` of repeats, and these get formulas in the same way.
4. The result is put to the test at values that took no part in finding it, one by one and all
   parameters together. Values that refute it are learned from, and it is found again; what is still
   refuted after a few rounds, and what no formula gives, is an error.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import chain, pairwise
from math import isfinite
from typing import Any, NamedTuple

from archspec.errors import SpecError
from archspec.expressions import ExpressionError, parse
from archspec.importers.calls import Size, SourceNetwork, Varied
from archspec.importers.folding.drafts import Body, Draft, Item
from archspec.importers.folding.fold import Folded, drafted, folded, leaf
from archspec.importers.folding.forms import Form, Uses, defaults_of, form_of
from archspec.importers.folding.formula_search import Formula, Points, formulas, multiples, shares
from archspec.importers.folding.generalizing import Place, filled, numbers_in, substituted
from archspec.importers.folding.naming import as_name, unused
from archspec.scope import Scope, resolve
from archspec.trees import Number

Given = Mapping[str, int | float]
"""Parameter of a factory → its value."""

Make = Callable[[Given], SourceNetwork]
"""Makes the network of some values; raises a `SpecError` where a value makes none."""

Values = Mapping[str, Sequence[Fraction]]
"""Parameter → values of it."""

ROUNDS = 4
"""The most rounds in which values that refute a formula join those that it is found at."""

LEARNED, HELD_OUT = 4, 2
"""The fewest values that formulas are found at, and the values that they are verified at."""

MATCHING = 3
"""The fewest networks, alike but for how often parts stand, that say how often they do."""

SHARES = (34, 71, 107, 140, 57, 23, 89, 113, 11, 47, 97)
"""Hundredths of the way from the least to the largest value, at which others are tried."""


SAMPLE = 100_003
"""The first of the sizes at which two expressions of sizes are compared."""


class Fitted(NamedTuple):
    """A network with symbols for parameters of its factory, and its entries.

    Attributes:
        network: the network at the values that are the symbols' defaults.
        draft: its entries.
    """

    network: SourceNetwork
    draft: Draft


def fit(make: Make, vary: Mapping[str, Sequence[int | float]]) -> Fitted:
    """Return the network of all values of some parameters.

    Args:
        make: makes the network of some values.
        vary: parameter → values of it, the last of which is the symbol's default.

    Raises:
        SpecError: a number follows no formula that is known, or the networks differ in more than
            numbers and in how often their parts stand.
    """
    factory = _Factory(make, {name: _numbers(name, values) for name, values in vary.items()})
    used = {
        name: [*values, *factory.unseen(name, values, max(0, LEARNED - len({*values})))]
        for name, values in factory.values.items()
    }
    refuted = SpecError("")
    for _ in range(ROUNDS):
        found = _found(factory, used)
        held = {name: factory.unseen(name, used[name], HELD_OUT) for name in used}
        try:
            _verify(factory, found, held)
        except SpecError as error:
            refuted = error
            used = {name: [*values, *held[name]] for name, values in used.items()}
            continue
        network = factory.described(used, held)
        return Fitted(network, drafted(found, network))
    raise refuted


def _numbers(name: str, values: Sequence[object]) -> list[Fraction]:
    """Return the values of a parameter as the decimals that a person wrote.

    Raises:
        SpecError: one is no number, there are not several, or the last is not positive.
    """
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            cause = f"--vary {name}: {value!r} is no number, and only of numbers there are formulas"
            raise SpecError(cause, hint=f"give one value alone, as {name}={value}: it is fixed")
    found = [Fraction(str(value)) for value in values]
    if len({*found}) < 2:
        raise SpecError(f"--vary {name} has one value", hint=f"as {name}=1,2,4")
    if found[-1] <= 0:
        cause = f"--vary {name}: {values[-1]} is not positive, and it is the symbol's default"
        raise SpecError(cause, hint="the last value is the default; put another one last")
    return found


class _Factory:
    """The networks of a factory, each made once."""

    def __init__(self, make: Make, values: Values) -> None:
        self.make = make
        self.values = values
        self.base = {name: given[-1] for name, given in values.items()}
        self.made: dict[tuple[Fraction, ...], SourceNetwork | None] = {}
        first = self.network({})
        assert first is not None
        self.first = first
        self.symbols = {name: unused(as_name(name), first.symbols) for name in values}
        self.samples = {name: Fraction(SAMPLE + i) for i, name in enumerate(first.symbols)}

    def is_whole(self, name: str) -> bool:
        """Return whether all values of a parameter are integers."""
        return all(value.denominator == 1 for value in self.values[name])

    def network(self, changed: Mapping[str, Fraction]) -> SourceNetwork | None:
        """Return the network of some values, the others at the base; None where there is none.

        Raises:
            SpecError: there is none of the values that were given.
        """
        point = {**self.base, **changed}
        key = tuple(point.values())
        if key not in self.made:
            given = {n: int(v) if self.is_whole(n) else float(v) for n, v in point.items()}
            try:
                self.made[key] = self.make(given)
            except SpecError:
                if all(value in self.values[name] for name, value in point.items()):
                    raise
                self.made[key] = None
        return self.made[key]

    def unseen(self, name: str, used: Sequence[Fraction], most: int) -> list[Fraction]:
        """Return values of a parameter that are not used and make a network, up to a number."""
        found: list[Fraction] = []
        for value in _near(self.values[name], whole=self.is_whole(name)):
            if len(found) == most:
                break
            if value not in used and self.network({name: value}) is not None:
                found.append(value)
        return found

    def known(self, point: Mapping[str, Fraction]) -> dict[str, Fraction]:
        """Return the values of the symbols at a point."""
        values = {self.symbols[name]: value for name, value in {**self.base, **point}.items()}
        return values | self.samples

    def described(self, used: Values, held: Values) -> SourceNetwork:
        """Return the first network with symbols, and with notes on what their formulas rest on."""
        symbols, notes = {}, []
        for name, symbol in self.symbols.items():
            tried = [*used[name], *held[name]]
            is_real = not self.is_whole(name)
            most = max(tried) if is_real else None
            symbols[symbol] = Varied(self.base[name], min(tried), most, is_real)
            learned, checked = (_listed(each[name]) for each in (used, held))
            notes.append(f"{symbol}: formulas found at {learned}; verified at {checked}")
        first = self.first
        return first._replace(symbols={**first.symbols, **symbols}, notes=(*first.notes, *notes))


def _near(values: Sequence[Fraction], *, whole: bool) -> Iterator[Fraction]:
    """Yield values between and beyond some others, in the order in which they are tried."""
    ordered = sorted({*values})
    low, high = ordered[0], ordered[-1]
    if whole:
        step = min(b - a for a, b in pairwise(ordered))
        beyond = (high + step * i for i in range(1, 9))
        middle = Fraction((low + high) // 2)
        near = (low + 1, high + 1)
        yield from dict.fromkeys((next(beyond), middle, *near, *beyond, low + 2, high + 3))
    else:
        yield Fraction(1)
        yield from (round(low + (high - low) * Fraction(part, 100), 2) for part in SHARES)


def _flat(network: SourceNetwork) -> Body:
    """Return a network as entries that are not folded, whose sizes show their numbers."""
    items = (leaf(call) for call in network.calls)
    opened = (item._replace(fields=_each(_opened, item.fields)) for item in items)
    return Body(tuple(opened), tuple(network.inputs), network.outputs[-1])


class _Pattern(str):
    """The text of a size with ``{}`` for each number in it, which follow in a tuple."""

    __slots__ = ()


_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")


def _each(change: Callable[[Any], Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: change(value) for name, value in fields.items()}


def _opened(value: Any) -> Any:
    """Return the value of a field with tuples for sizes: a pattern and its numbers."""
    if isinstance(value, Size) and _NUMBER.search(value.text):
        return _Pattern(_NUMBER.sub("{}", value.text)), *map(int, _NUMBER.findall(value.text))
    if isinstance(value, tuple) and not isinstance(value, Size):
        return tuple(map(_opened, value))
    return value


def _closed(value: Any) -> Any:
    """Return the value of a field with sizes for patterns and what their numbers became."""
    if not isinstance(value, tuple) or isinstance(value, Size):
        return value
    if value and isinstance(value[0], _Pattern):
        texts = (f"({v.text})" if isinstance(v, Size) else str(v) for v in value[1:])
        return Size(value[0].format(*texts))
    return tuple(map(_closed, value))


def _wiring(network: SourceNetwork) -> tuple[object, ...]:
    """Return all of a network but its numbers."""
    place = {call.name: i for i, call in enumerate(network.calls)}
    uses = Uses.of(network.calls, network.outputs)
    outputs = [place.get(tensor, tensor) for tensor in network.outputs]
    return dict(network.inputs), outputs, _form(uses, _flat(network))


def _form(uses: Uses, body: Body) -> Form:
    return form_of(uses, body.items, body.inputs, with_numbers=False)


def _found(factory: _Factory, used: Values) -> Folded:
    """Return the folded network, with formulas that hold at the values that are used."""
    wiring = _wiring(factory.first)
    samples = {
        name: {x: network for x in values if (network := factory.network({name: x})) is not None}
        for name, values in used.items()
    }
    deep = [n for n, each in samples.items() if any(_wiring(o) != wiring for o in each.values())]
    wide = {name: each for name, each in samples.items() if name not in deep}
    flat = {name: {x: _flat(o) for x, o in each.items()} for name, each in wide.items()}
    body = _Numbers(factory).fitted(_flat(factory.first), flat)
    calls = zip(factory.first.calls, body.items, strict=True)
    network = factory.first._replace(
        calls=tuple(call._replace(fields=_each(_closed, item.fields)) for call, item in calls)
    )
    found = folded(network)
    return _deepened(factory, found, {name: samples[name] for name in deep}) if deep else found


def _deepened(
    factory: _Factory, found: Folded, samples: Mapping[str, Mapping[Fraction, SourceNetwork]]
) -> Folded:
    """Return a folded network with formulas for how often its parts stand.

    Where a part stands once there is no repeat to learn from; formulas must give that one, too.
    """
    base = folded(factory.first)
    form = _form(base.uses, base.body)
    if form != _form(found.uses, found.body):
        names = " and ".join(factory.values)
        cause = f"at the last values of {names} parts are equal that differ at others"
        raise SpecError(cause, hint="give other values as the last")
    bodies: dict[str, dict[Fraction, Body]] = {}
    single: dict[str, list[Fraction]] = {}
    for name, each in samples.items():
        for x, network in each.items():
            other = folded(network)
            if form == _form(other.uses, other.body):
                bodies.setdefault(name, {})[x] = other.body
            else:
                single.setdefault(name, []).append(x)
        if len(bodies.get(name, {})) < MATCHING:
            raise _no_repeat(name, factory.base[name], single[name][0])
    texts = _Numbers(factory).texts(base.body, bodies)
    old = dict(numbers_in(found.body))
    for place in texts:
        if isinstance(old[place], Size):
            raise SpecError(f"{_where(base.body, place)} depends on width and depth at once")
    deepened = found._replace(body=filled(found.body, texts))
    _verify(factory, deepened, single)
    return deepened


def _no_repeat(name: str, x: Fraction, y: Fraction) -> SpecError:
    cause = (
        f"the networks of {name} = {_show(x)} and {_show(y)} differ in more than numbers and in"
        " how often a part stands"
    )
    return SpecError(cause, hint=f"give larger values of {name}, or values nearer to each other")


def _verify(factory: _Factory, found: Folded, held: Values) -> None:
    """Compare every number at values that were not used, one by one and all together."""
    points = [{name: value} for name, values in held.items() for value in values]
    if len(held) > 1:
        points += [dict(zip(held, values, strict=True)) for values in zip(*held.values())]  # noqa: B905 - as many as all have
    networks = [(point, network) for point in points if (network := factory.network(point))]
    for name in held:
        if not any(name in point for point, _ in networks):
            cause = f"no further value of {name} makes a network to verify formulas at"
            raise SpecError(cause, hint=f"give fewer values of {name}: some are tried besides")
    for point, network in networks:
        there = [*_spelled(folded(network).body, factory.samples)]
        here = [*_spelled(found.body, factory.known(point))]
        if dict(network.inputs) != dict(factory.first.inputs) or len(here) != len(there):
            (name, value), *_ = point.items()
            raise _no_repeat(name, factory.base[name], value)
        for (_, ours), (path, theirs) in zip(here, there, strict=True):
            if ours != theirs:
                shown = ", ".join(f"{n} = {_show(v)}" for n, v in point.items())
                raise SpecError(f"{path}at {shown} it is {theirs}, by the formulas {ours}")


class _Numbers:
    """The numbers of lists of entries that are equal but for them, as formulas."""

    def __init__(self, factory: _Factory) -> None:
        self.symbols = factory.symbols
        self.known: dict[tuple[str, Points], tuple[str, Formula]] = {}

    def fitted(self, base: Body, others: Mapping[str, Mapping[Fraction, Body]]) -> Body:
        """Return a list of entries with formulas for numbers that differ in others."""
        return filled(base, self.texts(base, others))

    def texts(self, base: Body, others: Mapping[str, Mapping[Fraction, Body]]) -> dict[Place, Size]:
        """Return the formula of each number that differs, by its place."""
        numbers = {
            name: {x: dict(numbers_in(body)) for x, body in each.items()}
            for name, each in others.items()
        }
        texts = {}
        for place, value in numbers_in(base):
            seen = {
                name: {x: found[place] for x, found in each.items()}
                for name, each in numbers.items()
            }
            columns = {name: c for name, c in seen.items() if any(v != value for v in c.values())}
            if columns:
                texts[place] = Size(self._text(value, columns, _where(base, place)))
        return texts

    def _text(
        self, base: object, columns: Mapping[str, Mapping[Fraction, object]], where: str
    ) -> str:
        """Return the formula of a number; of several parameters it is a product."""
        texts = []
        for name, column in columns.items():
            if any(isinstance(v, bool) or not isinstance(v, int | float) for v in column.values()):
                raise SpecError(f"{where}: {name} changes more of it than numbers")
            seen = tuple((x, Fraction(str(v))) for x, v in column.items())
            text = self._of_one(name, seen)
            if text is None:
                shown = ", ".join(f"{_show(v)} at {name} = {_show(x)}" for x, v in sorted(seen))
                hint = "give values nearer to each other, or leave this parameter out"
                raise SpecError(f"{where}: no formula that is known gives {shown}", hint=hint)
            texts.append(text)
        if len(texts) == 1:
            return texts[0]
        return f"({')*('.join(texts)})/{Fraction(str(base)) ** (len(texts) - 1)}"

    def _of_one(self, name: str, seen: Points) -> str | None:
        """Return the formula of a number that one parameter decides."""
        if (name, seen) not in self.known:
            symbol = self.symbols[name]
            direct = ((formula.of(symbol), formula) for formula in formulas(seen))
            ways = (self._derived(name, seen, multiples), direct, self._derived(name, seen, shares))
            found = next(chain.from_iterable(ways), None)
            if found is None:
                return None
            self.known[name, seen] = found
        return self.known[name, seen][0]

    def _derived(
        self, name: str, seen: Points, ways: Callable[[Points], Iterator[Formula]]
    ) -> Iterator[tuple[str, Formula]]:
        """Yield formulas of numbers whose own formula is known."""
        for (other, column), (text, formula) in [*self.known.items()]:
            if other == name:
                pairs = tuple((x, y) for (_, x), (_, y) in zip(column, seen, strict=True))
                inner = text if formula.atomic else f"({text})"
                yield from ((way.of(inner), way) for way in ways(pairs))


def _where(body: Body, place: Place) -> str:
    """Return the module, the kind and the field of a number."""
    i, field, *rest = place
    assert isinstance(i, int)
    item = body.items[i]
    if field in item.bodies:
        k, *inner = rest
        return _where(item.bodies[str(field)][int(str(k))], tuple(inner))
    return f"{_path(item)}{item.kind}.{field}"


def _path(item: Item) -> str:
    call = next(item.calls, None)
    return f"{call.modules[-1].path}: " if call and call.modules else ""


def _spelled(body: Body, known: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield every layer that a list of entries stands for, in order: its module and its fields."""
    for item in body.items:
        fields = {**defaults_of(item.kind), **item.fields}
        shown = {name: substituted(value, known) for name, value in sorted(fields.items())}
        times = shown.pop("times", 1)
        for _ in range(int(str(times))):
            for part in item.parts:
                yield from _spelled(part, known)
            if not item.bodies:
                listed = ", ".join(f"{name}: {_plain(value)}" for name, value in shown.items())
                yield _path(item), f"{item.kind} {{{listed}}}"


def _plain(value: object) -> str:
    """Return a value as text; of sizes of the tensor that enters, at samples of them."""
    if isinstance(value, Size):
        text = re.sub(r"\bin_shape\[(-?\d+)\]", lambda m: str(2 * SAMPLE + int(m[1])), value.text)
        try:
            found = resolve(parse(text), Scope({}))
        except ExpressionError:
            return value.text
        return str(Fraction(found.value)) if isinstance(found, Number) else value.text
    if isinstance(value, tuple):
        return f"[{', '.join(map(_plain, value))}]"
    is_number = isinstance(value, int | float | Fraction) and not isinstance(value, bool)
    return str(Fraction(str(value))) if is_number else str(value)


def _listed(values: Sequence[Fraction]) -> str:
    return ", ".join(map(_show, sorted({*values})))


def _show(value: Fraction) -> str:
    return str(int(value)) if value.denominator == 1 else f"{float(value):g}"
