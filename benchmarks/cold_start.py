"""How long a cold start takes, beside the imports that it cannot do without.

Runs both sides in turn, so that what else the machine does meets both alike:

    bare               python -c "import yaml, rich.table, sympy, pydantic", three pydantic models
    bare and cyclopts  the same, and the library of the command line
    archcost           the whole process ``archcost specs/alexnet.yaml``

Each runs once before it is timed, so that its modules are compiled to bytecode, as an installation
has them. The processor's time says the same on a machine that does other things, too.

Usage: python -m benchmarks.cold_start [runs]
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.machine import machine

ROOT = Path(__file__).parent.parent

BARE = """
import yaml, rich.table, sympy, pydantic
class Symbol(pydantic.BaseModel):
    default: int = 1
class Layer(pydantic.BaseModel):
    out_channels: int = 1
class Network(pydantic.BaseModel):
    layers: list[Layer] = []
"""

SIDES = {
    "bare": [sys.executable, "-c", BARE],
    "bare and cyclopts": [sys.executable, "-c", f"{BARE}\nimport cyclopts"],
    "archcost": [sys.executable, "-m", "costmodel", "specs/alexnet.yaml"],
    "archcost --symbolic": [sys.executable, "-m", "costmodel", "specs/alexnet.yaml", "--symbolic"],
}


def seconds(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Return how long a process runs, and how long the processor works for it."""
    begin, before = time.perf_counter(), os.times()
    subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True)
    took, after = time.perf_counter() - begin, os.times()
    worked = after.children_user + after.children_system
    return took, worked - before.children_user - before.children_system


def measured(runs: int, environment: dict[str, str]) -> dict[str, list[tuple[float, float]]]:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in SIDES}
    for run in range(runs + 1):
        for name, command in SIDES.items():
            needed = seconds(command, environment)
            if run:
                times[name].append(needed)
    return times


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    with TemporaryDirectory() as bytecode:
        kept = {n: v for n, v in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"}
        times = measured(runs, kept | {"PYTHONPYCACHEPREFIX": bytecode})
    print(machine("sympy", "pydantic"))
    print(f"{'':22}{'median':>9}{'ratio':>8}{'CPU':>9}{'ratio':>8}   ({runs} runs in turn)")
    bare = medians(times["bare"])
    for name, values in times.items():
        columns = zip(medians(values), bare, strict=True)
        print(f"{name:22}" + "".join(f"{s:8.3f}s{s / of:8.2f}" for s, of in columns))


def medians(values: list[tuple[float, float]]) -> list[float]:
    return [statistics.median(column) for column in zip(*values, strict=True)]


if __name__ == "__main__":
    main()
