"""Values that ``let`` names take at each point, read from texts in the form of the spec's own."""

from collections.abc import Iterable
from typing import Any

from archspec.errors import SpecError
from archspec.expansion import resolved_value
from archspec.expressions import ExpressionError, parse
from archspec.fields import as_named, shortened
from archspec.header import Header, Symbol, read_value
from archspec.scope import Scope
from archspec.sorts import is_condition
from archspec.trees import Items, Name, Number
from archspec.trees import Value as Resolved
from costmodel.sweep.vary import Value, Varied, show_value, split


def override_of(value: Value) -> Any:
    """Return a value as a spec would have it under ``let``.

    Raises:
        SpecError: it has no such form.
        ExpressionError: an item of a list is no expression.
    """
    return _read(value) if isinstance(value, str) else read_value(value)


def opened(header: Header, varied: Iterable[Varied]) -> Header:
    """Return a header whose lists have a symbol in place of every choice that varies.

    A number that is linked, as ``channels=64*1.35**phi``, is a symbol in place of a ``let`` name.

    Raises:
        SpecError: such a symbol has the name of another, or a list has another form than its own.
    """
    asked = tuple(varied)
    for one in asked:
        if one.name not in header.let:
            continue
        if one.link is not None:
            header = _linked(one.name, header)
        if not one.pattern:
            continue
        symbols = {each.name: _declared(each.values) for each in asked if each.of == one.name}
        for name in symbols:
            if name in header.symbols or name in header.let:
                cause = f"--vary {one.name}: the spec has a '{name}', the name of a choice here"
                raise SpecError(cause, hint="give that another name in the spec")
        header = header.model_copy(update={"symbols": {**header.symbols, **symbols}})
        check_override(one.name, one.pattern, header)
        let = {**header.let, one.name: override_of(one.pattern)}
        header = header.model_copy(update={"let": let})
    return header


def _linked(name: str, header: Header) -> Header:
    """Return a header in which a name is a symbol, if it stands for a number."""
    own = resolved_value(header.let[name], _before(name, header))
    if isinstance(own, Items) or _kind(own) != "number":
        return header
    value = own.value if isinstance(own, Number) else 1
    symbol = Symbol(default=max(value, 0) or 1, domain="real")
    let = {each: given for each, given in header.let.items() if each != name}
    return header.model_copy(update={"symbols": {**header.symbols, name: symbol}, "let": let})


def _declared(values: Iterable[Value]) -> Symbol:
    """Return the symbol of some numbers, which it has the first of where nothing varies."""
    numbers = [value for value in values if not isinstance(value, str)]
    whole = all(number.denominator == 1 for number in numbers)
    return Symbol(default=numbers[0], domain="integer" if whole else "real")


def _read(text: str) -> Any:
    if not text.startswith("["):
        return as_named(parse(text))
    if not text.endswith("]"):
        raise SpecError(f"'{shortened(text)}' is not closed", hint="as in [2, 2, 2, 2]")
    items = list(split(text[1:-1], ","))
    if not all(items):
        raise SpecError(f"in {shortened(text)} an item is missing", hint="as in [2, 2, 2, 2]")
    return [_read(item) for item in items]


def check_override(name: str, value: Value, header: Header) -> None:
    """Make sure that a name can stand for a value.

    Raises:
        SpecError: it has another form than what the name stands for in the spec, or no value.
    """
    try:
        scope = _before(name, header)
        found, own = (resolved_value(v, scope) for v in (override_of(value), header.let[name]))
    except (ExpressionError, SpecError) as error:
        within = f"in {shortened(str(value))}: " if isinstance(error, ExpressionError) else ""
        raise SpecError(f"--vary {name}: {within}{error.cause}", hint=error.hint) from None
    if not _fits(found, own):
        shown = value if isinstance(value, str) else show_value(value)
        raise SpecError(
            f"--vary {name}: {shortened(shown)} is {_form(found)}",
            hint=f"in the spec '{name}' is {_form(own)}",
        )


def _before(name: str, header: Header) -> Scope:
    """Return the symbols, and the ``let`` names before one."""
    names: dict[str, Resolved] = {symbol: Name(symbol) for symbol in header.symbols}
    scope = Scope(names)
    for each, value in header.let.items():
        if each == name:
            return scope
        names[each] = resolved_value(value, scope)
    return scope


def _fits(found: Resolved, own: Resolved) -> bool:
    """Return whether a value has the form of another; items, that of an item."""
    if isinstance(found, Items) and isinstance(own, Items):
        return all(any(_fits(item, each) for each in own.values) for item in found.values)
    return _kind(found) == _kind(own)


def _form(value: Resolved) -> str:
    if not isinstance(value, Items):
        return f"a {_kind(value)}"
    of = {_form(item).removeprefix("a ") for item in value.values}
    return f"a list of {' and '.join(sorted(_plural(each) for each in of))}"


def _plural(form: str) -> str:
    """Return ``lists of numbers`` for ``list of numbers``."""
    return form.replace("list", "lists", 1) if form.startswith("list") else f"{form}s"


def _kind(value: Resolved) -> str:
    if isinstance(value, Items):
        return "list"
    return "truth value" if is_condition(value) else "number"
