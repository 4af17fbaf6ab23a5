"""Types of numbers, and what a spec says of the types of a layer's weights and activations."""

from functools import reduce
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, WithJsonSchema

from archspec.document import YamlDocument
from archspec.errors import SpecError, did_you_mean, find_named
from archspec.fields import Read, Shorthand, form, optional, refused, show
from archspec.layers import KINDS, find_kind
from archspec.validation import STRICT

TYPES = {
    "fp64": 64,
    "fp32": 32,
    "tf32": 32,
    "bf16": 16,
    "fp16": 16,
    "fp8": 8,
    "fp6": 6,
    "fp4": 4,
    "int64": 64,
    "int32": 32,
    "int16": 16,
    "int8": 8,
    "int4": 4,
    "int1": 1,
}
"""Type of a number → the bits of one in memory (a tf32 is an fp32 whose product is rounded)."""

SYNONYMS = {
    "double": "fp64",
    "float": "fp32",
    "single": "fp32",
    "half": "fp16",
    "bfloat16": "bf16",
    **{f"float{bits}": f"fp{bits}" for bits in (64, 32, 16, 8, 6, 4)},
}
"""PyTorch's and NumPy's names of types, taken on the command line and in Python → ours."""


def find_type(name: str) -> str:
    """The type of a name, whatever its case, or of a synonym.

    Raises:
        SpecError: there is none.
    """
    plain = name.lower()
    plain = SYNONYMS.get(plain, plain)
    find_named("type", plain, TYPES)
    return plain


def _type(value: Any) -> str:
    """The name of a type of numbers."""
    if isinstance(value, str) and value in TYPES:
        return value
    raise refused(f"{show(value)} is no type of numbers", did_you_mean(str(value), TYPES))


ONE_TYPE = form("type")
"""A type's name, as JSON Schema."""

Type = Annotated[str | None, Read(_type, ONE_TYPE)]


class Precision(BaseModel):
    """The types of a layer's numbers, as far as they are said.

    Units: none; the bits of a number follow from its type.
    """

    model_config = STRICT

    weights: Type = optional(None, "of its learnable tensors; fp32 if never said")
    activations: Type = optional(
        None,
        "of the feature maps that it makes; if never said, what works in place or is a "
        "view has the type of its input, other layers fp32",
    )
    accumulators: Type = optional(
        None,
        "in which its products are summed; if never said, int32 for integers, fp32 for "
        "floating point of up to 32 bits",
    )
    cache: Type = optional(
        None, "of the keys and values that an attention keeps; as activations if never said"
    )

    def over(self, other: "Precision") -> "Precision":
        """Return these types, completed from another statement where this one is silent."""
        if self == UNSAID:
            return other
        stated = {name: getattr(self, name) for name in Precision.model_fields}
        update = {name: dtype for name, dtype in stated.items() if dtype is not None}
        return other.model_copy(update=update)


UNSAID = Precision.model_construct()  # builds no validator
"""Nothing is said."""


def of_one_type(value: Any) -> Any:
    """``int8`` as ``{weights: int8, activations: int8}``."""
    return {"weights": value, "activations": value} if isinstance(value, str) else value


PrecisionField = Annotated[Precision, BeforeValidator(of_one_type), Shorthand(ONE_TYPE)]
"""A type alone is that of weights and activations."""


Kind = Annotated[str, WithJsonSchema(form("kind"))]
"""The name of a kind; `known_kinds` makes sure that there is one."""


class NetworkPrecision(Precision):
    """The types of a whole network's numbers, and of those of some kinds."""

    kinds: dict[Kind, PrecisionField] = optional({}, "kind → the types of all layers of that kind")

    def of_kind(self, kind: str) -> Precision:
        """Return the types stated for a kind."""
        return self.kinds.get(kind, UNSAID)

    @property
    def of_all(self) -> Precision:
        """The types stated for every layer."""
        return self.over(UNSAID)


def innermost(*stated: Precision) -> Precision:
    """Combine the types stated at several places; for each type the nearest statement wins."""
    return reduce(lambda near, far: near.over(far), stated)


def known_kinds(precision: NetworkPrecision, document: YamlDocument) -> NetworkPrecision:
    """Return the same precision with every kind under its usual name.

    Raises:
        SpecError: there is no such kind.
    """
    kinds: dict[str, Precision] = {}
    for name, stated in precision.kinds.items():
        try:
            kinds[find_kind(name).kind] = stated
        except SpecError as error:
            hint = did_you_mean(name, KINDS)
            place = ("precision", "kinds", name)
            raise document.key_error(place, error.cause, hint=hint, entry="precision") from None
    return precision.model_copy(update={"kinds": kinds})
