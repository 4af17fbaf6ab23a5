"""The language's JSON Schema against the reader, by an independent validator (jsonschema)."""

import copy
import json
import re
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from archspec import build_graph
from archspec.architecture import read_architecture
from archspec.document import parse_document, read_document
from archspec.errors import SpecError
from archspec.expressions import FUNCTIONS, ExpressionError, parse
from archspec.layers import KINDS
from archspec.patterns import EXPRESSION
from archspec.schema import language_schema
from tests.conftest import ROOT, Run, examples

SCHEMA = ROOT / "docs" / "archspec.schema.json"
SPECS = sorted((ROOT / "specs").glob("*.yaml"))
EDITORS_LINE = "# yaml-language-server: $schema=../docs/archspec.schema.json"

VALIDATOR = Draft202012Validator(language_schema())


def plain(value: Any) -> Any:
    """What a JSON reader has: decimals are floats."""
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def accepted_by_schema(text: str) -> bool:
    return VALIDATOR.is_valid(plain(parse_document(text).data))


def refusal_of_reader(text: str) -> str:
    """What the reader says, up to the graph, before any size is known; nothing if it is content."""
    try:
        build_graph(read_architecture(parse_document(text)), {})
    except SpecError as error:
        return str(error)
    return ""


# The files


def test_the_committed_schema_is_the_generated_one(
    archcost: Run, request: pytest.FixtureRequest
) -> None:
    printed = archcost("schema").stdout
    if request.config.getoption("--overwrite"):
        SCHEMA.write_text(printed, encoding="utf-8")
    assert SCHEMA.read_text(encoding="utf-8") == printed
    assert json.loads(printed) == language_schema()


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(language_schema())


def test_every_reference_leads_somewhere_and_every_definition_is_reached() -> None:
    schema = language_schema()
    text = json.dumps(schema)
    names = set(re.findall(r'"#/\$defs/(\w+)"', text))
    assert names == set(schema["$defs"])
    assert set(re.findall(r'"\$ref": "([^"]*)"', text)) == {f"#/$defs/{name}" for name in names}
    assert '"form"' not in text


@pytest.mark.parametrize("file", SPECS, ids=lambda file: file.stem)
def test_every_spec_names_the_schema_and_follows_it(file: Path) -> None:
    assert file.read_text(encoding="utf-8").split("\n")[0] == EDITORS_LINE
    assert (file.parent / "../docs/archspec.schema.json").resolve() == SCHEMA
    assert [e.message for e in VALIDATOR.iter_errors(plain(read_document(file).data))] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_s_example_follows_it_and_no_other_field(kind: str) -> None:
    def entry(**more: Any) -> bool:
        layers = [{kind: {**KINDS[kind].example, **more}}]
        return VALIDATOR.is_valid({"archspec": 1, "name": "x", "input": [1], "layers": layers})

    assert entry()
    assert not entry(fields=1)


def test_what_editors_show_is_there() -> None:
    conv = language_schema()["$defs"]["Conv2d"]
    assert "MACs ``n·c_i/g·k_h·k_w·h_o·w_o·c_o``" in conv["description"]
    assert conv["properties"]["stride"] == {
        "default": 1,
        "description": "step of the kernel, s, in elements",
        "anyOf": [
            {"$ref": "#/$defs/positive_integer"},
            {
                "type": "array",
                "minItems": 2,
                "maxItems": 2,
                "items": {"$ref": "#/$defs/positive_integer"},
            },
        ],
    }
    assert conv["required"] == ["out_channels", "kernel_size"]
    assert conv["properties"]["padding_mode"]["enum"][1:] == ["reflect", "replicate", "circular"]


# What is right

HEAD = "archspec: 1\nname: x\ninput: [1, 8, 8, 8]\n"
RIGHT = {
    "bare": "layers: [relu]",
    "without fields": "layers: [{relu: }, {relu: {}}]",
    "all reserved keys": "layers: [{relu: , name: a-1, from: previous, when: 1 < 2, precision: "
    "int8}]",
    "several sources": "layers: [{relu: , name: a}, {add: , from: [a, input]}]",
    "an expression": "symbols: {k: 2}\n"
    "layers: [{conv2d: {out_channels: 4*k + 1, kernel_size: [k, 3]}}]",
    "words": "layers: [{conv2d: {out_channels: 4, kernel_size: 3, padding: same}}]",
    "pairs": "layers: [{conv2d: {out_channels: 4, kernel_size: 3, padding: [1, [0, 1]]}}]",
    "null": "layers: [{maxpool2d: {kernel_size: 2, stride: null}}]",
    "a decimal": "layers: [{leaky_relu: {negative_slope: 0.01}}]",
    "a negative": 'layers: [{softmax: {dim: -1}}, {softmax: {dim: "-1"}}]',
    "a condition": "layers: [{conv2d: {out_channels: 4, kernel_size: 1, bias: 1 < 2}}]",
    "shorthand": "layers: [{residual: [relu]}, {side: [relu]}]",
    "shortcut": "layers: [{residual: {layers: [relu], shortcut: []}}]",
    "branches": "layers: [{parallel: {branches: [[relu], []]}}]",
    "rows": "layers: [{foreach: {rows: [{a: 1, b: [1, 2]}], index: i, layers: [relu]}}]",
    "columns": "let: {w: [1, 2]}\n"
    "layers: [{foreach: {columns: {a: w, b: [true, false]}, layers: [relu]}}]",
    "let": "let: {a: 1, b: [1, [a, 2]], c: true, d: a < 2, e: 'true'}\nlayers: [relu]",
    "blocks": "blocks: {b: {parameters: {c: , d: 1, e: [1]}, layers: [relu]}}\n"
    "layers: [{b: {c: 1}}]",
    "a bare block": "blocks: {b: {layers: [relu]}}\n"
    "layers: [b, {b: }, {repeat: {times: 2, layers: [b]}}]",
    "a block's block": "blocks: {b: {layers: [relu]}, c: {layers: [b]}}\nlayers: [{residual: [c]}]",
    "precision": "precision: {weights: int4, kinds: {relu: fp16}}\nlayers: [relu]",
    "symbols": "symbols: {a: {default: 0.5, domain: real, min: 0.1, doc: x}, b: 1}\nlayers: [relu]",
    "variants": "symbols: {a: 1}\nvariants: {a.b-c: {symbols: {a: 2}}}\nlayers: [relu]",
    "a fact": "layers: [relu]\nexpect: [{metric: macs, value: 0, source: s, rounded: {to: 10}}]",
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_is_right_is_accepted_by_both(case: str) -> None:
    text = HEAD + RIGHT[case]
    assert refusal_of_reader(text) == ""
    assert accepted_by_schema(text)


def test_several_inputs() -> None:
    text = "archspec: 1\nname: x\ninput: {a: [1, 2], b: [1, 2]}\nlayers: [{add: , from: [a, b]}]"
    assert refusal_of_reader(text) == ""
    assert accepted_by_schema(text)


# What is wrong

WRONG = {
    "another version": ("archspec: 2\nname: x\ninput: [1]\nlayers: [relu]", "version"),
    "no name": ("archspec: 1\ninput: [1]\nlayers: [relu]", "required"),
    "no layers": ("archspec: 1\nname: x\ninput: [1]", "required"),
    "no layer": ("layers: []", "empty"),
    "an unknown field on top": ("layer: [relu]\nlayers: [relu]", "unknown field 'layer'"),
    "a name that is a number": ("archspec: 1\nname: 7\ninput: [1]\nlayers: [relu]", "no text"),
    "no shape": ("archspec: 1\nname: x\ninput: []\nlayers: [relu]", "no shape"),
    "a shape that is a number": ("archspec: 1\nname: x\ninput: 3\nlayers: [relu]", "no shape"),
    "a quoted number": (
        'layers: [{conv2d: {out_channels: 4, kernel_size: 3, stride: "2"}}]',
        "is text",
    ),
    "a quoted number in a list": (
        'layers: [{conv2d: {out_channels: 4, kernel_size: 3, stride: ["2", 2]}}]',
        "is text",
    ),
    "a quoted number in a shape": ('archspec: 1\nname: x\ninput: ["8"]\nlayers: [relu]', "is text"),
    "an unknown field": (
        "layers: [{conv2d: {out_channels: 4, kernel_size: 3, strid: 2}}]",
        "unknown field 'strid'",
    ),
    "a missing field": ("layers: [{conv2d: {kernel_size: 3}}]", "'out_channels' is required"),
    "no fields where some are missing": ("layers: [conv2d]", "is required"),
    "null where fields are missing": ("layers: [{conv2d: }]", "is required"),
    "a truth value for a number": (
        "layers: [{conv2d: {out_channels: 4, kernel_size: 3, stride: true}}]",
        "no number",
    ),
    "null for a number": (
        "layers: [{conv2d: {out_channels: 4, kernel_size: 3, stride: null}}]",
        "no number",
    ),
    "a mapping for a number": (
        "layers: [{conv2d: {out_channels: 4, kernel_size: 3, stride: {h: 1}}}]",
        "no number",
    ),
    "an empty list": (
        "layers: [{conv2d: {out_channels: 4, kernel_size: 3, stride: []}}]",
        "no size per axis",
    ),
    "three paddings of an axis": (
        "layers: [{conv2d: {out_channels: 4, kernel_size: 3, padding: [[1, 2, 3]]}}]",
        "no padding of one axis",
    ),
    "a number for a truth value": (
        "layers: [{conv2d: {out_channels: 4, kernel_size: 3, bias: 1}}]",
        "no truth value",
    ),
    "yes": ("layers: [{conv2d: {out_channels: 4, kernel_size: 3, bias: yes}}]", "no truth value"),
    "Off": ("layers: [{conv2d: {out_channels: 4, kernel_size: 3, bias: Off}}]", "no truth value"),
    "an unknown word": (
        "layers: [{conv2d: {out_channels: 4, kernel_size: 3, padding_mode: mirror}}]",
        "none of",
    ),
    "no expression": (
        "layers: [{conv2d: {out_channels: 4, kernel_size: 3, stride: 2 +}}]",
        "expected a number or a name",
    ),
    "two operands": (
        "layers: [{conv2d: {out_channels: 4, kernel_size: 3, stride: n n}}]",
        "expected an operator",
    ),
    "a unit": (
        "layers: [{conv2d: {out_channels: 4, kernel_size: 3, stride: 2 px}}]",
        "expected an operator",
    ),
    "an unknown function": (
        "layers: [{conv2d: {out_channels: 4, kernel_size: 3, stride: 'foo(2)'}}]",
        "no function",
    ),
    "a sign": (
        "layers: [{conv2d: {out_channels: 4, kernel_size: 3, stride: a & b}}]",
        "no place in an expression",
    ),
    "fields that are a list": ("layers: [{conv2d: [4, 3]}]", "a mapping"),
    "fields that are a number": ("layers: [{dropout: 0.5}]", "a mapping"),
    "an entry that is a number": ("layers: [3]", "no entry"),
    "an entry that is a list": ("layers: [[relu]]", "no entry"),
    "an entry that is nothing": ("layers: [null]", "no entry"),
    "an unknown kind": ("layers: [rellu]", "did you mean 'relu'"),
    "an unknown kind with fields": ("layers: [{conv2: {}}]", "unknown kind 'conv2'"),
    "an unknown kind inside": ("layers: [{residual: [rellu]}]", "did you mean 'relu'"),
    "two kinds": ("layers: [{relu: , gelu: }]", "exactly one kind"),
    "two kinds and a name": ("layers: [{relu: , gelu: , name: a}]", "exactly one kind"),
    "no kind": ("layers: [{name: a}]", "exactly one kind"),
    "no kind at all": ("layers: [{}]", "exactly one kind"),
    "a reserved key among fields": (
        "layers: [{conv2d: {out_channels: 4, kernel_size: 3, name: a}}]",
        "beside the kind",
    ),
    "no name of an entry": ("layers: [{relu: , name: a b}]", "no name"),
    "a reserved name": ("layers: [{relu: , name: previous}]", "no name"),
    "a source that is a number": ("layers: [{relu: , from: 1}]", "name or list of names"),
    "no source": ("layers: [{relu: , from: []}]", "name or list of names"),
    "a condition that is a number": ("layers: [{relu: , when: 1}]", "no truth value"),
    "a bad precision": ("layers: [{relu: , precision: int7}]", "no mapping|no type"),
    "a bad precision of weights": (
        "precision: {weights: int7}\nlayers: [relu]",
        "no type of numbers",
    ),
    "a precision of what is not": ("precision: {weight: int8}\nlayers: [relu]", "unknown field"),
    "a precision of no kind": ("precision: {kinds: {x: int8}}\nlayers: [relu]", "unknown kind"),
    "an empty body": ("layers: [{residual: []}]", "is empty"),
    "a body that is no list": ("layers: [{residual: {layers: relu}}]", "no list of entries"),
    "no shorthand": ("layers: [{repeat: [relu]}]", "no mapping|mapping"),
    "no turns": ("layers: [{repeat: {layers: [relu]}}]", "'times' is required"),
    "no branch": ("layers: [{parallel: {branches: []}}]", "no list of branches"),
    "a branch that is no list": ("layers: [{parallel: {branches: [relu]}}]", "no list of entries"),
    "an unknown merge": ("layers: [{parallel: {branches: [[]], merge: sum}}]", "none of"),
    "no rows": ("layers: [{foreach: {rows: [], layers: [relu]}}]", "no list of rows"),
    "neither rows nor columns": ("layers: [{foreach: {layers: [relu]}}]", "rows or columns"),
    "rows and columns": (
        "layers: [{foreach: {rows: [{a: 1}], columns: {a: [1]}, layers: [relu]}}]",
        "rows or columns",
    ),
    "a column that is no name": (
        "layers: [{foreach: {rows: [{a-b: 1}], layers: [relu]}}]",
        "no name",
    ),
    "an index that is a word": (
        "layers: [{repeat: {times: 2, index: min, layers: [relu]}}]",
        "word of the language",
    ),
    "a let that is nothing": ("let: {a: }\nlayers: [relu]", "no number or expression"),
    "a let that is a mapping": ("let: {a: {b: 1}}\nlayers: [relu]", "no number or expr"),
    "a let that is a word": ("let: {in_shape: 1}\nlayers: [relu]", "word of the language"),
    "a symbol that is no name": ("symbols: {1a: 1}\nlayers: [relu]", "is no name"),
    "a symbol that is a text": ("symbols: {a: b}\nlayers: [relu]", "no number"),
    "a symbol that is a quoted number": ('symbols: {a: "1"}\nlayers: [relu]', "no number"),
    "a symbol that is negative": ("symbols: {a: -1}\nlayers: [relu]", "must be positive"),
    "a symbol without a default": ("symbols: {a: {min: 1}}\nlayers: [relu]", "required"),
    "an unknown domain": ("symbols: {a: {default: 1, domain: int}}\nlayers: [relu]", "none of"),
    "a divisor of 0": (
        "symbols: {a: {default: 1, multiple_of: 0}}\nlayers: [relu]",
        "must be a positive integer",
    ),
    "a block that is a kind": (
        "blocks: {relu: {layers: [gelu]}}\nlayers: [relu]",
        "word of the language",
    ),
    "a block that is a reserved key": ("blocks: {from: {layers: [gelu]}}\nlayers: [relu]", "word"),
    "a block without layers": ("blocks: {b: {}}\nlayers: [relu]", "'layers' is required"),
    "an argument that is a mapping": (
        "blocks: {b: {parameters: {a: 1}, layers: [relu]}}\nlayers: [{b: {a: {c: 1}}}]",
        "no number",
    ),
    "a call with a list": ("blocks: {b: {layers: [relu]}}\nlayers: [{b: [1]}]", "a mapping"),
    "a field of a kind among blocks": (
        "blocks: {b: {layers: [{conv2d: {strid: 1}}]}}\nlayers: [b]",
        "'out_channels' is|unknown field 'strid'",
    ),
    "a call of no name": ("blocks: {b: {layers: [relu]}}\nlayers: ['b c']", "unknown kind"),
    "a variant's unknown field": (
        "variants: {v: {layers: [relu]}}\nlayers: [relu]",
        "unknown field 'layers'",
    ),
    "a fact without a source": (
        "layers: [relu]\nexpect: [{metric: macs, value: 1}]",
        "'source' is required",
    ),
    "a fact's quoted number": (
        'layers: [relu]\nexpect: [{metric: macs, value: "1", source: s}]',
        "no number",
    ),
    "a fact's unknown rounding": (
        "layers: [relu]\nexpect: [{metric: macs, value: 1, source: s, rounded: {to: 1, how: up}}]",
        "none of",
    ),
}
"""What stands behind `HEAD`, or a whole spec → what the reader says of it."""


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_in_form_is_refused_by_both(case: str) -> None:
    body, said = WRONG[case]
    text = body if body.startswith("archspec") else HEAD + body
    assert re.search(said, refusal_of_reader(text))
    assert not accepted_by_schema(text)


def test_a_duplicate_key_is_refused_before_there_is_anything_to_validate() -> None:
    """A JSON Schema sees no key twice; YAML itself forbids it, and so does the reader."""
    with pytest.raises(SpecError, match="duplicate key 'name'"):
        parse_document(f"{HEAD}layers: [{{relu: , name: a, name: b}}]")


# Random mistakes

VALUES: list[Any] = [
    *(None, True, 0, -1, 1.5, "8", "x y", "3 +", "relu", "conv2d", "no", "same", "foo(1)", "a[0]"),
    *([], {}, [1], ["a"], {"a": 1}, "min(1)", [[1]], "true", "int8", "in_shape", {"name": "a"}),
    *({"conv2d": {"out_channels": 3, "kernel_size": 1}, "relu": None}, {"relu": None, "from": []}),
]
KEYS = (
    *("name", "from", "when", "precision", "relu", "conv2d", "x", "bias", "kernel_size", "layers"),
    *("index", "rows", "in_shape", "min"),
)
OF_THE_WHOLE = re.compile(
    r"unknown parameter|parameter '\w+' is required|a variant overrides|unknown kind"
    r"|must be an integer \(or declare|has a meaning already"
)
"""What the reader says where a name, or a value's domain, stands elsewhere in the spec."""


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all values below one."""
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
    found: list[tuple[Any, ...]] = []
    for key, item in items:
        found += [(*path, key), *places(item, (*path, key))]
    return found


def with_mistake(spec: Any, random: Random) -> Any:
    """The same spec with another value, without a key, or with a key more."""
    changed = copy.deepcopy(spec)
    *way, last = random.choice(places(changed))
    parent = changed
    for key in way:
        parent = parent[key]
    what = random.choice(("value", "value", "without", "key"))
    if what == "value":
        parent[last] = copy.deepcopy(random.choice(VALUES))
    elif what == "without" or isinstance(parent, list):
        del parent[last]
    else:
        parent[random.choice(KEYS)] = parent.pop(last)
    return changed


def test_random_mistakes_in_the_zoo_are_judged_alike() -> None:
    """What the reader accepts, the schema does; what it refuses alone, it knows from elsewhere."""
    random = Random(6)
    zoo = [plain(read_document(file).data) for file in SPECS]
    for spec in zoo:
        spec.pop("expect", None)
        spec.pop("variants", None)
        spec.pop("config", None)  # read by imports alone
    judged: Counter[tuple[bool, bool]] = Counter()
    for _ in range(examples(400)):
        text = yaml.safe_dump(with_mistake(random.choice(zoo), random), sort_keys=False)
        try:
            data = plain(parse_document(text).data)
            read_architecture(parse_document(text))
            said = ""
        except SpecError as error:
            said = str(error)
        valid = VALIDATOR.is_valid(data)
        judged[not said, valid] += 1
        assert valid or said, text
        assert not (said and valid) or OF_THE_WHOLE.search(said), f"{said}\n{text}"
    assert judged[False, False] > examples(400) * 3 // 8
    assert judged[True, True] > examples(400) // 8


TOKENS = (
    *("+", "-", "*", "/", "//", "%", "**", "==", "<", "<=", "and", "or", "not"),
    *("(", "(", ")", ")", "[", "]", ",", "1", "2.5", "1e3", "a", "in_shape", "min(", "round_to("),
)


def test_every_expression_looks_like_one() -> None:
    """Random texts: what the grammar takes, the pattern does; most of what it refuses, neither."""
    random, counts = Random(6), Counter[tuple[bool, bool]]()
    for _ in range(examples(40_000)):
        text = random.choice(("", " ")).join(random.choices(TOKENS, k=random.randint(1, 7)))
        try:
            parse(text)
            parsed = True
        except ExpressionError:
            parsed = False
        matches = re.search(EXPRESSION, text) is not None
        counts[parsed, matches] += 1
        assert matches or not parsed, text
    assert counts[True, True] > examples(40_000) // 40
    assert counts[False, True] < counts[False, False] / 10


@pytest.mark.parametrize("text", ["(" * 40 + "1" + ")" * 40, "a+" * 200 + "a", " " * 900 + "&"])
def test_long_texts_are_matched_in_no_time(text: str) -> None:
    assert re.search(EXPRESSION, text) or "&" in text


def test_the_functions_in_the_pattern_are_the_language_s() -> None:
    assert all(re.search(EXPRESSION, f"{name}(1)") for name in FUNCTIONS)
    assert not re.search(EXPRESSION, "exp(1)")
