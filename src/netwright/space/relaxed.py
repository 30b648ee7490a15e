"""What the choices of a space may be, listed, and which of them can be so together: what a relaxation mixes over.

A relaxed network gives every value of every choice a weight. It needs the values of choices whose domain depends on
others, the combinations of a few choices that can occur, and how likely an event is that reads several of them. Knows
no torch and no networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

from netwright.errors import SpaceError, wrong
from netwright.space.expressions import Choice, Real, domain_expressions
from netwright.space.nodes import CellNode, Node, OneOf, Op, Repeat, child_nodes
from netwright.space.program import argument_expressions, reads
from netwright.space.search_space import SearchSpace
from netwright.space.values import Continuous, each, typed, values_of
from netwright.types import Architecture, Value

MOST_VALUES = 128
"""Values of one choice that are given a weight each."""

MOST_CASES = 4096
"""Combinations of the values of choices that meet in one operation."""

Case = Mapping[str, Value]
"""A value for each of several choices."""


@dataclass(frozen=True)
class Event:
    """Something that is true of some values of a few choices.

    Args:
        names: of the choices.
        cases: numbers of their values, in each combination of which it is true.
        certain: whether it is true of all combinations there are.
        allowed: by choice whose domain depends on others: in each case, the numbers of the values it may have.
    """

    names: tuple[str, ...]
    cases: tuple[tuple[int, ...], ...]
    certain: bool = False
    allowed: tuple[tuple[str, tuple[tuple[int, ...], ...]], ...] = field(default=(), repr=False)

    @property
    def impossible(self) -> bool:
        """Whether it is true of none."""
        return not self.cases


CERTAIN = Event((), ((),), certain=True)


class Universe:
    """The choices of a network and their values.

    Args:
        space: whose.
        fixed: choices that have one value only; real ones, which cannot be listed, have the middle of their range if
            they are not among them.

    Raises:
        SpaceError: a choice has more values than are given a weight each.

    Example:
        >>> from netwright.space import Op, OneOf, choice
        >>> width = choice("width", [8, 16])
        >>> kernel = choice("kernel", {8: [3, 5], 16: [3]}, on=width)
        >>> universe = Universe(SearchSpace(Op("conv", (("channels", width), ("kernel", kernel)))))
        >>> universe.values["kernel"], [tuple(case.values()) for case in universe.cases(["kernel"])]
        ((3, 5), [(8, 3), (8, 5), (16, 3)])
    """

    def __init__(self, space: SearchSpace, fixed: Mapping[str, Value] | None = None) -> None:
        self._choices: Mapping[str, Choice] = space.choices
        self._structure: Node | None = space.root
        self.fixed: dict[str, Value] = {}
        for name, choice in self._choices.items():
            if isinstance(choice.domain, Real):
                self.fixed[name] = Continuous(choice.domain.low, choice.domain.high, choice.domain.log).at(0)
        self.fixed |= dict(fixed or {})
        self.values: dict[str, tuple[Value, ...]] = {}
        for name in names_in(space.root) if space.root is not None else ():
            self._list(name)

    def limited(self, fixed: Mapping[str, Value]) -> Universe:
        """The same choices and numbers of values, where some choices are decided."""
        limited = copy(self)
        limited.fixed = {**self.fixed, **fixed}
        return limited

    def _list(self, name: str) -> None:
        if name in self.values or name in self.fixed:
            return
        for other in self._parents(name):
            self._list(other)
        found: dict[object, Value] = {}
        for case in self.cases(self._parents(name)):
            values = values_of(self._choices[name], {**self.fixed, **case})
            if values.size > MOST_VALUES:
                allowed = f"at most {MOST_VALUES}, each of which has a weight"
                raise SpaceError(wrong(f"number of values of {name!r}", values.size, allowed, "take a coarser step"))
            found |= {typed(value): value for value in each(values)}
        self.values[name] = tuple(found.values())

    def _parents(self, name: str) -> list[str]:
        """The choices that a domain reads, but for those that are fixed."""
        read = (c.name for e in domain_expressions(self._choices[name].domain) for c in reads(e))
        return [other for other in dict.fromkeys(read) if other not in self.fixed]

    def number(self, name: str, value: Value) -> int:
        """Number of a value of a choice.

        Raises:
            SpaceError: it is none of its values.
        """
        keys = [typed(v) for v in self.values[name]]
        if typed(value) not in keys:
            raise SpaceError(wrong(f"decision {name!r}", value, f"one of {list(self.values[name])}"))
        return keys.index(typed(value))

    def open_numbers(self, name: str, numbers: Mapping[str, int]) -> list[int]:
        """Numbers of the values that a choice may have, given those of the choices that its domain depends on."""
        case = {other: self.values[other][numbers[other]] for other in self._parents(name)}
        return [self.number(name, value) for value in self._open(name, case)]

    def closure(self, names: Iterable[str]) -> tuple[str, ...]:
        """These choices and all that their domains depend on, those first; without the fixed ones."""
        ordered: dict[str, None] = {}

        def add(name: str) -> None:
            if name in self.fixed or name in ordered:
                return
            for other in self._parents(name):
                add(other)
            ordered[name] = None

        for name in names:
            add(name)
        return tuple(ordered)

    def cases(self, names: Iterable[str]) -> list[dict[str, Value]]:
        """The combinations of values of these choices, and of those that they depend on, that can occur.

        Raises:
            SpaceError: there are too many; names the choices.
        """
        found: list[dict[str, Value]] = [{}]
        ordered = self.closure(names)
        for name in ordered:
            found = [{**case, name: value} for case in found for value in self._open(name, case)]
            if len(found) > MOST_CASES:
                cure = "let fewer sizes depend on each other, give them fewer values, or search the space by sampling"
                raise SpaceError(
                    wrong(f"combinations of {', '.join(ordered)} in one operation", "more", f"<= {MOST_CASES}", cure)
                )
        return found

    def _open(self, name: str, case: Case) -> list[Value]:
        return list(each(values_of(self._choices[name], {**self.fixed, **case})))

    def event(self, names: Iterable[str], holds: Callable[[Case], bool]) -> Event:
        """The event that a condition on these choices holds.

        Args:
            names: of the choices that the condition reads.
            holds: whether it does; gets the fixed choices, too.
        """
        ordered, cases = self.closure(names), self.cases(names)
        true = [case for case in cases if holds({**self.fixed, **case})]
        return self.event_of(ordered, true, certain=len(true) == len(cases))

    def event_of(self, ordered: tuple[str, ...], true: Sequence[Case], *, certain: bool = False) -> Event:
        """The event of some of the combinations that `cases` gave."""
        if certain:
            return CERTAIN
        numbers = tuple(tuple(self.number(name, case[name]) for name in ordered) for case in true)
        allowed = tuple(
            (name, tuple(tuple(self.number(name, v) for v in self._open(name, case)) for case in true))
            for name in ordered
            if domain_expressions(self._choices[name].domain)
        )
        return Event(ordered, numbers, allowed=allowed)

    def completed(self, architecture: Architecture) -> dict[str, Value]:
        """A value for every choice that is listed: an architecture's, or the first that is open where it has none."""
        done: dict[str, Value] = {}
        for name in self.closure(self.values):
            done[name] = architecture[name] if name in architecture else self._open(name, done)[0]
        return done


def names_in(node: Node) -> tuple[str, ...]:
    """The choices that are read anywhere in a declaration, in order."""
    found: dict[str, None] = {}
    pending: list[Node] = [node]
    while pending:
        inner = pending.pop()
        for expression in _expressions(inner):
            found.update((choice.name, None) for choice in reads(expression))  # type: ignore[arg-type]
        pending.extend(reversed(child_nodes(inner)))
    return tuple(found)


def _expressions(node: Node) -> Iterator[object]:
    """The expressions of one node, without those inside it."""
    if isinstance(node, Op):
        for _, arg in node.args:
            yield from argument_expressions(arg)
    elif isinstance(node, OneOf):
        yield node.selector
    elif isinstance(node, Repeat):
        yield from argument_expressions(node.depth)
    else:
        for cell_node in node.nodes:
            yield from _conditions(cell_node)


def _conditions(cell_node: CellNode) -> Iterator[object]:
    for present in (cell_node.present, *(edge.present for edge in cell_node.edges)):
        yield from argument_expressions(present)
