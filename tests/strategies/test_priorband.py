"""PriorBand follows a good prior, forgets a bad one, and refuses one that says nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from netwright.errors import UsageError
from netwright.space import SearchSpace
from netwright.space.remembering import RememberingSpace
from netwright.strategies import Strategy
from netwright.strategies.hyperband import Hyperband
from netwright.strategies.priorband import PriorBand
from netwright.strategies.priors import Guess, Neighbourhood, Prior
from netwright.testing import Simulation, cell_space, check_strategy, example_spaces, synthetic_metrics
from netwright.types import Architecture, Constraint, Fidelity, Objective

TWO = (Objective("accuracy", "max"), Objective("latency_ms", "min"))
LIMITS = (Constraint("params", "<=", 5e5),)
SPACE = RememberingSpace(cell_space())
RUNGS = tuple(Fidelity(epochs=e) for e in (1, 3, 9))
GUESSES: Mapping[str, Guess] = {
    "width": 16,
    "depth": 2,
    "kernel0": {3: 1.0},
    "rate": 0.1,
    "units": {64: 2.0, 32: 1.0},
    "augment": ("flip",),
}


def priorband(space: SearchSpace, seed: int) -> Strategy:
    guesses = {name: guess for name, guess in GUESSES.items() if name in space.choices}
    return PriorBand(space, seed=seed, fidelities=RUNGS, priors=guesses)


def priorband_two(space: SearchSpace, seed: int) -> Strategy:
    return PriorBand(space, seed=seed, fidelities=RUNGS, objectives=TWO, constraints=LIMITS)


@pytest.mark.parametrize(
    ("factory", "space"), [(priorband, "tiny"), (priorband, "nested"), (priorband, "mixed"), (priorband_two, "nested")]
)
def test_it_keeps_the_protocol(factory: object, space: str) -> None:
    """With priors of all kinds, and without, with two objectives and a limit."""
    check_strategy(factory, spaces={space: example_spaces()[space]}, other_process=False)  # type: ignore[arg-type]


def extremes() -> tuple[Architecture, Architecture]:
    """The best and the worst of many cells at the full fidelity."""
    rng = np.random.default_rng(0)
    drawn = sorted(
        (cell_space().sample(rng) for _ in range(200)), key=lambda a: synthetic_metrics(a, RUNGS[-1])["accuracy"]
    )
    return drawn[-1], drawn[0]


def mean_best(make: object, num_trials: int) -> float:
    """Mean over eight seeds of the best full training."""
    runs = [Simulation(make(seed), SPACE).run(num_trials) for seed in range(8)]  # type: ignore[operator]
    return sum(max(t.metrics["accuracy"] for t in run.told if t.fidelity == RUNGS[-1]) for run in runs) / 8


@pytest.mark.long
def test_a_good_prior_helps_and_a_bad_one_does_not_ruin_the_search() -> None:
    """After 40 trials the good one is ahead of Hyperband; after 150 even the bad one is not behind it."""
    good, bad = extremes()

    def of(guess: Architecture) -> object:
        return lambda seed: PriorBand(SPACE, seed=seed, fidelities=RUNGS, priors=dict(guess))

    def hyperband(seed: int) -> Strategy:
        return Hyperband(SPACE, seed=seed, fidelities=RUNGS)

    assert mean_best(of(good), 40) > mean_best(hyperband, 40) + 0.02
    assert mean_best(of(bad), 150) > mean_best(hyperband, 150) - 0.01


def test_all_three_sources_are_used() -> None:
    """Random ones, those of the prior, and those near the incumbent."""
    simulation = Simulation(priorband(example_spaces()["nested"], 0), example_spaces()["nested"]).run(60)
    assert {"random", "prior", "incumbent"} <= {p.origin for p in simulation.asked}


def test_weights_are_followed() -> None:
    """Values are drawn in proportion; those without a weight only where nothing else is open."""
    space, rng = cell_space(), np.random.default_rng(0)
    prior = Prior(space, {"edge0": {"none": 3.0, "skip_connect": 1.0}})
    walk = space.walk()
    assert walk.step is not None
    drawn = [prior.decide(rng)(walk.step) for _ in range(400)]
    assert drawn.count("none") + drawn.count("skip_connect") == 400
    assert 260 <= drawn.count("none") <= 340


def test_what_a_distribution_makes_often_has_a_larger_density() -> None:
    """The favourite under its prior, the centre under its neighbourhood."""
    good, bad = extremes()
    prior = Prior(cell_space(), dict(good))
    near = Neighbourhood(cell_space(), good)
    assert prior.log_density(good) > prior.log_density(bad)
    assert near.log_density(good) > near.log_density(bad)


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ({"edge9": "none"}, "unknown choice of a prior 'edge9'; did you mean 'edge"),
        ({"edge0": "conv"}, "value in the prior of 'edge0' must be one of"),
        ({"edge0": {"none": -1.0}}, "weight of 'none' in the prior of 'edge0' must be finite and >= 0, got -1.0"),
        ({"edge0": {"none": 0.0}}, "prior of 'edge0' must be a weight > 0 for some value"),
        ({"edge0": {}}, "prior of 'edge0' must be a weight > 0 for some value"),
    ],
)
def test_a_prior_that_says_nothing_is_refused(priors: Mapping[str, Guess], message: str) -> None:
    """Each message names the choice and what is allowed."""
    with pytest.raises(UsageError, match=message):
        PriorBand(cell_space(), priors=priors)


def test_weights_for_a_real_choice_are_refused() -> None:
    """A favourite is possible, and said to be."""
    with pytest.raises(UsageError, match="give the favourite value instead"):
        PriorBand(example_spaces()["mixed"], priors={"lr": {0.01: 1.0}})
