"""Hardware profiles: what a device can do, each figure with its source.

A profile is a YAML mapping that is read as strictly as a spec, with the same line marks. It stands
alone: nothing is taken from another profile, and nothing that is not written is guessed.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field

from archspec.architecture import check_version, refuse_spec
from archspec.document import Path_, YamlDocument, read_document
from archspec.errors import SpecError, find_named
from archspec.fields import optional
from archspec.header import check_name
from archspec.precision import TYPES
from archspec.quantities import Bandwidth, Capacity, Energy, Frequency, OperationsPerSecond, Power
from archspec.validation import STRICT, Line, validate

FORM = "a hardware profile is a mapping with the keys archspec, name and what the device has"

Kind = Literal["register", "sram", "hbm", "dram", "flash"]
"""Of a memory, from the nearest to the furthest. Flash holds weights and is not written."""


class Figure(BaseModel):
    """A published number."""

    model_config = STRICT

    value: Any
    source: Line = Field(min_length=1, description="the document; where derived, how")
    read: Literal["vendor", "second-hand"] = Field(
        description="vendor: in a document of the vendor's; second-hand: in another's, or derived"
    )


class RateFigure(Figure):
    """A dense peak, in operations per second."""

    value: OperationsPerSecond


class CapacityFigure(Figure):
    """A size of a memory, in bytes."""

    value: Capacity


class BandwidthFigure(Figure):
    """The read bandwidth of a memory, in bytes per second."""

    value: Bandwidth


class EnergyFigure(Figure):
    """The energy of one operation, in joules."""

    value: Energy


class PowerFigure(Figure):
    """The most that is drawn, in watts."""

    value: Power


class FrequencyFigure(Figure):
    """A clock, in hertz."""

    value: Frequency


class AccessFigure(EnergyFigure):
    """The energy of one access to a memory, in joules."""

    kind: Kind = Field(description="of the memory")
    bits: int = Field(gt=0, description="how many one access moves")
    capacity: Capacity | None = optional(None, "of the memory, where the energy depends on it")


class MemoryLevel(BaseModel):
    """A level of memory.

    Units: bytes, and bytes per second.
    """

    model_config = STRICT

    kind: Kind = Field(description="register, sram, hbm, dram or flash")
    capacity: CapacityFigure = Field(description="what it holds")
    bandwidth: BandwidthFigure | None = optional(None, "how fast it is read")

    @property
    def writable(self) -> bool:
        """Return whether activations may be stored in this memory."""
        return self.kind != "flash"


class EnergyTable(BaseModel):
    """The energy figures of operations and memory accesses."""

    model_config = STRICT

    add: dict[str, EnergyFigure] = optional({}, "type → one addition")
    multiply: dict[str, EnergyFigure] = optional({}, "type → one multiplication")
    access: dict[str, AccessFigure] = optional(
        {}, "name → one access; of a kind, from small to large"
    )


class ProfileFields(BaseModel):
    """The top level of a profile."""

    model_config = STRICT

    archspec: Literal[1] = Field(description="version of the language")
    name: Line = Field(min_length=1, description="the device's name, in full")
    doc: Line = optional("", "what else is to be known of its figures")
    operations: dict[str, RateFigure] = optional(
        {}, "type → dense peak; a multiply-accumulate is 2 operations"
    )
    memory: dict[str, MemoryLevel] = optional({}, "name → level, from the nearest to the furthest")
    energy: EnergyTable | None = optional(None, "what each thing takes")
    power: PowerFigure | None = optional(None, "the most that it draws")
    clock: FrequencyFigure | None = optional(None, "at which the peaks hold")


class Profile(NamedTuple):
    """A device whose figures are read.

    Attributes:
        key: what it is called on the command line: its file's name.
        fields: its figures.
    """

    key: str
    fields: ProfileFields

    @property
    def figures(self) -> Iterator[tuple[str, Figure]]:
        """Every figure with its place, as ``memory.hbm.capacity``, in the order of the form."""
        return _figures(self.fields, "")


def _figures(value: Any, place: str) -> Iterator[tuple[str, Figure]]:
    if isinstance(value, Figure):
        yield place, value
    elif isinstance(value, dict | BaseModel):
        for name, part in value.items() if isinstance(value, dict) else value:
            yield from _figures(part, f"{place}.{name}" if place else name)


def read_profile(path: str | Path) -> Profile:
    """The profile of a file.

    Raises:
        SpecError: it breaks a rule of YAML or of the form.
    """
    document = read_document(path, FORM)
    refuse_spec(document, FORM, "archcost SPEC shows what a spec costs")
    check_version(document)
    fields = validate(ProfileFields, document.data, document, ())
    _check_types(fields, document)
    _check_memory(fields, document)
    if not (fields.operations or fields.memory or fields.energy):
        hint = "write operations, memory or energy"
        raise document.error((), "a profile without figures", hint=hint)
    return Profile(Path(path).stem, fields)


def _check_types(fields: ProfileFields, document: YamlDocument) -> None:
    """Check that every figure is of a known type of numbers."""
    energy = fields.energy or EnergyTable()
    typed: dict[Path_, dict[str, Any]] = {
        ("operations",): fields.operations,
        ("energy", "add"): energy.add,
        ("energy", "multiply"): energy.multiply,
    }
    for path, figures in typed.items():
        for name in figures:
            try:
                find_named("type", name, TYPES)
            except SpecError as error:
                origin = document.key_origin((*path, name))
                raise error.placed(origin, ".".join(map(str, path))) from None


def _check_memory(fields: ProfileFields, document: YamlDocument) -> None:
    """Check that each writable level of memory holds no less than the one before it.

    Flash stands where it likes: it holds weights, whatever the memories beside it hold.
    """
    for name in fields.memory:
        check_name(name, {}, document.key_origin(("memory", name)), "memory")
    written = ((name, level) for name, level in fields.memory.items() if level.writable)
    for (near, small), (far, large) in pairwise(written):
        if small.capacity.value > large.capacity.value:
            cause = f"'{far}' holds less than '{near}', which stands before it"
            hint = "write the levels from the nearest and smallest to the furthest and largest"
            raise document.key_error(("memory", far), cause, hint=hint, entry="memory")
