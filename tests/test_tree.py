"""The report as a tree: lines add up to the line they are in, --depth closes groups."""

import csv
import json
from io import StringIO

import pytest

from costmodel import analyze
from costmodel.studies.report import Report
from tests.conftest import ROOT, Run

SPECS = [path.name for path in sorted((ROOT / "specs").glob("*.yaml"))]


@pytest.mark.parametrize("spec", SPECS)
def test_the_lines_of_a_group_add_up_to_it(spec: str) -> None:
    report = Report(analyze(ROOT / "specs" / spec))
    open_groups: list[tuple[int, dict[str, int], dict[str, int]]] = []
    totals = {metric.name: 0 for metric in report.columns}
    for row in report.rows:
        counts = {name: int(report.number(count)) for name, count in row.counts.items()}
        while open_groups and open_groups[-1][0] >= row.level:
            _, stated, summed = open_groups.pop()
            assert stated == summed
        parent = open_groups[-1][2] if open_groups else totals
        for name, count in counts.items():
            parent[name] += count
        if row.is_group:
            open_groups.append((row.level, counts, dict.fromkeys(counts, 0)))
    assert all(stated == summed for _, stated, summed in open_groups)
    assert totals == {name: report.analysis.value(name) for name in totals}


@pytest.mark.parametrize("depth", [0, 1, 2, 9])
def test_what_is_left_open_still_adds_up(depth: int) -> None:
    report = Report(analyze(ROOT / "specs" / "resnet.yaml"), depth=depth)
    assert max(row.level for row in report.rows) <= depth
    for name in ("params", "macs", "activations"):
        total = sum(report.number(row.counts[name]) for row in report.leaves)
        assert total == report.analysis.value(name)


def test_a_repeat_is_shown_once_with_its_count(archcost: Run) -> None:
    lines = archcost("specs/gpt2.yaml", columns=120).stdout.splitlines()
    assert sum("×12" in line for line in lines) == 1
    assert sum("self_attention_1" in line for line in lines) == 1
    symbolic = archcost("specs/gpt2.yaml", "--symbolic").stdout
    assert "repeat_1 ×L " in symbolic


def test_depth_in_every_format(archcost: Run) -> None:
    full, closed = (
        archcost("specs/resnet.yaml", "--format", "csv", *depth).stdout
        for depth in ([], ["--depth", "0"])
    )
    sums = [
        [sum(int(row[name]) for row in rows[:-1]) for name in ("params", "macs", "activations")]
        for rows in (list(csv.DictReader(StringIO(text))) for text in (full, closed))
    ]
    assert sums[0] == sums[1] == [25_557_032, 4_089_184_256, 11_114_984]
    assert "foreach_1,foreach" in closed
    document = json.loads(archcost("specs/resnet.yaml", "--format", "json", "--depth", "1").stdout)
    assert [group["path"] for group in document["groups"]][:3] == [
        "conv_bn_1",
        "foreach_1",
        "foreach_1/row_1",
    ]


@pytest.mark.parametrize("depth", ["-1", "two"])
def test_a_depth_that_is_none_is_refused(depth: str, archcost: Run) -> None:
    done = archcost("specs/resnet.yaml", f"--depth={depth}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "depth" in done.stderr
