"""ASHA over fidelities that are given: who is promoted, what the inner strategy learns, and what noise costs."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.errors import SpaceError, UsageError
from netwright.space import Op, SearchSpace, integer
from netwright.strategies import RandomSearch, Strategy
from netwright.strategies.asha import Asha
from netwright.strategies.rung_monitor import RungMonitor
from netwright.testing import Simulation, check_strategy, example_spaces, tiny_space
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial, TrialState

TWO = (Objective("accuracy", "max"), Objective("latency_ms", "min"))
LIMITS = (Constraint("params", "<=", 5e5),)
TWELVE, QUARTER, FULL = (Fidelity(epochs=e) for e in (12, 50, 200))
RUNGS = (Fidelity(epochs=1), Fidelity(epochs=3), Fidelity(epochs=9))
SIZE = 1_000


def asha(space: SearchSpace, seed: int) -> Strategy:
    return Asha(space, seed=seed, fidelities=RUNGS)


def asha_local_two(space: SearchSpace, seed: int) -> Strategy:
    options = {"objectives": TWO, "constraints": LIMITS, "fidelities": (TWELVE, FULL)}
    return Asha(space, seed=seed, inner="local", **options)  # type: ignore[arg-type]


def line_space(size: int = SIZE) -> SearchSpace:
    return SearchSpace(Op("conv", (("width", integer("width", 0, size - 1)),)))


def width(architecture: Architecture) -> int:
    return int(architecture["width"])  # type: ignore[arg-type]


def by_width(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    return {"accuracy": float(width(architecture))}


@pytest.mark.parametrize("space", ["tiny", "nested"])
@pytest.mark.parametrize("factory", [asha, asha_local_two])
def test_it_keeps_the_protocol(factory: object, space: str) -> None:
    """With three rungs and with two, several objectives, limits, and another strategy inside."""
    check_strategy(factory, spaces={space: example_spaces()[space]}, other_process=False)  # type: ignore[arg-type]


def test_as_large_a_share_is_promoted_as_the_rungs_differ_in_cost() -> None:
    """From 12 epochs to 200, one in 16.67: the first of 17, of which it is the best, as the budgets are then equal."""
    simulation = Simulation(Asha(line_space(), fidelities=(TWELVE, FULL)), line_space(), by_width).run(18)
    assert [p.fidelity for p in simulation.asked] == [TWELVE] * 17 + [FULL]
    last = simulation.asked[-1]
    assert width(last.architecture) == max(width(p.architecture) for p in simulation.asked)
    assert simulation.asked[last.parents[0]].architecture == last.architecture


def test_some_promotions_are_at_random() -> None:
    """One in three until the rung is trusted; they say so in their origin."""
    simulation = Simulation(Asha(line_space(), fidelities=(TWELVE, FULL)), line_space(), by_width).run(220)
    origins = [p.origin for p in simulation.asked if p.fidelity == FULL]
    assert origins[:7] == ["promotion", "probe", "promotion", "promotion", "probe", "promotion", "promotion"]


class Recorder:
    """Random search that keeps what it is told."""

    made: list[Recorder] = []  # noqa: RUF012 - emptied by the test

    def __init__(self, space: SearchSpace, **options: object) -> None:
        self.search = RandomSearch(space, seed=int(options["seed"]))  # type: ignore[call-overload]
        self.told: list[Trial] = []
        Recorder.made.append(self)

    def ask(self, n: int) -> object:
        return self.search.ask(n)

    def tell(self, trials: list[Trial]) -> None:
        self.search.tell(trials)
        self.told.extend(trials)


def noisy(seed: int) -> object:
    """An evaluation whose lower fidelity is noise."""
    scores = np.random.default_rng(seed).permutation(SIZE)

    def evaluate(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
        place = width(architecture)
        return {"accuracy": float(place if fidelity == FULL else scores[place])}

    return evaluate


def test_when_a_rung_is_dropped_the_inner_strategy_starts_anew() -> None:
    """The first one learns from the rung that misleads, the second from full trainings alone, those before included."""
    Recorder.made.clear()
    strategy = Asha(line_space(), fidelities=(TWELVE, FULL), inner=Recorder)  # type: ignore[arg-type]
    simulation = Simulation(strategy, line_space(), noisy(0)).run(700)  # type: ignore[arg-type]
    assert (strategy.dropped, strategy.fidelities) == ((TWELVE,), (FULL,))
    assert strategy.agreements[0].misleads
    first, second = Recorder.made
    assert {t.fidelity for t in first.told} == {TWELVE}
    assert [t.id for t in second.told] == [t.id for t in simulation.told if t.fidelity == FULL]
    full = [p.architecture for p in simulation.asked if p.fidelity == FULL]
    assert len(set(full)) == len(full)
    again = {p.architecture for p in simulation.asked if p.fidelity == TWELVE} & set(full)
    assert len(again) > 50  # what was seen as noise only is new at the full fidelity


def equivalents(strategy: Strategy, seed: int, target: int) -> float:
    """Full trainings until one of the ``target`` best was trained fully."""
    evaluate, spent = noisy(seed), 0.0
    simulation = Simulation(strategy, line_space(), evaluate)  # type: ignore[arg-type]
    while True:
        (number,) = simulation.ask()
        proposal = simulation.asked[number]
        is_full = proposal.fidelity in (FULL, Fidelity())
        spent += 1.0 if is_full else proposal.fidelity.cost / FULL.cost
        if is_full and width(proposal.architecture) >= SIZE - target:
            return spent
        trial = Trial(
            number, proposal, 0, TrialState.FINISHED, evaluate(proposal.architecture, FULL if is_full else QUARTER)
        )  # type: ignore[operator]
        simulation.strategy.tell([trial])


def slower(monitor: dict[str, float]) -> float:
    """How much more full trainings the search needs where the lower fidelity is noise than the inner one alone."""
    space, seeds, target = line_space(), range(6), 4
    alone = sum(equivalents(RandomSearch(space, seed=s), s, target) for s in seeds)
    with_noise = [
        equivalents(Asha(space, seed=s, fidelities=(QUARTER, FULL), monitor=RungMonitor(**monitor)), s, target)  # type: ignore[arg-type]
        for s in seeds
    ]
    return sum(with_noise) / alone


def test_a_fidelity_that_is_noise_costs_a_tenth_at_most() -> None:
    """Compared with the inner strategy at the full fidelity alone; with a monitor that drops nothing it costs more."""
    assert slower({}) <= 1.1
    assert slower({"threshold": -1.0}) >= 1.3


def test_infeasible_and_failed_trials_are_never_promoted() -> None:
    """However many there are, the full fidelity is not reached."""
    for state in (TrialState.FAILED, TrialState.INFEASIBLE):
        simulation = Simulation(Asha(line_space(), fidelities=RUNGS), line_space(), by_width, state=state).run(40)
        assert {p.fidelity for p in simulation.asked} == {RUNGS[0]}


def test_a_warm_start_is_known_at_its_fidelity() -> None:
    """What was trained fully elsewhere is not promoted to there again, and an unknown architecture is refused."""
    space = line_space(20)
    strategy = Asha(space, fidelities=(Fidelity(epochs=1), Fidelity(epochs=4)))
    best = Proposal(Architecture({"width": 19}), Fidelity(epochs=4))
    strategy.tell([Trial(1000, best, 0, TrialState.FINISHED, {"accuracy": 19.0})])
    simulation = Simulation(strategy, space, by_width).run(100)
    assert simulation.exhausted
    assert best.architecture not in [p.architecture for p in simulation.asked if p.fidelity == best.fidelity]
    with pytest.raises(SpaceError, match="trial 2000 must be in the search space"):
        strategy.tell([Trial(2000, Proposal(Architecture({"width": 77})), 0, TrialState.FINISHED)])


def test_without_fidelities_it_is_the_inner_strategy() -> None:
    """One rung, at the fidelity that stands for the full one."""
    expected = [p.architecture for p in RandomSearch(tiny_space(), seed=3).ask(4)]
    assert expected == [p.architecture for p in Asha(tiny_space(), seed=3).ask(4)]


def test_wrong_options_are_named() -> None:
    """Each message says what is allowed."""
    with pytest.raises(UsageError, match="eta must be > 1, got 1"):
        Asha(tiny_space(), eta=1)
    with pytest.raises(UsageError, match="fidelities must be at least one"):
        Asha(tiny_space(), fidelities=())
    with pytest.raises(UsageError, match="unknown strategy 'locl'; did you mean 'local'"):
        Asha(tiny_space(), inner="locl")
