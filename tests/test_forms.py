"""Every place of a spec, with every kind of literal in it: the reader and the schema judge alike.

The validator is jsonschema, which knows nothing of the reader. What the reader alone refuses is
listed, each with why a schema cannot see it.
"""

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic_core import PydanticCustomError

from archspec.architecture import read_architecture
from archspec.document import parse_document
from archspec.errors import SpecError
from archspec.fields import parse_text, read_condition, read_number
from archspec.layers import KINDS, Layer
from archspec.patterns import (
    DEEPEST,
    EXPRESSION,
    FAULTS,
    NUMERIC,
    ONE_NAME,
    PARENTHESES,
    SQUARE,
    TRUTH,
)
from archspec.ranges import RANGES, Range
from archspec.schema import language_schema
from costmodel import analyze
from tests.conftest import examples, share, thinned
from tests.test_schema import HEAD, VALIDATOR, accepted_by_schema

_DEFS = language_schema()["$defs"]
DEFINITIONS = {
    name: Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": _DEFS}) for name in _DEFS
}
"""A definition of the schema → what validates by it."""

LITERALS = (
    *("null", "true", "false", "0", "-1", "1", "2", "0.5", "1.5", "-1.5", "8.0", "1e300", "1e301"),
    *("-1e301", "1e-301", ".inf", "-.inf", ".nan", "1e999", "0x10"),
    *(
        "''",
        "'8'",
        "'-1'",
        "'08'",
        "'1.5'",
        "yes",
        "x y",
        "tanh",
        "same",
        "previous",
        "int8",
        "relu",
    ),
    *("[]", "[1]", "[1, 1]", "[0, 1]", "[2, 1.5]", "[1, 2, 3]", "[1, 2, 3, 4]", "[[1, 2], [0, 1]]"),
    *("[[0, -1], 1]", "[[1, 2, 3]]", "[null]", "[true]", "['8']", "[h, h]", "[h > 1]", "[relu]"),
    *("[[relu]]", "{}", "{a: 1}", "{a: 0}", "{a: [1, 2]}", "{h: 1.5}", "{1a: 1}", "{relu: }"),
)
"""YAML texts that are no expressions."""

EXPRESSIONS = (
    *(
        "h",
        "h + 1",
        "h > 3",
        "'(8*h'",
        "'8*h)'",
        "08*h",
        "h*08",
        "h + 8.5",
        "1e-08*h",
        "h +",
        "* h",
    ),
    *(
        "h h",
        "2 h",
        "h and 1",
        "true + 1",
        "not h",
        "h < 3 < 4",
        "'h, w'",
        "'(h, w)'",
        "'max(h, 1)'",
    ),
    *("'max(h'", "'floor(h, 1)'", "'round_to(h)'", "'round_to(h, 8)'", "'min()'", "'exp(h)'"),
    *("'w[0]'", "'w[h'", "'w[true]'", "'3[0]'", "'(h]'", "'(h[0)]'", "h/0", "h/0.5", "h//0 + 1"),
    *("'-(h)'", "'--1'", "h ** -1", "'(h)'", "true", "'true'", "'(true)'", "(h > 3) + 1", "a & b"),
    *("1/3", "'4/2'", "-1/3", "0/3", "1 / 2", "1/0", "1.5/2", "1/2/3"),
    *("h\u00a0+ 1", "'in_shape[0]'", "in_channels", "h = 3", "h == 3 or not h < 2", "hé"),
)
"""YAML texts that are expressions, or nearly."""

KNOWN_TO_THE_READER = {
    "a number of less than 1e-300": (r"\(1e-301\)", "dropout.p", "1e-301"),
    "what stands in brackets": (r"in '\(h > 3\) \+ 1'", "let.s", "(h > 3) + 1"),
    "brackets that cross": (r"expected '\]'", "let.s", "'(h[(1)*2)]'"),
    "what a name means already": (r"has a meaning already", "symbols", "{a: 1}\nlet: {a: 1}"),
    "which parameters a block has": (r"unknown parameter", "a call", "{a: 1}"),
    "which names are words": (r"is a word of the language", "blocks.b.input", "previous"),
    "which specs there are": (r"is no network of the zoo, and no path", "include", "nowhere"),
    "which blocks there are": (r"unknown kind", "blocks.b.layers", "[no]"),
    "what a variant overrides": (r"overrides what is there", "variants.v", "{let: {a: 1}}"),
    "the domain of what it overrides": (
        r"must be an integer \(or declare",
        "a variant's symbol",
        "0.5",
    ),
    "what two fields of a symbol say": (r"must be at least ", "symbols.s.min", "2"),
    "that it is at most one of them": (r"must be at most ", "symbols.s.max", "0.5"),
    "that it is a multiple of one": (r"must be a multiple of ", "symbols.s.multiple_of", "2"),
}
"""What the schema cannot see → what the reader says of it, a place, and such a text there."""


def numeric(kind: type[Layer]) -> list[str]:
    """The fields of a kind that are no text."""
    return [name for name, of in kind.model_fields.items() if of.annotation is not str]


def of_kinds() -> Iterator[tuple[str, str]]:
    """Every field of every kind, as a spec whose other fields are right."""
    for name, kind in KINDS.items():
        for field in numeric(kind):
            fields = {
                key: value
                for key, value in kind.example.items()
                if key != field and not {key, field} <= set(kind.either)
            }
            written = "".join(f", {key}: {json.dumps(value)}" for key, value in fields.items())
            yield f"{name}.{field}", f"layers: [{{{name}: {{{field}: §{written}}}}}]"


COMPOSITES = {
    "residual": "{residual: §}",
    "residual.layers": "{residual: {layers: §}}",
    "residual.shortcut": "{residual: {layers: [relu], shortcut: §}}",
    "side": "{side: §}",
    "side.layers": "{side: {layers: §}}",
    "residual.projects": "{residual: {layers: [relu], projects: §}}",
    "share": "{share: §}",
    "share.of": "{share: {of: §}}",
    "use": "{use: §}",
    "use.network": "{use: {network: §}}",
    "use.until": "{use: {network: mlp, until: §}}",
    "use.symbols": "{use: {network: mlp, symbols: §}}",
    "use.symbol": "{use: {network: mlp, symbols: {n: §}}}",
    "parallel.branches": "{parallel: {branches: §}}",
    "parallel.branch": "{parallel: {branches: [§]}}",
    "parallel.merge": "{parallel: {branches: [[]], merge: §}}",
    "parallel.axis": "{parallel: {branches: [[]], axis: §}}",
    "repeat.times": "{repeat: {times: §, layers: [relu]}}",
    "repeat.shared": "{repeat: {times: 2, shared: §, layers: [relu]}}",
    "repeat.index": "{repeat: {times: 2, index: §, layers: [relu]}}",
    "repeat.layers": "{repeat: {times: 2, layers: §}}",
    "foreach.rows": "{foreach: {rows: §, layers: [relu]}}",
    "foreach.row": "{foreach: {rows: [§], layers: [relu]}}",
    "foreach.item": "{foreach: {rows: [{t: §}], layers: [relu]}}",
    "foreach.columns": "{foreach: {columns: §, layers: [relu]}}",
    "foreach.column": "{foreach: {columns: {t: §}, layers: [relu]}}",
    "foreach.count": "{foreach: {count: §, layers: [relu]}}",
    "foreach.tensors": "{foreach: {tensors: §, layers: [relu]}}",
    "foreach.tensor": "{foreach: {tensors: {x: §}, layers: [relu]}}",
    "foreach.tensor.item": "{foreach: {tensors: {x: [§]}, layers: [relu]}}",
    "foreach.shared": "{foreach: {rows: [{t: 1}], shared: §, layers: [relu]}}",
    "foreach.index": "{foreach: {rows: [{t: 1}], index: §, layers: [relu]}}",
    "foreach.layers": "{foreach: {rows: [{t: 1}], layers: §}}",
    "moe.experts": "{moe: {experts: §, top_k: 1, layers: [relu]}}",
    "moe.top_k": "{moe: {experts: 8, top_k: §, layers: [relu]}}",
    "moe.layers": "{moe: {experts: 8, top_k: 1, layers: §}}",
    "entry": "§",
    "entry.name": "{relu: , name: §}",
    "entry.from": "{relu: , from: §}",
    "entry.when": "{relu: , when: §}",
    "entry.precision": "{relu: , precision: §}",
    "entry.precision.weights": "{relu: , precision: {weights: §}}",
    "entry.precision.cache": "{relu: , precision: {cache: §}}",
    "relu": "{relu: §}",
    "conv2d": "{conv2d: §}",
}
"""A place of an entry → the entry; § is the place."""

TOP = {
    "archspec": "archspec: §\nname: x\ninput: [1]\nlayers: [relu]",
    "name": "archspec: 1\nname: §\ninput: [1]\nlayers: [relu]",
    "source": "source: §\nlayers: [relu]",
    "input": "archspec: 1\nname: x\ninput: §\nlayers: [relu]",
    "input.size": "archspec: 1\nname: x\ninput: [1, §]\nlayers: [relu]",
    "input.a": "archspec: 1\nname: x\ninput: {a: §}\nlayers: [relu]",
    "input.a.size": "archspec: 1\nname: x\ninput: {a: [§]}\nlayers: [relu]",
    "layers": "layers: §",
    "symbols": "symbols: §\nlayers: [relu]",
    "symbols.s": "symbols: {s: §}\nlayers: [relu]",
    "symbols.s.default": "symbols: {s: {default: §}}\nlayers: [relu]",
    "a real default": "symbols: {s: {default: §, domain: real}}\nlayers: [relu]",
    "an integer default": "symbols: {s: {default: §, domain: integer}}\nlayers: [relu]",
    "symbols.s.domain": "symbols: {s: {default: 1, domain: §}}\nlayers: [relu]",
    "symbols.s.min": "symbols: {s: {default: 1, min: §}}\nlayers: [relu]",
    "symbols.s.max": "symbols: {s: {default: 1, max: §}}\nlayers: [relu]",
    "symbols.s.multiple_of": "symbols: {s: {default: 1, multiple_of: §}}\nlayers: [relu]",
    "symbols.s.doc": "symbols: {s: {default: 1, doc: §}}\nlayers: [relu]",
    "let": "let: §\nlayers: [relu]",
    "let.s": "let: {s: §}\nlayers: [relu]",
    "let.s.item": "let: {s: [1, §]}\nlayers: [relu]",
    "precision": "precision: §\nlayers: [relu]",
    "precision.activations": "precision: {activations: §}\nlayers: [relu]",
    "precision.accumulators": "precision: {accumulators: §}\nlayers: [relu]",
    "precision.kinds": "precision: {kinds: §}\nlayers: [relu]",
    "precision.kinds.relu": "precision: {kinds: {relu: §}}\nlayers: [relu]",
    "blocks": "blocks: §\nlayers: [relu]",
    "blocks.b": "blocks: {b: §}\nlayers: [relu]",
    "blocks.b.parameters": "blocks: {b: {parameters: §, layers: [relu]}}\nlayers: [relu]",
    "blocks.b.parameters.p": "blocks: {b: {parameters: {p: §}, layers: [relu]}}\nlayers: [relu]",
    "blocks.b.inputs": "blocks: {b: {inputs: §, layers: [relu]}}\nlayers: [relu]",
    "blocks.b.input": "blocks: {b: {inputs: [§], layers: [relu]}}\nlayers: [relu]",
    "blocks.b.outputs": "blocks: {b: {outputs: §, layers: [relu]}}\nlayers: [relu]",
    "blocks.b.output": "blocks: {b: {outputs: [§], layers: [relu]}}\nlayers: [relu]",
    "outputs": "layers: [relu]\noutputs: §",
    "outputs.item": "layers: [relu]\noutputs: [§]",
    "include": "include: §\nlayers: [relu]",
    "include.item": "include: [§]\nlayers: [relu]",
    "blocks.b.layers": "blocks: {b: {layers: §}}\nlayers: [relu]",
    "a call": "blocks: {b: {parameters: {p: 1}, layers: [relu]}}\nlayers: [{b: §}]",
    "an argument": "blocks: {b: {parameters: {p: 1}, layers: [relu]}}\nlayers: [{b: {p: §}}]",
    "variants": "variants: §\nlayers: [relu]",
    "variants.v": "variants: {v: §}\nlayers: [relu]",
    "a variant's symbol": "symbols: {s: 1}\nvariants: {v: {symbols: {s: §}}}\nlayers: [relu]",
    "a variant's real": "symbols: {s: {default: 1, domain: real}}\n"
    "variants: {v: {symbols: {s: §}}}\nlayers: [relu]",
    "a variant's let": "let: {s: 1}\nvariants: {v: {let: {s: §}}}\nlayers: [relu]",
    "expect": "layers: [relu]\nexpect: §",
    "expect.fact": "layers: [relu]\nexpect: [§]",
    "metric": "layers: [relu]\nexpect: [{metric: §, value: 1, source: s}]",
    "value": "layers: [relu]\nexpect: [{metric: macs, value: §, source: s}]",
    "a rounded value": "layers: [relu]\n"
    "expect: [{metric: macs, value: §, source: s, rounded: {to: 10}}]",
    "source of a fact": "layers: [relu]\nexpect: [{metric: macs, value: 1, source: §}]",
    "variant": "layers: [relu]\nexpect: [{metric: macs, value: 1, source: s, variant: §}]",
    "at": "layers: [relu]\nexpect: [{metric: macs, value: 1, source: s, at: §}]",
    "at.h": "layers: [relu]\nexpect: [{metric: macs, value: 1, source: s, at: {h: §}}]",
    "convention": "layers: [relu]\nexpect: [{metric: macs, value: 1, source: s, convention: §}]",
    "rounded": "layers: [relu]\nexpect: [{metric: macs, value: 1, source: s, rounded: §}]",
    "rounded.to": "layers: [relu]\nexpect: [{metric: macs, value: 1, source: s, rounded: {to: §}}]",
    "rounded.how": "layers: [relu]\n"
    "expect: [{metric: macs, value: 1, source: s, rounded: {to: 1, how: §}}]",
}
"""A place of the top level → what stands behind `HEAD`, or a whole spec; § is the place."""

PLACES = dict(of_kinds()) | {name: f"layers: [{entry}]" for name, entry in COMPOSITES.items()} | TOP


def whole(place: str, text: str) -> str:
    """The spec that has a text at a place."""
    body = PLACES[place].replace("§", text)
    return body if body.startswith("archspec") else HEAD + body


def said_of(text: str) -> str:
    """What the reader says of a spec before it expands anything; nothing if it accepts it."""
    try:
        read_architecture(parse_document(text))
    except SpecError as error:
        return str(error)
    return ""


def judged(text: str) -> tuple[str, bool] | None:
    """What the reader says of a spec, and whether the schema accepts it; None if it is no YAML."""
    try:
        return said_of(text), accepted_by_schema(text)
    except SpecError:
        return None


@pytest.mark.parametrize("place", PLACES)
def test_what_stands_at_a_place_is_judged_alike(place: str) -> None:
    cannot_see = re.compile("|".join(said for said, *_ in KNOWN_TO_THE_READER.values()))
    for literal in share((*LITERALS, *EXPRESSIONS), list(PLACES).index(place), 12):
        found = judged(whole(place, literal))
        if found is not None:
            said, valid = found
            assert valid or said, f"{literal} is refused by the schema alone"
            assert not (said and valid) or cannot_see.search(said), f"{literal}: {said}"


@pytest.mark.parametrize("why", KNOWN_TO_THE_READER)
def test_what_the_schema_cannot_see_is_refused_by_the_reader(why: str) -> None:
    said, *case = KNOWN_TO_THE_READER[why]
    text = whole(*case)
    assert re.search(said, said_of(text))
    assert accepted_by_schema(text)


REVIEWED = {
    "unbalanced": ("conv2d.stride", "'(8*h'"),
    "a leading zero": ("conv2d.stride", "08*h"),
    "a comparison": ("conv2d.out_channels", "h > 3"),
    "a decimal of channels": ("conv2d.out_channels", "8.5"),
    "negative channels": ("conv2d.out_channels", "-8"),
    "no stride": ("conv2d.stride", "0"),
    "no kernel": ("conv2d.kernel_size", "0"),
    "no groups": ("conv2d.groups", "0"),
    "a negative padding": ("conv2d.padding", "-1"),
    "negative turns": ("repeat.times", "-1"),
    "one and a half turns": ("repeat.times", "1.5"),
    "a probability of 2": ("dropout.p", "2"),
    "a kernel of three axes": ("conv2d.kernel_size", "[3, 3, 3]"),
    "an empty axis": ("input.size", "0"),
    "a decimal of an integer symbol": ("symbols.s", "3.5"),
    "a decimal default": ("symbols.s.default", "3.5"),
    "a size beyond all": ("conv2d.out_channels", "1e301"),
    "a shift beyond all": ("roll.shifts", "-1e301"),
    "a slope beyond all": ("leaky_relu.negative_slope", "-1e301"),
    "an extent of 0": ("reshape.shape", "[0, 8]"),
    "an axis twice": ("permute.dims", "[0, 1, 1]"),
    "both ways to scale": ("upsample.size", "2, scale_factor: 2"),
    "neither": ("upsample.size", "null"),
}
"""Mistakes of form that a schema has to see: place and text."""


@pytest.mark.parametrize("mistake", REVIEWED)
def test_a_mistake_is_refused_by_both(mistake: str) -> None:
    text = whole(*REVIEWED[mistake])
    assert said_of(text)
    assert not accepted_by_schema(text)


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("field", ["stride", "kernel_size", "padding"])
def test_a_number_that_an_editor_reads_is_finite(number: float, field: str) -> None:
    """YAML libraries make a float of .inf; the reader knows no such number."""
    fields = {"out_channels": 1, "kernel_size": 1, field: number}
    spec = {"archspec": 1, "name": "x", "input": [1], "layers": [{"conv2d": fields}]}
    assert not VALIDATOR.is_valid(spec)
    assert not VALIDATOR.is_valid(spec | {"layers": [{"leaky_relu": {"negative_slope": number}}]})


# One declaration

INPUTS = ("[1, 8, 8, 8]", "[1, 8, 8]", "[1, 8, 8, 8, 8]", "[1, 8, 1]")
OF_A_RANGE = re.compile(
    r"\) must be (?:a positive integer|an integer|at least 0|from 0 to 1|a known integer)"
    r"|must not be 0|must be a known positive integer"
)
"""What a rule says of a number that is out of a field's range, whatever the layer's input."""


def refusal_of_rules(kind: type[Layer], fields: dict[str, object], file: Path) -> str:
    """What is said of a layer on an input of the rank that it takes; nothing if it is analysed."""
    source = ", from: [input, input]" if kind.takes[0] == 2 else ""
    entry = f"{{{kind.kind}: {json.dumps(fields)}{source}}}"
    for shape in INPUTS:
        spec = f"let: {{zero: 0, below: -1, half: 1.5}}\ninput: {shape}\nlayers: [{entry}]"
        file.write_text(f"archspec: 1\nname: x\n{spec}", encoding="utf-8")
        try:
            analyze(file)
        except SpecError as error:
            said = str(error)
            if "axes" in said or "is not (n, t, c)" in said or "of extent 1" in said:
                continue  # of another rank
            return said
        return ""
    return said


@pytest.mark.parametrize("name", thinned(KINDS))
def test_ranges_are_those_of_the_rules(name: str, tmp_path: Path) -> None:
    """A number that a name has is refused later; as a literal it is refused where it is read."""
    kind, file = KINDS[name], tmp_path / "net.yaml"
    for field in numeric(kind):
        others = {key: v for key, v in kind.example.items() if not {key, field} <= set(kind.either)}
        for value, stands in (("0", "zero"), ("-1", "below"), ("1.5", "half")):
            literal = said_of(whole(f"{name}.{field}", value))
            later = refusal_of_rules(kind, others | {field: stands}, file)
            assert later or not literal, f"{field}: {value} is refused for no reason: {literal}"
            assert literal or not OF_A_RANGE.search(later), f"{field}: {value} is read: {later}"


@pytest.mark.parametrize("among", RANGES, ids=lambda among: among.name)
@given(st.integers(-3, 3) | st.fractions(-3, 3, max_denominator=4))
def test_the_schema_of_a_range_is_the_range(among: Range, number: Fraction) -> None:
    literal = int(number) if number.denominator == 1 else float(number)
    refused = among.broken_rule(number) is not None
    assert DEFINITIONS[among.name].is_valid(literal) != refused


@pytest.mark.parametrize("among", RANGES, ids=lambda among: among.name)
@given(st.fractions(-9, 9, max_denominator=8))
def test_the_nearest_number_of_a_range_is_one(among: Range, number: Fraction) -> None:
    """No quarter within 2 of it lies nearer."""
    nearest = among.nearest(number)
    candidates = [Fraction(i, 4) for i in range(-48, 49)]
    if nearest is None:
        assert among.without is not None
        return
    assert among.broken_rule(nearest) is None
    distance = abs(nearest - number)
    assert all(among.broken_rule(c) or abs(c - number) >= distance for c in candidates)


# Expressions

NAMES = st.sampled_from(
    ["h", "w", "n1", "_", "in_shape", "oracle", "android", "nothing", "trueish"]
)
NUMBERS = st.sampled_from(["0", "7", "10", "0.5", "08.5", "1.", ".5", "2e3", "1e-08", "1E+3"])
GAPS = st.sampled_from(["", " ", "  "])


def joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts one behind the other, with gaps between."""
    spaced = [part for each in parts for part in (each, GAPS)]
    return st.tuples(*spaced[:-1]).map("".join)


def just(text: str) -> st.SearchStrategy[str]:
    return st.just(text)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Numbers that are made of others."""
    operator = st.sampled_from(["+", "-", "*", "**"])
    division = st.sampled_from(["/", "//", "%"])
    several = st.lists(inner, min_size=1, max_size=3).map(" , ".join)
    called = joined(st.sampled_from(["min", "max"]), just("("), several, just(")"))
    return (
        joined(inner, operator, inner)
        | joined(inner, division, NAMES)
        | joined(st.sampled_from(["-", "+"]), inner)
        | joined(just("("), inner, just(")"))
        | joined(NAMES, just("["), inner, just("]"))
        | called
        | joined(st.sampled_from(["floor", "sqrt", "log2", "ceil"]), just("("), inner, just(")"))
        | joined(just("round_to("), inner, just(","), inner, just(")"))
    )


ARITHMETIC = st.recursive(NAMES | NUMBERS, larger, max_leaves=12)
COMPARED = joined(ARITHMETIC, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), ARITHMETIC)
CONNECTED = st.recursive(
    COMPARED | NAMES | st.sampled_from(["true", "false"]),
    lambda inner: (
        joined(inner, st.sampled_from([" and ", " or "]), inner)
        | joined(just("not "), inner)
        | joined(just("("), inner, just(")"))
    ),
    max_leaves=6,
)


def is_read(text: str) -> bool:
    """Whether the reader takes a text for an expression."""
    try:
        parse_text(text)
    except PydanticCustomError:
        return False
    return True


@given(ARITHMETIC)
def test_numbers_are_accepted_by_both(text: str) -> None:
    if is_read(text):  # not a bare number, and of a sensible length
        assert DEFINITIONS["positive_integer"].is_valid(text)
    else:
        assert_is_bare_or_long(text)


def assert_is_bare_or_long(text: str) -> None:
    with pytest.raises(PydanticCustomError, match=r"is text|nested deeper|longer than"):
        parse_text(text)


@given(CONNECTED)
def test_conditions_are_accepted_by_both(text: str) -> None:
    assert is_read(text)
    assert DEFINITIONS["condition"].is_valid(text)
    assert DEFINITIONS["value"].is_valid(text)


TOKENS = (
    *(
        "h",
        "w",
        "1",
        "0",
        "08",
        "2.5",
        "+",
        "-",
        "*",
        "/",
        "%",
        "**",
        "(",
        ")",
        "[",
        "]",
        ",",
        ", ",
    ),
    *("min(", "floor(", "round_to(", "<", "==", " and ", " or ", "not ", "true", " "),
)


@settings(max_examples=examples(3_000))
@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=9).map("".join))
def test_no_text_that_is_read_is_refused_by_the_schema(text: str) -> None:
    for name, read in (("number", read_number), ("condition", read_condition)):
        try:
            read(text)
        except PydanticCustomError:
            continue
        assert DEFINITIONS[name].is_valid(text), f"{name}: {text}"


@pytest.mark.parametrize("depth", [1, DEEPEST, DEEPEST + 1, 39])
@pytest.mark.parametrize("brackets", ["()", "[]"])
def test_brackets_are_counted_as_deep_as_is_said(brackets: str, depth: int) -> None:
    before = "h" if brackets == "[]" else ""
    opened, closed = f"{before}{brackets[0]}" * depth, brackets[1] * depth
    assert is_read(f"{opened}h{closed}")
    assert DEFINITIONS["number"].is_valid(f"{opened}h{closed}")
    assert DEFINITIONS["number"].is_valid(f"{opened}h{closed[1:]}") == (depth > DEEPEST)


PATTERNS = [PARENTHESES, SQUARE, FAULTS, NUMERIC, EXPRESSION, ONE_NAME, TRUTH]
LONG = {
    "open": "(" * 500 + "h",
    "closed": "h" + ")" * 500,
    "deep": ("(" * 9 + "h" + ")" * 9 + "+") * 50 + "&",
    "pairs": "(h)+" * 249 + "&",
    "one too many": "(h)*" * 249 + "h)",
    "gaps": "h" + " " * 998 + "&",
    "digits": "1" * 999 + "&",
    "letters": "a" * 999 + "&",
    "calls": "max(" * 240 + "&",
    "commas": "min(" + "h," * 490 + "&",
    "signs": "-" * 999,
    "keywords": "not " * 249 + "&",
    "items": "h[" * 490 + "&",
    "pairs of both": "h[(h)]+" * 140 + "&",
}


@pytest.mark.parametrize("text", LONG)
def test_no_pattern_runs_long(text: str) -> None:
    """Of a thousand characters each: far below a second, where a backtracking search never ends."""
    before = perf_counter()
    for pattern in PATTERNS:
        re.search(pattern, LONG[text])
    assert perf_counter() - before < 1
