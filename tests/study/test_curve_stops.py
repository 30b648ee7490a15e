"""Which networks are not trained longer since their learning curves say that they will not beat the best."""

from __future__ import annotations

import math

import pytest
from ladder_cases import LENGTHS, ladder, run, space, trial

from netwright.predictors.curves import StoppingRule
from netwright.strategies import RandomSearch
from netwright.study import curve_stops
from netwright.study.curve_stops import CurveStops
from netwright.study.ladder_strategy import Ladder
from netwright.types import Architecture, Objective, Proposal, Trial, TrialState

GOALS = (Objective("accuracy", "max"),)


def network(number: int) -> Architecture:
    return Architecture({"number": number})


def known(num: int) -> CurveStops:
    """Curves of networks that gain alike: after 1, 3 and 9 epochs."""
    curves = CurveStops(9.0)
    for number in range(num):
        for epochs in (1.0, 3.0, 9.0):
            curves.learn(network(number), epochs, 0.5 + number / 100 + math.log(epochs) / 20)
    return curves


def asked(curves: CurveStops, value: float) -> tuple[bool, str]:
    """The verdict of a network with so much after 3 epochs."""
    curves.learn(network(99), 1.0, value - math.log(3) / 20)
    curves.learn(network(99), 3.0, value)
    verdict = curves.verdict(network(99))
    return verdict.stop, verdict.reason


def test_one_far_behind_ends_and_one_ahead_goes_on() -> None:
    """By what the whole curves gained from there."""
    stop, reason = asked(known(12), 0.42)
    assert stop
    assert reason.startswith("beats 0.71")
    assert not asked(known(12), 0.70)[0]


def test_nothing_ends_before_enough_curves_are_whole() -> None:
    assert (False, "5 whole curves of 6 that are needed") == asked(known(5), 0.1)


def test_a_single_number_has_no_direction() -> None:
    """What only the lowest rung knows of is for the rung to judge."""
    curves = known(12)
    curves.learn(network(99), 1.0, 0.1)
    assert not curves.verdict(network(99)).stop


def told(number: int, lengths: int, *, grows: bool) -> list[Trial]:
    """Trials of a network at so many lengths: one that grows from behind, or one that stands still from ahead."""
    network = Architecture({"good": number, "size": int(grows)})
    values = [0.3, 0.5, 0.7] if grows else [0.5, 0.52, 0.53]
    return [
        trial(10 * number + place, Proposal(network, length), lambda arch, epochs, value=value: value + number / 100)
        for place, (length, value) in enumerate(zip(LENGTHS[:lengths], values, strict=False))
    ]


def informed(by_curves: bool = True, objectives: tuple[Objective, ...] = GOALS) -> Ladder:
    """A ladder that knows whole curves of both kinds, and of three more that stand still, far ahead, the beginning."""
    strategy = Ladder(lambda: RandomSearch(space()), LENGTHS, by_curves=by_curves, objectives=objectives)
    for number in range(6):
        for one in (*told(number, 3, grows=True)[::-1], *told(number + 6, 3, grows=False)[::-1]):
            strategy.tell([one])  # the longest first, so that none of these has to go on
    for number in range(12, 15):
        strategy.tell(told(number, 2, grows=False))
    return strategy


def longest(strategy: Ladder) -> list[int]:
    """Which of them are trained longest next."""
    asked = strategy.ask(4)
    return sorted(int(str(p.architecture["good"])) for p in asked if p.fidelity == LENGTHS[2])


def test_networks_that_stand_still_are_not_trained_longer() -> None:
    """All but the probe, which goes on whatever is thought of it; what it saves is counted."""
    plain, strategy = informed(by_curves=False), informed()
    assert ([12, 13, 14], {}, 0.0) == (longest(plain), plain.stopped, plain.epochs_saved)
    assert [14] == longest(strategy)
    assert [(12, LENGTHS[1]), (13, LENGTHS[1])] == [(a["good"], length) for a, length in strategy.stopped]
    assert strategy.epochs_saved == 2 * (9.0 - 3.0)


def test_with_several_objectives_curves_end_nothing() -> None:
    """A network that is not the most accurate may be on the front."""
    strategy = informed(objectives=(*GOALS, Objective("params", "min")))
    assert {} == strategy.stopped


def vague(arch: Architecture, epochs: float) -> float:
    return int(arch["good"]) / 50 + math.sin(int(arch["size"]) * epochs) / 5 + epochs / 100


def test_a_replay_ends_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ended is a function of what was asked and told, also where asks in between had no answer."""
    monkeypatch.setattr(curve_stops, "RULE", StoppingRule(threshold=0.8, min_points=2))
    strategy, again = ladder(), ladder()
    trials = run(strategy, 200, vague)
    for one in trials:
        assert [one.proposal] == list(again.ask(1))
        again.tell([one])
    assert list(strategy.stopped) == list(again.stopped) != []
    gone_on = {t.architecture for t in trials if t.fidelity == LENGTHS[2]}
    assert not gone_on & {arch for arch, length in strategy.stopped if length == LENGTHS[1]}


def test_what_ended_stays_ended_when_a_rung_is_dropped() -> None:
    """The rungs are made anew, and it is not promoted from them."""
    strategy = informed()
    before = dict(strategy.stopped)
    low = {"accuracy": 0.0, "params": 1.0}
    for number in range(12):  # from here on the shortest training ranks the wrong way round
        network = Architecture({"good": 20 + number, "size": 0})
        for place, value in enumerate((0.9 - number / 100, 0.1 + number / 100)):
            metrics = {**low, "accuracy": value}
            proposal = Proposal(network, LENGTHS[place])
            strategy.tell([Trial(1000 + 10 * number + place, proposal, 0, TrialState.FINISHED, metrics)])
    assert [LENGTHS[0]] == strategy.dropped
    assert before.items() <= strategy.stopped.items()
    assert not {12, 13} & set(longest(strategy))
