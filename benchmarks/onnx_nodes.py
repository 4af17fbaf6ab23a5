"""Imports ONNX's own node tests, and compares the shapes of their outputs.

Run with ``python -m benchmarks.onnx_nodes``. Each test is one operator with data for its inputs.
Those that a network stores (weights, axes, shapes) are initializers here, as in a network: all but
the first are tried as inputs first, and as initializers where that is no network.
"""

import os
import re
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from archspec.errors import SpecError
from archspec.importers.onnx.source import network_of
from archspec.importers.source import Options
from costmodel import analyze
from tests.flat import flat_spec

REASONS = {
    "no kind": r"kind|a loop over|which branch|(are|is) used|depends on data|peepholes|dilated"
    r"|other than two axes",
    "no tensor, or an empty one": r"no input|no tensor|empty|positive integer|no shape"
    r"|not \[\((\)|.*\b0\b)",
    "wrong": "",
}
"""Reason of a failure → the pattern of the messages that have it; the first that matches counts."""

SUITES = ("node", "simple", "pytorch-operator", "pytorch-converted")


class Case(NamedTuple):
    """A model of one operator, or a few, with data.

    Attributes:
        name: its name.
        model: the model.
        inputs: data for each input.
        outputs: the shape of each output.
    """

    name: str
    model: Any
    inputs: list[Any]
    outputs: list[tuple[int, ...]]


def cases() -> Iterator[Case]:
    """Yield every model of ``onnx.backend.test`` that has data."""
    import onnx
    from onnx import numpy_helper
    from onnx.backend.test.loader import load_model_tests

    for test in (test for suite in SUITES for test in load_model_tests(kind=suite)):
        if test.model is not None:
            inputs, outputs = (test.data_sets or [((), ())])[0]
            if all(hasattr(output, "shape") for output in outputs):
                shapes: list[Any] = [output.shape for output in outputs]
                yield Case(test.name, test.model, list(inputs), shapes)
            continue
        folder = test.model_dir or ""
        if os.path.exists(path := os.path.join(folder, "model.onnx")):
            shapes, number = [], 0
            while os.path.exists(
                data := os.path.join(folder, "test_data_set_0", f"output_{number}.pb")
            ):
                with open(data, "rb") as file:
                    tensor = onnx.TensorProto()
                    tensor.ParseFromString(file.read())
                    shapes.append(numpy_helper.to_array(tensor).shape)
                number += 1
            yield Case(test.name, onnx.load(path), [], shapes)


def stored(case: Case, places: range) -> Any:
    """The model with some inputs as initializers."""
    from onnx import ModelProto, numpy_helper

    model = ModelProto()
    model.CopyFrom(case.model)
    names = [value.name for value in case.model.graph.input]
    for place in places:
        if place < min(len(names), len(case.inputs)) and hasattr(case.inputs[place], "dtype"):
            tensor = numpy_helper.from_array(case.inputs[place], names[place])
            model.graph.initializer.append(tensor)
    return model


def result(model: Any, name: str) -> list[tuple[int, ...]]:
    """The shapes that leave its spec.

    Raises:
        SpecError: it is no network.
    """
    network = network_of(model, name, Options())
    analysis = analyze(flat_spec(network))
    shapes = {
        tensor.label: tuple(int(analysis.evaluator(size)) for size in shape)
        for layer in analysis.layers
        for tensor, shape in zip(layer.made, layer.outputs, strict=True)
    }
    return [shapes[name] for name in network.outputs]


def outcome(case: Case) -> str:
    """``right``, or what is wrong."""
    errors = []
    for places in (range(0), range(1, 99), range(99)):
        try:
            found = result(stored(case, places), case.name)
        except SpecError as error:
            errors.append(error.cause.partition(": ")[2] or error.cause)
            continue
        wanted = list(dict.fromkeys(case.outputs))
        return "right" if wanted == list(dict.fromkeys(found)) else f"{found}, not {wanted}"
    return errors[1] if len(case.inputs) > 1 and "dtype" not in errors[1] else errors[0]


def main() -> None:
    """Print how many import, and each failure with its operator."""
    warnings.simplefilter("ignore")
    failures: defaultdict[str, list[str]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    for case in cases():
        if len(sys.argv) > 1 and sys.argv[1] not in case.name:
            continue
        try:
            said = outcome(case)
        except Exception as error:  # the benchmark names what no test foresaw, and goes on
            said = f"{type(error).__name__} {error}"
        counts["all"] += 1
        counts["right"] += said == "right"
        if said != "right":
            failures[f"{case.model.graph.node[-1].op_type}: {said}"].append(case.name)
    for said, names in failures.items():
        reason = next(reason for reason, text in REASONS.items() if re.search(text, said))
        counts[reason] += len(names)
    print(dict(counts))
    for said, names in sorted(failures.items()):
        print(f"{len(names):4} {said[:160]}  [{names[0]}]")


if __name__ == "__main__":
    main()
