"""The rungs that train nothing: who of the pool is chosen, what is no number, and what is dropped."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from ladder_cases import LENGTHS, filled, honest, ladder, run, scored, sizes, space, tried

from netwright.evaluation.ladder import SHARED
from netwright.evaluation.scored import Scored
from netwright.study.ladder_screen import PREDICTOR, PROXIES, Screen
from netwright.types import Architecture

Score = Callable[[Architecture], float]


def test_the_best_of_the_pool_come_first_and_take_turns_with_the_strategy() -> None:
    """After what is tried in any case; every third of the pool is drawn by chance."""
    strategy = ladder(LENGTHS[:1], filled(lambda a: float(int(a["good"])), num=100))
    trials = run(strategy, 20)
    assert tried(12) == [t.architecture for t in trials[:12]]
    assert [PROXIES, PROXIES, "pool", "random", PROXIES, "random"] == [t.proposal.origin for t in trials[12:18]]
    assert strategy.screen is not None
    best = max(int(a["good"]) for a in strategy.screen.pool)
    assert best == int(trials[12].architecture["good"])


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
    small = space().limited(lambda arch: int(arch["size"]) <= 10)
    screen = Screen(small, num_to_score=40, predictor=False, cost_ratio=1.0)
    screen.fill(scored(screen.pool, lambda a: float(int(a["size"]))))
    chosen = [screen.pick(lambda arch: True, LENGTHS[0]) for _ in range(3)]
    assert all(proposal is not None and int(proposal.architecture["size"]) <= 10 for proposal in chosen)


def test_a_space_that_admits_nothing_has_an_empty_pool() -> None:
    """The limits are told where the first proposals break them; the rungs that train nothing stay silent."""
    screen = Screen(space().limited(lambda arch: False), num_to_score=40, cost_ratio=1.0)
    assert (screen.pool, screen.passing, screen.pick(lambda arch: True, LENGTHS[0])) == ((), 0.0, None)
    strategy = ladder(LENGTHS[:1], Screen(space().limited(lambda arch: False), cost_ratio=1.0))
    assert len(strategy.ask(1)) == 1


def both(proxy: Score, shared: Score, *, num: int = 60, share: int = 30, predictor: bool = False) -> Screen:
    """A pool that is scored by proxies, and in part with shared weights."""
    screen = Screen(space(), tried=tried(12), num_to_score=num, num_to_share=share, predictor=predictor, cost_ratio=3.0)
    screen.fill(scored(screen.to_score, proxy))
    screen.fill([Scored(a, {"supernet": shared(a)}, sizes(a), {}) for a in screen.to_share], SHARED)
    return screen


def good(arch: Architecture) -> float:
    return float(int(arch["good"]))


def test_proxies_choose_which_networks_are_scored_with_shared_weights() -> None:
    """Two of three the best, every third by chance, after those tried in any case; without proxies all by chance."""
    screen = both(good, good, share=9)
    wanted = screen.to_share
    assert list(wanted[:12]) == tried(12)
    best = sorted(screen.pool, key=lambda a: -good(a))[:6]
    of_pool = [a for a in wanted[12:] if a not in tried(12)]
    assert {good(a) for a in best} <= {good(a) for a in wanted}
    assert screen.pool[0] in wanted
    assert len(of_pool) <= 9
    alone = Screen(space(), tried=tried(12), num_to_share=9, predictor=False)
    assert alone.to_share == tuple(dict.fromkeys((*tried(12), *alone.pool)))
    assert (len(alone.pool), alone.to_share) == (9, alone.to_score)


def test_shared_weights_rank_the_pool_before_anything_is_measured() -> None:
    """They are the dearer rung; the networks that they choose are told by their name."""
    screen = both(lambda a: -good(a), good)
    chosen = screen.pick(lambda arch: True, LENGTHS[0])
    assert chosen is not None
    assert chosen.origin == SHARED
    assert good(chosen.architecture) == max(good(a) for a in screen.to_share if a in screen.pool)


def test_the_rung_that_is_measured_to_be_worth_more_ranks_the_pool() -> None:
    """Here the proxies do: shared weights say little, and are not dropped yet."""
    screen = both(good, lambda a: good(a) + 37 * (int(a["size"]) % 3))
    for arch in tried(7):
        screen.learn(arch, honest(arch, 1.0), sizes(arch))
    screen.judge(LENGTHS[0])
    assert screen.living == [PROXIES, SHARED]
    chosen = screen.pick(lambda arch: True, LENGTHS[0])
    assert chosen is not None
    assert chosen.origin == PROXIES


def test_shared_weights_that_mislead_are_dropped_and_told() -> None:
    """The proxies go on without them."""
    strategy = ladder(LENGTHS[:1], both(good, lambda a: -good(a)))
    run(strategy, 60)
    assert strategy.screen is not None
    assert [SHARED] == strategy.screen.dropped
    assert "ladder: supernet dropped, no better than size: the supernet against 1 epochs" in strategy.remarks[0]
    found = {agreement.low: agreement for agreement in strategy.agreements}
    assert (found[SHARED].dropped, found[SHARED].tau < 0, found[PROXIES].dropped) == (True, True, False)


def test_shared_weights_that_rank_well_stay_and_are_told() -> None:
    """With tau and its interval; and a pool without proxies is ranked, too."""
    screen = Screen(space(), tried=tried(12), num_to_share=40, predictor=False, cost_ratio=3.0)
    screen.fill([Scored(a, {"supernet": good(a)}, sizes(a), {}) for a in screen.to_share], SHARED)
    strategy = ladder(LENGTHS[:1], screen)
    trials = run(strategy, 40)
    assert SHARED in {t.proposal.origin for t in trials}
    (found,) = strategy.agreements
    assert (found.low, round(found.tau, 6), found.dropped) == (SHARED, 1.0, False)
    assert str(found).startswith("the supernet against 1 epochs: rank correlation 1.00 (90 %: ")


def test_shared_weights_with_which_all_score_the_same_are_no_rung() -> None:
    screen = Screen(space(), num_to_share=20, predictor=False)
    rows = [Scored(a, {"supernet": 0.1}, sizes(a), {}) for a in screen.to_share]
    assert screen.fill(rows, SHARED) == "ladder: no supernet: all 20 networks score the same with shared weights"
    assert screen.living == []
    assert screen.pick(lambda arch: True, LENGTHS[0]) is None


def test_the_predictor_sees_the_scores_of_living_rungs_only() -> None:
    """Of both as long as both are worth something; a search with a dropped rung goes on."""
    screen = both(good, lambda a: -good(a), predictor=True)
    strategy = ladder(LENGTHS[:1], screen)
    trials = run(strategy, 60)
    assert SHARED in screen.dropped
    assert PREDICTOR in {t.proposal.origin for t in trials}
