"""Shards of a sweep, read back and reduced to what one run gives."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from archspec.errors import SpecError
from archspec.scope import free_names
from costmodel.sweep.fields import Field
from costmodel.sweep.query import Query, Request, read_query
from costmodel.sweep.study import Plan, Sweep

KEY = "archcost shard"
"""The name under which a Parquet file says of which sweep it is which part."""


class Shard(NamedTuple):
    """A file of a shard.

    Attributes:
        file: its path.
        part: which of all shards it is, counted from 1, and how many there are.
        plan: what all shards of its sweep have in common, as text.
        reduced: the reductions that it has behind it.
        once: the columns of which no values are among the best twice.
        fields: its columns.
    """

    file: str
    part: tuple[int, int]
    plan: str
    reduced: Mapping[str, Any]
    once: tuple[str, ...]
    fields: tuple[Field, ...]


def about(study: Sweep) -> str:
    """Return what a file says of the sweep of which it is a shard, or the whole."""
    plan: Plan = study.plan
    same = plan._replace(shard=(1, 1))
    asked = plan.request
    reduced = {"pareto": asked.pareto, "top": asked.top, "by": asked.by}
    once = () if study.seed is None else study.shown
    found = {"part": plan.shard, "plan": repr(same), "reduced": reduced, "once": once}
    return json.dumps(found)


def read_about(file: str, text: str | None, fields: tuple[Field, ...]) -> Shard:
    """Return the shard that a file says it is.

    Raises:
        SpecError: it says nothing.
    """
    if text is None:
        hint = "they are what archcost sweep … --shard 1/2 -o part-1.parquet writes"
        raise SpecError(f"{file} is no shard of a sweep", hint=hint)
    found = json.loads(text)
    part, parts = found["part"]
    return Shard(file, (part, parts), found["plan"], found["reduced"], tuple(found["once"]), fields)


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


def merge_query(shards: Sequence[Shard], request: Request) -> Query:
    """Return what is asked of the rows of all shards: what each was reduced to, where all are.

    Raises:
        SpecError: rows that it needs were left out of the shards, or numbers in them are rounded.
    """
    fields, reduced = shards[0].fields, shards[0].reduced
    asked = {"pareto": list(request.pareto), "top": request.top, "by": request.by}
    if any(reduced.values()):
        if any(asked.values()) and asked != reduced:
            raise SpecError(
                "the shards keep what another front or top leaves, not all rows",
                hint="merge them without one, which asks for the same",
            )
        pareto = tuple(reduced["pareto"])
        request = request._replace(pareto=pareto, top=reduced["top"], by=reduced["by"])
    names = [field.name for field in fields]
    query = read_query(request._replace(metrics=()), names, (), names)
    rounded = {field.name for field in fields if field.kind == "float"}
    known = {field.name for field in fields}
    for expression in query.compared:
        for name in sorted(free_names(expression.tree)):
            if name not in known:
                raise SpecError(f"the shards have no column '{name}', as {expression.text} needs")
            if name in rounded:
                raise SpecError(
                    f"'{name}' is rounded in files, and rows are compared exactly",
                    hint="compare what it is made of, as macs/params of macs and params",
                )
    return query
