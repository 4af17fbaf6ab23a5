"""Calls of blocks that other structures of one spec have as well, which are expanded once."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from archspec.composites import Share, Side, Use
from archspec.entries import Block, BlockCall, Entry
from archspec.trees import Name, Value

MOST = 20_000
"""The most calls that are kept."""

M = TypeVar("M")


class KnownBlocks(Generic[M]):
    """A cache of the expanded blocks of one spec, for all values of its ``let`` names and symbols.

    A call is found again by all that its expansion hangs on: where it stands, what enters it, its
    arguments, and the values of the names that its entries speak of.
    """

    def __init__(self) -> None:
        self._made: dict[Any, M] = {}
        self._spoken: dict[str, frozenset[str] | None] = {}

    def spoken(
        self,
        block: str,
        blocks: Mapping[str, Block],
        names: Mapping[str, Value],
        tensors: Collection[str],
    ) -> tuple[Value | None, ...] | None:
        """Return the values of the names of the spec that a block speaks of.

        Args:
            block: its name.
            blocks: all blocks of the spec.
            names: the names of the spec, each with its value.
            tensors: the names of the tensors outside of it.

        Returns:
            None where it names tensors that others see, or sees such.
        """
        if block not in self._spoken:
            self._spoken[block] = _spoken_in(block, blocks)
        spoken = self._spoken[block]
        if spoken is None or not spoken.isdisjoint(tensors):
            return None
        return tuple(map(names.get, sorted(spoken)))

    def find(self, key: object) -> M | None:
        """Return what a call expands to, if it was met."""
        return self._made.get(key)

    def keep(self, key: object, made: M) -> None:
        """Keep what a call expands to for other structures."""
        if len(self._made) >= MOST:
            self._made.clear()
        self._made[key] = made


def _spoken_in(block: str, blocks: Mapping[str, Block]) -> frozenset[str] | None:
    """Return all names in a block and in those that it calls; None where entries have names."""
    found: set[str] = set()
    called, waiting = {block}, [block]
    while waiting:
        of = blocks[waiting.pop()]
        found.update(_names_in((of.parameters, of.outputs)))
        for entry in _entries_in(of.entries):
            tied = isinstance(getattr(entry.content, "weight", None), str)
            if entry.name or tied or isinstance(entry.content, Share | Side | Use):
                return None
            found.update(_names_in((entry.content, entry.sources, entry.when, entry.trainable)))
            if isinstance(entry.content, BlockCall) and entry.content.block not in called:
                called.add(entry.content.block)
                waiting.append(entry.content.block)
    return frozenset(found)


def _entries_in(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield some entries and all in their bodies."""
    for entry in entries:
        yield entry
        for bodies in entry.bodies.values():
            for body in bodies:
                yield from _entries_in(body)


def _names_in(value: Any) -> Iterator[str]:
    """Yield the names in the expressions of fields."""
    if isinstance(value, Name):
        yield value.id
        return
    inner: Any = ()
    if isinstance(value, BaseModel | Mapping):
        inner = (vars(value) if isinstance(value, BaseModel) else value).values()
    elif isinstance(value, tuple | list):
        inner = value
    for each in inner:
        yield from _names_in(each)
