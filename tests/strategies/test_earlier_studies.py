"""Earlier studies in terms of the present space, what they teach, and the portfolio of several."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.predictors.features import Features
from netwright.space import Op, SearchSpace, choice, flag, integer
from netwright.strategies import RandomSearch
from netwright.strategies.earlier_portfolio import make_portfolio
from netwright.strategies.earlier_studies import EarlierStudy, Lesson, carry_over, lessons_of
from netwright.testing import Simulation, example_spaces
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial, TrialState

SPACES = example_spaces()
ACCURACY = (Objective("accuracy", "max"),)


def study(*decisions: dict[str, object]) -> EarlierStudy:
    proposals = [Proposal(Architecture(d)) for d in decisions]
    states = [Trial(i, p, 0, TrialState.FINISHED, {"accuracy": i / 10}) for i, p in enumerate(proposals)]
    return EarlierStudy("first", tuple(states))


def layer(**args: object) -> SearchSpace:
    return SearchSpace(Op("conv", tuple(args.items())))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SPACES)
def test_everything_carries_over_within_one_space(name: str) -> None:
    """Trials of the same space are kept as they are."""
    space = SPACES[name]
    trials = tuple(Simulation(RandomSearch(space), space).run(12).told)
    carried = carry_over(EarlierStudy("first", trials), space, np.random.default_rng(0))
    assert (trials, 0) == (carried.trials, carried.num_left_out)


def test_what_the_present_space_does_not_decide_is_dropped() -> None:
    """A choice of the earlier space alone leaves no trace."""
    space = layer(width=choice("width", [8, 16]))
    carried = carry_over(study({"width": 8, "bias": True}), space, np.random.default_rng(0))
    assert [{"width": 8}] == [dict(t.architecture) for t in carried.trials]


def test_what_only_the_present_space_decides_is_drawn() -> None:
    """A new choice has each of its values in some trial, so that none of them is favoured."""
    space = layer(width=choice("width", [8, 16]), bias=flag("bias"))
    carried = carry_over(study(*[{"width": 8}] * 20), space, np.random.default_rng(0))
    assert {False, True} == {t.architecture["bias"] for t in carried.trials}


def test_values_that_are_not_open_leave_a_trial_out() -> None:
    """Counted are an unknown value, a broken constraint, a choice that was not decided there, nothing in common."""
    width, depth = choice("width", [8, 16]), integer("depth", 1, 4)
    space = SearchSpace(Op("conv", (("width", width), ("depth", depth))), constraints=[width * depth <= 32])
    several = study({"width": 8, "depth": 4}, {"width": 12, "depth": 1}, {"width": 16, "depth": 4}, {"width": 8})
    carried = carry_over(several, space, np.random.default_rng(0))
    assert ([{"width": 8, "depth": 4}], 3) == ([dict(t.architecture) for t in carried.trials], carried.num_left_out)
    assert not carry_over(study({"other": 8}), space, np.random.default_rng(0)).trials


def test_branches_that_were_not_taken_need_no_decision() -> None:
    """A conditional space takes over trials of a space that has fewer of its blocks."""
    space = SPACES["nested"]
    trials = study({"depth": 1, "block0": "skip"}, {"depth": 2, "block0": "skip", "block1": "skip"})
    assert carry_over(trials, space, np.random.default_rng(0)).num_left_out == 0


def test_a_lesson_is_of_ranks_and_of_feasible_trials() -> None:
    """What failed or broke a limit teaches nothing; the best has the largest target."""
    space = SPACES["cell"]
    trials = Simulation(RandomSearch(space), space).run(20).told
    carried = carry_over(EarlierStudy("first", tuple(trials)), space, np.random.default_rng(0))
    limit = Constraint("params", "<=", float(np.median([t.metrics["params"] for t in trials])))
    (lesson,) = lessons_of(carried, ACCURACY, [limit], np.random.default_rng(0))
    inside = [t for t in trials if limit.holds(t.metrics["params"])]
    best = max(inside, key=lambda t: t.metrics["accuracy"]).architecture
    assert len(lesson.architectures) == len(inside)
    assert best == lesson.architectures[int(lesson.targets.argmax())]


def test_several_objectives_give_a_lesson_together_and_one_each() -> None:
    """A study without one of the metrics teaches nothing."""
    space = SPACES["cell"]
    trials = tuple(Simulation(RandomSearch(space), space).run(10).told)
    carried = carry_over(EarlierStudy("first", trials), space, np.random.default_rng(0))
    two = (*ACCURACY, Objective("latency_ms", "min"))
    unknown = (*ACCURACY, Objective("energy_j", "min"))
    rng = np.random.default_rng(0)
    assert [3, 0] == [len(lessons_of(carried, objectives, (), rng)) for objectives in (two, unknown)]


def test_few_trials_or_equal_scores_teach_nothing() -> None:
    """There is nothing to rank."""
    space, rng = SPACES["cell"], np.random.default_rng(0)
    trials = tuple(Simulation(RandomSearch(space), space, lambda a, f: {"accuracy": 0.5}).run(10).told)
    for some in (trials, trials[:2]):
        assert not lessons_of(carry_over(EarlierStudy("first", some), space, rng), ACCURACY, (), rng)


def test_a_portfolio_has_the_best_of_every_study_and_no_more() -> None:
    """Of two studies of the same architectures one good in both comes first; one study has one best."""
    space, rng = SPACES["cell"], np.random.default_rng(0)
    some = [space.sample(rng) for _ in range(9)]
    ascending = np.arange(9.0) - 4
    one, other = Lesson(some, ascending), Lesson(some, np.roll(ascending, 1))  # best: 8, then 7; best: 0, then 8
    features = Features(space, rng)
    assert [some[8]] == make_portfolio([one], 3, features, rng)
    assert [some[8], some[0]] == make_portfolio([one, other], 3, features, rng)
    assert [some[8]] == make_portfolio([one, other], 1, features, rng)


def test_a_portfolio_predicts_what_a_study_did_not_evaluate() -> None:
    """Studies of different architectures of a learnable task agree on what is good."""
    space, rng = SPACES["cell"], np.random.default_rng(0)

    def convolutions(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
        return {"accuracy": sum(value == "nor_conv_3x3" for value in architecture.values()) / 6}

    lessons = []
    for seed in (1, 2):
        trials = tuple(Simulation(RandomSearch(space, seed=seed), space, convolutions).run(40).told)
        lessons += lessons_of(carry_over(EarlierStudy("", trials), space, rng), ACCURACY, (), rng)
    chosen = make_portfolio(lessons, 2, Features(space, rng), rng)
    assert min(convolutions(a, Fidelity())["accuracy"] for a in chosen) >= 0.5
