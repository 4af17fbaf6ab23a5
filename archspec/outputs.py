"""The tensors that a name in a list of entries stands for: one, or several with own names."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from archspec.expressions import ExpressionError
from archspec.trees import Call, Index, Name, Part, Tensor, Tree


class Outputs(NamedTuple):
    """The tensors that leave an entry, or enter a body.

    Attributes:
        path: the path of the entry; empty of what enters a body or the network.
        whole: the tensor that the name alone stands for; None if it could be any of several.
        parts: the several, by their names, in order.
        inner: what the names inside of a network that is used stand for.
    """

    path: str
    whole: Tensor | None
    parts: Mapping[str, Tensor] = MappingProxyType({})
    inner: Mapping[str, "Outputs"] = MappingProxyType({})

    @property
    def all(self) -> tuple[Tensor, ...]:
        """Every tensor, in order."""
        if self.parts or self.whole is None:
            return tuple(self.parts.values())
        return (self.whole,)

    @property
    def carried(self) -> tuple[Tensor, ...]:
        """The tensors that flow on: the one that the name stands for, else all."""
        return self.all if self.whole is None else (self.whole,)

    def single(self, name: str) -> Tensor:
        """Return the tensor that the name alone stands for.

        Args:
            name: the name as it was written, for the error.

        Raises:
            ExpressionError: it could be any of several.
        """
        if self.whole is not None:
            return self.whole
        if not self.path:
            cause = f"'{name}' could be any of the inputs {', '.join(self.parts)}"
            raise ExpressionError(cause, hint="say which with from")
        bearer = self.path.rpartition("/")[2]
        cause = f"'{name}' could be any of the {len(self.parts)} outputs of {bearer}"
        raise ExpressionError(
            cause, hint=f"say which with from, as {bearer}.{next(iter(self.parts))}"
        )

    def part(self, name: str, bearer: str) -> Tensor:
        """Return one of several outputs, by its name or by its number, counted from 0.

        Args:
            name: the name, or the number.
            bearer: the name of the whole as it was written, for the error.

        Raises:
            ExpressionError: there is none of that name.
        """
        if name in self.parts:
            return self.parts[name]
        if name.isdecimal() and name.isascii() and int(name) < len(self.parts):
            return self.all[int(name)]
        names = [*self.parts]
        has = f"the outputs {', '.join(names)}"
        if self.inner:
            has = "no tensor of that name inside"
        elif not names:
            has = "one output, without a number"
        elif names == [str(i) for i in range(len(names))]:
            has = f"the outputs 0 to {len(names) - 1}"
        cause = f"'{bearer}' has {has}; there is no '{name}'"
        raise ExpressionError(cause, subject=f"outputs {self.path}")

    def item(self, number: int, bearer: str) -> Tensor:
        """Return the tensor of a number among several; a negative number counts from the end.

        Args:
            number: the number, from 0.
            bearer: the name of the whole as it was written, for the error.

        Raises:
            ExpressionError: there are not so many.
        """
        if not -len(self.all) <= number < len(self.all):
            cause = f"index {number} is outside the {len(self.all)} tensors of '{bearer}'"
            raise ExpressionError(cause, subject=f"outputs {self.path}")
        return self.all[number]


def one(tensor: Tensor) -> Outputs:
    """Return the output of an entry that has one."""
    return Outputs(tensor.producer, tensor)


def numbered(path: str, tensors: Iterable[Tensor], whole: Tensor | None = None) -> Outputs:
    """Return several tensors whose names are their numbers.

    Args:
        path: the path of the entry that they leave.
        tensors: the tensors; one alone is what the name stands for.
        whole: what the name alone stands for, where it does for one of several.
    """
    listed = tuple(tensors)
    alone = listed[0] if len(listed) == 1 else None
    return Outputs(path, whole or alone, {str(i): tensor for i, tensor in enumerate(listed)})


def entering_of(tensors: tuple[Tensor, ...]) -> Outputs:
    """Return the tensors that enter a body, as what its first entry takes."""
    return one(tensors[0]) if len(tensors) == 1 else numbered("", tensors)


def is_list(tree: Tree) -> bool:
    """Return whether a reference stands for any number of tensors: ``xs.*``, ``reversed(xs)``."""
    return isinstance(tree, Call) or (isinstance(tree, Part) and tree.name == "*")


def name_of(tree: Tree) -> str:
    """Return the name that a reference begins with."""
    match tree:
        case Part(of, _) | Index(of, _) | Call(_, (of,)):
            return name_of(of)
        case Name(name, _):
            return name
    raise LookupError(f"{tree} is no reference")


def text_of(tree: Tree) -> str:
    """Return a reference as it was written, as far as its names go."""
    match tree:
        case Part(of, name):
            return f"{text_of(of)}.{name}"
        case Index(of, _):
            return f"{text_of(of)}[…]"
        case Call(function, (of,)):
            return f"{function}({text_of(of)})"
    return name_of(tree)
