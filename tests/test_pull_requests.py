"""Pull requests: several specs against a revision, and the workflow that tells of them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from costmodel.scenario.patterns import matches_in
from tests.commands import ROOT, Done, run_here

NET = """archspec: 1
name: {name}
input: [1, 8]
layers: [{{linear: {{out_features: {size}, bias: false}}}}]
"""
"""A network of 8·size parameters and as many products."""


def written(folder: Path, **sizes: int) -> None:
    for name, size in sizes.items():
        file = folder / "specs" / f"{name.replace('__', '/')}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(NET.format(name=name, size=size), encoding="utf-8")


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Four specs in git; now one is larger, one is deleted, one is new and one is as it was."""
    git(tmp_path, "init", "-q", "-b", "main")
    written(tmp_path, small=4, deep__large=100, gone=10, same=7)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "before")
    (tmp_path / "specs" / "gone.yaml").unlink()
    written(tmp_path, deep__large=110, fresh=2)
    return tmp_path


@pytest.fixture
def diff(repository: Path) -> Callable[..., Done]:
    """Runs ``archcost diff`` in the repository."""
    return lambda *words: run_here("diff", *words, folder=repository, columns=200)


@pytest.mark.parametrize("tracked", [True, False])
def test_a_renamed_spec_keeps_its_budget(repository: Path, *, tracked: bool) -> None:
    """From 8·7 to 8·9 parameters under another name: found by git, or by the network's name."""
    written(repository, other=9)
    file = repository / "specs" / "other.yaml"
    file.write_text(file.read_text("utf-8").replace("name: other", "name: same"), "utf-8")
    (repository / "specs" / "same.yaml").unlink()
    if tracked:
        git(repository, "add", "-A")
    words = ("HEAD:", "specs/*.yaml", "--max", "params +2%")
    done = run_here("diff", *words, folder=repository, columns=200)
    assert done.returncode == 1
    assert "specs/other.yaml (was specs/same.yaml)" in done.stdout
    assert done.stdout.startswith("FAIL: 1 of 2 budgets broken")


def test_specs_against_a_revision_by_hand(diff: Callable[..., Done]) -> None:
    """Before 8·(4 + 100 + 10 + 7) = 968 parameters, now 8·(4 + 110 + 7 + 2) = 984."""
    data = json.loads(diff("HEAD:", "specs/**/*.yaml", "--format", "json").stdout)
    assert data["totals"]["params"] == {"old": 968, "new": 984}
    assert {each["spec"]: each["equal"] for each in data["networks"]} == {
        "specs/deep/large.yaml": False,
        "specs/same.yaml": True,
        "specs/small.yaml": True,
    }
    assert [(e["spec"], e["metrics"]["params"]) for e in data["added"]] == [
        ("specs/fresh.yaml", 16)
    ]
    assert [(e["spec"], e["metrics"]["params"]) for e in data["removed"]] == [
        ("specs/gone.yaml", 80)
    ]


def test_the_verdict_comes_first(diff: Callable[..., Done]) -> None:
    """880 parameters are 10 % more than 800, which may be 816: 64 too many."""
    done = diff("HEAD:", "specs/**/*.yaml", "--max", "params +2%", "--format", "markdown")
    first, _, second, *_ = done.stdout.splitlines()
    since = "1 of 3 networks changed, 1 new, 1 deleted since HEAD"
    assert first == f"**FAIL: 1 of 3 budgets broken; {since}**"
    assert second == "- specs/deep/large.yaml: params +2%: broken, 880 is more than 816, by 64"
    assert done.returncode == 1
    done = diff("HEAD:", "specs/**/*.yaml", "--max", "params +10%")
    assert done.stdout.startswith(f"PASS: all 3 budgets kept; {since}\n")
    assert done.returncode == 0


def test_a_table_of_what_differs(diff: Callable[..., Done]) -> None:
    shown = diff("HEAD:", "specs/**/*.yaml", "--metric", "params").stdout.splitlines()
    rows = [line.split() for line in shown if line.startswith((" specs", " total"))]
    assert rows[:4] == [
        ["specs/deep/large.yaml", "changed", "880", "+80", "+10.00", "%"],
        ["specs/fresh.yaml", "new", "16"],
        ["specs/gone.yaml", "deleted", "80"],
        ["total", "984", "+16", "+1.65", "%"],
    ]
    text = diff("HEAD:", "specs/**/*.yaml", "--format", "csv").stdout
    assert "specs/gone.yaml,params,80,," in text
    assert "specs/fresh.yaml,params,,16," in text


def test_several_words_and_what_is_staged(diff: Callable[..., Done], repository: Path) -> None:
    done = diff("HEAD:", "specs/small.yaml", "specs/gone.yaml")
    assert done.stdout.startswith("0 of 1 networks changed, 1 deleted since HEAD\n")
    git(repository, "add", ".")
    done = diff(":", "specs/**/*.yaml")
    assert done.stdout.startswith("0 of 4 networks changed since what is staged\n")


def test_all_variants_of_several(diff: Callable[..., Done], repository: Path) -> None:
    (repository / "specs" / "vgg.yaml").write_bytes((ROOT / "specs" / "vgg.yaml").read_bytes())
    git(repository, "add", ".")
    for words in ("specs/v*.yaml@*", "specs/v*.yaml"):
        data = json.loads(diff(":", words, "--format", "json").stdout)
        assert len(data["networks"]) == 8
        assert data["equal"]


def test_a_variant_that_grows_breaks_the_budget(
    diff: Callable[..., Done], repository: Path
) -> None:
    text = (ROOT / "specs" / "vgg.yaml").read_text(encoding="utf-8")
    file = repository / "specs" / "vgg.yaml"
    file.write_text(text, encoding="utf-8")
    git(repository, "add", ".")
    file.write_text(text.replace("[2, 2, 4, 4, 4]", "[2, 2, 8, 8, 8]"), encoding="utf-8")
    done = diff(":", "specs/v*.yaml", "--max", "macs +2%")
    assert done.returncode == 1
    assert "FAIL" in done.stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("specs/same.yaml", "specs/small.yaml", "specs/fresh.yaml"),
            "'specs/same.yaml' is a spec",
        ),
        (("nope:", "specs/*.yaml"), "cannot read revision nope: Not a valid object name nope"),
        (("HEAD:", "nothing/*.yaml"), "no spec matches 'nothing/*.yaml'"),
        (("HEAD:", "specs/small.yaml", "specs/never.yaml"), "specs/never.yaml"),
    ],
)
def test_what_cannot_be_compared(
    words: tuple[str, ...], said: str, diff: Callable[..., Done]
) -> None:
    done = diff(*words)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_shallow_clone_of_several(repository: Path, tmp_path: Path) -> None:
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "after")
    before = git(repository, "rev-parse", "HEAD~1")
    folder = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", str(folder))
    done = run_here("diff", f"{before}:", "specs/**/*.yaml", folder=folder)
    assert done.returncode == 2
    assert "fetch-depth: 0" in done.stderr


@pytest.mark.parametrize(
    ("path", "pattern", "is_like"),
    [
        ("specs/a.yaml", "specs/*.yaml", True),
        ("specs/a/b.yaml", "specs/*.yaml", False),
        ("specs/a/b.yaml", "specs/**/*.yaml", True),
        ("specs/b.yaml", "specs/**/*.yaml", True),
        ("specs/b.yaml", "**/*.yaml", True),
        ("specs/b.yml", "**/*.yaml", False),
        ("specs/b1.yaml", "specs/b[0-9].yaml", True),
        ("specs/bx.yaml", "specs/b[!0-9].yaml", True),
        ("specs/bxyaml", "specs/b?.yaml", False),
    ],
)
def test_patterns_of_paths_that_are_gone(path: str, pattern: str, is_like: bool) -> None:
    assert matches_in(path, pattern) is is_like


# Marks in files


def test_a_workflow_marks_what_fails(repository: Path) -> None:
    """Nothing is marked elsewhere, and the text of a mark is one line."""
    words = ("diff", "HEAD:", "specs/**/*.yaml", "--max", "params +2%")
    done = run_here(*words, folder=repository, GITHUB_ACTIONS="true")
    mark = "::error file=specs/deep/large.yaml,title=archcost::params +2%25: broken, "
    assert mark in done.stderr
    assert "::error" not in run_here(*words, folder=repository).stderr


def test_a_workflow_marks_lines(repository: Path) -> None:
    spec = repository / "specs" / "same.yaml"
    facts = 'expect:\n  - {metric: params, value: 57, source: "by hand"}\n'
    spec.write_text(spec.read_text("utf-8") + facts, encoding="utf-8")
    done = run_here("check", "specs/same.yaml", folder=repository, GITHUB_ACTIONS="true")
    text = "params is 56, and 57 is published"
    assert f"::error file=specs/same.yaml,line=6,title=archcost::{text}\n" in done.stderr
    spec.write_text("archspec: 1\nname: x\ninput: [1, 8]\nlayers: [linea]\n", encoding="utf-8")
    done = run_here("specs/same.yaml", folder=repository, GITHUB_ACTIONS="true")
    assert "::error file=specs/same.yaml,line=4,title=archcost::" in done.stderr
    page = (
        "It has\n\n<!-- archcost: value specs/small.yaml --metric params -->\n<!-- /archcost -->\n"
    )
    (repository / "page.md").write_text(page, encoding="utf-8")
    done = run_here("docs", "--check", "page.md", folder=repository, GITHUB_ACTIONS="true")
    assert "::error file=page.md,line=3,title=archcost::this is stale" in done.stderr


# The workflow's steps, run as a script

GH = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$*" in *--jq*) cat "$THERE";; esac
"""
"""A stand-in for GitHub's command: it notes what it is asked, and names the comment there is."""


@pytest.fixture
def tools(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A page, and an environment in which ``archcost`` is this one and ``gh`` a stand-in."""
    begin = "<!-- archcost: table specs/same.yaml --metric params --format markdown -->"
    (repository / "README.md").write_text(f"{begin}\n<!-- /archcost -->\n", encoding="utf-8")
    spec = repository / "specs" / "same.yaml"
    facts = 'expect:\n  - {metric: params, value: 56, source: "by hand"}\n'
    spec.write_text(spec.read_text("utf-8") + facts, encoding="utf-8")
    place = tmp_path_factory.mktemp("tools")
    scripts = {"archcost": f'#!/bin/sh\nexec {sys.executable} -m costmodel "$@"\n', "gh": GH}
    scripts |= {"pip": "#!/bin/sh\n"}
    for name, text in scripts.items():
        (place / name).write_text(text, encoding="utf-8")
        (place / name).chmod(0o755)
    for name in ("calls", "there", "summary"):
        (place / name).touch()
    return {
        **os.environ,
        "PATH": f"{place}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "CALLS": str(place / "calls"),
        "THERE": str(place / "there"),
        "GITHUB_STEP_SUMMARY": str(place / "summary"),
        "BASE": git(repository, "rev-parse", "HEAD"),
        "COMMENTS": "repos/o/r/issues/3/comments",
        "ONE": "repos/o/r/issues/comments",
    }


def steps(job: str, folder: Path, tools: dict[str, str], **otherwise: str) -> list[int]:
    """Run the steps of a job, each in a shell as GitHub runs it; return their exit statuses."""
    workflow = yaml.safe_load((ROOT / "docs" / "workflow.yml").read_text(encoding="utf-8"))
    own = workflow["jobs"][job]
    settings = {**workflow["env"], **own.get("env", {})}
    plain = {name: text for name, text in settings.items() if "${{" not in text}
    done = []
    for step in own["steps"]:
        if "run" in step:
            assert "${{" not in step["run"], "what others write must not become a part of a script"
            words = ["bash", "-e", "-o", "pipefail", "-c", step["run"]]
            environment = {**plain, **tools, **otherwise}
            shell = subprocess.run(
                words, cwd=folder, env=environment, capture_output=True, check=False
            )
            done.append(shell.returncode)
    return done


def test_the_workflow_runs(repository: Path, tools: dict[str, str]) -> None:
    assert steps("tables", repository, tools, PAGES="README.md") == [
        0,
        0,
        1,
    ]  # the page is not filled yet
    assert run_here("docs", "README.md", folder=repository).returncode == 0
    assert steps("tables", repository, tools, PAGES="README.md") == [0, 0, 0]


def test_one_comment_is_posted_and_brought_up_to_date(
    repository: Path, tools: dict[str, str]
) -> None:
    assert steps("change", repository, tools) == [0, 1, 0]
    comment = (repository / "comment.md").read_text("utf-8")
    assert comment.startswith("<!-- archcost -->\n**FAIL: 1 of 3 budgets broken;")
    assert Path(tools["GITHUB_STEP_SUMMARY"]).read_text("utf-8") == comment
    calls = Path(tools["CALLS"])
    assert calls.read_text().splitlines()[1].startswith("api --method POST repos/o/r/issues/3/")
    calls.write_text("")
    Path(tools["THERE"]).write_text("77\n")
    assert steps("change", repository, tools, BUDGET="macs +10%") == [0, 0, 0]
    assert steps("change", repository, tools, BUDGET="macs +10%\nparams +0\n") == [0, 1, 0]
    assert calls.read_text().splitlines()[1].startswith("api --method PATCH repos/o/r/issues/comm")
    assert "comments/77 -F body=@comment.md" in calls.read_text()


def test_the_comment_says_what_cannot_be_read(repository: Path, tools: dict[str, str]) -> None:
    (repository / "specs" / "bad.yaml").write_text("archspec: 1\nname: [\n", encoding="utf-8")
    assert steps("change", repository, tools) == [0, 2, 0]
    comment = (repository / "comment.md").read_text("utf-8")
    assert "specs/bad.yaml:" in comment


@pytest.mark.parametrize("name", ["action.yml", "gitlab-ci.yml"])
def test_other_files_for_ci_run_commands_that_there_are(name: str) -> None:
    from costmodel.cli.app import find_command

    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert yaml.safe_load(text)
    commands = re.findall(r"^ *(?:- )?archcost (\w+) ", text, re.MULTILINE)
    assert set(commands) == {"check", "docs", "diff"}
    assert all(map(find_command, commands))
