"""The source's own names of entries: ``layer1.0.conv2`` beside what its calls became.

An entry that stands for all calls of a module bears the path of that module; one that stands for
neighbours in it bears the first and the last of them, ``layer1.1…2``. In the body of a block or of
a repeat, which stands for several modules, paths begin below the module that the body is.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from archspec.importers.calls import LayerCall
from archspec.importers.folding.drafts import Body, Item

SEVERAL = ("repeat", "block")
"""Frames whose entries stand for several modules of the source."""


class Paths:
    """The paths of a network's modules.

    Args:
        calls: the calls of the network.
    """

    def __init__(self, calls: Iterable[LayerCall]) -> None:
        self.sizes = Counter(path for call in calls for path in _paths(call))

    def of(self, item: Item, scope: str) -> str:
        """Return the path of the modules that an entry stands for, below a scope; empty if none.

        Args:
            item: the entry.
            scope: the module that the paths begin below.
        """
        calls = [*item.calls]
        common = common_path(calls)
        if common and self.sizes[common[-1]] == len(calls):
            return _below(common[-1], scope)
        paths = [_paths(call) for call in calls]
        ends = [path[len(common)] for path in paths if len(path) > len(common)]
        if len(ends) < len(paths) or not ends:
            return _below(common[-1], scope) if common and len(calls) > 1 else ""
        return _range(_below(ends[0], scope), _below(ends[-1], scope))


def common_path(calls: Iterable[LayerCall]) -> list[str]:
    """Return the paths of the modules that made all of some calls, outermost first.

    Args:
        calls: the calls.
    """
    found = []
    for words in zip(*map(_paths, calls), strict=False):
        if len({*words}) > 1:
            break
        found.append(words[0])
    return found


def scope_of(body: Body) -> str:
    """Return the path of the module that the body of a block or of a repeat is.

    Args:
        body: the body.
    """
    common = common_path(call for item in body.items for call in item.calls)
    return common[-1] if common else ""


def path_of_node(calls: Sequence[LayerCall]) -> str:
    """Return the source's name of what one entry runs: ``layers.0…31.mlp.up``.

    Args:
        calls: the calls that the entry stands for, one for each time it runs.
    """
    first, last = ([*_paths(call), call.name][-1 - bool(_paths(call))] for call in _ends(calls))
    return _range(first, last)


def _ends(calls: Sequence[LayerCall]) -> Iterator[LayerCall]:
    yield calls[0]
    yield calls[-1]


def _paths(call: LayerCall) -> list[str]:
    return [module.path for module in call.modules if module.path]


def _below(path: str, scope: str) -> str:
    """Return a path without that of the module around it; empty if it is that module."""
    return path.removeprefix(f"{scope}.") if path != scope else ""


def _range(first: str, last: str) -> str:
    """Return two paths as one, with ``…`` between the words in which they differ."""
    pairs = [*zip(first.split("."), last.split("."), strict=False)]
    if len(pairs) < max(first.count("."), last.count(".")) + 1:
        return f"{first} … {last}"
    return ".".join(a if a == b else f"{a}…{b}" for a, b in pairs)
