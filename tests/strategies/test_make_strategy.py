"""Strategies by name."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from typing import Any

import pytest

from netwright.errors import CapabilityError, UsageError
from netwright.strategies import (
    NSGA3,
    STRATEGIES,
    Asha,
    BayesianOptimization,
    GridSearch,
    LocalSearch,
    RandomSearch,
    RegularizedEvolution,
    has_fidelities,
    make_strategy,
    strategy_names,
)
from netwright.strategies.auto import choose
from netwright.testing import mixed_space, tiny_space
from netwright.types import Fidelity, Objective

BRIDGES = {"optuna", "nevergrad"}
"""Strategies that need a library of others; they have tests of their own."""


def test_every_name_makes_its_strategy() -> None:
    """Each known name gives an object of its class."""
    names = STRATEGIES.keys() - BRIDGES - {"auto"}
    made = {name: type(make_strategy(name, tiny_space(), seed=1)) for name in names}
    assert made == {name: STRATEGIES[name] for name in names}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, BayesianOptimization),
        ({"fidelities": (Fidelity(1.0), Fidelity(9.0))}, Asha),
        ({"num_trials": 30_000}, RegularizedEvolution),
        ({"objectives": [Objective(m, "min") for m in "abcd"], "num_trials": 1000}, NSGA3),
        ({"objectives": [Objective(m, "min") for m in "abcd"], "num_trials": 100}, BayesianOptimization),
    ],
)
def test_auto_chooses_by_objectives_fidelities_and_trials(options: dict[str, Any], expected: type) -> None:
    """What it makes is what it says it chooses, and the reason names the figures it rests on."""
    made = make_strategy("auto", tiny_space(), **options)
    chosen = choose(
        options.get("objectives", [Objective("accuracy", "max")]),
        options.get("fidelities", ()),
        options.get("num_trials"),
    )
    assert type(made) is expected is STRATEGIES[chosen.name]
    assert str(options.get("num_trials", "")) in chosen.reason or expected is BayesianOptimization


def test_auto_refuses_no_trials() -> None:
    """A count below one is an error."""
    with pytest.raises(UsageError, match="num_trials must be >= 1, got 0"):
        make_strategy("auto", tiny_space(), num_trials=0)


def test_some_strategies_decide_on_fidelities() -> None:
    """It is told by their arguments."""
    assert [has_fidelities(name) for name in ("hyperband", "freeze-thaw", "bayesian")] == [True, True, False]


def test_options_reach_the_strategy() -> None:
    """Options are passed on, and a strategy checks them."""
    with pytest.raises(UsageError, match=r"population must be >= tournament \(10\), got 3"):
        make_strategy("evolution", tiny_space(), population=3)


def test_an_object_is_taken_as_it_is() -> None:
    """An object with ask and tell is a strategy."""
    strategy = LocalSearch(tiny_space())
    assert make_strategy(strategy, tiny_space()) is strategy


def test_an_unknown_name_lists_the_known_and_the_nearest() -> None:
    """A misspelling is answered with what was probably meant."""
    with pytest.raises(UsageError, match=r"unknown strategy 'locl'; did you mean 'local'.* known: asha, auto, bananas"):
        make_strategy("locl", tiny_space())


def test_an_unknown_option_lists_the_known_ones() -> None:
    """A misspelt option is named, with what the strategy has."""
    with pytest.raises(UsageError, match=r"'evolution': 'popultion'; did you mean 'population'.*crossover, population"):
        make_strategy("evolution", tiny_space(), popultion=3)


def test_something_else_is_refused() -> None:
    """A number is no strategy."""
    with pytest.raises(UsageError, match="strategy must be a name or an object with ask and tell, got 3"):
        make_strategy(3, tiny_space())  # type: ignore[arg-type]


def test_a_grid_over_real_numbers_is_refused() -> None:
    """The grid says what to do instead."""
    with pytest.raises(CapabilityError, match=r"needs a finite search space.*use the random strategy"):
        GridSearch(mixed_space())


def test_the_grid_follows_the_order_of_the_space() -> None:
    """It proposes the enumeration, once."""
    space = tiny_space()
    assert [p.architecture for p in GridSearch(space).ask(10)] == list(space.enumerate())


def test_plug_ins_are_found_by_their_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed plug-in's name is known, listed and made like ours."""
    point = metadata.EntryPoint("mine", "netwright.strategies.random:RandomSearch", "netwright.strategies")
    monkeypatch.setattr(
        "netwright.strategies.entry_points", lambda group: [point] if group == "netwright.strategies" else []
    )
    strategy = make_strategy("mine", tiny_space(), objectives=(Objective("loss", "min"),))
    assert [type(strategy), strategy_names()] == [
        RandomSearch,
        sorted(["mine", *STRATEGIES]),
    ]


def test_strategies_do_not_import_torch() -> None:
    """A fresh interpreter that imports the strategies and the suites has not loaded torch."""
    code = "import sys, netwright.strategies, netwright.testing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
