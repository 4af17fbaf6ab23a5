"""Composites, blocks, variants and tied weights: what they expand to, and what they cost."""

from pathlib import Path

import pytest

from archspec import SpecError
from costmodel import Analysis, analyze
from costmodel.algebra.conditions import condition_text
from costmodel.studies.report import Report
from tests.conftest import ROOT

HEAD = "archspec: 1\nname: net\ninput: [1, 4, 8, 8]\n"


def written(folder: Path, text: str) -> Analysis:
    file = folder / "net.yaml"
    file.write_text(HEAD + text, encoding="utf-8")
    return analyze(file, convention="torch")


COUNTS: dict[str, tuple[str, int, int]] = {
    "residual": ("layers: [{residual: [{conv2d: {out_channels: 4, kernel_size: 1}}]}]", 20, 1024),
    "a shortcut": (
        "layers:\n  - residual:\n      layers: [{conv2d: {out_channels: 8, kernel_size: 1}}]\n"
        "      shortcut: [{conv2d: {out_channels: 8, kernel_size: 1, bias: false}}]\n",
        4 * 8 + 8 + 4 * 8,
        2 * 4 * 8 * 64,
    ),
    "branches": (
        "layers:\n  - parallel: {branches: [[], [{conv2d: {out_channels: 2, kernel_size: 1}}]]}\n"
        "  - conv2d: {out_channels: 1, kernel_size: 1, bias: false}\n",
        4 * 2 + 2 + 6,
        (4 * 2 + 6) * 64,
    ),
    "turns that change the channels": (
        "layers: [{repeat: {times: 3, layers: [{conv2d: {out_channels: 8, kernel_size: 1, "
        "bias: false}}]}}]",
        4 * 8 + 2 * 8 * 8,
        (4 * 8 + 2 * 8 * 8) * 64,
    ),
    "turns that grow": (
        "layers: [{repeat: {times: 3, layers: [{conv2d: {out_channels: in_channels + 1, "
        "kernel_size: 1, bias: false}}]}}]",
        4 * 5 + 5 * 6 + 6 * 7,
        (4 * 5 + 5 * 6 + 6 * 7) * 64,
    ),
    "a table by columns": (
        "let: {widths: [2, 3]}\nlayers: [{foreach: {columns: {c: widths, k: [1, 3]}, index: i, "
        "layers: [{conv2d: {out_channels: c + i, kernel_size: k, padding: k//2, bias: false}}]}}]",
        4 * 2 + 2 * 4 * 9,
        (4 * 2 + 2 * 4 * 9) * 64,
    ),
    "an index": (
        "layers: [{repeat: {times: 3, index: i, layers: [{conv2d: {out_channels: i + 1, "
        "kernel_size: 1, bias: false}}]}}]",
        4 * 1 + 1 * 2 + 2 * 3,
        (4 + 2 + 6) * 64,
    ),
    "a table": (
        "layers: [{foreach: {rows: [{c: 2, k: 1}, {c: 3, k: 3}], layers: [{conv2d: "
        "{out_channels: c, kernel_size: k, padding: k//2, bias: false}}]}}]",
        4 * 2 + 2 * 3 * 9,
        (4 * 2 + 2 * 3 * 9) * 64,
    ),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_by_hand(name: str, tmp_path: Path) -> None:
    text, params, macs = COUNTS[name]
    analysis = written(tmp_path, text)
    assert (analysis.at().params, analysis.at().macs) == (params, macs)


def test_experts_count_all_weights_and_the_work_of_the_chosen(tmp_path: Path) -> None:
    """Router 8·E; one expert 8·8; all E hold weights, k of them work on each of 4·8 rows."""
    analysis = written(
        tmp_path,
        "layers: [{moe: {experts: 6, top_k: 2, layers: [{linear: {out_features: 8, "
        "bias: false}}]}}]",
    )
    assert analysis.at().params == 8 * 6 + 6 * 8 * 8
    assert analysis.at().macs == 4 * 8 * (8 * 6 + 2 * 8 * 8)


def test_a_symbol_of_turns_multiplies(tmp_path: Path) -> None:
    analysis = written(
        tmp_path,
        "symbols: {L: 5}\nlayers: [{repeat: {times: L, layers: [{conv2d: {out_channels: 8, "
        "kernel_size: 1, bias: false}}]}}]",
    )
    assert str(analysis.params) in ("64*L - 32", "32 + 64*(L - 1)")
    assert analysis.at(L=100).params == 4 * 8 + 99 * 64


def test_turns_that_change_every_time_need_a_number(tmp_path: Path) -> None:
    text = (
        "symbols: {L: 5}\nlayers: [{repeat: {times: L, layers: [{conv2d: "
        "{out_channels: 2*in_channels, kernel_size: 1}}]}}]"
    )
    file = tmp_path / "net.yaml"
    file.write_text(HEAD + text, encoding="utf-8")
    changes = "every turn changes axis 1 from 4 to 8 to 16, by more than a step"
    with pytest.raises(SpecError, match=changes):
        analyze(file)


def test_a_tied_weight_counts_once() -> None:
    """GPT-2: 124,439,808 with the head tied; untied it would be V·d more."""
    params = analyze(ROOT / "specs" / "gpt2.yaml", convention="torch").at().params
    assert params == 124_439_808


def test_u_net_is_valid_for_multiples_of_16() -> None:
    analysis = analyze(ROOT / "specs" / "unet.yaml")
    assert [condition_text(c) for c in analysis.conditions] == ["h % 16 == 0", "w % 16 == 0"]
    for height in range(16, 300):
        valid = height % 16 == 0
        if valid:
            analysis.at(h=height)
        else:
            with pytest.raises(SpecError, match=r"concat_|must fit"):
                analysis.at(h=height)


@pytest.mark.parametrize(
    ("spec", "patch"), [("vit.yaml", 16), ("vit.yaml@vit_h_14", 14), ("deit.yaml", 16)]
)
def test_vision_transformers_take_whole_patches(spec: str, patch: int) -> None:
    analysis = analyze(f"{ROOT / 'specs' / spec}")
    printed = [condition_text(c) for c in analysis.conditions]
    assert {"h % patch == 0", "w % patch == 0"} < set(printed)
    for height in range(patch, 4 * patch):
        settings = {"h": height, "w": 2 * patch}
        if height % patch == 0:
            analysis.at(**settings)
        else:
            with pytest.raises(
                SpecError, match=rf"height \({height}\) must be divisible by {patch}"
            ):
                analysis.at(**settings)


def test_a_block_that_calls_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="block 'a' calls itself: a → b → a"):
        written(tmp_path, "blocks: {a: {layers: [b]}, b: {layers: [a]}}\nlayers: [a]")


def test_a_block_sees_no_names_of_its_caller(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="unknown name 'i'"):
        written(
            tmp_path,
            "blocks: {a: {layers: [{linear: {out_features: i}}]}}\n"
            "layers: [{repeat: {times: 2, index: i, layers: [a]}}]",
        )


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(SpecError, match="there is no variant 'resnet51'"):
        analyze(f"{ROOT / 'specs' / 'resnet.yaml'}@resnet51")


@pytest.mark.parametrize(
    "spec",
    ["resnet.yaml@resnet101", "densenet.yaml", "mobilenetv2.yaml", "gpt2.yaml", "llama.yaml"],
)
def test_a_law_gives_the_numbers_of_an_analysis_in_numbers(spec: str) -> None:
    """The symbolic totals at the defaults equal the totals when every symbol is a number."""
    path = f"{ROOT / 'specs' / spec}"
    free = analyze(path)
    values = {name: str(value) for name, value in free.graph.values.items()}
    fixed = analyze(path, settings=values)
    for metric in ("params", "macs", "activations", "activations_peak"):
        assert free.evaluator(free.total(metric)) == fixed.value(metric) == free.value(metric)


ROWS = (
    "archspec: 1\nname: net\n"
    "symbols: {d: 8, e: 8, L: 3, E: 6, k: 2, w: {default: 1, domain: real}}\n"
)


def of(folder: Path, layers: str, shape: str = "[1, 5, d]", **settings: int) -> Analysis:
    """The analysis of some layers over symbols."""
    file = folder / "net.yaml"
    file.write_text(f"{ROWS}input: {shape}\nlayers: {layers}\n", encoding="utf-8")
    return analyze(file, settings=settings)


CONDITIONS = {
    "turns are no less than none": (
        "[{repeat: {times: L - 2, layers: [{linear: {out_features: d}}]}}]",
        ["L >= 2"],
    ),
    "turns are whole": (
        "[{repeat: {times: L/3, layers: [{linear: {out_features: d}}]}}]",
        ["L % 3 == 0"],
    ),
    "no more experts work than there are": (
        "[{moe: {experts: E, top_k: k, layers: [{linear: {out_features: d}}]}}]",
        ["E >= k"],
    ),
    "a real size is whole": ("[{linear: {out_features: 16*w}}]", ["(16*w) % 1 == 0"]),
    "equal once": (
        "[{residual: [{linear: {out_features: e}}]}, {residual: [{linear: {out_features: "
        "2*e - d}}]}]",
        ["d == e"],
    ),
    "a multiple is at least what divides it": (
        "[{linear: {out_features: d/k}}, {linear: {out_features: d//k}}]",
        ["d % k == 0"],
    ),
    "the smaller of two is decided": ("[{linear: {out_features: 'max(1, d - 3)'}}]", []),
    "factors are left out": (
        "[{self_attention: {heads: 6, head_dim: 2, kv_heads: k}}]",
        ["6 % k == 0"],
    ),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_conditions_of_structure(name: str, tmp_path: Path) -> None:
    layers, expected = CONDITIONS[name]
    assert [condition_text(c) for c in of(tmp_path, layers).conditions] == expected


REDUCED = {
    "equal both ways": ("[{add: , from: [x, y]}, {add: , from: [y, previous]}]", ["a == b"]),
    "groups of two kinds": (
        "[{linear: {out_features: 96}, from: x}, {reshape: {shape: [1, 96, 1]}}, "
        "{conv1d: {out_channels: 64, kernel_size: 1, groups: g}}, "
        "{conv1d: {out_channels: 64, kernel_size: 1, groups: 4*g}}]",
        ["16 % g == 0"],
    ),
    "patches": (
        "[{reshape: {shape: [1, a//p, p, b//p, p]}, from: image}]",
        ["a % p == 0", "b % p == 0"],
    ),
}


@pytest.mark.parametrize("name", REDUCED)
def test_conditions_of_several_inputs(name: str, tmp_path: Path) -> None:
    layers, expected = REDUCED[name]
    file = tmp_path / "net.yaml"
    file.write_text(
        "archspec: 1\nname: net\nsymbols: {a: 8, b: 8, g: 2, p: 2}\n"
        f"input: {{x: [1, a], y: [1, b], image: [1, a, b]}}\nlayers: {layers}\n",
        encoding="utf-8",
    )
    assert [condition_text(c) for c in analyze(file).conditions] == expected


def test_two_scales_of_an_encoder(tmp_path: Path) -> None:
    """Convolutions of 3 with stride 2, upsampled and added: rounded-up halves must be exact."""
    file = tmp_path / "net.yaml"
    file.write_text(
        "archspec: 1\nname: net\nsymbols: {h: 32}\ninput: [1, 4, h]\nlayers:\n"
        "  - conv1d: {out_channels: 4, kernel_size: 3, stride: 2, padding: 1}\n    name: half\n"
        "  - conv1d: {out_channels: 4, kernel_size: 3, stride: 2, padding: 1}\n"
        "  - upsample: {scale_factor: 2}\n  - add:\n    from: [previous, half]\n"
        "  - upsample: {scale_factor: 2}\n  - add:\n    from: [previous, input]\n",
        encoding="utf-8",
    )
    assert [condition_text(c) for c in analyze(file).conditions] == ["h % 4 == 0"]


def test_the_multiples_of_a_symbol_are_known(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    up_and_down = (
        "[{conv1d: {out_channels: 2, kernel_size: 4, stride: 4}}, {conv_transpose1d: "
        "{out_channels: 2, kernel_size: 4, stride: 4}}, {add: , from: [previous, input]}]"
    )
    for multiple, expected in ((8, []), (2, ["h % 4 == 0"])):
        file.write_text(
            f"archspec: 1\nname: net\nsymbols: {{h: {{default: 8, multiple_of: {multiple}}}}}\n"
            f"input: [1, 2, h]\nlayers: {up_and_down}\n",
            encoding="utf-8",
        )
        assert [condition_text(c) for c in analyze(file).conditions] == expected


def test_turns_that_do_not_happen_are_in_no_peak(tmp_path: Path) -> None:
    wide = (
        "[{linear: {out_features: d}}, {repeat: {times: L - 1, layers: "
        "[{linear: {out_features: 90}}, {linear: {out_features: d}}]}}]"
    )
    law = of(tmp_path, wide)
    for turns, peak in ((1, 2 * 5 * 8), (2, 5 * 8 + 5 * 90)):
        assert law.at(L=turns).activations_peak == peak
        assert of(tmp_path, wide, L=turns).at().activations_peak == peak


TIES = {
    "transposed": ("{linear: {out_features: 6, weight: tok, bias: false}}", "axis 0 of the shared"),
    "of other axes": ("{linear: {out_features: 54, weight: conv}}", r"the weight of 'conv' is \[2"),
}


@pytest.mark.parametrize("name", TIES)
def test_a_shared_weight_has_the_shape_that_is_needed(name: str, tmp_path: Path) -> None:
    entry, message = TIES[name]
    layers = (
        "[{embedding: {num_embeddings: 9, embedding_dim: 6}, name: tok, from: ids}, {conv1d: "
        f"{{out_channels: 2, kernel_size: 3}}, name: conv}}, {{{entry[1:-1]}, from: rows}}]"
    )
    with pytest.raises(SpecError, match=message):
        of(tmp_path, layers, "{ids: [1, 3], rows: [1, 9]}")


def test_a_shared_weight_may_be_shared_on(tmp_path: Path) -> None:
    layers = (
        "[{embedding: {num_embeddings: d, embedding_dim: e}, name: tok}, {linear: {out_features: d,"
        " weight: tok, bias: false}, name: head}, {linear: {out_features: e, bias: false}}, "
        "{linear: {out_features: d, weight: head, bias: false}}]"
    )
    assert str(of(tmp_path, layers, "[1, 3]").params) == "2*d*e"


def test_a_side_branch_leaves_the_network(tmp_path: Path) -> None:
    """3·d + 3 parameters on the side; what follows takes what the branch took."""
    analysis = of(tmp_path, "[{side: [{linear: {out_features: 3}}]}, {linear: {out_features: 2}}]")
    assert str(analysis.params) == "5*d + 5"
    assert not [w for w in analysis.warnings if "nothing takes" in w.cause]


TABLES = {
    "columns: {a: [1, 2], b: [1]}": "the columns are of different lengths",
    "columns: {a: 3}": "a column is a list",
    "columns: []": "is no table",
    "columns: {a: [1]}, rows: [{a: 1}]": "takes rows or columns, one of them",
    "index: i": "takes rows or columns, one of them",
}


@pytest.mark.parametrize("table", TABLES)
def test_a_table_that_is_none_is_refused(table: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=TABLES[table]):
        of(tmp_path, f"[{{foreach: {{{table}, layers: [relu]}}}}]")


WRONG_NAMES = {
    "a part of the residual": (
        "[{residual: [{linear: {out_features: 8}, name: add}]}]",
        "the name 'add' is taken",
    ),
    "in a turn, from outside": (
        "[{foreach: {rows: [{a: 8}], layers: [{linear: {out_features: a}, name: q}]}}, "
        "{relu: , from: q}]",
        "'q' names one in every turn of foreach_1/row_1",
    ),
    "an expert's, from outside": (
        "[{moe: {experts: 2, top_k: 1, layers: [{linear: {out_features: 8}, name: q}]}}, "
        "{relu: , from: q}]",
        "'q' names one in every turn of moe_1/experts",
    ),
    "an index and a column": (
        "[{foreach: {index: a, rows: [{a: 8}], layers: [relu]}}]",
        "the index 'a' is a column of the table, too",
    ),
    "no source of a sum": ("[add]", "takes 2 or more inputs, not 1"),
    "an expert without layers": (
        "[{moe: {experts: 2, top_k: 1, layers: [{relu: , when: false}]}}]",
        "an expert has no layer",
    ),
    "a column without rows": ("[{foreach: {columns: {a: []}, layers: [relu]}}]", "a column has a"),
}


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_names_and_bodies_that_are_wrong(name: str, tmp_path: Path) -> None:
    layers, message = WRONG_NAMES[name]
    with pytest.raises(SpecError, match=message):
        of(tmp_path, layers)


def test_turns_that_change_the_shape_once_are_at_least_one(tmp_path: Path) -> None:
    """9·6 parameters in the first turn, 7·6 in each that follows; then 7·10."""
    layers = (
        "[{repeat: {times: L - 1, layers: [{linear: {out_features: 6}}]}}, "
        "{linear: {out_features: 10}}]"
    )
    analysis = of(tmp_path, layers, "[1, d]")
    assert [condition_text(c) for c in analysis.conditions] == ["L >= 2"]
    assert analysis.at(L=4).params == 9 * 6 + 2 * 7 * 6 + 7 * 10


@pytest.mark.parametrize("most", [2_000, pytest.param(8_000, marks=pytest.mark.exhaustive)])
def test_turns_within_turns_are_bounded(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All 30,000 that are allowed take a while; fewer are enough to see it."""
    monkeypatch.setattr("costmodel.network.propagation.MAX_WORKED", most)
    layers = (
        "[{repeat: {times: 900, layers: [{repeat: {times: 900, layers: [{linear: "
        "{out_features: in_features + 1}}]}}]}}]"
    )
    with pytest.raises(SpecError, match=f"more than {most:,} layers to work out"):
        of(tmp_path, layers)


def test_a_repeat_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    layers = (
        "[{linear: {out_features: d}, name: x}, {repeat: {times: 3, layers: [{linear: "
        "{out_features: d}}]}}, {relu: , from: x}]"
    )
    told = [(w.entry, w.cause) for w in of(tmp_path, layers).warnings if "takes" in w.cause]
    assert told == [("repeat_1", "nothing takes its output; it counts all the same")]


def test_a_group_has_the_shape_that_leaves_it(tmp_path: Path) -> None:
    layers = (
        "[{repeat: {times: 3, layers: [{linear: {out_features: d}}, "
        "{side: [{linear: {out_features: 3}}]}]}}]"
    )
    rows = {row.name: row for row in Report(of(tmp_path, layers, d=8)).rows}
    assert [[int(size) for size in shape] for shape in rows["repeat_1"].shapes] == [[1, 5, 8]]


def test_what_enters_a_turn_is_named_by_what_it_is(tmp_path: Path) -> None:
    layers = (
        "[{linear: {out_features: d}}, {repeat: {times: 2, layers: "
        "[{linear: {out_features: d + in_features}}]}}]"
    )
    inputs = [row.inputs for row in Report(of(tmp_path, layers, d=8)).rows if row.kind == "linear"]
    assert inputs == [("input",), ("linear_1",), ("repeat_1/turn_1/linear_1",)]


@pytest.mark.parametrize(
    "text",
    [
        "layers: [{linear: {out_features: 4, bias: in_features > 2}}]",
        "blocks: {b: {parameters: {a: in_channels}, layers: [{relu: , when: a > 2}, gelu]}}\n"
        "layers: [b]",
    ],
)
def test_a_size_decides_no_structure(text: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"undecidable: it depends on a size, which comes after"):
        written(tmp_path, text)
