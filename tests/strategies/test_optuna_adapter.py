"""Optuna's samplers behind our protocol, on every kind of space; and what is said where Optuna is not installed."""

from __future__ import annotations

import importlib.util
import logging

import pytest

from netwright.errors import MissingDependencyError, UsageError
from netwright.space import Op, SearchSpace, choice, integer, real, subset
from netwright.strategies.optuna_adapter import SAMPLERS, OptunaStrategy
from netwright.testing import Simulation, check_strategy, example_spaces
from netwright.testing.strategies import check_replay
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial, TrialState

SPACES = example_spaces()
installed = pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="optuna is not installed")
TWO = (Objective("accuracy", "max"), Objective("latency_ms", "min"))
LIMITS = (Constraint("params", "<=", 5e5),)


def tpe(space: SearchSpace, seed: int) -> OptunaStrategy:
    return OptunaStrategy(space, seed=seed)


def nsga2_two(space: SearchSpace, seed: int) -> OptunaStrategy:
    return OptunaStrategy(space, seed=seed, sampler="nsga2", objectives=TWO, constraints=LIMITS)


@installed
@pytest.mark.parametrize("name", ["tiny", "small_cell", "mixed"])
def test_the_default_sampler_keeps_the_protocol(name: str) -> None:
    """TPE passes the suite on exhausted, isomorphic and infinite spaces."""
    check_strategy(tpe, spaces={name: SPACES[name]}, other_process=False)


@installed
@pytest.mark.slow
@pytest.mark.parametrize("name", ["nested", "cell"])
@pytest.mark.parametrize("factory", [tpe, nsga2_two])
def test_samplers_keep_the_protocol_on_larger_spaces(factory: object, name: str) -> None:
    """TPE, and NSGA-II with two objectives and a limit, pass the suite on conditional and cell spaces."""
    check_strategy(factory, spaces={name: SPACES[name]}, other_process=False)  # type: ignore[arg-type]


@installed
@pytest.mark.parametrize(
    ("sampler", "name"), [*((s, "mixed") for s in sorted(SAMPLERS.keys() - {"gp"})), ("nsga2", "nested")]
)
def test_every_sampler_searches_and_goes_on_after_a_replay(sampler: str, name: str) -> None:
    """All proposals are in the space, and a resumed search is the uninterrupted one."""
    check_replay(lambda space, seed: OptunaStrategy(space, seed=seed, sampler=sampler), SPACES[name])


@installed
def test_the_gaussian_process_sampler_searches() -> None:
    """Beyond the ten trials it draws at random, on a space with numbers; twice the same."""
    space = SearchSpace(training={"rate": real("rate", 0.0, 1.0), "units": integer("units", 8, 64, 8)})

    def score(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
        return {"accuracy": 1 - (float(architecture["rate"]) - 0.3) ** 2}  # type: ignore[arg-type]

    runs = [Simulation(OptunaStrategy(space, sampler="gp"), space, score).run(12) for _ in range(2)]
    assert runs[0].trace() == runs[1].trace()


@installed
def test_what_can_be_learnt_is_learnt() -> None:
    """TPE with conditional choices does better than random search on a sum of hashes."""
    space = SPACES["cell"]

    def convolutions(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
        return {"accuracy": sum(value == "nor_conv_3x3" for value in architecture.values()) / 6}

    best = {}
    for sampler in ("tpe", "random"):
        runs = [Simulation(OptunaStrategy(space, seed=s, sampler=sampler), space, convolutions).run(40) for s in (0, 1)]
        best[sampler] = sum(max(convolutions(p.architecture, Fidelity())["accuracy"] for p in r.asked) for r in runs)
    assert best["tpe"] > best["random"]


@installed
def test_trials_nobody_asked_for_are_learnt_from() -> None:
    """Fifteen told trials of which low rates are best make TPE propose low rates at once."""
    space = SearchSpace(
        training={"rate": real("rate", 1e-4, 1.0, log=True), "kinds": subset("kinds", ["a", "b", "c"], 1, 2)}
    )
    strategy = OptunaStrategy(space)
    rates = [10 ** (-4 + 4 * i / 14) for i in range(15)]
    told = [
        Trial(i, Proposal(Architecture({"rate": r, "kinds": ("b",)})), 0, TrialState.FINISHED, {"accuracy": 1 - r})
        for i, r in enumerate(rates)
    ]
    strategy.tell(told)
    proposals = strategy.ask(8)
    assert sum(float(p.architecture["rate"]) < 0.01 for p in proposals) >= 6  # type: ignore[arg-type]


@installed
def test_a_limit_is_kept_away_from() -> None:
    """Wide networks are more accurate: later proposals are wide, and mostly narrow where wide ones are infeasible."""
    space = SearchSpace(Op("conv", (("width", integer("width", 1, 1000)),)))

    def metrics(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
        width = float(architecture["width"])  # type: ignore[arg-type]
        return {"accuracy": width / 1000, "params": width}

    def narrow(constraints: list[Constraint]) -> int:
        asked = Simulation(OptunaStrategy(space, constraints=constraints), space, metrics).run(50).asked[20:]
        return sum(p.architecture["width"] <= 500 for p in asked)  # type: ignore[operator,misc]

    assert narrow([Constraint("params", "<=", 500.0)]) >= 15
    assert narrow([]) <= 5


@installed
def test_values_of_a_dependent_choice_are_parameters_of_their_own() -> None:
    """A choice whose values depend on another is asked for among those that are open, whatever they are."""
    width = choice("width", [16, 32])
    kernel = choice("kernel", {16: [1, 1.5, (3, 5)], 32: [3, "1"]}, on=width)
    space = SearchSpace(Op("conv", (("width", width), ("kernel", kernel))))
    simulation = Simulation(OptunaStrategy(space), space).run(20)
    assert len({p.architecture for p in simulation.asked}) == 5


@installed
def test_optuna_stays_silent(caplog: pytest.LogCaptureFixture) -> None:
    """Making a study writes no line, and leaves Optuna's logger as it was."""
    logger = logging.getLogger("optuna.storages._in_memory")
    with caplog.at_level(logging.DEBUG):
        OptunaStrategy(SPACES["tiny"])
    assert not caplog.records
    assert not logger.disabled


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Optuna is not installed, the message says how to install it."""
    monkeypatch.setattr("netwright.strategies.optuna_adapter.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"needs the package 'optuna'.*netwright\[bridges\]"):
        OptunaStrategy(SPACES["tiny"])


def test_an_unknown_sampler_is_refused() -> None:
    """The message names the nearest one."""
    with pytest.raises(UsageError, match="unknown sampler of Optuna 'tpee'; did you mean 'tpe'"):
        OptunaStrategy(SPACES["tiny"], sampler="tpee")
