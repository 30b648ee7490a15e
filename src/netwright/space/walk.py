"""A walk through a space: one choice after the other, each with the values that still lead to an architecture.

For strategies that decide step by step, such as a controller. What constraints, branches and depths leave open is known
at every step, and how many architectures lie behind each value, so that a walk never has to turn back. The exception
are constraints that hold by rejection: a walk may end in decisions that break one, and says so.

Knows nothing of who decides, or why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

import numpy as np

from netwright.errors import SpaceError, wrong
from netwright.space.coded_rows import CodedRows
from netwright.space.constraints import holds
from netwright.space.diagram import Diagram, State
from netwright.space.expressions import Choice, Expr
from netwright.space.program import Program
from netwright.space.values import Listed, Values, canonical
from netwright.types import Architecture, Value

KEPT = 1_000
"""Steps with at least so many rows behind them are remembered: there are few, and they take long to work out."""


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Step:
    """A choice that is to be decided.

    Args:
        choice: which.
        options: the values that lead to an architecture, all of them; listed where the choice of one changes what is
            open later, else as the domain has them, so that a range of a billion or a real range is not listed.
        weights: number of architectures behind each option; None where behind all there are equally many.
    """

    choice: Choice
    options: Values
    weights: tuple[int, ...] | None

    def checked(self, value: Value) -> Value:
        """A value as the space writes it.

        Raises:
            SpaceError: it is not among the options.
        """
        try:
            return canonical(self.options, value)
        except LookupError:
            allowed = self.options.allowed(value)
            raise SpaceError(wrong(f"decision {self.choice.name!r}", value, allowed, "take an allowed value")) from None


class Walk(Protocol):
    """An architecture in the making.

    Attributes:
        step: what is to be decided next; None at the end. The same object comes again where the same is to be decided
            with the same options, as far as it was remembered.
        decisions: what was decided so far, in order.
    """

    @property
    def step(self) -> Step | None: ...

    @property
    def decisions(self) -> Mapping[str, Value]: ...

    def take(self, value: Value) -> None:
        """Decide what is to be decided, and go on.

        Raises:
            SpaceError: the walk is at its end, or the value is not among the options.
        """

    def architecture(self) -> Architecture | None:
        """What the decisions make; None where they break a constraint that holds by rejection.

        Raises:
            SpaceError: something is still to be decided.
        """


class DiagramSteps:
    """The steps of a space with a diagram, each made once.

    Args:
        diagram: of the space, counted.
        rejected: constraints that are not in the diagram.
    """

    def __init__(self, diagram: Diagram, rejected: tuple[Expr, ...]) -> None:
        self.rejected = rejected
        self._diagram = diagram
        self._steps: dict[State, Step] = {}

    @property
    def root(self) -> State:
        """Where every walk starts."""
        return cast(State, self._diagram.root)

    def at(self, state: State) -> Step | None:
        """The step at a state; None at the end."""
        if state.choice is None:
            return None
        step = self._steps.get(state)
        if step is None:
            step = self._steps[state] = self._make(state, state.choice)
        return step

    def _make(self, state: State, choice: Choice) -> Step:
        edges = self._diagram.expand(state)
        if edges[0].values is not None:
            return Step(choice, edges[0].values, None)
        counts = tuple(self._diagram.count(edge.child) for edge in edges)
        return Step(choice, Listed(tuple(edge.value for edge in edges)), counts)

    def after(self, state: State, step: Step, value: Value) -> State:
        """The state that an option of a step leads to."""
        edges = self._diagram.expand(state)
        number = step.options.position(value) if edges[0].values is None else 0
        return edges[cast(int, number)].child


class DiagramWalk:
    """A walk along a diagram; see `Walk`."""

    def __init__(self, steps: DiagramSteps) -> None:
        self.decisions: dict[str, Value] = {}
        self._steps = steps
        self._state = steps.root
        self.step = steps.at(self._state)

    def take(self, value: Value) -> None:
        step = require_open(self.step, value)
        value = step.checked(value)
        self.decisions[step.choice.name] = value
        self._state = self._steps.after(self._state, step, value)
        self.step = self._steps.at(self._state)

    def architecture(self) -> Architecture | None:
        require_ended(self.step)
        kept = all(holds(constraint, self.decisions) for constraint in self._steps.rejected)
        return Architecture(self.decisions) if kept else None


class Crossing(NamedTuple):
    """A step on the way along rows.

    Args:
        step: what is to be decided.
        codes: of the choice, for the rows that are left, shape (rows left,).
        option_codes: code of each option.
    """

    step: Step
    codes: np.ndarray
    option_codes: Sequence[int]


class RowSteps:
    """The steps of a space of rows; those that most walks pass are made once.

    Args:
        program: of the declaration.
        rows: which architectures there are.
    """

    def __init__(self, program: Program, rows: CodedRows) -> None:
        self.program = program
        self.rows = rows
        self._columns = {name: column for column, name in enumerate(rows.values)}
        self._kept: dict[tuple[int, ...], Crossing] = {}

    def at(self, choice: Choice, taken: tuple[int, ...], left: np.ndarray | None) -> Crossing:
        """The step of a choice.

        Args:
            choice: what is to be decided.
            taken: codes of the decisions so far, in order.
            left: numbers of the rows that have them; None for all.
        """
        kept = self._kept.get(taken)
        if kept is not None:
            return kept
        column = self.rows.codes[:, self._columns[choice.name]]
        codes = column if left is None else column[left]
        counts = np.bincount(codes)
        present = np.flatnonzero(counts).tolist()  # never 0: an active choice is a decision of every row that is left
        values = self.rows.values[choice.name]
        step = Step(choice, Listed(tuple(values[code - 1] for code in present)), tuple(counts[present].tolist()))
        crossing = Crossing(step, codes, present)
        if len(codes) >= KEPT:
            self._kept[taken] = crossing
        return crossing


class RowsWalk:
    """A walk along the rows of a table; see `Walk`."""

    def __init__(self, steps: RowSteps) -> None:
        self.decisions: dict[str, Value] = {}
        self._steps = steps
        self._taken: tuple[int, ...] = ()
        self._left: np.ndarray | None = None
        self._active = steps.program.active(self.decisions)
        self._crossing = self._next()

    @property
    def step(self) -> Step | None:
        return self._crossing.step if self._crossing is not None else None

    def _next(self) -> Crossing | None:
        choice = next(self._active, None)
        return None if choice is None else self._steps.at(choice, self._taken, self._left)

    def take(self, value: Value) -> None:
        step = require_open(self.step, value)
        value = step.checked(value)
        crossing = cast(Crossing, self._crossing)
        code = crossing.option_codes[cast(int, step.options.position(value))]
        matching = np.flatnonzero(crossing.codes == code)
        self.decisions[step.choice.name] = value
        self._taken = (*self._taken, code)
        self._left = matching if self._left is None else self._left[matching]
        self._crossing = self._next()

    def architecture(self) -> Architecture | None:
        require_ended(self.step)
        return Architecture(self.decisions)


def require_open(step: Step | None, value: Value) -> Step:
    """The step of a walk that is not at its end.

    Raises:
        SpaceError: there is none.
    """
    if step is None:
        raise SpaceError(wrong("decision", value, "left out: everything is decided", "begin another walk"))
    return step


def require_ended(step: Step | None) -> None:
    """Refuse a walk that is not at its end.

    Raises:
        SpaceError: something is still to be decided.
    """
    if step is not None:
        raise SpaceError(f"the walk is not at its end: {step.choice!r} is to be decided; take one of its options")
