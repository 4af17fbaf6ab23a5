"""Makes the command of a question: its parameters are the command's words and options."""

from collections.abc import Callable
from dataclasses import field, make_dataclass
from importlib import import_module
from inspect import Parameter as Argument
from inspect import Signature, signature
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from cyclopts import Parameter

from costmodel.cli.options import (
    UNFRAMED,
    WHOLE,
    Depth,
    Format,
    Metrics,
    NetworkOptions,
    Order,
    PageOptions,
    PlotFile,
    Spec,
    Step,
    Symbolic,
    chosen,
    options,
    require_depth,
    require_values,
    unwrapped,
)
from costmodel.cli.plain import worked_out
from costmodel.cli.tell import mark, tell_all
from costmodel.render import find_renderer
from costmodel.studies import Question

if TYPE_CHECKING:
    from costmodel.analysis.analysis import Analysis
    from costmodel.analysis.document import Document
    from costmodel.analysis.loading import Setup
    from costmodel.render.plots import Drawing

SHARED: dict[str, Any] = {
    "symbolic": Symbolic,
    "metric": Metrics,
    "depth": Depth,
    "step": Step,
    "order": Order,
}
"""The names of parameters of questions that are options which several commands share."""


def command_of(question: Question) -> "Callable[..., int | Drawing]":
    """Return the function that runs a question; it returns the exit status, or what is drawn."""
    parameters = dict(signature(question.ask).parameters)
    has_analysis = parameters.pop("analysis", None) is not None
    has_setup = parameters.pop("setup", None) is not None
    given_type = _given(question) if has_analysis or has_setup else None

    def command(
        *words: Any,
        format: str = "table",  # noqa: A002 - the option's name
        plot: str | None = None,
        framing: PageOptions = UNFRAMED,
        **values: Any,
    ) -> "int | Drawing":
        render = find_renderer(format)
        given = values.pop("given", None) or (given_type or NetworkOptions)()
        answers = {name: _value(name, values[name], parameters[name]) for name in values}
        if "metric" in values:
            answers["metric"] = chosen(values["metric"], given) or answers["metric"]
        draw = _drawer(question, plot)
        answers |= {"setup": given.setup} if has_setup else {}

        def answer(*network: Any) -> "tuple[Document, str, Drawing | None]":
            document = question.ask(*network, **answers)
            given.require_none(question.without, question.name)
            return document, render(framing.around(document, format)), draw(document)

        if not has_analysis:
            return _printed(*answer(*words))
        spec, *others = words
        if answers.get("for_") is not None:
            return _printed(*answer(_opened(spec, answers["for_"], given.setup), *others))
        in_json = format == "json" and "symbolic" in parameters
        symbolic = question.opens or bool(answers.get("symbolic") or in_json)
        found = worked_out(spec, lambda one: answer(one, *others), given.setup, symbolic=symbolic)
        return _printed(*found)

    _declare(command, question, list(parameters.values()), given_type, has_spec=has_analysis)
    return command


def _opened(spec: str, symbol: str, setup: "Setup") -> "Analysis":
    """Return the analysis of a spec in which one symbol is open."""
    from costmodel.studies.solve import opened

    return opened(spec, symbol, setup)


def _printed(document: "Document", shown: str, drawing: "Drawing | None") -> "int | Drawing":
    """Print an answer, tell what stands beside it; return the exit status, or what is drawn."""
    print(shown, end="")
    tell_all((*document.messages, *(t for error in document.errors[:-1] for t in error.messages)))
    for fault in document.faults:
        mark(*fault)
    for error in document.errors[:-1]:
        if error.origin is not None:
            mark(error.origin.file, error.origin.line, error.cause)
    if document.errors:
        raise document.errors[-1]
    return int(not document.holds) if drawing is None else drawing


def _drawer(question: Question, path: str | None) -> "Callable[[Document], Drawing | None]":
    """Return the function that draws what a document is about into a file; without one, nothing."""
    if path is None:
        return lambda _: None
    from costmodel.render.plots import require_plot

    require_plot(path)
    draw: Callable[[Any, str], Drawing] = import_module(f"costmodel.render.{question.plot}").draw
    return lambda document: draw(document.study, path)


def _declare(
    command: Any,
    question: Question,
    parameters: list[Argument],
    given: type[NetworkOptions] | None,
    *,
    has_spec: bool,
) -> None:
    """Give a function the parameters and the help of a question's command."""
    words = [_typed(each) for each in parameters if each.kind is Argument.POSITIONAL_ONLY]
    others = [_typed(each) for each in parameters if each.kind is not Argument.POSITIONAL_ONLY]
    if question.plot:
        others.append(_option("plot", PlotFile, None))
    others.append(_option("format", Format, "table"))
    others.append(_option("framing", PageOptions, UNFRAMED))
    if has_spec:
        words.insert(0, Argument("spec", Argument.POSITIONAL_ONLY, annotation=Spec))
    if given is not None:
        others.append(_option("given", given, given()))
    command.__signature__ = Signature([*words, *others])
    command.__annotations__ = {each.name: each.annotation for each in (*words, *others)}
    command.__doc__ = unwrapped(question.ask.__doc__ or "")
    command.__name__ = question.name


def _option(name: str, annotation: Any, default: object) -> Argument:
    return Argument(name, Argument.KEYWORD_ONLY, default=default, annotation=annotation)


def _typed(parameter: Argument) -> Argument:
    """Return a parameter of a question as one of its command.

    An option of several values is a list, or None where it is not given; an integer is a whole one.
    """
    annotation = parameter.annotation
    if int in (annotation, *get_args(annotation)):
        annotation = Annotated[annotation, WHOLE]
    if get_origin(annotation) is tuple and parameter.default is Argument.empty:
        annotation = list[str]
    elif get_origin(annotation) is tuple:
        parameter, annotation = parameter.replace(default=None), list[str] | None
    return parameter.replace(annotation=SHARED.get(parameter.name, annotation))


def _value(name: str, value: Any, parameter: Argument) -> Any:
    """Return the value of an option as the question takes it."""
    option = f"--{name.strip('_').replace('_', '-')}"
    if name == "depth":
        require_depth(value)
    if get_origin(parameter.annotation) is tuple:
        require_values(option, value)
        return parameter.default if value is None else tuple(dict.fromkeys(value))
    return value


def _given(question: Question) -> type[NetworkOptions]:
    """Return the options beside the spec, as a question has them: its defaults, and less help."""
    if not (question.defaults or question.without):
        return NetworkOptions
    changed: list[Any] = [
        (name, str, field(default=value)) for name, value in question.defaults.items()
    ]
    hidden = Annotated[str | None, Parameter(show=False)]
    changed += [(name, hidden, field(default=None)) for name in question.without]
    place = {
        "__module__": NetworkOptions.__module__
    }  # in which the types of its fields are looked up
    return options(
        make_dataclass(
            "NetworkOptions", changed, bases=(NetworkOptions,), namespace=place, frozen=True
        )
    )
