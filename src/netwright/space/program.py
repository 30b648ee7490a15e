"""A declaration as a program of decisions: which choice is taken next, given what was decided so far.

Nodes are compiled once into tasks. A task decides a choice, or opens further tasks depending on decided values. Knows
nothing of constraints, counts or networks.

Names are bits of an integer, so that a set of names is one number. Every task has two of them: ``mask``, the choices
that it and the tasks it may open take or read; and ``closed``, these with all that their domains depend on, directly or
through others. What is in ``closed`` of no pending task is neither a decision any more nor of any consequence.

Order: depth first as declared; the choices of an operation's arguments, then its children; a selector, then the branch
taken; a depth, then that many items; of a cell's node whether it is there, its edges (is it there, then its operation),
then its own operation. What a domain depends on is decided before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Union, cast

from netwright.errors import SpaceError, wrong
from netwright.space.expressions import Apply, Choice, Expr, domain_expressions
from netwright.space.nodes import Arg, Cell, CellNode, Node, OneOf, Op, Repeat
from netwright.space.trampoline import Recursion, gather, run
from netwright.space.values import Values, is_static, typed, values_of
from netwright.types import Value


@dataclass(frozen=True, eq=False, slots=True)
class Decide:
    """Take a choice, unless it is taken already.

    Args:
        choice: what is decided.
        bit: of its name.
        before: the choices that its domain reads.
        mask: its bit.
        closed: its bit and those of all that its domain depends on.
    """

    choice: Choice
    bit: int
    before: tuple[Choice, ...]
    mask: int
    closed: int


@dataclass(frozen=True, eq=False, slots=True)
class Fork:
    """Go on with the branch of the selector's value."""

    node: OneOf
    branches: Mapping[object, tuple[Task, ...]]
    mask: int
    closed: int

    def open(self, decisions: Mapping[str, Value]) -> tuple[Task, ...]:
        """Tasks of the branch taken.

        Raises:
            SpaceError: no branch stands for the selector's value.
        """
        value = self.node.selector.evaluate(decisions)
        try:
            return self.branches[typed(value)]
        except KeyError:
            raise SpaceError(uncovered(self.node, value)) from None


@dataclass(frozen=True, eq=False, slots=True)
class Unroll:
    """Go on with item number ``index`` and those behind it, where the depth reaches so far."""

    node: Repeat
    index: int
    tasks: tuple[Task, ...]
    mask: int
    closed: int

    def open(self, decisions: Mapping[str, Value]) -> tuple[Task, ...]:
        """Tasks of the item and of the rest of the repeat, or none."""
        return self.tasks if depth_of(self.node, decisions) > self.index else ()


@dataclass(frozen=True, eq=False, slots=True)
class When:
    """Go on only where a condition holds."""

    condition: Expr
    tasks: tuple[Task, ...]
    mask: int
    closed: int

    def open(self, decisions: Mapping[str, Value]) -> tuple[Task, ...]:
        """The tasks, or none."""
        return self.tasks if self.condition.evaluate(decisions) else ()


Task = Union[Decide, Fork, Unroll, When]


def uncovered(node: OneOf, value: Value) -> str:
    """The message for a selector's value that no branch stands for."""
    known = [key for key, _ in node.branches]
    return f"{node.selector!r} can be {value!r}, which no branch covers; branches: {known}; add one for {value!r}"


def depth_of(node: Repeat, decisions: Mapping[str, Value]) -> int:
    """How many items of a repeat are there.

    Raises:
        SpaceError: the depth is no whole number from 0 to the number of items.
    """
    depth = node.depth.evaluate(decisions) if isinstance(node.depth, Expr) else node.depth
    return checked_depth(node, depth)


def checked_depth(node: Repeat, depth: Value) -> int:
    """A depth that the repeat has items for.

    Raises:
        SpaceError: the depth is no whole number from 0 to the number of items.
    """
    if isinstance(depth, bool) or not isinstance(depth, int) or not 0 <= depth <= len(node.items):
        allowed = f"a whole number from 0 to {len(node.items)}, the number of items"
        raise SpaceError(wrong(f"depth ({node.depth!r})", depth, allowed, "give more items or bound the depth"))
    return depth


def argument_expressions(arg: Arg) -> Iterator[Expr]:
    """The expressions in an argument, at any depth of its tuples."""
    if isinstance(arg, Expr):
        yield arg
    elif isinstance(arg, tuple):
        for part in arg:
            yield from argument_expressions(part)


def evaluate_argument(arg: Arg, decisions: Mapping[str, Value]) -> Value:
    """An argument with its expressions worked out."""
    if isinstance(arg, Expr):
        return arg.evaluate(decisions)
    if isinstance(arg, tuple):
        return tuple(evaluate_argument(part, decisions) for part in arg)
    return arg


def is_present(present: Expr | bool | None, decisions: Mapping[str, Value]) -> bool:
    """Whether a node or an edge of a cell is there."""
    if isinstance(present, Expr):
        return bool(present.evaluate(decisions))
    return present is None or bool(present)


def reads(expression: Expr) -> tuple[Choice, ...]:
    """The choices whose values an expression needs; not those that only bound their domains."""
    found: dict[Choice, None] = {}
    pending: list[object] = [expression]
    while pending:
        part = pending.pop()
        if isinstance(part, Choice):
            found[part] = None
        elif isinstance(part, Apply):
            pending.extend(reversed(part.operands))
    return tuple(found)


@dataclass(eq=False)
class Program:
    """The compiled space.

    Args:
        root: the declaration; None where only training choices exist.
        training: arguments of the training recipe that may hold choices; decided last.
    """

    root: Node | None
    training: Mapping[str, Arg]
    choices: dict[str, Choice] = field(default_factory=dict, init=False)
    bits: dict[str, int] = field(default_factory=dict, init=False)
    structural: dict[str, None] = field(default_factory=dict, init=False)
    nodes: list[Node] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._decide: dict[str, Decide] = {}
        self._compiled: dict[int, tuple[Task, ...]] = {}
        self._static: dict[str, Values] = {}
        tasks: tuple[Task, ...] = run(self._compile(self.root)) if self.root is not None else ()
        self.tasks: tuple[Task, ...] = tasks + self._take(
            e for arg in self.training.values() for e in argument_expressions(arg)
        )
        self.ordered = tuple(self.choices)

    # --- compiling ---

    def _compile(self, node: Node) -> Recursion[tuple[Task, ...]]:
        if id(node) in self._compiled:
            return self._compiled[id(node)]
        self.nodes.append(node)
        if isinstance(node, Op):
            tasks: list[Task] = list(self._take(e for _, arg in node.args for e in argument_expressions(arg)))
            for child in node.children:
                tasks.extend((yield self._compile(child)))
            done = tuple(tasks)
        elif isinstance(node, OneOf):
            done = yield self._compile_one_of(node)
        elif isinstance(node, Repeat):
            done = yield self._compile_repeat(node)
        elif isinstance(node, Cell):
            done = yield self._compile_cell(node)
        else:
            raise SpaceError(wrong("node", node, "an operation, one_of, repeat or cell", "see netwright.nn"))
        self._compiled[id(node)] = done
        return done

    def _compile_one_of(self, node: OneOf) -> Recursion[tuple[Task, ...]]:
        before = self._take([node.selector], structural=True)
        branches: dict[object, tuple[Task, ...]] = {}
        for value, branch in node.branches:
            branches[typed(value)] = yield self._compile(branch)
        mask, closed = self._masks([node.selector], [task for tasks in branches.values() for task in tasks])
        return (*before, Fork(node, branches, mask, closed))

    def _compile_repeat(self, node: Repeat) -> Recursion[tuple[Task, ...]]:
        depth = [node.depth] if isinstance(node.depth, Expr) else []
        before = self._take(depth, structural=True)
        items: list[tuple[Task, ...]] = yield gather(self._compile(item) for item in node.items)
        if not depth:
            return tuple(task for item in items[: depth_of(node, {})] for task in item)
        chain: tuple[Task, ...] = ()
        for index in reversed(range(len(items))):
            tasks = (*items[index], *chain)
            chain = (Unroll(node, index, tasks, *self._masks(depth, tasks)),)
        return (*before, *chain)

    def _compile_cell(self, cell: Cell) -> Recursion[tuple[Task, ...]]:
        tasks: list[Task] = []
        for node in cell.nodes:
            inner: tuple[Task, ...] = yield self._compile_cell_node(cell, node)
            tasks.extend(self._guard(node.present, inner))
        return tuple(tasks)

    def _compile_cell_node(self, cell: Cell, node: CellNode) -> Recursion[tuple[Task, ...]]:
        tasks: list[Task] = []
        for edge in node.edges:
            op: tuple[Task, ...] = yield self._compile(edge.op)
            guarded = self._guard(edge.present, op)
            source = cell.nodes[edge.source - cell.num_inputs] if edge.source >= cell.num_inputs else None
            tasks.extend(self._guard(source.present, guarded) if source is not None else guarded)
        if node.op is not None:
            tasks.extend((yield self._compile(node.op)))
        return tuple(tasks)

    def _guard(self, present: Expr | bool | None, tasks: tuple[Task, ...]) -> tuple[Task, ...]:
        """Decide whether something is there, then its tasks if it is."""
        if not isinstance(present, Expr):
            return tasks if is_present(present, {}) else ()
        before = self._take([present], structural=True)
        return (*before, When(present, tasks, *self._masks([present], tasks)))

    def _masks(self, expressions: Iterable[Expr], tasks: Sequence[Task]) -> tuple[int, int]:
        mask = closed = 0
        for choice in (c for e in expressions for c in reads(e)):
            decide = self._decide[choice.name]
            mask, closed = mask | decide.mask, closed | decide.closed
        for task in tasks:
            mask, closed = mask | task.mask, closed | task.closed
        return mask, closed

    def _take(self, expressions: Iterable[Expr], *, structural: bool = False) -> tuple[Task, ...]:
        tasks: list[Task] = []
        for expression in expressions:
            tasks += map(self._register, expression.choices())
            if structural:
                self.structural.update((c.name, None) for c in reads(expression))
        return tuple(dict.fromkeys(tasks))

    def _register(self, choice: Choice) -> Decide:
        known = self.choices.get(choice.name)
        if known is not None:
            if known is not choice and not same_domain(known.domain, choice.domain):
                raise SpaceError(
                    f"two choices are named {choice.name!r} and differ: {known.domain!r} and {choice.domain!r}; "
                    "one name is one decision: rename one, or give both the same values"
                )
            return self._decide[choice.name]
        before = tuple(dict.fromkeys(c for e in domain_expressions(choice.domain) for c in reads(e)))
        closed = 0
        for other in before:
            closed |= self._register(other).closed
            self.structural[other.name] = None
        bit = 1 << len(self.choices)
        self.choices[choice.name] = choice
        self.bits[choice.name] = bit
        self._decide[choice.name] = Decide(choice, bit, before, bit, closed | bit)
        return self._decide[choice.name]

    # --- running ---

    def decide(self, name: str) -> Decide:
        """The task that takes a choice."""
        return self._decide[name]

    def values(self, choice: Choice, decisions: Mapping[str, Value]) -> Values:
        """The values a choice may take, given the decisions it depends on."""
        if not is_static(choice.domain):
            return values_of(self.choices[choice.name], decisions)
        if choice.name not in self._static:
            self._static[choice.name] = values_of(choice, {})
        return self._static[choice.name]

    def active(self, decisions: Mapping[str, Value]) -> Iterator[Choice]:
        """The choices that are decisions of an architecture, in order.

        Args:
            decisions: may grow while this runs; a choice's value is read only after it was given out.

        Yields:
            Each active choice once, when everything it depends on was given out.
        """
        seen: set[str] = set()
        agenda: list[Task] = list(reversed(self.tasks))
        while agenda:
            task = agenda.pop()
            if not isinstance(task, Decide):
                agenda.extend(reversed(task.open(decisions)))
            elif task.choice.name not in seen:
                seen.add(task.choice.name)
                yield task.choice


def same_domain(a: object, b: object) -> bool:
    """Whether two domains are the same: of one kind, with the same values and the same expressions."""
    if isinstance(a, Choice) and isinstance(b, Choice):
        return a is b or (a.name == b.name and same_domain(a.domain, b.domain))
    if isinstance(a, Apply) and isinstance(b, Apply):
        return a.operator == b.operator and same_domain(a.operands, b.operands)
    if a.__class__ is not b.__class__:
        return False
    if isinstance(a, tuple):
        other = cast(tuple[object, ...], b)
        return len(a) == len(other) and all(same_domain(x, y) for x, y in zip(a, other, strict=True))
    if hasattr(a, "__dataclass_fields__"):
        return all(same_domain(getattr(a, name), getattr(b, name)) for name in a.__dataclass_fields__)
    return a == b
