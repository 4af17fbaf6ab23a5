"""The zoo: the specs that come with the package, each family and each variant found by its name."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from glob import has_magic
from pathlib import Path
from typing import NamedTuple

from archspec.errors import SpecError, did_you_mean, nearest
from archspec.files import target_of

_HERE = Path(__file__).parent

FOLDER = next(filter(Path.is_dir, [_HERE / "specs"]), _HERE.parent / "specs")
"""The folder of the specs: inside an installed package, beside it in a checkout."""

FIRST = _HERE / "first.yaml"
"""A first spec, explained by comments."""

SUFFIXES = (".yaml", ".yml")
"""The ends of the paths of specs."""

STDIN = "<stdin>"
"""The path of standard input, which is written ``-``."""

MOST_NAMES = 5
"""The most names in a hint."""

_VARIANTS = re.compile(r"^variants:\n((?:(?:[ #].*)?\n)+)", re.MULTILINE)
_VARIANT = re.compile(r"^  ([\w.-]+):", re.MULTILINE)
_CONFIG = re.compile(r"^config:\n((?:(?:[ #].*)?\n)+)", re.MULTILINE)


class ZooName(NamedTuple):
    """A name of the zoo: a family's, which is its file's, or that of one of its variants."""

    family: str
    variant: str | None = None

    @property
    def name(self) -> str:
        """The name that is typed."""
        return self.variant or self.family

    @property
    def path(self) -> str:
        """The file of the spec."""
        return (FOLDER / f"{self.family}.yaml").as_posix()


@cache
def zoo() -> dict[str, ZooName]:
    """The names of the zoo, each as `folded` gives it; a variant goes before a family of its name.

    Variants are read off their headings, for which no spec is parsed.
    """
    files = sorted(FOLDER.glob("*.yaml"))
    families = [ZooName(file.stem) for file in files]
    variants = (ZooName(f.stem, v) for f in files for v in _headings(f.read_text("utf-8")))
    return {folded(each.name): each for each in (*families, *variants)}


def _headings(text: str, section: re.Pattern[str] = _VARIANTS) -> Iterable[str]:
    found = section.search(text)
    return _VARIANT.findall(found[1]) if found else ()


@cache
def types_of_configurations() -> dict[str, str]:
    """The ``model_type`` of every configuration that a spec of the zoo maps → the spec's file."""
    texts = {file.as_posix(): file.read_text("utf-8") for file in sorted(FOLDER.glob("*.yaml"))}
    return {kind: file for file, text in texts.items() for kind in _headings(text, _CONFIG)}


def folded(name: str) -> str:
    """Return a name as names are compared: in small letters, with ``_`` for each ``-``."""
    return name.lower().replace("-", "_")


def find_name(name: str) -> ZooName | None:
    """The family or the network of a name; ``_`` may be left out where it tells none apart."""
    wanted, known = folded(name), zoo()
    near = [each for key, each in known.items() if key.replace("_", "") == wanted.replace("_", "")]
    return known.get(wanted) or (near[0] if len(near) == 1 else None)


def shown_path(path: str | Path) -> str:
    """The name of a file of the zoo, since its folder tells nobody anything; else the path."""
    file = Path(path)
    return file.name if file.parent == FOLDER else str(path)


def networks_like(pattern: str = "") -> list[ZooName]:
    """The networks of the zoo that have a text in their name or their family's.

    A family without variants is one network; one with variants is each of these, in its order.

    Args:
        pattern: the text; with ``*``, ``?`` or ``[…]`` all of the name, or of the family's.
    """
    varied = {each.family for each in zoo().values() if each.variant}
    every = [each for each in zoo().values() if each.variant or each.family not in varied]
    named = [each for each in every if _is_like(each.name, pattern)]
    of_family = [each for each in every if _is_like(each.family, pattern)]
    if has_magic(pattern):
        return named or of_family
    return [each for each in every if each in named or each in of_family]


def _is_like(name: str, pattern: str) -> bool:
    if has_magic(pattern):
        return fnmatchcase(folded(name), folded(pattern)) or fnmatchcase(name, pattern)
    return folded(pattern) in folded(name)


def zoo_hint(path: str, others: Iterable[str] = ()) -> str | None:
    """The hint for a path that leads to no file: the name of the zoo that is meant, or the nearest.

    Args:
        path: the path, or a name.
        others: what else may be meant, as files beside it.
    """
    name = Path(path).name
    bare = next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)
    if known := find_name(bare):
        return f"write {known.name}, a network that comes with archcost"
    begin = [each.name for key, each in zoo().items() if bare and key.startswith(folded(bare))]
    if begin and not nearest(name, others):
        shown = ", ".join(map(repr, begin[:MOST_NAMES]))
        return f"did you mean {shown}{', …' * (len(begin) > MOST_NAMES)}?"
    beside = list(others)
    near = did_you_mean(name, [*beside, *(each.name for each in zoo().values())])
    return near or did_you_mean(name, beside)


def split_variant(spec: str) -> tuple[str, str | None]:
    """``PATH@VARIANT`` as its two parts."""
    path, at, variant = spec.rpartition("@")
    return (path, variant or None) if at and "/" not in variant else (spec, None)


def find_spec(spec: str) -> tuple[str, str | None]:
    """The path and the variant of a spec: a name of the zoo, ``PATH`` or ``-``, and ``@VARIANT``.

    A file that is called as a network is found with its suffix or with a slash, as ``./resnet50``.

    Raises:
        SpecError: it is empty, or a variant's name has another variant behind it.
    """
    path, variant = split_variant(spec)
    if not path:
        raise SpecError("the name of a network is empty", hint="write one, as in archcost resnet50")
    if path == "-":
        return STDIN, variant
    known = find_name(path) if "/" not in path else None
    if known is None:
        return path, variant
    if variant and known.variant and known.variant != known.family:
        cause = f"{known.name} is a variant itself, of {known.family}"
        raise SpecError(cause, hint=f"write {known.family}@{variant}")
    return known.path, variant or known.variant


def is_of_zoo(spec: str) -> bool:
    """Return whether a spec is named as a network of the zoo, and not by a path."""
    return "/" not in spec and find_name(split_variant(spec)[0]) is not None


def find_beside(spec: str, file: str) -> tuple[str, str | None]:
    """The path and the variant of a spec that another names: of the zoo, or below its own folder.

    Args:
        spec: the name, or the path from the other's folder.
        file: the other's path; in ``<…>`` of a text that no file has.

    Raises:
        SpecError: the path leads out of the folder, or there is no folder.
    """
    path, variant = find_spec(spec)
    if path == STDIN:
        raise SpecError("standard input is no spec that another can use")
    if is_of_zoo(spec):
        return path, variant
    if not path.endswith(SUFFIXES):
        hint = did_you_mean(path, [each.name for each in zoo().values()])
        raise SpecError(f"'{path}' is no network of the zoo, and no path of a spec", hint=hint)
    if file.startswith("<"):
        raise SpecError(f"'{path}' is a path, but this spec stands in no folder")
    folder = Path(file).parent
    if not target_of(folder / path).is_relative_to(target_of(folder)):
        raise SpecError(f"'{path}' leads out of the folder of the spec, {folder}")
    return str(folder / path), variant
