"""Label-free scores as ranks, and what a model-guided search makes of them, also where they mislead."""

from __future__ import annotations

import math

import numpy as np
import pytest

from netwright.errors import UsageError
from netwright.predictors.score_ranks import ScoreRanks
from netwright.space import Op, SearchSpace, integer
from netwright.strategies import BayesianOptimization
from netwright.testing import Simulation, cell_space
from netwright.types import Architecture, Fidelity


def line(most: int = 999) -> SearchSpace:
    """One number as the only decision."""
    return SearchSpace(Op("conv", (("width", integer("width", 0, most)),)))


def width(arch: Architecture) -> dict[str, float]:
    return {"width": float(str(arch["width"]))}


def test_shares_are_places_among_random_architectures() -> None:
    """A width of 250 of 0 to 999 is above a quarter of them; the reference begins with the widest."""
    space = line()
    ranks = ScoreRanks(space, width, np.random.default_rng(0))
    assert ranks.shares(space.architecture({"width": 250}))[0] == pytest.approx(0.25, abs=0.06)
    widths = [width(a)["width"] for a in ranks.reference]
    assert widths == sorted(widths, reverse=True)
    assert ranks.worth(ranks.reference[0]) > ranks.worth(ranks.reference[-1])


def test_scores_that_are_no_numbers_stand_in_the_middle() -> None:
    """NaN, or a score that is missing, is the median; minus infinity is the least."""
    space = line()
    told: dict[int, dict[str, float]] = {3: {"width": math.nan}, 4: {}, 5: {"width": -math.inf}}

    def scores(arch: Architecture) -> dict[str, float]:
        return told.get(int(str(arch["width"])), width(arch))

    ranks = ScoreRanks(space, scores, np.random.default_rng(0))
    assert [ranks.shares(space.architecture({"width": w}))[0] for w in (3, 4)] == [0.5, 0.5]
    assert ranks.shares(space.architecture({"width": 5}))[0] < 0.01
    assert np.isfinite(ranks.quantiles(space.architecture({"width": 5}))).all()


def test_no_scores_are_refused() -> None:
    """A function that tells nothing is an error that says so."""
    with pytest.raises(UsageError, match="scores must be at least one score"):
        ScoreRanks(line(), lambda arch: {}, np.random.default_rng(0))


def conv_count(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    return {"accuracy": sum(value == "nor_conv_3x3" for value in architecture.values()) / 6}


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_good_scores_help_and_flipped_ones_do_no_harm(sign: float) -> None:
    """A score that tells the truth finds the best of 15,625 cells in 15 trials; told upside down, in 40.

    First come the best and the worst by the score in turns: both ends show what it is worth.
    """
    space = cell_space()

    def scores(arch: Architecture) -> dict[str, float]:
        return {"truth": sign * conv_count(arch, Fidelity())["accuracy"]}

    strategy = BayesianOptimization(space, seed=0, scores=scores)
    simulation = Simulation(strategy, space, conv_count).run(15 if sign > 0 else 40)
    assert [p.origin for p in simulation.asked[:5]] == ["scores"] * 5
    scored = [scores(p.architecture)["truth"] for p in simulation.asked[:5]]
    assert min(scored[::2]) > sign / 2 > max(scored[1::2])
    assert max(conv_count(p.architecture, Fidelity())["accuracy"] for p in simulation.asked) == 1.0
