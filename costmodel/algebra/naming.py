"""Names for what the terms of laws share, and for the spec's own values in them.

``where r2 = ceil(h/2)*ceil(w/2)``: the definitions are plain assignments of Python, in an order in
which each uses only those before it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from keyword import iskeyword
from typing import NamedTuple

from sympy import Expr, Mul

from costmodel.algebra.functions import (
    Extremum,
    FloorDiv,
    Maximum,
    Operation,
    Quantity,
    Quotient,
    RoundTo,
    is_whole,
    operations_in,
    parts_of,
)
from costmodel.algebra.printing import PythonText, prepared
from costmodel.algebra.work import afforded

MIN_SAVING = 10
"""The fewest characters by which a name makes a law shorter."""

SHORT = 3
"""The usual length of a name."""

PARTS_OF_STEP = 20
"""The number of parts of a closed form that one step of the work budget pays for."""

AROUND = len(" = ")
"""The characters of a definition between its two sides."""


class Naming(NamedTuple):
    """The names that stand for expressions in printed laws."""

    names: Mapping[Expr, str]  # those first that others are made of
    own: Mapping[Expr, str]  # those of them that are the spec's own
    is_whole: bool = True  # what the laws share was looked for, not only the spec's own names

    def definitions(self, printer: type[PythonText] = PythonText) -> Iterator[tuple[str, str]]:
        """Return the names with what they stand for, each by those before it."""
        known: dict[Expr, str] = {}
        for expression, name in self.names.items():
            show = printer(known)
            yield show.symbol(name), show.show(expression)[0]
            known = {**known, expression: name}


def naming(
    forms: Sequence[Expr],
    given: Mapping[str, Expr],
    taken: Iterable[str],
    beside: Iterable[Expr] = (),
) -> Naming:
    """Return names for what several terms of a law share.

    Args:
        forms: what is shown together.
        given: the spec's own names with what they stand for; they are kept wherever that stands.
        taken: names that stand for something else.
        beside: laws in which the spec's own names are kept, too.
    """
    shown = [prepared(form) for form in forms]
    own = dict(_own([*shown, *map(prepared, beside)], given)) if given else {}
    several = _worthwhile(shown, _products)
    steps = sum(map(parts_of, shown)) // PARTS_OF_STEP
    if not afforded(len(several) ** 2 + steps * (1 + len(own) + len(several))):
        return Naming(_in_order(own), own, is_whole=False)
    factors = {product: frozenset(product.args) for product in several if product.is_Mul}
    # of those that hold another, that gets its name before them
    products = {p for p in several if not any(f < factors.get(p, set()) for f in factors.values())}
    covered = frozenset(own) | products
    others = _worthwhile(shown, lambda form: _operations(form, covered))
    shared = sorted({*products, *others} - own.keys(), key=_first_shown)
    return Naming(_in_order({**own, **dict(_named(shared, {*taken, *given}))}), own)


def _first_shown(expression: Expr) -> tuple[int, str]:
    """Return the key by which names are given."""
    return expression.count_ops(), PythonText().show(expression)[0]


def _in_order(names: Mapping[Expr, str]) -> dict[Expr, str]:
    """Return the names, each after those that its expression contains, c2 before c16."""
    levels: dict[Expr, int] = {}
    for expression in sorted(names, key=_first_shown):
        inside = (level for part, level in levels.items() if expression.has(part))
        levels[expression] = 1 + max(inside, default=0)

    def place(expression: Expr) -> tuple[int, str, int, str]:
        name = names[expression]
        word = name.rstrip("0123456789")
        return levels[expression], word, int(name[len(word) :] or 0), name

    return {expression: names[expression] for expression in sorted(names, key=place)}


def _own(forms: Iterable[Expr], given: Mapping[str, Expr]) -> Iterator[tuple[Expr, str]]:
    """Yield the values of the spec's own names that stand in a law; of equal ones the first."""
    met = frozenset[Expr]().union(*map(operations_in, forms))
    known: set[Expr] = set()
    for name, value in given.items():
        expression = prepared(value)
        if isinstance(expression, Operation) and expression in met and expression not in known:
            known.add(expression)
            yield expression, name


def _worthwhile(forms: Sequence[Expr], parts: Callable[[Expr], Iterable[Expr]]) -> set[Expr]:
    """Return the parts that stand so often in a law that a name makes it shorter.

    Where there is one, those are named, too, that stand so often in all laws together.
    """
    counts = [Counter(parts(form)) for form in forms]
    found = {part for count in counts for part in count if _saves(part, count[part])}
    if found:
        together = sum(counts, Counter[Expr]())
        found.update(part for part, count in together.items() if _saves(part, count))
    return found


def _saves(part: Expr, count: int) -> bool:
    """Return whether a name makes what stands so often shorter, its definition included."""
    if count < 2:
        return False
    length = len(PythonText().show(part)[0])
    return (count - 1) * (length - SHORT) - SHORT - AROUND >= MIN_SAVING


def _products(expression: Expr) -> Iterator[Expr]:
    """Yield the products of sizes in an expression: ``ceil(h/2)*ceil(w/2)``."""
    factors = Mul.make_args(expression)
    sizes = [factor for factor in factors if _is_extent(factor.as_base_exp()[0])]
    if len(sizes) > 1 or any(size.is_Pow for size in sizes):
        yield Mul(*sizes)
    for factor in factors:
        for arg in _inside(factor):
            yield from _products(arg)


def _inside(expression: Expr) -> list[Expr]:
    """Return the parts of an expression, without the unit of a quantity."""
    return [arg for arg in expression.args if isinstance(arg, Expr)]


def _is_extent(size: Expr) -> bool:
    """Return whether a size is the floor of a quotient of integers, as a height is."""
    return isinstance(size, FloorDiv) and is_whole(size.args[0])


def _operations(expression: Expr, named: frozenset[Expr]) -> Iterator[Expr]:
    """Yield the functions in an expression that stand outside of named parts."""
    if expression in named:
        return
    whole = isinstance(expression, Maximum | Quantity | Quotient)  # a law, or instead of a division
    if isinstance(expression, Operation) and not whole:
        yield expression
    factors = {*expression.args} if expression.is_Mul else set[Expr]()
    sizes = next((p for p in named if p.is_Mul and factors.issuperset(p.args)), None)
    args = [arg for arg in _inside(expression) if sizes is None or arg not in sizes.args]
    for arg in args:
        yield from _operations(arg, named)


def _named(parts: Iterable[Expr], taken: set[str]) -> Iterator[tuple[Expr, str]]:
    """Yield each part with a free name: r2 under a stride of 2, c64 of channels, m1, k1."""
    counts = Counter[str]()
    for part in parts:
        wanted = _stem(part)
        if wanted is None:
            letter = "m" if isinstance(part, Extremum) else "k"
            counts[letter] += 1
            wanted = f"{letter}{counts[letter]}"
        name, more = wanted, 1
        while name in taken or iskeyword(name):
            more += 1
            name = f"{wanted}_{more}"
        taken.add(name)
        yield part, name


def _stem(expression: Expr) -> str | None:
    """``r2``, ``h2``, ``c64``, or None."""
    floors = [factor.as_base_exp()[0] for factor in Mul.make_args(expression)]
    if all(map(_is_extent, floors)):
        divisor, *others = {floor.args[1] for floor in floors}
        if others or not divisor.is_Integer or divisor == 1:
            return None
        symbols = expression.free_symbols
        if len(floors) > 1 or expression.is_Pow:
            return f"r{divisor}"
        return f"{symbols.pop()}{divisor}" if len(symbols) == 1 else None
    if isinstance(expression, RoundTo | FloorDiv):
        factor, rest = expression.args[0].as_coeff_Mul()
        return f"c{factor}" if factor.is_Integer and rest.is_Symbol else None
    return None
