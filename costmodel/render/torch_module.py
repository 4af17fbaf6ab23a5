"""A network as the source of a PyTorch module, which stands alone: blocks become classes."""

import keyword
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from sympy import Expr

from archspec.errors import SpecError
from archspec.fields import Expression, ShapeOf
from archspec.trees import Measure, Name, Tensor, Tree
from costmodel.algebra.translate import translate
from costmodel.analysis.analysis import Analysis
from costmodel.network.propagation import GroupCost, LayerCost, Part, RepeatFlow
from costmodel.render.python import escaped
from costmodel.render.torch_helpers import HELPERS, USES
from costmodel.render.torch_layers import (
    END,
    INPUT,
    NUMBER,
    OWN,
    WEIGHT,
    WRITERS,
    SizedLayer,
    Sizes,
    Text,
    called,
    marked,
    of,
)

CHILD = "\ue005"
"""The mark of an instance of another class, and its number."""

MODULE = "\ue006"
"""What the name of a module begins with, where one is read as tensors are."""

TOKEN = re.compile(f"([{NUMBER}{CHILD}])([^{END}]*){END}")

INLINE = {
    *("residual", "parallel", "branch", "shortcut", "fused", "side", "foreach", "repeat", "moe")
}
"""The kinds of groups whose layers stand in the class around them."""

_OF_MODULES = """
    add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches
    eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu
    load_state_dict modules mtia named_buffers named_children named_modules named_parameters
    parameters register_backward_hook register_buffer register_forward_hook
    register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module
    register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_
    set_extra_state set_submodule share_memory state_dict to to_empty train training type xpu
    zero_grad
"""

WHOLE = {
    "where": (0,),
    "masked_fill": (1,),
    "gather": (1,),
    "index_select": (1,),
    "scatter": (1,),
    **dict.fromkeys(("logical_and", "logical_or", "logical_xor"), (0, 1)),
    **dict.fromkeys(("embedding", "one_hot", "logical_not"), (0,)),
}
"""Kind → the inputs that may be truth values and indices; others take floating point."""

RESERVED = frozenset(
    {*keyword.kwlist, *keyword.softkwlist, *_OF_MODULES.split(), *HELPERS}
    | {"torch", "nn", "functional", "self", "super", "block", "range", "int", "sum", "INPUTS"}
)
"""The names that no layer, tensor or class may have."""


def identifier(text: str) -> str:
    """Return a name of Python's for a name of a spec, whatever that holds."""
    name = re.sub(r"[^0-9A-Za-z_]", "_", text).strip("_") or "layer"
    return f"{name}_" if name in RESERVED or name[0].isdigit() else name


def class_name(text: str) -> str:
    """Return the name of a class for the name of a block."""
    words = re.split(r"[^0-9A-Za-z]+", text)
    name = "".join(word[:1].upper() + word[1:] for word in words) or "Block"
    return f"Block{name}" if name[0].isdigit() else f"{name}_" if name in RESERVED else name


def free_name(wanted: Iterable[str], taken: set[str]) -> str:
    """Return the first of some names that is not taken, or the last with a number; take it."""
    listed = list(wanted)
    numbered = (f"{listed[-1]}_{i}" for i in range(2, len(taken) + 3))
    found = next(name for name in (*listed, *numbered) if name not in taken)
    taken.add(found)
    return found


Entering = tuple[str, Tensor | None]
"""What enters a call: a text, or a tensor."""


class Statement(NamedTuple):
    """A statement of ``forward``.

    Attributes:
        text: the expression, with marks; of a loop the call in it.
        reads: the tensors that its marks of inputs stand for.
        makes: the tensors that it leaves.
        loop: what a loop runs over; it hands its first input on. Empty where it is none.
    """

    text: str
    reads: tuple[Tensor, ...]
    makes: tuple[Tensor, ...]
    loop: str = ""


class Instance:
    """One use of a class: what it builds and does, its numbers marked.

    Attributes:
        name: what the class is to be called.
        base: the path of the group that it stands for, and a stroke.
        builds: the statements of ``__init__``.
        steps: the statements of ``forward``.
        inputs: the tensors that enter it.
        outputs: the tensors that leave it.
        modules: path of a layer or of a group in it → its expression, as ``self.conv``.
        taken: the names of what it builds.
        made: the tensors that its statements leave.
        lines: those of ``__init__`` and of ``forward``, numbers and instances marked.
        arguments: the names of what enters ``forward``.
        of_class: its class, once it has one.
    """

    def __init__(self, name: str, base: str, inputs: Iterable[Tensor] = ()) -> None:
        self.name = name
        self.base = base
        self.builds: list[str] = []
        self.steps: list[Statement] = []
        self.inputs = list(inputs)
        self.outputs: list[Tensor] = []
        self.modules: dict[str, str] = {}
        self.taken: set[str] = set(RESERVED)
        self.made: set[Tensor] = set()
        self.lines: tuple[list[str], list[str]] = [], []
        self.arguments: list[str] = []
        self.of_class: _Class | None = None

    def attribute(self, path: str, text: str) -> str:
        """Build something for what stands at a path; return its expression."""
        words = path.removeprefix(self.base).split("/")
        wanted = [identifier(words[-1]), identifier("_".join(words))]
        name = free_name(wanted, self.taken)
        self.builds.append(f"self.{name} = {text}")
        self.modules[path] = f"self.{name}"
        return f"self.{name}"

    def read(self, tensor: Tensor) -> Tensor:
        """Return a tensor that is read; what is not made here enters."""
        if tensor not in self.made and tensor not in self.inputs:
            self.inputs.append(tensor)
        return tensor

    def step(self, step: Statement) -> None:
        """Add a statement of ``forward``."""
        self.steps.append(step)
        self.made.update(step.makes)

    def finish(self) -> None:
        """Name the variables of ``forward``, and write both functions' lines."""
        names = _Variables(self)
        forward = [line for i, step in enumerate(self.steps) for line in names.lines(i, step)]
        left = ", ".join(names.of[tensor] for tensor in self.outputs)
        self.lines = self.builds, [*forward, f"return {left}"]
        self.arguments = names.arguments


WIDTH = 96
"""The longest line, before it is indented."""


def wrapped(line: str) -> list[str]:
    """Return a statement whose arguments stand a line each where it is too long for one."""
    indent = line[: len(line) - len(line.lstrip())]
    head, bracket, rest = line.strip().partition("(")
    inner, close, end = rest.rpartition(")")
    arguments = re.findall(r"(?:\([^()]*(?:\([^()]*\)[^()]*)*\)|[^,(])+", inner)
    if len(line) <= WIDTH or not close or ",".join(arguments) != inner:
        return [line]
    comma = "," * (len(arguments) > 1 or " for " not in inner)
    together = f"{indent}    {inner}"
    lines = [each for a in arguments for each in wrapped(f"{indent}    {a.strip()}{comma}")]
    lines = [together] if len(together) <= WIDTH else lines
    return [f"{indent}{head}{bracket}", *lines, f"{indent}){end}"]


class _Variables:
    """The names of tensors in one ``forward``: short ones are used again."""

    SHORT = ("x", "y", "z")

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.last = {t: i for i, step in enumerate(instance.steps) for t in step.reads}
        self.last |= dict.fromkeys(instance.outputs, len(instance.steps))
        self.of: dict[Tensor, str] = {}
        self.holders: dict[str, Tensor] = {}
        self.taken: set[str] = {*RESERVED, *self.SHORT}
        tensors = [t for t in instance.inputs if not t.producer.startswith(MODULE)]
        for tensor in instance.inputs:
            if [tensor] == tensors:
                self._hold("x", tensor)
            else:
                self.of[tensor] = free_name(_named(tensor), self.taken)
        self.arguments = [self.of[tensor] for tensor in instance.inputs]

    def _hold(self, name: str, tensor: Tensor) -> str:
        self.holders[name] = tensor
        self.of[tensor] = name
        return name

    def lines(self, number: int, step: Statement) -> Iterator[str]:
        """Yield the lines of a statement."""
        reads = [self.of[tensor] for tensor in step.reads]
        text = re.sub(f"{INPUT}(\\d+){END}", lambda m: reads[int(m[1])], step.text)
        if step.loop:
            (tensor,) = step.makes
            made = self._make(number, tensor, step.reads[1:])
            if made != reads[0]:
                yield f"{made} = {reads[0]}"
            yield f"for {step.loop}:"
            text = re.sub(f"{INPUT}(\\d+){END}", lambda m: [made, *reads[1:]][int(m[1])], step.text)
            yield f"    {made} = {text}"
            return
        made = ", ".join(self._make(number, tensor) for tensor in step.makes)
        if made != text:
            yield f"{made} = {text}"

    def _make(self, number: int, tensor: Tensor, busy: tuple[Tensor, ...] = ()) -> str:
        """Return the variable of a tensor that a statement leaves; a loop reads the busy again."""
        if tensor not in self.last:
            self.of[tensor] = "_"
            return "_"
        for name in self.SHORT:
            holder = self.holders.get(name)
            if holder is None or (self.last.get(holder, -1) <= number and holder not in busy):
                return self._hold(name, tensor)
        self.of[tensor] = free_name(_named(tensor), self.taken)
        return self.of[tensor]


def _named(tensor: Tensor) -> list[str]:
    words = tensor.producer.removeprefix(MODULE).split("/")
    end = "" if tensor.output is None else f"_{tensor.output}"
    return [identifier(words[-1] + end), identifier("_".join(words[-2:]) + end)]


class _Class:
    """A class of the module: its instances, and which of their numbers are parameters."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.instances: list[Instance] = []
        self.parameters: dict[int, str] = {}  # number of a hole → the parameter that it is

    def holes(self, exporter: "Exporter", instance: Instance) -> list[tuple[str, str]]:
        """Return the numbers of an instance, each with its name, those of instances in it too."""
        found: list[tuple[str, str]] = []
        for line in (*instance.lines[0], *instance.lines[1]):
            for mark, content in TOKEN.findall(line):
                if mark == NUMBER:
                    name, _, value = content.partition(":")
                    found.append((name, value))
                else:
                    found += exporter.arguments_of(exporter.instances[int(content)])
        return found

    def decide(self, exporter: "Exporter") -> None:
        """Make parameters of the numbers in which instances differ; equal ones are one."""
        rows = [self.holes(exporter, instance) for instance in self.instances]
        taken = set(RESERVED)
        known: dict[tuple[str, ...], str] = {}
        for hole, column in enumerate(zip(*rows, strict=True)):
            values = tuple(value for _, value in column)
            if len(set(values)) > 1:
                name = identifier(column[0][0])
                self.parameters[hole] = known.get(values) or free_name([name], taken)
                known[values] = self.parameters[hole]

    def arguments(self, exporter: "Exporter", instance: Instance) -> list[tuple[str, str]]:
        """Return the parameters with their values for an instance."""
        holes = self.holes(exporter, instance)
        return list({name: holes[hole][1] for hole, name in self.parameters.items()}.items())

    def source(self, exporter: "Exporter") -> str:
        """Return its source text."""
        instance = self.instances[0]
        counter = iter(range(10**9))
        init, forward = (
            [self._line(exporter, line, counter, prefix) for line in lines]
            for lines, prefix in zip(instance.lines, ("", "self."), strict=True)
        )
        names = list(dict.fromkeys(self.parameters.values()))
        stored = [
            f"self.{n} = {n}" for n in names if re.search(rf"self\.{n}\b", "\n".join(forward))
        ]
        signature = ", ".join(["self", *names])
        entering = ", ".join(["self", *instance.arguments])
        body = [f"def __init__({signature}):", "    super().__init__()"]
        body += [f"    {line}" for line in (*stored, *init)]
        body += ["", f"def forward({entering}):", *(f"    {line}" for line in forward)]
        lines = [f"    {line}" if line else "" for whole in body for line in wrapped(whole)]
        return "\n".join([f"class {self.name}(nn.Module):", *lines]) + "\n"

    def _line(self, exporter: "Exporter", line: str, counter: Iterator[int], prefix: str) -> str:
        def number(value: str) -> str:
            name = self.parameters.get(next(counter))
            return value if name is None else prefix + name

        def shown(match: re.Match[str]) -> str:
            if match[1] == NUMBER:
                return number(match[2].partition(":")[2])
            inner = exporter.instances[int(match[2])]
            arguments = (f"{name}={number(value)}" for name, value in exporter.arguments_of(inner))
            return called(exporter.class_of(inner).name, *arguments)

        return TOKEN.sub(shown, line)


class Exporter:
    """A network that becomes classes."""

    def __init__(self, analysis: Analysis) -> None:
        self.graph = analysis.graph
        self.parts = analysis.propagation.parts
        self.shapes: dict[Tensor, Sizes] = {
            Tensor(name): _sizes(shape) for name, shape in analysis.propagation.inputs.items()
        }
        self.alias: dict[Tensor, Tensor] = {}
        self.last: dict[Tensor, int] = {}  # tensor → the number of the layer that reads it last
        self.end: dict[int, int] = {}  # part → the number of layers up to its end
        self.instances: list[Instance] = []
        self.classes: dict[tuple[str, ...], _Class] = {}
        self.names: set[str] = {*RESERVED, "Network"}
        self.layers: dict[str, LayerCost] = {}
        self.placed: dict[str, Instance] = {}  # path of a group → its instance
        self.moved: list[str] = []  # the iterations around, of repeats that change the shape
        self.readers: set[Tensor] = set()  # what is read by layers that take no truth values
        self.owning = False  # whether what is walked is taken to have weights of its own

    def network(self) -> None:
        """Walk over the whole network, whose class is the last."""
        self.prepare()
        inputs = [Tensor(given.name) for given in self.graph.inputs]
        left = [self.resolved(tensor) for tensor in (*self.graph.sides, self.graph.output)]
        network = self.body("Network", "", self.parts, inputs, dict.fromkeys(left))
        self.placed_as(network)
        self.class_of(network).name = "Network"

    # What is read where.

    def prepare(self) -> None:
        """Find what every tensor is called, and which layer is the last that reads it."""
        count = self._number(self.parts, 0)
        for tensor in (*self.graph.sides, self.graph.output):
            self.last[self.resolved(tensor)] = count + 1

    def _number(self, parts: Iterable[Part], count: int) -> int:
        for part in parts:
            if isinstance(part, LayerCost):
                count += 1
                self._mark(part.reads, count)
                for i, tensor in enumerate(part.reads):
                    if i not in WHOLE.get(part.node.kind, ()):
                        self.readers.add(self.resolved(tensor))
            else:
                count = self._number_group(part, count)
            self.end[id(part)] = count
        return count

    def _number_group(self, group: GroupCost, count: int) -> int:
        flow = group.flow
        if flow is None:
            return self._number(group.parts, count)
        chosen = () if flow.chosen_by is None else (flow.chosen_by,)
        sources = [each.source for each in flow.carried]
        self._mark((*sources, *chosen), count + 1)
        self.readers |= {*map(self.resolved, sources), *chosen} if is_loop(group) else set()
        if flow.is_loop and not is_loop(group):
            self.alias |= {each.entry: each.source for each in flow.carried}
        count = self._number(group.parts, count)
        if is_loop(group):
            self._mark((each.result for each in flow.carried), count + 1)
        else:
            self.alias |= {each.output: each.result for each in flow.carried}
        return count

    def _mark(self, tensors: Iterable[Tensor], count: int) -> None:
        for tensor in map(self.resolved, tensors):
            self.last[tensor] = max(count, self.last.get(tensor, 0))

    def resolved(self, tensor: Tensor) -> Tensor:
        """Return the tensor that a name of it stands for."""
        while tensor in self.alias:
            tensor = self.alias[tensor]
        return tensor

    # Bodies.

    def body(
        self,
        name: str,
        base: str,
        parts: Sequence[Part],
        inputs: Iterable[Tensor] = (),
        outputs: Iterable[Tensor] = (),
        end: int = 0,
    ) -> Instance:
        """Return the instance of a list of parts.

        Args:
            name: what its class is to be called.
            base: the path of what holds them.
            parts: the parts.
            inputs: what enters in any case, first.
            outputs: what leaves it; else what is read behind it.
            end: the number of layers up to its end.
        """
        instance = Instance(name, base, inputs)
        for part in parts:
            self.part(instance, part)
        left = [t for t in instance.made if self.last.get(t, 0) > end]
        order = {t: i for i, step in enumerate(instance.steps) for t in step.makes}
        instance.outputs = [*outputs] or sorted(left, key=lambda t: (order[t], t.output or 0))
        for tensor in instance.outputs:
            instance.read(tensor)
        instance.finish()
        return instance

    def placed_as(self, instance: Instance) -> str:
        """Let an instance have its class; return its mark."""
        key = self.key(instance)
        if key not in self.classes:
            self.classes[key] = _Class(free_name([class_name(instance.name)], self.names))
        self.classes[key].instances.append(instance)
        instance.of_class = self.classes[key]
        self.instances.append(instance)
        return f"{CHILD}{len(self.instances) - 1}{END}"

    def key(self, instance: Instance) -> tuple[str, ...]:
        """Return what two instances of one class have in common."""

        def plain(match: re.Match[str]) -> str:
            if match[1] == NUMBER:
                return f"#{match[2].partition(':')[0]}"
            return f"${self.class_of(self.instances[int(match[2])]).name}"

        lines = (*instance.lines[0], "", *instance.lines[1])
        return (instance.name, *instance.arguments, *(TOKEN.sub(plain, line) for line in lines))

    def class_of(self, instance: Instance) -> _Class:
        """Return the class of an instance that is placed."""
        assert instance.of_class is not None
        return instance.of_class

    def arguments_of(self, instance: Instance) -> list[tuple[str, str]]:
        """Return the parameters of an instance's class with their values for it."""
        return self.class_of(instance).arguments(self, instance)

    def part(self, into: Instance, part: Part) -> None:
        """Let a part be built and done."""
        if isinstance(part, LayerCost):
            self.layer(into, part)
        elif part.flow is not None:
            self.repeat(into, part, part.flow)
        elif part.kind in INLINE or _is_small(part):
            for inner in part.parts:
                self.part(into, inner)
        else:
            self.group(into, part)

    def group(self, into: Instance, group: GroupCost) -> None:
        """Write a block as an instance of a class, or as another use of one that it shares."""
        first = None if self.owning else _shared_with(group)
        inner = self._again(group, first) if first else None
        if inner is not None and first is not None:
            own = self._entering(into, Tensor(MODULE + first))
        else:
            inner = self._of_group(group)
            own = into.attribute(group.path, self.placed_as(inner)), None
            self._pass_modules(into, inner, own[0])
            self.placed[group.path] = inner
        reads = [self._entering(into, tensor) for tensor in inner.inputs]
        self._step(into, own, reads, tuple(inner.outputs))

    def _of_group(self, group: GroupCost) -> Instance:
        end = self.end[id(group)]
        return self.body(group.kind, f"{group.path}/", group.parts, end=end)

    def _again(self, group: GroupCost, first: str) -> Instance | None:
        """Return a group's instance, if it is equal to the one whose weights it shares."""
        owner = self.placed.get(first)
        if owner is None:
            return None
        count, self.owning = len(self.instances), True
        inner = self._of_group(group)
        self.owning = False
        same = self.key(inner) == self.key(owner) and self.numbers(inner) == self.numbers(owner)
        self._forget(count)
        return inner if same else None

    def numbers(self, instance: Instance) -> list[str]:
        """Return all numbers of an instance, and of those in it."""
        found: list[str] = []
        for line in (*instance.lines[0], *instance.lines[1]):
            for mark, content in TOKEN.findall(line):
                inner = mark == CHILD
                found += self.numbers(self.instances[int(content)]) if inner else [content]
        return found

    def _forget(self, count: int) -> None:
        for instance in self.instances[count:]:
            self.class_of(instance).instances.remove(instance)
        del self.instances[count:]
        self.classes = {key: each for key, each in self.classes.items() if each.instances}

    def _pass_modules(self, into: Instance, inner: Instance, own: str) -> None:
        """Make the modules built inside an instance known to the class around it."""
        for path, expression in inner.modules.items():
            into.modules[path] = own + expression.removeprefix("self")

    def _entering(self, into: Instance, tensor: Tensor) -> Entering:
        """Return what enters an instance: the text of a module that is built here, or a tensor."""
        path = tensor.producer.removeprefix(MODULE)
        if path != tensor.producer and path in into.modules:
            return into.modules[path], None
        return "", into.read(tensor)

    def _step(
        self,
        into: Instance,
        own: Entering,
        reads: Sequence[Entering],
        makes: tuple[Tensor, ...],
        loop: str = "",
    ) -> None:
        """Add the call of a module with what enters it; a loop hands on the first of that."""
        tensors: list[Tensor] = []
        words = [self._word(each, tensors) for each in (*reads, own)]
        into.step(Statement(called(words[-1], *words[:-1]), tuple(tensors), makes, loop))

    def _word(self, entering: Entering, tensors: list[Tensor]) -> str:
        """Return what stands for something in a call; a tensor is added to those that it reads."""
        text, tensor = entering
        if tensor is None:
            return text
        tensors.append(tensor)
        return of(len(tensors) - 1)

    # Repeats.

    def repeat(self, into: Instance, group: GroupCost, flow: RepeatFlow) -> None:
        """Let a body be run as often as it is: a list of its instances, or one again and again."""
        moves = group.kind == "turn"  # an iteration of a repeat that changes the shape
        if moves:
            self.moved.append(group.path)
        for each in flow.carried if flow.is_loop else ():
            self.know(each.entry, self.shapes[self.resolved(each.source)])
        if is_loop(group):
            self.loop(into, group, flow)
        else:
            for part in group.parts:
                self.part(into, part)
        if moves:
            self.moved.pop()
        for each in flow.carried[1:]:
            self.know(each.output, self.shapes[self.resolved(each.result)])
        self.know(flow.carried[0].output, _sizes(group.output))

    def loop(self, into: Instance, group: GroupCost, flow: RepeatFlow) -> None:
        """Let a body run several times, whose turns are written out where it carries several."""
        ((source, entry, result, _),) = flow.carried
        inner = self._of_loop(group, entry, result)
        made = self.placed_as(inner)
        times = marked("times", int(group.copies))
        reads = [self._entering(into, tensor) for tensor in inner.inputs[1:]]
        reads.insert(0, ("", into.read(self.resolved(source))))
        tensor = (Tensor(group.path),)
        if flow.chosen_by is not None:
            experts = (
                f"Mixture(({made} for _ in range({times})), {marked('top_k', int(group.runs))})"
            )
            own = into.attribute(group.path, experts)
            reads.insert(0, ("", into.read(self.resolved(flow.chosen_by))))
            return self._step(into, (own, None), reads, tensor)
        if int(group.copies) > 1:
            every = f"nn.ModuleList({made} for _ in range({times}))"
            own = into.attribute(group.path, every)
            return self._step(into, ("block", None), reads, tensor, f"block in {own}")
        own = into.attribute(group.path, made)
        self._pass_modules(into, inner, own)
        loop = f"_ in range({marked('times', int(group.runs))})"
        return self._step(into, (own, None), reads, tensor, loop)

    def _of_loop(self, group: GroupCost, entry: Tensor, result: Tensor) -> Instance:
        """Return the instance of a body; a block that it is alone is the body itself."""
        parts, name, base = group.parts, f"{group.name}_body", f"{group.path}/"
        while len(parts) == 1 and isinstance(parts[0], GroupCost) and parts[0].flow is None:
            name, base = parts[0].kind, f"{parts[0].path}/"
            parts = parts[0].parts
        return self.body(name, base, parts, (entry,), (self.resolved(result),))

    def know(self, tensor: Tensor, sizes: Sizes) -> None:
        """Take down a tensor's shape, by its name, and by that in the expressions of its repeat."""
        self.shapes[tensor] = sizes
        for path in reversed(self.moved):
            inside = tensor.producer.startswith(f"{path}/")
            around = path.rpartition("/")[0]
            tensor = tensor._replace(
                producer=around * inside + tensor.producer[len(path) * inside :]
            )
        self.shapes[tensor] = sizes

    # Layers.

    def layer(self, into: Instance, layer: LayerCost) -> None:
        """Let a layer be built and called."""
        node = layer.node
        self.layers[node.path] = layer
        write = WRITERS.get(node.kind)
        if write is None:
            cause = f"{node.kind} has no form in PyTorch that archcost could write"
            raise node.error(cause)
        site = self.site(layer)
        for tensor, sizes in zip(layer.made, site.outputs, strict=True):
            self.know(tensor, sizes)
        text = write(site)
        reads = [into.read(self.resolved(tensor)) for tensor in layer.reads]
        step = self._written(into, layer, text, reads)
        types = ("int64",) if node.kind.startswith("bitwise") else layer.cost.types
        typed = zip(layer.made, types, strict=False)
        whole = [tensor for tensor, dtype in typed if dtype and tensor in self.readers]
        raw = {t: t._replace(producer=f"{t.producer}/values") for t in whole}
        into.step(step._replace(makes=tuple(raw.get(t, t) for t in step.makes)))
        for tensor, before in raw.items():
            into.step(Statement(f"{of()}.float()", (before,), (tensor,)))

    def site(self, layer: LayerCost) -> SizedLayer:
        """Return a layer with its sizes as numbers."""
        inputs, outputs = (tuple(map(_sizes, shapes)) for shapes in (layer.inputs, layer.outputs))
        tied = bool(layer.node.tied)
        return SizedLayer(layer.node.layer, inputs, outputs, self.number, self.extents, tied)

    def _written(
        self, into: Instance, layer: LayerCost, text: Text, reads: list[Tensor]
    ) -> Statement:
        node, call = layer.node, text.call
        if text.build:
            if node.shares and not self.owning:
                own = self._word(self._entering(into, Tensor(MODULE + node.shares)), reads)
            else:
                frozen = "" if node.trainable or "nn.Buffer" in text.build else TRAINED
                own = into.attribute(node.path, text.build + frozen)
            call = call.replace(OWN, own)
        if WEIGHT in call:
            owner = self._weight_owner(node.path)
            plain = self.layers[owner].node.kind == "parameter"
            weight = self._word(self._entering(into, Tensor(MODULE + owner)), reads)
            call = call.replace(WEIGHT, weight + ".weight" * (not plain))
        return Statement(call, tuple(reads), layer.made)

    def _weight_owner(self, path: str) -> str:
        """Return the path of the layer that has the weight which one at some path shares."""
        node = self.layers[path].node
        return self._weight_owner(node.tied) if node.tied else path

    def number(self, tree: Tree) -> int | Fraction:
        """Return the value of an expression."""
        value = translate(tree, self._leaf)
        if not value.is_Rational:
            raise SpecError(f"{value} is no number that archcost could write for PyTorch")
        return Fraction(int(value.p), int(value.q))

    def _leaf(self, leaf: Name | Measure) -> Expr:
        if isinstance(leaf, Name):
            return translate(Expression(_number(self.graph.values[leaf.id])).tree, self._leaf)
        return translate(_number(self.shapes[self.resolved(leaf.tensor)][leaf.axis]), self._leaf)

    def extents(self, shape: ShapeOf) -> Sizes:
        """Return the shape that a field names."""
        tensor: Tensor = shape.tree.tensor  # type: ignore[union-attr]
        return self.shapes[self.resolved(tensor)]


TRAINED = ".requires_grad_(False)"
"""What follows the building of what is not trained."""


def _number(value: int | Fraction) -> Tree:
    from archspec.trees import Number

    return Number(value)


def _sizes(shape: Iterable[Expr]) -> Sizes:
    return tuple(int(size) for size in shape)


def is_loop(group: GroupCost) -> bool:
    """Return whether a repeat's body runs several times, or is chosen among others."""
    flow = group.flow
    if flow is None or not flow.is_loop:
        return False
    return flow.chosen_by is not None or int(group.runs) != 1


def _is_small(group: GroupCost) -> bool:
    """Return whether a group is no more than a layer, or than another group."""
    return len(group.parts) == 1


def _shared_with(group: GroupCost) -> str | None:
    """Return the path of the group whose weights a group has, each layer those of its own."""
    found = set()
    for layer in _layers(group.parts):
        inner = layer.node.path.removeprefix(group.path)
        owner = layer.node.shares or ""
        found.add(owner.removesuffix(inner) if owner.endswith(inner) else "")
    return found.pop() or None if len(found) == 1 else None


def _layers(parts: Iterable[Part]) -> Iterator[LayerCost]:
    for part in parts:
        if isinstance(part, LayerCost):
            yield part
        else:
            yield from _layers(part.parts)


def require_no_hole(analysis: Analysis) -> None:
    """Make sure that every layer of a network is known.

    Raises:
        SpecError: of one only a shape is.
    """
    for operator, paths in analysis.missing.items():
        cause = f"'{operator}' is missing in this network, as {paths[0]}"
        raise SpecError(cause, hint="a network with a hole is not exported")


def module_source(analysis: Analysis) -> str:
    """Return the source of a network whose symbols all have values.

    Raises:
        SpecError: it has a layer that PyTorch has no form of, or of which only a shape is known.
    """
    require_no_hole(analysis)
    exporter = Exporter(analysis)
    exporter.network()
    for each in exporter.classes.values():
        each.decide(exporter)
    classes = [each.source(exporter) for each in exporter.classes.values()]
    shapes = {name: _sizes(shape) for name, shape in analysis.propagation.inputs.items()}
    return _file(analysis, classes, shapes)


def _file(analysis: Analysis, classes: Sequence[str], shapes: Mapping[str, Sizes]) -> str:
    """Return the source of the file that holds some classes."""
    graph = analysis.graph
    text = "\n\n".join(classes)
    used = {name for name in HELPERS if re.search(rf"\b{name}\(", text)}
    used |= {other for name in used for other in USES.get(name, ())}
    helpers = [source for name, source in HELPERS.items() if name in used]
    symbols = ", ".join(f"{name} = {value}" for name, value in graph.values.items())
    about = f"{escaped(graph.title)}, written by archcost."
    about += f"\n\nSymbols: {escaped(symbols)}.\n" * bool(symbols)
    body = "\n\n".join([*helpers, *classes])
    functional = "from torch.nn import functional\n" * ("functional." in body)
    return (
        f'"""{about}"""\n\nimport torch\nfrom torch import nn\n{functional}\n'
        f"INPUTS = {dict(shapes)!a}\n\n\n{body}\n\n"
        'if __name__ == "__main__":\n'
        '    with torch.device("meta"):\n'
        "        network = Network()\n"
        '    print(f"{sum(p.numel() for p in network.parameters()):,} parameters")\n'
    )
