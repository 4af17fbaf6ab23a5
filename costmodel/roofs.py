"""The batch at which decode leaves the memory roof: where its products take as long as its bytes.

Both times are lines in the batch, so that the answer is a quotient of their coefficients, and where
there is none, that is proved, too.
"""

from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from sympy import Expr, Symbol

from archspec.arithmetic import Rational, tidy
from archspec.precision import TYPES
from costmodel.algebra.functions import exact, plain
from costmodel.algebra.pieces import Piece, pieces
from costmodel.algebra.sums import OpenFormError, coefficients
from costmodel.inference import Inference
from costmodel.machines import bandwidth, operations_per_second
from costmodel.scenario import PAST


class Roof(NamedTuple):
    """From which batch on a step of decode is bound by its products.

    Attributes:
        past: tokens of each sequence that came before.
        shared: seconds by which moving what all sequences share exceeds computing for all.
        moved: seconds in which what each sequence adds is moved.
        computed: seconds in which what each sequence adds is computed.
        batch: the smallest such batch; None where there is none.
    """

    past: int
    shared: Rational
    moved: Rational
    computed: Rational
    batch: int | None


class NoLine(NamedTuple):
    """Why no batch is found."""

    past: int
    reason: str


class LinearRoof(NamedTuple):
    """From which batch on a linear layer alone is bound by its products: ``P·bytes/(2·BW)``.

    Attributes:
        operations: the type of its products.
        weights: the type of its weights.
        rate: operations per second, P.
        bandwidth: bytes per second, BW.
        batch: the exact quotient.
    """

    operations: str
    weights: str
    rate: Rational
    bandwidth: Rational
    batch: Rational

    @property
    def weight_bytes(self) -> Rational:
        """Bytes of a weight."""
        return tidy(Fraction(TYPES[self.weights], 8))


def roofs(inference: Inference) -> tuple[Roof | NoLine, ...]:
    """The batch at which the first and the last step leave the memory roof."""
    pasts = dict.fromkeys((inference.asked.prompt, inference.asked.last))
    return tuple(_roof(inference, past) for past in pasts)


def _roof(inference: Inference, past: int) -> Roof | NoLine:
    """``T_c(n) >= T_m(n)``, decided by the coefficients."""
    try:
        (c_0, c_1), (m_0, m_1) = (_numbers(inference, law, past) for law in _times(inference))
    except OpenFormError as error:
        return NoLine(past, str(error))
    shared, gain = Fraction(m_0 - c_0), Fraction(c_1 - m_1)
    batch = 1 if shared <= gain else ceil(shared / gain) if gain > 0 else None
    return Roof(past, tidy(shared), m_1, c_1, batch)


def _times(inference: Inference) -> tuple[Expr, Expr]:
    """Seconds of a step's products, and of its bytes."""
    _, step = inference.works
    assert step.compute is not None
    assert step.memory is not None
    return step.compute, step.memory


def _numbers(inference: Inference, law: Expr, past: int) -> tuple[Rational, Rational]:
    level, rise = _line(inference, inference.with_numbers(law, {PAST: past}))
    return plain(level), plain(rise)


def _line(inference: Inference, law: Expr) -> tuple[Expr, Expr]:
    """Level and rise of a law that is a line in the batch.

    Raises:
        OpenFormError: it is none.
    """
    n = inference.decode.symbols[inference.axes.batch]
    parts = coefficients(law, n)
    if len(parts) > 2:
        raise OpenFormError(f"a term is of order {len(parts) - 1} in {n}")
    return parts[0], parts[1] if len(parts) > 1 else exact(0)


HORIZON = 2**64
"""More tokens than any sequence has."""


def longest(inference: Inference) -> int | None:
    """The most tokens before, at which some batch leaves the memory roof; 0 where at none.

    None where it is so of any number of tokens, or where no form decides it.
    """
    past = inference.past
    try:
        (_, computed), (_, moved) = (_line(inference, law) for law in _times(inference))
        found = list(pieces((moved - computed).expand(), past, 1, HORIZON))
        ends = [_last_negative(piece, past) for piece in reversed(found)]
    except OpenFormError:
        return None
    last = next((end for end in ends if end is not None), 0)
    return None if last == HORIZON else last


def _last_negative(piece: Piece, index: Symbol) -> int | None:
    """The last value of the index at which a line is negative.

    Raises:
        OpenFormError: the piece is no line.
    """
    level, *rise = map(plain, coefficients(piece.expression, index))
    if len(rise) > 1:
        raise OpenFormError(f"{piece.expression} is no line")
    slope = rise[0] if rise else 0
    if level + slope * piece.last < 0:
        return piece.last
    return ceil(Fraction(-level) / slope) - 1 if level + slope * piece.first < 0 else None


def linear_roofs(inference: Inference) -> tuple[LinearRoof, ...]:
    """The batch of linear layers alone, one for each pair of types that they have."""
    return tuple(_linear_roof(inference, *types) for types in dict.fromkeys(_types(inference)))


def _types(inference: Inference) -> Iterator[tuple[str, str]]:
    """The types of the products and of the weights of every layer that multiplies by weights."""
    for layer in inference.decode.layers:
        if any(operand.learnable for nest in layer.cost.nests for operand in nest.operands):
            types = inference.decode.basis.types_of(layer)
            yield types.operations, types.weights


def _linear_roof(inference: Inference, operations: str, weights: str) -> LinearRoof:
    """``P·bytes/(2·BW)``: where n products with a weight take as long as reading it."""
    profile = inference.decode.basis.device.profile
    rate, speed = operations_per_second(profile, operations), bandwidth(profile)
    batch = Fraction(rate) * TYPES[weights] / (16 * Fraction(speed))
    return LinearRoof(operations, weights, rate, speed, tidy(batch))
