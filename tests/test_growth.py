"""Orders, derivatives and slopes against plain numbers.

Laws are drawn as Python text. What is claimed of their growth is tried at huge numbers, and what is
claimed of their slopes against differences of the values that Python gives the same text.
"""

from collections.abc import Mapping
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from sympy import Expr

from archspec.expressions import ExpressionError
from costmodel.algebra.growth import Derivatives, NoOrder, derivative, leading_order, obstacle
from costmodel.algebra.normal_form import unfloored
from costmodel.algebra.printing import PythonText
from tests.test_algebra import Number, at, law, numbers, quick, run, symbol_of, texts, thorough

GROWING = ("h", "w", "n", "a")


def order_of(source: str, *growing: str, **values: Number) -> Expr:
    return leading_order(law(source), map(symbol_of, growing), at(values))


ORDERS = {
    "3*h*w + 5*h + 7": "h*w",
    "h**2 + h*w + w": "h*(h + w)",
    "(h + 3)//2*(w//4) + 100*h": "h*w",
    "round_to(64*a, 8)**2*h - 900*a*h": "h*a**2",
    "n*h*w//2 + 1000*h": "h*n*w",
    "max(1, a)*h + w": "a*h + w",
    "h*min(w, 4096)": "h",
    "h*min(w, n) + 9*min(w, n)": "h*min(n, w)",
    "min(h, w) + h": "h",
    "ceil(3*a)*h - 2*h": "a*h",
    "h**2*w/n + h": "h**2*w/n + h",
    "5": "1",
}


@pytest.mark.parametrize("source", ORDERS)
def test_orders_by_hand(source: str) -> None:
    assert (order_of(source, *GROWING) - law(ORDERS[source])).expand() == 0


REFUSED = {
    "h - w": "terms of the order w may cancel",
    "h*w - 2*h*w + n": r"terms of the order h\*w may cancel",
    "n*(2*(h//2) - h + 1)": "terms of the order n may cancel",  # 0 where h is odd
    "n*(round_to(h, 8) - h + 3)": "terms of the order n may cancel",  # 0 where h % 8 == 3
    "n*(2*max(h, w) - h - w + 1)": r"h\*n, n\*w may cancel",  # n where h == w
    "n*(min(h, w) - max(h, w) + 1)": "may cancel",
    "h//w": r"w divides under a floor, h//w",
    "h/(w + 1)": r"the sum w \+ 1 divides",
    "log2(h)": r"log2\(h\) grows as no power",
    "sqrt(h)": r"sqrt\(h\) is no whole power",
    "min(h - w, n)": "cancel",
    "w/(min(h, 5) - 9)": "may not be positive",
}


@pytest.mark.parametrize("source", REFUSED)
def test_what_is_not_proved_is_refused(source: str) -> None:
    with pytest.raises(NoOrder, match=REFUSED[source]):
        order_of(source, *GROWING)


def test_the_others_are_the_numbers_that_they_are() -> None:
    """At w = 3 the coefficient of h² is 3 − 2 = 1, at w = 2 it is nothing."""
    source = "w*h**2 - 2*h**2 + h"
    assert order_of(source, "h", w=3) == symbol_of("h") ** 2
    assert order_of(source, "h", w=2) == symbol_of("h")
    with pytest.raises(NoOrder, match=r"terms of the order h\*\*2 may cancel"):
        order_of(source, "h", w=1)


def test_what_never_falls_below_another_divides_under_a_floor() -> None:
    """``h//w`` is between half of ``h/w`` and all of it where h >= w, and then at least 1."""
    h, w = symbol_of("h"), symbol_of("w")
    assert leading_order(law("(h//w)*n + n"), [h, w, symbol_of("n")], at({}), {h: w}) == (
        h * symbol_of("n") / w
    )
    # A ratio that may stay 1 never outgrows a number.
    with pytest.raises(NoOrder, match="terms of the order 1 may cancel"):
        leading_order(law("h//w - 3"), [h, w], at({}), {h: w})


sizes = (
    st.sampled_from(["h", "w", "n"])
    | texts("(({x} + {k})//{q})", x=st.sampled_from("hwn"), k=numbers, q=st.sampled_from("2357"))
    | st.sampled_from(["ceil(3*a)", "round_to(32*a, 8)", "max(1, a)", "max(h, w)", "min(h, w)"])
    | st.sampled_from(["min(n, 7)", "max(h//3, 2*w, 5)", "round_to(3*round_to(9*a, 8)/4, 8)"])
)
terms = texts("{k}*{x}*{y}", k=st.integers(-3, 40).map(lambda k: f"({k})"), x=sizes, y=sizes)
laws = st.lists(terms | texts("{k}*{x}", k=numbers, x=sizes), min_size=1, max_size=4).map(
    " + ".join
)
directions = st.fixed_dictionaries({name: st.integers(1, 4) for name in GROWING})


@thorough
@given(source=laws, direction=directions)
@example(source="h*w - 3*h", direction={"h": 4, "w": 1, "n": 1, "a": 1})
def test_a_law_over_its_order_stays_between_two_numbers(
    source: str, direction: Mapping[str, int]
) -> None:
    """Each symbol grows as a power of its own of 10**4; coefficients are far below that."""
    try:
        order = order_of(source, *GROWING)
    except NoOrder:
        assume(False)
    if order == 0:
        assert run(source, {"h": 7, "w": 5, "n": 3, "a": 2}) == 0
        return
    for k in (1, 2, 5):
        values = {name: 10 ** (4 * k * power) + 1 for name, power in direction.items()}
        ratio = Fraction(run(source, values)) / Fraction(
            run(PythonText().real(order), exactly(values))
        )
        assert Fraction(1, 400) < ratio < 10**5


def exactly(values: Mapping[str, int]) -> dict[str, Number]:
    return {name: Fraction(value) for name, value in values.items()}


@quick
@given(source=laws, values=st.fixed_dictionaries({n: st.integers(1, 9) for n in "wna"}))
def test_an_order_in_one_symbol(source: str, values: dict[str, Number]) -> None:
    """A symbol alone: the ratio settles, at numbers far beyond the coefficients."""
    try:
        order = order_of(source, "h", **values)
    except NoOrder:
        assume(False)
    far = [run(source, values | {"h": 10**k}) for k in (9, 12)]
    if order == 0:
        assert far == [0, 0]
        return
    orders = [run(PythonText().real(order), {"h": 10**k}) for k in (9, 12)]
    ratios = [Fraction(value) / Fraction(known) for value, known in zip(far, orders, strict=True)]
    assert ratios[0] > 0
    assert abs(ratios[1] / ratios[0] - 1) < Fraction(1, 1000)


polynomials = st.lists(
    texts("{k}*h**{p}*w**{q}/n**{r}", k=numbers, p=st.sampled_from("0123"),
          q=st.sampled_from("012"), r=st.sampled_from("012")),
    min_size=1, max_size=4,
).map(" + ".join)  # fmt: skip


def interpolated_slope(source: str, name: str, values: Mapping[str, int]) -> Number:
    """The derivative of a cubic, exactly: of central differences one step of Richardson."""

    def central(step: int) -> Number:
        up, down = (
            run(source, exactly({**values, name: values[name] + sign * step})) for sign in (1, -1)
        )
        return Fraction(up - down, 2 * step)

    return Fraction(4 * central(1) - central(2)) / 3


@quick
@given(source=polynomials, point=st.fixed_dictionaries({n: st.integers(3, 9) for n in "hwn"}))
def test_a_derivative_is_that_of_the_interpolated_cubic(source: str, point: dict[str, int]) -> None:
    for name in "hw":
        expression, variable = law(source), symbol_of(name)
        expected = interpolated_slope(source, name, point)
        assert obstacle(expression, variable) is None
        found = derivative(expression, variable)
        assert at(point)(found) == expected
        assert run(PythonText().real(found), exactly(point)) == expected
        assert Derivatives(at(point), {variable: 1})(expression) == expected


OBSTACLES = {
    "ceil(h/2)*w": "h stands in ceil(h/2), which steps",
    "ceil(h*a)": "h stands in ceil(a*h), which steps",
    "max(h, w) + h//3": "h stands in h//3, which steps",
    "min(h, w)": "h stands in min(h, w), which bends",
    "log2(h)": "h stands in log2(h), which is no fraction of powers",
    "max("
    + ", ".join(f"{k}*h*w**{k}" for k in range(1, 8))
    + ")": "h stands in max(…), which bends",
}


@pytest.mark.parametrize("source", OBSTACLES)
def test_what_has_no_derivative_says_what_stands_in_the_way(source: str) -> None:
    assert obstacle(law(source), symbol_of("h")) == OBSTACLES[source]
    assert obstacle(law(source), symbol_of("n")) is None


def test_a_step_rises_evenly_over_a_whole_period() -> None:
    """Over 12 the floors of 3 and 4 rise by just what their slopes say."""
    source, w = "7*(h//3)*w + (h + 1)//4", 5
    slope = Derivatives(at({"h": 24, "w": w}), {symbol_of("h"): 1})(law(source))
    rise = run(source, {"h": 36, "w": w}) - run(source, {"h": 24, "w": w})
    assert slope == Fraction(rise) / 12


@pytest.mark.parametrize(
    ("source", "slope"),
    [
        ("max(h, 8)", 1),
        ("min(h, 8)", 0),
        ("8 - max(h, 8)", -1),
        ("max(h, 9)", 0),
        ("round_to(3*h, 8)", 3),
        ("64//h", -1),
        ("(h//3)*(h//3)", Fraction(2 * 2, 3)),
        ("sqrt(h + 8)", Fraction(1, 8)),
        ("(8 - h)**2 + h", 1),
        ("h**2*w//2", 24),
    ],
)
def test_slopes_by_hand(source: str, slope: Number) -> None:
    """At h = 8, w = 3, upward."""
    assert Derivatives(at({"h": 8, "w": 3}), {symbol_of("h"): 1})(law(source)) == slope


def test_an_irrational_slope_is_refused() -> None:
    with pytest.raises(ExpressionError, match=r"the slope of log2\(h\) is no rational"):
        Derivatives(at({"h": 8}), {symbol_of("h"): 1})(law("log2(h)"))


@quick
@given(
    source=laws, point=st.fixed_dictionaries({n: st.integers(1, 99) for n in ("h", "w", "n", "a")})
)
def test_what_moves_together_rises_by_the_sum(source: str, point: dict[str, int]) -> None:
    """Where nothing bends: of a maximum of equals each symbol may choose another."""
    expression = law(source)
    assume("m" not in source)
    h, w = symbol_of("h"), symbol_of("w")
    alone = [Derivatives(at(point), {s: point[s.name]})(expression) for s in (h, w)]
    assert Derivatives(at(point), {s: point[s.name] for s in (h, w)})(expression) == sum(alone)


def test_a_floor_that_cuts_nothing_off_is_a_quotient() -> None:
    expression = law("(h//2)*(w//2)")
    halves = {law("h/2")}
    found = unfloored(expression, lambda term: term in halves)
    for h, w in product((2, 8, 10), (3, 4, 7)):
        assert at({"h": h, "w": w})(found) == h // 2 * (w // 2)
    assert obstacle(found, symbol_of("h")) is None
    assert obstacle(found, symbol_of("w")) is not None
