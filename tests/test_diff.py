"""What a change of a spec does: by hand, at git revisions, at the edge of budgets."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspec import SpecError
from costmodel.analysis.analysis import Analysis
from costmodel.analysis.loading import analyze
from costmodel.studies.budgets import read_budget
from costmodel.studies.diff import Diff
from costmodel.studies.revisions import SpecSource, read_source, read_sources
from tests.commands import Done, run_here
from tests.conftest import Run

Golden = Callable[[str, str], None]

NET = """archspec: 1
name: net
symbols: {{n: 1, h: 16{symbols}}}
input: [n, 3, h, h]
layers:
{layers}
"""
FIRST = "  - conv2d: {out_channels: 8, kernel_size: 3, padding: 1}"
LAYERS = [FIRST, "  - relu", "  - flatten", "  - linear: {out_features: 10}"]
OLD = NET.format(symbols="", layers="\n".join(LAYERS))
NEW = OLD.replace("out_channels: 8", "out_channels: 16")


def analysis(folder: Path, text: str, name: str = "net.yaml") -> Analysis:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return analyze(file, convention="lecture")


WEIGHTS = ("--convention", "lecture")
"""Weights alone count, as one multiplies them out by hand."""


def diff(folder: Path, old: str, new: str, *budgets: str) -> Diff:
    before, after = (analysis(folder, text) for text in (old, new))
    return Diff(before, after, budgets=tuple(map(read_budget, budgets)))


def net(*layers: str, symbols: str = "") -> str:
    return NET.format(symbols=symbols, layers="\n".join(layers))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits of net.yaml, in a folder; the file on disk is as in the second."""
    folder = tmp_path / "repository"
    (folder / "specs").mkdir(parents=True)

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)

    git("init", "-q", "-b", "trunk")
    for text in (OLD, NEW):
        (folder / "specs" / "net.yaml").write_text(text, encoding="utf-8")
        (folder / "data.bin").write_bytes(b"\x00\xff\x00")
        git("add", ".")
        git("commit", "-q", "--allow-empty", "-m", "a step")
    return folder


@pytest.fixture
def inside(repository: Path) -> Callable[..., Done]:
    """Runs ``archcost diff`` in the repository."""

    def run(*arguments: str, folder: str = ".") -> Done:
        return run_here("diff", *arguments, folder=repository / folder)

    return run


def test_twice_the_channels_by_hand(tmp_path: Path) -> None:
    """Weights 3·8·9 + 8·16²·10 = 20,696; MACs 216·256 + 20,480 = 75,776; all of it twice."""
    changes = {change.metric.name: change for change in diff(tmp_path, OLD, NEW).changes}
    assert (changes["params"].old, changes["params"].new) == (20_696, 41_392)
    assert (changes["macs"].old, changes["macs"].gain) == (75_776, 75_776)
    assert changes["macs"].part == 1
    law = changes["macs"].closed_form
    assert law is not None
    assert list(map(str, law.values())) == ["296*h**2*n", "592*h**2*n", "296*h**2*n"]
    assert changes["receptive_field"].is_none


def test_what_changed_of_which_layer(tmp_path: Path) -> None:
    layers = diff(tmp_path, OLD, NEW).layers
    first, relu, flat, last = layers.changed
    assert (first.new.path, first.fields, first.counts) == (
        "conv2d_1",
        ("out_channels",),
        ("params", "macs"),
    )
    assert [(c.new.path, c.fields) for c in (relu, flat)] == [("relu_1", ()), ("flatten_1", ())]
    assert (last.fields, last.counts) == ((), ("params", "macs"))
    assert layers[:2] + layers[3:] == ((), (), ())


def test_equal_networks_do_not_differ(tmp_path: Path) -> None:
    spaced = OLD.replace("kernel_size: 3,", "kernel_size:   1 + 2,") + "# a comment\n"
    assert diff(tmp_path, OLD, spaced).is_empty


def test_a_layer_put_in_before_others_renumbers_them_only(tmp_path: Path) -> None:
    """The convolution of 3 channels to 3 comes first; conv2d_1 is then called conv2d_2."""
    before = "  - conv2d: {out_channels: 3, kernel_size: 1}"
    layers = diff(tmp_path, OLD, net(before, *LAYERS)).layers
    assert [layer.path for layer in layers.added] == ["conv2d_1"]
    assert [(c.old.path, c.new.path) for c in layers.renamed] == [("conv2d_1", "conv2d_2")]
    assert layers[1:3] == ((), ())


def test_a_named_layer_that_goes_is_told_by_its_name(tmp_path: Path) -> None:
    """Of three equal layers a, b, c the first goes; nothing else is called renamed."""
    same = [f"  - {{conv2d: {{out_channels: 3, kernel_size: 1}}, name: {name}}}" for name in "abc"]
    layers = diff(tmp_path, net(*same, *LAYERS), net(*same[1:], *LAYERS)).layers
    assert [layer.path for layer in layers.removed] == ["a"]
    assert (layers.added, *layers[2:]) == ((), (), ())


def test_renamed_layers_are_no_change(tmp_path: Path) -> None:
    stem = "  - {conv2d: {out_channels: 8, kernel_size: 3, padding: 1}, name: stem}"
    renamed = net(stem, "  - {relu: {}, name: act}", *LAYERS[2:])
    found = diff(tmp_path, OLD, renamed)
    pairs = [(c.old.path, c.new.path) for c in found.layers.renamed]
    assert pairs == [("conv2d_1", "stem"), ("relu_1", "act")]
    assert all(change.is_none for change in found.changes)
    assert not found.is_empty


def test_layers_that_come_as_a_group_are_one_line(tmp_path: Path) -> None:
    body = "  - residual: [{conv2d: {out_channels: 8, kernel_size: 3, padding: 1}}, relu]"
    layers = diff(tmp_path, OLD, net(*LAYERS[:2], body, *LAYERS[2:])).layers
    assert [(layer.path, layer.layers) for layer in layers.added] == [("residual_1", 3)]


def test_more_turns_of_a_repeat_are_told(tmp_path: Path) -> None:
    body = "  - repeat: {times: %d, layers: [{conv2d: {out_channels: 8, kernel_size: 1}}]}"
    found = diff(tmp_path, net(FIRST, body % 2), net(FIRST, body % 5))
    assert [(a.name, a.old, a.new) for a in found.repeats] == [("repeat_1", "2", "5")]
    (change,) = found.layers.changed
    assert change.counts == ("params", "macs")


def test_a_repeat_put_in_before_another_is_not_that_one(tmp_path: Path) -> None:
    """The second repeat holds what the first did, and is run 5 times instead of 2."""
    body = "  - repeat: {times: %d, layers: [{conv2d: {out_channels: 8, kernel_size: 1}}]}"
    other = "  - repeat: {times: 7, layers: [sigmoid]}"
    found = diff(tmp_path, net(FIRST, body % 2), net(FIRST, other, body % 5))
    assert [(a.name, a.old, a.new) for a in found.repeats] == [("repeat_2", "2", "5")]


def test_unrelated_networks_are_not_paired(tmp_path: Path) -> None:
    """``repeat_1``, ``input`` and ``linear_1`` are in both by number alone.

    One linear is of rows (two axes), with a bias; the other of tokens (three axes), without.
    """
    images = net(
        *("  - repeat: {times: 2, layers: [{conv2d: {out_channels: 3, kernel_size: 1}}, relu]}",),
        *("  - flatten", "  - linear: {out_features: 10}"),
    )
    tokens = net(
        *("  - repeat: {times: 5, layers: [layernorm, gelu]}",),
        "  - linear: {out_features: 20, bias: false}",
    ).replace("[n, 3, h, h]", "[n, 3, h]")
    found = diff(tmp_path, images, tokens)
    assert found.repeats == ()
    assert found.layers[2:] == ((), ())
    assert [layer.path for layer in found.layers.added] == ["input", "repeat_1", "linear_1"]


def test_a_named_layer_is_the_same_whatever_it_becomes(tmp_path: Path) -> None:
    old = net("  - flatten", "  - {linear: {out_features: 10}, name: head}")
    new = net("  - {linear: {out_features: 20, bias: false}, name: head}")
    (change,) = diff(tmp_path, old, new).layers.changed
    assert (change.new.path, change.fields) == ("head", ("out_features", "bias"))


def test_symbols_and_conditions(tmp_path: Path) -> None:
    """Groups g must divide 3 and 9 channels, so ``3 % g == 0`` comes with the symbol."""
    grouped = "  - conv2d: {out_channels: 9, kernel_size: 3, padding: 1, groups: g}"
    old = net(*LAYERS)
    new = net(grouped, *LAYERS[1:], symbols=", g: 3").replace("h: 16", "h: {default: 32, min: 8}")
    found = diff(tmp_path, old, new)
    h, g = found.symbols
    assert [tuple(a) for a in h.alterations] == [("default", "16", "32"), ("min", None, "8")]
    assert (g.name, g.old) == ("g", None)
    assert found.conditions == (("3 % g == 0",), ())


def test_another_default_alone_changes_no_layer(tmp_path: Path) -> None:
    """MACs 296·h²: four times as many at twice h, by the same law."""
    found = diff(tmp_path, OLD, OLD.replace("h: 16", "h: 32"))
    assert not any(found.layers)
    (macs,) = (change for change in found.changes if change.metric.name == "macs")
    assert macs.part == 3
    assert macs.closed_form is None


def test_another_domain_of_a_symbol_is_no_other_law(tmp_path: Path) -> None:
    layer = '  - linear: {out_features: "round_to(8*width, 8)"}'
    text = net("  - flatten", layer, symbols=", width: %s")
    sides = (text % "2", text % "{default: 2, domain: real}")
    found = diff(tmp_path, *sides)
    (symbol,) = found.symbols
    assert [tuple(a) for a in symbol.alterations] == [("domain", "integer", "real")]


@pytest.mark.parametrize(
    ("budget", "kept"),
    [
        ("macs +100%", True),
        ("macs +99.999%", False),
        ("params +20696", True),
        ("params +20695", False),
        ("params+2.0696e4", True),
        ("receptive_field +0", True),
        ("receptive_field -0%", True),
        ("receptive_field -1", False),
        ("memory_peak +1/1%", False),
    ],
)
def test_budgets_at_their_limit(tmp_path: Path, budget: str, kept: bool) -> None:
    """MACs and params gain exactly their old 75,776 and 20,696; the field stays 3."""
    (balance,) = diff(tmp_path, OLD, NEW, budget).balances
    assert balance.is_kept == kept


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("macs", "says no gain"),
        ("macs 5", "says no gain"),
        ("macs +", "says no gain"),
        ("macs +-5%", "says no gain"),
        ("macs +x%", "gain = x is no number"),
        ("mac +1%", "unknown metric 'mac'"),
    ],
)
def test_what_is_no_budget(text: str, cause: str) -> None:
    with pytest.raises(SpecError, match=cause):
        read_budget(text)


def test_where_specs_stand() -> None:
    assert read_source("specs/vgg.yaml@vgg16") == SpecSource("specs/vgg.yaml", None, "vgg16")
    assert read_source("HEAD@{1}:a.yaml@x") == SpecSource("a.yaml", "HEAD@{1}", "x")
    assert read_source(":a.yaml") == SpecSource("a.yaml", "")
    old, _ = read_sources("main:", "some/a.yaml@x")
    assert (old, old.name) == (SpecSource("./a.yaml", "main", "x", "some"), "main:./some/a.yaml")
    assert read_sources("main:", "v1:a.yaml")[0] == SpecSource("a.yaml", "main")
    with pytest.raises(SpecError, match="no revision: git would take it for an option"):
        read_source("--output=x:a.yaml")
    with pytest.raises(SpecError, match="neither names a file"):
        read_sources("main:", "HEAD:")
    with pytest.raises(SpecError, match="several variants of one side only"):
        read_sources("a.yaml@*", "b.yaml")


def test_a_file_with_a_colon_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a:b.yaml"
    file.write_text(OLD, encoding="utf-8")
    assert read_source(str(file)).revision is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("HEAD~1:specs/net.yaml", "HEAD:specs/net.yaml"),
        ("HEAD~1:specs/net.yaml", "specs/net.yaml"),
        ("HEAD~1:", "specs/net.yaml"),
        ("trunk~1:", "trunk:specs/net.yaml"),
        ("HEAD~1:", ":specs/net.yaml"),
    ],
)
def test_revisions(inside: Run, arguments: tuple[str, ...]) -> None:
    done = inside(*arguments, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    (network,) = json.loads(done.stdout)["networks"]
    assert network["metrics"]["macs"]["new"] == 2 * network["metrics"]["macs"]["old"] == 151_552


def test_a_revision_from_another_folder(inside: Run) -> None:
    done = inside("HEAD~1:", "net.yaml", folder="specs")
    assert "HEAD~1:./net.yaml → net.yaml" in done.stdout
    assert inside("HEAD~1:./net.yaml", "net.yaml", folder="specs").returncode == 0


PARTS = """
archspec: 1
name: parts
input: [1, 3, 8, 8]
blocks:
  cell: {{parameters: {{to: }}, layers: [conv2d: {{out_channels: to, kernel_size: {kernel}}}]}}
layers: [cell: {{to: 4}}]
"""
WITHIN = """
archspec: 1
name: whole
include: parts/cell.yaml
input: [1, 3, 8, 8]
layers: [{use: body.yaml, name: body}, {cell: {to: 5}}]
"""


@pytest.fixture
def composed(repository: Path) -> Path:
    """Two commits of a spec that includes and uses others; kernels of 3, of 1, on disk of 2."""
    specs = repository / "specs"
    (specs / "parts").mkdir()
    (specs / "whole.yaml").write_text(WITHIN, encoding="utf-8")
    body = WITHIN.replace("{use: body.yaml, name: body}, {cell: {to: 5}}", "{cell: {to: 8}}")
    (specs / "body.yaml").write_text(body, encoding="utf-8")
    for kernel in (3, 1):
        (specs / "parts" / "cell.yaml").write_text(PARTS.format(kernel=kernel), encoding="utf-8")
        for words in (
            ["add", "."],
            ["-c", "user.name=t", "-c", "user.email=t@e", "commit", "-qm", "s"],
        ):
            subprocess.run(["git", *words], cwd=repository, check=True)
    (specs / "parts" / "cell.yaml").write_text(PARTS.format(kernel=2), encoding="utf-8")
    return repository


@pytest.mark.parametrize(
    ("folder", "old", "new", "kernels"),
    [
        (".", "HEAD~1:specs/whole.yaml", "HEAD:specs/whole.yaml", (3, 1)),
        (".", "HEAD~1:specs/whole.yaml", "specs/whole.yaml", (3, 2)),
        ("specs", "HEAD~1:./whole.yaml", "HEAD:", (3, 1)),
        ("specs/parts", "HEAD~1:../whole.yaml", "../whole.yaml", (3, 2)),
    ],
)
def test_what_a_spec_includes_and_uses_is_of_its_revision(
    composed: Path, folder: str, old: str, new: str, kernels: tuple[int, int]
) -> None:
    done = run_here("diff", old, new, "--format", "json", folder=composed / folder)
    assert (done.returncode, done.stderr) == (0, "")
    (network,) = json.loads(done.stdout)["networks"]
    found = network["metrics"]["params"]
    params = [8 * (3 * k * k + 1) + 5 * (8 * k * k + 1) for k in kernels]
    assert [found["old"], found["new"]] == params


def test_an_include_that_a_revision_has_not(composed: Path) -> None:
    subprocess.run(
        ["git", "rm", "-q", "--cached", "specs/parts/cell.yaml"], cwd=composed, check=True
    )
    done = run_here("diff", ":specs/whole.yaml", "HEAD:", folder=composed)
    assert done.returncode == 2
    assert ":specs/whole.yaml:4:10: include: cannot read :specs/parts/cell.yaml: " in done.stderr


def test_a_circle_in_a_revision(composed: Path) -> None:
    around = PARTS.format(kernel=1).replace("name: parts", "name: parts\ninclude: cell.yaml")
    (composed / "specs" / "parts" / "cell.yaml").write_text(around, encoding="utf-8")
    subprocess.run(["git", "add", "."], cwd=composed, check=True)
    done = run_here("diff", ":specs/whole.yaml", "HEAD:", folder=composed)
    assert "a spec is inside itself: whole.yaml → cell.yaml → cell.yaml" in done.stderr


def test_equal_revisions_say_so(inside: Run) -> None:
    done = inside("HEAD:", "specs/net.yaml", "--max", "macs +0")
    assert done.returncode == 0
    assert (
        "no difference: metrics, laws, conditions, symbols and layers are the same" in done.stdout
    )


def test_a_broken_budget_ends_with_1(inside: Run) -> None:
    done = inside(
        "HEAD~1:", "specs/net.yaml", "--max", "macs +2%", "params +20696", "params +1", *WEIGHTS
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "archcost: net: macs +2%: broken, 151,552 is more than 77,291.52, by 74,260.48",
        "archcost: net: params +1: broken, 41,392 is more than 20,697, by 20,695",
    ]


@pytest.mark.parametrize(
    ("old", "message"),
    [
        ("nope:specs/net.yaml", "cannot read nope:specs/net.yaml: invalid object name 'nope'"),
        ("HEAD:specs/no.yaml", "path 'specs/no.yaml' does not exist in 'HEAD'"),
        ("HEAD:specs", "cannot read HEAD:specs: it is no file there"),
        ("HEAD:data.bin", "HEAD:data.bin:1:2: byte 0xff is not UTF-8"),
        ("HEAD:specs/net.yaml@big", "HEAD:specs/net.yaml: there is no variant 'big'"),
        ("", "the name of a network is empty"),
    ],
)
def test_what_git_has_not(inside: Run, old: str, message: str) -> None:
    done = inside(old, "specs/net.yaml")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_shallow_clone_says_how_to_deepen_it(repository: Path, tmp_path: Path) -> None:
    """Its parent is not there; in a whole clone a wrong name gets no such hint."""
    clone = [
        "git",
        "clone",
        "-q",
        "--depth",
        "1",
        f"file://{repository}",
        str(tmp_path / "shallow"),
    ]
    subprocess.run(clone, check=True, capture_output=True)
    done = run_here("diff", "HEAD~1:", "specs/net.yaml", folder=tmp_path / "shallow")
    assert done.returncode == 2
    assert "hint: this clone has not all revisions; in a workflow give" in done.stderr
    assert "fetch-depth: 0" in done.stderr
    done = run_here("diff", "nope:", "specs/net.yaml", folder=repository)
    assert "fetch-depth" not in done.stderr


def test_a_broken_spec_is_placed_in_its_revision(inside: Run, repository: Path) -> None:
    """The stride stands in line 6, after 49 characters."""
    broken = OLD.replace("padding: 1}", "padding: 1, strid: 2}")
    (repository / "specs" / "net.yaml").write_text(broken, encoding="utf-8")
    subprocess.run(["git", "add", "."], cwd=repository, check=True)
    done = inside(":specs/net.yaml", "HEAD:specs/net.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith("archcost: :specs/net.yaml:6:")
    done = inside("HEAD:", "specs/net.yaml")
    assert done.stderr.startswith("archcost: specs/net.yaml:6:")


def test_no_repository(tmp_path: Path) -> None:
    from costmodel.studies.revisions import load_source

    with pytest.raises(SpecError, match="not a git repository"):
        load_source(SpecSource("./a.yaml", "HEAD", None, str(tmp_path)))


VIEWS: dict[str, tuple[str, ...]] = {
    "diff-80.txt": ("specs/vgg.yaml@vgg16", "specs/vgg.yaml@vgg19", "--max", "macs +20%"),
    "diff-200.txt": ("specs/vgg.yaml@vgg16", "specs/resnet.yaml@resnet18"),
    "diff-symbolic.txt": (
        *("specs/resnet.yaml@resnet50", "specs/resnet.yaml@resnet101"),
        *("--metric", "macs", "--symbolic"),
    ),
    "diff.md": ("specs/vgg.yaml@vgg16", "specs/vgg.yaml@vgg19", "--max", "macs +20%"),
    "diff.json": ("specs/resnet.yaml@resnet18", "specs/resnet.yaml@resnet34"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_golden(name: str, archcost: Run, golden: Golden) -> None:
    formats = {".md": "markdown", ".json": "json"}
    shown = formats.get(Path(name).suffix, "table")
    columns = 200 if "200" in name else 80
    done = archcost("diff", *VIEWS[name], "--format", shown, columns=columns)
    assert done.returncode == int("--max" in VIEWS[name])
    golden(name, done.stdout)


def test_all_variants(archcost: Run) -> None:
    done = archcost("diff", "specs/vgg.yaml@*", "specs/vgg.yaml@*", "--format", "json")
    shown: dict[str, Any] = json.loads(done.stdout)
    assert shown["equal"]
    assert len(shown["networks"]) == 8


def test_a_setting_of_one_side_only(archcost: Run) -> None:
    """Only ResNet has a width; at 2 its 7×7 convolution has 3·128·49 weights."""
    done = archcost(
        *("diff", "specs/vgg.yaml@vgg16", "specs/resnet.yaml@resnet18"),
        *("--set", "width=2", "--metric", "params", "--format", "json", *WEIGHTS),
    )
    (network,) = json.loads(done.stdout)["networks"]
    added = {layer["path"]: layer for layer in network["layers"]["added"]}
    assert any(layer["params"] == 3 * 128 * 49 for layer in added.values())
    refused = archcost("diff", "specs/vgg.yaml", "specs/vgg.yaml", "--set", "q=2")
    assert refused.returncode == 2
    assert "none of the specs has a symbol 'q' to set" in refused.stderr
