"""The generated part of the site, as hooks of mkdocs: pages that follow from the registries.

There is a page for each command, kind, device and family of the zoo, and one for Python. They are
made when the site is built and are kept nowhere else; no name is listed by hand.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from functools import cache
from inspect import cleandoc, getmembers, isclass, signature
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

import costmodel
from archspec.errors import SpecError
from archspec.layers import KINDS
from archspec.precision import TYPES
from archspec.reference import language_reference
from costmodel.cli import GROUPS
from costmodel.cli.app import app, known_commands, run
from costmodel.rules.base import cost_rule, shape_rule
from costmodel.scenario.devices import built_in_files, find_profile

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SPECS = sorted((ROOT / "specs").glob("*.yaml"))
SHAPES = (
    "[n, 8, 16, 16]",
    "[n, 16, 8]",
    "[n, 8, 16]",
    "[n, 8, 4, 16, 16]",
    "[n, 16]",
    "[n, 1, 16]",
)
"""Shapes of inputs, of which an example takes the first that suits its kind."""

STYLE = """.md-grid { max-width: 88rem; }
.md-typeset table:not([class]) td, .md-typeset pre > code { font-size: .62rem; }
"""
"""Room for wide tables and for what a terminal shows."""

FENCE = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<![\[`])`(archcost (\w+)[^`]*|[\w-]+)`(?![\]`])")
COMMAND = re.compile(r"^\$ (?:.*&& \S*)?(archcost .*)$", re.MULTILINE)


def printed(*words: str) -> str:
    """Return what a command prints."""
    with chdir(ROOT), redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()):
        run(list(words))
    return out.getvalue()


def code(text: str, language: str = "text") -> str:
    """Return a block of code."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def listed(items: Iterable[str]) -> str:
    """Return a list, or nothing where it is empty."""
    return "".join(f"* {item}\n" for item in items)


def section(title: str, text: str) -> str:
    """Return a section, or nothing where it is empty."""
    return f"\n## {title}\n\n{text}" if text.strip() else ""


def without_notes(table: str) -> str:
    """Return a table without what the first of its page says already."""
    return re.sub(r"^- (types|convention|attention): .*\n", "", table, flags=re.MULTILINE)


# A page for each command


def commands() -> Iterator[tuple[str, str]]:
    """Yield a page for each command: its help, and where it is shown."""
    rows: dict[str, list[str]] = {}
    for name in known_commands():
        text = printed(name, "--help")
        first = " ".join(text.split("\n\n")[1].split())
        (group,) = app[name].group
        rows.setdefault(group.name, []).append(f"[`archcost {name}`]({name}.md): {escaped(first)}")
        yield f"commands/{name}.md", f"# archcost {name}\n\n{code(text)}{shown(name)}"
    head = "# Commands\n\n`archcost SPEC` is the main job: the report of a network.\n"
    groups = sorted(rows, key=lambda name: [*GROUPS, name].index(name))
    tables = "".join(section(group, listed(rows[group])) for group in groups)
    yield "commands/index.md", f"{head}{tables}{section('archcost', code(printed('--help')))}"


def shown(name: str) -> str:
    """Return the command lines of our pages that run a command, each with its page."""
    lines: dict[str, str] = {}
    for page in sorted(DOCS.glob("*.md")):
        for line in COMMAND.findall(page.read_text(encoding="utf-8")):
            if line.split()[1] == name:
                lines.setdefault(line, page.name)
    return section(
        "Shown in", listed(f"[{page[:-3]}](../{page}): `{line}`" for line, page in lines.items())
    )


def escaped(text: str) -> str:
    """Return a text as a cell of a table has it, its code left as it is."""
    parts = re.split(r"(`+[^`]*`+)", text.replace("|", r"\|"))
    parts[::2] = [re.sub(r"([*_\[])", r"\\\1", part).replace("<", "&lt;") for part in parts[::2]]
    return "".join(parts)


# A page for each kind


def kinds() -> Iterator[tuple[str, str]]:
    """Yield a page for each kind, composites too: its fields, its rules, an example, its use."""
    rows = []
    for names, body in kind_sections():
        name, titles = names[0], ", ".join(f"`{each}`" for each in names)
        rows.append(f"| [{titles}]({name}.md) | {escaped(first_sentence(body))} |")
        rules = rules_of(name) if name in KINDS else ""
        use = [f"[{spec.stem}](../zoo/{spec.stem}.md)" for spec in SPECS if uses(spec, names)]
        zoo = section("In the zoo", ", ".join(use))
        example = section("What its example costs", explained(body))
        yield f"kinds/{name}.md", f"# {titles}\n\n{body}{rules}{example}{zoo}"
    head = "# Kinds of layers\n\n[The language](../language.md) says how they stand in a spec.\n\n"
    yield "kinds/index.md", head + "| kind | is |\n| --- | --- |\n" + "\n".join(rows) + "\n"


def kind_sections() -> Iterator[tuple[list[str], str]]:
    """Yield of each kind its names and what the reference of the language says of it."""
    for part in re.split(r"^### ", language_reference(), flags=re.MULTILINE)[1:]:
        heading, body = part.split("\n", 1)
        yield re.findall(r"`(\w+)`", heading), body.split("\n## ")[0].strip() + "\n"


def first_sentence(text: str) -> str:
    """Return the first sentence of a text, on one line."""
    return re.split(r"(?<=[.:])\s", text.split("\n\n")[0].replace("\n", " "))[0]


def rules_of(name: str) -> str:
    """Return what the rules of a kind say: how its shape and its counts come to be."""
    layer = KINDS[name]
    docs = (cleandoc(rule.find(layer).__doc__ or "") for rule in (shape_rule, cost_rule))
    return "".join(
        section(title, doc.replace("``", "`") + "\n")
        for title, doc in zip(("Shape", "Cost"), docs, strict=True)
    )


@cache
def text_of(path: Path) -> str:
    """Return the text of a file."""
    return path.read_text(encoding="utf-8")


def uses(spec: Path, names: Iterable[str]) -> bool:
    """Return whether a kind stands in a spec as an entry."""
    return any(re.search(rf"[-{{\[] *{name}\b", text_of(spec)) for name in names)


def explained(body: str) -> str:
    """Return how the numbers of a kind's example come to be; nothing where it needs more."""
    entry = body.split("```yaml\n")[1].split("```")[0]
    head = "archspec: 1\nname: example\nsymbols: {n: 1, heads: 2, head_dim: 8}\n"
    with TemporaryDirectory() as folder:
        file = Path(folder) / "example.yaml"
        for shape in SHAPES:
            inputs = f"input: {{a: {shape}, b: {shape}}}\nlayers:\n"
            first = "- {identity: , from: a}\n"
            file.write_text(f"{head}{inputs}{first}{entry}- {{identity: , from: b}}\n")
            try:
                text = printed("explain", str(file)).split("\n\n")
            except SpecError:
                continue
            others = ("identity_", "example", "at  ")
            return code("\n\n".join(part for part in text if not part.startswith(others)))
    return ""


# A page for each device, for each family, and for Python


def devices() -> Iterator[tuple[str, str]]:
    """Yield a page for each device: its figures with their sources."""
    names = sorted(built_in_files())
    for name in names:
        figures = printed("hardware", name, "--format", "markdown")
        yield f"devices/{name}.md", f"# {name}\n\n{figures.replace(f'`{name}`', '', 1)}"
    table = printed("hardware", "--format", "markdown")
    for name in names:
        table = re.sub(rf"\| {re.escape(name)} +\|", f"| [{name}]({name}.md) |", table)
    head = "# Devices\n\n[Hardware profiles](../hardware.md) says what the figures mean.\n\n"
    yield "devices/index.md", head + table


def types() -> Iterator[tuple[str, str]]:
    """Yield the page of the types of numbers: bits, and the devices that state a peak."""
    rows = []
    for name, bits in TYPES.items():
        fast = [
            each
            for each in sorted(built_in_files())
            if name in find_profile(each).fields.operations
        ]
        links = ", ".join(f"[{each}](devices/{each}.md)" for each in fast)
        rows.append(f"| `{name}` | {bits} | {links} |\n")
    head = "# Types of numbers\n\n[How types are said and joined](precision.md).\n\n"
    yield (
        "types.md",
        f"{head}| type | bits | devices with a peak |\n| --- | ---: | --- |\n{''.join(rows)}",
    )


def zoo() -> Iterator[tuple[str, str]]:
    """Yield a page for each family: its variants, its laws, what is published of it, its spec."""
    families = []
    for spec in SPECS:
        path, told = f"specs/{spec.name}", ("--format", "markdown")
        laws = printed(path, "--symbolic", "--depth", "0", "--metric", "params", "macs", *told)
        title, laws = laws.split("\n", 1)
        variants = printed("table", f"{path}@*", *told)
        parts = (
            section("Variants", variants),
            section("Laws", without_notes(laws)),
            section("Published, and here", printed("check", path, *told)),
            section("Spec", code(text_of(spec), "yaml")),
        )
        families.append(f"[{title.strip('* ')}]({spec.stem}.md): {escaped(source_of(spec))}")
        yield f"zoo/{spec.stem}.md", f"# {title.strip('* ')}\n\n`{path}`\n{''.join(parts)}"
    head = "# Families\n\n[The zoo](../zoo.md) has all of them in one table.\n\n"
    yield "zoo/index.md", head + listed(families)


def source_of(spec: Path) -> str:
    """Return the source that a spec names."""
    return str(yaml.safe_load(text_of(spec)).get("source", ""))


def api() -> Iterator[tuple[str, str]]:
    """Yield the page of all public names, from their signatures and docstrings."""
    parts = ["# Python\n\n[python.md](python.md) shows how these are used.\n"]
    for name in costmodel.__all__:
        value = getattr(costmodel, name)
        parts.append(f"\n## {name}\n\n{documented(name, value)}")
        for member, inner in members(value):
            parts.append(f"\n### {name}.{member}\n\n{documented(member, inner)}")
    yield "api.md", "".join(parts)


def members(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the public and documented members that a class defines itself."""
    for name, member in getmembers(value) if isclass(value) else ():
        if not name.startswith("_") and name in vars(value) and member.__doc__:
            yield name, member


def documented(name: str, value: Any) -> str:
    """Return the signature of a name and its docstring, as Markdown."""
    called = callable(value) and not isclass(value)
    head = code(declared(name, value), "python") + "\n" if called else ""
    lines = []
    for line in cleandoc(value.__doc__ or "").replace("``", "`").split("\n"):
        if re.fullmatch(r"(Args|Attributes|Examples|Raises|Returns|Yields):", line):
            line = f"**{line[:-1]}**\n"
        elif re.match(r" {4}\S", line):
            line = re.sub(r"^(\w+):", r"`\1`:", line.strip())
            line = f"* `{line}`" if line.startswith("archcost ") else f"* {line}"
        lines.append(line)
    return head + "\n".join(lines) + "\n"


def declared(name: str, value: Any) -> str:
    """Return the signature of a function, an argument on each line where it is long."""
    short = re.sub(r"\b(?:\w+\.)+(?=[A-Za-z])", "", str(signature(value)))
    short = name + re.sub(r"(?<== )[A-Z]\w+\(.*\)(?=,)", "…", short)
    if len(short) <= 100:
        return short
    inner, returned = short[len(name) + 1 :].rsplit(")", 1)
    words = re.split(r", (?=\w+:|\*|/)", inner)
    return f"{name}(\n    " + ",\n    ".join(words) + f",\n){returned}"


@cache
def generated() -> dict[str, str]:
    """Return all generated pages: path below docs → Markdown."""
    os.environ["COLUMNS"] = "100"
    pages = dict(page for make in (commands, kinds, devices, types, zoo, api) for page in make())
    return {"index.md": home(), **pages}


def home() -> str:
    """Return the README as the first page of the site."""
    text = re.sub(r"\]\(docs/", "](", text_of(ROOT / "README.md"))
    return re.sub(r"\]\(specs/(\w+)\.yaml\)", r"](zoo/\1.md)", text)


# What mkdocs calls


def on_config(config: Any) -> Any:
    """Put the generated pages into the navigation, where it names their folders."""
    config.nav = expanded(config.nav)
    config.watch += [str(ROOT / "README.md")]
    return config


def expanded(nav: Any) -> Any:
    """Return a part of the navigation with all pages of a folder in place of its name."""
    if isinstance(nav, list):
        return [expanded(each) for each in nav]
    if isinstance(nav, dict):
        return {title: expanded(each) for title, each in nav.items()}
    if not nav.endswith("/"):
        return nav
    pages = [path for path in generated() if path.startswith(nav)]
    return sorted(pages, key=lambda path: (not path.endswith("/index.md"), path))


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages."""
    from mkdocs.structure.files import File

    for path, text in {**generated(), "site.css": STYLE}.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Link the first mention of each command, kind and device on a page to its own page."""
    path = page.file.src_uri
    up = "../" * path.count("/")
    return linked(markdown, up, path)


def linked(markdown: str, up: str, path: str) -> str:
    """Return a page in which the first mention of what has a page leads there."""
    seen = {path}

    def link(match: re.Match[str]) -> str:
        target = targets().get(match[1] if match[2] is None else f"archcost {match[2]}")
        if target is None or target in seen:
            return match[0]
        seen.add(target)
        return f"[{match[0]}]({up}{target})"

    parts = FENCE.split(markdown)
    for i in range(0, len(parts), 2):
        lines = parts[i].split("\n")
        parts[i] = "\n".join(line if line[:1] == "#" else SPAN.sub(link, line) for line in lines)
    return "".join(parts)


@cache
def targets() -> dict[str, str]:
    """Return what is linked: a command, a kind or a device → its page."""
    found = {}
    for path, text in generated().items():
        folder, _, name = path.removesuffix(".md").rpartition("/")
        if folder == "commands":
            found[f"archcost {name}"] = path
        elif folder == "kinds":
            found |= dict.fromkeys(re.findall(r"`(\w+)`", text.split("\n")[0]), path)
        elif folder == "devices":
            found[name] = path
    return found
