"""The options that commands share, each said once, and the analysis that these ask for."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from cyclopts import Parameter, Token

from archspec.errors import SpecError, find_named
from costmodel.analysis.loading import Setup
from costmodel.cli.misuse import is_like_a_spec
from costmodel.render import CODE, formats, others
from costmodel.scenario.scenario import Scenario, scenario
from costmodel.scenario.settings import to_rational

if TYPE_CHECKING:
    from costmodel.analysis.document import Document

_T = TypeVar("_T")

OF_THE_SPEC = ("set_", "assume", "convention")
"""The fields of `NetworkOptions` that no scenario has."""


SOURCES = "torch:MODULE:FACTORY with --input, *.onnx and config.json, as archcost import has them"

Spec = Annotated[
    str,
    Parameter(help=f"A name of the zoo, a path, or - for stdin; NAME@VARIANT; {SOURCES}."),
]
Specs = Annotated[
    list[str],
    Parameter(help="Names of the zoo, paths, patterns as 'specs/*.yaml'; NAME@VARIANT or NAME@*."),
]
Symbolic = Annotated[bool, Parameter(help="Print closed forms in the symbols, not numbers.")]


class Listing(str):
    """A help text that ends in a list of names, which are looked for when it is shown."""

    names: Callable[[], str]

    def rstrip(self, chars: str | None = None) -> str:
        """Return the text as the help prints it."""
        return f"{self}: {self.names()}.".rstrip(chars)


def _listing(text: str, names: Callable[[], str]) -> Parameter:
    listing = Listing(text)
    listing.names = names
    return Parameter(help=listing)


def metric_names() -> str:
    """Return the names of all metrics, those that need a device last."""
    from costmodel.metrics.registry import METRICS

    of_device = [name for name, metric in METRICS.items() if metric.of_device]
    plain = ", ".join(name for name in METRICS if name not in of_device)
    return f"{plain}; with --hardware also {', '.join(of_device)}"


def format_names() -> str:
    """Return the formats that every document has."""
    return ", ".join(name for name in (*formats(), *others()) if name not in CODE)


Metrics = Annotated[list[str] | None, _listing("What to show", metric_names)]
Step = Annotated[str | None, Parameter(help="Look at multiples of it only, as 0.05.")]
Order = Annotated[
    str, Parameter(help="The order of the layers: given, or best, which needs the least memory.")
]
PlotFile = Annotated[
    str | None, Parameter(help="Draw it into a file: its end is .svg, .png or .pdf.")
]


def whole(_: object, tokens: Sequence[Token]) -> int:
    """Return an integer of the command line, as 5 or 1k; a fraction is not rounded to one.

    Raises:
        ValueError: it is none.
    """
    text, hint = tokens[0].value, ""
    try:
        number = to_rational("", text)
        if isinstance(number, int):
            return number
    except SpecError as error:
        hint = f"; {error.hint}" if error.hint else ""
    raise ValueError(f"'{text}' is no integer{hint}")


WHOLE = Parameter(converter=whole)
"""The parameter of options that take an integer."""

EVERY_LEVEL = 1_000
"""More groups within each other than a spec can have."""


def _levels(annotation: object, tokens: Sequence[Token]) -> int:
    """Return the number of ``--depth``, of which ``all`` is more than there can be."""
    return EVERY_LEVEL if tokens[0].value == "all" else whole(annotation, tokens)


Depth = Annotated[
    int | None,
    Parameter(
        converter=_levels,
        help="How many groups to open within each other: 0 shows the outermost, all every layer. "
        "Without it a table of more than 50 lines shows 1; JSON and CSV have all.",
    ),
]
Format = Annotated[str, _listing("How to show it", format_names)]


def options(group: type[_T]) -> type[_T]:
    """Make a record an argument whose fields are options; their help is the record's docstring.

    Args:
        group: a dataclass that describes its fields under ``Attributes``, or whose base does.
    """
    documented = (each.__doc__ or "" for each in group.__mro__)
    group.__doc__ = unwrapped(next(text for text in documented if "Attributes:" in text))
    return Parameter(name="*")(group)


def unwrapped(text: str) -> str:
    """Return a docstring in which each entry of a list of arguments is one line."""
    return re.sub(r"(\n +\w+: .*(?:\n +(?!\w+: )\S.*)+)", _joined, text)


def _joined(entry: re.Match[str]) -> str:
    first, *others = entry[0].removeprefix("\n").split("\n")
    return "\n" + " ".join((first, *map(str.strip, others)))


OF_LATEX = ("latex", "tex")

LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._/+-]*")
"""A name by which a page can refer to a table, in LaTeX and reStructuredText."""


@options
@dataclass(frozen=True)
class PageOptions:
    """The form of an answer on a page.

    Attributes:
        caption: What stands above a table, in place of its title.
        label: The name by which a page refers to the table (latex, rst), as tab:alexnet.
        longtable: A table that goes on over pages (latex).
        tabular: The bare table, for a float of your own (latex).
        notes: The notes below: full; short, which are conditions and convention; none.
    """

    caption: str = ""
    label: str = ""
    longtable: bool = False
    tabular: bool = False
    notes: str | None = None

    def around(self, document: "Document", form: str) -> "Document":
        """Return a document in the form that is asked for.

        Raises:
            SpecError: its format has no such form, or there is none.
        """
        from costmodel.analysis.document import PageForm

        if self == UNFRAMED:
            return document
        self._require(form)
        notes = find_named("notes", self.notes or ("none" if self.tabular else "full"), NOTES)
        title = self.caption or document.title
        if self.label and not (title and not self.tabular):
            raise SpecError(f"--label {self.label} is of a table with a caption", hint="--caption")
        frame = PageForm(self.label, notes=notes)
        if self.longtable or self.tabular:
            frame = frame._replace(environment="longtable" if self.longtable else "tabular")
        return replace(document, title=title, frame=frame)

    def _require(self, form: str) -> None:
        if (self.longtable or self.tabular) and form not in OF_LATEX:
            option = "--longtable" if self.longtable else "--tabular"
            raise SpecError(f"{option} is of LaTeX", hint="--format latex")
        if self.longtable and self.tabular:
            raise SpecError("--longtable and --tabular are two forms", hint="leave one out")
        if self.label and form not in (*OF_LATEX, "rst"):
            hint = "--format latex, or rst"
            raise SpecError(f"--label {self.label} is of LaTeX and reStructuredText", hint=hint)
        if self.label and not LABEL.fullmatch(self.label):
            hint = "letters, digits and : . _ / + - make one, as tab:alexnet"
            raise SpecError(f"--label {self.label} is no label", hint=hint)


UNFRAMED = PageOptions()
"""The title of the question, a float in LaTeX, all notes."""

NOTES: dict[str, Literal["full", "short", "none"]] = {
    "full": "full",
    "short": "short",
    "none": "none",
}


@options
@dataclass(frozen=True)
class NetworkOptions:
    """Everything that is said of a network beside its spec.

    Attributes:
        set_: Give symbols values, as h=192 width=0.5; the others keep theirs, or stay open with
            --symbolic.
        assume: What holds of the symbols, as 'h % 32 == 0' 'w == h': laws become simpler.
        convention: What counts: torch, lecture, pycls (archcost conventions), or a file (.yaml);
            where not given, what the spec's header says, else torch.
        dtype: The type of weights and activations: fp32, tf32, bf16, fp16, fp8, int8, int4, …
        weights: The type of weights.
        activations: The type of activations.
        accumulators: The type of the sums of products.
        cache: The type of cached keys and values.
        hardware: The device: a name, or the path of a profile (.yaml).
        energy: The profile whose energies the device takes, as horowitz-45nm.
        efficiency: The part of the device's peaks that is reached, as 0.5.
        past: How many tokens came before, their keys and values cached; past leaves it open.
        optimizer: What trains it: sgd, momentum, adam, adamw, adafactor, lion, adam8bit,
            adamw8bit or lion8bit.
        checkpoint: What is made again in training: none, blocks, attention, or the name of a
            kind or block, as residual.
        master: The copy of weights narrower than 32 bits in training: fp32 or none.
        gradients: The type of the gradients in training, as fp32 beside weights in bf16.
        loss: The loss in training: none, or cross_entropy, which keeps log-probabilities in fp32.
        attention: How attention is implemented: fused (no score matrix in memory, no products that
            a causal mask hides; what bounds take) or unfused.
        page: The tokens of a page, as 16: a cache takes whole pages of each sequence.
    """

    set_: list[str] | None = None
    assume: list[str] | None = None
    convention: str | None = None
    dtype: str | None = None
    weights: str | None = None
    activations: str | None = None
    accumulators: str | None = None
    cache: str | None = None
    hardware: str | None = None
    energy: str | None = None
    efficiency: str | None = None
    past: str | None = None
    optimizer: str | None = None
    checkpoint: str | None = None
    master: str | None = None
    gradients: str | None = None
    loss: str | None = None
    attention: str | None = None
    page: str | None = None

    @property
    def fixed(self) -> dict[str, str]:
        """Return the symbols that ``--set`` fixes, each with its number."""
        fixed: dict[str, str] = {}
        require_values("--set", self.set_)
        for text in self.set_ or ():
            name, value = _setting(text)
            if name in fixed:
                raise SpecError(f"--set gives {name} twice, {fixed[name]} and {value}")
            fixed[name] = value
        return fixed

    @property
    def assumed(self) -> tuple[str, ...]:
        """Return the conditions that ``--assume`` gives."""
        require_values("--assume", self.assume)
        return tuple(self.assume or ())

    @property
    def scenario(self) -> Scenario:
        """Return the types of numbers, the device, and what else no symbol says."""
        names = [field.name for field in fields(NetworkOptions)]
        return scenario(**{n: getattr(self, n) for n in names if n not in OF_THE_SPEC})

    @property
    def setup(self) -> Setup:
        """Return the options as one value, which `analyze` and the functions like it take."""
        return Setup(self.convention, self.fixed, self.assumed, self.scenario)

    def require_none(self, names: Iterable[str], command: str) -> None:
        """Make sure that options that change nothing in a command's answer are not given.

        Raises:
            SpecError: one is given.
        """
        for name in names:
            if getattr(self, name) is not None:
                raise SpecError(
                    f"--{name} changes nothing in archcost {command}", hint="leave it out"
                )


NOTHING_GIVEN = NetworkOptions()
"""The spec's own defaults."""


def require_values(option: str, values: list[str] | None) -> None:
    """Make sure that an option that takes values was given some, or was not given.

    Raises:
        SpecError: it was given none.
    """
    if values == []:
        raise SpecError(f"{option} needs a value")


def require_depth(depth: int | None) -> None:
    """Make sure that ``--depth`` opens some groups, or none.

    Raises:
        SpecError: it is negative.
    """
    if depth is not None and depth < 0:
        raise SpecError(f"--depth {depth} opens less than nothing", hint="0 shows the outermost")


def chosen(metrics: list[str] | None, given: NetworkOptions) -> tuple[str, ...]:
    """Return what ``--metric`` names, each once; a pattern is all metrics that it matches."""
    require_values("--metric", metrics)
    if not metrics:
        return ()
    from costmodel.studies.measures import named

    return named(metrics, given.scenario)


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        hint = f"put {text} before --set" if is_like_a_spec(text) else "as in --set h=192 n=8"
        raise SpecError(f"--set takes name=number, not '{text}'", hint=hint)
    return name.strip(), value.strip()
