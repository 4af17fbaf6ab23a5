"""The closed forms in sympy's own hands: substitution, ``lambdify``, code printers."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from shutil import which

import numpy
import pytest
import sympy
from sympy import Expr

from costmodel import analyze
from costmodel.algebra.functions import (
    Log2,
    Maximum,
    Minimum,
    Quantity,
    Quotient,
    RoundTo,
    floor_div,
)
from costmodel.algebra.symbols import symbol

H, W = symbol("h"), symbol("w")
WIDTH = symbol("width", "real")

FORMS: dict[str, tuple[Expr, Callable[[int, int], float]]] = {
    "floor": (floor_div(H + 3, 4) * W, lambda h, w: (h + 3) // 4 * w),
    "ceiling": (-floor_div(-H, 7), lambda h, _: -(-h // 7)),
    "nested": (floor_div(5 * floor_div(H, 3), W + 1), lambda h, w: 5 * (h // 3) // (w + 1)),
    "quotient": (Quotient(H**2 + H, sympy.Integer(2)), lambda h, _: (h * h + h) // 2),
    "extrema": (
        Maximum(H, 2 * W, sympy.Integer(9)) - Minimum(H, W),
        lambda h, w: max(h, 2 * w, 9) - min(h, w),
    ),
    "log2": (Log2(H) * W, lambda h, w: numpy.log2(h) * w),
    "seconds": (Quantity(H / W, sympy.core.symbol.Str("s")), lambda h, w: h / w),
}

POINTS = [(1, 1), (2, 7), (48, 3), (49, 49), (640, 1023)]


@pytest.mark.parametrize("name", FORMS)
def test_lambdify_is_the_function(name: str) -> None:
    form, truth = FORMS[name]
    for modules in ("math", "numpy"):
        function = sympy.lambdify(["h", "w"], form, modules)
        assert [function(*each) for each in POINTS] == pytest.approx([truth(*p) for p in POINTS])
    heights, widths = numpy.array(POINTS).T
    found = sympy.lambdify(["h", "w"], form)(heights, widths)
    assert list(found) == pytest.approx([truth(*p) for p in POINTS])


def made_divisible(x: float, divisor: int) -> int:
    """Return what MobileNet's reference code returns for dyadic numbers."""
    rounded = max(divisor, int(x + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * x else rounded


def test_rounding_is_make_divisible() -> None:
    function = sympy.lambdify("width", RoundTo(64 * WIDTH, sympy.Integer(8)))
    for sixteenths in range(1, 40):
        assert function(sixteenths / 16) == made_divisible(4 * sixteenths, 8)


@pytest.mark.skipif(which("gcc") is None, reason="no C compiler")
def test_c_is_the_function(tmp_path: Path) -> None:
    """One program evaluates all forms at all points."""
    lines = []
    for form, _ in FORMS.values():
        for h, w in POINTS:
            lines.append(f'{{double h = {h}, w = {w}; printf("%.17g\\n", {sympy.ccode(form)});}}')
    source = tmp_path / "forms.c"
    source.write_text("#include <math.h>\n#include <stdio.h>\nint main(){" + "\n".join(lines) + "}")
    subprocess.run(["gcc", source, "-o", tmp_path / "forms", "-lm"], check=True)
    done = subprocess.run([tmp_path / "forms"], check=True, capture_output=True, text=True)
    truths = [truth(*point) for _, truth in FORMS.values() for point in POINTS]
    assert list(map(float, done.stdout.split())) == pytest.approx(truths)


@pytest.mark.parametrize("spec", ["unet", "mobilenetv2", "alexnet"])
def test_a_networks_totals_are_functions(spec: str) -> None:
    analysis = analyze(f"specs/{spec}.yaml")
    defaults = {name: value.default for name, value in analysis.graph.symbols.items()}
    for metric in ("params", "macs", "memory_peak"):
        function = sympy.lambdify(list(analysis.symbols), getattr(analysis, metric), "math")
        values = [float(defaults[name]) if name == "width" else defaults[name] for name in defaults]
        assert function(*values) == analysis.value(metric)


@pytest.mark.parametrize("key", ["h", sympy.Symbol("h"), H])
def test_a_bare_name_is_replaced(key: object) -> None:
    law = analyze("specs/unet.yaml").macs
    assert law.subs({key: 48}) == law.xreplace({H: sympy.Integer(48)})
    assert law.subs(key, 48).free_symbols == law.free_symbols - {H}


def test_a_plain_symbol_of_the_same_assumptions_is_the_same() -> None:
    plain = sympy.Symbol("h", integer=True, positive=True)
    law: Expr = H + sympy.Integer(1)
    assert plain == H
    assert {plain: 1}[H] == 1
    assert hash(plain) == hash(H)
    assert law.xreplace({plain: sympy.Integer(4)}) == 5
    assert (plain + sympy.Integer(1)).xreplace({H: sympy.Integer(4)}) == 5
    assert plain - H == 0


def test_other_symbols_of_the_name_are_others() -> None:
    law: Expr = H + sympy.Integer(1)
    assert law.subs(sympy.Symbol("h", negative=True), 5) == law
    assert law.subs("k", 5) == law


def test_latex_is_ours() -> None:
    assert sympy.latex(floor_div(H, 2)) == r"\left\lfloor\frac{h}{2}\right\rfloor"


@pytest.mark.parametrize("key", ["width", WIDTH])
@pytest.mark.parametrize("value", [0.5, 0.35, sympy.Rational(1, 2)])
def test_a_float_is_the_decimal_that_prints_it(key: object, value: object) -> None:
    analysis = analyze("mobilenetv2", settings={"n": 1, "c": 3, "h": 224, "w": 224})
    found = analysis.macs.subs({key: value, "classes": 1000})
    assert found == analysis.at(width=value, classes=1000).macs  # type: ignore[arg-type]
    assert str(found) == f"{int(found)}"
