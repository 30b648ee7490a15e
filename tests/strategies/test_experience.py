"""What a model-guided search learns from: comparable trials, not too many of them, and honest ranks."""

from __future__ import annotations

import math

import numpy as np

from netwright.predictors.ranks import ranks, ranks_as_normal
from netwright.strategies.experience import MOST_LEARNT, Experience
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial, TrialState

ACCURACY = (Objective("accuracy", "max"),)


def trial(number: int, accuracy: float, fidelity: Fidelity | None = None, **metrics: float) -> Trial:
    """A finished trial of its own architecture."""
    proposal = Proposal(Architecture({"x": number}), fidelity or Fidelity())
    return Trial(number, proposal, 0, TrialState.FINISHED, {"accuracy": accuracy, **metrics})


def test_ranks_are_shared_by_equals() -> None:
    """Equal values have the mean of their ranks, and equal ranks the quantile 0."""
    assert ranks(np.array([5.0, 1.0, 5.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]
    assert ranks_as_normal(np.ones(7)).tolist() == [0.0] * 7


def test_the_fidelity_most_trials_have_is_learnt_from() -> None:
    """Accuracies after different epochs are not compared with each other."""
    seen = Experience(ACCURACY, ())
    for i in range(4):
        seen.add(trial(i, i / 10, Fidelity(epochs=1)))
    seen.add(trial(9, 0.9, Fidelity(epochs=5)))
    assert [o.trial_id for o in seen.comparable(np.random.default_rng(0))] == [0, 1, 2, 3]


def test_with_hardly_anything_feasible_the_way_to_the_limits_is_learnt() -> None:
    """Infeasible trials are ranked by how far they are beyond the limits."""
    seen = Experience(ACCURACY, (Constraint("params", "<=", 100),))
    for i, params in enumerate((400, 300, 200)):
        seen.add(trial(i, 0.5, params=params))
    known = seen.comparable(np.random.default_rng(0))
    assert seen.utility(known, np.random.default_rng(0)).tolist() == [-3.0, -2.0, -1.0]
    architectures, good = seen.classes(np.random.default_rng(0))
    assert (len(architectures), good.any()) == (3, False)


def test_failed_trials_are_kept_for_the_classes_only() -> None:
    """NaN is a failure: nothing to compare, and an architecture to keep away from."""
    seen = Experience(ACCURACY, ())
    seen.add(trial(0, math.nan))
    assert seen.comparable(np.random.default_rng(0)) == []
    assert seen.classes(np.random.default_rng(0))[1].tolist() == [False]


def test_of_many_trials_the_best_and_some_others_are_learnt_from() -> None:
    """Of 3,000 about 512 are, the best 100 and the newest always, in the order in which they were told."""
    rng, seen = np.random.default_rng(0), Experience(ACCURACY, ())
    accuracies = rng.uniform(size=3000)
    for i, accuracy in enumerate(accuracies.tolist()):
        seen.add(trial(i, accuracy))
        chosen = [o.trial_id for o in seen.comparable(rng)] if i % 7 == 0 or i == 2999 else []
    assert MOST_LEARNT <= len(chosen) <= 1.1 * MOST_LEARNT + 7
    assert chosen == sorted(set(chosen))
    assert chosen[-1] == 2999
    best_until_refreshed = np.argsort(-accuracies)[:100]
    assert set(best_until_refreshed.tolist()) <= set(chosen)


def test_weights_of_objectives_are_drawn_anew() -> None:
    """Two draws rank the same trials differently, and the ends of the front are best under some weights each."""
    seen = Experience((*ACCURACY, Objective("latency_ms", "min")), ())
    for i in range(5):
        seen.add(trial(i, i / 10, latency_ms=float(i)))
    rng = np.random.default_rng(0)
    known = seen.comparable(rng)
    best = {int(np.argmax(seen.utility(known, rng))) for _ in range(50)}
    assert {0, 4} <= best
