"""Benchmarks run, and say what they ran on."""

from pathlib import Path

from benchmarks import linear
from benchmarks.machine import cores, machine, processor


def test_the_line_names_no_library_that_is_not_there() -> None:
    line = machine("sympy", "surely-not-installed")
    assert ", sympy " in line
    assert "surely" not in line
    assert f", {cores()} cores, " in line


def test_the_processor_is_the_model(tmp_path: Path) -> None:
    table = tmp_path / "cpuinfo"
    table.write_text("processor\t: 0\nmodel\t\t: 49\nmodel name\t: A Processor 9000\n\n")
    assert processor(table) == "A Processor 9000"
    table.write_text("processor\t: 0\n")
    assert processor(table)


def test_a_chain_and_a_block_are_timed(tmp_path: Path) -> None:
    for body in (linear.chain(10), linear.BLOCK.format(times="L")):
        file = tmp_path / "net.yaml"
        file.write_text(linear.HEAD + body)
        assert linear.seconds(file) > 0
