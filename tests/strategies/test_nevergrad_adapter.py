"""Nevergrad's optimisers behind our protocol. Importing Nevergrad alone takes seconds, so what needs it is slow."""

from __future__ import annotations

import importlib.util

import pytest

from netwright.errors import MissingDependencyError, UsageError
from netwright.space import SearchSpace
from netwright.strategies.nevergrad_adapter import NevergradStrategy
from netwright.strategies.questions import known_answers
from netwright.testing import Simulation, cell_space, check_strategy, example_spaces
from netwright.types import Architecture, Constraint, Fidelity, Objective

pytestmark = pytest.mark.filterwarnings("ignore:Could not import matplotlib")  # by what Nevergrad imports
SPACES = example_spaces()
installed = pytest.mark.skipif(importlib.util.find_spec("nevergrad") is None, reason="nevergrad is not installed")
TWO = (Objective("accuracy", "max"), Objective("latency_ms", "min"))
LIMITS = (Constraint("params", "<=", 5e5),)


def ngopt(space: SearchSpace, seed: int) -> NevergradStrategy:
    return NevergradStrategy(space, seed=seed)


def evolution_two(space: SearchSpace, seed: int) -> NevergradStrategy:
    return NevergradStrategy(space, seed=seed, optimizer="DE", objectives=TWO, constraints=LIMITS)


@installed
@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("factory", [ngopt, evolution_two])
def test_optimisers_keep_the_protocol(factory: object, name: str) -> None:
    """The portfolio, and differential evolution with two objectives and a limit, pass the suite on every space."""
    check_strategy(factory, spaces={name: SPACES[name]}, other_process=False)  # type: ignore[arg-type]


@installed
@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_parameters_say_what_the_architecture_is(name: str) -> None:
    """The parameters written for an architecture that nobody asked for are read as that architecture."""
    space = SPACES[name]
    strategy = NevergradStrategy(space)
    for architecture in (p.architecture for p in Simulation(NevergradStrategy(space, seed=1), space).run(6).asked):
        read = strategy._candidate(architecture).value
        for question, value in known_answers(space, architecture):
            answer = strategy._read(read, question)
            assert answer == (pytest.approx(value) if isinstance(value, float) else value)


@installed
@pytest.mark.slow
def test_what_can_be_learnt_is_learnt() -> None:
    """A discrete one-plus-one evolution finds five of six equal edges in a hundred trials."""

    def convolutions(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
        return {"accuracy": sum(value == "nor_conv_3x3" for value in architecture.values()) / 6}

    space = cell_space()
    asked = Simulation(NevergradStrategy(space, optimizer="DiscreteOnePlusOne"), space, convolutions).run(100).asked
    assert max(convolutions(p.architecture, Fidelity())["accuracy"] for p in asked) >= 5 / 6


@installed
@pytest.mark.slow
def test_an_unknown_optimiser_is_refused() -> None:
    """The message names the nearest one."""
    with pytest.raises(UsageError, match="unknown optimizer of Nevergrad 'NGOptt'; did you mean 'NGOpt'"):
        NevergradStrategy(SPACES["tiny"], optimizer="NGOptt")


def test_without_nevergrad_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Nevergrad is not installed, the message says how to install it."""
    monkeypatch.setattr("netwright.strategies.nevergrad_adapter.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"needs the package 'nevergrad'.*netwright\[bridges\]"):
        NevergradStrategy(SPACES["tiny"])


def test_no_trials_at_all_are_refused() -> None:
    """Nevergrad is told to expect at least one trial."""
    with pytest.raises(UsageError, match="num_trials must be >= 1, got 0"):
        NevergradStrategy(SPACES["tiny"], num_trials=0)
