"""The expression grammar: text → tree. It knows nothing of what a name means.

    expression := or           or   := and ('or' and)*      and := not ('and' not)*
    not        := 'not' not | comparison
    comparison := sum (('==' | '!=' | '<' | '<=' | '>' | '>=') sum)*
    sum        := product (('+' | '-') product)*
    product    := sign (('*' | '/' | '//' | '%') sign)*
    sign       := ('+' | '-') sign | power                  power := postfix ['**' sign]
    postfix    := atom ('[' expression ']')*
    atom       := number [unit] | name | call | '(' expression ')'
    call       := name '(' expression (',' expression)* ')'
                | ('len' | 'shape' | 'reversed') '(' reference ')'
    reference  := (name | 'reversed' '(' reference ')') part*
    part       := '.' (name | digits | '*') | '[' expression ']'

Precedence and associativity are Python's, so that a person reads an expression as Python would.
Nothing is ever evaluated as Python.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple, TypeVar

from archspec.errors import did_you_mean
from archspec.trees import Binary, Call, Index, Name, Number, Part, Tree, Truth, Unary
from archspec.units import unit_hint

T = TypeVar("T")

MAX_LENGTH = 1_000
MAX_NESTING = 40
MAX_OPERATORS = 200
MAX_NUMBER_BITS = 2_048  # the largest number an expression may hold or produce

Functions = Mapping[str, tuple[int, int | None]]
"""Names of functions, with the least and the most arguments that each takes."""

FUNCTIONS: Functions = {
    "min": (1, None),
    "max": (1, None),
    "floor": (1, 1),
    "ceil": (1, 1),
    "round_to": (2, 2),
    "sqrt": (1, 1),
    "log2": (1, 1),
}
"""The functions of a spec."""

OF_NAMES = ("len", "shape", "reversed")
"""The functions whose argument is the name of a list or of tensors, never a number."""

Units = Mapping[str, int | Fraction]
"""Names of units, with the number of base units that each is."""

NO_UNITS: Units = {}
"""A spec's numbers are pure ones."""

KEYWORDS = frozenset({"and", "or", "not", "true", "false"})


class ExpressionError(ValueError):
    """A text that is no expression, or has no value; ``position`` counts its characters from 0.

    ``subject`` is what it is about wherever that stands, as in `archspec.errors.SpecError`.
    """

    def __init__(
        self, cause: str, position: int = 0, hint: str | None = None, subject: str | None = None
    ) -> None:
        super().__init__(cause)
        self.cause = cause
        self.position = position
        self.hint = hint
        self.subject = subject
        self.path: tuple[int | str, ...] = ()  # where in a list or mapping of expressions it stands

    def at(self, path: tuple[int | str, ...]) -> "ExpressionError":
        """The same error, inside the item that ``path`` leads to."""
        self.path = (*path, *self.path)
        return self


def inside(key: int | str, function: Callable[..., T], *arguments: object) -> T:
    """Return what a function gives of an item of a list or a mapping; an error says which item."""
    try:
        return function(*arguments)
    except ExpressionError as error:
        raise error.at((key,)) from None


class TooLargeError(ExpressionError):
    """A number of more bits than any spec needs; it is refused, not computed."""


COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][-+]?\d{1,3})?|\.\d+(?:[eE][-+]?\d{1,3})?)"
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<operator>//|\*\*|==|!=|<=|>=|[-+*/%<>()\[\],.]))",
    re.ASCII,
)


class _Token(NamedTuple):
    kind: str  # "number", "name", "operator" or "end"
    text: str
    position: int


def parse(
    text: str,
    functions: Functions = FUNCTIONS,
    units: Units = NO_UNITS,
    *,
    parts: bool = False,
) -> Tree:
    """Parse one expression.

    Args:
        text: the expression.
        functions: what may be called in it.
        units: what may stand behind a number, and how many base units each is.
        parts: whether ``name.part`` is a value, as a field inside another of a configuration.

    Raises:
        ExpressionError: the text is no expression, or breaks a limit of length or nesting.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"longer than {MAX_LENGTH} characters")
    parser = _Parser(list(_tokens(text)), functions, units, parts=parts)
    tree = parser.disjunction()
    parser.expect_end()
    return tree


def parse_reference(text: str) -> Tree:
    """Parse what stands for tensors: ``name``, ``name.part``, ``name.*``, ``name[i]``.

    Args:
        text: the reference; where nothing in it is indexed, a name in it may be any text.

    Raises:
        ExpressionError: the text is no reference.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"longer than {MAX_LENGTH} characters")
    if "[" not in text and "(" not in text:
        bearer, *names = text.split(".")
        tree: Tree = Name(bearer)
        for name in names:
            tree = Part(tree, name)
        return tree
    parser = _Parser(list(_tokens(text)), FUNCTIONS, NO_UNITS)
    tree = parser.reference()
    parser.expect_end()
    return tree


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    end = len(text.rstrip(" \t\r\n\f\v"))
    while position < end:
        match = _TOKEN.match(text, position)
        if not match:
            at = position + len(text[position:]) - len(text[position:].lstrip(" \t\r\n\f\v"))
            hint = "write ** for a power, as in h**2" if text[at] == "^" else None
            raise ExpressionError(f"'{text[at]}' has no place in an expression", at, hint)
        kind = match.lastgroup or ""
        yield _Token(kind, match[kind], match.start(kind))
        position = match.end()
    yield _Token("end", "", end)


class _Parser:
    """Recursive descent; ``depth`` and ``operators`` keep a text from exhausting the stack."""

    def __init__(
        self, tokens: list[_Token], functions: Functions, units: Units, *, parts: bool = False
    ) -> None:
        self.tokens = tokens
        self.parts = parts
        self.functions = functions
        self.units = units
        self.next = 0
        self.depth = 0
        self.operators = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.next]

    def take(self, *texts: str) -> str | None:
        """The next token's text if it is one of these operators or keywords, consumed."""
        token = self.token
        if token.kind in ("operator", "name") and token.text in texts:
            self.next += 1
            return token.text
        return None

    def require(self, text: str) -> None:
        if not self.take(text):
            raise ExpressionError(f"expected '{text}' {self._found()}", self.token.position)

    def expect_end(self) -> None:
        if self.token.text == ".":
            where = "a tensor stands under from; shape(name.part)[axis] is one of its sizes"
            raise ExpressionError("'.' has no place in an expression", self.token.position, where)
        if self.token.kind != "end":
            before = self.tokens[self.next - 1]
            hint = None
            if before.kind == "number" and self.token.kind == "name":
                number, word = before.text, self.token.text
                hint = unit_hint(number, word, self.units) or f"write {number}*{word} for a product"
            cause = f"expected an operator {self._found()}"
            raise ExpressionError(cause, self.token.position, hint)

    def _found(self) -> str:
        return f"before '{self.token.text}'" if self.token.text else "at the end"

    def combine(self, operator: str, left: Tree, right: Tree) -> Tree:
        self.count_operator()
        return Binary(operator, left, right)

    def count_operator(self) -> None:
        self.operators += 1
        if self.operators > MAX_OPERATORS:
            raise ExpressionError(f"more than {MAX_OPERATORS} operators", self.token.position)

    def enter(self) -> None:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise ExpressionError(f"nested deeper than {MAX_NESTING}", self.token.position)

    def disjunction(self) -> Tree:
        self.enter()
        tree = self.joined(self.conjunction, "or")
        self.depth -= 1
        return tree

    def conjunction(self) -> Tree:
        return self.joined(self.negation, "and")

    def joined(self, operand: Callable[[], Tree], *operators: str) -> Tree:
        """Parse operands joined by operators of one precedence, from the left."""
        tree = operand()
        while operator := self.take(*operators):
            tree = self.combine(operator, tree, operand())
        return tree

    def negation(self) -> Tree:
        if not self.take("not"):
            return self.comparison()
        self.enter()
        tree = Unary("not", self.negation())
        self.depth -= 1
        return tree

    def comparison(self) -> Tree:
        """``a < b <= c`` means ``a < b and b <= c``, as in Python."""
        left = self.sum()
        chain: Tree | None = None
        while operator := self.take(*COMPARISONS):
            right = self.sum()
            link = self.combine(operator, left, right)
            chain = link if chain is None else self.combine("and", chain, link)
            left = right
        return left if chain is None else chain

    def sum(self) -> Tree:
        return self.joined(self.product, "+", "-")

    def product(self) -> Tree:
        return self.joined(self.sign, "*", "/", "//", "%")

    def sign(self) -> Tree:
        operator = self.take("-", "+")
        if not operator:
            return self.power()
        self.enter()
        operand = self.sign()
        self.depth -= 1
        return operand if operator == "+" else Unary("-", operand)

    def power(self) -> Tree:
        base = self.postfix()
        if not self.take("**"):
            return base
        self.enter()
        tree = self.combine("**", base, self.sign())
        self.depth -= 1
        return tree

    def postfix(self) -> Tree:
        tree = self.atom()
        while self.parts and isinstance(tree, Name | Part) and (further := self.part(tree)):
            tree = further
        while self.take("["):
            self.count_operator()
            tree = Index(tree, self.disjunction())
            self.require("]")
        return tree

    def atom(self) -> Tree:
        token = self.token
        if token.kind == "number":
            self.next += 1
            unit = self.take(*self.units) or ""
            return Number(literal(token, self.units.get(unit, 1)), unit)
        if self.take("("):
            tree = self.disjunction()
            self.require(")")
            return tree
        if token.kind == "name" and token.text not in ("and", "or", "not"):
            return self.named(token)
        raise ExpressionError(f"expected a number or a name {self._found()}", token.position)

    def named(self, token: _Token) -> Tree:
        self.next += 1
        if token.text in ("true", "false"):
            return Truth(token.text == "true")
        if not self.take("("):
            return Name(token.text, token.position)
        if token.text in OF_NAMES and self.functions is FUNCTIONS:
            return Call(token.text, (self.closed(self.reference()),))
        arguments = [self.disjunction()]
        while self.take(","):
            arguments.append(self.disjunction())
        self.require(")")
        return call(token, tuple(arguments), self.functions)

    def closed(self, tree: Tree) -> Tree:
        """The tree, behind which a parenthesis closes."""
        self.require(")")
        return tree

    def reference(self) -> Tree:
        """Parse what stands for tensors, or for a list of values."""
        token = self.token
        if token.kind != "name":
            raise ExpressionError(f"expected a name {self._found()}", token.position)
        self.enter()
        self.next += 1
        tree: Tree = Name(token.text, token.position)
        if token.text == "reversed" and self.take("("):
            tree = Call("reversed", (self.closed(self.reference()),))
        self.depth -= 1
        while further := self.part(tree):
            tree = further
        return tree

    def part(self, tree: Tree) -> Tree | None:
        """One of several tensors, or all of them, if that is what follows."""
        if self.take("["):
            self.count_operator()
            at = self.disjunction()
            self.require("]")
            return Index(tree, at)
        token = self.token
        if token.kind == "number" and re.fullmatch(r"\.\d+", token.text):
            self.next += 1
            return Part(tree, token.text[1:])
        if not self.take("."):
            return None
        token = self.token
        if token.kind != "name" and token.text != "*":
            cause = f"expected the name of an output {self._found()}"
            raise ExpressionError(cause, token.position)
        self.next += 1
        return Part(tree, token.text)


def literal(token: _Token, size: int | Fraction = 1) -> int | Fraction:
    """Return the exact value of a number as it is written: ``128``, ``0.35``, ``64Ki``."""
    if re.fullmatch(r"0\d+", token.text):
        hint = f"write {token.text.lstrip('0') or 0}"
        raise ExpressionError(f"{token.text} has a leading zero", token.position, hint)
    value = Fraction(token.text) * size
    if max(abs(value.numerator), value.denominator).bit_length() > MAX_NUMBER_BITS:
        raise ExpressionError("a number with too many digits", token.position)
    return value.numerator if value.denominator == 1 else value


def call(token: _Token, arguments: tuple[Tree, ...], functions: Functions) -> Tree:
    """A call, if there is such a function and it takes so many arguments."""
    if token.text not in functions:
        raise ExpressionError(
            f"there is no function '{token.text}'",
            token.position,
            hint=did_you_mean(token.text, functions) or f"there are {', '.join(functions)}",
        )
    least, most = functions[token.text]
    if len(arguments) < least or (most is not None and len(arguments) > most):
        wanted = str(least) if most in (least, None) else f"{least} to {most}"
        several = "" if wanted == "1" else "s"
        cause = f"{token.text} takes {wanted} argument{several}, not {len(arguments)}"
        raise ExpressionError(cause, token.position)
    return Call(token.text, arguments)
