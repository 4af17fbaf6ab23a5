"""Every rewrite of the algebra against plain Python numbers.

An expression is written as Python text. Its value is what Python says of that text, every number
being an exact fraction; archcost reads the same text, rewrites it, evaluates it and prints it. The
three must agree.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from sympy import Add, Expr, Mul, Symbol, sstr
from sympy import latex as sympy_latex

from archspec.expressions import ExpressionError, parse
from archspec.trees import Measure, Name
from costmodel.algebra.bounds import is_at_least
from costmodel.algebra.conditions import (
    AtLeast,
    Condition,
    Divides,
    Equal,
    condition_text,
    whole_under,
)
from costmodel.algebra.dominance import Region, SizeTables, maximum
from costmodel.algebra.evaluate import Evaluator
from costmodel.algebra.evaluation import Tape
from costmodel.algebra.functions import (
    FloorDiv,
    Log2,
    Maximum,
    Minimum,
    RoundTo,
    absorbed,
    ceil_div,
    exact,
    floor_div,
    is_whole,
    separated,
)
from costmodel.algebra.normal_form import grouped
from costmodel.algebra.printing import Unicode, latex, text
from costmodel.algebra.program import IntegerProgram
from costmodel.algebra.reduction import reduced, simplified
from costmodel.algebra.symbols import symbol
from costmodel.algebra.translate import translate
from tests.conftest import examples

Number = int | Fraction
Values = Mapping[str, Number]

quick = settings(deadline=None, max_examples=examples(100))
thorough = settings(deadline=None, max_examples=examples(300))

INTEGERS = ("h", "w", "g", "n")
REAL = "a"


# The three readings of a text.


def make_divisible(size: Number, divisor: Number) -> Number:
    """MobileNet's reference code, in exact numbers."""
    rounded = max(divisor, int(size + Fraction(divisor) / 2) // divisor * divisor)
    return rounded + divisor if rounded < Fraction(9, 10) * size else rounded


def exact_logarithm(size: Number) -> int:
    exponent = round(math.log2(size))
    assert Fraction(2) ** exponent == size
    return exponent


LANGUAGE: dict[str, Callable[..., object]] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "min": min,
    "max": max,
    "round_to": make_divisible,
    "log2": exact_logarithm,
    "Fraction": Fraction,
}


def run(source: str, values: Values, names: Mapping[str, object] = LANGUAGE) -> Number:
    """What Python says."""
    result = eval(source, {"__builtins__": {}}, {**names, **values})
    assert isinstance(result, int | Fraction | float)
    return Fraction(result)


def truth(source: str, values: Values) -> Number:
    """What Python says when every number is an exact fraction."""
    return run(re.sub(r"\b\d+\b", r"Fraction(\g<0>)", source), values)


def symbol_of(name: str) -> Symbol:
    return symbol(name, "real" if name == REAL else "integer")


def look_up(leaf: Name | Measure) -> Expr:
    assert isinstance(leaf, Name)
    return symbol_of(leaf.id)


def law(source: str) -> Expr:
    """What archcost makes of it."""
    return translate(parse(source), look_up)


def at(values: Values) -> Evaluator:
    return Evaluator({symbol_of(name): value for name, value in values.items()})


def by_program(expression: Expr, values: Values) -> Number:
    """What arrays make of it, compiled to an integer program."""
    numbers = {symbol_of(name): Fraction(value) for name, value in values.items()}
    program = IntegerProgram({free: value.denominator for free, value in numbers.items()})
    part = program.lower(expression)
    given = {
        program.lower(free).numerator: np.array([value.numerator], object)
        for free, value in numbers.items()
    }
    found = Tape(program, part).run(given)
    numerator, denominator = (int(found[place].item()) for place in part)
    return Fraction(numerator, denominator)


def agree(expression: Expr, expected: Number, values: Values) -> None:
    """The value and every executable print of an expression."""
    assert at(values)(expression) == expected, expression
    assert run(text(expression), values) == expected, text(expression)
    assert by_program(expression, values) == expected, expression
    assert at(values)(law(text(expression))) == expected, f"read again: {text(expression)}"


def check(source: str, values: Values) -> Expr:
    """Both sides of a text; gives the expression for a closer look."""
    expression = law(source)
    agree(expression, truth(source, values), values)
    return expression


# Texts and values.

numbers = st.integers(-70, 70).map(lambda number: f"({number})")
positives = st.integers(1, 12).map(str)
names = st.sampled_from(INTEGERS)
atoms = names | numbers

values_of_integers: SearchStrategy[Values] = st.fixed_dictionaries(
    {
        "h": st.integers(1, 300),
        "w": st.integers(1, 300),
        "g": st.integers(1, 16),
        "n": st.integers(1, 8),
    }
)
factors = st.builds(Fraction, st.integers(1, 32), st.integers(1, 8))
values_of_reals: SearchStrategy[Values] = st.builds(
    lambda values, factor: {k: Fraction(v) for k, v in values.items()} | {REAL: factor},
    values_of_integers,
    factors,
)


def texts(template: str, **parts: SearchStrategy[str]) -> SearchStrategy[str]:
    """A template with its ``{parts}`` drawn."""
    return st.fixed_dictionaries(parts).map(lambda drawn: template.format(**drawn))


def joined(terms: SearchStrategy[str], most: int = 4) -> SearchStrategy[str]:
    return st.lists(terms, min_size=1, max_size=most).map(" + ".join)


positive_terms = texts("{count}*{name}", count=positives, name=names)
signed_terms = texts("{count}*{name}", count=numbers, name=names)
positive_sums = joined(positive_terms)
sums = joined(signed_terms | numbers)
divisors = (
    positives
    | names
    | texts("({count}*{name})", count=positives, name=names)
    | texts("({name}*{other})", name=names, other=names)
    | texts("({name} + {count})", name=names, count=positives)
    | texts("round_to({name}, 8)", name=names)
)
reals = (
    texts("({name}/{under})", name=names, under=positives)
    | texts("({count}*a)", count=positives)
    | texts("({count}*{name}*a)", count=positives, name=names)
    | texts("({count}*{name}/{under} + {number})", count=positives, name=names, under=positives,
            number=numbers)
    | texts("({name}/3 - {count}*a)", name=names, count=positives)
)  # fmt: skip


def larger(inner: SearchStrategy[str]) -> SearchStrategy[str]:
    """The next larger integers made of ``inner`` ones."""
    return (
        texts("({x} + {y})", x=inner, y=inner)
        | texts("({x} - {y})", x=inner, y=inner)
        | texts("({x} * {y})", x=inner, y=inner)
        | texts("({x} // {q})", x=inner, q=divisors)
        | texts("({x} % {q})", x=inner, q=divisors)
        | texts("(-{x})", x=inner)
        | texts("min({x}, {y})", x=inner, y=inner)
        | texts("max({x}, {y})", x=inner, y=inner)
        | texts("ceil({x}/{q})", x=inner, q=positives)
        | texts("round_to(max({x}, 1), 8)", x=inner)
    )


wholes = st.recursive(atoms, larger, max_leaves=8)


# Floor division: one test per identity, in the order of the table in functions.py.


@quick
@given(x=st.fractions(-50, 50, max_denominator=12), q=st.fractions("1/12", 20, max_denominator=12))
def test_floor_of_numbers(x: Fraction, q: Fraction) -> None:
    """7//2 = 3."""
    assert floor_div(exact(x), exact(q)) == x // q
    assert ceil_div(exact(x), exact(q)) == math.ceil(x / q)


@quick
@given(source=wholes, values=values_of_integers)
def test_by_one(source: str, values: Values) -> None:
    """x//1 = x, for an integer x."""
    assert check(f"({source})//1", values) == law(source)


@quick
@given(source=reals, values=values_of_reals)
def test_by_one_is_a_floor_of_what_is_no_integer(source: str, values: Values) -> None:
    check(f"{source}//1", values)


@quick
@given(
    source=texts(
        "(({x})/{a} + {k}/{b})//({q}/{c})",
        x=sums, k=numbers, q=divisors, a=positives, b=positives, c=positives,
    ),
    values=values_of_reals,
)  # fmt: skip
def test_integer_coefficients(source: str, values: Values) -> None:
    """(x/a)//(q/b) = (b·x)//(a·q)."""
    for floor in check(source, values).atoms(FloorDiv):
        for term in Add.make_args(floor.args[0]):
            assert term.as_coeff_Mul()[0].is_Integer


@quick
@given(
    source=texts("({q}*({x}) + {rest})//{q}", q=divisors, x=sums, rest=sums),
    values=values_of_integers,
)
def test_exact_division(source: str, values: Values) -> None:
    """(q·a + b)//q = a + b//q, for an integer a."""
    check(source, values)


@quick
@given(q=positives | names, x=positive_sums)
def test_exact_division_leaves_no_floor(q: str, x: str) -> None:
    assert law(f"({q}*({x}))//{q}") == law(x)


@quick
@given(
    a=st.integers(2, 9),
    q=st.integers(1, 9),
    source=sums,
    rest=numbers,
    values=values_of_integers,
)
def test_common_factor(a: int, q: int, source: str, rest: str, values: Values) -> None:
    """(a·x + r)//(a·q) = (x + r//a)//q, for integers."""
    expression = check(f"({a}*({source}) + {rest})//{a * q}", values)
    assert all(q % floor.args[1] == 0 for floor in expression.atoms(FloorDiv))


@quick
@given(
    source=texts("(({x})//{a} + {k})//{b}", x=sums, a=divisors, k=numbers, b=divisors),
    values=values_of_integers,
)
def test_composition(source: str, values: Values) -> None:
    """(x//a + k)//b = (x + k·a)//(a·b), for integers a, b, k."""
    check(source, values)


@quick
@given(
    steps=st.lists(st.tuples(st.integers(1, 9), st.integers(-40, 40)), min_size=1, max_size=8),
    values=values_of_integers,
)
def test_nested_floors_are_one(steps: list[tuple[int, int]], values: Values) -> None:
    source = "h"
    for stride, shift in steps:
        source = f"(({source} + ({shift}))//{stride} + 1)"
    expression = absorbed(check(source, values))
    assert len(expression.atoms(FloorDiv)) <= 1
    agree(expression, truth(source, values), values)


@quick
@given(
    source=texts("(({x} + {r})//{q} + {k})//{b}", x=reals, r=numbers, q=divisors, k=numbers,
                 b=divisors),
    values=values_of_reals,
)  # fmt: skip
def test_composition_over_a_real_dividend(source: str, values: Values) -> None:
    check(source, values)


@quick
@given(
    source=texts("(-({x}) + {k})//{q}", x=positive_sums, k=numbers, q=divisors),
    values=values_of_integers,
)
def test_negation(source: str, values: Values) -> None:
    """(−x)//q = −((x + q − 1)//q), for integers x, q."""
    for floor in check(source, values).atoms(FloorDiv):
        terms = Add.make_args(floor.args[0].as_coeff_Add()[1])
        assert not all(term.as_coeff_Mul()[0].is_negative for term in terms)


@quick
@given(source=texts("({k})//{q}", k=numbers, q=divisors), values=values_of_integers)
@example(source="(-1)//h", values={"n": 2, "h": 3, "w": 4, "g": 5})
def test_negative_number(source: str, values: Values) -> None:
    """(−k)//q = −1 − (k − 1)//q, for positive integers k, q: no number under a floor is below 0."""
    for floor in check(source, values).atoms(FloorDiv):
        assert not floor.args[0].is_negative


@thorough
@given(
    source=texts(
        "({x}//{a} {sign} {y}//{b} + {k})//{q}",
        x=names, y=names, a=divisors, b=divisors, sign=st.sampled_from("+-"), k=numbers, q=divisors,
    ),
    values=values_of_integers,
)  # fmt: skip
def test_sums_of_floors(source: str, values: Values) -> None:
    check(source, values)


@thorough
@given(source=wholes, values=values_of_integers)
def test_any_expression(source: str, values: Values) -> None:
    check(source, values)


@quick
@given(source=wholes)
def test_a_floor_is_in_its_final_form(source: str) -> None:
    for floor in law(source).atoms(FloorDiv):
        assert FloorDiv(*floor.args) == floor


@quick
@given(
    source=texts("({x})//(-{q})", x=sums, q=divisors)
    | texts(
        "(({x})//{a} + {k})//({b} - {q})", x=sums, a=positives, k=numbers, b=names, q=positives
    ),
    values=values_of_integers,
)  # fmt: skip
def test_a_divisor_that_may_be_negative_is_right_or_refused(source: str, values: Values) -> None:
    try:
        expression = law(source)
        expected = truth(source, values)
    except (ValueError, ZeroDivisionError):
        return
    agree(expression, expected, values)


@quick
@given(x=sums, q=divisors, values=values_of_integers)
def test_ceil_div(x: str, q: str, values: Values) -> None:
    """ceil(x/q) = −((−x)//q)."""
    expected = math.ceil(truth(f"({x})/{q}", values))
    agree(ceil_div(law(x), law(q)), expected, values)


# Rounding, extrema, logarithm.


@quick
@given(x=reals, d=positives, values=values_of_reals)
def test_round_to(x: str, d: str, values: Values) -> None:
    assume(truth(x, values) > 0)
    check(f"round_to({x}, {d})", values)
    check(f"round_to({d}*ceil({x}), {d})", values)


def test_round_to_of_a_multiple_is_itself() -> None:
    """round_to(d·a, d) = d·a for a positive integer a."""
    assert law("round_to(8*h, 8)") == law("8*h")
    assert isinstance(law("round_to(8*h - 8, 8)"), RoundTo)


def test_round_to_of_the_field() -> None:
    """MobileNetV2 at width 0.35: 16 → 8, 24 → 8, 32 → 16; 90 % of 11 is more than 8."""
    rounded = [at({"a": Fraction("0.35")})(law(f"round_to({c}*a, 8)")) for c in (16, 24, 32, 96)]
    assert rounded == [8, 8, 16, 32]
    assert law("round_to(11, 8)") == 16


@quick
@given(
    source=texts("{f}({x}, {y}, {z})", f=st.sampled_from(["min", "max"]), x=wholes, y=wholes,
                 z=wholes),
    values=values_of_integers,
)  # fmt: skip
def test_extrema(source: str, values: Values) -> None:
    check(source, values)


@quick
@given(x=names, shifts=st.lists(st.integers(-9, 9), min_size=1, max_size=5))
def test_extrema_compare_what_differs_by_a_number(x: str, shifts: list[int]) -> None:
    shifted = [law(f"{x}//3 + ({shift})") for shift in shifts]
    assert Maximum(*shifted) == law(f"{x}//3 + ({max(shifts)})")
    assert Minimum(*shifted) == law(f"{x}//3 + ({min(shifts)})")


@quick
@given(
    terms=st.lists(names | texts("({x}*a)", x=names), min_size=2, max_size=4),
    values=values_of_reals,
)
def test_extrema_of_reals(terms: list[str], values: Values) -> None:
    check(f"max({', '.join(terms)})", values)
    check(f"min({', '.join(terms)})", values)


@quick
@given(exponent=st.integers(-60, 60))
def test_logarithm(exponent: int) -> None:
    power = Fraction(2) ** exponent
    assert Log2(exact(power)) == exponent
    agree(law("log2(a)"), exponent, {"a": power})


def test_a_logarithm_that_is_irrational_is_refused() -> None:
    with pytest.raises(ExpressionError, match=r"log2\(3\) is no rational number"):
        at({"h": 3})(law("log2(h)"))


def test_a_root_that_is_irrational_is_refused() -> None:
    assert at({"h": 49})(law("sqrt(h)")) == 7
    with pytest.raises(ExpressionError, match=r"sqrt\(2\) is no rational number"):
        at({"h": 2})(law("sqrt(h)"))


def test_a_symbol_without_a_value_is_named() -> None:
    with pytest.raises(KeyError, match="w"):
        at({"h": 1})(law("h*w"))


# One floor, and integers outside it.

sizes = texts("({x})//{q} + {k}", x=sums, q=divisors, k=numbers)


@quick
@given(source=sizes, values=values_of_integers)
def test_absorbed(source: str, values: Values) -> None:
    """x//q + k = (x + k·q)//q."""
    agree(absorbed(law(source)), truth(source, values), values)


@quick
@given(x=st.sampled_from(["h", "h + w", "5*h"]), q=st.integers(2, 40), k=st.integers(-9, 9))
def test_absorbed_is_a_single_floor(x: str, q: int, k: int) -> None:
    size = law(f"({x} + 1)//{q} + ({k})")
    assume(isinstance(size.as_coeff_Add()[1], FloorDiv))
    assert isinstance(absorbed(size), FloorDiv)


@quick
@given(source=joined(sizes, 3), values=values_of_integers)
def test_separated(source: str, values: Values) -> None:
    """(x + c)//q = (x + c % q)//q + c//q."""
    expression = separated(law(source))
    agree(expression, truth(source, values), values)
    for floor in expression.atoms(FloorDiv):
        constant, divisor = floor.args[0].as_coeff_Add()[0], floor.args[1]
        assert not divisor.is_Integer or 0 <= constant < divisor


@quick
@given(x=positive_sums, q=st.integers(1, 40), c=st.integers(-99, 99), k=st.integers(-9, 9))
def test_equal_floors_are_equal_when_separated(x: str, q: int, c: int, k: int) -> None:
    moved = law(f"({x} + ({c + k * q}))//{q}") - law(f"({x} + ({c}))//{q}")
    assert separated(moved).expand() == k


# What is an integer by its form.

maybe_wholes = st.recursive(
    atoms | texts("({x}/{q})", x=names, q=positives) | st.just("a") | st.just("(1/2)"),
    lambda inner: (
        texts("({x} + {y})", x=inner, y=inner)
        | texts("({x} * {y})", x=inner, y=inner)
        | texts("({x}**2)", x=inner)
        | texts("max({x}, {y})", x=inner, y=inner)
        | texts("({x} // {q})", x=inner, q=positives)
    ),
    max_leaves=6,
)


@thorough
@given(source=maybe_wholes, values=values_of_reals)
def test_what_is_whole_has_integer_values(source: str, values: Values) -> None:
    expression = law(source)
    assert not is_whole(expression) or at(values)(expression).denominator == 1


@pytest.mark.parametrize(
    ("source", "whole"),
    [
        ("7", True),
        ("1/2", False),
        ("h", True),
        ("a", False),
        ("h/2", False),
        ("3*h*w - 4", True),
        ("h**3", True),
        ("h/g", False),
        ("a//2", True),
        ("round_to(32*a, 8)", True),
        ("max(h, w//2)", True),
        ("max(h, a)", False),
        ("log2(h)", False),
        ("h*(h + 1)/2", False),  # it is one, but not by its form
    ],
)
def test_is_whole(source: str, whole: bool) -> None:
    assert is_whole(law(source)) is whole


# How expressions are printed.

PRINTED = [
    # numbers
    ("7//2", "3", "3", "3"),
    ("-7//2", "-4", "−4", "-4"),
    # by one
    ("h//1", "h", "h", "h"),
    ("floor(a*h)", "floor(a*h)", "⌊a·h⌋", r"\left\lfloor a \cdot h\right\rfloor"),
    # one floor
    ("h//32", "h//32", "⌊h/32⌋", r"\left\lfloor\frac{h}{32}\right\rfloor"),
    (
        "(h - 31)//32",
        "(h - 63)//32 + 1",
        "⌊(h − 63)/32⌋ + 1",
        r"\left\lfloor\frac{h - 63}{32}\right\rfloor + 1",
    ),
    ("(h + 1)//2", "ceil(h/2)", "⌈h/2⌉", r"\left\lceil\frac{h}{2}\right\rceil"),
    ("ceil(h/32)", "ceil(h/32)", "⌈h/32⌉", r"\left\lceil\frac{h}{32}\right\rceil"),
    (
        "(h + 2)//4",
        "(h + 2)//4",
        "⌊(h + 2)/4⌋",
        r"\left\lfloor\frac{h + 2}{4}\right\rfloor",
    ),
    # integer coefficients
    (
        "(h/2 + w/3)//(5/7)",
        "(21*h + 14*w)//30",
        "⌊(21·h + 14·w)/30⌋",
        r"\left\lfloor\frac{21 \cdot h + 14 \cdot w}{30}\right\rfloor",
    ),
    # exact division
    ("(4*h + w)//4", "h + w//4", "h + ⌊w/4⌋", r"h + \left\lfloor\frac{w}{4}\right\rfloor"),
    ("(96*h)//(3*h)", "32", "32", "32"),
    (
        "(3*g*h + w)//g",
        "3*h + w//g",
        "3·h + ⌊w/g⌋",
        r"3 \cdot h + \left\lfloor\frac{w}{g}\right\rfloor",
    ),
    # common factor
    (
        "(6*h + 4*w + 5)//8",
        "(3*h + 2*w + 2)//4",
        "⌊(3·h + 2·w + 2)/4⌋",
        r"\left\lfloor\frac{3 \cdot h + 2 \cdot w + 2}{4}\right\rfloor",
    ),
    # composition
    ("((h//2)//2)//2", "h//8", "⌊h/8⌋", r"\left\lfloor\frac{h}{8}\right\rfloor"),
    (
        "((h - 3)//2 - 2)//2",
        "(h - 11)//4 + 1",
        "⌊(h − 11)/4⌋ + 1",
        r"\left\lfloor\frac{h - 11}{4}\right\rfloor + 1",
    ),
    ("(h//g)//w", "h//(g*w)", "⌊h/(g·w)⌋", r"\left\lfloor\frac{h}{g \cdot w}\right\rfloor"),
    # negation
    ("(-h)//2", "-ceil(h/2)", "−⌈h/2⌉", r"-\left\lceil\frac{h}{2}\right\rceil"),
    (
        "-(h//2)",
        "-(h//2)",
        "−⌊h/2⌋",
        r"-\left\lfloor\frac{h}{2}\right\rfloor",
    ),
    # sums, products, powers, functions
    ("h - w - 5", "h - w - 5", "h − w − 5", "h - w - 5"),
    ("h**2*n*16", "16*h**2*n", "16·h²·n", r"16 \cdot h^{2} \cdot n"),
    (
        "2*a*(147*h**12 + 125)",
        "2*a*(147*h**12 + 125)",
        "2·a·(147·h¹² + 125)",
        r"2 \cdot a \cdot \left(147 \cdot h^{12} + 125\right)",
    ),
    ("h % 4", "h - 4*(h//4)", "h − 4·⌊h/4⌋", r"h - 4 \cdot \left\lfloor\frac{h}{4}\right\rfloor"),
    ("max(h, w)", "max(h, w)", "max(h, w)", r"\max\left(h, w\right)"),
    ("min(h, 5)", "min(5, h)", "min(5, h)", r"\min\left(5, h\right)"),
    (
        "round_to(32*a, 8)",
        "round_to(32*a, 8)",
        "round_to(32·a, 8)",
        r"\operatorname{round\_to}\left(32 \cdot a, 8\right)",
    ),
    ("log2(h)", "log2(h)", "log2(h)", r"\log_2\left(h\right)"),
    ("sqrt(h)", "sqrt(h)", "sqrt(h)", r"\sqrt{h}"),
    # names
    ("width*h_in", "h_in*width", "h_in·width", r"\mathrm{h\_in} \cdot \mathrm{width}"),
    ("c12 + d_3", "c12 + d_3", "c12 + d_3", r"c_{12} + d_{3}"),
]


@pytest.mark.parametrize(("source", "as_text", "as_unicode", "as_latex"), PRINTED)
def test_printed(source: str, as_text: str, as_unicode: str, as_latex: str) -> None:
    expression = law(source)
    assert (text(expression), Unicode()(expression), latex(expression)) == (
        as_text,
        as_unicode,
        as_latex,
    )


@pytest.mark.parametrize("source", [row[0] for row in PRINTED])
def test_printed_text_is_read_as_the_same_law(source: str) -> None:
    assert separated(law(text(law(source)))) == separated(law(source))


def test_an_exact_quotient_is_an_integer_division() -> None:
    quotient = law("n*h**2*96/(2*g)")
    assert text(quotient) == "48*h**2*n//g"
    assert Unicode()(quotient) == "48·h²·n/g"
    assert latex(quotient) == r"\frac{48 \cdot h^{2} \cdot n}{g}"


def test_sympy_prints_floors_as_we_do() -> None:
    assert sstr(law("h//32")) == "h//32"
    assert sympy_latex(law("h//32")) == latex(law("h//32"))


# Sums that a person can read.

spatial_factors = texts("(({x} - {r})//{s} + 1)", x=st.sampled_from("hw"), r=positives, s=positives)
grouped_terms = (
    texts("{k}*{x}*{y}*{z}", k=positives, x=names, y=spatial_factors, z=spatial_factors)
    | texts("{k}*{x}*{y}", k=numbers, x=names, y=names)
    | texts("{k}*96*{x}/g*{y}", k=positives, x=st.sampled_from("nhw"), y=spatial_factors)
)
halves = texts("{k}*({x}**2/2 - {x}/2)", k=positives, x=st.sampled_from("hn")) | texts(
    "{k}*(n**2/2 + n/2)*{x}", k=positives, x=spatial_factors
)
divisors_of_96 = st.sampled_from([g for g in range(1, 97) if 96 % g == 0])


@thorough
@given(source=joined(grouped_terms, 6), values=values_of_integers, g=divisors_of_96)
def test_grouped(source: str, values: Values, g: int) -> None:
    """The same number, and every printed quotient is exact where the condition holds."""
    values = {**values, "g": g}
    whole = whole_under([Divides(law("g"), law("96"))])
    agree(grouped(law(source), whole), truth(source, values), values)


@quick
@given(sources=st.lists(grouped_terms | halves, min_size=1, max_size=6), values=values_of_integers)
def test_a_whole_sum_of_fractions_is_printed_whole(sources: list[str], values: Values) -> None:
    """n·(n − 1)/2 is an integer, n²/2 and n/2 are none: a text must not round them one by one."""
    values = {**values, "g": 1}
    source = " + ".join(sources)
    agree(grouped(law(source)), truth(source, values), values)


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        ("n*h + n*w + n", "n*(h + w + 1)"),
        ("n**2/2 + n/2", "n*(n + 1)//2"),
        ("9*n*(h//2)**2 + 3*g*n*(h//2)**2", "n*(3*g + 9)*(h//2)**2"),
        ("96*n/g*(h//2) + 5*n*(h//2)", "n*(96//g + 5)*(h//2)"),
        ("48*n/g*(h//2) + 16*w/g*(h//2)", "(48*n + 16*w)*(h//2)//g"),
        ("h", "h"),
    ],
)
def test_grouped_examples(source: str, printed: str) -> None:
    whole = whole_under([Divides(law("g"), law("32"))])
    assert text(grouped(law(source), whole)) == printed


# Conditions, by enumeration.

heights = range(1, 31)
groups = range(1, 13)

statements = (
    st.builds(Divides, divisors.filter(lambda q: "w" not in q and "n" not in q).map(law),
              st.sampled_from(["96", "64", "h", "4*h", "h//3", "3*h + 2", "h*g", "g"]).map(law))
    | st.builds(
        AtLeast,
        texts("{k}*(({j}*h + {r})//{s}) + {c}", k=st.integers(-2, 3).map("({})".format),
              j=positives, r=numbers, s=positives, c=numbers).map(law),
        st.integers(-9, 9),
    )
    | st.builds(
        AtLeast,
        st.sampled_from(["h", "g", "2*h - 5", "h//2 + g//3", "h*g - 12", "g - h", "h//g",
                         "max(h, 2*g)", "min(h, g)", "(h//2 + g)//3", "round_to(h, 8)"]).map(law),
        st.integers(-20, 20) | st.fractions(-9, 9, max_denominator=4),
    )
    | st.builds(
        Equal,
        st.sampled_from(["h//2", "h", "(h + 2)//2", "g + 3", "(h - 1)//2 + 1"]).map(law),
        st.sampled_from(["(h + 4)//2 - 2", "h//2 + 1", "g", "h", "ceil(h/2)"]).map(law),
    )
)  # fmt: skip
smallest = st.fixed_dictionaries({"h": st.integers(1, 9), "g": st.integers(1, 4)})


def points(least: Mapping[str, int]) -> list[dict[str, int]]:
    """Every point of a range that starts at the smallest values."""
    return [
        {"h": h, "g": g} for h, g in product(heights, groups) if h >= least["h"] and g >= least["g"]
    ]


def least_of(least: Mapping[str, int]) -> dict[Symbol, Number]:
    return {symbol_of(name): value for name, value in least.items()}


def all_hold(conditions: Iterable[Condition], values: Values) -> bool:
    return all(condition.holds(at(values)) for condition in conditions)


@thorough
@given(conditions=st.lists(statements, max_size=5), least=smallest)
def test_reduced_conditions_say_the_same(
    conditions: list[Condition], least: dict[str, int]
) -> None:
    shorter = reduced(conditions, least_of(least))
    assert len(shorter) <= len(conditions)
    for values in points(least):
        assert all_hold(shorter, values) == all_hold(conditions, values), (values, shorter)


@quick
@given(conditions=st.lists(statements, max_size=5), least=smallest)
def test_reduced_conditions_stay(conditions: list[Condition], least: dict[str, int]) -> None:
    shorter = reduced(conditions, least_of(least))
    assert reduced(shorter, least_of(least)) == shorter


@quick
@given(condition=statements, least=smallest)
def test_a_decision_is_right_everywhere(condition: Condition, least: dict[str, int]) -> None:
    decision = condition.decide(least_of(least))
    for values in points(least):
        assert decision in (None, condition.holds(at(values))), values


def test_a_decision_knows_that_rounding_to_a_larger_divisor_may_give_less() -> None:
    """round_to(10, 8) is 16, round_to(10, 9) is 9."""
    assert AtLeast(law("round_to(10, h)"), 12).decide({symbol_of("h"): 8}) is not True


@quick
@given(condition=statements)
@example(condition=AtLeast(law("h//4"), Fraction(1, 2)))
@example(condition=AtLeast(law("h//g - 1"), 1))
def test_a_simplified_condition_says_the_same(condition: Condition) -> None:
    simple = simplified(condition)
    for values in points({"h": 1, "g": 1}):
        assert all_hold(simple, values) == condition.holds(at(values)), (values, simple)


@quick
@given(condition=statements)
def test_the_text_of_a_condition_is_python(condition: Condition) -> None:
    for values in points({"h": 1, "g": 1}):
        shown = eval(condition_text(condition), {"__builtins__": {}}, {**LANGUAGE, **values})
        assert shown == condition.holds(at(values)), values


@pytest.mark.parametrize("bound", [3, 7, 21])
def test_the_text_of_a_condition_on_a_whole_sum_of_fractions(bound: int) -> None:
    """n²/2 + n/2 is whole; n²//2 + n//2 is less for odd n."""
    channels = law("n**2/2 + n/2")
    for condition in (AtLeast(channels, bound), Divides(law(str(bound)), channels)):
        for n in range(1, 30):
            shown = eval(condition_text(condition), {"__builtins__": {}}, {"n": n})
            assert shown == condition.holds(at({"n": n})), (n, condition_text(condition))


@pytest.mark.parametrize(
    ("conditions", "printed"),
    [
        (["96 % g", "256 % g", "384 % g"], ["32 % g == 0"]),
        (["h % 2", "h % 16", "h % 3"], ["h % 48 == 0"]),
        (["h >= 7", "(h - 7)//4 + 1 >= 3", "(h - 31)//32 >= 1"], ["h >= 63"]),
        (["2*(h//3) - 3 >= 4"], ["h >= 12"]),
        (["h >= 1", "g >= 0", "(4*h) % 2"], []),
        (["h + g >= 9", "w % g"], ["w % g == 0", "g + h >= 9"]),
        (["(3*h - 2) % 2"], ["h % 2 == 0"]),
        (["2*h - 2*g >= 1", "h - g >= 1"], ["h >= g + 1"]),
    ],
)
def test_reduced_examples(conditions: list[str], printed: list[str]) -> None:
    shorter = reduced(map(condition_of, conditions), least_of({"h": 1, "w": 1, "g": 1}))
    assert list(map(condition_text, shorter)) == printed


def condition_of(source: str) -> Condition:
    """``a >= 3``, or ``a % b`` for ``a % b == 0``."""
    if ">=" in source:
        expression, bound = source.split(">=")
        return AtLeast(law(expression), int(bound))
    dividend, divisor = source.split("%")
    return Divides(law(divisor), law(dividend))


# Maxima.

whole_layers = joined(
    texts("{k}*n*{y}*{z}", k=positives, y=spatial_factors, z=spatial_factors)
    | texts("{k}*n*h*w", k=positives)
    | texts("{k}*n*{x}", k=positives, x=spatial_factors),
    2,
)
real_layers = joined(
    texts("{k}*n*h*floor(16*a)", k=positives)
    | texts("{k}*n*h*a", k=positives)
    | texts("{k}*n*((8*a*h)//3)", k=positives),
    2,
)
least_sizes = st.fixed_dictionaries({"n": st.just(1), "h": st.integers(12, 64),
                                     "w": st.integers(12, 64)})  # fmt: skip
above = st.fixed_dictionaries({"n": st.integers(0, 3), "h": st.integers(0, 99),
                               "w": st.integers(0, 99)})  # fmt: skip


def added(least: Mapping[str, int], more: Mapping[str, int]) -> dict[str, Number]:
    return {name: least[name] + more[name] for name in least}


@quick
@given(sources=st.lists(whole_layers, min_size=1, max_size=5), least=least_sizes, more=above)
def test_a_pruned_maximum_is_the_maximum(
    sources: list[str], least: dict[str, int], more: dict[str, int]
) -> None:
    values = added(least, more)
    usual = at({"n": 1, "h": 224, "w": 224})
    largest = maximum(list(map(law, sources)), SizeTables(Region(least_of(least))), usual)
    agree(largest, max(truth(source, values) for source in sources), values)


@quick
@given(sources=st.lists(whole_layers, min_size=2, max_size=4), least=least_sizes, more=above)
def test_what_dominates_is_nowhere_less(
    sources: list[str], least: dict[str, int], more: dict[str, int]
) -> None:
    values = added(least, more)
    for large, small in permutations(sources, 2):
        if is_at_least(law(large) - law(small), 0, least_of(least)):
            assert truth(large, values) >= truth(small, values), (large, small)


@quick
@given(
    sources=st.lists(real_layers, min_size=2, max_size=4),
    width=st.fractions(1, 3, max_denominator=48),
    h=st.integers(1, 20),
)
def test_what_dominates_a_real_law_is_nowhere_less(
    sources: list[str], width: Fraction, h: int
) -> None:
    values: Values = {"n": Fraction(1), "h": Fraction(h), "a": width}
    for large, small in permutations(sources, 2):
        if is_at_least(law(large) - law(small), 0, least_of({"n": 1, "h": 1, "a": 1})):
            assert truth(large, values) >= truth(small, values), (large, small)


@pytest.mark.parametrize(
    ("large", "small", "proved"),
    [
        ("h", "h", True),
        ("h + 1", "h", True),
        ("h", "h + 1", False),
        ("h", "62", True),
        ("h", "64", False),
        ("2*(h//2)", "h", False),  # 62 < 63
        ("h", "2*(h//2)", True),
        ("h*w", "h*n", False),  # nothing bounds n above
    ],
)
def test_dominates_examples(large: str, small: str, proved: bool) -> None:
    least = least_of({"n": 1, "h": 63, "w": 63})
    assert is_at_least(law(large) - law(small), 0, least) is proved


def test_a_floor_of_a_real_does_not_dominate_it() -> None:
    assert not is_at_least(law("floor(a)") - law("a"), 0, least_of({"a": 1}))


@pytest.mark.parametrize(
    ("sources", "printed"),
    [
        (["n*h*w", "2*n*h*w", "n*(h//2)*(w//2)"], "2*h*n*w"),
        (["h*n", "w*n"], "max(h*n, n*w)"),
        (["(h//2)*(w//2)*96", "(h//4)*(w//4)*256"], "96*(h//2)*(w//2)"),
        (["5"], "5"),
    ],
)
def test_maximum_examples(sources: list[str], printed: str) -> None:
    usual = at({"n": 1, "h": 224, "w": 224})
    least = least_of({"n": 1, "h": 63, "w": 63})
    assert text(maximum(list(map(law, sources)), SizeTables(Region(least)), usual)) == printed


def test_products_of_floors_stay_products() -> None:
    """A size that is one floor keeps `Mul` from distributing over a sum."""
    assert isinstance(law("n*(h//2)") * absorbed(law("(w - 3)//2 + 1")), Mul)


def test_powers_of_a_root() -> None:
    """``t·sqrt(t)`` is ``t**(3/2)`` to sympy; as Python over integers ``3//2`` would be 1."""
    expression = law("h*sqrt(h)")
    assert at({"h": 16})(expression) == 64
    assert at({"h": 16})(1 / expression) == Fraction(1, 64)
    assert text(expression) == "sqrt(h)**3"
    assert law(text(expression)) == expression
    assert (Unicode()(expression), latex(expression)) == ("sqrt(h)³", r"\sqrt{h}^{3}")
