"""Equal neighbours: runs of entries that do the same, each on what the one before leaves.

Entries that look alike, whatever they read, give candidates: stretches of a list that are equal to
what stands a period later. A candidate is a run of iterations if the forms of all iterations are
equal once each calls what the one before leaves its entry, and if nothing but that leaves it. The
run that saves the most entries becomes a repeat; what is before, inside and behind it is searched
in the same way.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from archspec.importers.calls import LayerCall
from archspec.importers.folding.drafts import Body, Item
from archspec.importers.folding.forms import (
    Form,
    Uses,
    after,
    as_module,
    entering,
    form_of,
    made_in,
    names_of,
)

MAX_PERIOD = 200
"""The most entries of one iteration."""


class Run(NamedTuple):
    """Turns in a list of entries.

    Attributes:
        start: the position of the first iteration.
        period: the entries of a iteration.
        times: the iterations.
        entry: the tensor that enters the first iteration.
    """

    start: int
    period: int
    times: int
    entry: str

    @property
    def stop(self) -> int:
        """The position behind the last iteration."""
        return self.start + self.period * self.times

    def iterations(self, items: Sequence[Item]) -> Iterator[tuple[Item, ...]]:
        """Yield the entries of each iteration.

        Args:
            items: the list.
        """
        for start in range(self.start, self.stop, self.period):
            yield tuple(items[start : start + self.period])


def repeated(items: list[Item], uses: Uses) -> list[Item]:
    """Return some entries, with repeats for equal neighbours.

    Args:
        items: the entries, in order.
        uses: who uses what in the network.
    """
    run = _longest_run(items, uses)
    if run is None:
        return items
    iterations = [repeated([*iteration], uses) for iteration in run.iterations(items)]
    before, behind = items[: run.start], items[run.stop :]
    return [*repeated(before, uses), _repeat(run, iterations, uses), *repeated(behind, uses)]


def _repeat(run: Run, iterations: list[list[Item]], uses: Uses) -> Item:
    first = tuple(iterations[0])
    output, last = after(first[-1]), after(iterations[-1][-1])
    assert output is not None
    assert last is not None
    runs = [[each for item in iteration for each in item.runs] for iteration in iterations]
    zipped = tuple(
        tuple(c for each in iteration for c in each) for iteration in zip(*runs, strict=True)
    )
    body = Body(first, (run.entry,), output)
    if needs_name(first, run.entry, run.entry):
        body = Body((as_module(body, "Iteration"),), (run.entry,), output)
    fields: dict[str, int | bool] = {"times": run.times}
    if any(uses.shares(call) for call in _shared(iterations, uses)):
        fields["shared"] = True
    return Item("repeat", (run.entry,), (last,), fields, {"layers": (body,)}, zipped)


def _shared(iterations: Sequence[Sequence[Item]], uses: Uses) -> Iterator[LayerCall]:
    """Yield the calls of the first iteration that have the weights of calls in others."""
    inside = names_of(iterations[0])
    for item in iterations[0]:
        for call in item.calls:
            if not uses.weights.get(call.weights, frozenset()) <= inside:
                yield call


def needs_name(items: Sequence[Item], entry: str, latest: str | None) -> bool:
    """Return whether some entries refer by a name to the tensor that enters the first of them.

    Args:
        items: the entries.
        entry: the tensor.
        latest: what leaves the entry before them.
    """
    for item in items:
        if entry in item.inputs and item.inputs != (latest,) and entry != latest:
            return True
        if item.inputs.count(entry) > 1 and entry != latest:
            return True
        inner = item.parts if item.kind in ("residual", "parallel") else ()
        if any(needs_name(body.items, entry, body.inputs[0]) for body in inner):
            return True
        latest = after(item)
    return False


def _longest_run(items: Sequence[Item], uses: Uses) -> Run | None:
    """Return the run that leaves the fewest entries, or None where nothing repeats."""
    runs = sorted(_candidates(items, uses), key=_saved(items))
    return next(filter(None, (_checked(run, items, uses) for run in runs)), None)


def _saved(items: Sequence[Item]) -> Callable[[Run], tuple[int, int, bool, int]]:
    sizes = [len(item.runs) for item in items]

    def order(run: Run) -> tuple[int, int, bool, int]:
        saved = sum(sizes[run.start + run.period : run.stop])
        first = items[run.start]
        begins = bool(first.bodies) or bool(first.fields and any(c.weights for c in first.calls))
        return -saved, run.period, not begins, run.start

    return order


def _candidates(items: Sequence[Item], uses: Uses) -> Iterator[Run]:
    """Yield all places at which entries are alike, whatever they read."""
    likes = [_alike(item, uses) for item in items]
    number = {form: i for i, form in enumerate(dict.fromkeys(likes))}
    forms = [number[form] for form in likes]
    for period in range(1, min(len(items) // 2, MAX_PERIOD) + 1):
        start = 0
        while start + period < len(items):
            length = 0
            while (
                start + length + period < len(items)
                and forms[start + length] == forms[start + length + period]
            ):
                length += 1
            for shift in range(length % period + 1 if length >= period else 0):
                yield Run(start + shift, period, (length - shift) // period + 1, "")
            start += length + 1


def _alike(item: Item, uses: Uses) -> Form:
    """Return what two entries must have in common to be in the same place of two iterations."""
    blank = item._replace(inputs=tuple("" for _ in item.inputs))
    (form,) = form_of(uses, [blank], entering([item]), with_numbers=True)
    assert isinstance(form, tuple)
    return form[:5]


def _checked(run: Run, items: Sequence[Item], uses: Uses) -> Run | None:
    """Return as many iterations of a run as do the same to what the iteration before leaves."""
    iterations = [*run.iterations(items)]
    exits = [after(iteration[-1]) for iteration in iterations]
    if any(end is None for end in exits):
        return None
    forms = [
        form_of(uses, iteration, (str(end),), with_numbers=True)
        for iteration, end in zip(iterations[1:], exits, strict=False)
    ]
    for entry in entering(iterations[0]):
        first = form_of(uses, iterations[0], (entry,), with_numbers=True)
        if all(form == first for form in forms) and _is_chain(iterations, entry, uses):
            return run._replace(entry=entry)
    return None


def _is_chain(iterations: list[tuple[Item, ...]], entry: str, uses: Uses) -> bool:
    """Return whether each iteration shows its end alone, and that to the next iteration alone."""
    if entry not in {tensor for item in iterations[0] for tensor in item.inputs}:
        return False
    for i, iteration in enumerate(iterations):
        inside = names_of(iteration)
        if not uses.exposed.isdisjoint(inside):
            return False
        end = after(iteration[-1])
        made = {tensor for item in iteration for tensor in made_in(item)} - {end}
        if not all(uses.is_within(tensor, inside) for tensor in made):
            return False
        if i + 1 < len(iterations) and not uses.is_within(str(end), names_of(iterations[i + 1])):
            return False
    return _weights_fit(iterations, uses)


def _weights_fit(iterations: list[tuple[Item, ...]], uses: Uses) -> bool:
    """Return whether iterations have weights of their own, or all of them those of the first."""
    whole = names_of(item for iteration in iterations for item in iteration)
    weighted = [
        [c for item in iteration for c in item.calls if c.weights] for iteration in iterations
    ]
    inner = [names_of(iteration) for iteration in iterations]
    own = [
        all(uses.weights[c.weights] <= n for c in w) for w, n in zip(weighted, inner, strict=True)
    ]
    if all(own):
        return True
    first = [call.weights for call in weighted[0]]
    same = all([call.weights for call in calls] == first for calls in weighted)
    return same and all(uses.weights[each] <= whole for each in first)
