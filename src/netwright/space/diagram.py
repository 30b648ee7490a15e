"""The valid architectures of a space as a decision diagram: counted, sampled and enumerated without listing them.

A state is what is left to do: the pending tasks (an immutable linked list), the decided values that they still read,
and what is left of the constraints. Two partial architectures with the same state have the same completions, so a state
is expanded and counted once. Every path from the root to the end is a different valid architecture.

This is a reduced ordered multi-valued decision diagram found by progression, after Bryant 1986 (Graph-based algorithms
for Boolean function manipulation) and the derivatives of Brzozowski 1964; the order of decisions may differ between
branches. Knows nothing of networks.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import accumulate
from operator import attrgetter
from typing import TypeVar, cast

from netwright.errors import SpaceError
from netwright.space.expressions import Choice, Expr
from netwright.space.program import Decide, Program, Task
from netwright.space.residual import Form, Forms
from netwright.space.values import Continuous, Stepped, Values, each
from netwright.types import Value

_LOGGER = logging.getLogger(__name__)
_NUMBER = attrgetter("number")

LISTED_LIMIT = 100_000
"""The most values of one choice that are told apart; more are fine where nothing depends on which one is taken."""


class DiagramTooLargeError(Exception):
    """The diagram needs more states than allowed; never leaves this package."""


class Agenda:
    """Linked list of pending tasks; interned, so that equal lists are the same object.

    Args:
        task: what comes first.
        rest: what comes after it; None at the end.

    ``mask`` and ``closed`` are those of all its tasks (see `program`).
    """

    __slots__ = ("closed", "mask", "rest", "task")

    def __init__(self, task: Task, rest: Agenda | None) -> None:
        self.task = task
        self.rest = rest
        self.mask: int = task.mask | (rest.mask if rest else 0)
        self.closed: int = task.closed | (rest.closed if rest else 0)


class Edge:
    """Values of the state's choice that lead to the same state.

    Args:
        value: the one value, where ``values`` is None.
        values: all the values of the choice, where nothing depends on which one is taken.
        child: the state then.
    """

    __slots__ = ("child", "value", "values", "width")

    def __init__(self, value: Value, values: Values | None, child: State) -> None:
        self.value = value
        self.values = values
        self.child = child
        self.width = 1 if values is None else values.size


class State:
    """A point in the diagram. ``choice`` is None at the end.

    Args:
        choice: what is decided next.
        agenda: what is done after that.
        decided: values still read by what is pending.
        forms: what is left of the constraints.

    ``closed`` are the bits of all that may still be decided or read, ``values`` what the choice may be. Found when they
    are first needed: ``edges``, ``count`` (completions), ``ends`` (completions up to and with each edge).
    """

    __slots__ = ("agenda", "choice", "closed", "count", "decided", "edges", "ends", "forms", "values")

    def __init__(
        self, choice: Choice | None, agenda: Agenda | None, decided: dict[str, Value], forms: tuple[Form, ...]
    ) -> None:
        self.choice = choice
        self.agenda = agenda
        self.decided = decided
        self.forms = forms
        self.closed = 0
        self.values: Values | None = None
        self.edges: tuple[Edge, ...] | None = None
        self.count: int | None = None
        self.ends: list[int] = []


class Diagram:
    """The diagram of a program under constraints; states are made when they are reached.

    Args:
        program: the compiled space.
        constraints: those that are folded in; they read no real choice.
        state_limit: the most states.
    """

    def __init__(self, program: Program, constraints: Sequence[Expr], state_limit: int) -> None:
        self._program = program
        self._limit = state_limit
        self._forms = Forms(program)
        self._agendas: dict[tuple[int, int], Agenda] = {}
        self._pushed: dict[tuple[int, int], Agenda | None] = {}
        self._states: dict[object, State] = {}
        self._dependent = sum(d.bit for d in map(program.decide, program.choices) if d.before)
        forms = tuple(form for constraint in constraints for form in self._forms.constraint(constraint))
        start = self._open(self._push(program.tasks, None), {})
        settled = self._settle(forms, start)
        self.root = None if settled is None else self._state(start, {}, settled)

    @property
    def num_states(self) -> int:
        """States made so far."""
        return len(self._states)

    # --- progression ---

    def _push(self, tasks: tuple[Task, ...], rest: Agenda | None) -> Agenda | None:
        """Put tasks in front of an agenda. Tasks and agendas live as long as the diagram, so their ids are keys."""
        if not tasks:
            return rest
        key = (id(tasks), id(rest))
        if key not in self._pushed:
            for task in reversed(tasks):
                at = (id(task), id(rest))
                if at not in self._agendas:
                    self._agendas[at] = Agenda(task, rest)
                rest = self._agendas[at]
            self._pushed[key] = rest
        return self._pushed[key]

    def _open(self, agenda: Agenda | None, decided: dict[str, Value]) -> Agenda | None:
        """Open tasks until the first is an open choice; None where nothing is left to decide."""
        while agenda is not None:
            task = agenda.task
            if not isinstance(task, Decide):
                agenda = self._push(task.open(decided), agenda.rest)
            elif task.choice.name in decided:
                agenda = agenda.rest
            else:
                break
        return agenda

    def _settle(self, forms: tuple[Form, ...], agenda: Agenda | None) -> tuple[Form, ...] | None:
        """Take out of the constraints what can no longer become active; None where one is broken."""
        lost = ~agenda.closed if agenda is not None else -1
        kept: dict[Form, None] = {}
        for form in forms:
            left = self._forms.deactivate(form, lost) if form.mask & lost else form
            if left is self._forms.false:
                return None
            if left is not self._forms.true:
                kept[left] = None
        return tuple(sorted(kept, key=_NUMBER))

    def _restrict(self, agenda: Agenda | None, decided: dict[str, Value]) -> dict[str, Value]:
        """Forget the values that nothing pending reads, so that states which differ in them alone are one."""
        if not decided or agenda is None:
            return {}
        bits = self._program.bits
        known = 0
        for name in decided:
            known |= bits[name]
        needed = agenda.mask
        open_bits = needed & ~known & self._dependent
        while open_bits:  # what the domains of undecided choices read
            name = self._program.ordered[(open_bits & -open_bits).bit_length() - 1]
            open_bits &= open_bits - 1
            for other in self._program.decide(name).before:
                bit = bits[other.name]
                if not needed & bit:
                    needed |= bit
                    open_bits |= bit & ~known & self._dependent
        return {name: value for name, value in decided.items() if bits[name] & needed}

    def _state(self, agenda: Agenda | None, decided: dict[str, Value], forms: tuple[Form, ...]) -> State:
        """The state of an opened agenda, restricted values and settled constraints; the same object for equal ones."""
        bits = self._program.bits
        frontier = tuple(sorted(decided.items(), key=lambda item: bits[item[0]])) if decided else ()
        key = (id(agenda), frontier, forms)
        state = self._states.get(key)
        if state is None:
            if len(self._states) >= self._limit:
                raise DiagramTooLargeError
            task = agenda.task if agenda is not None else None
            choice = task.choice if isinstance(task, Decide) else None
            state = self._states[key] = State(choice, agenda.rest if agenda else None, decided, forms)
            state.closed = agenda.closed if agenda else 0
            if choice is None:
                state.edges, state.count = (), 1
            else:
                state.values = self._program.values(choice, decided)
        return state

    def expand(self, state: State) -> tuple[Edge, ...]:
        """The edges out of a state, in the order of the values; only those that are not known to lead nowhere."""
        if state.edges is None:
            state.edges = tuple(self._expand(state))
        return state.edges

    def _expand(self, state: State) -> Iterator[Edge]:
        """One edge for all values where nothing depends on which one is taken, else one for each."""
        choice, values = state.choice, state.values
        assert choice is not None
        assert values is not None
        bit = self._program.bits[choice.name]
        if isinstance(values, Continuous) or not (self._is_read(state, bit) or any(f.mask & bit for f in state.forms)):
            agenda = self._open(state.agenda, state.decided)
            forms = self._settle(state.forms, agenda)
            if values.size and forms is not None:
                yield Edge(None, values, self._state(agenda, self._restrict(agenda, state.decided), forms))
        elif values.size > LISTED_LIMIT:
            raise DiagramTooLargeError
        else:
            yield from self._expand_each(state, choice, values, bit)

    def _expand_each(self, state: State, choice: Choice, values: Values, bit: int) -> Iterator[Edge]:
        """An edge for each value: the pending tasks or the constraints depend on which one is taken."""
        reading = [form for form in state.forms if form.mask & bit]
        others = tuple(form for form in state.forms if not form.mask & bit)
        read = self._is_read(state, bit)
        agenda, decided = state.agenda, state.decided
        if not read:  # what is pending is the same for all values
            agenda = self._open(agenda, decided)
            decided = self._restrict(agenda, decided)
        for value in each(values):
            left = [self._forms.decide(form, bit, value) for form in reading]
            if self._forms.false in left:
                continue
            if read:
                known = {**state.decided, choice.name: value}
                agenda = self._open(state.agenda, known)
                decided = self._restrict(agenda, known)
            forms = self._settle((*others, *left), agenda)
            if forms is not None:
                yield Edge(value, None, self._state(agenda, decided, forms))

    def _is_read(self, state: State, bit: int) -> bool:
        """Whether what is pending may read the choice that is taken now."""
        return state.agenda is not None and bool(state.agenda.closed & bit)

    # --- counting ---

    def count(self, state: State | None) -> int:
        """How many valid architectures a state completes to; real choices count once."""
        if state is None:
            return 0
        if state.count is not None:
            return state.count
        stack = [state]
        while stack:
            top = stack[-1]
            if top.count is not None:
                stack.pop()
                continue
            waiting = [edge.child for edge in self.expand(top) if edge.child.count is None]
            if waiting:
                stack.extend(waiting)
                continue
            self._close(top)
            stack.pop()
        return cast(int, state.count)

    def _close(self, state: State) -> None:
        """Count a state whose children are counted; edges that lead nowhere go."""
        state.edges = tuple(edge for edge in self.expand(state) if edge.child.count)
        state.ends = list(accumulate(edge.width * (edge.child.count or 0) for edge in state.edges))
        state.count = state.ends[-1] if state.ends else 0

    def reaches(self, names: Collection[str]) -> bool:
        """Whether some architecture decides one of these choices; after counting."""
        return any(s.count and s.choice is not None and s.choice.name in names for s in self._states.values())

    def bounds(self, name: str) -> tuple[int, int]:
        """Smallest and largest value that an integer choice has in any architecture; (0, 0) if none has it."""
        ranges = [s.values for s in self._states.values() if s.count and s.choice is not None and s.choice.name == name]
        found = [r for r in ranges if isinstance(r, Stepped)]
        return min((r.low for r in found), default=0), max((r.high for r in found), default=0)

    # --- numbering ---

    def unrank(self, index: int) -> dict[str, Value]:
        """Architecture number ``index`` in the order of enumeration; reals are at their middle."""
        state = self.root
        self.count(state)
        decisions: dict[str, Value] = {}
        while state is not None and state.choice is not None:
            assert state.edges is not None
            taken = bisect_right(state.ends, index)
            if taken:
                index -= state.ends[taken - 1]
            edge = state.edges[taken]
            child = edge.child
            if edge.values is None:
                decisions[state.choice.name] = edge.value
            else:
                assert child.count is not None
                position, index = divmod(index, child.count)
                decisions[state.choice.name] = edge.values.at(position)
            state = child
        return decisions

    def rank(self, decisions: Mapping[str, Value]) -> int:
        """Number of an architecture in the order of enumeration.

        Raises:
            SpaceError: the diagram does not hold it.
        """
        state, index = self.root, 0
        self.count(state)
        while state is not None and state.choice is not None:
            edge, below, position = self.find(state, decisions[state.choice.name])
            index += below + position * self.count(edge.child)
            state = edge.child
        return index

    def find(self, state: State, value: Value) -> tuple[Edge, int, int]:
        """The edge of a value, how many architectures come before the edge, and the value's position in it.

        Raises:
            SpaceError: the value leads to no valid architecture.
        """
        assert state.values is not None
        position = state.values.position(value)
        before = 0
        for edge in self.expand(state):
            if edge.values is not None and position is not None:
                return edge, before, position
            if edge.values is None and position is not None and state.values.position(edge.value) == position:
                return edge, before, 0
            before += edge.width * self.count(edge.child)
        raise SpaceError(f"no valid architecture has {state.choice!r} = {value!r} here")

    def enumerate(self) -> Iterator[dict[str, Value]]:
        """All valid architectures, each once, in order."""
        return walk(self.root, self._steps, choice_of) if self.root is not None else iter(())

    def _steps(self, state: State) -> Iterator[tuple[Value, State]]:
        for edge in self.expand(state):
            if self.count(edge.child):
                for value in each(edge.values) if edge.values is not None else (edge.value,):
                    yield value, edge.child


Place = TypeVar("Place")


def choice_of(state: State) -> Choice | None:
    """What is decided next; None at the end."""
    return state.choice


def walk(
    root: Place, steps: Callable[[Place], Iterator[tuple[Value, Place]]], choice_at: Callable[[Place], Choice | None]
) -> Iterator[dict[str, Value]]:
    """All ways from a place to the end.

    Args:
        root: where to start.
        steps: the values to go on with, and the places then; none of them may lead nowhere.
        choice_at: what is decided at a place; None at the end.
    """
    choice = choice_at(root)
    if choice is None:
        yield {}
        return
    names = [choice.name]
    taken: list[Value] = [None]
    open_steps = [steps(root)]
    while open_steps:
        step = next(open_steps[-1], None)
        if step is None:
            del open_steps[-1], names[-1], taken[-1]
            continue
        taken[-1], child = step
        choice = choice_at(child)
        if choice is None:
            yield dict(zip(names, taken, strict=True))
        else:
            open_steps.append(steps(child))
            names.append(choice.name)
            taken.append(None)


def largest_diagram(program: Program, constraints: Sequence[Expr], state_limit: int) -> tuple[Diagram, Sequence[Expr]]:
    """The diagram with as many of the constraints as it can hold, and which they are.

    Args:
        program: of the space.
        constraints: those that are to be kept first.
        state_limit: states that it may have.

    Raises:
        SpaceError: it is too large without any, or holds no architecture.
    """
    folded = constraints
    while True:
        try:
            diagram = Diagram(program, folded, state_limit)
            total = diagram.count(diagram.root)
            break
        except DiagramTooLargeError:
            if not folded:
                raise SpaceError(
                    f"the space is too entangled to be counted: more than {state_limit} states; let fewer "
                    "choices depend on each other, make their domains smaller, or raise state_limit"
                ) from None
            _LOGGER.info("diagram too large with %d constraints; leaving out %r", len(folded), folded[-1])
            folded = folded[: len(folded) // 2]
    if not total:
        listed = "; ".join(map(repr, folded)) or "none"
        raise SpaceError(f"the space has no architecture; its constraints exclude all: {listed}; relax one")
    return diagram, folded
