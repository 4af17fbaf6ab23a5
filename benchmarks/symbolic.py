"""CPU seconds of ``--symbolic`` for every network of the zoo, beside the bare imports.

A machine that is shared tells little by seconds on the wall, so CPU is counted (user + system). The
yardstick is a process that only imports what the command cannot do without:

    bare        python -c "import cyclopts, pydantic, rich.table, sympy, yaml"
    imports     archcost as far as its own imports, its command and its renderer
    network     ``archcost SPEC --symbolic`` in a process that has imported everything and has
                analysed nothing: every network has one of its own, forked
    process     the whole command, of the networks that take the most

With ``--before`` a checkout of another revision is measured in turn with this one, by this file.

Usage: python -m benchmarks.symbolic [--runs N] [--whole N] [--before FOLDER] [SPEC ...]
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from benchmarks.machine import machine

ROOT = Path(__file__).parent.parent

BARE = [sys.executable, "-c", "import cyclopts, pydantic, rich.table, sympy, yaml"]

IN_PROCESS = """
import io, json, os, resource, sys
from contextlib import redirect_stdout
from costmodel.__main__ import run_words
with redirect_stdout(io.StringIO()):
    run_words(["{root}/specs/mlp.yaml", "--symbolic"])
def spent():
    return sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
print(json.dumps(spent()), flush=True)
from sympy.core.cache import clear_cache
clear_cache()
for spec in sys.argv[1:]:
    if os.fork() == 0:
        begin = spent()
        with redirect_stdout(io.StringIO()):
            assert run_words([spec, "--symbolic"]) == 0
        print(json.dumps([spec, spent() - begin]), flush=True)
        os._exit(0)
    os.wait()
"""


def variants() -> Iterator[str]:
    """Every spec of the zoo with every variant, as the command line takes it."""
    for path in sorted((ROOT / "specs").rglob("*.yaml")):
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))
        for variant in spec.get("variants") or [None]:
            name = str(path.relative_to(ROOT))
            yield f"{name}@{variant}" if variant else name


def cpu(command: list[str], folder: Path) -> float:
    """The CPU seconds of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def in_process(specs: list[str], folder: Path) -> tuple[float, dict[str, float]]:
    """The CPU seconds of the imports, and of every network after them."""
    script = IN_PROCESS.replace("{root}", str(folder))
    told = subprocess.run(
        [sys.executable, "-c", script, *specs], cwd=folder, stdout=subprocess.PIPE, check=True
    ).stdout.splitlines()
    imports, *networks = map(json.loads, told)
    return imports, dict(networks)


def measured(
    specs: list[str], folders: list[Path], runs: int
) -> tuple[list[float], list[list[float]], list[dict[str, float]]]:
    """The bare imports; of every folder its imports, and the median of every network."""
    bare: list[float] = []
    imports: list[list[float]] = [[] for _ in folders]
    found: list[dict[str, list[float]]] = [{spec: [] for spec in specs} for _ in folders]
    for _ in range(runs):
        bare.append(cpu(BARE, ROOT))
        for side, folder in enumerate(folders):
            needed, networks = in_process(specs, folder)
            imports[side].append(needed)
            for spec, seconds in networks.items():
                found[side][spec].append(seconds)
    medians = [
        {spec: statistics.median(each[spec]) for spec in each if each[spec]} for each in found
    ]
    return bare, imports, medians


def whole(specs: list[str], folders: list[Path], runs: int) -> None:
    """Print the CPU of whole commands in multiples of the bare imports beside them."""
    for spec in specs:
        bare: list[float] = []
        sides: list[list[float]] = [[] for _ in folders]
        for _ in range(runs):
            bare.append(cpu(BARE, ROOT))
            for side, folder in enumerate(folders):
                command = [sys.executable, "-m", "costmodel", spec, "--symbolic"]
                sides[side].append(cpu(command, folder))
        yardstick = statistics.median(bare)
        told = (statistics.median(side) for side in sides)
        shown = "".join(f"{each:10.3f} s{each / yardstick:7.2f}" for each in told)
        print(f"{spec:44}{shown}   (bare {yardstick:.3f} s)", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("specs", nargs="*", help="default: the whole zoo")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--whole", type=int, default=5, help="how many are run as a process, too")
    parser.add_argument("--before", type=Path, help="a checkout to be measured in turn with this")
    options = parser.parse_args()
    folders = [*([options.before] if options.before else []), ROOT]
    specs = options.specs or list(variants())
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(machine("sympy", "pydantic"))
    bare, imports, medians = measured(specs, folders, options.runs)
    sides = ("before", "now")[-len(folders) :]
    print(
        f"{'CPU seconds':44}{''.join(f'{side:>12}' for side in sides)}   (median of {options.runs})"
    )
    print(f"{'bare':44}{statistics.median(bare):10.3f} s")
    print(f"{'imports':44}{''.join(f'{statistics.median(each):10.3f} s' for each in imports)}")
    slowest = sorted(medians[-1], key=lambda spec: -medians[-1][spec])
    for spec in slowest:
        print(f"{spec:44}{''.join(f'{each[spec]:10.3f} s' for each in medians)}")
    print(f"{len(specs):4} networks{'':31}{''.join(f'{sum(m.values()):10.3f} s' for m in medians)}")
    whole(slowest[: options.whole], folders, options.runs)


if __name__ == "__main__":
    main()
