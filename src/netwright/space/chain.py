"""A decision diagram in which no decision depends on another: every state has one state that follows it.

In such a space (cells with a choice on each edge, layers with a choice each) a mutation needs no looking ahead. What is
drawn, and which random numbers are used for it, is what a guided walk draws.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from netwright.space.diagram import Diagram, State
from netwright.space.draws import weighted
from netwright.space.rules import Change, draw_allowed, number_of, permitted
from netwright.types import Value


class Chain:
    """The states of a diagram that does not branch, in order.

    Args:
        states: from the root on, without the end.
    """

    def __init__(self, states: tuple[State, ...]) -> None:
        self._states = states

    @classmethod
    def of(cls, diagram: Diagram) -> Chain | None:
        """The chain that a diagram is; None where it branches."""
        state, states = diagram.root, []
        while state is not None and state.choice is not None:
            edges = diagram.expand(state)
            if any(edge.child is not edges[0].child for edge in edges[1:]):
                return None
            states.append(state)
            state = edges[0].child
        return None if state is None else cls(tuple(states))

    def draw(
        self, parent: Mapping[str, Value], changing: Collection[str], rng: np.random.Generator
    ) -> dict[str, Value]:
        """Change some decisions of a parent, each evenly over its other values.

        Args:
            parent: an architecture of the space.
            changing: names of the decisions that must change; each has another value, see `can_change`.
            rng: source of randomness.
        """
        decisions: dict[str, Value] = {}
        for state in self._states:
            assert state.choice is not None
            name = state.choice.name
            value = decisions[name] = parent[name]
            if name in changing:
                rule = Change(value)
                ways = [(e, allowed) for e in state.edges or () if number_of(allowed := permitted(rule, e))]
                edge, allowed = ways[weighted(rng, [number_of(a) for _, a in ways]) if len(ways) > 1 else 0]
                decisions[name] = draw_allowed(rule, edge, allowed, rng)
        return decisions

    def can_change(self, parent: Mapping[str, Value], changing: Collection[str]) -> bool:
        """Whether each of these decisions has another value."""
        return all(
            any(number_of(permitted(Change(parent[state.choice.name]), edge)) for edge in state.edges or ())
            for state in self._states
            if state.choice is not None and state.choice.name in changing
        )
