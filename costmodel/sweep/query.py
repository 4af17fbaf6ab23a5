"""What is asked of a sweep: columns, conditions, what is best; of metrics, symbols, the joined."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from archspec.errors import SpecError, did_you_mean
from archspec.expressions import ExpressionError, parse
from archspec.scope import Scope, free_names, resolve
from archspec.trees import Items, Name, Tree, Value, Whole
from costmodel.analysis.constraints import DIRECTIONS
from costmodel.metrics.registry import METRICS
from costmodel.studies.report import COLUMNS
from costmodel.sweep.reduce import Condition, Objective


class Asked(NamedTuple):
    """An expression that is a column: its text, its tree."""

    text: str
    tree: Tree


class Query(NamedTuple):
    """What is asked of every point, and of all of them.

    Attributes:
        columns: what is shown beside what varies.
        conditions: what must hold of a row that is kept.
        pareto: what a front is about; empty where none is wanted.
        top: how many of the best are kept, if not all.
        by: what is best.
        sort: in which order they are shown; each decides where those before leave rows equal.
    """

    columns: tuple[Asked, ...]
    conditions: tuple[Condition, ...] = ()
    pareto: tuple[Objective, ...] = ()
    top: int | None = None
    by: Objective | None = None
    sort: tuple[Objective, ...] = ()

    @property
    def every(self) -> Iterator[Asked | Condition | Objective]:
        """All that is shown, compared or ordered by."""
        several = (*self.columns, *self.conditions, *self.pareto, self.by, *self.sort)
        return (each for each in several if each is not None)

    @property
    def names(self) -> frozenset[str]:
        """All names that it speaks of."""
        return frozenset().union(*(free_names(each.tree) for each in self.every))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that it speaks of."""
        return tuple(name for name in METRICS if name in self.names)


class Said(NamedTuple):
    """The options of a query, as texts (see `Query`)."""

    metrics: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    pareto: tuple[str, ...] = ()
    top: int | None = None
    by: str | None = None
    sort: tuple[str, ...] = ()


NOTHING_ASKED = Said()


def read_query(
    said: Said, symbols: Collection[str], joined: Collection[str], there: Collection[str]
) -> Query:
    """The query that some texts state.

    Args:
        said: the texts.
        symbols: the symbols of the specs.
        joined: columns beside metrics and symbols.
        there: what is shown before it.

    Raises:
        SpecError: a text states nothing of what there is.
    """
    known = {name: Name(name) for name in (*METRICS, *symbols, *joined)}
    pareto = _objectives("--pareto", said.pareto, known)
    if said.top is not None and said.by is None:
        raise SpecError("--top needs --by: the best in what?", hint="as in --top 20 --by macs")
    if said.top is not None and said.top < 1:
        raise SpecError(f"--top {said.top} keeps nothing; it is at least 1")
    if said.by is not None and said.top is None:
        raise SpecError("--by is of --top", hint="to order all rows, say --sort")
    by = None if said.by is None else _objective("--by", said.by, known)
    sort = _objectives("--sort", said.sort, known)
    conditions = tuple(Condition(text, _tree("--where", text, known)) for text in said.where)
    asked = [Asked(text, _number("--metric", text, known)) for text in said.metrics]
    goals = [Asked(each.text, each.tree) for each in (*pareto, by, *sort) if each is not None]
    if not (asked or any(free_names(goal.tree) & METRICS.keys() for goal in goals)):
        asked = [Asked(name, Name(name)) for name in COLUMNS]
    shown = {column.text: column for column in (*asked, *goals)}
    columns = tuple(column for column in shown.values() if not _is_there(column, there))
    return Query(columns, conditions, pareto, said.top, by, sort)


def _is_there(column: Asked, there: Collection[str]) -> bool:
    return isinstance(column.tree, Name) and column.tree.id in there


def _objectives(
    option: str, texts: Iterable[str], known: Mapping[str, Value]
) -> tuple[Objective, ...]:
    found: list[Objective] = []
    for text in texts:
        one = _objective(option, text, known)
        if one.tree in [other.tree for other in found]:
            raise SpecError(f"{option} names '{one.text}' twice")
        found.append(one)
    return tuple(found)


def _objective(option: str, text: str, known: Mapping[str, Value]) -> Objective:
    """``macs``, ``macs:min`` or ``accuracy:max``."""
    said, colon, direction = (part.strip() for part in text.rpartition(":"))
    if not colon:
        said, direction = text.strip(), "min"
    if direction not in DIRECTIONS:
        hint = "the least first with :min or :asc, the largest first with :max or :desc"
        raise SpecError(f"{option} {text}: '{direction}' is no direction", hint=hint)
    return Objective(said, _number(option, said, known), DIRECTIONS[direction])


def _number(option: str, text: str, known: Mapping[str, Value]) -> Tree:
    tree = _tree(option, text, known)
    if not free_names(tree):
        raise SpecError(f"{option} {text}: this speaks of no metric and of no symbol")
    return tree


def _tree(option: str, text: str, known: Mapping[str, Value]) -> Tree:
    try:
        tree = resolve(parse(text), Scope(known, inexact=True))
    except ExpressionError as error:
        hint = error.hint or _hint(text, known)
        raise SpecError(f"{option} {text}: {error.cause}", hint=hint) from None
    assert not isinstance(tree, Items | Whole)
    return tree


def _hint(text: str, known: Iterable[str]) -> str:
    if "," in text:
        return "separate them by spaces"
    return did_you_mean(text, known) or "write metrics and symbols, as macs or macs/params"
