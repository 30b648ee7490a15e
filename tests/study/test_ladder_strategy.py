"""The ladder as a strategy: who is trained longer, what is measured of each rung, and which rung is dropped."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from scipy.stats import kendalltau

from netwright.errors import UsageError
from netwright.evaluation.scored import Scored
from netwright.space import SearchSpace, integer
from netwright.strategies import Exhausted, RandomSearch, Strategy
from netwright.study.ladder_screen import PREDICTOR, PROXIES, Screen
from netwright.study.ladder_strategy import Ladder
from netwright.testing.strategies import check_strategy
from netwright.types import Architecture, Fidelity, Proposal, Trial, TrialState

LENGTHS = [Fidelity(1.0), Fidelity(3.0), Fidelity(9.0)]
Accuracy = Callable[[Architecture, float], float]


def space() -> SearchSpace:
    """Two numbers; the first is what counts, the second is the size."""
    return SearchSpace(training={"good": integer("good", 0, 40), "size": integer("size", 0, 40)})


def honest(arch: Architecture, epochs: float) -> float:
    return int(arch["good"]) / 50 + epochs / 100


def reversed_at_first(arch: Architecture, epochs: float) -> float:
    """The shortest training ranks the wrong way round, and by nothing else."""
    return honest(arch, epochs) if epochs > 1 else 1 - honest(arch, epochs)


def scored(architectures: Sequence[Architecture], score: Callable[[Architecture], float]) -> list[Scored]:
    return [Scored(a, {"proxy": score(a)}, sizes(a), {}) for a in architectures]


def sizes(arch: Architecture) -> Mapping[str, float]:
    return {"params": float(int(arch["size"])), "macs": 1.0, "depth": 1.0}


def trial(number: int, proposal: Proposal, accuracy: Accuracy) -> Trial:
    assert proposal.fidelity.epochs is not None
    metrics = {"accuracy": accuracy(proposal.architecture, proposal.fidelity.epochs), **sizes(proposal.architecture)}
    return Trial(number, proposal, 0, TrialState.FINISHED, metrics)


def run(strategy: Strategy, num: int, accuracy: Accuracy = honest) -> list[Trial]:
    """A search of so many trials, one at a time."""
    trials: list[Trial] = []
    while len(trials) < num:
        try:
            (proposal,) = strategy.ask(1)
        except Exhausted:
            break
        trials.append(trial(len(trials), proposal, accuracy))
        strategy.tell(trials[-1:])
    return trials


def ladder(
    lengths: Sequence[Fidelity] = LENGTHS,
    screen: Screen | None = None,
    in_space: SearchSpace | None = None,
    seed: int = 0,
) -> Ladder:
    found = in_space or space()
    initial = tried(12) if screen is not None else []
    return Ladder(
        lambda: RandomSearch(found, seed=seed, initial=initial), lengths, screen=screen, num_initial=len(initial)
    )


def tried(num: int) -> list[Architecture]:
    """Networks that are tried in any case."""
    rng = np.random.default_rng(5)
    return [space().sample(rng) for _ in range(num)]


def filled(score: Callable[[Architecture], float], *, predictor: bool = False, num: int = 60) -> Screen:
    screen = Screen(space(), tried=tried(12), num_to_score=num, predictor=predictor, cost_ratio=3.0)
    screen.fill(scored(screen.to_score, score))
    return screen


def plain(in_space: SearchSpace, seed: int) -> Strategy:
    return ladder([Fidelity(1.0), Fidelity(3.0)], in_space=in_space, seed=seed)


def test_it_keeps_the_contract_of_strategies() -> None:
    """Asked, told late, in any grouping, with failures: the suite that all strategies pass."""
    check_strategy(plain, spaces={"numbers": space()}, other_process=False)


def test_some_are_trained_longer_whatever_they_scored() -> None:
    """The one at a fixed place of each six is a probe; the others that go on are the best."""
    trials = run(ladder(), 60)
    lowest = [t.architecture for t in trials if t.fidelity == LENGTHS[0]]
    probes = [t for t in trials if t.proposal.origin == "probe" and t.fidelity == LENGTHS[1]]
    assert [lowest[place - 1] for place in (3, 9, 15)] == [t.architecture for t in probes][:3]
    assert any(honest(t.architecture, 1) < np.median([honest(a, 1) for a in lowest]) for t in probes)
    by_id = {t.id: t for t in trials}
    for t in trials:
        if t.fidelity != LENGTHS[0]:
            assert t.architecture == by_id[t.proposal.parents[0]].architecture
            assert t.proposal.origin in ("promotion", "probe")


def test_what_rungs_are_worth_is_measured() -> None:
    """An honest training has tau 1 against the next one, by comparisons with probes; the size has not."""
    strategy = ladder()
    run(strategy, 90)
    first = strategy.agreements[0]
    assert (LENGTHS[0], LENGTHS[1], 1.0, False) == (first.low, first.high, round(first.tau, 6), first.dropped)
    assert first.num_random >= 3
    assert abs(first.size_tau) < first.lower
    assert first.top == 1.0


def test_what_is_measured_is_what_there_is() -> None:
    """A training that is half noise: the estimate is near the tau of all networks, not that of those that went on."""
    noise = np.random.default_rng(0)
    numbers: dict[tuple[Architecture, float], float] = {}

    def vague(arch: Architecture, epochs: float) -> float:
        deviation = 0.3 if epochs == 1 else 0.0
        return numbers.setdefault((arch, epochs), honest(arch, epochs) + noise.normal(0, deviation))

    taus = []
    for seed in range(12):
        run(strategy := ladder(LENGTHS[:2], seed=seed), 100, vague)
        taus.append(strategy.agreements[0].tau)
    pairs = [(vague(a, 1.0), honest(a, 1.0)) for a in space().enumerate()]
    expected = kendalltau(*zip(*pairs, strict=True)).statistic
    assert expected == pytest.approx(np.mean(taus), abs=3 * np.std(taus) / np.sqrt(len(taus)) + 0.02)


def test_how_many_pass_follows_from_what_was_measured() -> None:
    """One in three until it is known; of a rung that says all fewer, of one that says little more."""
    strategy = ladder(LENGTHS[:2])
    run(strategy, 6)
    assert () == strategy.agreements
    run(honest_one := ladder(LENGTHS[:2]), 120)
    noise = np.random.default_rng(0)
    numbers: dict[tuple[Architecture, float], float] = {}

    def vague(arch: Architecture, epochs: float) -> float:
        return numbers.setdefault((arch, epochs), honest(arch, epochs) + noise.normal(0, 0.7 if epochs == 1 else 0.01))

    run(vague_one := ladder(LENGTHS[:2]), 120, vague)
    assert honest_one.agreements[0].passing < 1 / 3 < vague_one.agreements[0].passing


def test_a_training_that_misleads_is_dropped_and_told() -> None:
    """From then on networks begin at the next length, and what the best was is found."""
    strategy = ladder()
    trials = run(strategy, 150, reversed_at_first)
    assert [LENGTHS[0]] == strategy.dropped
    assert LENGTHS[1:] == list(strategy.fidelities)
    assert strategy.remarks[0].startswith("ladder: trainings of 1 epochs dropped, since they mislead")
    assert strategy.agreements[0].dropped
    begun = [t for t in trials if t.proposal.origin == "random"]
    assert begun[-1].fidelity == LENGTHS[1]
    assert max(honest(t.architecture, 9) for t in trials if t.fidelity == LENGTHS[2]) > 0.85


def test_an_honest_training_is_not_dropped() -> None:
    """Over twenty searches, also where all sizes are alike."""
    for seed in range(20):
        strategy = ladder(seed=seed)
        run(strategy, 80)
        assert [] == strategy.dropped


def test_the_best_of_the_pool_take_turns_with_the_strategy() -> None:
    """After what is tried in any case; every third of the pool is drawn by chance."""
    strategy = ladder(LENGTHS[:1], filled(lambda a: float(int(a["good"]))))
    trials = run(strategy, 20)
    assert tried(12) == [t.architecture for t in trials[:12]]
    assert ["random", PROXIES, "random", PROXIES, "random", "pool"] == [t.proposal.origin for t in trials[12:18]]
    assert strategy.screen is not None
    best = max(int(a["good"]) for a in strategy.screen.pool)
    assert best == int(trials[13].architecture["good"])


def test_proxies_that_mislead_are_dropped_and_told() -> None:
    """Scores the wrong way round are not used any more, and the strategy goes on alone."""
    strategy = ladder(LENGTHS[:1], filled(lambda a: -float(int(a["good"]))))
    trials = run(strategy, 60)
    assert strategy.screen is not None
    assert [PROXIES] == strategy.screen.dropped
    assert "ladder: proxies dropped, no better than size: the proxies against 1 epochs" in strategy.remarks[0]
    assert {"random"} == {t.proposal.origin for t in trials[40:]}
    assert strategy.agreements[0].dropped


def test_proxies_that_say_what_the_size_says_are_dropped() -> None:
    """After enough networks: they cost time, the size does not."""

    def by_size(arch: Architecture, epochs: float) -> float:
        return int(arch["size"]) / 50

    strategy = ladder(LENGTHS[:1], filled(lambda a: float(int(a["size"]))))
    run(strategy, 90, by_size)
    assert strategy.screen is not None
    assert [PROXIES] == strategy.screen.dropped


def test_good_proxies_stay() -> None:
    """Their correlation is told with its interval."""
    strategy = ladder(LENGTHS[:1], filled(lambda a: float(int(a["good"]))))
    run(strategy, 60)
    (found,) = strategy.agreements
    assert (PROXIES, 1.0, False) == (found.low, round(found.tau, 6), found.dropped)
    assert found.num_random >= 1


def test_scores_that_are_no_numbers_rank_last_and_are_counted() -> None:
    """Networks that a proxy is not for are not chosen by it."""
    screen = Screen(space(), num_to_score=40, predictor=False, cost_ratio=3.0)
    told = screen.fill(scored(screen.pool, lambda a: math.nan if int(a["good"]) > 20 else float(int(a["good"]))))
    missing = sum(int(a["good"]) > 20 for a in screen.pool)
    assert told.endswith(f"no number, and ranked last: proxy of {missing}")
    chosen = screen.pick(lambda arch: True, LENGTHS[0])
    assert chosen is not None
    assert int(chosen.architecture["good"]) <= 20


def test_a_proxy_that_is_not_for_many_networks_is_left_out_beside_others() -> None:
    """It would rank those last for what they are, not for what they are worth."""
    screen = Screen(space(), num_to_score=40, predictor=False)
    rows = [
        Scored(a, {"all": float(int(a["good"])), "some": math.nan if int(a["size"]) % 2 else 1.0}, sizes(a), {})
        for a in screen.pool
    ]
    assert screen.fill(rows) == "ladder: 40 networks scored by all"


@pytest.mark.parametrize(
    ("num", "score", "why"),
    [(40, math.nan, "no network has a score"), (5, 1.0, "only 5 were scored in time")],
)
def test_without_scores_there_are_no_proxies(num: int, score: float, why: str) -> None:
    """It is said, and the strategy goes on alone."""
    screen = Screen(space(), num_to_score=40, predictor=False)
    assert why in screen.fill(scored(screen.pool[:num], lambda a: score))
    assert (screen.living, None) == ([], screen.pick(lambda arch: True, LENGTHS[0]))


def test_the_predictor_ranks_the_pool_once_it_can() -> None:
    """It learns from the search's own trials; what it said before a training is compared with what came out."""
    strategy = ladder(LENGTHS[:1], Screen(space(), cost_ratio=1.0))
    trials = run(strategy, 40)
    chosen = [honest(t.architecture, 0) for t in trials if t.proposal.origin == PREDICTOR]
    others = [honest(t.architecture, 0) for t in trials if t.proposal.origin == "random"]
    assert len(chosen) >= 3
    assert np.mean(chosen) > np.mean(others) + 0.1
    found = strategy.agreements[0]
    assert (PREDICTOR, True) == (found.low, found.tau > 0.4)


def test_networks_over_a_known_limit_are_not_in_the_pool() -> None:
    from netwright.types import Constraint

    screen = Screen(
        space(), num_to_score=40, predictor=False, constraints=[Constraint.parse("params<=10")], cost_ratio=1.0
    )
    screen.fill(scored(screen.pool, lambda a: float(int(a["size"]))))
    chosen = [screen.pick(lambda arch: True, LENGTHS[0]) for _ in range(3)]
    assert all(proposal is not None and int(proposal.architecture["size"]) <= 10 for proposal in chosen)


def test_a_replay_gives_the_same_search() -> None:
    """Asked and told again in the same order, drops included, it asks the same."""

    def fresh() -> Ladder:
        return ladder(screen=filled(lambda a: -float(int(a["good"])), predictor=True))

    trials = run(fresh(), 100, reversed_at_first)
    again = fresh()
    for told in trials:
        assert [told.proposal] == list(again.ask(1))
        again.tell([told])
    assert again.remarks


def test_every_network_of_a_small_space_is_tried_once() -> None:
    """The pool and the strategy do not try the same; then the search is over."""
    small = SearchSpace(training={"good": integer("good", 0, 4), "size": integer("size", 0, 3)})
    screen = Screen(small, cost_ratio=1.0)
    strategy = Ladder(lambda: RandomSearch(small), LENGTHS[:1], screen=screen)
    trials = run(strategy, 100)
    assert 20 == len({t.architecture for t in trials}) == len(trials)


@pytest.mark.parametrize(
    ("lengths", "eta", "message"),
    [
        ([], 3.0, "fidelities must be"),
        (LENGTHS[::-1], 3.0, "longer than the one before"),
        (LENGTHS, 1.0, "eta must be"),
    ],
)
def test_rungs_that_cannot_be_are_refused(lengths: list[Fidelity], eta: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Ladder(lambda: RandomSearch(space()), lengths, eta=eta)
