"""Proximal policy optimisation follows its clipped objective."""

from __future__ import annotations

import numpy as np
import pytest
from test_reinforce import chances, told, total, wide_space

from netwright.errors import UsageError
from netwright.space import SearchSpace
from netwright.strategies.ppo import ProximalPolicy, surrogate_slopes
from netwright.testing import Simulation, check_strategy, example_spaces, tiny_space
from netwright.types import Constraint, Objective

SPACES = example_spaces()


def two_goals(space: SearchSpace, seed: int) -> ProximalPolicy:
    goals = (Objective("accuracy", "max"), Objective("latency_ms", "min"))
    return ProximalPolicy(space, seed=seed, objectives=goals, constraints=[Constraint("params", "<=", 6e5)])


@pytest.mark.parametrize("name", ["tiny", "mixed", "small_cell"])
def test_it_keeps_the_protocol(name: str) -> None:
    """It passes the conformance suite."""
    check_strategy(lambda s, seed: ProximalPolicy(s, seed=seed), spaces={name: SPACES[name]}, other_process=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nested", "cell"])
def test_it_keeps_the_protocol_on_further_spaces(name: str) -> None:
    """It passes the suite on a conditional space and on a large one."""
    check_strategy(lambda s, seed: ProximalPolicy(s, seed=seed), spaces={name: SPACES[name]}, other_process=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_it_keeps_the_protocol_with_two_objectives_and_a_limit(name: str) -> None:
    """It passes the suite with Pareto ranks and infeasible trials."""
    check_strategy(two_goals, spaces={name: SPACES[name]}, other_process=False)


def test_slopes_are_those_of_the_clipped_objective() -> None:
    """The derivative of equation 7 by the log-probability, by central differences."""
    ratios, clip = np.array([0.5, 0.79, 0.9, 1.0, 1.1, 1.21, 2.0]), 0.2

    def objective(log_ratio: np.ndarray, advantages: np.ndarray) -> np.ndarray:
        ratio = np.exp(log_ratio)
        return np.minimum(ratio * advantages, np.clip(ratio, 1 - clip, 1 + clip) * advantages)

    for sign in (1.5, -0.5):
        advantages, step = np.full(7, sign), 1e-6
        ends = [objective(np.log(ratios) + s, advantages) for s in (step, -step)]
        expected = (ends[0] - ends[1]) / (2 * step)
        assert surrogate_slopes(ratios, advantages, clip) == pytest.approx(expected, abs=1e-6)


def test_it_waits_for_a_batch_and_then_learns() -> None:
    """After three of four trials the policy is uniform; after the fourth the best is likelier than the worst."""
    space = tiny_space()
    for number in (3, 4):
        strategy = ProximalPolicy(space, seed=0, batch=4)
        archs = told(strategy, *[0.1, 0.2, 0.8, 0.9][:number])
        after = dict(zip(space.enumerate(), chances(strategy, space), strict=True))
        if number == 3:
            assert list(after.values()) == pytest.approx(np.full(6, 1 / 6))
        else:
            assert after[archs[3]] > after[archs[0]]


def test_many_steps_with_one_batch_stay_near_where_they_began() -> None:
    """With 100 steps the clip keeps the best of a batch within reach; without it, it takes nearly all."""
    space = wide_space()
    ratios = {}
    for clip in (0.2, 0.999999):
        strategy = ProximalPolicy(space, seed=0, batch=4, epochs=100, rate=0.02, clip=clip, entropy=0.0)
        archs = told(strategy, 0.1, 0.2, 0.3, 0.9)
        controller = strategy._author.controller
        log_prob = float(controller.forward([controller.recall(archs[3])]).log_probs[0])
        ratios[clip] = np.exp(log_prob) * 10**4
    assert 1.0 < ratios[0.2] < ratios[0.999999]


@pytest.mark.parametrize("outcome", [0.5, None])
def test_nothing_is_learned_from_trials_that_are_all_alike(outcome: float | None) -> None:
    """Constant scores and failures leave the policy uniform."""
    strategy = ProximalPolicy(tiny_space(), seed=0, batch=2)
    told(strategy, *[outcome] * 6)
    assert chances(strategy, tiny_space()) == pytest.approx(np.full(6, 1 / 6))


def test_it_learns_what_is_rewarded() -> None:
    """On a sum of four numbers the last 20 of 120 trials are far above the first 20, which are nearly random."""
    means = []
    for seed in range(3):
        simulation = Simulation(ProximalPolicy(wide_space(), seed=seed), wide_space(), total).run(120)
        values = [t.metrics["accuracy"] for t in simulation.told]
        means.append((np.mean(values[:20]), np.mean(values[-20:])))
    first, last = np.mean(means, axis=0)
    assert first < 0.65
    assert last > 0.7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "batch must be a whole number from 1 to 200, got 0"),
        ({"epochs": 0}, "epochs must be a whole number from 1 to 1000, got 0"),
        ({"clip": 1.0}, r"clip must be in \(0, 1\), got 1.0"),
        ({"rate": -0.1}, "rate must be a finite number > 0, got -0.1"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, float], message: str) -> None:
    """The message names the option and what is allowed."""
    with pytest.raises(UsageError, match=message):
        ProximalPolicy(tiny_space(), **options)  # type: ignore[arg-type]
