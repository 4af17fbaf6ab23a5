"""Integer programs over arrays: each node in 64-bit integers or in Python's, as is proved.

Bounds of the inputs give bounds of every intermediate value. A node that no such value takes out
of 64 bits is computed in int64; the others are computed in Python's integers. Nothing wraps
around and nothing is rounded.
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from archspec.expressions import ExpressionError
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.operations import OPERATIONS, Array, Bounds
from costmodel.algebra.program import INPUTS, IntegerProgram, ProgramNode

MAX_INT64 = 2**63 - 1


class Tape:
    """The nodes that some outputs of a program need, in order.

    Args:
        program: the nodes.
        outputs: the nodes that are wanted.
        given: nodes whose values come from outside, beside the inputs.

    Attributes:
        inputs: the nodes whose values `run` takes.
        outputs: the nodes whose values it returns.
    """

    def __init__(
        self, program: IntegerProgram, outputs: Iterable[int], given: Iterable[int] = ()
    ) -> None:
        self._nodes = program.nodes
        self.outputs = tuple(dict.fromkeys(outputs))
        leaves = set(given)
        needed: set[int] = set()
        stack = list(self.outputs)
        while stack:
            place = stack.pop()
            if place not in needed:
                needed.add(place)
                stack.extend(() if place in leaves else self._nodes[place].args)
        order = sorted(needed)
        self.inputs = tuple(p for p in order if p in leaves or self._nodes[p].name in INPUTS)
        outside = set(self.inputs)
        self._order = tuple(p for p in order if p not in outside and self._nodes[p].name != "const")
        self._consts: dict[int, Any] = {
            p: self._nodes[p].value for p in order if self._nodes[p].name == "const"
        }
        self._dead = self._last_uses()
        self._fits: dict[tuple[Bounds | None, ...], frozenset[int]] = {}

    def _last_uses(self) -> dict[int, list[int]]:
        """Return step → the nodes that no later step needs."""
        last: dict[int, int] = {}
        for place in self._order:
            last.update(dict.fromkeys(self._nodes[place].args, place))
        dead: dict[int, list[int]] = {}
        for place in last.keys() - {*self.outputs, *self._consts}:
            dead.setdefault(last[place], []).append(place)
        return dead

    def bounds(self, given: Mapping[int, Bounds | None]) -> dict[int, Bounds | None]:
        """Return the bounds of every node for bounds of the inputs; None where they are unknown."""
        known: dict[int, Bounds | None] = {p: given[p] for p in self.inputs}
        known.update({p: (n, n) for p, n in self._consts.items()})
        for place in self._order:
            node = self._nodes[place]
            known[place] = _bounds_of(node, [known[arg] for arg in node.args])
        return known

    def fits(self, given: Mapping[int, Bounds | None]) -> frozenset[int]:
        """Return the nodes that 64-bit integers compute exactly, for bounds of the inputs."""
        key = tuple(given[p] for p in self.inputs)
        if key not in self._fits:
            known = self.bounds(given)
            found = {p for p in (*self.inputs, *self._consts) if _is_small(known[p])}
            for place in self._order:
                if found.issuperset(self._nodes[place].args) and _is_small(known[place]):
                    found.add(place)
            self._fits[key] = frozenset(found)
        return self._fits[key]

    def run(
        self, given: Mapping[int, Array], bounds: Mapping[int, Bounds | None] | None = None
    ) -> dict[int, Array]:
        """Return the outputs for arrays that broadcast against each other.

        Args:
            given: the values of the inputs.
            bounds: of the inputs, where they are known from elsewhere.
        """
        known = {p: bounds_in(given[p]) for p in self.inputs} if bounds is None else bounds
        fits = self.fits(known)
        values: dict[int, Any] = {p: _as_integers(given[p], p in fits) for p in self.inputs}
        values.update(self._consts)
        for place in self._order:
            node = self._nodes[place]
            args = [values[arg] for arg in node.args]
            if place not in fits:
                args = [_as_integers(arg, False) for arg in args]
            for dead in self._dead.get(place, ()):
                del values[dead]
            if node.name == "opaque":
                values[place] = _opaque(node.value, args)
            else:
                values[place] = OPERATIONS[node.name].array(*args)
        return {p: whole(np.asarray(values[p])) for p in self.outputs}


def _bounds_of(node: ProgramNode, args: list[Bounds | None]) -> Bounds | None:
    if node.name == "opaque":
        return None
    if OPERATIONS[node.name].is_truth:
        return 0, 1
    known = [arg for arg in args if arg is not None]
    return OPERATIONS[node.name].bounds(*known) if len(known) == len(args) else None


def _is_small(bounds: Bounds | None) -> bool:
    return bounds is not None and max(-bounds[0], bounds[1]) <= MAX_INT64


def _as_integers(values: Any, fits: bool) -> Any:
    """Return int64 where that fits, else Python's integers; truth values stay what they are."""
    kind = np.dtype(np.int64 if fits else object)
    if not isinstance(values, np.ndarray) or values.dtype in (bool, kind):
        return values
    return values.astype(kind)


def whole(array: Array) -> Array:
    """Return integers as int64, or as Python's where they do not fit; truth values as they are."""
    if array.dtype == object and _is_small(bounds_in(array)):
        return array.astype(np.int64)
    return array


def bounds_in(array: Array) -> Bounds:
    """Return the least and the largest of some integers, and 0 where there are none."""
    if array.size == 0:
        return 0, 0
    if array.dtype == bool:
        return 0, 1
    if not any(array.strides):  # one value for all
        array = array.reshape(-1)[:1]
    return int(array.min()), int(array.max())


def _opaque(value: Any, args: list[Array]) -> Array:
    """Return one part of an expression's value, row by row; where it has none, that of 1/0."""
    expression, symbols, denominators, part = value

    def at(*numerators: int) -> int:
        known = zip(symbols, numerators, denominators, strict=True)
        evaluate = Evaluator({s: Fraction(int(n), d) for s, n, d in known})
        try:
            return int(getattr(evaluate(expression), part))
        except ExpressionError:
            return int(part == "numerator")  # by its form it may be a positive divisor

    return np.asarray(np.frompyfunc(at, len(args), 1)(*args), object)
