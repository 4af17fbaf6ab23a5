"""Integer programs as one compiled loop over the points, where numba is installed.

The loop computes what a `Tape` does, in int64 or in float64 as is proved there; it is compiled once
for a program and kept on disk.
"""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

from costmodel.sweep.compiled import OPERATIONS, Mode, Tape, is_truth
from costmodel.sweep.memory import Array

WORTH = 2**23
"""Points below which compiling takes longer than it saves."""

WORTH_LOADING = 2**19
"""Points below which loading what was compiled before does."""

MAX_NODES = 1_000
"""A longer program takes too long to compile."""

_HEAD = '''"""Written by archcost; may be deleted."""
from numpy import floor
from numba import njit

@njit(inline="always")
def larger(a, b):
    return a if a > b else b

@njit(inline="always")
def smaller(a, b):
    return a if a < b else b

@njit(inline="always")
def floor_of(a, b):
    return {floor}

@njit(inline="always")
def remainder(a, b):
    return a - floor_of(a, b) * b

@njit(inline="always")
def round_to(a, b, d):
    r = larger(floor_of(2 * a + d * b, 2 * b * d) * d, d)
    return r + d if 10 * b * r < 9 * a else r

'''

_FLOORS = {Mode.INT: "a // b", Mode.FLOAT: "floor(a / b)"}


@cache
def is_installed() -> bool:
    """Whether numba can be imported."""
    return importlib.util.find_spec("numba") is not None


class Inputs(NamedTuple):
    """Where the given nodes of a tape come from.

    Attributes:
        columns: symbol → its column's argument.
        direct: node → the symbol whose value it is.
        tabulated: node → its symbol, and its column in the symbol's table.
    """

    columns: tuple[str, ...]
    direct: Mapping[int, str]
    tabulated: Mapping[int, tuple[str, int]]


class Loop:
    """A tape as a compiled loop.

    Args:
        tape: the program.
        inputs: where its given nodes come from.
        mode: what it computes in.
    """

    def __init__(self, tape: Tape, inputs: Inputs, mode: Mode) -> None:
        self.tape = tape
        self.inputs = inputs
        self.mode = mode
        self.source = _HEAD.format(floor=_FLOORS[mode]) + "\n".join(self._lines()) + "\n"

    def pays_off(self, points: int) -> bool:
        """Whether so many points are worth its compilation."""
        least = WORTH_LOADING if _path(self.source).exists() else WORTH
        return points >= least and len(self.tape.order) <= MAX_NODES

    @cached_property
    def run(self) -> Callable[..., None]:
        """The compiled loop: of columns, tables and outputs."""
        law: Callable[..., None] = _module(self.source).law
        return law

    def _lines(self) -> list[str]:
        columns = [f"s{i}" for i in range(len(self.inputs.columns))]
        symbols = dict(zip(self.inputs.columns, columns, strict=True))
        tables = [f"t{c}, l{c}" for c in columns]
        outs = [f"o{i}" for i in range(len(self.tape.outputs))]
        lines = [
            '@njit(cache=True, error_model="numpy", nogil=True)',
            f"def law({', '.join([*columns, *tables, *outs])}):",
            f"    for i in range(len({outs[0]})):",
        ]
        lines += [f"        x{c} = {c}[i]" for c in columns]
        used = {symbols[name] for name, _ in self.inputs.tabulated.values()}
        lines += [f"        i{c} = x{c} - l{c}" for c in sorted(used)]
        for place, name in self.inputs.direct.items():
            lines.append(f"        v{place} = {self._number(f'x{symbols[name]}')}")
        for place, (name, column) in self.inputs.tabulated.items():
            lines.append(f"        v{place} = t{symbols[name]}[i{symbols[name]}, {column}]")
        lines += [f"        v{place} = {self._text(place)}" for place in self.tape.order]
        outputs = zip(outs, self.tape.outputs, strict=True)
        return [*lines, *(f"        {out}[i] = {self._value(place)}" for out, place in outputs)]

    def _number(self, text: str) -> str:
        return f"float({text})" if self.mode is Mode.FLOAT else text

    def _value(self, place: int) -> str:
        if place not in self.tape.consts:
            return f"v{place}"
        value = self.tape.consts[place]
        return f"{float(value)!r}" if self.mode is Mode.FLOAT else f"({value})"  # type: ignore[arg-type]

    def _text(self, place: int) -> str:
        node = self.tape.nodes[place]
        if node.name == "floor" and self.mode is Mode.INT:
            shift = _shift(self.tape.consts.get(node.args[1]))
            if shift is not None:
                return f"{self._value(node.args[0])} >> {shift}"
        return OPERATIONS[node.name].text.format(*map(self._value, node.args))


def _shift(divisor: object) -> int | None:
    """The exponent of a power of two."""
    if isinstance(divisor, int) and divisor > 0 and divisor & (divisor - 1) == 0:
        return divisor.bit_length() - 1
    return None


@cache
def _module(source: str) -> Any:
    """The module of a source, in a file whose compiled form numba keeps beside it."""
    path = _path(source)
    name = path.stem
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(source, encoding="utf-8")
        part.replace(path)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _path(source: str) -> Path:
    return _folder() / f"archcost_{hashlib.sha256(source.encode()).hexdigest()[:24]}.py"


@cache
def _folder() -> Path:
    """Where compiled loops are kept: the user's own cache, or a new folder of this process."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = home / "archcost" / "sweep"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.stat().st_uid == os.getuid() and os.access(folder, os.W_OK):
            folder.chmod(0o700)  # nobody else writes there: what lies in it is run
            return folder
    except OSError:
        pass
    return Path(mkdtemp(prefix="archcost-"))


def outputs_of(tape: Tape, rows: int, take: Callable[[int, Any], Array]) -> list[Array]:
    """Arrays for the outputs: truth, or 64-bit integers."""
    kinds = ["bool" if is_truth(tape.nodes[place]) else "int64" for place in tape.outputs]
    return [take(rows, kind) for kind in kinds]
