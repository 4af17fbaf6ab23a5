"""Commands that hold networks against what is published."""

from itertools import chain
from typing import Annotated

from cyclopts import Parameter

from archspec.errors import SpecError
from costmodel.cli.options import Format, require_values
from costmodel.cli.tell import tell_all


def check(
    specs: Annotated[list[str], Parameter(help="Specs, or folders of specs.")],
    /,
    *,
    format: Format = "table",  # noqa: A002 - the option's name
) -> int:
    """Prove the published facts of specs; exit status 1 where one fails, 2 where one is bad."""
    from costmodel.render import find_renderer
    from costmodel.studies.facts import Finding, check_facts, document, spec_files

    render = find_renderer(format)
    findings: list[Finding] = []
    errors: list[SpecError] = []
    for spec in spec_files(specs):
        try:
            findings += check_facts(spec)
        except SpecError as error:
            errors.append(error)
    if not (findings or errors):
        raise SpecError("these specs expect nothing", hint="write facts under expect")
    if findings:
        print(render(document(findings)), end="")
    tell_all(chain.from_iterable(bad.messages for bad in errors[:-1]))
    if errors:
        raise errors[-1]
    return int(not all(finding.passes for finding in findings))


def prove(
    files: Annotated[list[str] | None, Parameter(help="Files of laws; else the built-in.")] = None,
    /,
    *,
    law: Annotated[
        list[str] | None,
        Parameter(consume_multiple=True, negative=(), help="Laws by name; all where not given."),
    ] = None,
    format: Format = "table",  # noqa: A002 - the option's name
) -> int:
    """Derive published formulas from networks; exit status 1 where one is not as published."""
    from archspec.laws import read_laws
    from costmodel.render import find_renderer
    from costmodel.studies.prove import built_in_files, prove, select
    from costmodel.studies.prove_document import document

    render = find_renderer(format)
    require_values("--law", law)
    laws = [each for file in files or built_in_files() for each in read_laws(file)]
    proofs = [prove(each) for each in select(laws, law or ())]
    print(render(document(proofs)), end="")
    return int(not all(proof.holds for proof in proofs))
