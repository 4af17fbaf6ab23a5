"""Mutated specs put before commands: one seed is one spec and one command line, for good.

``python -m tests.fuzz 3000`` tries more seeds than the suite does; ``python -m tests.fuzz 3000 17``
begins at seed 17. A failure prints its seed, the command and the spec.
"""

import contextlib
import io
import json
import random
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from costmodel.__main__ import run_words
from tests.commands import Hang, limit

SPECS = sorted((Path(__file__).parent.parent / "specs").glob("*.yaml"))

ODD: tuple[Any, ...] = (
    *(0, 1, -1, 2, 3, 7, 10**8, 10**18, 10**300, -(10**300), 0.5, 1.5, 1e-300, 1e400),
    *(None, True, False, "", " ", "no", "010", "1_000", "0x10", "1e3", "١", "½"),
    *("h", "w", "n", "c", "width", "h//2", "h//0", "h % 3", "1/h", "h - h", "-h", "h**64", "2**h"),
    *(
        "min(3)",
        "max(h)",
        "min()",
        "sqrt(8)",
        "sqrt(-1)",
        "log2(0)",
        "round_to(h, 0)",
        "floor(h/3)",
    ),
    *("in_shape[1]", "in_shape[9]", "in_shape[-1]", "in_channels", "h <= 3", "h and w", "not h"),
    *(
        "((((h))))",
        "(" * 60 + "h" + ")" * 60,
        "h" * 300,
        "h" + " + h" * 300,
        "x[0]",
        "x.y",
        "__import__",
    ),
    *(
        "previous",
        "input",
        "conv2d_1",
        "../x",
        "a\x1b[31m",
        "\u202e",
        "\u2028",
        '"""',
        "*/",
        "$\\x$",
    ),
    *([], {}, [1], [1, 2], [1, 2, 3], ["h"], [[1]], {"a": 1}, {"default": 0}, {"layers": []}),
)
"""What a field may hold by mistake or ill will."""

SIZES: tuple[Any, ...] = (
    *(0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 31, 64, 96, 10**4, 10**9),
    *("n", "n + 1", "2*n", "n//2 + 1", "h//64 + 1", "max(n, 2)", "round_to(3*n, 8)"),
)
"""What a size may be; every symbol of it stands in most specs."""

ENTRIES: tuple[Any, ...] = (
    *("relu", "flatten", "softmax", "gelu", "batchnorm", "layernorm", "upsample", "no_such_kind"),
    *({"linear": {"out_features": 8}}, {"conv2d": {"out_channels": 8, "kernel_size": 3}}),
    {"conv2d": {"out_channels": 8, "kernel_size": 3, "stride": "h//64 + 1", "padding": "same"}},
    {"maxpool2d": {"kernel_size": 2}, "name": "pool"},
    {"adaptive_avgpool2d": {"output_size": 1}},
    {"self_attention": {"heads": 1, "causal": True}},
    {"lstm": {"hidden_size": 4, "num_layers": 10**8}},
    {"repeat": {"times": "n", "layers": ["relu", {"linear": {"out_features": 8}}]}},
    {"repeat": {"times": 10**6, "layers": [{"side": [{"linear": {"out_features": 3}}]}, "relu"]}},
    {"residual": [{"linear": {"out_features": 8}}]},
    {"residual": {"layers": ["relu"], "shortcut": ["flatten"]}},
    {"parallel": {"branches": [["relu"], ["sigmoid"]], "merge": "concat", "axis": 1}},
    {"foreach": {"rows": [{"k": 1}, {"k": 3}], "layers": [{"linear": {"out_features": "k"}}]}},
    {"moe": {"experts": 4, "top_k": 2, "layers": [{"linear": {"out_features": 8}}]}},
    {"side": ["relu", {"linear": {"out_features": 3}}]},
    {"foreach": {"columns": {"k": [1, 3, 5]}, "index": "i", "layers": ["relu", {"gelu": {}}]}},
    {"repeat": {"times": "n", "index": "i", "layers": [{"linear": {"out_features": "8*i + 8"}}]}},
    {
        "repeat": {
            "times": "n + 2",
            "layers": [
                {
                    "parallel": {
                        "branches": [[], [{"conv2d": {"out_channels": 8, "kernel_size": 1}}]]
                    }
                }
            ],
        }
    },
    {"conv2d": {"out_channels": "n", "kernel_size": "n", "padding": "(n - 1)//2"}},
    {"cross_attention": {"heads": 1}, "from": ["previous", "previous"]},
    {"matmul": {}, "from": ["previous", "previous"]},
    {"pad": {"padding": ["h", 0]}},
    {"split": {"sizes": [1, 1]}, "from": "input"},
    {"add": {}, "from": ["previous", "input"]},
    {"einsum": {"equation": "bij,bjk->bik"}, "from": ["previous", "previous"]},
    {"fused": [{"linear": {"out_features": 8}}, "gelu"]},
    {"share": "pool"},
    {"use": "mlp"},
    {"repeat": {"times": 3, "shared": True, "layers": [{"linear": {"out_features": 8}}]}},
    {"foreach": {"tensors": {"x": ["previous", "input"]}, "layers": [{"relu": {}, "from": "x"}]}},
    {"conv2d": {"out_channels": "shape(pool)[1]", "kernel_size": 1}, "from": "pool"},
)
"""Entries that a list may get or lose its own to."""

FORMATS = ("table", "json", "csv", "markdown", "latex", "python", "c", "javascript")

COMMANDS: tuple[tuple[str, ...], ...] = (
    *((("SPEC", "--format", name)) for name in FORMATS),
    *((("SPEC", "--symbolic", "--format", name)) for name in FORMATS),
    ("SPEC", "--metric", "receptive_field", "memory_peak", "--symbolic"),
    ("SPEC", "--assume", "h % 32 == 0", "w == h", "--symbolic"),
    ("SPEC", "--set", "h=33", "--convention", "torch"),
    ("explain", "SPEC"),
    ("memory", "SPEC", "--dtype", "int8"),
    ("memory", "SPEC", "--symbolic"),
    ("latency", "SPEC", "--hardware", "a100-80gb", "--dtype", "fp16"),
    ("energy", "SPEC", "--hardware", "raspberry-pi-4", "--energy", "horowitz-45nm"),
    ("fit", "SPEC", "--hardware", "stm32f746", "--dtype", "int8"),
    ("training", "SPEC", "--optimizer", "adam", "--dtype", "bf16"),
    ("inference", "SPEC", "--hardware", "a100-80gb", "--dtype", "fp16"),
    ("solve", "SPEC", "--for", "h", "--where", "macs <= 1e8"),
    ("solve", "SPEC", "--for", "width", "--where", "params <= 1e6", "macs <= 1e9"),
    ("sensitivity", "SPEC"),
    ("sweep", "SPEC", "--vary", "h=32,33,64", "--metric", "macs", "memory_peak"),
    ("sweep", "SPEC", "--vary", "width=0.5,1", "--top", "1", "--by", "params"),
    ("compare", "SPEC", "specs/alexnet.yaml"),
    ("diff", "SPEC", "specs/alexnet.yaml"),
    ("diff", "SPEC", "SPEC", "--symbolic"),
    ("table", "SPEC", "specs/alexnet.yaml"),
    ("check", "SPEC"),
    ("prove", "SPEC"),
    ("docs", "SPEC", "--check"),
    ("conventions",),
    ("hardware",),
    ("zoo", "mlp"),
    ("init", "SPEC"),
    ("import", "SPEC"),
    ("value", "SPEC", "--metric", "macs"),
    ("completion", "SPEC"),
    ("schema",),
    ("SPEC", "--hardware", "a100-80gb", "--past", "3"),
    ("SPEC", "--attention", "unfused", "--dtype", "bf16", "--symbolic"),
    ("memory", "SPEC", "--order", "best"),
    ("training", "SPEC", "--checkpoint", "blocks", "--symbolic"),
    ("inference", "SPEC", "--prompt", "n", "--generate", "3", "--batch", "h"),
    ("energy", "SPEC", "--hardware", "a100-80gb", "--symbolic"),
    ("latency", "SPEC", "--hardware", "a100-80gb", "--symbolic"),
    ("solve", "SPEC", "--for", "n", "--where", "memory_peak <= 1e9"),
    ("fit", "SPEC", "--hardware", "h100-sxm", "--dtype", "bf16", "--attention", "unfused"),
)
"""The command lines that a spec is put before; ``SPEC`` stands for its path."""


class Case(NamedTuple):
    """One spec and one command line.

    Attributes:
        seed: the number that makes it.
        text: the spec.
        words: the command line, with ``SPEC`` for the spec's path.
    """

    seed: int
    text: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        """How to see the failure again."""
        return f"seed {self.seed}: archcost {' '.join(self.words)}\n{self.text}"


def case(seed: int) -> Case:
    """Return the case of a seed: a spec of the zoo, mutated a few times, and a command."""
    draw = random.Random(seed)
    text = draw.choice(SPECS).read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    data.pop("expect", None)  # a large part of the text, which these commands do not read
    is_wild = draw.random() < 0.4
    for _ in range(draw.randint(1, 3)):
        mutate = draw.choice(_WILD if is_wild else _LIKELY)
        mutate(draw, data)
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1000)
    if is_wild and draw.random() < 0.4:
        text = draw.choice(_TEXT_MUTATIONS)(draw, text)
    return Case(seed, text, draw.choice(COMMANDS))


def _places(data: Any) -> list[tuple[Any, Any]]:
    """Every place in a tree, as the container and the key or index in it."""
    keys: Iterator[Any] = iter(())
    if isinstance(data, dict):
        keys = iter(list(data))
    elif isinstance(data, list):
        keys = iter(range(len(data)))
    found = []
    for key in keys:
        found += [(data, key), *_places(data[key])]
    return found


def _put_size(draw: random.Random, data: Any) -> None:
    """Put another size where a number stands."""
    places = [(box, key) for box, key in _places(data) if type(box[key]) is int]
    box, key = draw.choice(places)
    box[key] = draw.choice(SIZES)


def _put_default(draw: random.Random, data: Any) -> None:
    """Give a symbol another default."""
    symbols = data.get("symbols") or {"h": 1}
    symbols[draw.choice(list(symbols))] = draw.choice((1, 2, 3, 7, 31, 33, 64, 250, 0.5, 10**9))


def _put_odd(draw: random.Random, data: Any) -> None:
    places = [(box, key) for box, key in _places(data) if not isinstance(box[key], dict | list)]
    box, key = draw.choice(places)
    box[key] = deepcopy(draw.choice(ODD))


def _replace_any(draw: random.Random, data: Any) -> None:
    box, key = draw.choice(_places(data))
    box[key] = deepcopy(draw.choice(ODD))


def _drop(draw: random.Random, data: Any) -> None:
    box, key = draw.choice(_places(data))
    del box[key]


def _rename(draw: random.Random, data: Any) -> None:
    box, key = draw.choice([place for place in _places(data) if isinstance(place[1], str)])
    name = draw.choice(
        (key + "s", key[:-1], key.upper(), key[::-1], "name", "from", "when", "layers")
    )
    box[name] = box.pop(key)


def _lists(data: Any) -> list[Any]:
    """The lists of entries."""
    found = [box[key] for box, key in _places(data) if key == "layers"]
    return [entries for entries in found if isinstance(entries, list)]


def _insert(draw: random.Random, data: Any) -> None:
    for entries in draw.sample(_lists(data), k=min(1, len(_lists(data)))):
        entries.insert(draw.randint(0, len(entries)), deepcopy(draw.choice(ENTRIES)))


def _wrap(draw: random.Random, data: Any) -> None:
    """Put a whole list of entries into a composite of one."""
    for entries in draw.sample(_lists(data), k=min(1, len(_lists(data)))):
        inner = deepcopy(entries)
        outer = draw.choice(
            (
                {
                    "repeat": {
                        "times": draw.choice((0, 1, 2, 3, "n", "h//32", 10**9)),
                        "layers": inner,
                    }
                },
                {"residual": inner},
                {"side": inner},
                {"moe": {"experts": 4, "top_k": 1, "layers": inner}},
                {"parallel": {"branches": [inner, deepcopy(inner)], "merge": "add"}},
            )
        )
        entries[:] = [outer]


def _swap(draw: random.Random, data: Any) -> None:
    for entries in draw.sample(_lists(data), k=min(1, len(_lists(data)))):
        draw.shuffle(entries)


_WILD: tuple[Callable[[random.Random, Any], None], ...] = (
    *(_put_odd, _put_odd, _put_odd, _replace_any, _drop, _rename, _insert, _wrap, _swap),
)
"""Mutations whose outcome is mostly a message."""

_LIKELY: tuple[Callable[[random.Random, Any], None], ...] = (
    *(_put_size, _put_size, _put_default, _insert, _wrap),
)
"""Mutations whose outcome is mostly a network."""


def _cut(draw: random.Random, text: str) -> str:
    return text[: draw.randint(0, len(text))]


def _without_line(draw: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    del lines[draw.randrange(len(lines))]
    return "".join(lines)


def _indented(draw: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    number = draw.randrange(len(lines))
    lines[number] = draw.choice(("  ", "\t", " ")) + lines[number]
    return "".join(lines)


def _with_signs(draw: random.Random, text: str) -> str:
    at = draw.randint(0, len(text))
    sign = draw.choice("{}[]:,#&*!|>%@`'\"\\\0\x07\x1b\u2028\ufeff\t-?")
    return text[:at] + sign + text[at:]


_TEXT_MUTATIONS: tuple[Callable[[random.Random, str], str], ...] = (
    _cut,
    _without_line,
    _indented,
    _with_signs,
)


class Outcome(NamedTuple):
    """What a command line did: its exit status, and what it printed."""

    status: int
    out: str
    err: str


def outcome(words: tuple[str, ...]) -> Outcome:
    """Run a command line in this process.

    Raises:
        Hang: it takes longer than `tests.commands.SECONDS`.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), limit():
        status = run_words(list(words))
    return Outcome(status, out.getvalue(), err.getvalue())


def fault(tried: Case) -> str:
    """Return what is wrong with what a case does, or ''."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "spec.yaml"
        spec.write_text(tried.text, encoding="utf-8", newline="")
        words = tuple(str(spec) if word == "SPEC" else word for word in tried.words)
        try:
            found = outcome(words)
        except Hang as error:
            return f"{error}\n{''.join(traceback.format_exc(limit=-6))}"
        except Exception:  # any at all is a traceback that a user would see
            return traceback.format_exc(limit=-8)
    return fault_of(found, is_json=tried.words[-1] == "json")


def fault_of(found: Outcome, *, is_json: bool) -> str:
    """Return what is wrong with an outcome, or ''."""
    if found.status not in (0, 1, 2):
        return f"exit status {found.status}"
    if "Traceback" in found.out + found.err:
        return "a traceback is printed"
    if found.status == 2 and not found.err.startswith("archcost: "):
        return f"status 2 without a message of archcost:\n{found.err}"
    if found.status == 2 and found.out:
        return f"status 2, and yet on stdout:\n{found.out[:400]}"
    if is_json and found.status == 0:
        return _fault_of_totals(json.loads(found.out))
    return ""


def _fault_of_totals(report: dict[str, Any]) -> str:
    """Return which total's text has another value at the symbols' than the number beside it."""
    scope: dict[str, Any] = {"__builtins__": {}, "min": min, "max": max, **_functions()}
    scope |= report["symbols"]
    for name, total in report["totals"].items():
        if (
            isinstance(total, dict)
            and {"expr", "value"} <= set(total)
            and "range(" not in total["expr"]
        ):
            value = eval(total["expr"], scope)  # the text is archcost's own
            if value != total["value"]:
                return f"{name} = {total['expr']} is {value}, not {total['value']}"
    return ""


def _functions() -> dict[str, Any]:
    from fractions import Fraction
    from math import ceil, floor

    from archspec.arithmetic import round_to

    return {"ceil": ceil, "floor": floor, "round_to": round_to, "Fraction": Fraction}


def main() -> None:
    """Try as many seeds as the command line says, and print every failure."""
    count, first = (int(word) for word in (*sys.argv[1:], "0")[:2])
    failed = 0
    for seed in range(first, first + count):
        tried = case(seed)
        wrong = fault(tried)
        if wrong:
            failed += 1
            print(f"{tried}\n{wrong}\n{'─' * 80}", flush=True)
    print(f"{count - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
