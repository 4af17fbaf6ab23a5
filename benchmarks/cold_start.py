"""How long a cold start takes, beside the imports that it cannot do without.

Runs both sides in turn, so that what else the machine does meets both alike:

    bare      python -c "import yaml, rich.table, sympy, pydantic" and three pydantic models
    archcost  the whole process ``archcost specs/alexnet.yaml``

Usage: python -m benchmarks.cold_start [runs]
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

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
    "archcost": [str(Path(sys.executable).with_name("archcost")), "specs/alexnet.yaml"],
    "archcost --symbolic": [
        str(Path(sys.executable).with_name("archcost")),
        "specs/alexnet.yaml",
        "--symbolic",
    ],
}


def seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    times: dict[str, list[float]] = {name: [] for name in SIDES}
    for _ in range(runs):
        for name, command in SIDES.items():
            times[name].append(seconds(command))
    print(machine("sympy", "pydantic"))
    bare = statistics.median(times["bare"])
    print(f"{'':22}{'median':>9}{'least':>9}{'ratio':>8}   ({runs} runs in turn)")
    for name, values in times.items():
        median = statistics.median(values)
        print(f"{name:22}{median:8.3f}s{min(values):8.3f}s{median / bare:8.2f}")


if __name__ == "__main__":
    main()
