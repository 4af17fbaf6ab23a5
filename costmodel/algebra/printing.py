"""Expressions as text: Python (the reference form), Unicode, LaTeX and NumPy.

The text is Python over integers with ``floor ceil min max round_to sqrt log2``: evaluated at the
symbols' values it gives the exact number. A quotient of integers that the conditions make exact
is written ``//``.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, ClassVar

from sympy import Add, Dummy, Expr, Float, Integer, Mul, Pow, Rational, S, Symbol

from costmodel.algebra import symbols
from costmodel.algebra.functions import (
    FloorDiv,
    LargestOfIterations,
    Log2,
    Maximum,
    Minimum,
    Operation,
    Quantity,
    Quotient,
    RoundTo,
    floors_in,
    in_order,
    is_ceiling,
    is_whole,
)
from costmodel.algebra.normal_form import has_quotient, settled

SUM, PRODUCT, POWER, ATOM = 1, 2, 3, 4  # how tightly a text holds together

LONGEST_SUM = 8
"""The most terms of a sum that all stand for themselves."""

Printed = tuple[str, int]
"""A text and how tightly it holds together."""


class Ceiling(Operation):
    """``ceil(x) = −floor(−x)`` of a real x, as it is printed."""


@lru_cache(maxsize=10_000)
def _with_ceilings(expression: Expr) -> Expr:
    """Return an expression with ``−floor(−x)`` of a real x as a ceiling."""
    if not any(map(_is_real_ceiling, floors_in(expression))):
        return expression
    if _is_real_ceiling(expression):
        return -Ceiling(-expression.args[0] / expression.args[1])
    return expression.func(
        *(_with_ceilings(arg) if isinstance(arg, Expr) else arg for arg in expression.args)
    )


def _is_real_ceiling(expression: Expr) -> bool:
    """Return whether an expression is ``floor(−x)`` of a real x."""
    is_real = isinstance(expression, FloorDiv) and not is_whole(expression.args[0])
    return is_real and is_ceiling(expression)


def prepared(expression: Expr) -> Expr:
    """Return an integer expression in the form in which its parts are printed."""
    is_real = isinstance(expression, Quantity)
    return _with_ceilings(expression if is_real else settled(expression))


class PythonText:
    """Expressions as Python. Other forms override the pieces."""

    times: ClassVar[str] = "*"
    plus: ClassVar[str] = "+"
    equals: ClassVar[str] = "="
    minus: ClassVar[str] = "-"
    names: ClassVar[dict[type, str]] = {
        RoundTo: "round_to",
        Maximum: "max",
        Minimum: "min",
        Log2: "log2",
    }

    brackets: ClassVar[dict[str, tuple[str, str]]] = {
        "floor": ("floor(", ")"),
        "ceil": ("ceil(", ")"),
        "root": ("sqrt(", ")"),
    }
    space: ClassVar[str] = ""  # before what is no fraction in brackets

    def __init__(self, named: Mapping[Expr, str] | None = None) -> None:
        """Print with names.

        Args:
            named: expression → the name that stands for it; of products also within larger ones.
        """
        self.named = named or {}
        self.products = [product for product in self.named if product.is_Mul]
        self.whole = True  # whether quotients here are exact integer divisions
        self.shown: dict[tuple[Expr, bool], Printed] = {}

    def __call__(self, expression: Expr) -> str:
        """Return the text of an expression, an integer unless it is within a real one."""
        expression = settled(expression) if self.whole else expression
        return self.show(_with_ceilings(expression))[0]

    def show(self, expression: Expr) -> Printed:
        """Return the text and how tightly it holds together; what was shown before is looked up."""
        key = expression, self.whole
        if key not in self.shown:
            self.shown[key] = self._shown(expression)
        return self.shown[key]

    def _shown(self, expression: Expr) -> Printed:
        """Return the text of a name, a number or an operation."""
        if expression in self.named:
            return self.symbol(self.named[expression]), ATOM
        if isinstance(expression, Rational):
            return self.number(expression)
        return _FORMS[type(expression)](self, expression)

    def factor(self, expression: Expr) -> str:
        """Return the text as it stands beside another operator."""
        return self.within(expression, POWER)

    def within(self, expression: Expr, level: int) -> str:
        """Return the text, in parentheses where it holds together less tightly than ``level``."""
        shown, own = self.show(expression)
        return shown if own >= level else self.parenthesized(shown)

    def real(self, expression: Expr, level: int = SUM) -> str:
        """Return the text where quotients are true divisions."""
        before, self.whole = self.whole, False
        shown = self.within(expression, level)
        self.whole = before
        return shown

    def parenthesized(self, shown: str) -> str:
        """Return a text in parentheses."""
        return f"({shown})"

    def symbol(self, name: str) -> str:
        """Return the text of a symbol."""
        return name

    def number(self, value: Rational) -> Printed:
        """Return the text of a number; a fraction is a true division, as ``1//2`` is 0."""
        shown = str(value.p) if value.p >= 0 else f"{self.minus}{-value.p}"
        if value.q == 1:
            return shown, ATOM if value.p >= 0 else SUM
        before, self.whole = self.whole, False
        shown = self.quotient(shown, str(value.q))
        self.whole = before
        return shown, PRODUCT if value.p >= 0 else SUM

    def sum(self, expression: Expr) -> Printed:
        """``a + b − c``, the leading terms first."""
        return " ".join(self.terms(expression)), SUM

    def terms(self, expression: Expr) -> list[str]:
        """Return the terms of a sum in order, all but the first with their sign: ``a``, ``+ b``.

        Of a long sum those without a resolution are one, in parentheses.
        """
        ordered = in_order(Add.make_args(expression), term_order)
        loose = [term for term in ordered if not floors_in(term)]
        if len(ordered) > LONGEST_SUM and 1 < len(loose) < len(ordered):
            together = self.parenthesized(" ".join(self._signed(loose)))
            return [*self._signed(t for t in ordered if floors_in(t)), f"{self.plus} {together}"]
        return self._signed(ordered)

    def _signed(self, terms: Iterable[Expr]) -> list[str]:
        shown: list[str] = []
        for term in terms:
            negative = bool(term.as_coeff_Mul()[0].is_negative)
            if not shown:
                shown.append(self.show(term)[0])
            elif negative:
                shown.append(f"{self.minus} {self.within(-term, PRODUCT)}")
            else:
                shown.append(f"{self.plus} {self.show(term)[0]}")
        return shown

    def product(self, expression: Mul) -> Printed:
        """``2*a*b``, or ``2*a//b`` where the quotient is exact."""
        over, under = _fraction(expression)
        negative = bool(over.as_coeff_Mul()[0].is_negative)
        text = self.factors(-over if negative else over)
        if under is not S.One:
            text = self.quotient(text, self.denominator(under))
        return (f"{self.minus}{text}", SUM) if negative else (text, PRODUCT)

    def factors(self, expression: Expr) -> str:
        """Return the factors of a product, numbers and names before sums.

        Each holds together by itself: ``-(x//q)`` is not ``-x//q``.
        """
        parts = in_order(Mul.make_args(expression), factor_order)
        for product in self.products:
            if all(factor in parts for factor in product.args):
                place = parts.index(product.args[0])
                parts[place] = product
                parts = [part for part in parts if part not in product.args]
        return self.times.join(self.within(part, POWER) for part in parts)

    def numerator(self, expression: Expr) -> str:
        """Return the text before a division sign."""
        return self.within(expression, PRODUCT)

    def denominator(self, expression: Expr) -> str:
        """Return the text after a division sign."""
        return self.within(expression, POWER)

    def quotient(self, over: str, under: str) -> str:
        """Return the text of a division: exact where integers are meant, else true."""
        return f"{over}{'//' if self.whole else '/'}{under}"

    def power(self, expression: Pow) -> Printed:
        """``a**b``; a negative exponent is a quotient."""
        base, exponent = _base_and_exponent(expression)
        if exponent == S.Half:
            return self.bracketed("root", self.real(base))
        if exponent.could_extract_minus_sign():
            return self.quotient("1", self.denominator(1 / expression)), PRODUCT
        return self.within(base, ATOM) + self.exponent(exponent), POWER

    def exponent(self, exponent: Expr) -> str:
        """Return an exponent with the sign before it."""
        return f"**{self.within(exponent, POWER)}"

    def call(self, expression: Expr) -> Printed:
        """``max(a, b)`` and the like; ``round_to`` and ``log2`` take real numbers."""
        real = type(expression) in (RoundTo, Log2)
        arguments = [self.real(a) if real else self(a) for a in expression.args]
        return self.names[type(expression)] + self.parenthesized(", ".join(arguments)), ATOM

    def largest_of_iterations(self, expression: LargestOfIterations) -> Printed:
        """``max(x for turn in range(n))``."""
        x, index, count = expression.args
        return f"max({self(x)} for {index.name} in range({self(count)}))", ATOM

    def floor(self, x: Expr, q: Expr) -> Printed:
        """``x//q``, ``ceil(x/q)``, ``(x + r)//q``, or the shape formula's ``(x − r)//q + 1``."""
        constant, rest = x.as_coeff_Add()
        if not (q.is_Integer and constant.is_Integer and is_whole(rest)):
            return self.floored(x, q)
        if constant == q - 1:
            return self.bracketed("ceil", self.divided(rest, q))
        if 0 <= constant < q:
            return self.floored(x, q)
        return f"{self.floored(x - q, q)[0]} {self.plus} {self.number(S.One)[0]}", SUM

    def floored(self, x: Expr, q: Expr) -> Printed:
        """``x//q``."""
        if not is_whole(x) or not is_whole(q):
            return self.bracketed("floor", self.real(x / q))
        return f"{self.within(x, POWER)}//{self.within(q, POWER)}", PRODUCT

    def bracketed(self, name: str, inner: str) -> Printed:
        """Return a text with the signs of a floor or a ceiling around it."""
        before, after = self.brackets[name]
        return f"{before}{inner}{after}", ATOM

    def divided(self, x: Expr, q: Expr) -> str:
        """Return ``x/q`` as it stands within brackets."""
        return f"{self.within(x, POWER)}/{self.within(q, POWER)}"


_FORMS: dict[type, Callable[[PythonText, Any], Printed]] = {
    Add: lambda printer, x: printer.sum(x),
    Mul: lambda printer, x: printer.product(x),
    Pow: lambda printer, x: printer.power(x),
    **dict.fromkeys((Symbol, symbols.Symbol), lambda printer, x: (printer.symbol(x.name), ATOM)),
    Float: lambda printer, x: printer.number(Rational(str(x))),
    Dummy: lambda printer, x: (printer.symbol(x.name), ATOM),
    FloorDiv: lambda printer, x: printer.floor(*x.args),
    Ceiling: lambda printer, x: printer.bracketed("ceil", printer.space + printer.real(x.args[0])),
    Quotient: lambda printer, x: (
        printer.quotient(printer.numerator(x.args[0]), printer.denominator(x.args[1])),
        PRODUCT,
    ),
    LargestOfIterations: lambda printer, x: printer.largest_of_iterations(x),
    Quantity: lambda printer, x: (printer.real(x.args[0]), SUM),
    **dict.fromkeys(PythonText.names, lambda printer, x: printer.call(x)),
}
"""Operation → how a printer writes it."""


class Unicode(PythonText):
    """Expressions as a person writes them in plain text: ``⌊(h − 63)/32⌋ + 1``."""

    times = "·"
    minus = "−"
    brackets: ClassVar[dict[str, tuple[str, str]]] = {
        **PythonText.brackets,
        "floor": ("⌊", "⌋"),
        "ceil": ("⌈", "⌉"),
    }

    def quotient(self, over: str, under: str) -> str:
        """``a/b``."""
        return f"{over}/{under}"

    def exponent(self, exponent: Expr) -> str:
        """``a²``; other exponents as ``a^b``."""
        if exponent.is_Integer and exponent > 1:
            return str(exponent).translate(_SUPERSCRIPTS)
        return f"^{self.within(exponent, POWER)}"

    def largest_of_iterations(self, expression: LargestOfIterations) -> Printed:
        """``max(0 ≤ i < n: x)``."""
        x, index, count = expression.args
        return f"max(0 ≤ {index.name} < {self(count)}: {self(x)})", ATOM

    def floored(self, x: Expr, q: Expr) -> Printed:
        """``⌊x/q⌋``."""
        return self.bracketed("floor", self.real(x) if q is S.One else self.divided(x, q))


_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Latex(PythonText):
    """Expressions as LaTeX math."""

    times = r" \cdot "
    names: ClassVar[dict[type, str]] = {
        RoundTo: r"\operatorname{round\_to}",
        Maximum: r"\max",
        Minimum: r"\min",
        Log2: r"\log_2",
    }
    brackets: ClassVar[dict[str, tuple[str, str]]] = {
        "floor": (r"\left\lfloor", r"\right\rfloor"),
        "ceil": (r"\left\lceil", r"\right\rceil"),
        "root": (r"\sqrt{", "}"),
    }
    space = " "

    def symbol(self, name: str) -> str:
        """Return a single letter as it is, a word upright, a trailing number as an index."""
        head = name.rstrip("0123456789").rstrip("_")
        index = name[len(head) :].lstrip("_")
        head = head if len(head) == 1 else rf"\mathrm{{{head}}}".replace("_", r"\_")
        return f"{head}_{{{index}}}" if index else head

    def parenthesized(self, shown: str) -> str:
        r"""``\left( … \right)``."""
        return rf"\left({shown}\right)"

    def numerator(self, expression: Expr) -> str:
        """A fraction bar needs no parentheses."""
        return self(expression)

    def denominator(self, expression: Expr) -> str:
        """A fraction bar needs no parentheses."""
        return self(expression)

    def quotient(self, over: str, under: str) -> str:
        r"""``\frac{a}{b}``."""
        return rf"\frac{{{over}}}{{{under}}}"

    def exponent(self, exponent: Expr) -> str:
        """``a^{b}``."""
        return f"^{{{self(exponent)}}}"

    def largest_of_iterations(self, expression: LargestOfIterations) -> Printed:
        r"""``\max_{0 \le i < n} x``."""
        x, index, count = expression.args
        bounds = rf"0 \le {self.symbol(index.name)} < {self(count)}"
        return rf"\max_{{{bounds}}}" + self.parenthesized(self(x)), ATOM

    def floored(self, x: Expr, q: Expr) -> Printed:
        r"""``\left\lfloor\frac{x}{q}\right\rfloor``."""
        return self.bracketed("floor", self.space + self(x) if q is S.One else self.divided(x, q))

    def divided(self, x: Expr, q: Expr) -> str:
        r"""``\frac{x}{q}``."""
        return self.quotient(self(x), self(q))


def _fraction(expression: Expr) -> tuple[Expr, Expr]:
    """Numerator and denominator of a product, factor by factor."""
    if not has_quotient(expression):
        return expression, S.One
    over, under = [], []
    for factor in Mul.make_args(expression):
        if isinstance(factor, Rational):
            over.append(Integer(factor.p))
            under.append(Integer(factor.q))
        elif isinstance(factor, Pow) and factor.args[1].could_extract_minus_sign():
            under.append(1 / factor)
        else:
            over.append(factor)
    return Mul(*over), Mul(*under)


def _base_and_exponent(power: Pow) -> tuple[Expr, Expr]:
    """``x**(3/2)`` is the third power of ``sqrt(x)``."""
    base, exponent = power.args
    if exponent.is_Rational and exponent.q == 2 and exponent.p > 1:
        return Pow(base, S.Half), Integer(exponent.p)
    return base, exponent


def factor_order(factor: Expr) -> int:
    """Order numbers, names and their powers, sums of these, sizes, and sums of sizes."""
    if factor.is_Rational:
        return 0
    return 1 + bool(factor.is_Add) + 2 * bool(floors_in(factor))


def term_order(term: Expr) -> tuple[bool, int, int]:
    """Order fine resolutions before coarse ones, high degrees before low, numbers last."""
    strides = [int(f.args[1]) for f in floors_in(term) if f.args[1].is_Integer]
    degree = sum(1 for factor in Mul.make_args(term) if not factor.is_Rational)
    return bool(term.is_Rational), max(strides, default=0), -degree


@lru_cache(maxsize=10_000)
def text(expression: Expr) -> str:
    """Return the reference form: Python over integers."""
    return PythonText()(expression)


def real_text(expression: Expr) -> str:
    """Return the reference form where quotients are true divisions."""
    printer = PythonText()
    printer.whole = False
    return printer(expression)


def _in_python(operation: Operation) -> str:
    """Return the reference form of an operation, as ``str`` shows it."""
    return text(operation) if operation.is_integer else real_text(operation)


def latex(expression: Expr) -> str:
    """LaTeX math, without delimiters."""
    return Latex()(expression)


Operation.in_python, Operation.in_latex = staticmethod(_in_python), staticmethod(latex)
