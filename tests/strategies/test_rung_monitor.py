"""The monitor tells a fidelity that orders from one that does not, by few and honestly drawn pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import kendalltau

from netwright.errors import UsageError
from netwright.strategies.rung_monitor import RungMonitor, rank_correlation
from netwright.types import Fidelity

LOW, HIGH = Fidelity(epochs=1), Fidelity(epochs=9)


def watch(monitor: RungMonitor, low: np.ndarray, high: np.ndarray, promotions: int, seed: int, share: int = 9) -> int:
    """Promote from a growing rung as the strategies do; returns after how many promotions the rung was dropped.

    Args:
        monitor: asked and told.
        low: what architectures scored at the lower fidelity, smaller is better, shape (n,).
        high: what they would at the higher one.
        promotions: how many at most.
        seed: of the order and the random promotions.
        share: one in so many is promoted.

    Returns:
        The number of promotions, or 0 where the rung was kept.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(low))
    promoted: set[int] = set()
    for number in range(1, promotions + 1):
        members = order[: share * number].tolist()
        at_random = monitor.wants_random(LOW, HIGH)
        best = min((m for m in members if m not in promoted), key=lambda m: low[m])
        chosen = int(rng.choice(members)) if at_random else best
        promoted.add(chosen)
        monitor.note_promotion(LOW, HIGH, chosen, at_random=at_random)
        monitor.add(LOW, HIGH, chosen, (float(low[chosen]),), (float(high[chosen]),))
        if monitor.agreement(LOW, HIGH).misleads:
            return number
    return 0


def correlated(size: int, rho: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1000 + seed)
    high = rng.normal(size=size)
    return rho * high + math.sqrt(1 - rho**2) * rng.normal(size=size), high


def test_noise_is_dropped_soon() -> None:
    """A fidelity without any correlation is dropped in nine of ten searches, within 40 promotions, half within 15."""
    dropped = [watch(RungMonitor(), *correlated(500, 0.0, seed), 40, seed) for seed in range(30)]
    assert sum(number > 0 for number in dropped) >= 27
    assert np.median([number for number in dropped if number]) <= 15


def test_a_good_fidelity_is_kept() -> None:
    """One of the rank correlation that 12 epochs have with 200 on NAS-Bench-201 is kept in every search."""
    assert [0] * 30 == [watch(RungMonitor(), *correlated(500, 0.87, seed), 40, seed) for seed in range(30)]


def test_promoted_architectures_alone_condemn_no_fidelity() -> None:
    """Pairs of which none was drawn at random give no verdict: among the best alone any fidelity orders little."""
    low, high = correlated(2000, 0.87, 0)
    monitor = RungMonitor()
    for i in np.argsort(low)[:60].tolist():
        monitor.note_promotion(LOW, HIGH, i, at_random=False)
        monitor.add(LOW, HIGH, i, (float(low[i]),), (float(high[i]),))
    known = monitor.agreement(LOW, HIGH)
    assert (known.num_pairs > 50, known.num_random, known.misleads) == (True, 0, False)
    assert math.isnan(known.tau)
    best = np.argsort(low)[:60]
    assert kendalltau(low[best], high[best])[0] < kendalltau(low, high)[0] - 0.2


def test_among_random_architectures_it_is_kendalls_tau_b() -> None:
    """With all drawn at random, ties included, tau equals SciPy's; the error is Kendall's where nothing is tied."""
    rng = np.random.default_rng(0)
    below, above = rng.integers(0, 9, size=40), rng.integers(0, 9, size=40)
    everything = np.ones(40, dtype=bool)
    assert rank_correlation(below, above, everything)[0] == pytest.approx(kendalltau(below, above)[0])
    _, error = rank_correlation(rng.normal(size=40), rng.normal(size=40), everything)
    assert error == pytest.approx(math.sqrt(2 * (2 * 40 + 5) / (9 * 40 * 39)))


def test_the_error_holds_where_promoted_ones_are_not_compared() -> None:
    """Over many draws without a correlation, tau's standard deviation is the error that is stated."""
    rng = np.random.default_rng(0)
    below = np.arange(18.0)
    drawn = np.isin(np.arange(18), [2, 7, 11, 16])
    found = [rank_correlation(below, rng.permutation(18), drawn) for _ in range(2000)]
    assert np.std([tau for tau, _ in found]) == pytest.approx(found[0][1], rel=0.05)
    assert np.mean([tau for tau, _ in found]) == pytest.approx(0, abs=0.03)


def test_a_fidelity_that_scores_all_alike_misleads() -> None:
    """It says nothing; where the higher one scores all alike nothing can be said of the lower."""
    assert watch(RungMonitor(), np.zeros(400), np.arange(400.0), 40, 0) in range(8, 12)
    assert watch(RungMonitor(), np.arange(400.0), np.zeros(400), 40, 0) == 0


def test_the_worst_objective_decides() -> None:
    """A latency that is the same at every fidelity does not hide that the accuracy is noise."""
    low, high = correlated(100, 0.0, 3)
    monitor = RungMonitor()
    for i in range(100):
        monitor.note_promotion(LOW, HIGH, i, at_random=True)
        monitor.add(LOW, HIGH, i, (float(i), float(low[i])), (float(i), float(high[i])))
    (known,) = monitor.agreements
    assert known.misleads
    assert -0.2 < known.tau < 0.2


def test_fewer_random_promotions_once_a_fidelity_is_trusted() -> None:
    """One in three at first, one in ten later."""
    monitor = RungMonitor()
    watch(monitor, *correlated(2000, 0.95, 0), 18, 0)
    early = monitor.agreement(LOW, HIGH).num_random
    monitor = RungMonitor()
    watch(monitor, *correlated(2000, 0.95, 0), 60, 0)
    assert (early, monitor.agreement(LOW, HIGH).num_random) == (6, 6)


@pytest.mark.parametrize("options", [{"threshold": 1.0}, {"min_pairs": 2}, {"min_random": 0}])
def test_wrong_options_are_named(options: dict[str, float]) -> None:
    """Each message says what is allowed."""
    with pytest.raises(UsageError, match=r"must be"):
        RungMonitor(**options)  # type: ignore[arg-type]
