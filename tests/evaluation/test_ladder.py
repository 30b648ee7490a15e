"""What follows from costs and measured correlations: how many pass a rung, and which rung is dropped."""

from __future__ import annotations

import math
import random
from statistics import mean

import pytest

from netwright.errors import SpecError
from netwright.evaluation import ladder
from netwright.evaluation.ladder import (
    ASSUMED,
    DEFAULT_RUNGS,
    ENOUGH,
    MOST_SCORED,
    RUNGS,
    believed,
    is_probe,
    is_worth_nothing,
    misleads,
    num_to_score,
    parse_ladder,
    passing_share,
    score_seconds,
    training_rungs,
)

NAN = math.nan


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("default", DEFAULT_RUNGS),
        ("short,supernet,proxies", ("constraints", "proxies", "supernet", "short", "full")),
        ("none", ()),
        ("full", ("constraints", "full")),
        (" short , proxies,full", ("constraints", "proxies", "short", "full")),
    ],
)
def test_rungs_are_named_in_any_order(text: str, expected: tuple[str, ...]) -> None:
    """Limits and full training are always there; the cheapest comes first."""
    assert expected == parse_ladder(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shrot", "unknown rung of the ladder 'shrot'; did you mean 'short'?"),
        ("", "unknown rung of the ladder ''"),
        ("short,short", "ladder must be rungs, each once, got 'short,short'"),
        ("none,short", r"ladder must be none alone, or rungs, got .none,short."),
        ("supernt,short", "unknown rung of the ladder 'supernt'; did you mean 'supernet'?"),
    ],
)
def test_a_ladder_that_cannot_be_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_ladder(text)


def test_only_the_longest_training_is_always_there() -> None:
    epochs = [1.0, 3.0, 9.0, 27.0]
    assert epochs == training_rungs(RUNGS, epochs)
    assert [3.0, 9.0, 27.0] == training_rungs(("long", "full"), epochs)
    assert [5.0] == training_rungs(RUNGS, [5.0])


def test_one_place_in_six_is_a_probe_and_later_one_in_twelve() -> None:
    assert [3, 9, 15, 21, 27, 39] == [place for place in range(1, 51) if is_probe(place)]


@pytest.mark.parametrize("cost_ratio", [0.5, 2.0, 8.0, 20.0])
def test_probes_cost_a_third_of_the_rung_at_most(cost_ratio: float) -> None:
    """Whatever the next rung costs; and there are some."""
    num = 1000
    probes = sum(is_probe(place, cost_ratio) for place in range(1, num + 1))
    assert 0 < probes * cost_ratio <= num / 3


def test_an_assumption_gives_way_to_what_is_measured() -> None:
    """With nothing measured it is all there is; with much it hardly counts."""
    assert ASSUMED == believed(NAN, 5)
    assert believed(0.9, 2) < believed(0.9, 20) < believed(0.9, 2000) < 0.9
    assert 0.897 < believed(0.9, 2000)


def test_fewer_pass_a_rung_that_says_more() -> None:
    """All pass one that says nothing, or the opposite; and more where it is no cheaper than the next one."""
    shares = [passing_share(tau / 10, cost_ratio=4.0) for tau in range(-3, 10)]
    assert shares == sorted(shares, reverse=True)
    assert (1.0, 1 / 9) == (shares[0], shares[-1])
    assert passing_share(0.4, cost_ratio=8.0) < passing_share(0.4, cost_ratio=1.0)


def best_by(share: float, tau: float, cost_ratio: float, budget: float, rng: random.Random) -> float:
    """The best of those that pass, found by trying: two normal numbers with the correlation that belongs to tau."""
    num = round(budget / (1 + share * cost_ratio))
    r = math.sin(math.pi / 2 * tau)
    drawn = [(low := rng.gauss(0, 1), r * low + math.sqrt(1 - r * r) * rng.gauss(0, 1)) for _ in range(num)]
    return max(high for _, high in sorted(drawn, reverse=True)[: max(1, round(share * num))])


@pytest.mark.parametrize("tau", [0.2, 0.4, 0.6])
def test_the_share_that_passes_is_about_the_best_there_is(tau: float) -> None:
    """Against others, by simulation: within .06 deviations of the best of them."""
    rng = random.Random(0)
    shares = [1 / one_in for one_in in range(1, 10)]
    found = {share: mean(best_by(share, tau, 4.0, 60.0, rng) for _ in range(3000)) for share in shares}
    assert found[passing_share(tau, 4.0, 60.0)] > max(found.values()) - 0.06


def test_scoring_keeps_its_share_of_the_time() -> None:
    """None without time for enough of them; never more than there is a use for."""
    assert 0 == num_to_score(59.0, 4, 64, 5.0)
    for search_s in (60.0, 150.0, 600.0, 1e5):
        num = num_to_score(search_s, 2, 784, 12.0)
        assert num <= MOST_SCORED
        assert num * score_seconds(784) / 2 <= ladder.SCORING_SHARE * search_s
    assert MOST_SCORED == num
    assert num_to_score(300.0, 1, 224 * 224, 12.0) == 0


def test_nothing_is_scored_for_a_search_that_ends_before() -> None:
    """The networks that are tried first take the time of this one."""
    assert num_to_score(150.0, 2, 784, 9.0) > 0
    assert num_to_score(150.0, 2, 784, 9.0, num_first=11) == 0


def test_a_rung_misleads_that_is_known_to_be_worse_than_size() -> None:
    """By its whole interval; without a known size, worse than chance."""
    assert misleads(upper=0.29, size_tau=-0.3)
    assert not misleads(upper=0.31, size_tau=-0.3)
    assert misleads(upper=-0.1, size_tau=NAN)
    assert not misleads(upper=0.1, size_tau=NAN)


def test_scores_have_to_be_better_than_size_after_enough_networks() -> None:
    """Until then it is enough that they are not known to be worse."""
    assert not is_worth_nothing(tau=0.2, upper=0.6, size_tau=0.3, num=ENOUGH - 1)
    assert is_worth_nothing(tau=0.2, upper=0.6, size_tau=0.3, num=ENOUGH)
    assert not is_worth_nothing(tau=0.4, upper=0.6, size_tau=0.3, num=ENOUGH)
    assert is_worth_nothing(tau=-0.2, upper=0.2, size_tau=0.3, num=8)
    assert not is_worth_nothing(tau=0.2, upper=0.6, size_tau=NAN, num=100)
