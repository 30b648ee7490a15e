"""Whether short trainings ranked as longer ones did."""

from __future__ import annotations

import math

import pytest

from netwright.study.rung_audit import FEWEST, rung_agreements
from netwright.types import Architecture, Fidelity, Objective, Proposal, Trial, TrialState

ACCURACY = Objective("accuracy", "max")


def trained(rows: dict[float, dict[str, float]], params: dict[str, float] | None = None) -> list[Trial]:
    """Finished trials: by epochs, the accuracy of each network."""
    trials: list[Trial] = []
    for epochs, numbers in rows.items():
        for name, accuracy in numbers.items():
            proposal = Proposal(Architecture({"name": name}), Fidelity(epochs))
            metrics = {"accuracy": accuracy} | ({} if params is None else {"params": params[name]})
            trials.append(Trial(len(trials), proposal, 0, TrialState.FINISHED, metrics))
    return trials


def test_agreement_is_kendalls_tau_of_those_that_had_both() -> None:
    """One of six pairs is in the other order: tau is 4/6; a fifth network without a long training does not count."""
    trials = trained(
        {
            1.0: dict(zip("abcde", (0.1, 0.2, 0.3, 0.4, 0.9), strict=True)),
            3.0: dict(zip("abcd", (0.5, 0.7, 0.6, 0.8), strict=True)),
        }
    )
    (found,) = rung_agreements(trials, ACCURACY)
    assert (1.0, 3.0, 4) == (found.low.epochs, found.high.epochs, found.num)
    assert 4 / 6 == pytest.approx(found.tau)
    assert -1 <= found.lower < found.tau < found.upper <= 1
    assert math.isnan(found.size_tau)
    assert "1 epochs against 3 epochs: rank correlation 0.67" in str(found)


def test_each_length_is_compared_with_the_next() -> None:
    """Three lengths give two comparisons, the shortest first; a direction that is turned round turns nothing round."""
    numbers = dict(zip("abcd", (0.1, 0.2, 0.3, 0.4), strict=True))
    trials = trained({1.0: numbers, 9.0: numbers, 3.0: numbers})
    assert [(1.0, 3.0), (3.0, 9.0)] == [(a.low.epochs, a.high.epochs) for a in rung_agreements(trials, ACCURACY)]
    assert [1.0, 1.0] == [a.tau for a in rung_agreements(trials, Objective("accuracy", "min"))]


def test_a_short_training_that_ranks_worse_than_size_misleads() -> None:
    """Twelve networks in the reverse order after the short training, in that of their size after the long one."""
    names = "abcdefghijkl"
    long = {name: i / 20 for i, name in enumerate(names)}
    short = {name: -accuracy for name, accuracy in long.items()}
    sizes = {name: 10.0 * i for i, name in enumerate(names)}
    (found,) = rung_agreements(trained({1.0: short, 3.0: long}, sizes), ACCURACY)
    assert (-1.0, 1.0, True) == (round(found.tau, 6), found.size_tau, found.misleads)
    assert str(found).endswith("their size alone: 1.00: THE SHORT ONES MISLEAD")
    (agreeing,) = rung_agreements(trained({1.0: long, 3.0: long}, sizes), ACCURACY)
    assert not agreeing.misleads


@pytest.mark.parametrize("count", [0, 1, FEWEST - 1])
def test_of_too_few_nothing_is_said(count: int) -> None:
    numbers = {str(i): i / 10 for i in range(count)}
    assert () == rung_agreements(trained({1.0: numbers, 3.0: numbers}), ACCURACY)


def test_equal_long_trainings_and_failed_ones_say_nothing() -> None:
    """Numbers that are all equal have no order; a failed trial has no number."""
    numbers = dict(zip("abcd", (0.1, 0.2, 0.3, 0.4), strict=True))
    assert () == rung_agreements(trained({1.0: numbers, 3.0: dict.fromkeys("abcd", 0.5)}), ACCURACY)
    failed = [Trial(9, Proposal(Architecture({"name": "z"}), Fidelity(3.0)), 0, TrialState.FAILED, error="gone")]
    (found,) = rung_agreements([*trained({1.0: numbers, 3.0: numbers}), *failed], ACCURACY)
    assert 4 == found.num
