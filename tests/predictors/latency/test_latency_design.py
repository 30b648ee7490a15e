"""Which architectures are measured first."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_devices import COSTS_MS, SPACE, drawn, table

from netwright.errors import UsageError
from netwright.predictors.latency import Knowledge, LatencyPredictor, choose_to_measure
from netwright.predictors.latency.design import greedy


def test_they_differ_and_are_of_the_space() -> None:
    """Twenty different architectures, the same for the same generator."""
    knowledge = Knowledge(SPACE)
    chosen = choose_to_measure(knowledge, 20, np.random.default_rng(0))
    assert len(set(chosen)) == 20
    assert all(SPACE.contains(a) for a in chosen)
    assert chosen == choose_to_measure(knowledge, 20, np.random.default_rng(0))


def test_first_ones_do_not_depend_on_the_count() -> None:
    """One who measures ten and then ten more has measured the twenty."""
    knowledge = Knowledge(SPACE)
    twenty = choose_to_measure(knowledge, 20, np.random.default_rng(0))
    assert twenty[:10] == choose_to_measure(knowledge, 10, np.random.default_rng(0))


def test_fewer_candidates_than_wanted_are_all_measured() -> None:
    """Three candidates, one of them given twice: three architectures."""
    three = drawn(3, 0)
    assert set(three) == set(choose_to_measure(Knowledge(SPACE), 10, np.random.default_rng(0), [*three, three[0]]))


def test_they_say_more_than_random_ones() -> None:
    """After ten of them less is unknown about others than after ten random ones, for each of five draws."""
    knowledge = Knowledge(SPACE, [table(name, drawn(100, 1)) for name in COSTS_MS])
    rows, model = knowledge.rows(drawn(200, 2)), knowledge.models()[0]
    variances = np.exp(knowledge.expectation(model).logs)

    def unknown(architectures: list) -> float:
        seen = knowledge.rows(architectures)
        cross = np.tensordot(variances[:-1], knowledge.kernels(model, rows, seen), 1)
        between = np.tensordot(variances[:-1], knowledge.kernels(model, seen, seen), 1)
        solved = np.linalg.solve(between + variances[-1] * np.eye(len(seen)), cross.T)
        return float((variances[:-1] @ knowledge.own_kernels(model, rows) - (cross * solved.T).sum(axis=1)).mean())

    for seed in range(5):
        chosen = choose_to_measure(knowledge, 10, np.random.default_rng(seed))
        assert unknown(chosen) < unknown(drawn(10, 100 + seed))


def test_greedy_takes_what_tells_of_others_before_what_varies_most() -> None:
    """A candidate that ten others follow comes before a lone one of twice the variance."""
    covariance = np.ones((11, 11))
    covariance = np.block([[covariance, np.zeros((11, 1))], [np.zeros((1, 11)), np.full((1, 1), 2.0)]])
    assert greedy(covariance, 0.1, 2)[1] == 11


@pytest.mark.parametrize("count", [0, -1, 2.5, True])
def test_a_count_below_one_is_an_error(count: object) -> None:
    """The message says what is allowed."""
    with pytest.raises(UsageError, match="must be a whole number >= 1"):
        choose_to_measure(Knowledge(SPACE), count, np.random.default_rng(0))  # type: ignore[arg-type]


def test_no_candidate_is_an_error() -> None:
    """An empty list is not taken for the whole space."""
    with pytest.raises(UsageError, match="candidates to measure must be at least one architecture"):
        choose_to_measure(Knowledge(SPACE), 1, np.random.default_rng(0), [])


def test_what_is_chosen_is_enough_to_rank() -> None:
    """Ten chosen measurements, without other devices, rank a noiseless device nearly perfectly."""
    knowledge, others = Knowledge(SPACE), drawn(200, 3)
    chosen = choose_to_measure(knowledge, 10, np.random.default_rng(0))
    told = LatencyPredictor.fit(knowledge, table("phone", chosen)).predict(others).latencies_ms
    assert np.corrcoef(told, table("phone", others).values)[0, 1] > 0.97
