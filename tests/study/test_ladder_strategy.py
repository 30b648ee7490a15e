"""The ladder as a strategy: who is trained longer, what is measured of each rung, and which rung is dropped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest
from ladder_cases import LENGTHS, filled, honest, ladder, plain, reversed_at_first, run, space, trial
from scipy.stats import kendalltau

from netwright.errors import UsageError
from netwright.space import SearchSpace, integer
from netwright.strategies import RandomSearch
from netwright.strategies.operators import Values
from netwright.strategies.rung_sense import RungSense
from netwright.study.ladder_screen import Screen
from netwright.study.ladder_strategy import Ladder
from netwright.testing.strategies import check_strategy
from netwright.types import Architecture, Fidelity, digest


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


DEAR = [Fidelity(1.0), Fidelity(17.0)]


def hashed(arch: Architecture) -> float:
    """A number that has nothing to do with what a network is."""
    return int(digest(arch.id), 16) / 16.0**16


def noise_at_first(arch: Architecture, epochs: float) -> float:
    return honest(arch, epochs) if epochs > 1 else hashed(arch)


def sensing(seed: int, lengths: list[Fidelity] = DEAR, in_space: SearchSpace | None = None) -> Ladder:
    found = in_space or space()
    make_sense = partial(RungSense, found, seed)
    return Ladder(lambda: RandomSearch(found, seed=seed), lengths, eta=17.0, make_sense=make_sense)


@pytest.mark.parametrize("seed", range(3))
def test_where_going_on_is_dear_noise_is_dropped_before_it_is_paid(seed: int) -> None:
    """After at most 48 short trainings, with few long ones, and told; an honest training stays."""
    trials = run(strategy := sensing(seed), 60, noise_at_first)
    assert [DEAR[0]] == strategy.dropped
    assert strategy.remarks[0].startswith(
        "ladder: trainings of 1 epochs dropped, since they are noise: no model predicts"
    )
    before = [t for t in trials if t.fidelity == DEAR[0]]
    assert len(before) <= 48
    assert sum(t.fidelity == DEAR[1] for t in trials[: len(before)]) <= 3
    again = sensing(seed)
    for told in trials:
        assert [told.proposal] == list(again.ask(1))
        again.tell([told])
    run(kept := sensing(seed), 60)
    assert [] == kept.dropped


def test_where_going_on_is_cheap_probes_tell() -> None:
    """There they are many, and a model may fail to predict what is good all the same."""
    run(strategy := sensing(0, LENGTHS), 20, noise_at_first)
    assert [] == strategy.dropped


class Doubtful(RungSense):
    """In doubt after any trial."""

    def is_noise(self, architectures: Sequence[Architecture], values: Sequence[Values]) -> bool:
        self.in_doubt = True
        return False


def test_nothing_goes_on_from_a_rung_in_doubt() -> None:
    """Unless there is nothing else to try."""
    small = SearchSpace(training={"good": integer("good", 0, 4), "size": integer("size", 0, 3)})
    lengths = [Fidelity(1.0), Fidelity(6.0)]
    strategy = Ladder(lambda: RandomSearch(small), lengths, eta=2.0, make_sense=lambda: Doubtful(small, 0))
    trials = run(strategy, 100)
    assert [1.0] * 20 == [t.fidelity.epochs for t in trials[:20]]
    assert len(trials) > 25
    assert {6.0} == {t.fidelity.epochs for t in trials[20:]}


def test_a_rung_that_is_measured_to_rank_well_is_no_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that does not understand it says nothing against it."""
    strategy = sensing(0)
    run(strategy, 130)
    assert strategy.agreements[0].lower > 0
    monkeypatch.setattr(RungSense, "is_noise", lambda self, architectures, values: True)
    (proposal,) = strategy.ask(1)
    strategy.tell([trial(130, proposal, honest)])
    assert [] == strategy.dropped


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
