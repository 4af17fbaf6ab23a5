"""A study's answer as a value, before a format decides how that looks.

How a study makes its document (`studies/report_document.py` and `studies/fit.py` are examples):

1. `Document(title, blocks=…, data=…)`: both are functions, so that nothing is computed that the
   format does not show. ``blocks`` yields what a reader sees from top to bottom; it is the same in
   every format. ``data`` returns the JSON contract as plain data.
2. A `Table` has a `Column` per fact and a `Row` per line. Cells are exact values: a number, which
   the column's kind shows (`COUNT`, `SHARE`, `quantity_in("s")`), a text, `Code` (a path, a
   formula), a `ClosedForm`, `Shapes`, or None for "nothing" (a dash); "" is an empty cell.
3. What is a label and a text goes into `Entries`, in the order of `analysis/standing.py`; a
   sentence or a heading is a `Line`. Set no blank lines and no signs of a format: renderers do.
4. A table whose cells are too long to stand side by side is ``listed``: a terminal shows each row
   as a head with its cells indented below it, the other formats a table.
5. CSV takes ``rows`` where the document has them, and else the first table.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from sympy import Expr

from archspec.arithmetic import Rational
from archspec.errors import SpecError
from costmodel.analysis.frames import Tabular, arrow_table
from costmodel.rules.formula import show_decimal, show_number, show_quantity

if TYPE_CHECKING:
    import pyarrow

    from costmodel.algebra.code import Language, Program
    from costmodel.algebra.printing import PythonText

VERSION = 1
"""The version of the JSON form."""

NOTHING = "–"
"""The sign for a count of nothing, and for none."""

LONGEST_FORM = 600
"""The most characters of a closed form that are read at a glance: a screen has no more."""

WIDEST_FORM = 30
"""The most characters of a closed form beside other columns; longer ones stand below each other."""

MOST_ROWS = 50
"""The most rows that are shown of a table of groups where no depth is asked for."""

Note = tuple[str, str]
"""A label and what it stands for."""

Style = Literal["", "bold", "dim", "good", "bad"]


class Code(str):
    """A text that is shown as code: a path, a name that is typed, a formula."""

    __slots__ = ()


class Link(str):
    """A text that leads to an address, where a format has links."""

    __slots__ = ("address",)

    address: str

    def __new__(cls, text: str, address: str) -> "Link":
        """Return a text with its address."""
        made = super().__new__(cls, text)
        made.address = address
        return made


class Shapes(NamedTuple):
    """The shapes of tensors: of integers, or of closed forms."""

    shapes: tuple[tuple[Expr | Rational, ...], ...]


class Names(dict[Expr, str]):
    """Expressions with the names that stand for them, and the printers that know these."""

    def __init__(self, names: Mapping[Expr, str] | None = None) -> None:
        super().__init__(names or {})
        self._printers: dict[type[PythonText], PythonText] = {}

    def printer(self, kind: "type[PythonText] | None" = None) -> "PythonText":
        """Return the printer of a kind, which remembers what it has printed.

        Args:
            kind: how expressions are written, else as Python.
        """
        from costmodel.algebra.printing import PythonText

        kind = kind or PythonText
        if kind not in self._printers:
            self._printers[kind] = kind(self)
        return self._printers[kind]


class ClosedForm(NamedTuple):
    """A closed form with the names that stand in it.

    Attributes:
        expression: as it is evaluated.
        names: expression → the name that stands for it.
        read: what is done to the expression before a person reads it.
        name: what it defines, where it is a definition: ``r4 = …``.
        parts: the terms of which it is the largest, each with its owner.
    """

    expression: Expr
    names: Names = Names()
    read: Callable[[Expr], Expr] = lambda expression: expression
    name: str = ""
    parts: tuple[tuple[str, "ClosedForm"], ...] = ()

    @property
    def is_wide(self) -> bool:
        """True where the form is too long to stand beside other columns."""
        return len(self.text()) > WIDEST_FORM

    def text(self, printer: "type[PythonText] | None" = None) -> str:
        """Return the closed form as text; one longer than a screen is factored first.

        Args:
            printer: how expressions are written, else as Python.
        """
        from costmodel.algebra.normal_form import tight

        show = self.names.printer(printer)
        if self.name:
            return f"{show.symbol(self.name)} {show.equals} {show.show(self.expression)[0]}"
        form = self.read(self.expression)
        is_short = len(self.names.printer()(form)) <= LONGEST_FORM
        return show(form if is_short else tight(form))


Cell = str | Rational | Shapes | ClosedForm | None


def with_names(cells: Mapping[str, Cell], names: Mapping[Expr, str]) -> dict[str, Cell]:
    """Return cells in whose closed forms names stand for what they share."""
    shared = Names(names)
    return {
        column: cell._replace(names=shared) if isinstance(cell, ClosedForm) else cell
        for column, cell in cells.items()
    }


class ColumnKind(NamedTuple):
    """The kind of a column: what is done to its numbers, and at which side its cells stand.

    Attributes:
        show: a number for a reader, grouped and with its unit.
        plain: a number for CSV.
        is_right: whether the cells stand at the right.
        is_real: whether it is of real numbers, which are doubles to other libraries.
    """

    show: Callable[[Rational], str]
    plain: Callable[[Rational], str] = str
    is_right: bool = True
    is_real: bool = False


TEXT = ColumnKind(show_decimal, is_right=False)
"""Texts, shapes and closed forms."""

FIGURE = TEXT._replace(is_right=True)
"""Numbers that are texts already."""

COUNT = ColumnKind(show_number)

EXACT = ColumnKind(show_number, lambda value: str(plain_number(value)))
"""Numbers of which some may be fractions, written to files as JSON has them."""

SHARE = ColumnKind(lambda part: f"{float(100 * part):.1f} %", is_real=True)


def quantity_in(unit: str) -> ColumnKind:
    """Return the kind of quantities in a unit: ``s``, ``B``, ``J``."""
    return ColumnKind(
        lambda v: show_quantity(v, unit), lambda v: str(float(v) if v else 0), is_real=True
    )


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        name: the key of its cells, the head in CSV and the label where rows are listed.
        title: the head for a reader.
        kind: how its numbers are shown.
        hides_zero: whether nothing is shown as a dash.
        keep: how much it is worth where a terminal is too narrow for all columns: that of the least
            is left out first, of equals the last; the first column of a table never is.
        is_beside: whether it says more of the column before it, from which nothing parts it.
    """

    name: str
    title: str
    kind: ColumnKind = TEXT
    hides_zero: bool = False
    keep: int = 0
    is_beside: bool = False


class Bar(NamedTuple):
    """A bar of two parts.

    Attributes:
        own: the first part.
        alive: both.
        most: as much as the longest bar shows.
        over: whether it is more than there may be.
    """

    own: Rational
    alive: Rational
    most: Rational
    over: bool = False


class Row(NamedTuple):
    """A line of a table.

    Attributes:
        cells: name of a column → value; a column that has none stays empty.
        level: how far the first cell is indented.
        style: bold for a group, dim for what counts no more.
        note: what a list says of the row in place of its second cell.
        bar: what is drawn beside it while no line is shown inside it, where the table has bars.
    """

    cells: Mapping[str, Cell]
    level: int = 0
    style: Style = ""
    note: str = ""
    bar: Bar | None = None


class Table(NamedTuple):
    """A table.

    Attributes:
        columns: from left to right; one whose cells are all empty is left out.
        rows: from top to bottom.
        total: the last line; where rows are listed all of its cells are shown.
        listed: whether a terminal lists each row: its first two cells, the others indented below.
        where: the names in its closed forms, each with what it stands for.
        bars: the head of the bars, which a terminal alone draws, in the room that is left.
        folds: whether no more than the two outermost levels are shown of more than `MOST_ROWS`.
        breaks: whether columns for which a terminal has no room follow below; else they are left
            out.
        beside_total: more last lines, below the total, as one of means.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    total: Row | None = None
    listed: bool = False
    where: tuple[ClosedForm, ...] = ()
    bars: str = ""
    folds: bool = False
    breaks: bool = False
    beside_total: tuple[Row, ...] = ()

    @property
    def totals(self) -> tuple[Row, ...]:
        """Return the last lines: the total, and those below it."""
        return (*([self.total] if self.total else []), *self.beside_total)

    @property
    def has_wide(self) -> bool:
        """Return whether it has closed forms that are too long to stand beside other columns."""
        cells = (cell for row in (*self.rows, *self.totals) for cell in row.cells.values())
        return any(isinstance(cell, ClosedForm) and cell.is_wide for cell in cells)

    @property
    def shown(self) -> tuple[Column, ...]:
        """Return the columns that have a cell which is not empty."""
        rows = self.rows
        return tuple(
            column
            for i, column in enumerate(self.columns)
            if not (i and rows) or any(row.cells.get(column.name, "") != "" for row in rows)
        )

    @property
    def are_leaves(self) -> tuple[bool, ...]:
        """Return of each row whether no row is inside it."""
        following = (*self.rows[1:], None)
        pairs = zip(self.rows, following, strict=False)
        return tuple(after is None or after.level <= row.level for row, after in pairs)

    def folded(self) -> "tuple[Table, int]":
        """Return the table as it is shown, and how many leaves are left out of it."""
        if not self.folds or len(self.rows) <= MOST_ROWS:
            return self, 0
        pairs = zip(self.rows, self.are_leaves, strict=True)
        inside = sum(is_leaf and row.level > 1 for row, is_leaf in pairs)
        return self._replace(rows=tuple(row for row in self.rows if row.level <= 1)), inside


def transposed(table: Table, *, plain: bool = False) -> Table:
    """Return a table with its rows as columns; the first column gives their heads.

    Args:
        table: a table without groups.
        plain: whether numbers are those of files.
    """
    first, *others = table.columns if plain else table.shown
    rows = (*table.rows, *table.totals)
    names = [str(i) for i in range(len(rows))]
    heads = [str(row.cells.get(first.name, "")) for row in rows]
    columns = (first, *(Column(*each, FIGURE) for each in zip(names, heads, strict=True)))
    if plain:
        columns = (first, *(Column(head, head) for head in heads))
        names = heads

    def shown(row: Row, column: Column) -> Cell:
        cell = row.cells.get(column.name, "")
        if not isinstance(cell, int | Fraction):
            return cell
        return (column.kind.plain if plain else column.kind.show)(cell)

    def line(column: Column) -> Row:
        head: dict[str, Cell] = {first.name: column.name if plain else column.title}
        return Row(head | {n: shown(row, column) for n, row in zip(names, rows, strict=True)})

    return Table(columns, tuple(map(line, others)), where=table.where)


class Equation(str):
    """A text with closed forms and shapes in it; LaTeX alone sets these as formulas.

    Attributes:
        parts: the text from left to right, cut where one begins or ends.
    """

    parts: tuple[Cell, ...]

    @classmethod
    def of(cls, shown: str, cell: Cell) -> "Equation":
        """Return a closed form or shapes, as they are shown."""
        made = cls(shown)
        made.parts = (cell,)
        return made

    @classmethod
    def joined(cls, texts: Iterable[str], between: str = "") -> "Equation":
        """Return texts as one, in which their closed forms and shapes are known."""
        parts: list[Cell] = []
        texts = list(texts)
        for i, each in enumerate(texts):
            parts += [between] if i and between else []
            parts += each.parts if isinstance(each, Equation) else (each,)
        made = cls(between.join(texts))
        made.parts = tuple(parts)
        return made


class LabelledValue(NamedTuple):
    """A label and what it stands for; without a label it belongs to the entry before it."""

    label: str
    shown: Cell


class Entries(NamedTuple):
    """Labels and what they stand for, one below the other.

    Attributes:
        entries: from top to bottom.
        are_equations: whether each label equals what it stands for.
        folded: the words that open them, in a format that can fold them away.
    """

    entries: tuple[LabelledValue, ...]
    are_equations: bool = False
    folded: str = ""


class Line(NamedTuple):
    """A sentence, or with the style ``bold`` a heading."""

    text: str
    style: Style = ""


Block = Table | Entries | Line


def entries(notes: Iterable[Note]) -> Entries:
    """Return notes as a block."""
    return Entries(tuple(LabelledValue(*note) for note in notes))


def table_of(columns: Iterable[Column], rows: Iterable[tuple[Cell, ...]]) -> Table:
    """Return a table of plain rows: cells in the order of the columns."""
    columns = tuple(columns)
    names = [column.name for column in columns]
    return Table(columns, tuple(Row(dict(zip(names, row, strict=True))) for row in rows))


def exact(cell: Cell, kind: ColumnKind = TEXT) -> Rational | float | str | None:
    """Return a number as it is, and what else stands in a cell as text."""
    match cell:
        case int() | Fraction() if kind.is_real:
            return float(cell)
        case ClosedForm():
            return cell.text()
        case Shapes(shapes):
            return ", ".join(f"[{', '.join(map(str, shape))}]" for shape in shapes)
        case "":
            return None
        case _:
            return cell


_LABELLED = (Column("label", "label"), Column("value", "value"))


def _labelled(block: Block) -> Iterator[tuple[Cell, ...]]:
    """Yield the labels of entries, each with what it stands for."""
    if isinstance(block, Entries):
        yield from block.entries


STANDING = frozenset(
    ("at", "assuming", "types", "device", "compute alone", "training", "attention", "page")
)
"""The labels of the notes on what numbers depend on, beside conditions and convention."""


class Failure(NamedTuple):
    """A finding that fails, with its place.

    Attributes:
        file: where it is.
        line: the number of the line, from 1; 0 where none is known.
        text: what it is.
    """

    file: str
    line: int
    text: str


class PageForm(NamedTuple):
    """The form that is asked of an answer on a page.

    Attributes:
        label: the name by which a page in LaTeX or reStructuredText refers to its table.
        environment: what is around a table in LaTeX: ``table``, ``longtable``, or ``tabular``.
        notes: ``full``, ``short`` (without those of `STANDING`), or ``none``.
    """

    label: str = ""
    environment: Literal["table", "longtable", "tabular"] = "table"
    notes: Literal["full", "short", "none"] = "full"

    def require(self, *, has_table: bool) -> None:
        """Raise an error where there is no table that could have the label."""
        if self.label and not has_table:
            raise SpecError(f"--label {self.label} is of a table, and this answer is a text")

    def kept(self, block: "Block", *, has_table: bool) -> "Block | None":
        """Return a part of a document with the notes that are asked for; None where none is left.

        Without any, what stands beside the convention goes with it, if there is a table to read.
        """
        if self.notes == "full" or not isinstance(block, Entries):
            return block
        labels = [entry.label for entry in block.entries]
        if self.notes == "none" and has_table and "convention" in labels:
            return None
        left = STANDING | {"convention", "valid when"} if self.notes == "none" else STANDING
        of = ""
        entries: list[LabelledValue] = []
        for entry in block.entries:
            of = entry.label or of
            entries += [entry] * (of not in left)
        return block._replace(entries=tuple(entries)) if entries else None


UNFRAMED = PageForm()
"""A float in LaTeX, and all notes."""


@dataclass(frozen=True, repr=False)
class Document(Tabular):
    """The answer of a study: its table, its texts and its data.

    Attributes:
        title: the network, or the question.
        blocks: makes what a reader sees.
        data: makes the JSON form as plain data.
        source: where the network comes from.
        rows: makes the table that CSV is, where that is another than the first of the blocks.
        program: makes the functions that exported code consists of.
        holds: whether what was asked holds; where it does not, the command's exit status is 1.
        errors: what of the question could not be answered; the command's exit status is 2.
        messages: what is told beside the answer, on stderr.
        faults: what does not hold, where it stands: what a workflow marks in a file.
        study: what a plot of it shows, where there is one.
        frame: what is asked of its form on a page.
    """

    title: str
    blocks: Callable[[], Iterator[Block]]
    data: Callable[[], dict[str, Any]]
    source: str = ""
    rows: Callable[[], Table] | None = None
    program: "Callable[[Language], Program] | None" = None
    holds: bool = True
    errors: tuple[SpecError, ...] = ()
    messages: tuple[str, ...] = ()
    faults: tuple[Failure, ...] = ()
    study: Any = None
    frame: PageForm = UNFRAMED

    def __repr__(self) -> str:
        return f"<document {self.title!r}>" if self.title else "<document>"

    def table(self) -> Table:
        """Return the table that stands for the document where that can only be one.

        Raises:
            SpecError: it has none.
        """
        if self.rows is not None:
            return self.rows()
        for block in self.blocks():
            if isinstance(block, Table):
                return block
        raise SpecError("there is no table in this answer", hint="--format markdown shows it")

    def to_arrow(self) -> "pyarrow.Table":
        """Return its table as an Arrow table, without the total (see `Tabular`).

        Where it has none, that is one of its labels and what they stand for.
        """
        try:
            table = self.table()
        except SpecError:
            table = table_of(_LABELLED, (row for b in self.blocks() for row in _labelled(b)))
        return arrow_table(
            (column.name, [exact(row.cells.get(column.name), column.kind) for row in table.rows])
            for column in table.columns
        )

    def shown(self, *, lists: bool = True) -> Iterator[Block]:
        """Yield what a reader sees: a long table of groups is folded, as is said below it.

        Args:
            lists: whether the rows of a listed table are shown where it has a total.
        """
        note, blocks = "", list(self.blocks())
        has_table = any(isinstance(block, Table) for block in blocks)
        kept = (self.frame.kept(block, has_table=has_table) for block in blocks)
        for block in (block for block in kept if block is not None):
            if isinstance(block, Entries) and note:
                block = block._replace(entries=(LabelledValue("depth", note), *block.entries))
                note = ""
            if isinstance(block, Table):
                is_short = block.listed and block.total and not lists
                block, inside = (block._replace(rows=()) if is_short else block).folded()
                note = f"1, with {inside:,} layers inside; --depth all shows them" * bool(inside)
            yield block
        if note:
            yield entries([("depth", note)])

    def in_language(self, language: "Language") -> "Program":
        """Return the functions that exported code consists of.

        Raises:
            SpecError: there are none.
        """
        if self.program is None:
            raise SpecError("there is no function to export here", hint="archcost SPEC has them")
        return self.program(language)


@overload
def plain_number(value: Rational) -> int | float | str: ...
@overload
def plain_number(value: Rational | str | None) -> int | float | str | None: ...
def plain_number(value: Rational | str | None) -> int | float | str | None:
    """Return a number as JSON has it; a fraction without an end is text, not a rounded number."""
    if value is None or isinstance(value, int | str):
        return value
    shown = show_decimal(value)
    return shown if "/" in shown else float(value)


def plain(value: Any) -> Any:
    """Return a value as JSON has it: a record as a mapping, what is iterated as a list."""
    if isinstance(value, Rational | str | None):
        return plain_number(value)
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    return plain(value._asdict()) if hasattr(value, "_asdict") else list(map(plain, value))
