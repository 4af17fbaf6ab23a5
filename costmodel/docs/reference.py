"""The reference of metrics, ``docs/metrics.md``: generated from the register."""

from costmodel.metrics.registry import METRICS, USUAL, Metric

_PAGE = '''\
# Metrics

A metric is what `--metric` takes, a name in expressions (`--where "macs <= 1e9"`), and an attribute
of an analysis (`analyze("specs/alexnet.yaml").macs`). Those marked \\* are shown unasked, where
what they need is given.

| metric | column | unit | a network's | what is counted of a layer | needs |
| --- | --- | --- | --- | --- | --- |
{rows}
## Another metric

A metric is one file, `costmodel/metrics/NAME.py`. It registers a function of a layer and of what is
said beside it: the convention, the types, the device, and the network where one layer is not
enough. Its docstring says what is counted. Help, this page, `--metric`, `solve` and `sweep` find it
by themselves.

```python
from sympy import Add, Expr

from costmodel import analyze
from costmodel.metrics.registry import BYTES, metric
from costmodel.network.context import Context
from costmodel.network.propagation import LayerCost
from costmodel.rules.base import elements


@metric("output_bytes", "bytes of outputs", BYTES)
def count_output_bytes(layer: LayerCost, context: Context) -> Expr:
    """Bytes of what a layer makes."""
    made = zip(layer.made, map(elements, layer.outputs), strict=True)
    return Add(*(context.bytes_of(tensor, size) for tensor, size in made))


print(analyze("specs/mlp.yaml").at(n=1).output_bytes)  # 15464
```

`metric` also takes how the counts of layers become the network's (`SUM`, `SUM_OF_COPIES`,
`LARGEST`, …), what it `needs` (a device, training, …), and what is no layer's. A metric of another
distribution is named in its entry point group `archcost.metrics`, as kinds are in `archcost.kinds`.
'''

_TOGETHER = {
    ("sum", "run"): "sum over all runs",
    ("sum", "copy"): "sum over all copies of the weights",
    ("sum", "active copy"): "sum over the copies that work on a token",
    ("sum", "all runs"): "sum",
    ("max", "run"): "largest",
    ("max", "all runs"): "largest",
}


def metrics_reference() -> str:
    """Return the page: a row for each metric, then how to add one."""
    return _PAGE.replace("{rows}", "".join(map(_row, METRICS.values())))


def _row(metric: Metric) -> str:
    needs = ", ".join(need.value for need in metric.needs)
    of_network = _TOGETHER[metric.together.combine, metric.together.per]
    name = f"`{metric.name}`" + r" \*" * (metric.name in USUAL)
    cells = (name, metric.title, metric.unit.name, of_network, metric.doc, needs)
    return f"| {' | '.join(cells)} |\n".replace("``", "`")
