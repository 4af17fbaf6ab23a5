"""The query of a sweep: columns, conditions and objectives, of metrics, symbols, joined columns."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from archspec.errors import SpecError, did_you_mean
from archspec.expressions import ExpressionError
from archspec.scope import Scope, free_names, resolve
from archspec.trees import Name, Value
from costmodel.analysis.constraints import DIRECTIONS, parse_measured
from costmodel.metrics.registry import COLUMNS, METRICS
from costmodel.sweep.expressions import ColumnExpression
from costmodel.sweep.order import ordered
from costmodel.sweep.reduce import Objective, Tally, front, top
from costmodel.sweep.rows import Rows


class Query(NamedTuple):
    """The columns, conditions and objectives of a sweep.

    Attributes:
        columns: what is shown beside what varies.
        conditions: what must hold of a row that is kept.
        pareto: what a front is about; empty where none is wanted.
        top: how many of the best are kept, if not all.
        by: what is best.
        sort: in which order they are shown; each decides where those before leave rows equal.
    """

    columns: tuple[ColumnExpression, ...]
    conditions: tuple[ColumnExpression, ...] = ()
    pareto: tuple[Objective, ...] = ()
    top: int | None = None
    by: Objective | None = None
    sort: tuple[Objective, ...] = ()

    @property
    def searched(self) -> tuple[Objective, ...]:
        """The objectives of a search: those of the front, or else the one of ``--by``."""
        return self.pareto or ((self.by,) if self.by else ())

    @property
    def goals(self) -> tuple[ColumnExpression, ...]:
        """The expressions that rows are ordered by."""
        goals = (*self.pareto, *((self.by,) if self.by else ()), *self.sort)
        return tuple(goal.expression for goal in goals)

    @property
    def compared(self) -> tuple[ColumnExpression, ...]:
        """The expressions that rows are compared or ordered by."""
        return (*self.conditions, *self.goals)

    @property
    def names(self) -> frozenset[str]:
        """All names in its expressions."""
        return frozenset().union(
            *(free_names(each.tree) for each in (*self.columns, *self.compared))
        )

    @property
    def keeps_few(self) -> bool:
        """Return whether fewer rows leave it than enter: a front, or the best."""
        return bool(self.pareto or self.top is not None)

    @property
    def of_part(self) -> "Query":
        """What a part of the rows is reduced to, so that of all parts the same is left as of all.

        The best of a front are those of the whole front: what a part's front has may be beaten.
        """
        part = self._replace(sort=())
        return part._replace(top=None, by=None) if self.pareto else part

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics in its expressions."""
        return tuple(name for name in METRICS if name in self.names)


class Request(NamedTuple):
    """The options of a query, as texts (see `Query`)."""

    metrics: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    pareto: tuple[str, ...] = ()
    top: int | None = None
    by: str | None = None
    sort: tuple[str, ...] = ()


NO_REQUEST = Request()


class ExpressionNames(NamedTuple):
    """The names that an expression may have beside metrics.

    Attributes:
        symbols: those of the specs, which are counts.
        joined: columns of a file, of which no unit is known.
    """

    symbols: Collection[str]
    joined: Collection[str]

    @property
    def all(self) -> dict[str, Value]:
        """Return every name, metrics first, with what it stands for."""
        return {name: Name(name) for name in (*METRICS, *self.symbols, *self.joined)}


def read_query(
    request: Request, symbols: Collection[str], joined: Collection[str], there: Collection[str]
) -> Query:
    """Return the query that some texts state.

    Args:
        request: the texts.
        symbols: the symbols of the specs.
        joined: columns beside metrics and symbols.
        there: what is shown before it.

    Raises:
        SpecError: a text states nothing of what there is.
    """
    known = ExpressionNames(symbols, joined)
    top, by = request.top, request.by
    if top is not None and by is None:
        raise SpecError("--top needs --by: the best in what?", hint="as in --top 20 --by macs")
    if top is not None and top < 1:
        raise SpecError(f"--top {top} keeps nothing; it is at least 1")
    if by is not None and top is None:
        raise SpecError("--by is of --top", hint="to order all rows, say --sort")
    pareto = _objectives("--pareto", request.pareto, known)
    best = None if by is None else _objective("--by", by, known)
    sort = _objectives("--sort", request.sort, known)
    conditions = tuple(
        _expression("--where", text, known, is_condition=True) for text in request.where
    )
    columns = [_number("--metric", text, known) for text in request.metrics]
    goals = [each.expression for each in (*pareto, best, *sort) if each is not None]
    if not (columns or any(free_names(goal.tree) & METRICS.keys() for goal in goals)):
        columns = [ColumnExpression(name, Name(name)) for name in COLUMNS]
    shown = {column.text: column for column in (*columns, *goals)}
    names = [Name(name) for name in there]
    kept = tuple(column for column in shown.values() if column.tree not in names)
    return Query(kept, conditions, pareto, top, best, sort)


def _objectives(option: str, texts: Iterable[str], known: ExpressionNames) -> tuple[Objective, ...]:
    found: list[Objective] = []
    for text in texts:
        one = _objective(option, text, known)
        if one.expression.tree in [other.expression.tree for other in found]:
            raise SpecError(f"{option} names '{one.expression.text}' twice")
        found.append(one)
    return tuple(found)


def _objective(option: str, text: str, known: ExpressionNames) -> Objective:
    """Read ``macs``, ``macs:min`` or ``accuracy:max``."""
    name, colon, direction = (part.strip() for part in text.rpartition(":"))
    if not colon:
        name, direction = text.strip(), "min"
    if direction not in DIRECTIONS:
        hint = "the least first with :min or :asc, the largest first with :max or :desc"
        raise SpecError(f"{option} {text}: '{direction}' is no direction", hint=hint)
    return Objective(_number(option, name, known), DIRECTIONS[direction])


def _number(option: str, text: str, known: ExpressionNames) -> ColumnExpression:
    found = _expression(option, text, known)
    if not free_names(found.tree):
        raise SpecError(f"{option} {text}: this speaks of no metric and of no symbol")
    return found


def _expression(
    option: str, text: str, known: ExpressionNames, *, is_condition: bool = False
) -> ColumnExpression:
    try:
        tree = parse_measured(text, known.symbols)
        found = ColumnExpression(text, resolve(tree, Scope(known.all, inexact=True)))
    except ExpressionError as error:
        hint = error.hint or _hint(text, known.all)
        raise SpecError(f"{option} {text}: {error.cause}", hint=hint) from None
    try:
        found.check(is_condition=is_condition)
    except ExpressionError as error:
        raise SpecError(f"{option} {text}: {error.cause}", hint=error.hint) from None
    return found


def _hint(text: str, known: Iterable[str]) -> str:
    if "," in text:
        return "separate them by spaces"
    return did_you_mean(text, known) or "write metrics and symbols, as macs or macs/params"


def reduced(
    chunks: Iterable[Rows], query: Query, tally: Tally, once: Sequence[str] = ()
) -> Iterator[Rows]:
    """Yield of some rows those that a query keeps, in its order.

    Args:
        chunks: the rows.
        query: what is asked.
        tally: counts the points of a front.
        once: columns of which no values are among the best twice (see `top`).
    """
    kept = iter(chunks)
    if query.pareto:
        kept = front(kept, query.pareto, tally)
    if query.top is not None and query.by is not None:
        kept = top(kept, query.top, query.by, once)
    return ordered(kept, query.sort) if query.sort else kept
