"""A cheap rung whose scores are noise is found out from itself, one that says something is kept."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.predictors.features import Features
from netwright.strategies import Asha, BayesianOptimization, rung_sense
from netwright.strategies.rung_sense import FIRST, LAST, STEP, RungSense, predictability
from netwright.testing import Simulation, cell_space
from netwright.testing.spaces import tiny_space
from netwright.types import Architecture, Fidelity, digest

LEVELS = (Fidelity(epochs=12.0), Fidelity(epochs=200.0))


def hashed(architecture: Architecture) -> float:
    """A number that has nothing to do with what an architecture is."""
    return int(digest(architecture.id), 16) / 16.0**16


def truth(architecture: Architecture) -> float:
    return sum(value == "nor_conv_3x3" for value in architecture.values()) / 6 + 0.01 * hashed(architecture)


def useful(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    return {"accuracy": truth(architecture) + 0.1 * hashed(architecture) * (fidelity == LEVELS[0])}


def noise(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    return {"accuracy": hashed(architecture) if fidelity == LEVELS[0] else truth(architecture)}


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_a_rung_of_noise_is_dropped_and_a_useful_one_is_kept(seed: int) -> None:
    """After at most 32 cheap trials the noise is gone; where the scores say something nothing is dropped."""
    for evaluate, dropped in ((noise, LEVELS[:1]), (useful, ())):
        space = cell_space()
        strategy = Asha(space, seed=seed, fidelities=LEVELS, inner=BayesianOptimization, predictable=True)
        simulation = Simulation(strategy, space, evaluate).run(40)
        assert strategy.dropped == dropped
        if dropped:
            assert sum(p.fidelity == LEVELS[0] for p in simulation.asked) <= 32


def test_predictions_leave_the_predicted_one_out() -> None:
    """Of a truth of the structure most is predicted, of hashes nothing, of equal scores nothing by definition."""
    space, rng = cell_space(), np.random.default_rng(0)
    features = Features(space, rng)
    architectures = list(dict.fromkeys(space.sample(rng) for _ in range(40)))
    numbers = features.numbers(architectures)
    assert predictability(features, numbers, np.array([truth(a) for a in architectures])) > 0.5
    assert predictability(features, numbers, np.array([hashed(a) for a in architectures])) < 0.3
    assert predictability(features, numbers, np.zeros(len(architectures))) == 0.0


def test_it_looks_at_some_counts_only() -> None:
    """Between them nothing is worked out, so that a rung is not judged until it happens to fail."""
    space, rng = cell_space(), np.random.default_rng(0)
    architectures = list(dict.fromkeys(space.sample(rng) for _ in range(90)))[:56]
    sense = RungSense(space, 0)
    verdicts = [
        sense.is_noise(architectures[:n], [(-truth(a), hashed(a)) for a in architectures[:n]]) for n in range(1, 57)
    ]
    assert verdicts == [False] * 56
    assert list(sense.found) == list(range(FIRST, LAST + 1, STEP))


def test_nothing_is_promoted_while_a_rung_is_in_doubt() -> None:
    """As many trials as promote one are there; in doubt new architectures go on, as they do until it is resolved."""
    space = cell_space()
    for doubts in (False, True):
        strategy = Asha(space, fidelities=LEVELS, predictable=True)
        simulation = Simulation(strategy, space, useful).run(FIRST)
        assert strategy._sense is not None
        strategy._sense.in_doubt = doubts
        simulation.run(FIRST + 2)
        promoted = any(proposal.fidelity == LEVELS[1] for proposal in simulation.asked)
        assert promoted is not doubts


def test_doubt_ends_where_there_is_nothing_new() -> None:
    """In a space that is all evaluated, what is in doubt is promoted nevertheless."""
    space = tiny_space()
    strategy = Asha(space, fidelities=LEVELS, predictable=True)
    assert strategy._sense is not None
    strategy._sense.in_doubt = True
    simulation = Simulation(strategy, space, useful).run(len(list(space.enumerate())) + 2)
    assert any(proposal.fidelity == LEVELS[1] for proposal in simulation.asked)


@pytest.mark.parametrize(("found", "in_doubt"), [(0.05, False), (0.2, True), (0.4, False)])
def test_doubt_lies_between_noise_and_sense(found: float, in_doubt: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the first look: noise is dropped without doubt, what is well predicted is believed."""
    monkeypatch.setattr(rung_sense, "predictability", lambda *given: found)
    space, rng = cell_space(), np.random.default_rng(0)
    sense = RungSense(space, 0)
    architectures = [space.sample(rng) for _ in range(FIRST)]
    assert sense.is_noise(architectures, [(0.0,)] * FIRST) is (found < 0.15)
    assert sense.in_doubt is in_doubt
