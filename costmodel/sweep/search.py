"""A search where a grid is too large: Optuna's NSGA-II proposes the points that are evaluated.

A point is a network and, for each axis, the number of one of its values. Each is looked at once; of
a space with no more points than may be looked at all are, in the order of the grid. What is kept
of them is decided exactly, as of every sweep: floats only guide the search.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, product
from math import isqrt, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.errors import SpecError
from archspec.scope import conjuncts
from archspec.trees import Binary, Value
from costmodel.algebra.operations import Array
from costmodel.analysis.columns import SymbolColumn
from costmodel.sweep.expressions import ColumnExpression
from costmodel.sweep.join import Join
from costmodel.sweep.query import Query
from costmodel.sweep.rows import Rows
from costmodel.sweep.space import Space, SweptAxis

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution

Point = tuple[int, ...]
"""The number of a network, and of a value of each of its axes."""

Outcome = tuple[list[float], list[float]] | None
"""The objectives at a point and how far it breaks the conditions; None where it has no row."""

BROKEN = "broken"
"""The name under which Optuna keeps how far a point breaks the conditions."""

LEAST, MOST = 10, 100
"""The fewest and the most points of a generation."""

PROPOSED = 20
"""So many times as many points as are looked at may be proposed, the same ones again among them."""

CHUNK = 2**14
"""The points of a small space that are evaluated at once."""


def points_of(space: Space) -> int:
    """Return the number of points of a space, of intervals all of them."""
    return prod(len(axis.places) for axis in space.axes)


@dataclass
class Search:
    """A search of the points of several networks.

    Attributes:
        spaces: the networks' spaces.
        labels: what tells the networks apart.
        query: what is asked of the points.
        join: lines of a file, where one is joined.
        most: the number of points that may be looked at.
        seed: of what is drawn.
        rows: returns the rows of some points of a network, by its number and the axes' values.
        outcomes: point → what it is like, of all that were looked at.
        best: the points of those that keep all conditions which none beats, with their objectives.
    """

    spaces: Sequence[Space]
    labels: Sequence[Mapping[str, str]]
    query: Query
    join: Join | None
    most: int
    seed: int
    rows: Callable[[int, Mapping[str, SymbolColumn | Array]], Iterator[Rows]]
    outcomes: dict[Point, Outcome] = field(default_factory=dict)
    best: dict[Point, Array] = field(default_factory=dict)

    def found(self) -> Iterator[Rows]:
        """Yield the rows of the points that are looked at, with all columns.

        Raises:
            SpecError: Optuna is needed and missing.
        """
        if sum(map(points_of, self.spaces)) <= self.most:
            points = self.all_points()
            while some := list(islice(points, CHUNK)):
                yield from self.evaluated(some)
            return
        size = max(LEAST, min(MOST, isqrt(self.most)))
        study = self._study(size)
        for point in islice(self.of_lines(), self.most):
            study.enqueue_trial(self.params(point))
        for _ in range(PROPOSED * self.most // size):
            trials = [study.ask(self.distributions) for _ in range(size)]
            proposed = {trial.number: self.point(trial.params) for trial in trials}
            fresh = dict.fromkeys(p for p in proposed.values() if p not in self.outcomes)
            yield from self.evaluated(list(fresh)[: self.most - len(self.outcomes)])
            if len(self.outcomes) == self.most:
                return
            for trial in trials:
                _tell(study, trial, self.outcomes[proposed[trial.number]])
            again = [point for point in proposed.values() if point not in fresh]
            near = [*islice(self.beside_best(), size // 2), *map(self.elsewhere, again)]
            for point in dict.fromkeys(near[:size]):
                study.enqueue_trial(self.params(point))

    def _study(self, size: int) -> "Study":
        """Return what proposes points, so many at a time.

        Raises:
            SpecError: Optuna is missing.
        """
        try:
            import optuna
        except ImportError:
            hint = "pip install optuna, the extra 'search' of archcost"
            raise SpecError("--search in so large a space needs Optuna", hint=hint) from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some versions call constraints experimental
            sampler = optuna.samplers.NSGAIISampler(
                population_size=size,
                seed=self.seed,
                constraints_func=lambda trial: trial.user_attrs[BROKEN],
            )
        directions = ["maximize" if goal.largest else "minimize" for goal in self.query.searched]
        return optuna.create_study(directions=directions, sampler=sampler)

    def all_points(self) -> Iterator[Point]:
        """Yield all points, in the order of the grid."""
        for number, space in enumerate(self.spaces):
            for places in product(*(axis.places for axis in space.axes)):
                yield (number, *places)

    @cached_property
    def distributions(self) -> dict[str, "BaseDistribution"]:
        """What is proposed: a network, and a value for each axis that any of them has."""
        from optuna.distributions import CategoricalDistribution, IntDistribution

        networks = list(range(len(self.spaces)))
        found: dict[str, BaseDistribution] = {"": CategoricalDistribution(networks)}
        for axis in (axis for space in self.spaces for axis in space.axes):
            places, is_log = axis.places, bool(axis.interval and axis.interval.logarithmic)
            is_text = any(isinstance(value, str) for value in axis.values)
            found[_key(axis)] = (
                CategoricalDistribution(list(places))
                if is_text
                else IntDistribution(places[0], places[-1], log=is_log)
            )
        return found

    def point(self, proposed: Mapping[str, Any]) -> Point:
        """Return the point of values for all axes, of which it has some."""
        number = proposed[""]
        axes = self.spaces[number].axes
        return (number, *(proposed[_key(axis)] for axis in axes))

    def params(self, point: Point) -> dict[str, Any]:
        """Return what is proposed where a point is (see `point`)."""
        axes = self.spaces[point[0]].axes
        return {"": point[0], **dict(zip(map(_key, axes), point[1:], strict=True))}

    @cached_property
    def _random(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def of_lines(self) -> Iterator[Point]:
        """Yield points that lines of a joined file are of; what no line says is drawn."""
        if self.join is None:
            return
        for number, labels in enumerate(self.labels):
            axes = self.spaces[number].axes
            for line in self.join.lines:
                said = dict(zip(self.join.keys, line, strict=True))
                if any(labels.get(name, value) != value for name, value in said.items()):
                    continue
                places = [
                    axis.place(said[axis.name]) if axis.name in said else self._drawn(axis)
                    for axis in axes
                ]
                there = [place for place in places if place is not None]
                if len(there) == len(axes):
                    yield (number, *there)

    def _drawn(self, axis: SweptAxis) -> int:
        return axis.places[int(self._random.integers(len(axis.places)))]

    def beside_best(self) -> Iterator[Point]:
        """Yield points that were not looked at beside one that none beats so far, in one axis."""
        for point in self.best:
            for i, axis in enumerate(self.spaces[point[0]].axes, 1):
                for place in (point[i] - 1, point[i] + 1):
                    found = (*point[:i], place, *point[i + 1 :])
                    if place in axis.places and found not in self.outcomes:
                        yield found

    def elsewhere(self, point: Point) -> Point:
        """Return a point that has another value in one axis, by chance."""
        axes = self.spaces[point[0]].axes
        i = int(self._random.integers(len(axes)))
        return (*point[: i + 1], self._drawn(axes[i]), *point[i + 2 :])

    def _keep(self, point: Point, outcome: Outcome) -> None:
        """Keep what a point is like, and the point where no other beats it so far."""
        self.outcomes[point] = outcome
        if outcome is None or any(outcome[1]):
            return
        signs = [-1 if goal.largest else 1 for goal in self.query.searched]
        values = np.array(outcome[0]) * signs
        others = np.array([*self.best.values()]).reshape(-1, len(values))
        if not (others <= values).all(axis=1).any():
            beaten = {p for p, v in self.best.items() if (values <= v).all()}
            self.best = {p: v for p, v in self.best.items() if p not in beaten} | {point: values}

    def evaluated(self, points: Sequence[Point]) -> Iterator[Rows]:
        """Yield the rows of some points, and keep what they are like."""
        self.outcomes |= dict.fromkeys(points)
        for number, space in enumerate(self.spaces):
            own = [places for first, *places in points if first == number]
            if not own:
                continue
            axes = space.axes
            columns = {
                axis.name: axis.at(np.array(places, np.int64))
                for axis, places in zip(axes, zip(*own, strict=True), strict=True)
            }
            by_values = {
                tuple(axis.value(place) for axis, place in zip(axes, places, strict=True)): places
                for places in own
            }
            for rows in self.rows(number, columns):
                cells = (rows[axis.name].tolist() for axis in axes)
                values = list(zip(*cells, strict=True)) or [()] * rows.count
                for row, outcome in zip(values, self._outcomes(rows), strict=True):
                    self._keep((number, *by_values[row]), outcome)
                yield rows

    def _outcomes(self, rows: Rows) -> Iterator[Outcome]:
        """Yield what each of some rows is like."""
        goals = [np.nan_to_num(each.expression.floats(rows)) for each in self.query.searched]
        parts = [part for each in self.query.conditions for part in conjuncts(each.tree)]
        broken = [_excess(part, rows) for part in parts]
        for i in range(rows.count):
            yield [float(goal[i]) for goal in goals], [float(each[i]) for each in broken]


def _tell(study: "Study", trial: "Trial", outcome: Outcome) -> None:
    """Let Optuna know what a point that it proposed is like."""
    from optuna.trial import TrialState

    if outcome is None:
        study.tell(trial, state=TrialState.FAIL)
        return
    values, broken = outcome
    trial.set_user_attr(BROKEN, broken)
    study.tell(trial, values)


def _key(axis: SweptAxis) -> str:
    return f"{axis.name} {axis.places}"


def _excess(tree: Value, rows: Rows) -> Array:
    """Return by how much a condition is broken, from 0 to 2; 0 where it holds."""
    text = "a condition"
    amount = np.ones(rows.count)
    if isinstance(tree, Binary) and tree.operator in ("<", "<=", ">", ">="):
        left, right = (
            ColumnExpression(text, side).floats(rows) for side in (tree.left, tree.right)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            amount = np.nan_to_num(abs(left - right) / np.maximum(abs(left), abs(right)), nan=1.0)
    return np.where(ColumnExpression(text, tree).holds(rows), 0.0, np.maximum(amount, 1e-12))
