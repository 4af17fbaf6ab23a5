"""``archcost prove``: published laws against what is derived, and everything that can be wrong.

Each built-in law is proved twice: as an identity, and at random points in exact arithmetic, where
the networks are analysed with every symbol fixed to a number.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest

from archspec.arithmetic import Rational
from archspec.errors import SpecError
from archspec.expressions import parse
from archspec.laws import Law, LawFields, read_laws
from archspec.scope import Scope, resolve
from archspec.trees import Binary, Name, Number, Tree, Truth
from costmodel.analysis.loading import Setup, analyze_architecture
from costmodel.render.markdown import render
from costmodel.scenario.conventions import find_convention
from costmodel.scenario.scenario import scenario
from costmodel.studies.prove import built_in_files, document, prove, read_derivation, shown
from tests.conftest import ROOT, Run

LAWS = {law.name: law for file in built_in_files() for law in read_laws(file)}
POINTS = 3


@pytest.mark.parametrize("name", LAWS)
def test_a_built_in_law_is_proved(name: str) -> None:
    proof = prove(LAWS[name])
    assert proof.holds, proof.residual
    assert not replace(proof, published=proof.published + 1).holds


def test_the_table_is_long_and_complete() -> None:
    assert len(LAWS) >= 40
    assert len(LAWS) == sum(len(read_laws(file)) for file in built_in_files())
    for law in LAWS.values():
        assert law.fields.source
        assert law.fields.doc
        find_convention(law.fields.convention)


def test_only_these_laws_leave_a_residual() -> None:
    """What a paper counts otherwise is stated, and is said why."""
    stated = {name: law.written("residual") for name, law in LAWS.items() if law.fields.differs}
    assert stated == {
        "lstm_params": "4*h",
        "kaplan_forward": "2*n_layer*n_ctx*d_attn",
        "chinchilla_forward": "-2*s*V*d - 3*L*heads*s*s",
        "megatron_params": "2*h",
    }


def number(tree: Tree, values: dict[str, Rational]) -> Rational:
    """The value of a formula, by the language's own arithmetic."""
    value = resolve(tree, Scope({name: Number(known) for name, known in values.items()}))
    assert isinstance(value, Number)
    return value.value


def holds(tree: Tree, values: dict[str, Rational]) -> bool:
    truth = resolve(tree, Scope({name: Number(known) for name, known in values.items()}))
    assert isinstance(truth, Truth)
    return truth.value


def points(law: Law, random: Random) -> Iterator[dict[str, Rational]]:
    """Random values of the symbols that keep their rules and what is assumed."""
    assumed = [parse(said) for said in law.fields.assume]
    while True:
        values: dict[str, Rational] = {
            name: random.randint(1, 12)
            if symbol.domain == "integer"
            else Fraction(random.randint(1, 4), random.choice([1, 2, 4]))
            for name, symbol in law.symbols.items()
        }
        for tree in assumed:
            if isinstance(tree, Binary) and isinstance(tree.left, Name):
                values[tree.left.id] = number(tree.right, values)
        rules = (symbol.broken_rule(values[name]) for name, symbol in law.symbols.items())
        if not any(rules) and all(holds(tree, values) for tree in assumed):
            yield values


def derived_at(law: Law, values: dict[str, Rational]) -> Rational:
    """The derivation at numbers: every network is analysed without a symbol.

    Raises:
        SpecError: the numbers make no valid network.
    """
    (tree, counted), convention = read_derivation(law), find_convention(law.fields.convention)
    asked = scenario(**law.fields.scenario.model_dump())
    analyses = {
        name: analyze_architecture(network, Setup(convention, values, scenario=asked))
        for name, network in law.networks.items()
    }
    counts: dict[str, Rational] = {
        name: int(count.of(analyses[count.network])) for name, count in counted.items()
    }
    return number(tree, {**values, **counts})


@pytest.mark.parametrize("name", LAWS)
def test_a_built_in_law_at_random_points(name: str) -> None:
    law, random, found = LAWS[name], Random(name), 0
    for values in points(law, random):
        try:
            derived = derived_at(law, values)
        except SpecError:
            continue
        published = number(law.fields.published.tree, values)
        residual = number(law.fields.residual.tree, values)
        assert derived - published == residual, values
        found += 1
        if found == POINTS:
            return


GOOD = """\
archspec: 1
laws:
  ratio:
    source: a paper
    symbols: {c: 4, g: 2}
    networks:
      whole:
        input: [1, c, 8, 8]
        layers:
          - conv2d: {out_channels: c, kernel_size: 3}
            name: first
      grouped:
        input: [1, c, 8, 8]
        layers:
          - conv2d: {out_channels: c, kernel_size: 3, groups: g}
    derived: macs(grouped)/macs(whole, first)
    published: 1/g
    assume: [c % g == 0]
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a good file of laws with some of its text replaced."""

    def written(before: str = "", after: str = "", text: str = GOOD) -> Path:
        assert before in text
        file = tmp_path / "laws.yaml"
        file.write_text(text.replace(before, after), encoding="utf-8")
        return file

    return written


def test_a_wrong_formula_fails_with_its_residual(write: Write, archcost: Run) -> None:
    done = archcost("prove", str(write("1/g", "2/g")))
    assert (done.returncode, done.stderr) == (1, "")
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines() if line]
    entries = {label: text for label, text in lines if label != "0"}
    assert entries["FAILED"] == "ratio"
    assert entries["residual"] == "-1/g"
    assert entries["stated"] == "0"
    assert "1/2 derived, 1 published, at c = 4, g = 2" in done.stdout
    assert done.stdout.endswith("0 proved, 1 failed\n")


@pytest.mark.parametrize(("residual", "proved"), [("-1/g", True), ("1/g", False), ("-1/2", False)])
def test_a_residual_is_what_is_stated(residual: str, proved: bool, write: Write) -> None:
    file = write("1/g\n", f"2/g\n    residual: {residual}\n    because: a slip\n")
    assert prove(read_laws(file)[0]).holds is proved


def test_a_number_is_no_proof(write: Write) -> None:
    """What holds at the defaults, but not everywhere, is not proved."""
    proof = prove(read_laws(write("1/g", "g/4"))[0])
    assert proof.example(proof.residual) == 0
    assert not proof.holds


def test_floors_go_where_what_is_assumed_divides(write: Write) -> None:
    assert prove(read_laws(write("1/g", "(c//g)/c"))[0]).holds
    proof = prove(
        read_laws(write("    assume: [c % g == 0]\n", "", GOOD.replace("1/g", "(c//g)/c")))[0]
    )
    assert not proof.holds
    assert "c//g" in shown(proof.residual)
    assert proof.conditions == ("c % g == 0",)


def test_a_network_may_be_a_spec_beside_the_file(tmp_path: Path) -> None:
    """GPT-2 as the zoo has it; its symbols are the law's."""
    (tmp_path / "gpt2.yaml").write_bytes((ROOT / "specs" / "gpt2.yaml").read_bytes())
    (tmp_path / "laws.yaml").write_text(
        "archspec: 1\nlaws:\n  gpt2:\n    source: Radford et al., 2019\n    convention: torch\n"
        "    networks: {model: gpt2.yaml@gpt2-xl}\n    derived: params(model)\n"
        "    published: V*d + context*d + L*(12*d**2 + 13*d) + 2*d\n    assume: [d % heads == 0]\n",
        encoding="utf-8",
    )
    (law,) = read_laws(tmp_path / "laws.yaml")
    proof = prove(law)
    assert proof.holds
    assert proof.example(proof.derived) == 1_557_611_200


def test_symbols_of_a_spec_keep_their_rules(tmp_path: Path) -> None:
    (tmp_path / "gpt2.yaml").write_bytes((ROOT / "specs" / "gpt2.yaml").read_bytes())
    text = GOOD.replace("whole:\n", "more: gpt2.yaml\n      whole:\n").replace("g: 2", "L: 2, g: 2")
    (tmp_path / "laws.yaml").write_text(text.replace("L: 2", "L: {default: 2, min: 2}"))
    with pytest.raises(SpecError, match="its symbol 'L' has other rules"):
        read_laws(tmp_path / "laws.yaml")


BAD = {
    "metric": ("macs(grouped)", "mcas(grouped)", r"no function 'mcas'\n.*did you mean 'macs'"),
    "network": ("macs(grouped)", "macs(gruoped)", r"no network 'gruoped'\n.*'grouped'"),
    "layer": ("first)", "frist)", r"'whole' has no layer 'frist'\n.*did you mean 'first'"),
    "no network": ("macs(grouped)", "macs(2)", "macs counts a network, or a part of one"),
    "arguments": ("first)", "first, g)", "macs takes 1 to 2 arguments, not 3"),
    "uncounted": ("macs(grouped)", "1", "nothing of this network is counted"),
    "symbol": ("1/g", "1/gg", r"unknown name 'gg'\n.*did you mean 'g'"),
    "size": ("1/g", "in_shape[0]", "'in_shape' is a size"),
    "zero": ("1/g", "1/(g - g)", "division by zero"),
    "zero count": ("macs(grouped)", "1/receptive_field(grouped) + 1/(c - c)", "division by zero"),
    "truth": ("1/g", "c > g", "a condition stands where a number must stand"),
    "syntax": ("1/g", "1/(g", r"laws\.yaml:\d+:\d+: .*expected '\)' at the end"),
    "derivation": ("/macs", "//*macs", r"laws\.yaml:16:29: .*expected a number or a name"),
    "size multiplied out": (
        "derived: ",
        "convention: torch\n    derived: params(grouped)**64*params(whole)**64*(1 + c + g)**8*",
        "multiplied out, this has over 5,000 terms",
    ),
    "size over one denominator": (
        "1/g\n",
        " + ".join(f"1/(c + {i}*g)" for i in range(12)) + "\n",
        r"multiplied out, this has over 5,000 terms",
    ),
    "no text": ("macs(grouped)/macs(whole, first)", "3", "3 is no text"),
    "source": ("    source: a paper\n", "", "the field 'source' is required"),
    "empty source": ("a paper", '""', "source: .*at least 1 character"),
    "field": ("source:", "sauce:", r"unknown field 'sauce'\n.*did you mean 'source'"),
    "reason": ("1/g\n", "1/g\n    residual: g\n", "a residual needs a reason"),
    "no residual": ("1/g\n", "1/g\n    because: of g\n", "a reason for no residual"),
    "convention": ("a paper\n", "a paper\n    convention: torhc\n", "did you mean 'torch'"),
    "assumption": ("c % g == 0", "c % gg == 0", "assume: .*unknown name 'gg'"),
    "defaults": ("g: 2", "g: 3", r"the defaults break the assumption c % g == 0\n.*defaults that"),
    "default": ("g: 2", "g: 0", "g = 0 must be positive"),
    "name": ("whole:", "wh-ole:", "'wh-ole' is no name"),
    "rule": ("groups: g", "groups: 3", r"grouped\.conv2d_1: in_channels \(4\) must be divisible"),
    "inner name": ("groups: g", "groups: d", r"grouped\.conv2d\.groups: unknown name 'd'"),
    "kind": (
        "- conv2d: {out_channels: c, kernel_size: 3, g",
        "- convd: {g",
        "unknown kind 'convd'",
    ),
    "own symbols": ("whole:\n", "whole:\n        symbols: {d: 1}\n", "write them beside networks"),
    "inner field": ("whole:\n", "whole:\n        inputs: [1]\n", "did you mean 'input'"),
    "no input": ("whole:\n        input: [1, c, 8, 8]\n", "whole:\n", "'input' is required"),
    "no spec": ("networks:\n", "networks:\n      other: nope.yaml\n", "no such file: .*nope.yaml"),
    "no mapping": ("networks:\n", "networks:\n      other: 3\n", "3 is no network"),
    "laws": ("laws:\n", "lawz:\n", r"unknown field 'lawz'\n.*did you mean 'laws'"),
    "version": ("archspec: 1", "archspec: 2", "version 2 of the language"),
    "spec": ("laws:\n", "layers:\n", r"this is a spec; a file of laws .*\n.*archcost check"),
    "yaml": ("laws:\n", "laws: [\n", "not YAML"),
    "list": (GOOD, "- 1\n", "a file of laws is a mapping"),
    "empty": (GOOD, "", "the file is empty; a file of laws is"),
    "no laws": (GOOD, "archspec: 1\nlaws: {}\n", "is empty"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_clear_error(name: str, write: Write) -> None:
    before, after, message = BAD[name]
    with pytest.raises(SpecError) as caught:
        prove(read_laws(write(before, after))[0])
    caught.match(rf"(?s){message}")
    assert caught.value.origin is not None
    assert caught.value.origin.file.endswith("laws.yaml")


def test_errors_name_law_and_network(write: Write) -> None:
    file = write("groups: g", "gruops: g")
    with pytest.raises(SpecError, match=r":15:55: laws\.ratio\.networks\.grouped\.conv2d: unknown"):
        read_laws(file)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nope.yaml",), "no such file: nope.yaml"),
        (("--law", "kaplan_param"), "did you mean 'kaplan_params'?"),
        (("--law",), "--law needs a value"),
        (("--format", "tabel"), "did you mean 'table'?"),
        (("specs/alexnet.yaml",), "this is a spec"),
    ],
)
def test_bad_arguments(arguments: tuple[str, ...], message: str, archcost: Run) -> None:
    done = archcost("prove", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


SHOWN = ("--law", "grouped_to_standard", "kaplan_forward", "mobilenet_multipliers")


@pytest.mark.parametrize("name", ["table", "markdown", "json"])
def test_golden(name: str, archcost: Run, golden: Callable[[str, str], None]) -> None:
    done = archcost("prove", *SHOWN, "--format", name)
    assert (done.returncode, done.stderr) == (0, "")
    golden(f"prove.{ {'table': 'txt', 'markdown': 'md'}.get(name, name) }", done.stdout)


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_breaks_no_line_itself(columns: int, archcost: Run) -> None:
    terminal = {"FORCE_COLOR": "1", "TERM": "dumb", "NO_COLOR": "1"}
    done = archcost("prove", columns=columns, **terminal)
    assert max(map(len, done.stdout.splitlines())) <= columns
    assert done.stdout.endswith(f"{len(LAWS)} proved, 0 failed\n")


def test_json_has_every_formula_and_its_value(archcost: Run) -> None:
    document = json.loads(archcost("prove", *SHOWN, "--format", "json").stdout)
    ratio = next(law for law in document["laws"] if law["name"] == "grouped_to_standard")
    assert ratio["published"] == ratio["derived"] == {"expr": "1/g", "value": 0.5}
    assert ratio["proved"] is True


PAGE = ROOT / "docs" / "laws.md"


def test_the_page_shows_a_file_that_is_proved(write: Write) -> None:
    example = PAGE.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    assert all(prove(law).holds for law in read_laws(write(text=example)))


def test_the_page_explains_every_field() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, field in LawFields.model_fields.items():
        assert f"- `{name}`" in text
        assert field.description


def test_the_page_s_table_is_up_to_date(request: pytest.FixtureRequest) -> None:
    table = render(document([prove(law) for law in LAWS.values()]))
    text = PAGE.read_text(encoding="utf-8")
    before = re.split(r"\n\| +\| name ", text)[0]
    if request.config.getoption("--overwrite"):
        PAGE.write_text(f"{before}\n{table}", encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == f"{before}\n{table}"
