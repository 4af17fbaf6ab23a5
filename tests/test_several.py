"""Several tensors through blocks, repeats and tables; shared weights; networks in networks."""

from pathlib import Path

import pytest

from archspec.errors import SpecError
from costmodel import analyze
from costmodel.analysis.analysis import Analysis
from costmodel.metrics.registry import METRICS, Need

HEAD = "archspec: 1\nname: T\n"
FIELDS = ("receptive_field", "effective_stride", "effective_padding")


def counts(analysis: Analysis) -> tuple[int, int]:
    """The parameters and the MACs of an analysis."""
    return int(analysis.value("params")), int(analysis.value("macs"))


def spec(text: str, given: str = "input: [1, 3, 32, 32]\n") -> Analysis:
    return analyze(HEAD + given + text)


def error_of(text: str, given: str = "input: [1, 3, 32, 32]\n") -> SpecError:
    with pytest.raises(SpecError, match=r".") as caught:
        spec(text, given)
    return caught.value


# How names stand for tensors.

THREE = """
blocks:
  three:
    parameters: {c: }
    layers:
      - conv2d: {out_channels: c, kernel_size: 1}
        name: a
      - conv2d: {out_channels: 2*c, kernel_size: 1}
        name: b
      - conv2d: {out_channels: 3*c, kernel_size: 1}
        name: d
    outputs: %s
layers:
  - three: {c: 4}
    name: t
"""

READS = {
    "t.a": 4,
    "t.1": 8,
    "t.d": 12,
    "t[2]": 12,
    "t[-2]": 8,
    "t[1 + 1]": 12,
    "reversed(t)[0]": 12,
    "[t.*]": 24,
    "[reversed(t), t.a]": 28,
}


@pytest.mark.parametrize("read", READS)
def test_a_reference_is_the_tensor_it_names(read: str) -> None:
    text = THREE % "[a, b, d]" + f"  - concat:\n    from: {read}\n"
    if not read.startswith("["):
        text = text.replace("concat", "identity")
    assert spec(text).layers[-1].output[1] == READS[read]


SIZES = {
    "shape(t.b)[1]": 8,
    "shape(t[2])[1] + 1": 13,
    "shape(t.0)[-1]": 32,
    "len(t)": 3,
    "len(t.*) + in_channels": 7,
}


@pytest.mark.parametrize("size", SIZES)
def test_sizes_of_named_tensors(size: str) -> None:
    conv = f"  - {{conv2d: {{out_channels: '{size}', kernel_size: 1}}, from: t.0}}\n"
    assert spec(THREE % "[a, b, d]" + conv).layers[-1].output[1] == SIZES[size]


def test_outputs_may_have_names_of_their_own() -> None:
    analysis = spec(THREE % "{last: d, first: a}" + "  - {identity: , from: t.last}\n")
    assert analysis.layers[-1].output[1] == 12


def test_a_list_of_numbers_has_a_length_and_a_reverse() -> None:
    text = (
        "let: {widths: [4, 8, 16]}\nlayers:\n  - foreach:\n      columns: {c: reversed(widths)}\n"
    )
    text += "      layers: [conv2d: {out_channels: c + len(widths), kernel_size: 1}]\n"
    assert [layer.output[1] for layer in spec(text).layers] == [19, 11, 7]


# A path of skips: U-Net.

UNET = """
blocks:
  double:
    parameters: {c: }
    layers:
      - repeat:
          times: 2
          layers: [conv2d: {out_channels: c, kernel_size: 3, padding: 1}, relu: ]
let: {widths: [8, 16, 32]}
layers:
  - foreach:
      columns: {c: widths}
      index: i
      layers:
        - {maxpool2d: {kernel_size: 2}, when: i > 0}
        - double: {c: c}
    name: down
  - maxpool2d: {kernel_size: 2}
  - double: {c: 64}
  - foreach:
      columns: {c: reversed(widths)}
      tensors: {skip: reversed(down)}
      layers:
        - conv_transpose2d: {out_channels: c, kernel_size: 2, stride: 2}
        - {concat: , from: [skip, previous]}
        - double: {c: c}
"""


# BiFPN: a repeat that carries as many tensors as there are levels.

BIFPN = """
blocks:
  mix:
    parameters: {c: }
    layers:
      - conv2d: {out_channels: c, kernel_size: 3, padding: 1, groups: c, bias: false}
      - conv2d: {out_channels: c, kernel_size: 1}
      - batchnorm
  bifpn:
    inputs: [xs*]
    parameters: {c: }
    layers:
      - foreach:
          tensors: {x: reversed(xs)}
          index: i
          layers:
            - {upsample: {like: x}, name: coarser, when: i > 0}
            - {identity: , from: x, when: i == 0}
            - {add: , from: [x, coarser], when: i > 0}
            - {mix: {c: c}, when: i > 0}
        name: down
      - foreach:
          tensors: {x: xs, y: reversed(down)}
          index: i
          layers:
            - {maxpool2d: {kernel_size: 3, stride: 2, padding: 1}, name: finer, when: i > 0}
            - {identity: , from: y, when: i == 0}
            - {add: , from: [x, y, finer], when: 0 < i and i < len(xs) - 1}
            - {add: , from: [x, finer], when: i == len(xs) - 1}
            - {mix: {c: c}, when: i > 0}
        name: up
    outputs: [up.*]
layers:
  - repeat: {times: 3, layers: [bifpn: {c: 8}]}
    from: [a, b, d]
    name: neck
outputs: [neck.*]
"""
EVEN = "input: {a: [1, 8, 32, 32], b: [1, 8, 16, 16], d: [1, 8, 8, 8]}\n"
LEVELS = "input: {a: [1, 8, 33, 33], b: [1, 8, 17, 17], d: [1, 8, 9, 9]}\n"


STEMS = """
  - {conv2d: {out_channels: 8, kernel_size: 3, padding: 1}, from: a, name: A}
  - {conv2d: {out_channels: 8, kernel_size: 3, padding: 1}, from: b, name: B}
  - {conv2d: {out_channels: 8, kernel_size: 3, padding: 1}, from: d, name: D}
"""
EXCHANGE = """
blocks:
  hears:
    inputs: [fine, coarse]
    layers:
      - {conv2d: {out_channels: 8, kernel_size: 1}, from: coarse}
      - upsample: {like: fine}
      - {add: , from: [fine, previous]}
      - {relu: , name: one}
      - {conv2d: {out_channels: 8, kernel_size: 3, stride: 2, padding: 1}, from: fine}
      - {add: , from: [coarse, previous]}
      - {repeat: {times: 2, layers: [conv2d: {out_channels: 8, kernel_size: 1}]}}
      - {relu: , name: two}
    outputs: [one, two]
layers:%s
  - {repeat: {times: 3, layers: [hears]}, from: [A, B], name: module}
  - {global_avgpool: , from: module.one}
  - {global_avgpool: , from: module.two}
  - {concat: , from: [global_avgpool_1, global_avgpool_2]}
  - linear: {out_features: 4}
"""
DECODER = """
blocks:
  step:
    inputs: [x, memory, grown]
    layers:
      - {conv2d: {out_channels: 8, kernel_size: 1}, from: memory, name: heard}
      - {add: , from: [x, heard]}
      - {gelu: , name: next}
      - {concat: , from: [grown, heard], name: more}
    outputs: [next, memory, more]
layers:%s
  - {upsample: {like: A}, from: B, name: up}
  - {conv2d: {out_channels: 4, kernel_size: 1}, from: a, name: E}
  - {repeat: {times: 3, layers: [step]}, from: [A, up, E], name: steps}
  - {concat: , from: [steps.next, steps.memory, steps.more, up]}
  - {conv2d: {out_channels: 2, kernel_size: 1}}
"""
POOLED = """
  - {foreach: {tensors: {x: [neck.*]}, layers: [{global_avgpool: , from: x}]}, name: pooled}
  - {concat: , from: [pooled.*]}
  - linear: {out_features: 4}
"""
CARRIED = {
    "BiFPN": BIFPN.replace("layers:\n  - repeat", f"layers:{STEMS}  - repeat")
    .replace("[a, b, d]", "[A, B, D]")
    .replace("outputs: [neck.*]\n", POOLED.lstrip("\n")),
    "HRNet": EXCHANGE % STEMS,
    "a decoder with its memory and what grows": DECODER % STEMS,
}


@pytest.mark.parametrize("name", CARRIED)
def test_an_open_number_of_turns_counts_as_turns_written_out(name: str) -> None:
    text = HEAD + "symbols: {k: 3}\n" + EVEN + CARRIED[name].replace("times: 3", "times: k")
    left_out = {Need.DEVICE, Need.SEARCH, Need.TOKENS}
    names = [m.name for m in METRICS.values() if not left_out.intersection(m.needs)]
    for said in ({"optimizer": "adam"}, {"optimizer": "sgd", "checkpoint": "blocks"}):
        law = analyze(text, scenario=said)
        for times in (1, 2, 3, 6):
            written, at = analyze(text, settings={"k": times}, scenario=said), law.at(k=times)
            found = {each: getattr(at, each) for each in names}
            expected = {each: written.value_if_any(each) for each in names}
            unseen = {
                each for each in FIELDS if found[each] is None
            }  # it may see other places first
            assert found == expected | dict.fromkeys(unseen)


def test_a_single_turn_makes_again_what_no_other_keeps() -> None:
    """A block of one turn makes its result again; of several the next one keeps it as its input."""
    text = (
        HEAD
        + """symbols: {k: 2}
input: [1, 4, 8, 8]
layers:
  - conv2d: {out_channels: 4, kernel_size: 1}
  - repeat: {times: k, layers: [{conv2d: {out_channels: 4, kernel_size: 1}}, relu]}
"""
    )
    said = {"optimizer": "sgd", "checkpoint": "blocks"}
    law = analyze(text, scenario=said)
    for times in (1, 2, 3):
        written = analyze(text, settings={"k": times}, scenario=said)
        assert law.at(k=times).activations_kept == written.value("activations_kept")


@pytest.mark.parametrize(
    ("outputs", "sources", "cause"),
    [
        ("[b, mixed]", "[a, b]", "a turn hands on what enters it in another place"),
        ("[mixed, mixed]", "[a, b]", "a turn gives one tensor for several"),
        ("[mixed, b]", "[a, a]", "the first turn takes one tensor for several"),
    ],
)
def test_turns_that_differ_are_counted_one_by_one(outputs: str, sources: str, cause: str) -> None:
    text = f"""
symbols: {{k: 2}}
blocks:
  turn:
    inputs: [a, b]
    layers: [{{add: , from: [a, b]}}, {{linear: {{out_features: 8}}, name: mixed}}]
    outputs: {outputs}
layers:
  - {{repeat: {{times: k, layers: [turn]}}, from: {sources}, name: r}}
outputs: [r.*]
"""
    given = "input: {a: [1, 8], b: [1, 8]}\n"
    assert f"{cause}, so the number of turns must be known" in error_of(text, given).cause
    numbers = analyze(HEAD + given + text, settings={"k": 3})
    assert counts(numbers) == (3 * 72, 3 * 64)


# Shared weights.

TWINS = """
layers:
  - {conv2d: {out_channels: 1, kernel_size: 3}, from: left, name: twin}
  - {share: twin, from: right, name: other}
  - {sub: , from: [twin, other]}
"""
PAIR = "input: {left: [1, 1, 8, 8], right: [1, 1, 8, 8]}\n"


BODY = "layers: [linear: {out_features: 16}, relu: , linear: {out_features: 8}]"


def test_shared_turns_of_a_symbol() -> None:
    text = f"symbols: {{L: 5}}\nlayers:\n  - repeat: {{times: L, shared: true, {BODY}}}\n"
    analysis = spec(text, "input: [2, 8]\n")
    assert str(analysis.total("params")) == "280"
    assert str(analysis.total("macs")) == "512*L"


@pytest.mark.parametrize(
    "entry",
    [
        "linear: {out_features: 4}",
        "moe: {experts: 2, top_k: 1, layers: [linear: {out_features: 4}]}",
        "residual: [linear: {out_features: 4}]",
        "repeat: {times: 3, layers: [linear: {out_features: 4}]}",
        "repeat: {times: 3, index: i, layers: [linear: {out_features: 4}]}",
        "parallel: {branches: [[], [linear: {out_features: 4}]], merge: add}",
        "foreach: {columns: {c: [8, 4]}, layers: [linear: {out_features: c}]}",
        "lstm: {hidden_size: 4, num_layers: 2}",
    ],
)
def test_every_entry_can_be_shared(entry: str) -> None:
    given = "input: {a: [1, 3, 4], b: [1, 3, 4]}\n"
    once = spec(f"layers:\n  - {entry}\n    from: a\n    name: e\n", given)
    twice = f"layers:\n  - {entry}\n    from: a\n    name: e\n  - {{share: e, from: b}}\n"
    params, macs = counts(once)
    assert counts(spec(twice, given)) == (params, 2 * macs)


SHARED_BLOCK = """
blocks:
  pair:
    inputs: [x, y]
    layers:
      - {linear: {out_features: 4}, from: x, name: p}
      - {linear: {out_features: 4}, from: y, name: q}
    outputs: [p, q]
layers:
  - {pair: , from: [a, b], name: first}
  - {share: first, from: [first.q, first.p], name: again}
  - {share: again.p, from: b}
"""


def test_a_block_of_several_tensors_is_shared() -> None:
    analysis = spec(SHARED_BLOCK.rpartition("  -")[0], "input: {a: [1, 4], b: [1, 4]}\n")
    assert counts(analysis) == (40, 64)


# A shortcut that projects only where the shape changes.


def test_a_projection_is_left_out_where_the_shape_stays() -> None:
    text = """
layers:
  - repeat:
      times: 3
      layers:
        - residual:
            layers: [conv2d: {out_channels: 8, kernel_size: 3, padding: 1}]
            shortcut: [conv2d: {out_channels: 8, kernel_size: 1}]
            projects: on_change
"""
    conv = 9 * 3 * 8 + 8 + 2 * (9 * 8 * 8 + 8)
    assert counts(spec(text))[0] == conv + 3 * 8 + 8


def test_an_open_projection_is_refused() -> None:
    text = """
symbols: {c: 8}
layers:
  - residual:
      layers: [conv2d: {out_channels: c, kernel_size: 1}]
      shortcut: [conv2d: {out_channels: c, kernel_size: 1}]
      projects: on_change
"""
    assert "whether the shortcut projects is undecided" in error_of(text).cause


# Networks in networks.


def test_a_network_of_the_zoo_is_an_entry() -> None:
    use = "layers:\n  - use: resnet18\n"
    given = "input: [1, 3, 224, 224]\n"
    assert counts(spec(use, given)) == counts(analyze("resnet18"))
    fewer = "layers:\n  - use: {network: resnet18, symbols: {classes: 10}}\n"
    assert counts(spec(fewer, given))[0] == counts(analyze("resnet18"))[0] - 990 * 513


def test_its_tensors_can_be_read() -> None:
    text = "layers:\n  - {use: {network: resnet18, until: foreach_1}, name: body}\n"
    text += "  - {conv2d: {out_channels: 1, kernel_size: 1}, from: body.foreach_1.1}\n"
    analysis = spec(text, "input: [1, 3, 64, 64]\n")
    assert analysis.layers[-1].inputs == ((1, 128, 8, 8),)


def test_a_file_below_the_folder_is_used_and_included(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    other = HEAD + "input: [n, 8]\nsymbols: {n: 1, c: 4}\nblocks:\n  two:\n    parameters: {o: }\n"
    other += "    layers: [linear: {out_features: o}, relu: ]\nlayers: [two: {o: c}]\n"
    other += "variants: {wide: {symbols: {c: 16}}}\n"
    (tmp_path / "parts" / "other.yaml").write_text(other)
    main = HEAD + "input: [2, 8]\ninclude: parts/other.yaml\nlayers:\n  - two: {o: 8}\n"
    (tmp_path / "main.yaml").write_text(main + "  - use: parts/other.yaml@wide\n")
    assert counts(analyze(tmp_path / "main.yaml")) == (72 + 144, 2 * (64 + 128))


# Bad input.

BLOCK = """
blocks:
  two:
    inputs: [x, y]
    layers: [{add: , from: [x, y]}]
  some:
    inputs: [x, xs*]
    layers: [{add: , from: [x, xs.*]}]
layers:
  - {relu: , name: a}
  - {relu: , name: b}
"""

BAD = {
    "too few": ("  - {two: , from: a}", "takes 2 inputs, not 1"),
    "too many": ("  - {two: , from: [a, b, a]}", "takes 2 inputs, not 3"),
    "no rest": ("  - {some: , from: a}", "takes 2 or more inputs, not 1"),
    "no such part": ("  - {two: , from: [a.x, b]}", "'a' has one output, without a number"),
    "no index": ("  - {relu: , from: 'a[3]'}", "index 3 is outside the 1 tensors of 'a'"),
    "no tensor": ("  - {relu: , from: 'c[0]'}", "'c' names no tensor here"),
    "open bracket": ("  - {relu: , from: 'a[0'}", "expected ']' at the end"),
    "several": ("  - {relu: , from: [a, b]}", "takes 1 input, not 2"),
    "shape in structure": (
        "  - {relu: , when: 'shape(a)[1] > 2'}",
        "'shape' gives sizes; what decides structure comes before any size is known",
    ),
    "shares no entry": (
        "  - {share: input, from: a}",
        "'input' is no entry that can be shared",
    ),
    "turns": (
        "  - {repeat: {times: 2, layers: [{two: }]}, from: [a, b]}",
        "a turn takes 2 tensors and gives 1",
    ),
    "rows": (
        "  - {foreach: {tensors: {x: [a, b]}, count: 3, layers: [{relu: , from: x}]}}",
        "the numbers of rows differ: tensors.x 2, count 3",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_has_one_error(case: str) -> None:
    entry, cause = BAD[case]
    error = error_of(BLOCK + entry + "\n")
    assert cause in error.cause
    assert error.origin is not None
    assert error.origin.line == 15
    assert len(str(error).splitlines()) <= 2  # and a hint


def test_weights_of_other_sizes_are_not_shared() -> None:
    given = PAIR.replace("right: [1, 1", "right: [1, 2")
    cause = "axis 1 of the shared weight is 1; this layer needs 2"
    assert cause in error_of(TWINS, given).cause


def test_shared_turns_keep_the_shape() -> None:
    text = "layers:\n  - repeat: {times: 2, shared: true, layers: [linear: {out_features: 4}]}\n"
    error = error_of(text, "input: [2, 8]\n")
    assert "every turn changes axis 1 from 8 to 4; shared turns keep it" in error.cause


@pytest.mark.parametrize("key", ["include: {}\nlayers: [relu]\n", "layers: [use: {}]\n"])
def test_no_spec_leaves_its_folder(tmp_path: Path, key: str) -> None:
    (tmp_path / "outside.yaml").write_text(HEAD + "input: [1]\nlayers: [relu]\n")
    (tmp_path / "in").mkdir()
    for name, cause in {
        "../outside.yaml": "leads out of the folder of the spec",
        "spec.yaml": "a spec is inside itself: spec.yaml → spec.yaml",
        "resnet19": "is no network of the zoo, and no path of a spec",
    }.items():
        file = tmp_path / "in" / "spec.yaml"
        file.write_text(HEAD + "input: [1]\n" + key.format(name))
        with pytest.raises(SpecError, match=cause):
            analyze(file)


def test_blocks_of_a_file_that_cannot_be_read_are_not_called_unknown() -> None:
    error = error_of("include: resnet19\nlayers: [two: {o: 8}, relu, three]\n")
    assert "resnet19" in error.cause
    assert not error.others


def test_names_of_a_network_have_other_values() -> None:
    """ResNet-18 with one block per stage, whose 12 normalisations of 1,792 channels are frozen."""
    text = "depths: [1, 1, 1, 1], frozen_norms: true"
    net = spec(f"layers:\n  - use: {{network: resnet18, until: foreach_1, let: {{{text}}}}}\n")
    norms = 2 * (64 + 2 * (64 + 128 + 256 + 512) + 128 + 256 + 512)
    assert net.value("params") - net.value("trainable_params") == norms
    error = error_of("layers:\n  - use: {network: resnet18, let: {deep: 1}}\n")
    assert "resnet18 has no let name 'deep'" in error.cause


def test_what_enters_a_network_has_its_shape() -> None:
    error = error_of("layers:\n  - use: {network: resnet18, symbols: {c: 4}}\n")
    assert "axis 1 of what enters is 3; use_1 takes 4" in error.cause
    assert (
        "takes 4 axes as input; [1, 3072] enters"
        in error_of("layers: [flatten, use: resnet18]\n").cause
    )


FOLLOWED = {
    "a name that a kind and a number make": (
        "  - {linear: {out_features: 4}, from: nope}\n  - {linear: {out_features: q}}\n"
        "  - {add: , from: [linear_1, linear_2]}\n",
        ("'nope' names no tensor", "unknown name 'q'"),
    ),
    "rows that are not reached": (
        "  - {foreach: {count: 3, layers: [linear: {out_features: q}, relu: ]}, name: f}\n"
        "  - {add: , from: [f.1, f.2]}\n  - {concat: , from: f.*}\n",
        ("unknown name 'q'",),
    ),
    "tensors that are too few, since one has no meaning": (
        "  - {foreach: {tensors: {y: nope.*}, layers: [{relu: , from: y}]}, name: f}\n"
        "  - {add: , from: f.*}\n  - {add: , from: x}\n",
        ("'nope' names no tensor", "add: takes 2 or more inputs, not 1"),
    ),
}


@pytest.mark.parametrize("case", FOLLOWED)
def test_what_follows_from_an_error_is_left_out(tmp_path: Path, case: str) -> None:
    """Every error is one of the author's: none is about a tensor that another error has taken."""
    layers, causes = FOLLOWED[case]
    (tmp_path / "net.yaml").write_text(
        f"archspec: 1\nname: net\ninput: {{x: [1, 4]}}\nlayers:\n{layers}"
    )
    with pytest.raises(SpecError) as caught:
        analyze(tmp_path / "net.yaml")
    found = [str(each) for each in caught.value.errors]
    assert len(found) == len(causes)
    assert all(cause in text for cause, text in zip(causes, found, strict=True))
