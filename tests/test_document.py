"""The reader: YAML 1.2 scalars, the line and column of every value, and what is refused."""

import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from archspec.document import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_VALUES,
    YamlDocument,
    parse_document,
    read_document,
)
from archspec.errors import SpecError

LOADERS: list[type] = [yaml.SafeLoader]
if hasattr(yaml, "CSafeLoader"):
    LOADERS.append(yaml.CSafeLoader)


@pytest.fixture(autouse=True, scope="module", params=LOADERS, ids=lambda loader: loader.__name__)
def loader(request: pytest.FixtureRequest) -> Iterator[type]:
    """Every test reads with libyaml and, as where the wheel has none, with Python alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("archspec.document._LOADER", request.param)
        yield request.param


def value_of(text: str) -> object:
    """What a scalar, written as a value, is read as."""
    return parse_document(f"key: {text}\n").data["key"]


def failure(text: str) -> SpecError:
    """The error that a text ends in."""
    with pytest.raises(SpecError, match=r"^spec\.yaml:\d+:\d+: ") as caught:
        parse_document(text, "spec.yaml")
    return caught.value


def place(error: SpecError) -> tuple[int, int]:
    """The line and the column that an error names."""
    assert error.origin
    return error.origin.line, error.origin.column


# Scalars: YAML 1.2, core schema, https://yaml.org/spec/1.2.2/#1032-tag-resolution

SCALARS: dict[str, object] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("~", "null", "Null", "NULL", ""), None),
    **{word: word for word in ("no", "No", "yes", "YES", "on", "off", "y", "n", "tRUE", "nil")},
    "0": 0,
    "12": 12,
    "-3": -3,
    "+3": 3,
    "-0": 0,
    "0o10": 8,
    "0x1F": 31,
    "0xff": 255,
    "-0x1F": "-0x1F",
    "0o8": "0o8",
    "0b11": "0b11",
    "1_000": "1_000",
    "1:30": "1:30",
    "0.1": Fraction(1, 10),
    "-.5": Fraction(-1, 2),
    "2.": Fraction(2),
    "1e3": Fraction(1000),
    "1E3": Fraction(1000),
    "2.5e-3": Fraction(1, 400),
    "+12e03": Fraction(12_000),
    "007.5": Fraction(15, 2),
    ".": ".",
    ".inf": ".inf",
    ".nan": ".nan",
    "1e": "1e",
    "2021-01-01": "2021-01-01",
    "32*width": "32*width",
    "'8'": "8",
    '"8"': "8",
    "'true'": "true",
    '"~"': "~",
    "'010'": "010",
    "''": "",
}


@pytest.mark.parametrize("text", SCALARS)
def test_scalars_are_yaml_1_2(text: str) -> None:
    value, expected = value_of(text), SCALARS[text]
    assert value == expected
    assert isinstance(value, bool) == isinstance(expected, bool)
    assert isinstance(value, str) == isinstance(expected, str)


def test_decimals_are_exact() -> None:
    tenth, hundredth = value_of("0.1"), value_of("1e-2")
    assert isinstance(tenth, Fraction)
    assert isinstance(hundredth, Fraction)
    assert tenth * tenth == hundredth


LEADING_ZEROS = {
    "010": ("10", "0o10"),
    "0777": ("777", "0o777"),
    "00": ("0", "0o0"),
    "-010": ("-10",),
    "+010": ("10",),
}


@pytest.mark.parametrize("text", LEADING_ZEROS)
def test_a_leading_zero_is_refused_and_the_hint_can_be_copied(text: str) -> None:
    error = failure(f"key: {text}\n")
    assert place(error) == (1, 6)
    assert text in error.cause
    suggested = (error.hint or "").removeprefix("write ").split(" or ")
    assert set(LEADING_ZEROS[text]) <= set(suggested)


def test_the_hint_for_a_leading_zero_is_a_number_itself() -> None:
    """08 is no octal number in any version, so that 0o8 is no help."""
    error = failure("key: 08\n")
    assert place(error) == (1, 6)
    assert "0o8" not in str(error)


def test_four_hundred_digits_are_a_number_and_more_are_no_denial_of_service() -> None:
    assert value_of("9" * 400) == 10**400 - 1
    assert isinstance(value_of("9" * 100_000), str)
    assert isinstance(value_of("1e999999999"), str)


# Marks

SAMPLE = """\
# a comment
archspec: 1
name: "AlexNet"
'source': 'a, b'
symbols: {n: 1, "h": {default: 224}}

input: [n, 3,
        "h", é, last]
layers:
- relu
-   linear:
        out_features: 4*n
    name: head
empty:
"""

VALUES = {
    (): (2, 1),
    ("archspec",): (2, 11),
    ("name",): (3, 8),
    ("source",): (4, 12),
    ("symbols",): (5, 10),
    ("symbols", "n"): (5, 14),
    ("symbols", "h"): (5, 22),
    ("symbols", "h", "default"): (5, 32),
    ("input",): (7, 8),
    ("input", 0): (7, 9),
    ("input", 1): (7, 12),
    ("input", 2): (8, 10),
    ("input", 3): (8, 14),
    ("input", 4): (8, 17),
    ("layers",): (10, 1),
    ("layers", 0): (10, 3),
    ("layers", 1): (11, 5),
    ("layers", 1, "linear"): (12, 9),
    ("layers", 1, "linear", "out_features"): (12, 23),
    ("layers", 1, "name"): (13, 11),
    ("empty",): (14, 7),
}
"""Of a quoted value the place of its first character, so that a place in an expression adds up."""

KEYS = {
    ("archspec",): (2, 1),
    ("name",): (3, 1),
    ("source",): (4, 2),
    ("symbols",): (5, 1),
    ("symbols", "n"): (5, 11),
    ("symbols", "h"): (5, 18),
    ("symbols", "h", "default"): (5, 23),
    ("input",): (7, 1),
    ("layers",): (9, 1),
    ("layers", 1, "linear"): (11, 5),
    ("layers", 1, "linear", "out_features"): (12, 9),
    ("layers", 1, "name"): (13, 5),
    ("empty",): (14, 1),
}


def marks(document: YamlDocument) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Line and column of every value, and of every key."""
    values = {path: (origin.line, origin.column) for path, origin in document.values.items()}
    keys = {path: (origin.line, origin.column) for path, origin in document.keys.items()}
    return values, keys


def test_every_value_and_every_key_knows_its_line_and_column() -> None:
    document = parse_document(SAMPLE, "sample.yaml")
    assert marks(document) == (VALUES, KEYS)
    assert {origin.file for origin in document.values.values()} == {"sample.yaml"}


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings_change_neither_data_nor_marks(ending: str) -> None:
    document, plain = parse_document(SAMPLE.replace("\n", ending)), parse_document(SAMPLE)
    assert document.data == plain.data
    assert marks(document) == (VALUES, KEYS)


def test_a_byte_order_mark_is_no_column(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + SAMPLE.encode())
    assert marks(read_document(file)) == (VALUES, KEYS)


def test_a_value_behind_an_anchor_stands_after_it() -> None:
    """So that a place in an expression adds up there too."""
    values = marks(parse_document("a: &x 4*hh\nb: &first 'h'\n"))[0]
    assert (values["a",], values["b",]) == ((1, 7), (2, 12))


def test_origin_falls_back_to_the_nearest_ancestor() -> None:
    document = parse_document(SAMPLE)
    assert document.origin(("symbols", "q", "default")) == document.origin(("symbols",))
    assert document.key_origin(("input", 2)) == document.origin(("input", 2))


def test_aliases_are_copies() -> None:
    document = parse_document("a: &x {b: [1, 2]}\nc: *x\nd: [*x, *x]\n")
    assert document.data["c"] == {"b": [1, 2]}
    assert document.data["d"] == [{"b": [1, 2]}] * 2


# What is refused: (text, line, column, words of the cause)

REFUSED = {
    "duplicate key": ("a: 1\nb: 2\na: 3\n", 3, 1, "duplicate key 'a', first on line 1"),
    "duplicate in flow": ("x: {a: 1, b: 2, a: 3}\n", 1, 17, "duplicate key 'a'"),
    "duplicate in depth": ("x:\n- a: 1\n  a: 1\n", 3, 3, "duplicate key 'a', first on line 2"),
    "duplicate, once quoted": ("a: 1\n'a': 3\n", 2, 2, "duplicate key 'a'"),
    "merge key": ("a: &x {b: 1}\nc: {<<: *x}\n", 2, 5, "merge keys (<<)"),
    "tag on a scalar": ("a: !!int '5'\n", 1, 4, "tag"),
    "tag on a list": ("a: !!seq [1]\n", 1, 4, "tag"),
    "tag on a mapping": ("a: !!map {b: 1}\n", 1, 4, "tag"),
    "tag of one's own": ("a: !mine 5\n", 1, 4, "!mine"),
    "tag that would run code": ("a: !!python/object/apply:os.system [x]\n", 1, 4, "os.system"),
    "tag on a key": ("!!str a: 5\n", 1, 1, "tag"),
    "key: number": ("a: 1\n1: 2\n", 2, 1, "the key 1 "),
    "key: truth": ("true: 2\n", 1, 1, "the key true "),
    "key: decimal": ("1.5: 2\n", 1, 1, "the key "),
    "key: nothing": ("~: 2\n", 1, 1, "the key "),
    "key: list": ("? [1]\n: 2\n", 1, 3, "key"),
    "key: mapping": ("? {a: 1}\n: 2\n", 1, 3, "key"),
    "second document": ("a: 1\n---\nb: 2\n", 2, 1, "second YAML document"),
    "alias before its anchor": ("a: *x\nb: &x 1\n", 1, 4, "alias *x stands before"),
    "alias inside its anchor": ("a: &x [1, *x]\n", 1, 11, "alias *x stands before or inside"),
    "alias inside, deeper": ("a: &x {b: {c: *x}}\n", 1, 15, "alias *x stands before or inside"),
    "nothing": ("", 1, 1, "empty"),
    "blank lines": ("\n  \n", 1, 1, "empty"),
    "only a comment": ("# to do\n", 1, 1, "empty"),
    "only null": ("~\n", 1, 1, "empty"),
    "only a start": ("---\n", 1, 1, "empty"),
    "a list": ("\n- relu\n", 2, 1, "a spec is a mapping"),
    "a text": ("relu\n", 1, 1, "a spec is a mapping"),
    "a number": ("5\n", 1, 1, "a spec is a mapping"),
    "an open list": ("a: [1, 2\n", 2, 1, "not YAML"),
    "an open mapping": ("a: {b: 1\nc: 2\n", 2, 2, "not YAML"),
    "an open quote": ('a: "x\nb: 2\n', 3, 1, "not YAML"),
    "an indentation": ("a: 1\n  b: 2\n", 2, 4, "not YAML"),
    "two colons": ("a: b: c\n", 1, 5, "not YAML"),
    "another YAML": ("%YAML 2.0\n---\na: 1\n", 1, 1, "not YAML"),
    "a control character": ("a: 1\nb: \x01\n", 2, 4, "not YAML"),
    "a null character": ("a: 1\nb: c\x00\n", 2, 5, "not YAML"),
    "a tab in front": ("a: 1\n\tb: 2\n", 2, 1, "not YAML"),
    "a tab in a list": ("layers:\n  - relu\n\t- relu\n", 3, 1, "not YAML"),
}

PYTHON = re.compile(r"Fraction\(|\b(None|True|False)\b|<class|object at 0x")
"""What a value is called in Python and nowhere else."""


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    text, line, column, cause = REFUSED[case]
    error = failure(text)
    assert place(error) == (line, column)
    assert cause in error.cause
    assert not PYTHON.search(str(error))


@pytest.mark.parametrize("text", ["a: 1\n\tb: 2\n", "a:\n\t- 1\n", "a: 1\nb:\n \t- 2\n"])
def test_a_tab_is_named(text: str) -> None:
    assert failure(text).hint == "YAML indents with spaces, not tabs"


def test_merge_keys_have_a_hint() -> None:
    assert "blocks" in (failure("a: {<<: {b: 1}}\n").hint or "")


@pytest.mark.parametrize("text", ['a: "\\q"\n', 'a: "\\U00110000"\n', 'a: "\\ud800"\n'])
def test_a_wrong_escape_is_refused_where_it_stands(text: str) -> None:
    error = failure(text)
    assert "not YAML" in error.cause
    assert place(error)[0] == 1
    assert 4 <= place(error)[1] <= 8


# Limits: an untrusted text ends in an error, and soon

DEEP = {
    "flow lists": ("a: " + "[" * 10_000, (1, 3 + MAX_DEPTH)),
    "closed flow lists": ("a: " + "[" * 10_000 + "]" * 10_000, (1, 3 + MAX_DEPTH)),
    "flow mappings": ("{a: " * 10_000, (1, 4 * MAX_DEPTH + 1)),
    "block lists": ("- " * 10_000, (1, 2 * MAX_DEPTH + 1)),
    "block mappings": ("".join(f"{' ' * i}a:\n" for i in range(500)), (65, 65)),
}


@pytest.mark.parametrize("case", DEEP)
def test_nesting_is_bounded(case: str) -> None:
    text, expected = DEEP[case]
    error = failure(text)
    assert error.cause == f"nested deeper than {MAX_DEPTH} levels"
    assert place(error) == expected


def test_keys_within_keys_are_refused_at_once() -> None:
    assert "key" in failure("? " * 10_000).cause


def test_the_deepest_that_is_read() -> None:
    lists = MAX_DEPTH - 1
    assert parse_document(f"a: {'[' * lists}{']' * lists}\n").data["a"]


def test_deep_nesting_built_by_aliases_is_refused() -> None:
    lines = ["a0: &a0 [1]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 10_000))]
    error = failure("\n".join(lines))
    assert error.cause == f"nested deeper than {MAX_DEPTH} levels"
    assert place(error)[0] <= MAX_DEPTH


BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
)
"""A billion laughs: nine lines of nine aliases each are 9**10 values."""


def test_an_alias_bomb_is_refused() -> None:
    error = failure(BOMB)
    assert error.cause == f"more than {MAX_VALUES:,} values once aliases are expanded"


def test_an_alias_bomb_in_mappings_is_refused() -> None:
    rows = ["a0: &a0 {k: 1, l: 2}"]
    rows += [f"a{i}: &a{i} {{k: *a{i - 1}, l: *a{i - 1}}}" for i in range(1, 40)]
    assert f"more than {MAX_VALUES:,} values" in failure("\n".join(rows)).cause


# Files


def read_failure(path: str | Path) -> SpecError:
    """The error that a file ends in."""
    with pytest.raises(SpecError, match=r".") as caught:
        read_document(path)
    return caught.value


def test_a_file_is_read_and_named(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("name: net\n", encoding="utf-8")
    document = read_document(str(file))
    assert document.data == {"name": "net"}
    assert str(document.origin(("name",))) == f"{file}:1:7"


def test_a_missing_file_has_a_neighbour(tmp_path: Path) -> None:
    (tmp_path / "alexnet.yaml").write_text("name: AlexNet\n")
    error = read_failure(tmp_path / "alexnett.yaml")
    assert error.cause == f"no such file: {tmp_path / 'alexnett.yaml'}"
    assert error.hint == "did you mean 'alexnet.yaml'?"


def test_a_missing_folder_is_a_missing_file(tmp_path: Path) -> None:
    assert "no such file" in read_failure(tmp_path / "nowhere" / "spec.yaml").cause


def test_a_folder_is_no_spec(tmp_path: Path) -> None:
    error = read_failure(tmp_path)
    assert str(tmp_path) in error.cause
    assert "directory" in error.cause.lower()


def test_a_file_on_the_way_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("name: net\n")
    assert "spec.yaml" in read_failure(tmp_path / "spec.yaml" / "inner.yaml").cause


def test_a_name_that_is_too_long_is_an_error_of_ours(tmp_path: Path) -> None:
    assert "cannot read" in read_failure(tmp_path / ("a" * 1000 + ".yaml")).cause


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("name: net\n")
    file.chmod(0)
    assert f"cannot read {file}" in read_failure(file).cause


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.touch()
    assert str(read_failure(file)).startswith(f"{file}:1:1: the file is empty")


def test_the_largest_file_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    file, text = tmp_path / "spec.yaml", b"name: net\n#"
    file.write_bytes(text.ljust(MAX_BYTES, b"x"))
    assert read_document(file).data == {"name": "net"}
    file.write_bytes(text.ljust(MAX_BYTES + 1, b"x"))
    assert f"larger than {MAX_BYTES:,} bytes" in read_failure(file).cause


NOT_UTF_8 = {
    "latin 1": (b"name: net\nsource: caf\xe9\n", (2, 12), "0xe9"),
    "utf 16": ("name: net\n".encode("utf-16"), (1, 1), "is not UTF-8"),
    "cut off": (b"name: caf\xc3", (1, 10), "0xc3"),
    "surrogate": (b"name: \xed\xa0\x80\n", (1, 7), "0xed"),
    "after other letters": ("name: Müller ".encode() + b"\xff\n", (1, 14), "0xff"),
}


@pytest.mark.parametrize("case", NOT_UTF_8)
def test_bytes_that_are_no_utf_8_are_found(case: str, tmp_path: Path) -> None:
    content, expected, words = NOT_UTF_8[case]
    file = tmp_path / "spec.yaml"
    file.write_bytes(content)
    error = read_failure(file)
    assert place(error) == expected
    assert words in error.cause
