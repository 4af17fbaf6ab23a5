"""The places of the input that a layer sees: how many, how far apart, and how far beyond its edge.

The network's field is the largest of its layers', which is that of the map before the head that
pools or flattens it. Where a layer sees everything and places go on behind it, as in attention,
there is none.
"""

from sympy import Expr

from costmodel.algebra.places import OpenPlacesError
from costmodel.algebra.work import budget
from costmodel.metrics.registry import (
    LARGEST,
    METRICS,
    Need,
    NoCountError,
    OpenFieldError,
    Unit,
    metric,
    no_count,
)
from costmodel.network.context import Context
from costmodel.network.propagation import LayerCost
from costmodel.network.receptive_field import (
    Measure,
    ReceptiveFields,
    end_of,
    fields_of,
    measured,
    padding_of,
    size_of,
    stride_of,
)

PLACES = Unit("elements of an axis of the input")


def fields(context: Context) -> ReceptiveFields:
    """Return what every layer of a network sees of its inputs."""
    network = context.network.propagation
    with budget("the receptive fields", network.largest_layer):
        return fields_of(network)


def _of_places(name: str, doc: str, measure: Measure) -> None:
    """Register a metric of the receptive field: its size, its stride or its padding."""

    def require(context: Context) -> None:
        """Raise the error that says why the network has none, if it has none."""
        counted = tuple(context.network.propagation.counted)
        end = end_of(context.derived(fields), counted)
        if end is not None:
            layers = (each.layer for each in counted)
            ends = next(layer for layer in layers if layer.node.path.startswith(end.path))
            raise no_count(name, str(end), ends)
        if not METRICS[name].parts(counted, context):
            raise no_count(name, no_places(context))

    def no_places(context: Context) -> str:
        """Return why no layer has one: the cause of the last."""
        for layer in reversed(context.network.propagation.layers):
            try:
                count(layer, context)
            except NoCountError as error:
                return error.cause.partition(": ")[2]
        return "there is no layer"

    title = name.replace("_", " ")

    @metric(name, title, PLACES, LARGEST, needs=(Need.PLACES,), require=require)
    def count(layer: LayerCost, context: Context) -> Expr:
        try:
            found = measured(context.derived(fields).by_layer[layer.node.path], measure)
        except OpenPlacesError as error:
            cause = f"{name} is none: of {layer.node.path}, {error}"
            hint = "fix symbols with --set"
            raise OpenFieldError(cause, hint=hint, origin=layer.node.origin) from None
        if isinstance(found, str):
            raise no_count(name, found, layer)
        return found

    count.__doc__ = doc


_of_places("receptive_field", "Places that an element of the output sees.", size_of)
_of_places("effective_stride", "Places between what two neighbours of the output see.", stride_of)
_of_places(
    "effective_padding",
    "Places before the input's first that the output's first element sees.",
    padding_of,
)
