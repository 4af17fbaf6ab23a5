"""The effect of a change on several specs: which are new, deleted or changed, and by how much."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from os.path import exists, normpath
from pathlib import Path
from typing import NamedTuple

from archspec import Architecture
from archspec.arithmetic import Rational, tidy
from archspec.errors import SpecError
from archspec.zoo import find_spec
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.loading import Setup
from costmodel.metrics.registry import Metric
from costmodel.scenario.patterns import is_pattern, matches, matches_in
from costmodel.studies.budgets import Budget, BudgetCheck
from costmodel.studies.diff import Diff, Differences, differences
from costmodel.studies.revisions import (
    ALL,
    SpecSource,
    analyser,
    files_at,
    is_at,
    load_source,
    renames_since,
)


class OneSidedNetwork(NamedTuple):
    """A network whose spec exists only before the change, or only after it."""

    name: str
    analysis: Analysis


class FileDifferences(NamedTuple):
    """Several specs at a revision and now.

    Attributes:
        revision: the revision.
        files: of every spec on both sides.
        added: the networks of new specs.
        removed: the networks of deleted ones.
    """

    revision: str
    files: tuple[Differences, ...]
    added: tuple[OneSidedNetwork, ...]
    removed: tuple[OneSidedNetwork, ...]

    @property
    def diffs(self) -> Iterator[tuple[str, Diff]]:
        """Yield every network that is on both sides, with its spec."""
        for file in self.files:
            before = normpath(Path(file.old.folder) / file.old.path)
            was = f" (was {before})" if before != normpath(file.new.path) else ""
            for diff in file.diffs:
                variant = diff.new.graph.variant
                yield f"{file.new.name}{f'@{variant}' if variant else ''}{was}", diff

    @property
    def analyses(self) -> tuple[Analysis, ...]:
        """Every network on either side."""
        sides = (side for _, diff in self.diffs for side in (diff.old, diff.new))
        return (*sides, *(each.analysis for each in (*self.added, *self.removed)))

    @property
    def changed(self) -> tuple[tuple[str, Diff], ...]:
        """The networks that differ."""
        return tuple((name, diff) for name, diff in self.diffs if not diff.is_empty)

    @property
    def balances(self) -> tuple[tuple[str, BudgetCheck], ...]:
        """Every budget at every network, the broken ones first."""
        every = [(name, balance) for name, diff in self.diffs for balance in diff.balances]
        return tuple(sorted(every, key=lambda pair: pair[1].is_kept))

    @property
    def is_empty(self) -> bool:
        """Return True where nothing that is compared differs."""
        return not (self.added or self.removed) and all(file.is_empty for file in self.files)

    def total(self, metric: Metric) -> tuple[Rational, Rational] | None:
        """Return the sums over all networks before and after; None where there is none."""
        if metric.combine != "sum":
            return None
        diffs = [diff for _, diff in self.diffs]
        sides = (
            [*(diff.old for diff in diffs), *(each.analysis for each in self.removed)],
            [*(diff.new for diff in diffs), *(each.analysis for each in self.added)],
        )
        before, after = ([side.value_if_any(metric.name) for side in each] for each in sides)
        if None in before or None in after:
            return None
        return _sum(before), _sum(after)


def _sum(values: Iterable[Rational | None]) -> Rational:
    return tidy(sum((Fraction(value or 0) for value in values), Fraction()))


def file_differences(
    revision: SpecSource,
    words: Iterable[str],
    setup: Setup,
    requested: tuple[str, ...] = (),
    budgets: tuple[Budget, ...] = (),
) -> FileDifferences:
    """Return the differences of the specs that some words stand for, now and at a revision.

    Args:
        revision: the revision, without a file.
        words: paths and patterns, each with a variant or ``@*``; a pattern matches on both sides.
        setup: what is said beside the specs.
        requested: the metrics that were asked for.
        budgets: what may be gained.

    Raises:
        SpecError: a spec breaks a rule, or there is no such file or revision.
    """
    assert revision.revision is not None
    there = files_at(revision.revision)
    files: list[Differences] = []
    added, removed = list[OneSidedNetwork](), list[OneSidedNetwork]()
    sources = [*dict.fromkeys(source for word in words for source in _sources(word, there))]
    renamed = _renamed(revision, sources)
    for new in sources:
        if new.path in renamed.values():
            continue
        old = revision.beside(new._replace(path=renamed.get(new.path, new.path)))
        is_here = exists(new.path)
        if is_here and is_at(old):
            files.append(differences((old, new), setup, requested, budgets, checks_settings=False))
        elif is_here:
            added += _wholes(new, new, setup)
        else:
            removed += _wholes(old, new, setup)
    found = FileDifferences(revision.revision, tuple(files), tuple(added), tuple(removed))
    if analyses := found.analyses:
        setup.require_known([each.architecture for each in analyses])
    return found


def _sources(word: str, there: Iterable[str]) -> Iterator[SpecSource]:
    """Yield the specs that a word stands for on either side, all their variants if none is named.

    Raises:
        SpecError: there are none.
    """
    path, named = find_spec(word)
    variant = named or ALL
    if not is_pattern(path):
        yield SpecSource(path, None, variant)
        return
    gone = [each for each in there if matches_in(each, normpath(path))]
    try:
        here = matches(path, "spec")
    except SpecError:
        if not gone:
            raise
        here = []
    for each in sorted({*map(normpath, here), *gone}):
        yield SpecSource(each, None, variant)


def _renamed(revision: SpecSource, sources: Iterable[SpecSource]) -> dict[str, str]:
    """Return the path of each spec that was renamed since a revision → its path there.

    Git tells it by what files hold; a new spec of the name of the one network that is gone is it.
    """
    here = [new for new in sources if exists(new.path) and not is_at(revision.beside(new))]
    gone = [new for new in sources if not exists(new.path)]
    by_git = renames_since(revision.revision or "") if here else {}
    found = {new.path: by_git[new.path] for new in here if new.path in by_git}
    left = [each for each in gone if each.path not in found.values()]
    of = {old.path: load_source(revision.beside(old))[0].header.name for old in left}
    for new in (each for each in here if each.path not in found and of):
        name = load_source(new)[0].header.name
        like = [path for path, known in of.items() if known == name]
        if len(like) == 1 and like[0] not in found.values():
            found[new.path] = like[0]
    return found


def _wholes(at: SpecSource, named: SpecSource, setup: Setup) -> Iterator[OneSidedNetwork]:
    """Yield the networks of a spec that is on one side only."""
    specs: tuple[Architecture, ...] = load_source(at)
    analyse = analyser(setup, specs)
    for spec in specs:
        yield OneSidedNetwork(
            f"{named.name}@{spec.variant}" if spec.variant else named.name, analyse(spec)
        )
