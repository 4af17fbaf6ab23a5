"""Recurrent layers."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from archspec.fields import Flag, OptionalSize, Probability, Size, optional, required
from archspec.layers.base import Layer, Torch, kind


class Recurrent(Layer):
    """``(n, t, c) → (n, t, D·h)``: each step takes the input and the state of the step before.

    With ``G`` gates, D directions and a first layer: weights ``D·G·h·(c + h)``, two biases of
    ``D·G·h``, MACs ``n·t`` times the weights; each further layer takes ``D·h`` for ``c``. Further
    inputs are the first states, each ``(D·num_layers, n, h)``; without them these are zeros.

    Source: ``torch.nn.LSTM``, ``GRU`` and ``RNN``, whose parameters are counted (two biases).
    """

    gates: ClassVar[int]
    takes: ClassVar[tuple[int, int | None]] = (1, 2)
    example: ClassVar[dict[str, object]] = {"hidden_size": 4}
    elsewhere: ClassVar[Mapping[str, str]] = {"units": "hidden_size"}

    hidden_size: Size = required("features of the state, h")
    num_layers: Size = optional(1, "layers, each fed by the one before; a known integer")
    bias: Flag = optional(True, "whether there are biases")
    batch_first: Flag = optional(True, "(n, t, c) or (t, n, c); no cost depends on it")
    dropout: Probability = optional(
        0, "between layers while training; training memory alone depends on it"
    )
    bidirectional: Flag = optional(False, "whether a second direction is read, D = 2")
    states: Flag = optional(
        False,
        "whether the last states leave, too: every step is name.0, the states are name.1, the "
        "cells of an lstm name.2, each (D·num_layers, n, h)",
    )

    @property
    def outputs(self) -> int:
        """Every step, and the last states where they leave."""
        return self.takes[1] or 1 if self.states.holds else 1

    @classmethod
    def has_numbered_outputs(cls, fields: Mapping[str, object]) -> bool:
        """Return whether the last states leave, too."""
        return fields.get("states") is True


@kind("lstm", torch=(Torch("LSTM", given=("batch_first",)),))
class LSTM(Recurrent):
    """Four gates and a cell. Source: Hochreiter and Schmidhuber, 1997; Sak et al., 2014."""

    gates = 4
    takes: ClassVar[tuple[int, int | None]] = (1, 3)

    proj_size: OptionalSize = optional(
        None,
        "features that the state is projected to, less than h; what is handed on and "
        "leaves has so many, the gates keep h, and there are h·proj_size more weights",
    )


@kind("gru", torch=(Torch("GRU", given=("batch_first",)),))
class GRU(Recurrent):
    """Three gates. Source: Cho et al., EMNLP 2014."""

    gates = 3


@kind("rnn", torch=(Torch("RNN", given=("batch_first",)),))
class RNN(Recurrent):
    """One gate, no more than a linear layer. Source: Elman, 1990."""

    gates = 1

    nonlinearity: Literal["tanh", "relu"] = optional(
        "tanh", "the function of the state; no cost depends on it"
    )
