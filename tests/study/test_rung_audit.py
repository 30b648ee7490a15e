"""Whether short trainings ranked as longer ones did."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from netwright.study.rung_audit import FEWEST, RungAgreement, rung_agreements
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


def test_a_few_at_random_stand_for_those_that_did_not_go_on() -> None:
    """A short training that finds the best half, and orders it at random: tau of all networks, not of the best half."""
    rng = np.random.default_rng(0)
    names = [str(i) for i in range(60)]
    long = {name: i / 60 for i, name in enumerate(names)}
    short = {name: (1.0 if i >= 30 else 0.0) + rng.random() / 10 for i, name in enumerate(names)}
    expected = rung_agreements(trained({1.0: short, 3.0: long}), ACCURACY)[0].tau
    probes = {str(i) for i in range(0, 60, 6)}
    some = {name: accuracy for i, (name, accuracy) in enumerate(long.items()) if i >= 30 or name in probes}
    trials = [
        replace(t, proposal=replace(t.proposal, origin="probe" if t.architecture["name"] in probes else "promotion"))
        if t.fidelity.epochs == 3.0
        else t
        for t in trained({1.0: short, 3.0: some})
    ]
    (found,) = rung_agreements(trials, ACCURACY)
    assert expected == pytest.approx(found.tau, abs=0.1)
    assert 10 == found.num_random
    (of_the_best,) = rung_agreements(trained({1.0: short, 3.0: dict(list(long.items())[30:])}), ACCURACY)
    assert of_the_best.tau < expected - 0.3
    assert found.upper - found.lower > of_the_best.upper - of_the_best.lower - 0.2
    assert "10 of them at random" in str(found)


def test_a_perfect_order_of_few_is_not_certain() -> None:
    """Of four networks in the same order the interval is wide all the same."""
    numbers = dict(zip("abcd", (0.1, 0.2, 0.3, 0.4), strict=True))
    (found,) = rung_agreements(trained({1.0: numbers, 3.0: numbers}), ACCURACY)
    assert found.tau == found.upper == 1.0
    assert found.lower < 0.8


def test_the_best_tenth_is_looked_at_where_there_are_ten() -> None:
    """Two of twenty: one of them is found, with Wilson's interval."""
    names = [str(i) for i in range(20)]
    long = {name: i / 20 for i, name in enumerate(names)}
    short = {**long, "18": 0.0}
    (found,) = rung_agreements(trained({1.0: short, 3.0: long}), ACCURACY)
    assert (0.5, 0.12, 0.88) == (found.top, round(found.top_lower, 2), round(found.top_upper, 2))
    assert "of the best tenth it finds 50% (90 %: 12% to 88%)" in str(found)
    nine = dict(list(long.items())[:9])
    assert math.isnan(rung_agreements(trained({1.0: nine, 3.0: nine}), ACCURACY)[0].top)


def test_the_size_that_says_most_is_compared_with() -> None:
    """Parameters or MACs, either way round."""
    numbers = dict(zip("abcd", (0.1, 0.2, 0.3, 0.4), strict=True))
    trials = [
        replace(t, metrics={**t.metrics, "params": float(i % 2), "macs": -t.metrics["accuracy"]})
        for i, t in enumerate(trained({1.0: numbers, 3.0: numbers}))
    ]
    assert -1.0 == rung_agreements(trials, ACCURACY)[0].size_tau


@pytest.mark.parametrize("low", ["proxies", Fidelity(1.0)])
def test_what_is_measured_is_the_same_after_json(low: Fidelity | str) -> None:
    found = RungAgreement(low, Fidelity(3.0), 12, 0.5, 0.2, 0.7, math.nan, 3, passing=0.25, dropped=True)
    again = RungAgreement.from_dict(json.loads(json.dumps(found.to_dict())))
    assert str(found) == str(again)
    assert found.to_dict() == again.to_dict()
    assert str(found).endswith("; one in 4 passes; dropped")
