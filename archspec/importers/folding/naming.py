"""Names for the tensors of a draft, only where an entry is referred to; valid in the language.

One walk over all that refers to a tensor finds the entries that need a name. It is the last word of
the module's path in the source, made unique.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple, Optional

from archspec.composites import COMPOSITES
from archspec.errors import SpecError
from archspec.expressions import FUNCTIONS, KEYWORDS, OF_NAMES
from archspec.importers.calls import SourceNetwork
from archspec.importers.folding.drafts import Body, Draft, Item, Named, unnumbered
from archspec.importers.folding.forms import COPIED, after
from archspec.importers.folding.paths import SEVERAL, Paths, common_path, scope_of
from archspec.layers import ALIASES, KINDS
from archspec.scope import RESERVED

WORDS = frozenset({*RESERVED, *KEYWORDS, *FUNCTIONS, *OF_NAMES, *("add", "shortcut", "input")})
WORDS |= {"null", "Null", "NULL", "True", "TRUE", "False", "FALSE", "router", "experts"}
"""Words that name no entry: they have a meaning in the language, in YAML or in composites."""


def as_name(text: str, otherwise: str = "x") -> str:
    """Return a name of the language that is like a text of anyone's.

    Args:
        text: the text.
        otherwise: the name where the text has no letter.
    """
    name = re.sub(r"_+", "_", re.sub(r"\W", "_", text, flags=re.ASCII)).strip("_")[:60]
    if not re.search("[A-Za-z]", name):
        name = f"{otherwise}_{name}" if name else otherwise
    name = name if re.match("[A-Za-z]", name) else f"{otherwise}_{name}"
    return f"{name}_" if name in WORDS else name


def unused(name: str, taken: Iterable[str]) -> str:
    """Return a name, numbered where it is taken.

    Args:
        name: the name.
        taken: the names that are.
    """
    found, number = name, 2
    while found in taken:
        found, number = f"{name}{number}", number + 1
    return found


class Frame(NamedTuple):
    """A list of entries under way, inside others.

    Attributes:
        body: the list.
        kind: the composite whose list it is, ``block``, or ``network``.
        around: the list that it stands in; the network's, of a block's.
        scope: the module of the source that it is, where its entries stand for several.
    """

    body: Body
    kind: str
    around: Optional["Frame"] = None
    scope: str = ""

    def inner(self, body: Body, kind: str) -> "Frame":
        """The frame of a list of entries inside this one."""
        return Frame(body, kind, self, scope_of(body) if kind in SEVERAL else self.scope)

    @property
    def entering(self) -> str | None:
        """The tensor that the first entry takes where it does not say."""
        return self.body.inputs[0] if len(self.body.inputs) == 1 else None

    def home(self, tensor: str) -> "Frame | None":
        """Return the frame in which an entry makes a tensor, or which it enters by a name."""
        frame: Frame | None = self
        while frame is not None:
            if any(tensor in item.outputs for item in frame.body.items):
                return frame
            if tensor in frame.body.inputs and frame.kind not in ("residual", "parallel"):
                return None if frame.kind in COPIED else frame
            frame = frame.around
        return None


class Labels:
    """The names of a draft's tensors, found in one walk over all that refers to them."""

    def __init__(self, network: SourceNetwork, draft: Draft) -> None:
        self.blocks = frozenset(draft.blocks)
        self.paths = Paths(network.calls)
        self.inputs: dict[str, str] = {}
        several = len(network.inputs) > 1
        for name in network.inputs:
            taken = {*self.inputs.values(), *network.symbols}
            self.inputs[name] = unused(as_name(name), taken) if several else "input"
        kinds = {*KINDS, *ALIASES, *COMPOSITES, *self.blocks}
        self.taken: set[str] = {*kinds, *self.inputs.values(), *network.symbols}
        self.found: dict[tuple[int, str], str] = {}
        self.top = Frame(draft.body, "network")
        self._walk(self.top)
        for block in draft.blocks.values():
            self._walk(self.top.inner(block.body, "block"))

    def _walk(self, frame: Frame) -> None:
        """Find the names that the entries of a list refer to."""
        latest = frame.entering
        for item in frame.body.items:
            self.sources(item, frame, latest)
            for value in item.fields.values():
                if isinstance(value, Named):
                    self.reference(value.tensor, frame)
            for body in item.parts:
                self._walk(frame.inner(body, item.kind))
            latest = after(item)

    def sources(self, item: Item, frame: Frame, latest: str | None) -> list[str]:
        """Return the names under ``from``; none where it is what leaves the entry before.

        Args:
            item: the entry.
            frame: the list it stands in.
            latest: what leaves the entry before it, or enters the first.
        """
        if not item.inputs or item.inputs == (latest,):
            return []
        several = latest is not None and len(item.inputs) > 1
        return [
            "previous" if several and tensor == latest else self.reference(tensor, frame)
            for tensor in item.inputs
        ]

    def reference(self, tensor: str, frame: Frame) -> str:
        """Return the name of a tensor, as it is referred to in a list of entries.

        Args:
            tensor: the tensor.
            frame: the list.

        Raises:
            SpecError: it has none there.
        """
        home = frame.home(tensor)
        if home is None:
            raise SpecError(f"the tensor '{tensor}' has no name where it is used")
        bearer = unnumbered(tensor)
        if home.kind == "network" and tensor in self.inputs:
            return self.inputs[tensor]
        item = next((i for i in home.body.items if tensor in i.outputs), None)
        key = id(home.body), bearer
        if key not in self.found:
            self.found[key] = self._new(item, bearer)
        name = self.found[key]
        return name if tensor == bearer else f"{name}{tensor[len(bearer) :]}"

    def _new(self, item: Item | None, tensor: str) -> str:
        """Return a name for an entry, or for what enters a block, that nothing else has."""
        wanted = "x" if item is None else wanted_name(item, tensor)
        name = as_name(wanted)
        stem, _, number = name.rpartition("_")
        if number.isdecimal() and stem in self.taken:  # as the language itself names entries
            name = f"{stem}{number}"
        name = unused(name, self.taken)
        self.taken.add(name)
        return name

    def of(self, item: Item, frame: Frame) -> str | None:
        """Return the name that an entry bears, or None where nothing refers to it.

        Args:
            item: the entry.
            frame: the list it stands in.
        """
        return self.found.get((id(frame.body), unnumbered(item.outputs[0])))

    def entering(self, body: Body) -> list[str]:
        """Return the names of what enters a block; none where nothing refers to them.

        Args:
            body: the block's entries.
        """
        keys = [(id(body), tensor) for tensor in body.inputs]
        if len(keys) == 1 and keys[0] not in self.found:
            return []
        for key in keys:
            if key not in self.found:
                self.found[key] = self._new(None, key[1])
        return [self.found[key] for key in keys]


def wanted_name(item: Item, tensor: str) -> str:
    """Return what a person would call an entry: the last word of its module's path.

    Args:
        item: the entry.
        tensor: what leaves it.
    """
    common = common_path(item.calls)
    if not common:
        return tensor
    words = common[-1].split(".")
    return "_".join(words[-2:]) if words[-1].isdecimal() else words[-1]
