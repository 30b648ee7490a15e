"""Steps from one architecture to another: neighbours, mutation, crossover.

All three are walks through the decision diagram under rules: a decision the parent has must keep its value, must
change it, or must take a parent's; a decision without a rule is free. What a rule excludes is looked ahead with the
same counting the diagram does, so that a walk never has to turn back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Union

import numpy as np

from netwright.errors import SpaceError
from netwright.space.chain import Chain
from netwright.space.constraints import holds
from netwright.space.diagram import Diagram, Edge, State, walk
from netwright.space.draws import weighted
from netwright.space.expressions import Choice, Expr
from netwright.space.program import Program
from netwright.space.rules import Change, Keep, Rule, draw_allowed, draw_value, listed, number_of, permitted
from netwright.space.values import typed
from netwright.types import Architecture, Value

ATTEMPTS = 1_000
"""How often a move is drawn again where constraints hold by rejection."""

SETS = 32
"""How many sets of decisions to change are tried before all children are counted."""


def fill_reals(
    program: Program, decisions: dict[str, Value], reals: frozenset[str], rng: np.random.Generator
) -> dict[str, Value]:
    """Draw the real choices among the decisions, in order; changes and returns ``decisions``."""
    if reals:
        for name in decisions:
            if name in reals:
                decisions[name] = draw_value(program.values(program.choices[name], {}), rng)
    return decisions


Place = tuple[State, int]
"""A state, and the bits of the decisions that still have to change."""

Way = tuple[Edge, Union[Sequence[Value], int], Place]
"""An edge, the values that a rule allows on it, and the place then."""


class Guide:
    """Counts the completions of a state that follow rules, and walks along them.

    Args:
        diagram: of the space, counted.
        rules: by name of the choice. A decision that must change must also stay a decision.
        bits: bit of every name.
    """

    def __init__(self, diagram: Diagram, rules: Mapping[str, Rule], bits: Mapping[str, int]) -> None:
        self._diagram = diagram
        self._rules = rules
        self._bits = bits
        self._mask = sum(bits[name] for name in rules)
        self._due = sum(bits[name] for name, rule in rules.items() if isinstance(rule, Change))
        self._counts: dict[Place, int] = {}
        self._ways: dict[Place, list[Way]] = {}

    @property
    def start(self) -> Place:
        """The root, with all changes due."""
        assert self._diagram.root is not None
        return self._diagram.root, self._due

    def ways(self, place: Place) -> list[Way]:
        """Edges that follow the rules, whether they lead anywhere or not."""
        if place not in self._ways:
            self._ways[place] = self._find_ways(*place)
        return self._ways[place]

    def _find_ways(self, state: State, due: int) -> list[Way]:
        if state.choice is None:
            return []
        rule = self._rules.get(state.choice.name)
        left = due & ~self._bits[state.choice.name]
        found = ((edge, permitted(rule, edge)) for edge in self._diagram.expand(state))
        return [(edge, allowed, (edge.child, left)) for edge, allowed in found if number_of(allowed)]

    def count(self, place: Place) -> int:
        """How many completions follow the rules."""
        stack = [place]
        while stack:
            top = stack[-1]
            state, due = top
            if top in self._counts:
                stack.pop()
            elif due & ~state.closed:
                self._counts[top] = 0  # what should change is no longer a decision
            elif not state.closed & self._mask:
                self._counts[top] = self._diagram.count(state)
            else:
                ways = self.ways(top)
                waiting = [child for _, _, child in ways if child not in self._counts]
                if waiting:
                    stack.extend(waiting)
                else:
                    self._counts[top] = sum(number_of(allowed) * self._counts[child] for _, allowed, child in ways)
        return self._counts[place]

    def draw(self, rng: np.random.Generator) -> dict[str, Value]:
        """Walk to the end: where there is a rule evenly over the values it allows, elsewhere over the completions."""
        decisions: dict[str, Value] = {}
        place = self.start
        while (choice := place[0].choice) is not None:
            rule = self._rules.get(choice.name)
            ways = [way for way in self.ways(place) if self.count(way[2])]
            weights = [number_of(a) if rule is not None else number_of(a) * self.count(p) for _, a, p in ways]
            edge, allowed, place = ways[weighted(rng, weights) if len(ways) > 1 else 0]
            decisions[choice.name] = draw_allowed(rule, edge, allowed, rng)
        return decisions

    def steps(self, place: Place) -> Iterator[tuple[Value, Place]]:
        """Values that follow the rules and lead somewhere; a real choice stands at a few points of its range."""
        choice = place[0].choice
        rule = self._rules.get(choice.name) if choice is not None else None
        for edge, allowed, child in self.ways(place):
            if self.count(child):
                for value in listed(rule, edge, allowed):
                    yield value, child


def _choice_at(place: Place) -> Choice | None:
    return place[0].choice


class Moves:
    """The moves of one space.

    Args:
        program: the compiled space.
        diagram: of the space, counted.
        rejected: constraints that are not in the diagram.
    """

    def __init__(self, program: Program, diagram: Diagram, rejected: tuple[Expr, ...]) -> None:
        self._program = program
        self._diagram = diagram
        self._rejected = rejected
        self._chain = Chain.of(diagram)

    @property
    def _root(self) -> State:
        assert self._diagram.root is not None
        return self._diagram.root

    def _guide(self, rules: Mapping[str, Rule]) -> Guide:
        return Guide(self._diagram, rules, self._program.bits)

    def _changing(self, arch: Architecture, names: frozenset[str]) -> Guide:
        return self._guide({n: Change(v) if n in names else Keep((v,)) for n, v in arch.items()})

    def _valid(self, decisions: Mapping[str, Value]) -> bool:
        return all(holds(constraint, decisions) for constraint in self._rejected)

    def neighbours(self, arch: Architecture) -> Iterator[Architecture]:
        """See `SearchSpace.neighbours`."""
        for choice in list(self._program.active(arch)):
            guide = self._changing(arch, frozenset({choice.name}))
            if guide.count(guide.start):
                found = walk(guide.start, guide.steps, _choice_at)
                yield from (Architecture(decisions) for decisions in found if self._valid(decisions))

    def mutate(self, arch: Architecture, rng: np.random.Generator, k: int) -> Architecture:
        """See `SearchSpace.mutate`.

        Raises:
            SpaceError: no such child exists, or none was found where constraints hold by rejection.
        """
        if k <= len(arch):
            for draw in self._children(arch, rng, k):
                for _ in range(ATTEMPTS if self._rejected else 1):
                    child = draw()
                    if self._valid(child):
                        return Architecture(child)
        raise SpaceError(
            f"no architecture differs from this one ({len(arch)} decisions) in exactly {k} decisions that both have; "
            "take a smaller k, or a space with more values or weaker constraints"
        )

    def _children(
        self, arch: Architecture, rng: np.random.Generator, k: int
    ) -> Iterator[Callable[[], dict[str, Value]]]:
        """Ways to draw a child, the preferred first."""
        names = list(arch)
        order = rng.permutation(len(names))
        for attempt in range(len(names) if k == 1 else SETS):
            if k > 1 and attempt:
                order = rng.permutation(len(names))
            taken = order[attempt : attempt + 1] if k == 1 else order[:k]
            changing = frozenset(names[i] for i in taken)
            if self._chain is not None:
                if self._chain.can_change(arch, changing):
                    yield partial(self._chain.draw, arch, changing, rng)
                continue
            guide = self._changing(arch, changing)
            if guide.count(guide.start):
                yield partial(guide.draw, rng)
        if k > 1:
            exact = ChangeCounts(self._diagram, arch, k)
            if exact.counts(self._root)[k]:
                yield partial(exact.draw, self._root, rng)

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """See `SearchSpace.crossover`; falls back to ``a`` where rejection finds nothing."""
        rules: dict[str, Rule] = {}
        for name in sorted({*a, *b}):
            offered = {typed(parent[name]): parent[name] for parent in (a, b) if name in parent}
            rules[name] = Keep(tuple(offered.values()))
        guide = self._guide(rules)
        for _ in range(ATTEMPTS if self._rejected else 1):
            child = guide.draw(rng)
            if self._valid(child):
                return Architecture(child)
        return a


class ChangeCounts:
    """Counts and draws all children that differ in exactly k decisions, for where few sets of k can be changed.

    Args:
        diagram: of the space, counted.
        arch: the parent.
        k: the most changes counted.
    """

    def __init__(self, diagram: Diagram, arch: Architecture, k: int) -> None:
        self._diagram = diagram
        self._arch = arch
        self._k = k
        self._counts: dict[State, tuple[int, ...]] = {}

    def counts(self, state: State) -> tuple[int, ...]:
        """How many completions have 0, 1, ... k changes."""
        stack = [state]
        while stack:
            top = stack[-1]
            waiting = [edge.child for edge in self._diagram.expand(top) if edge.child not in self._counts]
            if top in self._counts:
                stack.pop()
            elif waiting:
                stack.extend(waiting)
            else:
                self._counts[top] = self._count(top)
        return self._counts[state]

    def _count(self, state: State) -> tuple[int, ...]:
        if state.choice is None:
            return (1, *[0] * self._k)
        totals = [0] * (self._k + 1)
        for edge, _, allowed, change in self._ways(state):
            for changes in range(change, self._k + 1):
                totals[changes] += number_of(allowed) * self._counts[edge.child][changes - change]
        return tuple(totals)

    def _ways(self, state: State) -> list[tuple[Edge, Rule | None, Sequence[Value] | int, int]]:
        assert state.choice is not None
        name = state.choice.name
        rules: list[tuple[Rule | None, int]] = [(None, 0)]
        if name in self._arch:
            rules = [(Keep((self._arch[name],)), 0), (Change(self._arch[name]), 1)]
        found = ((e, r, permitted(r, e), c) for e in self._diagram.expand(state) for r, c in rules)
        return [way for way in found if number_of(way[2])]

    def draw(self, state: State, rng: np.random.Generator) -> dict[str, Value]:
        """Draw evenly one of the children with exactly k changes."""
        decisions: dict[str, Value] = {}
        left = self._k
        while state.choice is not None:
            ways = [way for way in self._ways(state) if way[3] <= left]
            weights = [number_of(a) * self._counts[e.child][left - change] for e, _, a, change in ways]
            edge, rule, allowed, change = ways[weighted(rng, weights)]
            decisions[state.choice.name] = draw_allowed(rule, edge, allowed, rng)
            left -= change
            state = edge.child
        return decisions
