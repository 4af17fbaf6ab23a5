"""Registers: values by name, which files of a package or other distributions add."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


class Register(Mapping[str, T]):
    """Values by name. The files that add them are imported as the values are needed.

    Attributes:
        package: the package of the files; each adds its values when it is imported.
        what: the values, as ``metrics``.
        failed: what is said of other distributions' modules that cannot be imported.
    """

    def __init__(self, package: str, what: str) -> None:
        self.package = package
        self.what = what
        self.failed: list[str] = []
        self._known: dict[str, T] = {}
        self._left: list[str] | None = None
        self._others = load_extensions(what)

    def add(self, name: str, value: T) -> None:
        """Add a value.

        Raises:
            ValueError: there is one of its name.
        """
        if name in self._known:
            raise ValueError(f"{self.what.removesuffix('s')} '{name}' is registered twice")
        self._known[name] = value

    def __getitem__(self, name: str) -> T:
        for _ in self._imports(name):
            if name in self._known:
                break
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        for _ in self._imports():
            pass
        return iter(tuple(self._known))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _imports(self, name: str = "") -> Iterator[None]:
        """Import files one by one, those first whose name is like that of the value looked for."""
        from importlib import import_module
        from pkgutil import iter_modules

        yield
        if name.startswith("_"):  # Python looks for such attributes, and no value is called so
            return
        if self._left is None:
            package = import_module(self.package)
            self._left = [module.name for module in iter_modules(package.__path__)]

        near = name.replace("-", "_")

        def is_far(module: str) -> bool:
            return not (near.startswith(module) or module.startswith(near))

        for module in sorted(self._left, key=lambda module: (is_far(module), module)):
            self._left.remove(module)
            import_module(f"{self.package}.{module}")
            yield
        self.failed += self._others
        yield


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
