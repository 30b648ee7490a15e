"""REINFORCE learns what is rewarded, and only that."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from netwright.benchmarks import load_benchmark
from netwright.comparison import Settings, compare
from netwright.errors import UsageError
from netwright.space import Op, SearchSpace, choice
from netwright.strategies.ppo import ProximalPolicy
from netwright.strategies.random import RandomSearch
from netwright.strategies.reinforce import Reinforce
from netwright.testing import Simulation, check_strategy, example_spaces, synthetic_metrics, tiny_space
from netwright.types import Architecture, Constraint, Fidelity, Metrics, Objective, Proposal, Trial, TrialState

SPACES = example_spaces()


def wide_space() -> SearchSpace:
    """Four choices of ten values."""
    return SearchSpace(Op("conv", tuple((name, choice(name, list(range(10)))) for name in "abcd")))


def total(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    return {"accuracy": float(sum(architecture.values())) / 36}  # type: ignore[arg-type]


def chances(strategy: Reinforce | ProximalPolicy, space: SearchSpace) -> np.ndarray:
    """What the policy makes of each architecture of a finite space."""
    controller = strategy._author.controller
    return np.exp(controller.forward([controller.recall(a) for a in space.enumerate()]).log_probs)


def told(strategy: Reinforce | ProximalPolicy, *accuracies: float | None) -> list[Architecture]:
    """Ask and tell one by one; None is a failure."""
    found = []
    for number, accuracy in enumerate(accuracies):
        (proposal,) = strategy.ask(1)
        found.append(proposal.architecture)
        state = TrialState.FAILED if accuracy is None else TrialState.FINISHED
        metrics = {} if accuracy is None else {"accuracy": accuracy}
        strategy.tell([Trial(number, proposal, number, state, metrics)])
    return found


def two_goals(space: SearchSpace, seed: int) -> Reinforce:
    goals = (Objective("accuracy", "max"), Objective("latency_ms", "min"))
    return Reinforce(space, seed=seed, objectives=goals, constraints=[Constraint("params", "<=", 6e5)])


@pytest.mark.parametrize("name", ["tiny", "nested", "mixed"])
def test_it_keeps_the_protocol(name: str) -> None:
    """It passes the conformance suite."""
    check_strategy(lambda s, seed: Reinforce(s, seed=seed), spaces={name: SPACES[name]}, other_process=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small_cell", "cell"])
def test_it_keeps_the_protocol_on_further_spaces(name: str) -> None:
    """It passes the suite on cells, few and many."""
    check_strategy(lambda s, seed: Reinforce(s, seed=seed), spaces={name: SPACES[name]}, other_process=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_it_keeps_the_protocol_with_two_objectives_and_a_limit(name: str) -> None:
    """It passes the suite with Pareto ranks and infeasible trials."""
    check_strategy(two_goals, spaces={name: SPACES[name]}, other_process=False)


def test_it_learns_what_is_rewarded() -> None:
    """On a sum of four numbers the last 20 of 120 trials are far above the first 20, which are random."""
    means = []
    for seed in range(3):
        simulation = Simulation(Reinforce(wide_space(), seed=seed), wide_space(), total).run(120)
        values = [t.metrics["accuracy"] for t in simulation.told]
        means.append((np.mean(values[:20]), np.mean(values[-20:])))
    first, last = np.mean(means, axis=0)
    assert first < 0.6
    assert last > 0.7


def test_the_better_of_two_becomes_likelier_and_the_worse_less_likely() -> None:
    """One step moves the probability of the trial it is about, up or down, from one in six."""
    space = tiny_space()
    for second, sign in ((0.9, 1), (0.1, -1)):
        strategy = Reinforce(space, seed=0)
        _, arch = told(strategy, 0.5, second)
        change = chances(strategy, space)[list(space.enumerate()).index(arch)] - 1 / 6
        assert np.sign(change) == sign


@pytest.mark.parametrize("outcome", [0.5, None, math.nan])
def test_nothing_is_learned_from_trials_that_are_all_alike(outcome: float | None) -> None:
    """Constant scores, failures and NaN leave the policy uniform."""
    strategy = Reinforce(tiny_space(), seed=0)
    told(strategy, *[outcome] * 5)
    assert chances(strategy, tiny_space()) == pytest.approx(np.full(6, 1 / 6))


def test_trials_nobody_asked_for_are_learned_from() -> None:
    """A warm start with the best and the worst makes the best likelier than the worst, before anything is asked."""
    space = tiny_space()
    strategy = Reinforce(space, seed=0)
    archs = list(space.enumerate())
    for number, place in enumerate((0, 5, 1, 4)):
        metrics = {"accuracy": float(place)}
        strategy.tell([Trial(number, Proposal(archs[place]), 0, TrialState.FINISHED, metrics)])
    after = chances(strategy, space)
    assert after[5] > after[0]


def transformed(architecture: Architecture, fidelity: Fidelity) -> Metrics:
    return {"accuracy": -100 * math.exp(3 * synthetic_metrics(architecture, fidelity)["accuracy"])}


@pytest.mark.parametrize("kind", [Reinforce, ProximalPolicy])
def test_only_the_order_of_scores_counts(kind: type[Reinforce | ProximalPolicy]) -> None:
    """Minimising a monotone function of the negative is the same search."""
    space = SPACES["cell"]
    plain = Simulation(kind(space), space).run(40).trace()
    other = Simulation(kind(space, objectives=[Objective("accuracy", "min")]), space, transformed).run(40).trace()
    assert plain == other


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.0}, "rate must be a finite number > 0, got 0.0"),
        ({"decay": 1.0}, r"decay must be in \[0, 1\), got 1.0"),
        ({"entropy": -1.0}, "entropy must be a finite number >= 0, got -1.0"),
        ({"size": 0}, "size must be a whole number >= 1, got 0"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, float], message: str) -> None:
    """The message names the option and what is allowed."""
    with pytest.raises(UsageError, match=message):
        Reinforce(tiny_space(), **options)  # type: ignore[arg-type]


def sign_test(wins: int, losses: int) -> float:
    """One-sided p-value of winning so often by chance."""
    return sum(math.comb(wins + losses, k) for k in range(wins, wins + losses + 1)) / 2 ** (wins + losses)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("table", ["nasbench201-cifar10", "nasbench201-cifar100", "nasbench-macro"])
def test_controllers_beat_random_search(table: str, shared_data: Path) -> None:
    """At 200 queries over 50 paired seeds, by the sign test on the best accuracy found."""
    strategies = {"random": RandomSearch, "reinforce": Reinforce, "ppo": ProximalPolicy}
    settings = Settings(metric="test_accuracy", queries=200, seeds=50)
    regrets = compare(load_benchmark(table, shared_data), strategies, settings, jobs=1).all_regrets
    base = regrets["random"][:, -1]
    for label in ("reinforce", "ppo"):
        ours = regrets[label][:, -1]
        assert sign_test(int(sum(ours < base)), int(sum(ours > base))) < 1e-3, label
