"""The pool of new architectures."""

from __future__ import annotations

from collections.abc import Container

import numpy as np
import pytest

from netwright.errors import SpaceError, UsageError
from netwright.space import Op, SearchSpace, choice, real
from netwright.strategies import STRATEGIES, Exhausted, RandomSearch, make_strategy
from netwright.strategies.pool import PASSED_OVER, PASSED_OVER_AGAIN, Pool, collect
from netwright.testing import cell_space, tiny_space
from netwright.types import Architecture, Proposal, Trial, TrialState


def test_isomorphic_cells_are_one_architecture() -> None:
    """Of two cells that are the same network only the first is new."""
    pool = Pool(cell_space(), 0)
    edges = dict.fromkeys([f"edge{i}" for i in range(6)], "none")
    direct = Architecture(edges | {"edge3": "nor_conv_3x3"})
    with_dead_end = Architecture(edges | {"edge3": "nor_conv_3x3", "edge0": "nor_conv_1x1"})
    assert [pool.claim(direct), pool.claim(with_dead_end)] == [True, False]


def test_samples_are_uniform_without_replacement() -> None:
    """The first sample of the tiny space is each of its six architectures equally often (chi-square, p > 1e-6)."""
    space = tiny_space()
    counts = dict.fromkeys(space.enumerate(), 0)
    for seed in range(600):
        counts[Pool(space, seed).sample()] += 1
    statistic = sum((n - 100) ** 2 / 100 for n in counts.values())
    assert statistic < 35.9  # the 1 - 1e-6 quantile of chi-square with 5 degrees of freedom


def test_a_nearly_used_up_space_gives_its_last_architecture() -> None:
    """Where re-rolls find nothing new the space is swept: the last of 2,000 architectures is found, then none."""
    space = SearchSpace(Op("conv", (("width", choice("width", list(range(2000)))),)))
    pool = Pool(space, 0)
    for architecture in space.enumerate():
        if architecture["width"] != 1234:
            pool.claim(architecture)
    assert dict(pool.sample()) == {"width": 1234}
    with pytest.raises(Exhausted, match="every architecture"):
        pool.sample()


def test_an_infinite_space_is_never_exhausted() -> None:
    """Where choices are real numbers, a duplicate is given rather than the end."""
    space = SearchSpace(Op("dropout", (("rate", real("rate", 0.25, 0.25)),)))
    pool = Pool(space, 0)
    assert [dict(pool.sample()) for _ in range(3)] == [{"rate": 0.25}] * 3


def test_a_doubled_trial_changes_nothing() -> None:
    """A batch with a trial told before is refused as a whole: its other trials can be told afterwards."""
    space = tiny_space()
    pool = Pool(space, 0)
    first, second = (
        Trial(i, Proposal(a), 0, TrialState.FINISHED) for i, a in zip(range(2), space.enumerate(), strict=False)
    )
    pool.admit([first])
    with pytest.raises(UsageError, match="trial id must be told once, got 0; give each trial"):
        pool.admit([second, first])
    assert pool.num_seen == 1
    pool.admit([second])
    assert pool.num_seen == 2


@pytest.mark.parametrize("seed", [-1, 1.5, True, None])
def test_a_seed_that_is_none_is_named(seed: object) -> None:
    """The message says what a seed may be."""
    with pytest.raises(UsageError, match="seed must be a whole number >= 0, got"):
        RandomSearch(tiny_space(), seed=seed)  # type: ignore[arg-type]


def test_an_initial_architecture_outside_the_space_is_named() -> None:
    """The message says which decision is wrong."""
    with pytest.raises(SpaceError, match=r"initial architecture must be in the search space: .*width"):
        RandomSearch(tiny_space(), initial=[Architecture({"width": 99, "bias": True})])


def test_a_told_trial_outside_the_space_is_refused() -> None:
    """A warm start from another space is refused, and the trial is named."""
    strategy = RandomSearch(tiny_space())
    foreign = Trial(7, Proposal(Architecture({"depth": 3})), 0, TrialState.FINISHED)
    with pytest.raises(SpaceError, match="architecture of trial 7 must be in the search space"):
        strategy.tell([foreign])


def test_initial_architectures_come_first_and_once() -> None:
    """Initial proposals keep their order, origin and fidelity, and the later of two equal ones is dropped."""
    space = tiny_space()
    a, b = Architecture({"width": 16, "bias": True}), Architecture({"width": 8, "bias": False})
    strategy = RandomSearch(space, initial=[Proposal(b, origin="reference:small"), a, b])
    assert [(b, "reference:small"), (a, "initial")] == [(p.architecture, p.origin) for p in strategy.ask(2)]
    assert strategy.ask(1)[0].origin == "random"


@pytest.mark.parametrize("n", [0, -3, 1.0, True])
def test_asking_for_no_proposals_is_refused(n: object) -> None:
    """The number asked for is a whole number of at least 1."""
    with pytest.raises(UsageError, match="n must be a whole number >= 1, got"):
        RandomSearch(tiny_space()).ask(n)  # type: ignore[arg-type]


def test_collecting_stops_at_the_end_and_at_a_wait() -> None:
    """What was found before the end is returned; the end alone is raised."""
    one = Proposal(Architecture({}))

    def end() -> Proposal:
        raise Exhausted("over")

    answers = iter([one, None])
    assert [one] == collect(3, lambda: next(answers))
    steps = iter([one])
    assert collect(3, lambda: next(steps, None) or end()) == [one]
    with pytest.raises(Exhausted, match="over"):
        collect(1, end)


def test_the_generator_is_owned_by_the_pool() -> None:
    """Two pools of one seed draw the same numbers whatever the global state is."""
    np.random.seed(1)  # noqa: NPY002 - the global state must not matter
    first = Pool(tiny_space(), 4).rng.random()
    np.random.seed(2)  # noqa: NPY002
    assert first == Pool(tiny_space(), 4).rng.random()


def widths(num: int, admitted: Container[int]) -> SearchSpace:
    """A space of widths from 0, of which some are admitted."""
    space = SearchSpace(Op("conv", (("width", choice("width", list(range(num)))),)))
    return space.limited(lambda architecture: architecture["width"] in admitted)


def test_what_breaks_a_known_limit_is_passed_over() -> None:
    """Samples, sweeps and claims give what the space admits, each once, then the end; initial ones are not asked."""
    pool = Pool(widths(2000, {3, 999, 1234}), 0, [Architecture({"width": 7})])
    assert pool.next_initial() == Proposal(Architecture({"width": 7}), origin="initial")
    assert not pool.claim(Architecture({"width": 8}))
    assert {pool.sample()["width"] for _ in range(2)} <= {3, 999, 1234}
    assert pool.num_seen == 3


def test_limits_that_nothing_keeps_are_told_by_trials() -> None:
    """So that the search ends with what was tried, one of 500 is proposed all the same, then one of 50."""
    asked: list[Architecture] = []
    space = SearchSpace(Op("conv", (("width", choice("width", list(range(100_000)))),)))
    pool = Pool(space.limited(lambda architecture: bool(asked.append(architecture))), 0)
    pool.sample()
    assert len(asked) == PASSED_OVER + 1
    pool.sample()
    assert len(asked) == PASSED_OVER + PASSED_OVER_AGAIN + 2


def test_a_finite_space_ends_when_all_of_it_was_looked_at() -> None:
    pool = Pool(widths(300, {1, 2, 3}), 0)
    assert {pool.sample()["width"] for _ in range(3)} == {1, 2, 3}
    with pytest.raises(Exhausted, match="every architecture"):
        pool.sample()


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_strategy_passes_over_what_breaks_a_known_limit(name: str) -> None:
    """Of cells with a 3x3 convolution nothing is proposed where these are not admitted."""
    if name in ("optuna", "nevergrad"):
        pytest.importorskip(name)
    space = cell_space().limited(lambda architecture: "nor_conv_3x3" not in architecture.values())
    strategy = make_strategy(name, space, seed=1)
    number = 0
    for _ in range(40):
        for proposal in strategy.ask(1):
            assert "nor_conv_3x3" not in proposal.architecture.values()
            score = sum(len(str(value)) for value in proposal.architecture.values()) / 100
            strategy.tell([Trial(number, proposal, 0, TrialState.FINISHED, {"accuracy": score})])
            number += 1
    assert number == 40
