"""Network → the text of its spec, and the source's name of every entry.

A folded network (`folding`), or one fitted to several networks of a factory (`fitting`), is written
as plain data in the order of the language's reference, and that as YAML (`yaml_text`).
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from archspec.architecture import load
from archspec.errors import SpecError
from archspec.expansion import build_graph
from archspec.expressions import ExpressionError, parse
from archspec.fields import shortened
from archspec.importers.calls import Size, SourceNetwork, Varied
from archspec.importers.folding.drafts import Block, Draft, Item, Named
from archspec.importers.folding.fitting import Make, fit
from archspec.importers.folding.fold import fold
from archspec.importers.folding.forms import after
from archspec.importers.folding.naming import Frame, Labels
from archspec.importers.folding.paths import path_of_node
from archspec.importers.folding.yaml_text import Entries, Expression, line, lines
from archspec.layers import KINDS, find_kind


def write(network: SourceNetwork) -> tuple[str, Mapping[str, str]]:
    """Return the text of a network's spec, and its entries' paths with the source's names of them.

    Args:
        network: the network.

    Raises:
        SpecError: it has what no spec says, as a size that is no expression.
    """
    return _with_names(network, fold(network))


def write_fitted(
    make: Make, vary: Mapping[str, Sequence[int | float]]
) -> tuple[str, Mapping[str, str]]:
    """Return the same of all networks of a factory, with a symbol for each parameter (see `fit`).

    Args:
        make: makes the network of some values.
        vary: parameter → values of it.

    Raises:
        SpecError: a number follows no formula that is known.
    """
    return _with_names(*fit(make, vary))


def _with_names(network: SourceNetwork, draft: Draft) -> tuple[str, Mapping[str, str]]:
    text = text_of(network, draft)
    nodes = build_graph(load(text)).nodes
    runs = (run for item in draft.body.items for run in item.runs)
    return text, {node.path: path_of_node(run) for node, run in zip(nodes, runs, strict=True)}


def text_of(network: SourceNetwork, draft: Draft) -> str:
    """Return the text of a spec.

    Args:
        network: what the spec is of.
        draft: its entries.
    """
    labels = Labels(network, draft)
    outputs = _outputs(network, draft, labels)
    inputs = {labels.inputs[name]: [*map(plain, sizes)] for name, sizes in network.inputs.items()}
    head: dict[str, object] = {"archspec": 1, "name": line(network.name) or "Imported network"}
    head |= {"source": line(network.source)} if line(network.source) else {}
    if network.remarks:
        head["notes"] = [line(each) for each in network.remarks]
    if network.symbols:
        head["symbols"] = {name: _symbol(value) for name, value in network.symbols.items()}
    body: dict[str, object] = {"input": inputs if len(inputs) > 1 else next(iter(inputs.values()))}
    if draft.blocks:
        body["blocks"] = {name: _block(block, labels) for name, block in draft.blocks.items()}
    body["layers"] = _entries(labels.top, labels)
    body |= {"outputs": outputs} if outputs else {}
    notes = [f"# {line(note)}" for note in (*network.notes, *draft.notes)]
    return "\n".join([*lines(head), *notes, *lines(body), ""])


def _symbol(symbol: int | Varied) -> object:
    """Return a symbol as data."""
    if not isinstance(symbol, Varied):
        return symbol
    written: dict[str, object] = {"default": _number(symbol.default)}
    written |= {"domain": "real"} if symbol.is_real else {}
    written["min"] = _number(symbol.least)
    return written | ({} if symbol.most is None else {"max": _number(symbol.most)})


def _number(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)


def _outputs(network: SourceNetwork, draft: Draft, labels: Labels) -> list[str]:
    """Return the names of what leaves the network; none where only the last entry leaves it."""
    last = draft.body.items[-1]
    if (after(last),) == (draft.body.output,) and len(network.outputs) == 1:
        return []
    return [labels.reference(tensor, labels.top) for tensor in draft.outputs]


def _block(block: Block, labels: Labels) -> dict[str, object]:
    """Return a block as data."""
    written: dict[str, object] = {}
    inputs = labels.entering(block.body)
    written |= {"inputs": inputs} if inputs else {}
    if block.parameters:
        parameters = block.parameters.items()
        written["parameters"] = {n: None if v is None else plain(v) for n, v in parameters}
    return written | {"layers": _entries(labels.top.inner(block.body, "block"), labels)}


def _entries(frame: Frame, labels: Labels, *, trained: bool = True) -> Entries:
    """Return a list of entries as data; what is around them says whether they are trained."""
    found, latest = Entries(), frame.entering
    for item in frame.body.items:
        found.append(_entry(item, frame, latest, labels, trained=trained))
        found.comments.append(labels.paths.of(item, frame.scope))
        latest = after(item)
    return found


def _entry(
    item: Item, frame: Frame, latest: str | None, labels: Labels, *, trained: bool
) -> object:
    """Return an entry as data: a word, or a mapping."""
    is_frozen = trained and item.kind not in labels.blocks and not item.trainable
    content = _content(item, frame, labels, trained=trained and not is_frozen)
    beside: dict[str, object] = {}
    name, sources = labels.of(item, frame), labels.sources(item, frame, latest)
    beside |= {"name": name} if name else {}
    beside |= {"from": sources if len(sources) > 1 else sources[0]} if sources else {}
    beside |= {"trainable": False} if is_frozen else {}
    return {item.kind: content or None} | beside if content or beside else item.kind


def _content(item: Item, frame: Frame, labels: Labels, *, trained: bool) -> object:
    """Return the fields of an entry as data, with the entries in it."""
    if item.kind == "share":
        (of,) = item.fields.values()
        assert isinstance(of, Named)
        return labels.reference(of.tensor, frame)
    fields = {name: _field(value, frame, labels) for name, value in _ordered(item)}
    written: dict[str, object] = {}
    for name, bodies in item.bodies.items():
        frames = [frame.inner(body, item.kind) for body in bodies]
        listed = [_entries(each, labels, trained=trained) for each in frames]
        written[name] = listed if name == "branches" else listed[0]
    if item.kind == "residual" and not written.get("shortcut"):
        return written["layers"]
    return fields | written


def _ordered(item: Item) -> list[tuple[str, object]]:
    """Return the fields of an entry in the order of the language's reference."""
    order = [*find_kind(item.kind).model_fields] if item.kind in KINDS else [*item.fields]
    known = {name: i for i, name in enumerate(order)}
    return sorted(item.fields.items(), key=lambda field: known.get(field[0], len(known)))


def _field(value: object, frame: Frame, labels: Labels) -> object:
    if isinstance(value, Named):
        return labels.reference(value.tensor, frame)
    return plain(value)


def plain(value: object) -> object:
    """Return the value of a field as data.

    Args:
        value: the value.

    Raises:
        SpecError: it is a size that is no expression.
    """
    if isinstance(value, Size):
        return Expression(checked(value.text))
    if isinstance(value, tuple):
        return [*map(plain, value)]
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, str):
        return line(value)
    return value


def checked(text: str) -> str:
    """Return the text of a size, if it is an expression of the language.

    Args:
        text: the text.

    Raises:
        SpecError: it is none.
    """
    try:
        parse(text)
    except ExpressionError as error:
        cause = f"the size '{shortened(line(text))}' is no expression: {error.cause}"
        raise SpecError(cause, hint=error.hint) from None
    return " ".join(text.split())
