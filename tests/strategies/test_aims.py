"""What a model-guided search is after: a better value, or a larger front."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from netwright.predictors.surrogate import Learner
from netwright.strategies.aims import (
    CLOSE,
    DISTANT,
    MOST_FRONT_PARENTS,
    BestValue,
    LargerFront,
    non_dominated,
    without_outliers,
)
from netwright.strategies.bayesian import BayesianOptimization
from netwright.strategies.experience import Experience, Observation
from netwright.strategies.model_search import ModelSearch, expected_improvement
from netwright.strategies.operators import pareto_rank
from netwright.strategies.random import RandomSearch
from netwright.testing import cell_space
from netwright.types import Architecture, Objective, Trial, TrialState

TWO = (Objective("accuracy", "max"), Objective("cost", "min"))
NOTHING = np.zeros(0, dtype=np.intp)


def observed(values: Sequence[tuple[float, float]]) -> tuple[Experience, list[Observation]]:
    """Finished trials with these accuracies and costs, and what a search knows of them."""
    space, rng = cell_space(), np.random.default_rng(0)
    experience = Experience(TWO, ())
    for number, (accuracy, cost) in enumerate(values):
        proposal = RandomSearch(space, seed=int(rng.integers(1000))).ask(1)[0]
        metrics = {"accuracy": accuracy, "cost": cost}
        experience.add(Trial(number, proposal, 0, TrialState.FINISHED, metrics))
    return experience, experience.comparable(rng)


class Told(Learner):
    """A model that predicts what it was told to."""

    def __init__(self, means: Sequence[float]) -> None:
        self.means = np.array(means)

    def predict(
        self, numbers: np.ndarray, targets: np.ndarray, pending: np.ndarray, candidates: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return self.means, np.full(len(self.means), 0.1)


def learners(*means: Sequence[float]) -> Callable[[str], Learner]:
    """Models of the objectives."""
    return lambda name: Told(means[int(name.removeprefix("objective "))])


def test_the_front_is_looked_at_and_not_the_rest() -> None:
    """Of 100 networks with 40 on the front, the neighbours of 30 of those are candidates, and of nobody else."""
    front = [(0.5 + i / 100, 10.0 + i) for i in range(40)]
    behind = [(0.1, 100.0 + i) for i in range(60)]
    _, known = observed(front + behind)
    aim = LargerFront(known, np.random.default_rng(0))
    assert len(set(aim.near)) == MOST_FRONT_PARENTS
    assert set(aim.near) | set(aim.far) <= set(range(40))


def test_what_encloses_more_is_worth_more() -> None:
    """A candidate in the gap of the front before one at its end, that before one that is dominated."""
    _, known = observed([(0.9, 9.0), (0.5, 1.0), (0.1, 9.0), (0.2, 8.0), (0.3, 7.0)])
    aim = LargerFront(known, np.random.default_rng(0))
    high, low = aim._targets.max(axis=0), aim._targets.min(axis=0)
    gap, end, dominated = high - 0.3, np.array([high[0] + 0.1, low[1]]), low + 0.2
    means = np.stack([gap, end, dominated])
    worth = aim.worth(learners(*means.T.tolist()), NOTHING, np.arange(3), NOTHING)
    assert worth[0] > worth[1] > worth[2]


def test_the_scale_of_an_objective_does_not_matter_nor_how_bad_the_bad_ones_are() -> None:
    values = np.random.default_rng(0).random((20, 2)).tolist()
    plain = LargerFront(observed([(a, c) for a, c in values])[1], np.random.default_rng(0))
    scaled = LargerFront(observed([(1000 * a - 7, c / 50) for a, c in values])[1], np.random.default_rng(0))
    np.testing.assert_allclose(plain._targets, scaled._targets, atol=1e-9)
    broken = [*values, (-1e6, 1e9)]
    with_broken = LargerFront(observed([(a, c) for a, c in broken])[1], np.random.default_rng(0))
    assert np.ptp(with_broken._targets[:-1], axis=0).min() > 0.5 * np.ptp(plain._targets, axis=0).max() - 1.5
    assert with_broken.near[: len(plain.near)] == plain.near


@pytest.mark.parametrize("values", [[2.0], [3.0, 3.0, 3.0], [0.0, 0.0, 0.0, 0.0, 1.0], [1e300, -1e300, 0.0, 5.0]])
def test_odd_values_are_finite(values: list[float]) -> None:
    raised = without_outliers(np.array(values))
    assert np.isfinite(raised).all()
    assert (np.diff(raised[np.argsort(values)]) >= 0).all()


def test_bad_values_keep_their_order() -> None:
    """Below the floor, too: a cheaper network on the front is bad, and a worse one is not as good as it."""
    raised = without_outliers(np.array([0.9, 0.92, 0.91, 0.93, 0.5, 0.3, 0.1]))
    assert raised[4] > raised[5] > raised[6]
    assert raised[4] - raised[6] < raised[3] - raised[4]


def test_from_farther_off_the_ends_of_a_front_are_worth_more() -> None:
    """A candidate that closes a gap wins from close by, one that lengthens the front from a distance."""
    _, known = observed([(0.9, 9.0), (0.5, 5.0), (0.1, 1.0)])
    close, distant = (LargerFront(known, np.random.default_rng(0), beyond) for beyond in (CLOSE, DISTANT))
    high, low = close._targets.max(axis=0), close._targets.min(axis=0)
    gap, longer = close._targets[1] + 0.2, np.array([low[0], high[1] + 0.4])
    means = np.stack([gap, longer])
    worths = [aim.worth(learners(*means.T.tolist()), NOTHING, np.arange(2), NOTHING) for aim in (close, distant)]
    assert worths[0][0] > worths[0][1]
    assert worths[1][0] < worths[1][1]


def test_ranks_decide_about_a_single_value() -> None:
    """An increasing transformation gives the same worth."""
    experience, known = observed([(a, 0.0) for a in (0.1, 0.4, 0.2, 0.9)])
    one = Experience(TWO[:1], ())
    for number, observation in enumerate(known):
        metrics = {"accuracy": float(np.exp(9 * -observation.score.values[0]))}
        proposal = RandomSearch(cell_space(), seed=number).ask(1)[0]
        one.add(Trial(number, proposal, 0, TrialState.FINISHED, metrics))
    assert len(experience) == len(one)
    rng = np.random.default_rng(0)
    plain = BestValue(one.comparable(rng), one, expected_improvement, rng)
    told = plain.worth(lambda name: Told([0.5, -0.5]), NOTHING, np.arange(2), NOTHING)
    assert told[0] > told[1]
    assert plain.near[0] == 3


def cost_and_accuracy(architecture: Architecture) -> dict[str, float]:
    """Convolutions cost most and help most; what follows a pooling helps less."""
    price = {"none": 0.0, "skip_connect": 0.1, "avg_pool_3x3": 0.3, "nor_conv_1x1": 0.6, "nor_conv_3x3": 1.0}
    worth = [price[str(architecture[f"edge{i}"])] ** 0.5 for i in range(6)]
    cost = sum(price[str(architecture[f"edge{i}"])] * (1 + i % 3) for i in range(6))
    return {"accuracy": 1 - np.exp(-sum(w / (1 + i / 3) for i, w in enumerate(worth))), "cost": cost}


def enclosed(strategy: ModelSearch | RandomSearch, queries: int) -> float:
    """Hypervolume of what a search found, from accuracy 0 and cost 15."""
    points: list[tuple[float, float]] = []
    for number in range(queries):
        (proposal,) = strategy.ask(1)
        metrics = cost_and_accuracy(proposal.architecture)
        points.append((metrics["cost"], metrics["accuracy"]))
        strategy.tell([Trial(number, proposal, 0, TrialState.FINISHED, metrics)])
    area, best = 0.0, 0.0
    ends = sorted(points)
    for (cost, accuracy), (following, _) in zip(ends, [*ends[1:], (15.0, 0.0)], strict=True):
        best = max(best, accuracy)
        area += best * max(0.0, min(15.0, following) - min(15.0, cost))
    return area


@pytest.mark.slow
def test_a_front_of_two_objectives_is_found_sooner_than_by_chance() -> None:
    """After 50 networks more is enclosed than by as many random ones, with each of five seeds."""
    space, seeds = cell_space(), range(5)
    front = [enclosed(BayesianOptimization(space, seed=s, objectives=TWO), 50) for s in seeds]
    chance = [enclosed(RandomSearch(space, seed=s), 50) for s in seeds]
    assert all(ours > theirs for ours, theirs in zip(front, chance, strict=True))


@pytest.mark.slow
def test_a_front_is_found_sooner_than_by_chance_in_the_mean() -> None:
    """Of 20 seeds, and beyond their noise."""
    space, seeds = cell_space(), range(20)
    gains = [
        enclosed(BayesianOptimization(space, seed=s, objectives=TWO), 50) - enclosed(RandomSearch(space, seed=s), 50)
        for s in seeds
    ]
    assert np.mean(gains) > 3 * np.std(gains, ddof=1) / len(gains) ** 0.5


def test_a_search_for_a_front_goes_beyond_the_worst_that_was_seen() -> None:
    """The first networks are all dear; cheaper ones are found nevertheless, though they are worse than all of those."""
    space, rng = cell_space(), np.random.default_rng(0)
    drawn = sorted((space.sample(rng) for _ in range(60)), key=lambda a: cost_and_accuracy(a)["cost"])
    strategy = BayesianOptimization(space, objectives=TWO, initial=drawn[-8:])
    costs: list[float] = []
    for number in range(40):
        (proposal,) = strategy.ask(1)
        metrics = cost_and_accuracy(proposal.architecture)
        costs.append(metrics["cost"])
        strategy.tell([Trial(number, proposal, 0, TrialState.FINISHED, metrics)])
    assert min(costs[8:]) < 0.5 * min(costs[:8])


def test_who_is_dominated_by_nobody() -> None:
    """As many objectives as there may be, equal points kept once, and as pareto_rank says."""
    points = np.random.default_rng(0).integers(0, 6, (80, 3)).astype(float)
    expected = {
        tuple(p)
        for p, rank in zip(points.tolist(), pareto_rank([tuple(-x for x in p) for p in points.tolist()]), strict=True)
        if rank == 0
    }
    found = [tuple(points[i].tolist()) for i in non_dominated(points)]
    assert expected == set(found)
    assert len(found) == len(expected)
