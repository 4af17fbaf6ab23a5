"""How the time of a symbolic analysis grows: chains of convolutions, and a block repeated.

A chain of 10, 100, 1,000 and 10,000 convolutions over open batch, channels, height and width, every
fifth of it at half the resolution: read, shapes, conditions, and all totals as laws. Then a block
of a transformer once, 10⁶ times, and L times: a repeat is worked out once, however often it runs.

Usage: python -m benchmarks.linear [runs]
"""

import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.machine import machine
from costmodel import analyze
from costmodel.metrics.registry import METRICS, USUAL

HEAD = "archspec: 1\nname: net\nsymbols: {n: 1, c: 16, h: 512, w: 512, t: 128, d: 512, L: 12}\n"

BLOCK = """input: [n, t, d]
layers:
  - repeat:
      times: {times}
      layers:
        - residual: [layernorm, {{self_attention: {{heads: 8}}}}]
        - residual:
            - layernorm
            - linear: {{out_features: 4*d}}
            - gelu
            - linear: {{out_features: d}}
"""


def chain(length: int) -> str:
    """A spec of so many convolutions in a row, four of them with a stride."""
    fifth = max(length // 5, 1)
    strides = (2 if i and i % fifth == 0 and i < 5 * fifth else 1 for i in range(length))
    fields = "out_channels: c, kernel_size: 3, padding: 1"
    layers = "".join(f"  - conv2d: {{{fields}, stride: {stride}}}\n" for stride in strides)
    return f"input: [n, c, h, w]\nlayers:\n{layers}"


def shown() -> list[str]:
    """The metrics of every report; the others take a device, or are shown where asked for."""
    return [name for name in USUAL if not METRICS[name].of_device]


def seconds(path: Path) -> float:
    """The time of one symbolic analysis with the totals that a report shows, and all conditions."""
    begun = time.perf_counter()
    analysis = analyze(path)
    for name in shown():
        if analysis.none_of(name) is None:
            analysis.total(name)
    _ = analysis.conditions
    return time.perf_counter() - begun


def main() -> None:
    """Time every case several times, in turn."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    cases = {f"{length:,} convolutions": chain(length) for length in (10, 100, 1_000, 10_000)}
    cases |= {f"a block × {times}": BLOCK.format(times=times) for times in ("1", "1000000", "L")}
    with TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{i}.yaml" for i, name in enumerate(cases)}
        for name, path in paths.items():
            path.write_text(HEAD + cases[name], encoding="utf-8")
        seconds(paths["10 convolutions"])  # imports
        times = {name: median(seconds(path) for _ in range(runs)) for name, path in paths.items()}
    print(machine("sympy"))
    for name, taken in times.items():
        layers = int(name.split()[0].replace(",", "")) if "conv" in name else 1
        each = f"{1_000 * taken / layers:8.2f} ms each" if layers > 1 else ""
        print(f"{name:<22}{taken:8.3f} s {each}")


if __name__ == "__main__":
    main()
