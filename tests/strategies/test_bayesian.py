"""Bayesian optimisation: what it learns from, on every kind of space, and what it does when it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.errors import UsageError
from netwright.predictors.features import Features
from netwright.predictors.gaussian_process import GaussianProcess
from netwright.space import OneOf, Op, SearchSpace, choice, integer
from netwright.strategies import BayesianOptimization, Exhausted, make_strategy
from netwright.testing import Simulation, cell_space, example_spaces, synthetic_metrics
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial, TrialState

SPACES = example_spaces()


def conv_count(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    """Better with every 3 x 3 convolution of NAS-Bench-201's cell; one architecture in 15,625 has six."""
    return {"accuracy": sum(value == "nor_conv_3x3" for value in architecture.values()) / 6}


@pytest.mark.long
def test_what_can_be_learnt_is_found_in_few_trials() -> None:
    """The best of 15,625 cells, which has six equal edges, is found in 40 trials from each of two seeds."""
    for seed in range(2):
        simulation = Simulation(BayesianOptimization(cell_space(), seed=seed), cell_space(), conv_count).run(40)
        best = max(conv_count(p.architecture, Fidelity())["accuracy"] for p in simulation.asked)
        assert best == 1.0


@pytest.mark.parametrize("name", SPACES)
def test_every_kind_of_space_has_parts(name: str) -> None:
    """Distances are finite, symmetric, zero on the diagonal, and about 1 on average."""
    space = SPACES[name]
    rng = np.random.default_rng(0)
    features = Features(space, rng)
    numbers = features.numbers([space.sample(rng) for _ in range(40)])
    for distances in features.distances(numbers, numbers):
        np.testing.assert_allclose(distances, distances.T, atol=1e-5)
        np.testing.assert_allclose(np.diag(distances), 0, atol=1e-5)
        assert 0.5 < distances[np.triu_indices(40, 1)].mean() < 2


def test_parts_that_say_nothing_are_left_out() -> None:
    """A flat space without a network has decisions only; numbers have places, too."""
    rng = np.random.default_rng(0)
    flat = SearchSpace(training={"a": choice("a", ["x", "y"]), "b": choice("b", ["x", "y", "z"])})
    numbers = SearchSpace(training={"a": choice("a", [1, 2, 4]), "b": integer("b", 1, 9)})
    assert Features(flat, rng).parts == ("one-hot",)
    assert Features(numbers, rng).parts == ("one-hot", "ordinal")
    assert "path" in Features(cell_space(), rng).parts


def test_an_architecture_is_encoded_once() -> None:
    """Numbers stay those of the first call."""
    space = SPACES["nested"]
    features = Features(space, np.random.default_rng(0))
    some = [space.sample(np.random.default_rng(i)) for i in range(6)]
    first = features.numbers(some)
    assert first.tolist() == features.numbers(some).tolist()
    assert len(set(some)) == len(features)


def test_a_search_of_equal_scores_goes_on() -> None:
    """Constant objectives leave nothing to learn, and every architecture of a small space is proposed."""
    space = SPACES["tiny"]
    simulation = Simulation(BayesianOptimization(space), space, lambda a, f: {"accuracy": 0.5}).run(20)
    assert {a.id for a in space.enumerate()} == {p.architecture.id for p in simulation.asked}


def test_a_space_of_one() -> None:
    """One architecture is proposed, then the space is exhausted."""
    space = SearchSpace(Op("conv"))
    simulation = Simulation(BayesianOptimization(space), space).run(5)
    assert [Architecture({})] == [p.architecture for p in simulation.asked]
    assert simulation.exhausted


def test_a_singular_covariance_is_counted_and_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no model can be made random architectures are proposed, and the count says how often."""

    def singular(self: GaussianProcess, distances: list[np.ndarray]) -> np.ndarray:
        return np.full(distances[0].shape, -1.0)

    monkeypatch.setattr(GaussianProcess, "covariance", singular)
    strategy = BayesianOptimization(cell_space(), num_initial=4)
    simulation = Simulation(strategy, cell_space()).run(12)
    assert len(simulation.asked) == 12
    assert strategy.num_fallbacks == 8


def test_it_keeps_away_from_what_breaks_limits() -> None:
    """With half of the space infeasible, at most one in five of the later proposals is."""
    space = SearchSpace(OneOf(choice("kind", ["big", "small"]), (("big", _layer("big")), ("small", _layer("small")))))

    def metrics(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
        big = architecture["kind"] == "big"
        width = architecture["width.big" if big else "width.small"]
        return {"accuracy": float(width) / 100 + big, "params": 2.0 if big else 1.0}  # type: ignore[arg-type]

    limits = [Constraint("params", "<=", 1.5)]
    strategy = BayesianOptimization(space, constraints=limits)
    asked = Simulation(strategy, space, metrics).run(40).asked
    broken = [p.architecture["kind"] == "big" for p in asked]
    assert sum(broken[15:]) <= 5
    assert max(float(p.architecture["width.small"]) for p in asked if p.architecture["kind"] == "small") == 64  # type: ignore[arg-type]


def _layer(name: str) -> Op:
    return Op("conv", (("width", integer(f"width.{name}", 1, 64)),))


def test_trials_at_another_fidelity_are_not_mixed_in() -> None:
    """A few trials after a longer training, told by somebody, do not change what is learnt from the rest."""
    space = cell_space()
    plain, disturbed = (Simulation(BayesianOptimization(space), space, conv_count) for _ in range(2))
    plain.run(12)
    disturbed.run(12)
    proposal = Proposal(disturbed.asked[0].architecture, Fidelity(epochs=9))
    disturbed.strategy.tell([Trial(999, proposal, 0, TrialState.FINISHED, {"accuracy": 1.0})])
    assert plain.run(15).trace() == disturbed.run(15).trace()


@pytest.mark.long
def test_several_objectives_reach_both_ends() -> None:
    """Two opposed objectives: the front found spans most of both ranges."""
    space = SPACES["cell"]
    objectives = (Objective("accuracy", "max"), Objective("params", "min"))
    asked = Simulation(BayesianOptimization(space, objectives=objectives), space).run(60).asked
    found = [synthetic_metrics(p.architecture, Fidelity()) for p in asked]
    everything = [synthetic_metrics(a, Fidelity()) for a in space.enumerate()]
    for name, best in (("accuracy", max), ("params", min)):
        values = sorted((m[name] for m in everything), reverse=best is max)
        assert values.index(best(m[name] for m in found)) < len(values) / 50


def test_wrong_arguments_are_refused() -> None:
    """The number of first proposals is at least one."""
    with pytest.raises(UsageError, match="num_initial must be >= 1, got 0"):
        BayesianOptimization(cell_space(), num_initial=0)


@pytest.mark.parametrize("part", ["surrogate", "acquisition"])
def test_a_part_that_cannot_be_called_is_refused(part: str) -> None:
    """As it is typed in a comparison, where options are text."""
    with pytest.raises(UsageError, match=f"{part} must be a function or class of your own, got 'trees'"):
        make_strategy("bayesian", cell_space(), **{part: "trees"})


@pytest.mark.long
def test_the_first_proposals_are_far_from_each_other() -> None:
    """Of 50 seeds the five first proposals are farther apart, on average, than random architectures are."""
    space, rng = cell_space(), np.random.default_rng(0)
    features = Features(space, rng)

    def nearest(architectures: list[Architecture]) -> float:
        numbers = features.numbers(architectures)
        apart = np.sum(features.distances(numbers, numbers), axis=0)
        return float(apart[np.triu_indices(len(numbers), 1)].min())

    ours = [nearest([p.architecture for p in BayesianOptimization(space, seed=s).ask(5)]) for s in range(50)]
    drawn = [nearest([space.sample(rng) for _ in range(5)]) for _ in range(50)]
    assert np.mean(ours) > 1.5 * np.mean(drawn)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_first_proposals_with_scores_are_both_ends(sign: int) -> None:
    """The best and the worst by turns, so that scores of the wrong sign teach as much: the same two, exchanged."""
    space = cell_space()

    def scores(architecture: Architecture) -> dict[str, float]:
        return {"convs": sign * sum("conv" in str(v) for v in architecture.values()) + 0.0}

    asked = [p.architecture for p in BayesianOptimization(space, seed=3, scores=scores).ask(4)]
    counts = [sign * scores(a)["convs"] for a in asked]
    best, worst = counts[::2], counts[1::2]
    assert min(best) - max(worst) >= 4 if sign > 0 else min(worst) - max(best) >= 4


@pytest.mark.parametrize("aims", [("accuracy",), ("accuracy", "cost")])
def test_a_small_space_is_tried_to_its_end(aims: tuple[str, ...]) -> None:
    """After a value as after a front: when all around what is known was tried, whatever is left is proposed."""
    space = SearchSpace(training={"a": choice("a", list(range(6))), "b": choice("b", list(range(6)))})
    goals = [Objective(name, "max" if name == "accuracy" else "min") for name in aims]
    strategy = BayesianOptimization(space, seed=0, objectives=goals)
    seen = set()
    for number in range(36):
        (proposal,) = strategy.ask(1)
        seen.add(proposal.architecture)
        metrics = {name: float(proposal.architecture["a"]) + number % 2 for name in aims}
        strategy.tell([Trial(number, proposal, 0, TrialState.FINISHED, metrics)])
    assert len(seen) == 36
    with pytest.raises(Exhausted):
        strategy.ask(1)
