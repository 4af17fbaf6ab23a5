"""Published laws: a paper's formula beside the networks that it is about, and how to derive it.

A file of laws is a YAML mapping that is read as strictly as a spec, with the same line marks. The
symbols are the law's, so that one name is one symbol in all of its networks.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field, model_validator

from archspec.architecture import Architecture, check_version, read_architecture, refuse_spec
from archspec.document import Path_, YamlDocument, read_document
from archspec.errors import SpecError, did_you_mean
from archspec.expressions import ExpressionError
from archspec.fields import Real, constant, optional, refused, show
from archspec.header import Symbol, Symbols, check_name, check_names
from archspec.validation import STRICT, Line, validate
from archspec.zoo import find_spec

FORM = "a file of laws is a mapping with the keys archspec and laws"

NETWORK_FIELDS = ("let", "input", "blocks", "layers")
"""What a network of a law has of the top level of a spec."""


class LawScenario(BaseModel):
    """The scenario of a published formula: number types, and the training setup."""

    model_config = STRICT

    dtype: str | None = optional(None, "type of weights and activations")
    weights: str | None = optional(None, "type of weights alone")
    activations: str | None = optional(None, "type of activations alone")
    optimizer: str | None = optional(None, "what trains the networks")
    checkpoint: str | None = optional(None, "what is made again in training")
    master: str | None = optional(None, "the copy of narrow weights in training")
    attention: str | None = optional(None, "whether attention is fused or unfused")

    def __str__(self) -> str:
        """``dtype fp16, optimizer adam``: what is said, or nothing."""
        stated = self.model_dump(exclude_none=True)
        return ", ".join(f"{name} {value}" for name, value in stated.items())


class LawFields(BaseModel):
    """One published law."""

    model_config = STRICT

    doc: Line = optional("", "what the law says; nothing where not given")
    source: Line = Field(min_length=1, description="paper, year, equation or table or section")
    convention: str = optional("torch", "what counts")
    scenario: LawScenario = Field(
        default_factory=LawScenario,
        description="types of numbers, and how the networks are trained",
    )
    symbols: Symbols = optional({}, "what the formulas and all networks are about")
    networks: dict[str, Any] = Field(
        min_length=1, description="let, input, blocks and layers of each; or a spec's path"
    )
    derived: str = Field(description="an expression in metrics of the networks, as macs(a)/macs(b)")
    published: Real = Field(description="the paper's formula, in the symbols")
    assume: list[str] = optional([], "what holds of the symbols")
    residual: Real = optional(0, "derived less published")
    because: Line = optional("", "why there is a residual")

    @model_validator(mode="after")
    def _explained(self) -> "LawFields":
        """Check that a formula gives a reason exactly when it states a residual."""
        if self.differs and not self.because:
            raise refused("a residual needs a reason", "write because: …", path=("residual",))
        if self.because and not self.differs:
            raise refused("a reason for no residual", "write residual: …", path=("because",))
        return self

    @property
    def differs(self) -> bool:
        """Return whether a residual is stated."""
        return self.residual != constant(0)


class LawFile(BaseModel):
    """The top level of a file of laws."""

    model_config = STRICT

    archspec: Literal[1] = Field(description="version of the language")
    laws: dict[str, LawFields] = Field(min_length=1, description="the laws, by name")


class Law(NamedTuple):
    """A published law whose networks are read.

    Attributes:
        name: its name in the file.
        fields: what is written of it.
        symbols: the law's own, then those of specs among its networks.
        networks: name → network; all know all symbols.
        document: the text's data and origins.
    """

    name: str
    fields: LawFields
    symbols: Mapping[str, Symbol]
    networks: Mapping[str, Architecture]
    document: YamlDocument

    def written(self, field: str) -> str:
        """A field as its author wrote it."""
        return show(self.document.data["laws"][self.name].get(field, 0))

    def place(self, *field: str) -> AbstractContextManager[None]:
        """Give errors the place of a field (see `placing`)."""
        return placing(self.document, ("laws", self.name, *field))


def read_laws(path: str | Path) -> tuple[Law, ...]:
    """The laws of a file, in its order.

    Raises:
        SpecError: the file, a law or one of its networks breaks a rule.
    """
    document = read_document(path, FORM)
    refuse_spec(document, FORM, "archcost check SPEC proves the numbers that a spec expects")
    check_version(document)
    file = validate(LawFile, document.data, document, ())
    return tuple(_read(name, fields, document) for name, fields in file.laws.items())


def _read(name: str, fields: LawFields, document: YamlDocument) -> Law:
    path = ("laws", name)
    networks = {}
    for network, body in fields.networks.items():
        place = (*path, "networks", network)
        check_name(network, {}, document.key_origin(place), f"laws.{name}.networks")
        with placing(document, place):
            networks[network] = _network(network, body, document, path)
    symbols = _shared(fields.symbols, networks, document, path)
    return Law(name, fields, symbols, _knowing(symbols, networks, document, path), document)


def _network(name: str, body: Any, document: YamlDocument, path: Path_) -> Architecture:
    """A network that is written in the law, or lies beside its file as a spec."""
    if isinstance(body, str):
        file, variant = find_spec(str(Path(document.file).parent / body))
        return read_architecture(read_document(file), variant)
    place = (*path, "networks", name)
    if not isinstance(body, dict):
        raise SpecError(f"{show(body)} is no network", hint="write input and layers, or a path")
    for key in body:
        if key not in NETWORK_FIELDS:
            symbols = "symbols are the law's; write them beside networks"
            hint = symbols if key == "symbols" else did_you_mean(key, NETWORK_FIELDS)
            raise document.key_error((*place, key), f"unknown field '{key}'", hint=hint)
    symbols = document.data["laws"][path[-1]].get("symbols", {})
    head = {"archspec": 1, "name": name, "symbols": symbols}
    own = document.moved(place, (), head | body)
    shared = document.moved((*path, "symbols"), ("symbols",), {})
    keys, values = shared.keys | own.keys, shared.values | own.values
    return read_architecture(own._replace(keys=keys, values=values))


def _shared(
    declared: Symbols, networks: Mapping[str, Architecture], document: YamlDocument, path: Path_
) -> Symbols:
    """All symbols; where a spec has a name too, its rules must be the same."""
    symbols = dict(declared)
    for network, architecture in networks.items():
        for name, symbol in architecture.header.symbols.items():
            known = symbols.setdefault(name, symbol)
            free = {"default": known.default, "doc": known.doc}
            if symbol.model_copy(update=free) != known:
                cause = f"its symbol '{name}' has other rules than the law's symbol of that name"
                place = (*path, "networks", network)
                raise document.error(place, cause, entry=".".join(map(str, place)))
    return symbols


def _knowing(
    symbols: Symbols, networks: Mapping[str, Architecture], document: YamlDocument, path: Path_
) -> dict[str, Architecture]:
    """The networks, each with all symbols, whether it uses them or not."""
    found = {}
    for name, architecture in networks.items():
        header = architecture.header.model_copy(update={"symbols": symbols})
        with placing(document, (*path, "networks", name)):
            check_names(header, architecture.document)
        found[name] = architecture._replace(header=header)
    return found


@contextmanager
def placing(document: YamlDocument, path: Path_) -> Iterator[None]:
    """Give an error the place of a field, and its entry the field's name.

    What has a place already, inside a network, keeps it.
    """
    entry, origin = ".".join(map(str, path)), document.origin(path)
    try:
        yield
    except ExpressionError as error:
        at = origin.shifted(error.position)
        raise SpecError(error.cause, hint=error.hint, origin=at, entry=entry) from None
    except SpecError as error:
        inner = f"{entry}.{error.entry}" if error.entry else entry
        at = error.origin or origin
        raise SpecError(error.cause, hint=error.hint, origin=at, entry=inner) from None
    except ValueError as error:  # of an algebra that knows no places
        raise SpecError(str(error), origin=origin, entry=entry) from None
