"""How long the laws of every network of the zoo take, beside counting the same network in PyTorch.

Runs both sides in turn in one process, so that what else the machine does meets both alike:

    archcost  reads the spec; shapes, params, MACs and activations as closed forms; the conditions
    torch     reads the spec; builds the network on the meta device, runs it under FlopCounterMode

The one is for all values of the symbols, the other for their defaults, at which both must agree.

Usage: python -m benchmarks.zoo [runs]
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.machine import machine
from costmodel import Analysis, analyze
from tests import twin

SPECS = Path(__file__).parent.parent / "specs"


def variants() -> Iterator[tuple[Path, str | None]]:
    """Every spec with every variant."""
    for path in sorted(SPECS.rglob("*.yaml")):
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))
        yield from ((path, variant) for variant in spec.get("variants") or [None])


def in_archcost(path: Path, variant: str | None) -> Analysis:
    analysis = analyze(f"{path}@{variant}" if variant else path, convention="torch")
    for metric in ("params", "macs", "activations"):
        analysis.total(metric)
    _ = analysis.conditions
    return analysis


def in_torch(path: Path, variant: str | None) -> twin.Network:
    return twin.run(yaml.safe_load(path.read_text(encoding="utf-8")), variant)


def timed(count: Callable[[Path, str | None], Any], *network: Any) -> tuple[float, Any]:
    """The seconds it takes, and what it finds."""
    begin = time.perf_counter()
    found = count(*network)
    return time.perf_counter() - begin, found


def compare(path: Path, variant: str | None, runs: int) -> tuple[float, float]:
    """The median seconds of both sides; both must count the same."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        here, analysis = timed(in_archcost, path, variant)
        there, network = timed(in_torch, path, variant)
        counted = analysis.value("params"), analysis.value("macs")
        if counted != (network.params, network.macs):
            raise AssertionError(f"{path.name} {variant}: {counted} is not what PyTorch counts")
        seconds[0].append(here)
        seconds[1].append(there)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def row(name: str, here: float, there: float) -> str:
    return f"{name:44}{here * 1e3:9.1f} ms{there * 1e3:9.1f} ms{there / here:8.1f}"


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    networks = list(variants())
    compare(*networks[0], 1)  # what only the first network pays is not of interest
    print(machine("sympy", "torch"))
    print(f"{'':44}{'archcost':>12}{'torch':>12}{'ratio':>8}   (median of {runs} in turn)")
    totals = [0.0, 0.0]
    for path, variant in networks:
        seconds = compare(path, variant, runs)
        print(row(f"{path.stem}@{variant}" if variant else path.stem, *seconds), flush=True)
        totals = [total + more for total, more in zip(totals, seconds, strict=True)]
    print(row(f"{len(networks)} networks", *totals))


if __name__ == "__main__":
    main()
