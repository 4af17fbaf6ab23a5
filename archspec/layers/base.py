"""The class that every kind derives from, and the register of kinds."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, create_model, model_validator
from pydantic_core import CoreSchema

from archspec.errors import SpecError, nearest
from archspec.expressions import ExpressionError, inside
from archspec.extensions import load_extensions
from archspec.fields import Condition, Expression, Read, ShapeOf, refused
from archspec.layers.names import OF_KINDS, OF_TORCH, Declared
from archspec.scope import Scope, UnknownNameError, checked_size, free_names, resolve, single
from archspec.sorts import is_condition, require_number
from archspec.trees import Call, Items, Number, Truth, Value

_ENTERING = (
    *("in_channels", "in_features", "num_features", "num_channels", "in_planes", "input_channels"),
    *("input_size", "input_dim", "in_dim", "input_shape", "normalized_shape"),
    *("embed_dim", "d_model", "in1_features", "in2_features", "kdim", "vdim"),
)
"""Sizes of a layer's input, as other libraries call them; here they follow from the input."""


class Layer(BaseModel):
    """One kind of layer: its fields are what a spec may write.

    Attributes:
        kind: the kind's name; of several names the first.
        words: field → the words it takes beside expressions.
        takes: how many tensors enter, at least and at most; None for any number.
        example: fields that make a valid layer, for the reference and for the tests.
        rank: how many items each of its lists has, one per spatial axis; None for any number.
        either: fields of which exactly one must stand there; none for no such rule.
        aliases: another name of a field, as PyTorch has it, with the same meaning → the field.
        elsewhere: what other libraries call a field, for hints only → the field here.
        advice: a name that is no field → the hint that tells what to write.
        formula: the function of an element where the docstring does not begin with it.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, defer_build=True, use_attribute_docstrings=False
    )

    kind: ClassVar[str] = ""
    words: ClassVar[dict[str, tuple[str, ...]]] = {}
    takes: ClassVar[tuple[int, int | None]] = (1, 1)
    example: ClassVar[dict[str, object]] = {}
    rank: ClassVar[int | None] = None
    either: ClassVar[tuple[str, ...]] = ()
    aliases: ClassVar[Mapping[str, str]] = {}
    elsewhere: ClassVar[Mapping[str, str]] = {}
    formula: ClassVar[str] = ""
    advice: ClassVar[Mapping[str, str]] = {
        **{name: f"{name} is worked out from what enters; leave it out" for name in _ENTERING},
        "inplace": "leave inplace out; which layers work in place is said by the convention",
        "device": "leave device out; --hardware names a device",
        "dtype": "write precision beside the kind, as precision: fp16",
    }

    @classmethod
    def hint_for(cls, name: str, value: object = None) -> str | None:  # noqa: ARG003
        """Return what to write instead of a name that is no field, or None where that is unknown.

        Args:
            name: a key that stands among the fields.
            value: its value.
        """
        if name in cls.model_fields:
            return None
        if name in cls.elsewhere:
            return f"write {cls.elsewhere[name]}"
        parents = (parent for parent in cls.__mro__ if issubclass(parent, Layer))
        return next((each.advice[name] for each in parents if name in each.advice), None)

    @model_validator(mode="after")
    def _of_one_form(self) -> Self:
        """Its lists are of its rank, and one of `either` is given."""
        for name in self.model_fields_set if self.rank else ():
            given = getattr(self, name)
            if type(given) is tuple and len(given) != self.rank:
                cause = f"{name} has {len(given)} values for {self.rank} axes"
                hint = f"write one number, or a list of {self.rank}"
                raise refused(cause, hint, path=(name,))
        given = [name for name in self.either if getattr(self, name) is not None]
        if self.either and len(given) != 1:
            raise refused(f"takes {' or '.join(self.either)}, one of them")
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The same rules, as JSON Schema."""
        found = handler(core)
        schema = handler.resolve_ref_schema(found)
        _with_aliases(schema, cls.aliases)
        if cls.rank:
            fields = schema["properties"].items()
            schema["properties"] = {name: _of_rank(field, cls.rank) for name, field in fields}
        if cls.either:
            given = {"not": {"type": "null"}}
            schema["oneOf"] = [{"required": [n], "properties": {n: given}} for n in cls.either]
        return found

    @property
    def entering(self) -> tuple[int, int | None]:
        """The least and the largest number of tensors that enter it with these fields."""
        return self.takes

    @property
    def outputs(self) -> int:
        """The number of output tensors; known once the layer is resolved.

        Raises:
            FieldError: a field that says it is no known integer.
        """
        return 1

    @classmethod
    def has_numbered_outputs(cls, fields: Mapping[str, object]) -> bool:  # noqa: ARG003
        """Return whether what leaves is named by numbers, as ``name.0``.

        Args:
            fields: the fields that are written.
        """
        return cls.outputs is not Layer.outputs

    def resolved(self, scope: Scope) -> Self:
        """This layer with every expression resolved in ``scope``, and every flag decided.

        Raises:
            FieldError: fields have no value.
        """
        changed: dict[str, object] = {}
        wrong: list[FieldError] = []
        for name in sorted(self.model_fields_set, key=list(type(self).model_fields).index):
            try:
                changed[name] = self._resolved_field(name, scope)
            except UnknownNameError as error:
                words = () if error.path else self.words.get(name, ())
                known = [*error.known, *words]
                wrong.append(FieldError(name, UnknownNameError(error.name, known).at(error.path)))
            except ExpressionError as error:
                wrong.append(FieldError(name, error))
        if wrong:
            wrong[0].others = tuple(wrong[1:])
            raise wrong[0]
        return self.model_copy(update=changed)

    def _resolved_field(self, name: str, scope: Scope) -> object:
        value = getattr(self, name)
        metadata = type(self).model_fields[name].metadata
        lists = next((item.lists for item in metadata if isinstance(item, Read)), "never")
        if lists == "always" and len(value) == 1:
            only = resolve_field(value[0], scope, takes_list=True)
            return (only,) if isinstance(only, Expression) else only
        return resolve_field(value, scope, takes_list=lists == "too")


def _of_rank(field: dict[str, Any], rank: int) -> dict[str, Any]:
    """The JSON Schema of a field whose lists have so many items."""
    if field.get("type") == "array":
        return field | {"minItems": rank, "maxItems": rank}
    if "anyOf" in field:
        return field | {"anyOf": [_of_rank(way, rank) for way in field["anyOf"]]}
    return field


def _with_aliases(schema: dict[str, Any], aliases: Mapping[str, str]) -> None:
    """Let the JSON Schema of a kind take a field by either of its names, but not by both."""
    for alias, field in aliases.items():
        schema["properties"][alias] = schema["properties"][field]
        both = [{"required": [alias]}, {"required": [field]}]
        if field in schema.get("required", ()):
            schema["required"] = [name for name in schema["required"] if name != field]
            schema.setdefault("allOf", []).append({"oneOf": both})
        else:
            schema.setdefault("allOf", []).append({"not": {"required": [alias, field]}})


class FieldError(SpecError):
    """A field without a value; ``position`` is the place in its text."""

    def __init__(self, field: str, error: ExpressionError) -> None:
        super().__init__(error.cause, hint=error.hint, subject=error.subject)
        self.field = field
        self.position = error.position
        self.path = error.path


def known_integer(field: str, value: Expression) -> int:
    """A resolved field that must be a positive integer before any size is known.

    Raises:
        FieldError: it is not.
    """
    size = value.tree.value if isinstance(value.tree, Number) else 0
    if size > 0 and size.denominator == 1:
        return int(size)
    raise FieldError(field, ExpressionError(f"{field} must be a known positive integer"))


def resolve_field(value: object, scope: Scope, takes_list: bool = False) -> object:
    """A field's value with what it contains of expressions and conditions resolved."""
    if isinstance(value, Condition):
        return Condition(decided(resolve(value.tree, scope)))
    if isinstance(value, Expression):
        resolved = checked_size(resolve(value.tree, scope))
        if takes_list and isinstance(resolved, Items):
            return tuple(map(as_expression, resolved.values))
        return as_expression(resolved)
    if isinstance(value, ShapeOf):
        return ShapeOf(resolve(Call("shape", (value.tree,)), scope))  # type: ignore[arg-type]
    if isinstance(value, tuple):
        return tuple(inside(i, resolve_field, item, scope) for i, item in enumerate(value))
    if isinstance(value, Mapping):
        return {name: inside(name, resolve_field, item, scope) for name, item in value.items()}
    return value


def decided(value: Value) -> Truth:
    """A condition's truth.

    Raises:
        ExpressionError: it is none, or it depends on a symbol or on a size.
    """
    if isinstance(value, Truth):
        return value
    names = ", ".join(sorted(free_names(value)))
    if names:
        raise ExpressionError(
            f"undecidable while {names} is free", hint="fix it with --set, or put it under let"
        )
    if is_condition(value):
        raise ExpressionError("undecidable: it depends on a size, which comes after the structure")
    raise ExpressionError("this is no condition; write a comparison, true or false")


def as_expression(value: Value) -> Expression:
    """A resolved value as a field holds it that takes a number.

    Raises:
        ExpressionError: it is a list, or a truth value.
    """
    return Expression(require_number(single(value)))


class Torch(NamedTuple):
    """A class of ``torch.nn`` whose name may stand for a kind, in a spec of its own spelling.

    Attributes:
        name: the class.
        axes: the fewest and the most axes of what enters it; None where the kind says that itself.
        given: fields that must be written, since their defaults are others in PyTorch.
    """

    name: str
    axes: tuple[int, int] | None = None
    given: tuple[str, ...] = ()

    def fits(self, axes: int) -> bool:
        """Return whether an input of so many axes may enter it.

        Args:
            axes: how many.
        """
        return self.axes is None or self.axes[0] <= axes <= self.axes[1]


class Alias(NamedTuple):
    """PyTorch's name of a kind, and the kind.

    Attributes:
        torch: PyTorch's class.
        kind: the kind's name.
    """

    torch: Torch
    kind: str

    @property
    def layer(self) -> type[Layer]:
        """The kind's class."""
        return KINDS[self.kind]


KINDS: Declared[type[Layer]] = Declared(OF_KINDS)
"""Every registered name of a kind → its class."""

ALIASES: Declared[Alias] = Declared(OF_TORCH)
"""PyTorch's name of a kind, as PyTorch writes it and in small letters → what it stands for."""

ELSEWHERE: dict[str, str] = {}
"""Another library's name of a kind, in small letters and without ``_`` → the kind, for hints."""

_L = TypeVar("_L", bound=Layer)


def kind(
    *names: str, torch: tuple[Torch | str, ...] | str = (), elsewhere: tuple[str, ...] = ()
) -> Callable[[type[_L]], type[_L]]:
    """Register a class under its names, the usual one first.

    Args:
        names: the kind's own names.
        torch: the classes of ``torch.nn`` that mean the same; their names may be written, too.
        elsewhere: what other libraries call it; a spec that writes this gets a hint.

    Raises:
        ValueError: a name is taken.
    """

    def register(layer: type[_L]) -> type[_L]:
        for name in names:
            taken = KINDS.get(name) or (ALIASES[name].layer if name in ALIASES else None)
            if taken:
                raise ValueError(f"kind '{name}' is registered twice, by {taken.__name__}")
            KINDS[name] = layer
        _name_elsewhere(names[0], (torch,) if isinstance(torch, str) else torch, elsewhere)
        layer.kind = names[0]
        return layer

    return register


def _name_elsewhere(name: str, torch: Iterable[Torch | str], elsewhere: Iterable[str]) -> None:
    """Register what PyTorch and other libraries call a kind."""
    for each in torch:
        known = Torch(each) if isinstance(each, str) else each
        for written in dict.fromkeys((known.name, known.name.lower())):
            if written not in KINDS:
                ALIASES[written] = Alias(known, name)
    ELSEWHERE.update({_plainly(each): name for each in elsewhere})


def _derive(name: str, base: type[Layer], title: str, doc: str, rank: int | None = None) -> None:
    """Register a kind that has the fields of a class; its own class is made when it is needed."""

    def made() -> type[Layer]:
        derived = create_model(title, __base__=base, __doc__=doc, __module__=base.__module__)
        derived.kind, derived.rank = name, rank
        return derived

    KINDS.declare(name, made)


def kinds_per_axes(
    stem: str, *docs: str, elsewhere: Mapping[int, tuple[str, ...]] = MappingProxyType({})
) -> Callable[[type[_L]], type[_L]]:
    """Register kinds for one, two and three spatial axes, derived from a class: conv1d, conv2d, ….

    The class's name and the number of axes are the name in PyTorch, too: ``Conv2d``.

    Args:
        stem: the kinds' names before the number of axes.
        docs: the docstring of each, without the source.
        elsewhere: number of axes → what other libraries call the kind.
    """

    def register(base: type[_L]) -> type[_L]:
        for rank, doc in enumerate(docs, 1):
            name, title = f"{stem}{rank}d", f"{base.__name__}{rank}d"
            _derive(name, base, title, f"{doc}\n\nSource: ``torch.nn.{title}``.", rank)
            _name_elsewhere(name, (title,), elsewhere.get(rank, ()))
        return base

    return register


def kinds_of(base: type[Layer], table: Mapping[str, str]) -> None:
    """Register kinds that have the fields of a class and differ in nothing but what they compute.

    The name of each is that of PyTorch's function, too.

    Args:
        base: the class.
        table: the kind's name → its formula, the first sentence of its docstring.
    """
    for name, formula in table.items():
        doc = f"{formula} Source: ``torch.{name}``."
        _derive(name, base, name.title().replace("_", ""), doc)


def _plainly(name: str) -> str:
    return name.lower().replace("_", "")


def find_kind(name: str) -> type[Layer]:
    """The class of a kind, ours or one that an installed distribution adds.

    Raises:
        SpecError: there is no such kind.
    """
    failed = [] if name in KINDS else list(load_kinds())
    if name not in KINDS:
        hint = kind_hint(name, KINDS)
        raise SpecError(f"unknown kind '{name}'", hint="; ".join([*filter(None, [hint]), *failed]))
    return KINDS[name]


def find_alias(name: str) -> Alias | None:
    """Return what a name of PyTorch's stands for, or None where it is none, or a kind of ours."""
    return None if name in KINDS else ALIASES.get(name)


def kind_hint(name: str, known: Iterable[str]) -> str | None:
    """Return what to write instead of a name that is no kind, or None where nothing is near.

    Args:
        name: the name.
        known: the names that may stand there.
    """
    plain = _plainly(name)
    for _ in KINDS.values():  # each says what it is called elsewhere when it is imported
        pass
    if plain in ELSEWHERE:
        return f"'{name}' is another library's name; here it is '{ELSEWHERE[plain]}'"
    near = nearest(name, known)
    return _no_kinds().get(plain) or (f"did you mean '{near}'?" if near else None)


@cache
def _no_kinds() -> dict[str, str]:
    """The names that are no kind, small and without ``_``, with what to write instead."""
    from yaml import safe_load

    text = Path(__file__).with_name("no_kinds.yaml").read_text(encoding="utf-8")
    return dict(safe_load(text))


def load_kinds() -> Iterator[str]:
    """Import the kinds of other distributions; yield a sentence for each that fails."""
    return load_extensions("kinds")
