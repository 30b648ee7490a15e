"""Ask and tell in any order, against a small model."""

from __future__ import annotations

import pytest
import strategy_factories as factories
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from netwright.errors import UsageError
from netwright.testing import Simulation, nested_space
from netwright.types import Proposal, TrialState

SPACE = nested_space()


class AnyOrder(RuleBasedStateMachine):
    """Asks, results in any order and state, doubled results and foreign trials, of a strategy drawn at the start."""

    @initialize(name=st.sampled_from(sorted(factories.FACTORIES)), seed=st.integers(0, 3))
    def start(self, name: str, seed: int) -> None:
        self.simulation = Simulation(factories.FACTORIES[name](SPACE, seed), SPACE)
        self.shadow = Simulation(factories.FACTORIES[name](SPACE, seed), SPACE)

    @rule(n=st.integers(1, 6))
    def ask(self, n: int) -> None:
        assert self.simulation.ask(n) == self.shadow.ask(n)

    @rule(data=st.data(), state=st.sampled_from(TrialState))
    def tell_some(self, data: st.DataObject, state: TrialState) -> None:
        ids = data.draw(st.permutations(self.simulation.pending))
        count = data.draw(st.integers(0, len(ids)))
        self.simulation._state = self.shadow._state = state
        self.simulation.tell(ids[:count])
        for trial_id in ids[:count]:  # the shadow gets them one by one
            self.shadow.tell([trial_id])

    @rule(data=st.data())
    def tell_twice(self, data: st.DataObject) -> None:
        if self.simulation.told:
            doubled = data.draw(st.sampled_from(self.simulation.told))
            with pytest.raises(UsageError, match=f"trial id must be told once, got {doubled.id}"):
                self.simulation.strategy.tell([doubled])

    @rule(place=st.integers(0, 84))
    def tell_unasked(self, place: int) -> None:
        architecture = list(SPACE.enumerate())[place]
        for simulation in (self.simulation, self.shadow):
            simulation.asked.append(Proposal(architecture))
            simulation.pending.append(len(simulation.asked) - 1)
            simulation.tell([len(simulation.asked) - 1])

    @invariant()
    def two_strategies_with_one_history_agree(self) -> None:
        if hasattr(self, "simulation"):
            assert self.simulation.trace() == self.shadow.trace()


AnyOrder.TestCase.settings = settings(deadline=None, derandomize=True, max_examples=20, stateful_step_count=15)
TestAnyOrder = AnyOrder.TestCase
