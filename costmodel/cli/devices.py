"""Commands about devices."""

from typing import Annotated

from cyclopts import Parameter

from archspec.errors import find_named
from costmodel.cli.options import ViewFormat


def hardware(
    devices: Annotated[
        list[str] | None,
        Parameter(help="Devices by name, or your own files (.yaml); else all built-in ones."),
    ] = None,
    /,
    *,
    format: ViewFormat = "table",  # noqa: A002 - the option's name
) -> None:
    """List the devices there are, or every figure of some with its source."""
    from costmodel.render.hardware import FORMATS
    from costmodel.scenario.devices import built_in_profiles, find_profile

    views = find_named("format", format, FORMATS)
    if devices:
        print(views.figures([find_profile(device) for device in devices]), end="")
    else:
        print(views.overview(built_in_profiles()), end="")
