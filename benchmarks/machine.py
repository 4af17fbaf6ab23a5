"""What a benchmark ran on, in one line: processor, cores, system, Python and libraries.

Usage: python -m benchmarks.machine
"""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("sympy", "pydantic", "numpy", "numba", "torch")


def machine(*libraries: str) -> str:
    """The line, with the versions of some libraries; one that is not installed is left out."""
    release = platform.release().partition("-")[0]
    system = " ".join(filter(None, (platform.system(), release, platform.machine())))
    versions = [f"{name} {found}" for name in libraries if (found := _version(name))]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return ", ".join((processor(), f"{cores()} cores", system, python, *versions))


def processor(table: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's model, as the system calls it."""
    if table.exists():
        for line in table.read_text(encoding="utf-8").splitlines():
            field, _, value = line.partition(":")
            if field.strip() == "model name":
                return value.strip()
    return platform.processor() or "unknown processor"


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    print(machine(*LIBRARIES))
