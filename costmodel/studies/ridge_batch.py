"""The batch at which decode leaves the memory roof: where its products take as long as its bytes.

Both times are lines in the batch, so that the answer is a quotient of their coefficients, and where
there is none, that is proved, too. With experts they are lines in pieces: how many weights are read
hangs on which experts the tokens choose, so that the batch has two ends.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import StrEnum
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from sympy import Expr, Symbol

from archspec.arithmetic import Rational, tidy
from archspec.precision import TYPES
from costmodel.algebra.functions import exact, plain
from costmodel.algebra.sums import OpenFormError, Piece, coefficients, pieces
from costmodel.network.propagation import GroupCost, Part
from costmodel.scenario.devices import bandwidth, operations_per_second
from costmodel.scenario.scenario import PAST
from costmodel.studies.inference import Inference, is_choice


class ExpertChoice(StrEnum):
    """The way in which tokens choose experts, which decides whose weights are read."""

    SAME = "same"
    SPREAD = "spread"


class RidgeBatch(NamedTuple):
    """From which batch on a step of decode is bound by its products.

    Attributes:
        past: tokens of each sequence that came before.
        experts: how tokens choose theirs; None where there are none.
        shared: seconds by which moving what all sequences share exceeds computing for all.
        moved: seconds in which what each sequence adds is moved.
        computed: seconds in which what each sequence adds is computed.
        batch: the smallest such batch; None where there is none.
    """

    past: int
    experts: ExpertChoice | None
    shared: Rational
    moved: Rational
    computed: Rational
    batch: int | None


class RoundedRoof(NamedTuple):
    """The ridge batch where bytes are rounded up, so that times are not linear in the batch.

    Attributes:
        past: tokens of each sequence that came before.
        experts: how tokens choose theirs; None where there are none.
        batch: the smallest batch from which on all are bound by their products; None for none.
    """

    past: int
    experts: ExpertChoice | None
    batch: int | None


class NoRidgeBatch(NamedTuple):
    """The reason why no batch is found."""

    past: int
    experts: ExpertChoice | None
    reason: str


AnyRoof = RidgeBatch | RoundedRoof | NoRidgeBatch
"""What is known of the batch at which a step leaves the memory roof."""


class LinearRoof(NamedTuple):
    """From which batch on a linear layer alone is bound by its products: ``P·bytes/(2·BW)``.

    Attributes:
        operations: the type of its products.
        weights: the type of its weights.
        rate: operations per second, P.
        bandwidth: bytes per second, BW.
        batch: the exact quotient.
        share: of an expert's layer, ``experts/top_k``: of so many tokens that spread evenly one
            comes to each expert; None of other layers.
    """

    operations: str
    weights: str
    rate: Rational
    bandwidth: Rational
    batch: Rational
    share: Rational | None

    @property
    def weight_bytes(self) -> Rational:
        """Bytes of a weight."""
        return tidy(Fraction(TYPES[self.weights], 8))

    @property
    def spread(self) -> Rational | None:
        """The batch at which each expert sees ``batch`` tokens, where they spread evenly."""
        return None if self.share is None else tidy(Fraction(self.batch) * self.share)


HORIZON = 2**64
"""More tokens, and more sequences, than there ever are."""

PERIOD = 8
"""Of so many sequences more, bytes that are rounded up grow by a whole number."""


def roofs(inference: Inference) -> tuple[AnyRoof, ...]:
    """The batch at which the first and the last step leave the memory roof."""
    pasts = dict.fromkeys((inference.required_plan.prompt, inference.required_plan.last))
    choices = tuple(ExpertChoice) if inference.has_experts else (None,)
    return tuple(_roof(inference, past, choice) for past in pasts for choice in choices)


def _roof(inference: Inference, past: int, choice: ExpertChoice | None) -> AnyRoof:
    """``T_c(n) >= T_m(n)``, decided by the coefficients."""
    forms = _times(inference, choice)
    compute, memory = (inference.with_numbers(form, {PAST: past}) for form in forms)
    n = inference.decode.symbols[inference.axes.batch]
    with suppress(OpenFormError):
        return _of_lines(past, choice, compute, memory, n)
    try:
        return RoundedRoof(past, choice, _of_residues((compute - memory).expand(), n))
    except OpenFormError as error:
        return NoRidgeBatch(past, choice, str(error))


def _of_lines(
    past: int, choice: ExpertChoice | None, compute: Expr, memory: Expr, n: Symbol
) -> RidgeBatch:
    """Return the quotient of the coefficients, on the piece where the times cross."""
    found = list(pieces((compute - memory).expand(), n, 1, HORIZON))
    last = _last_of(found, n)
    piece = next(each for each in found if last < each.last or each is found[-1])
    level, gain = _numbers(piece.expression, n)
    _, computed = _numbers(compute, n)
    batch = 1 if level + gain >= 0 else ceil(-level / gain) if gain > 0 else None
    return RidgeBatch(past, choice, tidy(-level), tidy(computed - gain), tidy(computed), batch)


def _of_residues(excess: Expr, n: Symbol) -> int | None:
    """Return the same where times are lines of ``n = 8·k + 1``, ``8·k + 2``, … each, not of n."""
    lasts = []
    for rest in range(1, PERIOD + 1):
        period = Symbol("period", integer=True, nonnegative=True)
        moved = excess.xreplace({n: PERIOD * period + rest}).expand()
        last = _last_of(list(pieces(moved, period, 0, HORIZON)), period, before=-1)
        if last == HORIZON:
            return None
        lasts.append(PERIOD * last + rest)
    return max(max(lasts), 0) + 1


def _last_of(found: list[Piece], index: Symbol, before: int = 0) -> int:
    """The last value of the index at which pieces are negative, or the one before all."""
    ends = (_last_negative(piece, index) for piece in reversed(found))
    return next((end for end in ends if end is not None), before)


def _times(inference: Inference, choice: ExpertChoice | None = None) -> tuple[Expr, Expr]:
    """Seconds of a step's products, and of its bytes."""
    _, step = inference.works
    return step["compute"], step["memory_most" if choice is ExpertChoice.SPREAD else "memory"]


def _line(form: Expr, index: Symbol) -> tuple[Expr, Expr]:
    """Return level and rise of an expression that is a line."""
    parts = [*coefficients(form, index), exact(0)]
    if len(parts) > 3:
        raise OpenFormError(f"a term is of order {len(parts) - 2} in {index}")
    return parts[0], parts[1]


def _numbers(form: Expr, index: Symbol) -> tuple[Fraction, Fraction]:
    """Return level and rise of an expression that is a line in numbers."""
    level, rise = _line(form, index)
    return Fraction(plain(level)), Fraction(plain(rise))


def longest(inference: Inference) -> int | None:
    """The most tokens before, at which some batch leaves the memory roof; 0 where at none.

    None where it is so of any number of tokens, or where no form decides it. It hangs on what each
    sequence adds, and a batch that reads all experts adds none: it is the same of all choices.
    """
    past, n = inference.past, inference.decode.symbols[inference.axes.batch]
    try:
        (computed, moved) = (_line(form, n)[1] for form in _times(inference))
        last = _last_of(list(pieces((moved - computed).expand(), past, 1, HORIZON)), past)
    except OpenFormError:
        return None
    return None if last == HORIZON else last


def _last_negative(piece: Piece, index: Symbol) -> int | None:
    """The last value of the index at which a line is negative."""
    level, slope = _numbers(piece.expression, index)
    if level + slope * piece.last < 0:
        return piece.last
    return ceil(-level / slope) - 1 if level + slope * piece.first < 0 else None


def linear_roofs(inference: Inference) -> tuple[LinearRoof, ...]:
    """The batch of linear layers alone, one for each pair of types, experts apart from others."""
    parts = inference.decode.propagation.parts
    found = dict.fromkeys(_multiplying(inference, parts, None))
    return tuple(_linear_roof(inference, *each) for each in found)


def _multiplying(
    inference: Inference, parts: Iterable[Part], share: Rational | None
) -> Iterator[tuple[str, str, Rational | None]]:
    """The types of the products and of the weights of every layer that multiplies by weights."""
    for part in parts:
        if isinstance(part, GroupCost):
            yield from _multiplying(inference, part.parts, _share(inference, part, share))
        elif any(o.learnable for nest in part.cost.nests for o in nest.operands):
            types = inference.decode.context.types_of(part)
            yield types.operations, types.weights, share


def _share(inference: Inference, group: GroupCost, outer: Rational | None) -> Rational | None:
    """``experts/top_k`` of all groups of experts that a layer is in."""
    if not is_choice(group):
        return outer
    experts, top_k = map(inference.decode.evaluator, (group.copies, group.runs))
    return tidy(Fraction(experts) / top_k * (outer or 1))


def _linear_roof(
    inference: Inference, operations: str, weights: str, share: Rational | None
) -> LinearRoof:
    """``P·bytes/(2·BW)``: where n products with a weight take as long as reading it."""
    profile = inference.decode.context.device.profile
    rate, speed = operations_per_second(profile, operations), bandwidth(profile)
    batch = Fraction(rate) * TYPES[weights] / (16 * Fraction(speed))
    return LinearRoof(operations, weights, rate, speed, tidy(batch), share)
