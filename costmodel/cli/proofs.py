"""Commands that hold networks against what is published."""

from itertools import chain
from typing import Annotated

from cyclopts import Parameter

from archspec.errors import SpecError, find_named
from costmodel.cli.options import ViewFormat, require_values
from costmodel.cli.tell import tell_all


def check(specs: Annotated[list[str], Parameter(help="Specs, or folders of specs.")], /) -> int:
    """Prove the published facts of specs; exit status 1 where one fails, 2 where one is bad."""
    from costmodel.render.check_report import render
    from costmodel.studies.facts import Finding, check_facts, spec_files

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
        print(render(findings), end="")
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
        Parameter(help="Laws by name; all where not given."),
    ] = None,
    format: ViewFormat = "table",  # noqa: A002 - the option's name
) -> int:
    """Derive published formulas from networks; exit status 1 where one is not as published."""
    from archspec.laws import read_laws
    from costmodel.render.proofs import FORMATS
    from costmodel.studies.prove import built_in_files, prove, select

    render = find_named("format", format, FORMATS)
    require_values("--law", law)
    laws = [each for file in files or built_in_files() for each in read_laws(file)]
    proofs = [prove(each) for each in select(laws, law or ())]
    print(render(proofs), end="")
    return int(not all(proof.holds for proof in proofs))
