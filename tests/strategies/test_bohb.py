"""BOHB's densities on any space, and what they are made of."""

from __future__ import annotations

import math

import numpy as np
import pytest

from netwright.errors import UsageError
from netwright.space import Op, SearchSpace, choice
from netwright.space.remembering import RememberingSpace
from netwright.strategies import Strategy
from netwright.strategies.bohb import BOHB
from netwright.strategies.densities import Kernels, draw, draw_evenly, draw_near
from netwright.strategies.hyperband import Hyperband
from netwright.testing import Simulation, cell_space, check_hash_seed, check_strategy, example_spaces
from netwright.types import Architecture, Constraint, Fidelity, Objective

TWO = (Objective("accuracy", "max"), Objective("latency_ms", "min"))
LIMITS = (Constraint("params", "<=", 5e5),)
SPACE = RememberingSpace(cell_space())
RUNGS = tuple(Fidelity(epochs=e) for e in (1, 3, 9))


def bohb(space: SearchSpace, seed: int) -> Strategy:
    return BOHB(space, seed=seed, fidelities=RUNGS)


def bohb_two(space: SearchSpace, seed: int) -> Strategy:
    return BOHB(space, seed=seed, fidelities=RUNGS, objectives=TWO, constraints=LIMITS)


@pytest.mark.parametrize(
    ("factory", "space"), [(bohb, "tiny"), (bohb, "nested"), (bohb, "mixed"), (bohb_two, "nested")]
)
def test_it_keeps_the_protocol(factory: object, space: str) -> None:
    """On finite, conditional and infinite spaces, with one objective, and with two and a limit."""
    check_strategy(factory, spaces={space: example_spaces()[space]}, other_process=False)  # type: ignore[arg-type]


@pytest.mark.slow
def test_it_does_not_depend_on_the_hash_seed() -> None:
    """Other interpreters propose the same."""
    check_hash_seed(bohb)


def test_the_model_finds_better_architectures_than_chance() -> None:
    """At the same number of trials its best full training beats Hyperband's, over eight seeds together."""
    best = {}
    for make in (BOHB, Hyperband):
        runs = [Simulation(make(SPACE, seed=s, fidelities=RUNGS), SPACE).run(120) for s in range(8)]
        best[make] = sum(max(t.metrics["accuracy"] for t in r.told if t.fidelity == RUNGS[-1]) for r in runs) / 8
    assert best[BOHB] > best[Hyperband] + 0.02


def test_the_density_is_the_mixture_of_kernels() -> None:
    """By hand: of two centres with one choice of two values, spread 0.4, a value in one of them has 0.5."""
    space = SearchSpace(Op("conv", (("kernel", choice("kernel", [3, 5])), ("width", choice("width", [8, 16])))))
    kernels = Kernels(space)
    rows = kernels.rows([Architecture({"kernel": k, "width": w}) for k, w in ((3, 8), (5, 16))])
    density = np.exp(kernels.log_density(rows[:1], rows, np.array([0.4, 0.4])))
    assert density[0] == pytest.approx((0.8 * 0.8 + 0.2 * 0.2) / 2)


def test_draws_are_near_the_centre_and_inside_the_space() -> None:
    """With small spreads decisions stay, where another choice needs them; numbers move by little."""
    rng = np.random.default_rng(0)
    for space in example_spaces().values():
        kernels = Kernels(space)
        centre = space.sample(rng)
        decide = kernels.decide_near(centre, np.full(kernels.num_choices, 0.01), rng)
        drawn = [draw(space, decide) for _ in range(20)]
        assert all(a is not None and space.contains(a) for a in drawn)
        assert sum(set(a) == set(centre) for a in drawn if a is not None) >= 15


def test_numbers_are_drawn_around_their_centre() -> None:
    """The middle of many draws of a real number on a logarithmic scale is the centre; none leaves the range."""
    space, rng = example_spaces()["mixed"], np.random.default_rng(0)
    drawn = []
    for _ in range(300):
        found = draw(
            space,
            lambda step: draw_near(step, 0.01, 0.1, rng) if step.choice.name == "lr" else draw_evenly(step, rng),
        )
        assert found is not None
        drawn.append(float(found["lr"]))  # type: ignore[arg-type]
    assert math.log10(float(np.median(drawn))) == pytest.approx(-2, abs=0.1)
    assert 1e-4 <= min(drawn) <= max(drawn) <= 1e-1


def test_without_fidelities_it_is_a_search_by_densities() -> None:
    """One rung, and proposals of the model."""
    simulation = Simulation(BOHB(cell_space()), cell_space()).run(30)
    assert "model" in {p.origin for p in simulation.asked}


def test_a_wrong_share_is_named() -> None:
    """The message says what is allowed."""
    with pytest.raises(UsageError, match=r"random_share must be in \[0, 1\], got 2"):
        BOHB(cell_space(), random_share=2)
