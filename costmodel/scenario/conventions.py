"""Counting conventions: files that say what counts, named with every number."""

from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, Field

from archspec import Architecture, SpecError
from archspec.architecture import check_version, refuse_spec
from archspec.document import read_document
from archspec.errors import did_you_mean
from archspec.fields import Read, refused, show
from archspec.validation import STRICT, Line, validate
from costmodel.rules.cost import Output, Role

CONVENTIONS = Path(__file__).parent / "conventions"
"""The folder of the conventions that come with the package."""

DEFAULT = "torch"
"""The convention where neither the command line nor a spec names one."""

FORM = "a convention is a mapping with the keys archspec, name, doc, source and what counts"


def _listed(kind: type[Enum]) -> Read:
    """Return how a list of members' names, in lower case, is read as a set of the members."""
    members = {member.name.lower(): member for member in kind}

    def read(names: Any) -> frozenset[Enum]:
        for name in names if isinstance(names, list) else ["a list"]:
            if name not in members:
                hint = f"write a list of {', '.join(members)}"
                raise refused(f"{show(name)} is not what counts", hint)
        return frozenset(map(members.__getitem__, names))

    return Read(read, {"type": "array", "items": {"enum": list(members)}})


class ConventionFields(BaseModel):
    """The fields of a convention's file."""

    model_config = STRICT

    archspec: Literal[1] = Field(description="version of the language")
    name: Line = Field(min_length=1, description="the word that reports name it by")
    doc: Line = Field(description="what counts, in one sentence")
    source: Line = Field(min_length=1, description="who counts so")
    params: Annotated[Any, _listed(Role)] = Field(description="which learnable tensors count")
    activations: Annotated[Any, _listed(Output)] = Field(
        description="the layers whose outputs count"
    )
    input: bool = Field(default=False, description="whether the network's input counts, too")
    bias: bool = Field(
        default=False, description="whether adding a bias is a MAC per output element"
    )


class Convention(NamedTuple):
    """A convention: which parameters, products and feature maps count.

    Attributes:
        name: as ``--convention`` takes it.
        summary: what counts, in one line.
        source: who counts so.
        roles: the roles of the learnable tensors that count as params.
        feature_maps: the outputs that count as activations.
        counts_input: whether the network's input is one of the feature maps.
        counts_bias: whether adding a bias is a MAC per output element.
    """

    name: str
    summary: str
    source: str
    roles: frozenset[Role]
    feature_maps: frozenset[Output]
    counts_input: bool
    counts_bias: bool

    def __repr__(self) -> str:
        return f"<convention {self.name}>"


def convention_names() -> list[str]:
    """Return the names of the conventions that come with the package."""
    return sorted(path.stem for path in CONVENTIONS.glob("*.yaml"))


def find_convention(name: str, *, files: bool = True) -> Convention:
    """Return the convention of a name, or that of a file, whose path ends in ``.yaml``.

    Args:
        name: the name, or the path.
        files: whether it may be a path.

    Raises:
        SpecError: there is none, or its file breaks a rule.
    """
    if files and Path(name).suffix in (".yaml", ".yml"):
        return _read(Path(name))
    known = convention_names()
    if name not in known:
        raise SpecError(f"unknown convention '{name}'", hint=did_you_mean(name, known))
    return _built_in(name)


def convention_of(requested: Convention | str | None, *specs: Architecture) -> Convention:
    """Return the one convention of some specs.

    It is the one that is asked for, also by name; else that of the specs' headers, where all name
    the same; else ``torch``.

    Raises:
        SpecError: there is none of that name.
    """
    if requested is not None:
        return find_convention(requested) if isinstance(requested, str) else requested
    declared = {spec.header.convention for spec in specs}
    for spec in specs:
        _require_built_in(spec)
    return find_convention((declared.pop() if len(declared) == 1 else None) or DEFAULT)


def _require_built_in(spec: Architecture) -> None:
    """Make sure that a spec names no file as its convention, and none that there is not."""
    try:
        find_convention(spec.header.convention or DEFAULT, files=False)
    except SpecError as error:
        raise error.placed(spec.document.origin(("convention",)), "convention") from None


@cache
def _built_in(name: str) -> Convention:
    return _read(CONVENTIONS / f"{name}.yaml")


def _read(path: Path) -> Convention:
    document = read_document(path, FORM)
    refuse_spec(document, FORM, "archcost SPEC shows what a spec costs")
    check_version(document)
    fields = validate(ConventionFields, document.data, document, ())
    return Convention(
        name=fields.name,
        summary=fields.doc,
        source=fields.source,
        roles=fields.params,
        feature_maps=fields.activations,
        counts_input=fields.input,
        counts_bias=fields.bias,
    )
