"""Latency from few measurements: transfer, a device unlike all others, intervals, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_devices import COSTS_MS, SPACE, drawn, latencies, table
from scipy.stats import spearmanr

from netwright.errors import DataError, SpaceError, UsageError
from netwright.predictors.latency import Knowledge, LatencyPredictor, LatencyTable
from netwright.predictors.latency.predictor import MOST_TUNED, best_model
from netwright.predictors.latency.process import Posterior
from netwright.testing import example_spaces
from netwright.types import Architecture

OTHERS = drawn(300, 9)


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    """Of all devices but the board, 200 noisy measurements each."""
    return Knowledge(SPACE, [table(name, drawn(200, 1), 0.05) for name in COSTS_MS if name != "board"])


def ranked(predictor: LatencyPredictor, truth: np.ndarray) -> float:
    return float(spearmanr(predictor.predict(OTHERS).latencies_ms, truth).statistic)


def test_other_devices_help(knowledge: Knowledge) -> None:
    """After five noisy random measurements the ranks are better with other devices than alone, in each of 5 draws."""
    truth = latencies(COSTS_MS["board"], OTHERS)
    for seed in range(5):
        few = table("board", drawn(5, 20 + seed), 0.05, seed)
        alone = ranked(LatencyPredictor.fit(knowledge.without(knowledge.devices), few), truth)
        assert ranked(LatencyPredictor.fit(knowledge, few), truth) > max(0.95, alone)


def test_latencies_are_in_milliseconds_of_the_device(knowledge: Knowledge) -> None:
    """Fifty measurements of a device ten times slower than others predict its latencies within 5 % on average."""
    truth = latencies(COSTS_MS["board"], OTHERS)
    told = LatencyPredictor.fit(knowledge, table("board", drawn(50, 3))).predict(OTHERS).latencies_ms
    assert float(np.abs(told / truth - 1).mean()) < 0.05


def test_a_device_unlike_all_others_is_learnt_alone(knowledge: Knowledge) -> None:
    """Where 3 x 3 convolutions are free and skips dear, other devices do not spoil fifty measurements."""
    costs = {"nor_conv_3x3": 0.0, "nor_conv_1x1": 0.1, "avg_pool_3x3": 4.0, "skip_connect": 6.0}
    shown = drawn(50, 4)
    strange = LatencyTable.of("strange", shown, latencies(costs, shown).tolist())
    assert ranked(LatencyPredictor.fit(knowledge, strange), latencies(costs, OTHERS)) > 0.99


def test_intervals_hold_what_they_promise(knowledge: Knowledge) -> None:
    """Over ten draws of thirty measurements, 90 % intervals hold 85 to 98 % of measurements that were not seen."""
    unseen = table("board", OTHERS, 0.1, 7)
    inside = []
    for seed in range(10):
        told = LatencyPredictor.fit(knowledge, table("board", drawn(30, 40 + seed), 0.1, seed)).predict(OTHERS)
        inside.append(((told.low_ms <= unseen.values) & (unseen.values <= told.high_ms)).mean())
    assert 0.85 < float(np.mean(inside)) < 0.98


def test_intervals_are_wider_for_more_coverage(knowledge: Knowledge) -> None:
    """Half, nine in ten and 99 in 100; the prediction is inside all of them."""
    predictor = LatencyPredictor.fit(knowledge, table("board", drawn(20, 5), 0.1))
    half, most, nearly_all = (predictor.predict(OTHERS, coverage=c) for c in (0.5, 0.9, 0.99))
    assert (half.high_ms - half.low_ms <= most.high_ms - most.low_ms).all()
    assert (most.high_ms - most.low_ms <= nearly_all.high_ms - nearly_all.low_ms).all()
    assert ((half.low_ms <= half.latencies_ms) & (half.latencies_ms <= half.high_ms)).all()


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_fewer_measurements_than_features(knowledge: Knowledge, count: int) -> None:
    """From one measurement on, predictions are finite, positive and within intervals, with other devices or without."""
    for known in (knowledge, knowledge.without(knowledge.devices)):
        told = LatencyPredictor.fit(known, table("board", drawn(count, 6))).predict(OTHERS)
        assert np.isfinite(told.high_ms).all()
        assert (told.latencies_ms > 0).all()
        assert ((0 <= told.low_ms) & (told.low_ms <= told.latencies_ms) & (told.latencies_ms <= told.high_ms)).all()


def test_constant_latencies_are_predicted(knowledge: Knowledge) -> None:
    """A device on which everything takes 7 ms: 7 ms, within 5 %, once thirty architectures said so."""
    told = LatencyPredictor.fit(knowledge, LatencyTable.of("flat", drawn(30, 7), [7.0] * 30)).predict(OTHERS)
    np.testing.assert_allclose(7.0, told.latencies_ms, rtol=0.05)


def test_one_architecture_measured_again_and_again(knowledge: Knowledge) -> None:
    """Ten measurements of one network are no error, and say its latency."""
    one = drawn(1, 8)
    told = LatencyPredictor.fit(knowledge, LatencyTable.of("d", one * 10, np.linspace(9, 11, 10))).predict(one)
    assert abs(float(told.latencies_ms[0]) - 10) < 0.5


def test_more_measurements_than_are_used(knowledge: Knowledge) -> None:
    """Of four hundred, evenly spread ones are learnt from."""
    predictor = LatencyPredictor.fit(knowledge, table("board", drawn(400, 10)), model="transfer")
    assert len(predictor.table.values) == MOST_TUNED
    assert ranked(predictor, latencies(COSTS_MS["board"], OTHERS)) > 0.99


def beliefs(errors: np.ndarray) -> Posterior:
    """Independent measurements of 1, each believed with this variance: the smaller, the less probable."""
    count = len(errors)
    return Posterior(np.zeros((1, count, count)), np.ones(count), np.array([0.0, 0.0]), errors)


def test_the_default_model_stays_unless_another_is_clearly_better() -> None:
    """A lead that some measurements have and others do not is none; one that nearly all have is."""
    default, mixed = beliefs(np.full(10, 0.1)), beliefs(np.array([0.1] * 8 + [0.3] * 2))
    assert best_model({"default": default, "mixed": mixed}) == "default"
    assert best_model({"default": default, "better": beliefs(np.linspace(0.9, 1.1, 10))}) == "better"
    assert best_model({"default": beliefs(np.full(2, 0.1)), "better": beliefs(np.ones(2))}) == "default"


def test_without_leaves_devices_out(knowledge: Knowledge) -> None:
    """Less one device is the knowledge of the others, and the first is as it was."""
    rows = knowledge.rows(OTHERS)
    others = Knowledge(SPACE, [table(name, drawn(200, 1), 0.05) for name in ("gpu", "server")])
    assert knowledge.without(["phone", "unknown"]).devices == ("gpu", "server")
    np.testing.assert_allclose(others.average(rows), knowledge.without(["phone"]).average(rows))
    assert knowledge.devices == ("gpu", "phone", "server")


@pytest.mark.parametrize("name", example_spaces())
def test_every_space(name: str) -> None:
    """In each example space a fit of five measurements predicts positive numbers."""
    space, rng = example_spaces()[name], np.random.default_rng(0)
    shown = [space.sample(rng) for _ in range(5)]
    known = Knowledge(space, [LatencyTable.of("other", shown, [1.0, 2.0, 3.0, 2.5, 1.5])])
    told = LatencyPredictor.fit(known, LatencyTable.of("d", shown, [2.0, 4.0, 6.5, 5.0, 3.0])).predict(shown)
    assert (told.latencies_ms > 0).all()


def test_nothing_asked_is_nothing_told(knowledge: Knowledge) -> None:
    """No architectures, no latencies."""
    assert len(LatencyPredictor.fit(knowledge, table("board", drawn(3, 6))).predict([]).latencies_ms) == 0


def test_flat_tables_of_other_devices_are_not_transferred() -> None:
    """Where others' latencies are constant there is nothing to mix, and the device is learnt alone."""
    known = Knowledge(SPACE, [LatencyTable.of("flat", drawn(20, 1), [5.0] * 20)])
    assert known.models() == ["additive", "additive+residual"]


def test_tables_of_one_device_are_joined_by_the_caller() -> None:
    """Two tables of the same name are an error."""
    with pytest.raises(DataError, match=r"devices of the tables must be different, got \['phone', 'phone'\]"):
        Knowledge(SPACE, [table("phone", drawn(5, 1)), table("phone", drawn(5, 2))])


def test_an_unknown_model_is_named(knowledge: Knowledge) -> None:
    """The message lists the usable ones: without other devices there is no transfer."""
    with pytest.raises(UsageError, match=r"unknown latency model 'transfer'.* known: additive, additive"):
        LatencyPredictor.fit(knowledge.without(knowledge.devices), table("board", drawn(3, 6)), model="transfer")


@pytest.mark.parametrize("coverage", [0.0, 1.0, 90.0, float("nan")])
def test_coverage_is_a_share(knowledge: Knowledge, coverage: float) -> None:
    """Anything else is an error."""
    predictor = LatencyPredictor.fit(knowledge, table("board", drawn(3, 6)))
    with pytest.raises(UsageError, match=r"coverage must be in \(0, 1\)"):
        predictor.predict(OTHERS, coverage=coverage)


def test_an_architecture_of_another_space_is_an_error(knowledge: Knowledge) -> None:
    """It is not encoded as something else."""
    with pytest.raises(SpaceError):
        LatencyPredictor.fit(knowledge, LatencyTable.of("d", [Architecture({"width": 3})], [1.0]))
