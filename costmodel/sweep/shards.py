"""Shards of a sweep, read back and reduced to what one run gives."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import reduce
from operator import or_
from typing import Any, NamedTuple
from zlib import compress, decompress

import numpy as np

from archspec.errors import SpecError
from archspec.fields import shortened
from archspec.scope import free_names
from archspec.trees import Name
from costmodel.algebra.operations import Array
from costmodel.metrics.registry import METRICS, NoCountError
from costmodel.sweep.expressions import ColumnExpression, is_whole
from costmodel.sweep.fields import Field, field_of, fields_of
from costmodel.sweep.query import Query, Request, read_query, reduced
from costmodel.sweep.reduce import Tally, where
from costmodel.sweep.rows import Rows
from costmodel.sweep.study import Plan, Sweep

KEY = "archcost shard"
"""The name under which a Parquet file says of which sweep it is which part."""

EXACT = "exact "
"""Begins the name of the column that holds exactly what another holds rounded."""

STAGES = ("pareto", "top", "sort")
"""The steps after the conditions, in their order, by the option that asks for them."""


class Shard(NamedTuple):
    """A file of a shard.

    Attributes:
        file: its path.
        part: which of all shards it is, counted from 1, and how many there are.
        plan: what all shards of its sweep have in common, as text.
        request: the options of that plan which its rows have behind them.
        once: the columns of which no values are among the best twice.
        shown: the names of the columns that a result has.
        tally: the counts of its points.
        join: the name of a joined file, if there is one.
        used: which lines of it were found.
        fields: its columns.
    """

    file: str
    part: tuple[int, int]
    plan: str
    request: Request
    once: tuple[str, ...]
    shown: tuple[str, ...]
    tally: Tally
    join: str | None
    used: Array
    fields: tuple[Field, ...]


def shard_of(text: str | None) -> tuple[int, int]:
    """Return the part of ``3/64``, and how many there are.

    Raises:
        SpecError: it is no such text.
    """
    if text is None:
        return 1, 1
    part, _, parts = (each.strip() for each in text.partition("/"))
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        cause = f"--shard {shortened(text)}: a shard is a part of so many, counted from 1"
        raise SpecError(cause, hint="as in --shard 3/64")
    return int(part), int(parts)


def shard_fields(study: Sweep) -> tuple[Field, ...]:
    """Return the columns of a shard: those of the sweep, and by what rows of it are compared."""
    fields = fields_of(study)
    if study.plan.shard[1] == 1:
        return fields
    known = {field.name: field for field in fields}
    goals = study.query.goals
    for name in sorted(frozenset().union(*(free_names(each.tree) for each in goals))):
        if name not in known:
            known[name] = field_of(study, ColumnExpression(name, Name(name)))
        if known[name].kind == "float":
            known[EXACT + name] = Field(EXACT + name, name, "fraction", tree=Name(name))
    return tuple(known.values())


def about(study: Sweep) -> str:
    """Return what a file says of the sweep of which it is a shard, or the whole."""
    plan: Plan = study.plan
    tally = {name: value for name, value in asdict(study.tally).items() if name != "refusal"}
    refusal = study.tally.refusal
    join = study.join and (study.join.file, len(study.join.used), _packed(study.join.used))
    found = {
        "part": plan.shard,
        "plan": repr(plan._replace(shard=(1, 1))),
        "request": plan.request._asdict(),
        "once": study.once,
        "shown": [field.name for field in fields_of(study)],
        "tally": tally,
        "refusal": refusal and [isinstance(refusal, NoCountError), refusal.cause, refusal.hint],
        "join": join,
    }
    return json.dumps(found)


def _packed(used: Array) -> str:
    """Return which lines were found as a text."""
    return b64encode(compress(np.packbits(used).tobytes())).decode()


def read_about(file: str, text: str | None, fields: tuple[Field, ...]) -> Shard:
    """Return the shard that a file says it is.

    Raises:
        SpecError: it says nothing.
    """
    if text is None:
        hint = "they are what archcost sweep … --shard 1/2 -o part-1.parquet writes"
        raise SpecError(f"{file} is no shard of a sweep", hint=hint)
    found = json.loads(text)
    tally = Tally(**found["tally"])
    if found["refusal"]:
        is_none, cause, hint = found["refusal"]
        tally.refusal = (NoCountError if is_none else SpecError)(cause, hint=hint)
    joined, lines, packed = found["join"] or (None, 0, _packed(np.zeros(0, bool)))
    bits = np.frombuffer(decompress(b64decode(packed)), np.uint8)
    used = np.unpackbits(bits, count=lines).astype(bool)
    options: dict[str, Any] = {
        name: tuple(each) if isinstance(each, list) else each
        for name, each in found["request"].items()
    }
    part, once, shown = (tuple(found[name]) for name in ("part", "once", "shown"))
    return Shard(
        file, part, found["plan"], Request(**options), once, shown, tally, joined, used, fields
    )


def in_order(shards: Iterable[Shard]) -> list[Shard]:
    """Return all shards of one sweep, in the order of their points.

    Raises:
        SpecError: one is of another sweep, there twice or missing.
    """
    found: dict[int, Shard] = {}
    first: Shard | None = None
    for shard in shards:
        first = first or shard
        if (shard.plan, shard.part[1]) != (first.plan, first.part[1]):
            raise SpecError(f"{shard.file} is of another sweep than {first.file}")
        twice = found.setdefault(shard.part[0], shard)
        if twice is not shard:
            number = "/".join(map(str, shard.part))
            raise SpecError(f"{twice.file} and {shard.file} are both shard {number}")
    parts = first.part[1] if first else 0
    missing = [part for part in range(1, parts + 1) if part not in found]
    if missing:
        some = ", ".join(map(str, missing[:8])) + (", …" if len(missing) > 8 else "")
        raise SpecError(f"of {parts} shards {some} {'is' if len(missing) == 1 else 'are'} missing")
    return [found[part] for part in sorted(found)]


class Merged:
    """All shards of one sweep, reduced to what one run gives.

    Args:
        shards: they, in order.
        request: what is asked of their rows.

    Attributes:
        fields: the columns of the result.
        reduction: what is asked of all rows.
        tally: how many points there are and what became of them.
        conditions: those that rows keep, as texts.
        joined: the joined file, if there is one, and how many of its lines are of no point.

    Raises:
        SpecError: rows that it needs were left out of the shards, or numbers in them are rounded.
    """

    def __init__(self, shards: Sequence[Shard], request: Request) -> None:
        first = shards[0]
        self.reduction = merge_query(first, request)
        shown = {field.name: field for field in first.fields if field.name in first.shown}
        for goal in self.reduction.goals:  # those that the shards do not have yet
            shown.setdefault(goal.text, _field_of(goal, first.fields))
        self.fields = tuple(shown.values())
        self.conditions = (*first.request.where, *(each.text for each in self.reduction.conditions))
        self.tally = Tally()
        for shard in shards:
            self.tally.add(shard.tally)
        self.tally.kept = self.tally.front = 0
        unused = int((~reduce(or_, (shard.used for shard in shards))).sum())
        self.joined = None if first.join is None else (first.join, unused)
        self._shards = shards

    def rows(self, read: Callable[[Shard], Iterable[Rows]]) -> Iterator[Rows]:
        """Yield the rows that are kept, in order.

        Args:
            read: returns a shard's rows.

        Raises:
            SpecError: no point makes a network.
        """
        rows = (chunk for shard in self._shards for chunk in read(shard) if chunk.count)
        kept = where(rows, self.reduction.conditions, self.tally)
        for chunk in reduced(kept, self.reduction, self.tally, self._shards[0].once):
            self.tally.kept += chunk.count
            yield chunk
        self.tally.require_network()


def merge_query(shard: Shard, request: Request) -> Query:
    """Return what is asked of the rows of all shards, of which one is like the others.

    What they were reduced to is asked again; steps that come later may be asked beside it.

    Raises:
        SpecError: rows that it needs were left out of the shards, or numbers in them are rounded.
    """
    before, asked = (_stages(each) for each in (shard.request, request))
    done = max((i for i, stage in enumerate(STAGES) if before[stage]), default=-1)
    for stage in STAGES[: done + 1]:
        if asked[stage] not in (before[stage], type(before[stage])()):
            cause = "the shards keep what another front or top leaves, not all rows in their order"
            raise SpecError(cause, hint="merge them without one, which asks for the same")
        asked[stage] = before[stage]
    if done >= 0 and request.where:
        cause = "--where leaves out rows before a front, the best or an order is taken of them"
        raise SpecError(cause, hint="the shards have them taken: say it where they are made")
    top, by = asked["top"] or (None, None)
    names = [field.name for field in shard.fields]
    wanted = Request((), request.where, asked["pareto"], top, by, asked["sort"])
    query = read_query(wanted, names, (), names)
    _require_exact(query, {field.name: field for field in shard.fields})
    return query


def _field_of(column: ColumnExpression, fields: Sequence[Field]) -> Field:
    """Return the column of something that is made of others."""
    whole = is_whole(column.tree, {field.name: field.kind == "whole" for field in fields})
    return Field(column.text, column.text, "whole" if whole else "float", tree=column.tree)


def _stages(request: Request) -> dict[str, Any]:
    """Return what is asked of each step, nothing being empty."""
    top = () if (request.top, request.by) == (None, None) else (request.top, request.by)
    return {"pareto": request.pareto, "top": top, "sort": request.sort}


def _require_exact(query: Query, known: Mapping[str, Field]) -> None:
    """Make sure that all that rows are compared by is in their columns, exactly."""
    for expression in query.compared:
        for name in sorted(free_names(expression.tree)):
            if name not in known:
                raise SpecError(f"the shards have no column '{name}', as {expression.text} needs")
            if known[name].kind == "float" and EXACT + name not in known:
                of = "" if name in METRICS else ", or compare what it is made of"
                raise SpecError(
                    f"'{name}' is rounded in files, and rows are compared exactly",
                    hint=f"say it where the shards are made{of}, as macs/params of macs and params",
                )
