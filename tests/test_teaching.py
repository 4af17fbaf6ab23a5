"""Errors that teach: each says what to write, and all of a spec are told together."""

import re
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest

from archspec import SpecError
from archspec.architecture import read_architecture
from archspec.document import parse_document
from archspec.errors import MAX_GATHERED, MAX_SHOWN, Gathered
from archspec.expressions import ExpressionError, parse
from costmodel import analyze
from tests.conftest import Run
from tests.test_bad_input import unmarked

HEAD = "archspec: 1\nname: net\ninput: [1, 3, 8, 8]\nlayers:\n"


class Taught(NamedTuple):
    """A spec with a mistake, and what must be said of it.

    Attributes:
        text: the spec; § stands before the place.
        cause: what is wrong.
        hint: what to write.
    """

    text: str
    cause: str
    hint: str


def entry(text: str, cause: str, hint: str) -> Taught:
    """A spec of one entry that is wrong."""
    return Taught(f"{HEAD}  - {text}\n", cause, hint)


TAUGHT = {
    "in_channels": entry(
        "conv2d: {§in_channels: 3, out_channels: 4, kernel_size: 3}",
        "unknown field 'in_channels'",
        "worked out from what enters; leave it out",
    ),
    "in_features": entry(
        "linear: {§in_features: 8, out_features: 4}", "'in_features'", "what enters; leave it out"
    ),
    "num_features": entry("batchnorm: {§num_features: 3}", "'num_features'", "leave it out"),
    "num_channels": entry(
        "groupnorm: {num_groups: 3, §num_channels: 3}", "'num_channels'", "leave it out"
    ),
    "input_size": entry("lstm: {§input_size: 8, hidden_size: 4}", "'input_size'", "leave it out"),
    "embed_dim": entry(
        "self_attention: {§embed_dim: 8, heads: 4}", "'embed_dim'", "what enters; leave it out"
    ),
    "normalized_shape": entry(
        "layernorm: {§normalized_shape: 8}", "'normalized_shape'", "leave it out, and write axes: 2"
    ),
    "in_channels alone does not stand for out_channels": entry(
        "conv2d: {§in_channels: 3, kernel_size: 3}", "'in_channels'", "leave it out"
    ),
    "inplace": entry("relu: {§inplace: true}", "unknown field 'inplace'", "leave inplace out"),
    "Keras' units": entry("linear: {§units: 8}", "unknown field 'units'", "write out_features"),
    "Keras' filters": entry(
        "conv2d: {§filters: 8, kernel_size: 3}", "unknown field 'filters'", "write out_channels"
    ),
    "n_heads": entry("self_attention: {§num_attention_heads: 2}", "unknown field", "write heads"),
    "wrong indentation": entry(
        "§conv2d:\n    out_channels: 4\n    kernel_size: 3",
        "this one has the kinds conv2d, out_channels, kernel_size",
        "indent the fields of conv2d below it, or write conv2d: {out_channels: 4, kernel_size: 3}",
    ),
    "wrong indentation beside a name": entry(
        "§linear:\n    out_features: 4\n    name: head",
        "exactly one kind",
        "indent the fields of linear below it, or write linear: {out_features: 4}",
    ),
    "wrong indentation of a composite": entry(
        "§repeat:\n    times: 4\n    layers: [relu]",
        "exactly one kind",
        "indent the fields of repeat below it, or write repeat: {times: 4, layers: [relu]}",
    ),
    "two kinds in one entry": entry(
        "§relu:\n    flatten:", "has the kinds relu, flatten", "behind a dash of its own"
    ),
    "no kind": entry("§{name: head}", "names no kind", "as relu:"),
    "a number for fields": entry(
        "maxpool2d: §2", "the fields are a mapping, not 2", "write maxpool2d: {kernel_size: 2}"
    ),
    "a number for fields of which none must be there": entry(
        "dropout: §0.5", "the fields are a mapping", "as in dropout: {p: …}"
    ),
    "a number for a composite": entry(
        "repeat: §3", "the fields are a mapping, not 3", "write repeat: {times: …, layers: […]}"
    ),
    "inputs where fields stand": entry(
        "concat: §[input, input]", "not [input, input]", "write {concat: , from: [input, input]}"
    ),
    "a key that names the kind": entry(
        "§{type: Linear, out_features: 3}", "exactly one kind", "as Linear:"
    ),
    "symbols in a list": Taught(
        "archspec: 1\nname: net\nsymbols: §[n, h]\ninput: [n, h]\nlayers: [relu]\n",
        "symbols: [n, h] is no mapping",
        "write {n: …, h: …}",
    ),
    "layers in a mapping": Taught(
        "archspec: 1\nname: net\ninput: [1]\nlayers:\n  §relu:\n  gelu:\n",
        "is no list",
        "behind a dash",
    ),
    "a block at the top": Taught(
        "archspec: 1\nname: net\ninput: [1]\n§mine: {layers: [relu]}\nlayers: [mine]\n",
        "unknown field 'mine'",
        "as in blocks: {mine: {layers: […]}}",
    ),
    "a kind that is nothing like another": entry(
        "§zzzz", "unknown kind 'zzzz'", "docs/language.md lists the kinds"
    ),
    "Keras' Dense": entry("§Dense: {units: 3}", "unknown kind 'Dense'", "here it is 'linear'"),
    "ONNX's Gemm": entry("§Gemm", "unknown kind 'Gemm'", "here it is 'linear'"),
    "Keras' pooling": entry("§MaxPooling2D", "unknown kind", "here it is 'maxpool2d'"),
    "MultiheadAttention": entry("§MultiheadAttention", "unknown kind", "it is 'self_attention'"),
    "Sequential": entry("§Sequential: []", "unknown kind 'Sequential'", "one after the other"),
    "a call in Python": entry(
        "§nn.Linear(8, 3)", "unknown kind 'nn.Linear(8, 3)'", "write Linear: {out_features: …}"
    ),
    "a class in Python": entry("§nn.ReLU", "unknown kind 'nn.ReLU'", "write ReLU"),
    "no colon": entry("§conv2d out_channels=3", "unknown kind", "write conv2d: {out_channels: …}"),
    "Softmax without dim": entry("§Softmax", "the field 'dim' is required", "whose dim is -1"),
    "LSTM without batch_first": entry(
        "§LSTM: {hidden_size: 4}", "the field 'batch_first' is required", "batch_first is true"
    ),
    "by two names": entry(
        "self_attention: {num_heads: 2, §heads: 2}",
        "the field 'heads' is given twice, as num_heads and heads",
        "leave one of them out",
    ),
    "BatchNorm2d of a sequence": Taught(
        "archspec: 1\nname: net\ninput: [1, 3, 8]\nlayers:\n  - §BatchNorm2d\n",
        "BatchNorm2d takes 4 axes; the input [1, 3, 8] has 3",
        "write BatchNorm1d here, or batchnorm for any",
    ),
    "no version": Taught(
        "§name: net\ninput: [1]\nlayers: [relu]\n", "'archspec' is required", "as in archspec: 1"
    ),
    "no input": Taught(
        "§archspec: 1\nname: net\nlayers: [relu]\n", "'input' is required", "as in input: [1, 3,"
    ),
    "symbols that nobody declares": Taught(
        "archspec: 1\nname: net\ninput: [§n, 3]\nlayers: [relu]\n",
        "unknown name 'n'",
        "declare n under symbols:, as in symbols: {n: 1}",
    ),
    "a brace that is not closed": Taught(
        f"{HEAD}  - linear: {{out_features: 3\n  - relu\n§",
        "the '{' of line 5, column 13 is not closed",
        "write } where it ends, perhaps at the end of line 5",
    ),
    "a bracket that is not closed": Taught(
        "archspec: 1\ninput: [1, 3\nname§: net\n",
        "the '[' of line 2, column 8 is not closed",
        "write ] where it ends, perhaps at the end of line 2",
    ),
    "the wrong bracket": entry(
        "linear: {out_features: [3§}", "the '[' of line 5, column 28", "write ] before the }"
    ),
    "no comma": entry(
        "linear: {out_features: 3 bias§: false}", "there is no ',' or '}' before ':'", "write ,"
    ),
    "brackets in a mapping": entry(
        "linear: {out_features: in_shape§[0]}", "is not closed", '"sizes[0]"'
    ),
    "a bracket too many": entry("linear: {out_features: 3}§}", "nothing is open", "take it out"),
    "a quote that is not closed": Taught(
        f"{HEAD}  - relu:\n    name: 'act\n§",
        "the quote of line 6, column 11 is not closed",
        "write the same quote where the text ends",
    ),
    "keys below the dash": entry(
        "linear:\n  §out_features: 3", "this line has no dash", "further in than the dash"
    ),
    "a dash in another column": entry("relu\n§- gelu", "does not go on", "in one column"),
    "keys below a bare kind": entry(
        "relu\n    name§: act", "below a value that is no mapping", "ends with a colon, as - relu:"
    ),
    "a sign that begins no value": entry("§@relu", "no value begins with '@'", "in quotes"),
    "text behind a quote": entry("'relu' §x", "behind a text in quotes", "all of the value"),
    "outputs of a split": entry(
        "split: {sizes: [1, 2]}\n  - relu:\n    from: §previous",
        "could be any of the 2 outputs of split_1",
        "as split_1.0",
    ),
}


@pytest.mark.parametrize("case", TAUGHT)
def test_a_mistake_is_explained(case: str, tmp_path: Path) -> None:
    taught = TAUGHT[case]
    text, line, column = unmarked(taught.text)
    file = tmp_path / "net.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=re.escape(taught.cause)) as caught:
        analyze(file)
    assert str(caught.value.origin) == f"{file}:{line}:{column}", caught.value
    said = f"{caught.value.entry}: {caught.value.cause}"
    assert taught.cause in said
    assert taught.hint in (caught.value.hint or ""), caught.value


def test_a_fraction_is_a_default(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    symbols = "{w: {default: 1/3, domain: real, min: 1 / 9}, v: {default: 4/2}}"
    file.write_text(
        f"archspec: 1\nname: net\nsymbols: {symbols}\ninput: [1, 3]\n"
        "layers: [{linear: {out_features: 9*w*v, bias: false}}]\n"
    )
    analysis = analyze(file)
    assert analysis.graph.values == {"w": Fraction(1, 3), "v": 2}
    assert analysis.graph.symbols["w"].min == Fraction(1, 9)
    assert analysis.at().params == 3 * 6


@pytest.mark.parametrize("text", ["2*3", "1/0", "1/h", "1/3/3", "--1/3"])
def test_no_other_expression_is_a_default(text: str) -> None:
    spec = f"archspec: 1\nname: x\nsymbols: {{h: {text}}}\ninput: [1]\nlayers: [relu]\n"
    with pytest.raises(SpecError, match=rf"{re.escape(text)} is no number"):
        read_architecture(parse_document(spec))


def test_a_fraction_of_an_integer_is_refused_by_its_domain() -> None:
    spec = "archspec: 1\nname: x\nsymbols: {h: 1/3}\ninput: [1]\nlayers: [relu]\n"
    with pytest.raises(SpecError, match=r"h = 1/3 must be an integer \(or declare domain: real\)"):
        read_architecture(parse_document(spec))


# Several errors at once


def errors_of(text: str, tmp_path: Path) -> list[str]:
    """``line: cause`` of every error of a spec."""
    file = tmp_path / "net.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=r".") as caught:
        analyze(file)
    first = caught.value.errors[0]
    assert first is caught.value
    return [f"{e.origin.line}: {e.cause}" for e in caught.value.errors if e.origin]


TOGETHER = {
    "of every phase of reading": (
        "archspec: 1\nname: net\nsymbol: {h: 8}\ninput: [1, 0]\nlayers:\n"
        "  - rellu\n  - linear: {out_feature: 3}\n  - residual: [{dropout: {p: 2}}]\n"
        "  - {relu: , when: 3}\n",
        [
            "3: unknown field 'symbol'",
            "4: input (0) must be a positive integer",
            "6: unknown kind 'rellu'",
            "7: unknown field 'out_feature'",
            "8: p (2) must be from 0 to 1",
            "9: 3 is no truth value",
        ],
    ),
    "of one entry": (
        HEAD + "  - conv2d: {out_channels: 0, kernel_size: -1, in_channels: 3}\n    name: 5\n",
        [
            "6: 5 is no name",
            "5: out_channels (0) must be a positive integer",
            "5: kernel_size (-1) must be a positive integer",
            "5: unknown field 'in_channels'",
        ],
    ),
    "of YAML": (
        "archspec: 1\nname: a\nname: b\ninput: [010, 08]\n1: x\nlayers: [!!str relu]\n",
        [
            "3: duplicate key 'name', first on line 2",
            "4: 010 is 8-based in YAML 1.1 and 10-based in YAML 1.2",
            "4: 08 is 8-based in YAML 1.1 and 10-based in YAML 1.2",
            "5: the key 1 is no name",
            "6: the tag tag:yaml.org,2002:str asks for a type; a spec holds plain values only",
        ],
    ),
    "of names": (
        "archspec: 1\nname: net\nsymbols: {min: 1, h: 0}\nlet: {h: 3, 1a: 2}\ninput: [1]\n"
        "layers: [relu]\nvariants: {v: {let: {zz: 3}}}\n",
        [
            "3: 'min' is a word of the language",
            "4: 'h' has a meaning already, given on line 3",
            "4: '1a' is no name; letters, digits and _ make one",
            "3: h = 0 must be positive",
            "7: a variant overrides what is there; let has no 'zz'",
        ],
    ),
    "of expansion": (
        HEAD + "  - linear: {out_features: aa}\n  - {gelu: , from: nowhere}\n"
        "  - conv1d: {out_channels: bb, kernel_size: cc}\n  - {relu: , when: dd > 2}\n",
        [
            "5: unknown name 'aa'",
            "6: 'nowhere' names no tensor here",
            "7: unknown name 'bb'",
            "7: unknown name 'cc'",
            "8: unknown name 'dd'",
        ],
    ),
    "of shapes": (
        "archspec: 1\nname: net\ninput: {a: [1, 3, 8, 8], b: [1, 4], c: [0 - 1]}\nlayers:\n"
        "  - {conv2d: {out_channels: 4, kernel_size: 9}, from: a, name: one}\n"
        "  - {linear: {out_features: in_features}}\n"
        "  - {softmax: {dim: 3}, from: b}\n  - {gelu: , from: c}\n  - {glu: , from: b, name: g}\n"
        "  - residual: [{linear: {out_features: 5}}, {relu: }, {softmax: {dim: 7}}]\n"
        "  - {add: , from: [one, g]}\n"
        "  - repeat: {times: 2, layers: [{softmax: {dim: 4}}, {softmax: {dim: 5}}]}\n    from: b\n",
        [
            "3: the size of axis 0 (-1) must be a positive integer",
            "5: the window (9) must fit the padded height (8)",
            "7: axis 3 of an input with 2 axes [1, 4]",
            "10: axis 7 of an input with 2 axes [1, 5]",
            "12: axis 4 of an input with 2 axes [1, 4]",
        ],
    ),
    "of calls": (
        "blocks: {b: {parameters: {c: , d: }, layers: [relu]}, w: {layers: [nokind], x: 3}}\n"
        + HEAD
        + "  - b: {cc: 1}\n  - w\n  - b: {c: 1, d: yes}\n",
        [
            "1: unknown field 'x'",
            "6: unknown parameter 'cc'",
            "6: the parameter 'd' is required",
        ],
    ),
}
"""Errors that have nothing to do with each other, and are told at once."""


@pytest.mark.parametrize("case", TOGETHER)
def test_errors_are_told_together(case: str, tmp_path: Path) -> None:
    text, expected = TOGETHER[case]
    found = errors_of(text, tmp_path)
    assert found[: len(expected)] == expected, found


FOLLOWING = {
    "a name five times": (
        HEAD + "  - linear: {out_features: hh}\n" * 5,
        ["5: unknown name 'hh'"],
    ),
    "a kind five times": (HEAD + "  - dense\n" * 5, ["5: unknown kind 'dense'"]),
    "a let that has no value": (
        "archspec: 1\nname: x\nlet: {a: nope, b: a + 1}\ninput: [1, b]\n"
        "layers: [{linear: {out_features: a}}, {linear: {out_features: b}}]\n",
        ["3: unknown name 'nope'"],
    ),
    "what an entry would have named": (
        HEAD + "  - linear: {out_features: hh}\n    name: a\n  - {relu: , from: a}\n",
        ["5: unknown name 'hh'"],
    ),
    "the outputs of a split": (
        HEAD + "  - split: {sizes: [hh, 1]}\n    name: s\n  - {relu: , from: s.1}\n  - relu\n",
        ["5: unknown name 'hh'"],
    ),
    "names within a repeat": (
        HEAD + "  - repeat: {times: hh, layers: [{relu: , name: in}]}\n  - {relu: , from: in}\n",
        ["5: unknown name 'hh'"],
    ),
    "names within a block": (
        "blocks: {b: {parameters: {c: }, layers: [{relu: , name: in}]}}\n"
        f"{HEAD}  - b: {{c: hh}}\n  - {{relu: , from: in}}\n",
        ["6: unknown name 'hh'"],
    ),
    "every row of a table": (
        HEAD + "  - foreach:\n      rows: [{a: 1}, {a: 2}, {a: 3}]\n"
        "      layers: [{linear: {out_features: a + hh}}]\n",
        ["7: unknown name 'hh'"],
    ),
    "a misspelt field that must be there": (
        HEAD + "  - conv2d: {out_channel: 4, kernel_size: 3}\n",
        ["5: unknown field 'out_channel'"],
    ),
    "a block in the wrong place": (
        f"mine: {{layers: [relu]}}\n{HEAD}  - mine\n",
        ["1: unknown field 'mine'"],
    ),
    "blocks in a list": (
        f"blocks: [{{mine: {{layers: [relu]}}}}]\n{HEAD}  - mine\n",
        ["1: [{mine: {layers: [relu]}}] is no mapping"],
    ),
    "a block that is wrong itself": (
        f"blocks: {{b: {{parameters: [c], layers: [relu]}}}}\n{HEAD}  - b: {{c: 3}}\n",
        ["1: [c] is no mapping"],
    ),
    "a parameter that is misspelt": (
        "blocks: {b: {parameters: {width: }, layers: [relu]}}\n" + HEAD + "  - b: {widht: 3}\n",
        ["6: unknown parameter 'widht'"],
    ),
}
"""Errors of which others would follow, which are not told."""


@pytest.mark.parametrize("case", FOLLOWING)
def test_what_follows_from_an_error_is_not_told(case: str, tmp_path: Path) -> None:
    text, expected = FOLLOWING[case]
    assert errors_of(text, tmp_path) == expected


def test_ten_errors_are_shown_and_the_others_counted(tmp_path: Path, archcost: Run) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(
        HEAD + "".join(f"  - linear: {{f{i}: 1, out_features: 1}}\n" for i in range(13))
    )
    done = archcost(file)
    assert (done.returncode, done.stdout) == (2, "")
    starts = [line for line in done.stderr.splitlines() if line.startswith("archcost: ")]
    places = [
        f"archcost: {file}:{5 + i}:14: linear: unknown field 'f{i}'" for i in range(MAX_SHOWN)
    ]
    assert starts == [*places, "archcost: and 3 more errors"]


def test_one_more_error_is_one() -> None:
    with pytest.raises(SpecError, match=r"\nand 1 more error$"):
        read_architecture(
            parse_document(HEAD + "".join(f"  - kind{'x' * 9 * i}\n" for i in range(11)))
        )


def test_no_more_errors_than_a_limit_are_looked_for() -> None:
    text = HEAD + "".join(f"  - kind{i}: {{a: 1}}\n" for i in range(5_000))
    with pytest.raises(SpecError, match=rf"and {MAX_GATHERED + 1 - MAX_SHOWN} more errors$"):
        read_architecture(parse_document(text))


def test_an_error_that_follows_from_none_is_a_fault_of_ours() -> None:
    """Nothing is left out silently."""
    gathered = Gathered()
    gathered.excuse("x")
    with pytest.raises(LookupError, match=r"follows from none"), gathered.together():
        gathered.add(SpecError("wrong", subject="x"))


def test_errors_without_end_end(tmp_path: Path) -> None:
    """Each entry fails since one value is unknown; not all of them are tried."""
    text = f"let: {{a: nope}}\n{HEAD}" + "  - linear: {out_features: a}\n" * 15_000
    found = errors_of(text, tmp_path)
    assert found[0] == "1: unknown name 'nope'"


# PyTorch's names


@pytest.mark.parametrize(
    "name", ["BatchNorm2d", "batchnorm2d", "adaptiveavgpool2d", "relu", "ReLU"]
)
def test_both_spellings_are_taken_and_the_kind_is_ours(name: str, tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    fields = ": {output_size: 1}" if "pool" in name else ""
    file.write_text(f"{HEAD}  - {name}{fields}\n")
    (node,) = analyze(file).graph.nodes
    assert node.kind == {"batchnorm2d": "batchnorm", "adaptiveavgpool2d": "adaptive_avgpool2d"}.get(
        name.lower(), "relu"
    )
    assert node.name == f"{node.kind}_1"


@pytest.mark.parametrize("name", ["Relu", "CONV2D", "batchNorm2D"])
def test_no_other_spelling_is_taken(name: str) -> None:
    with pytest.raises(SpecError, match=rf"unknown kind '{name}'\n  hint: did you mean '\w+'\?"):
        read_architecture(parse_document(f"{HEAD}  - {name}\n"))


def test_a_field_by_pytorchs_name_is_the_field(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    spec = "archspec: 1\nname: x\ninput: [1, 8, 16]\nlayers: [{{self_attention: {{{}}}}}]\n"
    found = []
    for fields in ("heads: 4, kv_heads: 2", "num_heads: 4, num_key_value_heads: 2"):
        file.write_text(spec.format(fields))
        found.append((analyze(file).params, analyze(file).macs))
    assert found[0] == found[1]
    text, line, column = unmarked(spec.format("num_heads: 2*§hh"))
    file.write_text(text)
    with pytest.raises(SpecError, match=r"self_attention\.heads: unknown name 'hh'") as caught:
        analyze(file)
    assert str(caught.value.origin) == f"{file}:{line}:{column}"


def test_a_block_has_no_name_of_pytorchs() -> None:
    spec = "blocks: {BatchNorm2d: {layers: [relu]}}\n" + HEAD + "  - BatchNorm2d\n"
    with pytest.raises(SpecError, match=r"blocks: 'BatchNorm2d' is a word of the language"):
        read_architecture(parse_document(spec))


# Conditions that the defaults break

BROKEN = {
    "symbols: {h: 30}": (
        "valid when h % 4 == 0, which fails at h = 30; the nearest that holds: --set h=32"
    ),
    "symbols: {h: {default: 30, max: 30}}": "the nearest that holds: --set h=28",
    "symbols: {h: {default: 2, min: 2}}": "--set h=4",
}


@pytest.mark.parametrize("symbols", BROKEN)
def test_the_nearest_valid_value_is_named(symbols: str, tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(
        f"archspec: 1\nname: x\n{symbols}\ninput: [1, 3, h]\nlayers:\n"
        "  - {maxpool1d: {kernel_size: 4, padding: 1}, name: p, when: false}\n"
        "  - conv1d: {out_channels: 3, kernel_size: 4, stride: 4, padding: 1}\n"
        "  - upsample: {scale_factor: 4}\n  - {add: , from: [input, upsample_1]}\n"
    )
    with pytest.raises(SpecError, match=r"must agree") as caught:
        analyze(file)
    assert BROKEN[symbols] in (caught.value.hint or "")
    name, value = re.findall(r"--set (\w+)=(\d+)", caught.value.hint or "")[0]
    assert analyze(file, settings={name: value}).at().params


def test_what_the_user_set_is_set_anew(archcost: Run) -> None:
    done = archcost("specs/gpt2.yaml", "--set", "heads=5")
    assert done.stderr.rstrip().endswith(
        "d % heads == 0 fails at d = 768, heads = 5; the nearest that holds: --set heads=4"
    )


def test_two_values_are_named_where_one_is_not_enough(archcost: Run) -> None:
    done = archcost("specs/alexnet.yaml", "--set", "h=62", "w=60")
    assert "h >= 63 and w >= 63 fail at h = 62, w = 60" in done.stderr
    assert done.stderr.rstrip().endswith("the nearest that holds: --set h=63 w=63")


def test_a_setting_of_no_symbol_has_nothing_to_do_with_conditions(archcost: Run) -> None:
    assert "valid when" not in archcost("specs/gpt2.yaml", "--set", "H=5").stderr


# Parts that nothing takes


def test_an_unused_part_of_a_split_is_told(tmp_path: Path, archcost: Run) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(f"{HEAD}  - {{split: {{sizes: [1, 2]}}, name: s}}\n  - {{relu: , from: s.0}}\n")
    done = archcost(file)
    assert done.returncode == 0
    assert done.stderr == (
        f"archcost: warning: {file}:5:6: s: nothing takes its output s.1; take it with from: s.1, "
        "or write slice or select for the part that is used\n"
    )


# The command line

LINES: dict[str, tuple[tuple[str, ...], str]] = {
    "an option that swallowed SPEC": (
        ("--set", "h=1", "specs/alexnet.yaml"),
        "--set takes all words up to the next option, specs/alexnet.yaml too, so that no SPEC is "
        "left\n  hint: put SPEC before --set: archcost specs/alexnet.yaml --set …",
    ),
    "another option": (
        ("--format", "json", "--metric", "macs", "specs/alexnet.yaml"),
        "put SPEC before --metric: archcost specs/alexnet.yaml --metric …",
    ),
    "an option that swallowed several": (
        ("compare", "--set", "h=1", "specs/vgg.yaml", "specs/alexnet.yaml"),
        "put SPECS before --set: archcost compare specs/vgg.yaml specs/alexnet.yaml --set …",
    ),
    "an option that swallowed the second": (
        ("specs/alexnet.yaml", "--set", "h=224", "specs/vgg.yaml"),
        "--set takes name=number, not 'specs/vgg.yaml'\n  hint: put specs/vgg.yaml before --set",
    ),
    "a word too many": (
        ("explain", "specs/alexnet.yaml", "conv2d_1", "conv2d_2"),
        "archcost explain has no use for 'conv2d_2'; it stands where no more words are taken\n"
        "  hint: archcost explain --help says what it takes",
    ),
    "a setting without its option": (
        ("explain", "specs/alexnet.yaml", "conv2d_1", "h=3"),
        "write --set h=3 to give a symbol a value",
    ),
    "a setting for a spec": (("specs/alexnet.yaml", "h=3"), "write --set h=3"),
    "a metric for a spec": (("specs/alexnet.yaml", "macs"), "write --metric macs to show"),
    "a misspelt command": (
        ("compar", "specs/alexnet.yaml"),
        "'compar' is no command, no network of the zoo and no file here\n"
        "  hint: did you mean 'compare'?",
    ),
    "a misspelt option": (("specs/alexnet.yaml", "--symbolc"), "did you mean --symbolic?"),
    "one dash": (("-set", "h=3", "specs/alexnet.yaml"), "did you mean --set?"),
    "an option of nothing": (
        ("specs/alexnet.yaml", "--qqqq"),
        "archcost has no option --qqqq\n  hint: archcost --help lists its options",
    ),
    "an option twice": (("specs/alexnet.yaml", "--depth", "1", "--depth", "2"), "is given twice"),
    "one spec where two are needed": (("diff", "specs/alexnet.yaml"), "needs NEW"),
    "no spec": (
        ("explain",),
        "archcost explain needs SPEC, and none is given\n  hint: write it fir",
    ),
    "no value": (("specs/alexnet.yaml", "--format"), "--format needs a value"),
}


@pytest.mark.parametrize("case", LINES)
def test_a_command_line_is_explained(case: str, archcost: Run) -> None:
    words, said = LINES[case]
    done = archcost(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Tokens" not in done.stderr
    assert done.stderr.count("archcost: ") == 1 + said.count("archcost: ")


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("h^2", "write ** for a power, as in h**2"),
        ("2h", "write 2*h for a product"),
        ("3 in_channels", "write 3*in_channels for a product"),
    ],
)
def test_arithmetic_as_it_is_written_by_hand_is_told_in_signs(written: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        parse(written)
    assert raised.value.hint == hint


@pytest.mark.parametrize("written", ["(3, 3)", "3x3", "3 x 3"])
def test_several_numbers_are_a_list_and_no_tuple(written: str) -> None:
    text = HEAD + f"  - conv2d:\n      out_channels: 8\n      kernel_size: {written}\n"
    with pytest.raises(SpecError, match="kernel_size") as raised:
        read_architecture(parse_document(text, "net.yaml"))
    assert raised.value.hint == "write one number, or several as a list: [3, 3]"


def test_fields_written_as_assignments_are_told_as_keys() -> None:
    text = HEAD + "  - conv2d:\n      out_channels = 8\n      kernel_size = 3\n"
    with pytest.raises(SpecError, match="the fields are a mapping") as raised:
        read_architecture(parse_document(text, "net.yaml"))
    assert raised.value.hint == "write : instead of =, as in out_channels: 8"
