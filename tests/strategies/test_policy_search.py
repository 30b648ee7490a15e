"""Rewards are ranks, and proposals of a controller are new."""

from __future__ import annotations

import math

import numpy as np
import pytest

from netwright.errors import UsageError
from netwright.policies.baseline import Baseline
from netwright.strategies.operators import FAILED, Score, Tier
from netwright.strategies.policy_search import MEMORY, Author, Ranking, places_of
from netwright.testing import small_cell_space, tiny_space
from netwright.types import Architecture, Constraint, Objective, Proposal, Trial, TrialState

ACCURACY = (Objective("accuracy", "max"),)


def trial(number: int, state: TrialState = TrialState.FINISHED, **metrics: float) -> Trial:
    return Trial(number, Proposal(Architecture({"n": number})), 0, state, metrics)


def trials(*accuracies: float) -> list[Trial]:
    return [trial(i, accuracy=accuracy) for i, accuracy in enumerate(accuracies)]


def test_rewards_are_cubed_ranks_whatever_the_scale() -> None:
    """The best gets 1, the worst 0; 1e300 counts no more than 3."""
    expected = [0.0, 1 / 27, 8 / 27, 1.0]
    assert Ranking(ACCURACY, ()).rewards(trials(-7.0, 2.0, 3.0, 1e300)) == pytest.approx(expected)
    assert Ranking((Objective("accuracy", "min"),), ()).rewards(trials(4, 3, 2, 1)) == pytest.approx(expected)


def test_later_trials_are_ranked_among_the_earlier() -> None:
    """What was told before counts, and is not rewarded again."""
    ranking = Ranking(ACCURACY, ())
    assert ranking.rewards(trials(0.5)) == pytest.approx([1 / 8])
    assert ranking.rewards(trials(0.4)) == pytest.approx([0.0])
    assert ranking.rewards(trials(0.45)) == pytest.approx([1 / 8])


def test_trials_as_good_are_rewarded_alike() -> None:
    """Constant scores and failures are in the middle; NaN is a failure."""
    assert Ranking(ACCURACY, ()).rewards(trials(0.5, 0.5, 0.5)) == pytest.approx([1 / 8] * 3)
    failed = [trial(0, TrialState.FAILED), trial(1, accuracy=math.nan), trial(2, TrialState.FAILED)]
    assert Ranking(ACCURACY, ()).rewards(failed) == pytest.approx([1 / 8] * 3)


def test_infeasible_trials_are_below_feasible_ones_and_failed_ones_at_the_bottom() -> None:
    """A broken limit is worse the further it is broken, however high the accuracy."""
    ranking = Ranking(ACCURACY, (Constraint("params", "<=", 10.0),))
    told = [
        trial(0, accuracy=0.1, params=5.0),
        trial(1, TrialState.INFEASIBLE, params=11.0),
        trial(2, accuracy=0.9, params=20.0),
        trial(3, TrialState.FAILED),
    ]
    assert ranking.rewards(told) == pytest.approx([1.0, 8 / 27, 1 / 27, 0.0])


def test_several_objectives_are_ranked_by_front_then_by_room() -> None:
    """The ends of the first front come first, then its middle, then the second front, then what is infeasible."""
    values = [(0.0, 4.0), (1.0, 3.0), (4.0, 0.0), (5.0, 5.0)]
    scores = [Score(Tier.FEASIBLE, 0.0, v) for v in values]
    places = places_of([FAILED, *scores, Score(Tier.INFEASIBLE, 2.0)])
    assert places[1] == places[3] < places[2] < places[4] < places[5] < places[0]


def test_only_the_youngest_are_ranked() -> None:
    """After ``MEMORY`` poor trials a good one of the past is forgotten."""
    ranking = Ranking(ACCURACY, ())
    ranking.rewards(trials(1.0))
    ranking.rewards(trials(*[0.0] * MEMORY))
    assert ranking.rewards(trials(0.5)) == pytest.approx([1.0])


def test_the_baseline_is_a_moving_average_that_begins_at_the_first() -> None:
    """The first reward is no surprise; later ones are compared with the average of those before."""
    baseline = Baseline(0.9)
    assert baseline.advantages(np.array([0.4])) == pytest.approx([0.0])
    assert baseline.advantages(np.array([1.0, 0.0])) == pytest.approx([0.6, -0.4])
    assert baseline.advantages(np.array([0.0])) == pytest.approx([-0.9 * 0.46])
    with pytest.raises(UsageError, match=r"decay must be in \[0, 1\), got 1"):
        Baseline(1.0)


def test_proposals_are_the_initial_then_the_controllers_and_new() -> None:
    """All 6 architectures come once; what the controller does not come to in its draws is uniform."""
    space = tiny_space()
    first = space.architecture({"width": 24, "bias": True})
    author = Author(space, 0, [first], 4)
    proposals = [author.propose() for _ in range(6)]
    assert (proposals[0].architecture, proposals[0].origin) == (first, "initial")
    assert {p.origin for p in proposals[1:]} <= {"controller", "random"}
    assert len({p.architecture for p in proposals}) == 6


def test_a_policy_that_is_sure_of_itself_goes_on_to_what_is_near() -> None:
    """Sure of one cell, it proposes that, then cells that share at least one edge with it, rather than uniform ones."""
    space = small_cell_space()
    author = Author(space, 0, [], 4)
    wanted = space.architecture({"edge0": "nor_conv_3x3", "edge1": "nor_conv_3x3", "edge2": "nor_conv_3x3"})
    episode = author.controller.recall(wanted)
    for question, place in zip(episode.questions, episode.places, strict=True):
        author.controller.parameters["bias"][question.answers[place]] = 6.0
    proposals = [author.propose() for _ in range(4)]
    assert proposals[0].architecture == wanted
    assert [p.origin for p in proposals] == ["controller"] * 4
    for proposal in proposals[1:]:
        assert sum(proposal.architecture[name] == wanted[name] for name in wanted) >= 1


def test_the_size_of_the_state_is_checked() -> None:
    """A size that is not a whole number from 1 on is refused."""
    with pytest.raises(UsageError, match="size must be a whole number >= 1, got 0"):
        Author(tiny_space(), 0, [], 0)
