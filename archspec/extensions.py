"""What other installed distributions add: modules that register it when they are imported."""

from collections.abc import Iterator


def load_extensions(what: str) -> Iterator[str]:
    """Import what distributions add; yield a sentence for each that fails, which stops nothing.

    Args:
        what: ``kinds``, ``metrics`` or ``questions``; the group is ``archcost.`` and this.
    """
    from importlib.metadata import entry_points

    for entry_point in entry_points(group=f"archcost.{what}"):
        try:
            entry_point.load()
        except Exception as error:
            whose = entry_point.dist.name if entry_point.dist else entry_point.name
            yield f"the {what} of '{whose}' are missing, since {entry_point.value} fails: {error!r}"
