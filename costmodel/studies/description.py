"""Layers in the words of a slide: ``11×11 conv, 96, stride 4, pad 2``."""

import re
from collections.abc import Iterator

from archspec.arithmetic import Rational
from costmodel.algebra.evaluate import Evaluator
from costmodel.network.propagation import LayerCost
from costmodel.rules.cost import Output
from costmodel.rules.nests import Loop

WORDS = {"conv_transpose": "transposed conv", "avgpool": "average pool", "maxpool": "max pool"}
"""Beginning of a kind's name → the words for it."""


def describe(layer: LayerCost, evaluate: Evaluator) -> str:
    """Return a layer's kind, kernel, output channels and what is not usual of it."""
    parts = [_words(layer.node.kind)]
    loops = [loop for nest in layer.cost.nests[:1] for loop in nest.loops]
    windows = [loop.window for loop in loops if loop.window is not None]
    if windows:
        parts[0] = f"{_each([evaluate(w.kernel) for w in windows], '×')} {parts[0]}"
    if layer.cost.output is Output.CONV:
        parts.append(str(evaluate(layer.output[1])))
    elif layer.node.kind == "linear":
        parts.append(str(evaluate(layer.output[-1])))
    strides = [evaluate(window.stride) for window in windows]
    pads = [evaluate(side) for window in windows for side in window.sides]
    spacings = [evaluate(window.dilation) for window in windows]
    parts += _unless("stride", strides, 1)
    parts += _unless("pad", pads, 0)
    parts += _unless("dilation", spacings, 1)
    return ", ".join((*parts, *_groups(loops, evaluate)))


def _words(kind: str) -> str:
    plain = re.sub(r"\d+d$", "", kind)
    for name, words in WORDS.items():
        plain = re.sub(rf"{name}$", words, plain)
    return plain.replace("_", " ")


def _each(values: list[Rational], sign: str) -> str:
    return sign.join(map(str, values))


def _unless(word: str, values: list[Rational], usual: int) -> Iterator[str]:
    """Yield a word with its value, or those of all axes where they differ; not the usual one."""
    if any(value != usual for value in values):
        one = len(set(values)) == 1
        yield f"{word} {values[0] if one else _each(values, '×')}"


def _groups(loops: list[Loop], evaluate: Evaluator) -> Iterator[str]:
    for loop in loops:
        if loop.name == "c_i" and loop.share is not None:
            groups = evaluate(loop.share[1])
            yield "depthwise" if groups == evaluate(loop.count) else f"groups {groups}"
