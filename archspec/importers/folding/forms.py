"""The form of entries: what they do without what they are called, so that equal ones are found.

A form is nested tuples of kinds, fields and wiring, in which tensors are numbered in the order in
which they are made; two lists of entries do the same exactly if their forms are equal. Numbers can
be left out of it: then lists are equal that one list with parameters can stand for.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from archspec.composites import COMPOSITES
from archspec.fields import as_written
from archspec.importers.calls import LayerCall, Size
from archspec.importers.folding.drafts import Body, Item, Named, unnumbered
from archspec.layers import KINDS

Form = tuple[object, ...]

RELATIVE = re.compile(r"\b(in_shape|in_channels|in_features|shape|len)\b")
"""Words of an expression whose meaning is that of its place."""

COPIED = ("repeat", "foreach")
"""Composites in whose bodies what enters is another tensor in every copy."""


class Uses(NamedTuple):
    """The calls of a network that use each tensor.

    Attributes:
        tensors: tensor → the calls that take it.
        weights: what identifies learnable tensors → the calls that have them.
        left: the tensors that leave the network.
        exposed: the calls that must be entries of the network itself, so that it can be said that
            they share weights.
        shapes: tensor → its extents, where they are known.
    """

    tensors: Mapping[str, frozenset[str]]
    weights: Mapping[str, frozenset[str]]
    left: frozenset[str]
    exposed: frozenset[str] = frozenset()
    shapes: Mapping[str, tuple[int | Size, ...]] = MappingProxyType({})

    @classmethod
    def of(
        cls,
        calls: Iterable[LayerCall],
        outputs: Iterable[str],
        inputs: Mapping[str, tuple[int | Size, ...]] = MappingProxyType({}),
    ) -> "Uses":
        """Return the users of each tensor among some calls, and the network itself."""
        shapes = dict(inputs)
        tensors: dict[str, set[str]] = {}
        weights: dict[str, set[str]] = {}
        for call in calls:
            shapes |= {} if call.shape is None else {call.name: call.shape}
            for tensor in call.inputs:
                tensors.setdefault(tensor, set()).add(call.name)
            if call.weights:
                weights.setdefault(call.weights, set()).add(call.name)
        used = _frozen(tensors), _frozen(weights)
        return cls(*used, frozenset(outputs), shapes=shapes)

    def is_within(self, tensor: str, names: frozenset[str]) -> bool:
        """Return whether a tensor is used by some calls alone.

        Args:
            tensor: the tensor.
            names: the calls.
        """
        return tensor not in self.left and self.tensors.get(tensor, frozenset()) <= names

    def shares(self, call: LayerCall) -> bool:
        """Return whether another call has the learnable tensors of this one.

        Args:
            call: the call.
        """
        return len(self.weights.get(call.weights, ())) > 1


def _frozen(sets: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {key: frozenset(value) for key, value in sets.items()}


def names_of(items: Iterable[Item]) -> frozenset[str]:
    """Return the names of all calls that some entries stand for.

    Args:
        items: the entries.
    """
    return frozenset(call.name for item in items for call in item.calls)


def after(item: Item) -> str | None:
    """Return the tensor that an entry leaves to the next, or None where it could be any of several.

    Args:
        item: the entry.
    """
    first, *others = item.outputs
    return None if others or first != unnumbered(first) else first


def entering(items: Iterable[Item]) -> tuple[str, ...]:
    """Return the tensors that enter some entries from outside, each once.

    Args:
        items: the entries.
    """
    found: dict[str, None] = {}
    made: set[str] = set()
    for item in items:
        taken = [*item.inputs, *(t for body in item.parts for t in entering(body.items))]
        taken += [value.tensor for value in item.fields.values() if isinstance(value, Named)]
        found |= dict.fromkeys(tensor for tensor in taken if tensor not in made)
        made.update(item.outputs)
        made.update(made_in(item))
    return tuple(found)


def made_in(item: Item) -> Iterator[str]:
    """Yield every tensor that is made in an entry.

    Args:
        item: the entry.
    """
    yield from item.outputs
    for body in item.parts:
        for each in body.items:
            yield from made_in(each)


def as_module(body: Body, name: str) -> Item:
    """Return entries as a module of their own, which all that enters from outside enters.

    Args:
        body: the entries.
        name: the class.
    """
    outside = entering(body.items)
    inputs = (*body.inputs, *(tensor for tensor in outside if tensor not in body.inputs))
    runs = tuple(run for item in body.items for run in item.runs)
    inner = body._replace(inputs=inputs)
    return Item("module", inputs, (body.output,), {}, {"layers": (inner,)}, runs, name)


@cache
def defaults_of(kind: str) -> Mapping[str, object]:
    """Return the numbers and truth values that a kind's fields have where they are not written.

    Args:
        kind: the kind.
    """
    known = {**COMPOSITES, **KINDS}
    if kind not in known:
        return {}
    fields = known[kind].model_fields.items()
    written = {name: as_written(field.default) for name, field in fields}
    return {name: value for name, value in written.items() if isinstance(value, int | float)}


def is_open(value: object) -> bool:
    """Return whether the value of a field is a number that may be another in an equal entry.

    Args:
        value: the value.
    """
    if isinstance(value, Size):
        return not RELATIVE.search(value.text)
    return isinstance(value, int | float)


class Former:
    """Writes down the form of one list of entries.

    Args:
        uses: who uses what in the network.
        items: the entries.
        inputs: the tensors that enter, which equal lists may have others for.
        with_numbers: whether lists are equal only if their numbers are.
    """

    def __init__(
        self, uses: Uses, items: Iterable[Item], inputs: Iterable[str], *, with_numbers: bool
    ) -> None:
        self.uses = uses
        self.with_numbers = with_numbers
        self.items = tuple(items)
        self.within = names_of(self.items)
        self.number: dict[str, object] = {tensor: ("in", i) for i, tensor in enumerate(inputs)}
        self.weights: dict[str, int] = {}

    @property
    def form(self) -> Form:
        """The form of the whole list."""
        return tuple(map(self._item, self.items))

    def _item(self, item: Item) -> Form:
        inputs = tuple(self.number.get(tensor, ("out", tensor)) for tensor in item.inputs)
        bodies = tuple(
            (name, tuple(self._body(body, item.kind) for body in bodies))
            for name, bodies in item.bodies.items()
        )
        for tensor in item.outputs:
            self.number[tensor] = len(self.number)
        kind = item.module or item.kind
        weights = None if item.bodies else self._weights(next(iter(item.calls), None))
        return kind, inputs, len(item.outputs), self._fields(item), bodies, weights, item.trainable

    def _body(self, body: Body, kind: str) -> Form:
        before = {tensor: self.number.get(tensor) for tensor in body.inputs}
        if kind in COPIED:
            self.number |= {tensor: ("entering", i) for i, tensor in enumerate(body.inputs)}
        form = tuple(map(self._item, body.items))
        leaves = self.number.get(body.output, ("out", body.output))
        self.number |= {t: number for t, number in before.items() if number is not None}
        return form, leaves

    def _weights(self, call: LayerCall | None) -> object:
        """Say which learnable tensors are shared: those of this list, or of one outside."""
        if call is None or not self.uses.shares(call):
            return None
        if self.uses.weights[call.weights] <= self.within:
            return self.weights.setdefault(call.weights, len(self.weights))
        return call.weights

    def _fields(self, item: Item) -> Form:
        if self.with_numbers:
            defaults = defaults_of(item.kind)
            written = {**defaults, **item.fields}
            return tuple(
                sorted((n, self._value(v)) for n, v in written.items() if n in item.fields)
            )
        closed = set(defaults_of(item.kind))
        fields = ((name, self._open(value, name in closed)) for name, value in item.fields.items())
        return tuple(sorted((name, value) for name, value in fields if value is not None))

    def _open(self, value: object, has_default: bool) -> object:
        """Return the part of a field's value that must be equal where numbers may differ."""
        if is_open(value):
            return None if has_default else "number"
        if isinstance(value, tuple):
            return repr(tuple(self._open(each, has_default=False) for each in value))
        return self._value(value)

    def _value(self, value: object) -> str:
        if isinstance(value, Named):
            return f"of {self.number.get(value.tensor, value.tensor)}"
        return repr(dict(value) if isinstance(value, Mapping) else value)


def form_of(
    uses: Uses, items: Iterable[Item], inputs: Iterable[str], *, with_numbers: bool
) -> Form:
    """Return the form of a list of entries (see `Former`)."""
    return Former(uses, items, inputs, with_numbers=with_numbers).form
