"""Recurrent layers: two matrices per layer and direction, over every step."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sympy import Expr, Integer, S

from archspec.fields import Expression
from archspec.layers.recurrent import GRU, LSTM, RNN, Recurrent
from costmodel.algebra.conditions import AtLeast, Equal
from costmodel.rules import Both, Shape, Site, backward_rule, elements, rule
from costmodel.rules.backward import BYTE, WEIGHTS, Backward, KeptInput, KeptIntermediate
from costmodel.rules.base import Several, show_shape
from costmodel.rules.cost import (
    Cost,
    Inner,
    KeptState,
    Output,
    Parameter,
    Role,
    axes_but,
    weight_of,
)
from costmodel.rules.linear import linear_nest
from costmodel.rules.memory import kept_state
from costmodel.rules.nests import BATCH, Loop, LoopNest
from costmodel.rules.sliding import require_probability


@rule(Recurrent)
def recurrent(layer: Recurrent, site: Site) -> Both:
    """``(n, t, c) → (n, t, D·h)``, per layer and direction ``n·t·G·h·(c + h)`` MACs.

    As many weights per step, two biases. Source: ``torch.nn.LSTM``, ``GRU`` and ``RNN``; Sak et
    al., 2014 (projection).
    """
    require_probability(site, "dropout", layer.dropout)
    if len(site.input) != 3:
        raise site.node.error(f"the input {show_shape(site.input)} is not (n, t, c)")
    n, t, _ = site.input
    state = _state(layer, site)
    hidden = site.size("hidden_size", layer.hidden_size)
    if _projection(layer):
        rule = "proj_size ({state}) must be smaller than hidden_size ({hidden})"
        shown = {"state": state, "hidden": hidden}
        site.require(AtLeast(hidden - state, 1), rule, shown, "proj_size")
    output = n, t, _directions(layer) * state
    layers = site.integer("num_layers", layer.num_layers)
    if layers < 1:
        raise site.node.error(f"num_layers ({layers}) must be at least 1", field="num_layers")
    cells = list(_cells(layer, site, layers, output))
    nests = [nest for cell in cells for nest in _products(layer, site, cell)]
    biases = [bias for cell in cells for bias in _biases(layer, site, cell)]
    gates = layers * _directions(layer) * 2 * layer.gates * hidden
    rows = n * t
    inner = (Inner("gates", rows * gates), Inner("between", (layers - 1) * rows * output[2]))
    learned, axes = (*map(weight_of, nests), *biases), axes_but(3, 2)
    cost = Cost(Output.LINEAR, tuple(nests), learned, inner=inner, axes=axes, ends=(1,))
    cost, states = cost._replace(state=_kept(layer, site, layers)), _states(layer, site, layers)
    _require_states(site, states)
    if layer.outputs > 1 or len(site.inputs) > 1:  # the axes of states are others
        cost = cost._replace(axes=(None,) * 3)
    return (Several((output, *states)) if layer.outputs > 1 else output), cost


def _states(layer: Recurrent, site: Site, layers: int) -> tuple[Shape, ...]:
    """Return the shapes of the states between two steps: ``(D·L, n, h)``, of an LSTM cells, too."""
    rows = site.input[0 if layer.batch_first.holds else 1]
    sizes = [_state(layer, site)]
    if isinstance(layer, LSTM):
        sizes.append(site.size("hidden_size", layer.hidden_size))
    return tuple((Integer(layers * _directions(layer)), rows, size) for size in sizes)


def _require_states(site: Site, states: Sequence[Shape]) -> None:
    """Require the first states, if they enter, to be as many as there are, of their shapes."""
    given = site.inputs[1:]
    if given and (len(given), *map(len, given)) != (len(states), *(3 for _ in given)):
        each = " and ".join(map(show_shape, states))
        raise site.node.error(f"the first states are {each}, not {len(given)} other tensors")
    for number, (found, state) in enumerate(zip(given, states, strict=False), 1):
        for axis, (left, right) in enumerate(zip(found, state, strict=True)):
            rule = (
                f"axis {axis} of {site.sources[number]} ({{left}}) must be {{right}}, the states'"
            )
            site.require(Equal(left, right), rule, {"left": left, "right": right})


def _kept(layer: Recurrent, site: Site, layers: int) -> KeptState | None:
    """Return what one direction hands to the next token: each layer's state, and LSTM cells."""
    if layer.bidirectional.holds:
        return None
    parts: tuple[Expr, ...] = (layers * _state(layer, site),)
    if isinstance(layer, LSTM):
        parts += (layers * site.size("hidden_size", layer.hidden_size),)
    rows, axis = (site.input[0], 1) if layer.batch_first.holds else (site.input[1], 0)
    return kept_state(site, parts, axis, rows)


def _directions(layer: Recurrent) -> int:
    return 2 if layer.bidirectional.holds else 1


def _state(layer: Recurrent, site: Site) -> Expr:
    """Features that a step hands on: ``h``, or what it is projected to."""
    projected = _projection(layer)
    if projected is None:
        return site.size("hidden_size", layer.hidden_size)
    return site.size("proj_size", projected)


def _projection(layer: Recurrent) -> Expression | None:
    return layer.proj_size if isinstance(layer, LSTM) else None


class RecurrentCell(NamedTuple):
    """One layer in one direction, or all layers after the first, which are equal."""

    name: str  # PyTorch's suffix of its weights, ``l0_reverse``; of several, the first and the last
    features: Expr  # what a step takes beside the state
    source: int | None  # the number of the layer's input that it reads; None of a layer before
    copies: Expr  # how many layers it stands for


def _cells(layer: Recurrent, site: Site, layers: int, output: Shape) -> Iterator[RecurrentCell]:
    """The first layer, and all further ones at once, each in every direction."""
    further = "l1" if layers == 2 else f"l1…l{layers - 1}"
    for suffix in ("", "_reverse")[: _directions(layer)]:
        yield RecurrentCell(f"l0{suffix}", site.input[-1], 0, S.One)
        if layers > 1:
            yield RecurrentCell(f"{further}{suffix}", output[-1], None, Integer(layers - 1))


def _products(layer: Recurrent, site: Site, cell: RecurrentCell) -> Iterator[LoopNest]:
    """The products of a cell, named as PyTorch names their weights."""
    n, t, _ = site.input
    rows = (Loop(BATCH, n), Loop("t", t))
    hidden, state = site.size("hidden_size", layer.hidden_size), _state(layer, site)
    sizes = {"ih": (cell.features, layer.gates * hidden), "hh": (state, layer.gates * hidden)}
    if _projection(layer):
        sizes["hr"] = (hidden, state)
    for which, (features, made) in sizes.items():
        weight = f"weight_{which}_{cell.name}"
        biased = layer.bias.holds and which != "hr"
        nest = linear_nest(rows, features, made, weight, cell.source if which == "ih" else None)
        yield nest._replace(name=f"{which}_{cell.name}", biased=biased, copies=cell.copies)


def _biases(layer: Recurrent, site: Site, cell: RecurrentCell) -> Iterator[Parameter]:
    if layer.bias.holds:
        shape = (Integer(layer.gates), site.size("hidden_size", layer.hidden_size))
        for which in ("ih", "hh"):
            name = f"bias_{which}_{cell.name}"
            size = elements(shape)
            yield Parameter(name, Role.BIAS, size, "G·h", shape, copies=cell.copies)


_MADE: Mapping[type[Recurrent], Mapping[str, int]] = {
    LSTM: {"gates": 4, "cells": 1, "tanh of the cells": 1},
    GRU: {"gates": 3, "new state's share": 1},
    RNN: {},
}
"""Of each step and feature of the state: what is kept beside the states themselves."""


@backward_rule(Recurrent)
def recurrent_backward(layer: Recurrent, site: Site, output: Shape) -> Backward:
    """The input, the states of every step, and of each cell what its products and functions need.

    LSTM, ``c' = f·c + i·g, h = o·tanh(c')``: the gates i, f, g, o for each other's gradients and
    their own slopes, c' and its tanh. GRU, ``h' = (1 − z)·n + z·h, n = tanh(x + r·m)``: r, z, n and
    m, which r multiplies. RNN: its state is enough. The last layer's states are the output; those
    between layers are made inside, and dropped out of the next layer's input. A projection keeps
    its input. Source: the formulas of ``torch.nn.LSTM``, ``GRU`` and ``RNN``, step by step.
    """
    rows, layers = output[0] * output[1], site.integer("num_layers", layer.num_layers)
    hidden = site.size("hidden_size", layer.hidden_size)
    made = dict(_MADE[next(kind for kind in _MADE if isinstance(layer, kind))])
    cells = layers * _directions(layer) * hidden
    inside = [KeptIntermediate(name, rows * count * cells) for name, count in made.items()]
    weights = frozenset({WEIGHTS})
    if _projection(layer):
        inside.append(KeptIntermediate("before the projection", rows * cells, needed_by=weights))
    if layers > 1:
        between = (layers - 1) * rows * output[2]
        inside.append(KeptIntermediate("states between", between))
        if site.value("dropout", layer.dropout) != 0:
            inside += [
                KeptIntermediate("mask", between, BYTE),
                KeptIntermediate("dropped states", between),
            ]
    first = tuple(KeptInput(number) for number in range(1, len(site.inputs)))
    return Backward((KeptInput(0, weights), *first), output=True, inside=tuple(inside))
