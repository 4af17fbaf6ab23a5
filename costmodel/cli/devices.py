"""Commands about devices."""

from typing import Annotated

from cyclopts import Parameter

from costmodel.cli.options import Format


def hardware(
    devices: Annotated[
        list[str] | None,
        Parameter(help="Devices by name, or your own files (.yaml); else all built-in ones."),
    ] = None,
    /,
    *,
    format: Format = "table",  # noqa: A002 - the option's name
) -> None:
    """List the devices there are, or every figure of some with its source."""
    from costmodel.render import find_renderer
    from costmodel.scenario.devices import built_in_profiles, find_profile
    from costmodel.studies.hardware import figures, overview

    render = find_renderer(format)
    if devices:
        document = figures([find_profile(device) for device in devices])
    else:
        document = overview(built_in_profiles())
    print(render(document), end="")
