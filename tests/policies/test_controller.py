"""The controller is a distribution over the architectures of any space, and its gradient is right."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from netwright.policies.adam import Adam
from netwright.policies.controller import Controller, Episode
from netwright.space import Op, SearchSpace, choice, contains, equal, flag, integer, subset, total
from netwright.space.coded_rows import CodedRows
from netwright.space.rows import RowsSpace
from netwright.testing import example_spaces, small_cell_space, tiny_space
from netwright.types import Architecture

SIZE = 3


def entangled_space() -> SearchSpace:
    """A dependent range, a dependent table, a subset with a constraint on its members; 54 architectures."""
    depth = integer("depth", 1, 3)
    args = {
        "depth": depth,
        "inner": integer("inner", 0, depth),
        "kernel": choice("kernel", {1: [3], 2: [3, 5], 3: [5, 7]}, on=depth),
        "tricks": (tricks := subset("tricks", ["a", "b", "c"], 1, 2)),
    }
    return SearchSpace(Op("net", tuple(args.items())), constraints=[contains(tricks, "a") | equal(depth, 2)])


def rows_space() -> SearchSpace:
    """Half of the architectures of a conditional space."""
    space = example_spaces()["nested"]
    return RowsSpace(space, CodedRows.of(list(space.enumerate())[::2], list(space.choices)))


SPACES = {
    **{name: space for name, space in example_spaces().items() if name in ("tiny", "nested", "small_cell")},
    "entangled": entangled_space(),
    "rows": rows_space(),
    "wide": SearchSpace(Op("conv", (("n", integer("n", 1, 60, log=True)), ("bias", flag("bias"))))),
}


def disturbed(space: SearchSpace, episodes: int = 20) -> Controller:
    """A controller with parameters far from those of the beginning."""
    controller = Controller(space, np.random.default_rng(0), SIZE)
    rng = np.random.default_rng(1)
    for _ in range(episodes):
        controller.sample(rng)
    for name, values in controller.parameters.items():
        controller.parameters[name] = rng.normal(0.0, 0.7, values.shape)
    return controller


def drawn(controller: Controller, number: int, seed: int = 2) -> list[Episode]:
    rng = np.random.default_rng(seed)
    return [controller.sample(rng)[1] for _ in range(number)]


def log_probs(controller: Controller, archs: Sequence[Architecture]) -> np.ndarray:
    return controller.forward([controller.recall(a) for a in archs]).log_probs


@pytest.mark.parametrize("name", ["nested", "small_cell", "entangled", "mixed"])
def test_the_gradient_is_the_numerical_one(name: str) -> None:
    """Central differences of weighted log-probabilities and divergences give the same, parameter by parameter."""
    controller = disturbed({**SPACES, "mixed": example_spaces()["mixed"]}[name])
    episodes = drawn(controller, 5)
    by_log_prob, by_divergence = np.array([1.0, -2.0, 0.5, 0.0, 1.5]), np.array([0.3, 0.0, -0.7, 0.2, 0.1])

    def value() -> float:
        forward = controller.forward(episodes)
        return float(by_log_prob @ forward.log_probs + by_divergence @ forward.divergences)

    gradient = controller.gradient(controller.forward(episodes), by_log_prob, by_divergence)
    used = sorted({int(a) for e in episodes for q in e.questions for a in q.answers})
    for parameter, values in controller.parameters.items():
        expected = np.zeros_like(values)
        for index in np.ndindex(*values.shape):
            if parameter == "recurrent" or index[0] in used:
                ends = []
                for step in (1e-6, -1e-6):
                    values[index] += step
                    ends.append(value())
                    values[index] -= step
                expected[index] = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(expected, gradient[parameter], atol=2e-7, rtol=1e-5)


@pytest.mark.parametrize("name", SPACES)
def test_an_untrained_controller_is_uniform_over_architectures(name: str) -> None:
    """Every architecture has the probability one over the count; its divergence from uniform is none."""
    space = SPACES[name]
    controller = Controller(space, np.random.default_rng(0), SIZE)
    episodes = [controller.recall(arch) for arch in space.enumerate()]
    forward = controller.forward(episodes)
    assert forward.divergences == pytest.approx(np.zeros(len(episodes)))
    if name != "wide":  # there the log-probability is that of a part of the range
        assert forward.log_probs == pytest.approx(-np.log(np.full(len(episodes), space.count())))


@pytest.mark.parametrize("name", ["tiny", "nested", "entangled", "rows"])
def test_a_trained_controller_is_a_distribution_over_architectures(name: str) -> None:
    """Probabilities sum to 1, and the mean divergence is what the entropy lacks to the uniform distribution's."""
    space = SPACES[name]
    controller = disturbed(space)
    forward = controller.forward([controller.recall(arch) for arch in space.enumerate()])
    chances = np.exp(forward.log_probs)
    entropy = -chances @ forward.log_probs
    assert chances.sum() == pytest.approx(1.0)
    assert chances @ forward.divergences == pytest.approx(math.log(space.count()) - entropy)
    assert entropy < math.log(space.count()) - 0.05


def test_draws_follow_the_probabilities() -> None:
    """Of 3,000 draws each architecture has its share, within four standard deviations; hotter draws are nearer even."""
    space = tiny_space()
    controller = disturbed(space)
    archs = list(space.enumerate())
    chances = np.exp(log_probs(controller, archs))
    rng = np.random.default_rng(3)
    counts = dict.fromkeys(archs, 0)
    for _ in range(3_000):
        arch, _ = controller.sample(rng)
        assert arch is not None
        counts[arch] += 1
    shares = np.array(list(counts.values())) / 3_000
    assert (np.abs(shares - chances) < 4 * np.sqrt(chances / 3_000)).all()
    hot = [controller.sample(rng, temperature=100.0)[0] for _ in range(600)]
    assert all(60 < hot.count(arch) < 140 for arch in archs)


@pytest.mark.parametrize("name", [*SPACES, "mixed", "cell"])
def test_draws_are_in_the_space_and_are_recalled(name: str) -> None:
    """What is drawn is an architecture of the space, and recalling it asks the same and is answered the same."""
    space = {**SPACES, **example_spaces()}[name]
    controller = disturbed(space)
    rng = np.random.default_rng(4)
    for _ in range(30):
        arch, episode = controller.sample(rng)
        assert arch is not None
        assert space.explain(arch) is None
        again = controller.recall(arch)
        assert [q.answers.tolist() for q in episode.questions] == [q.answers.tolist() for q in again.questions]
        assert episode.places == again.places


def test_a_draw_that_breaks_a_constraint_held_by_rejection_is_none() -> None:
    """The constraint is too entangled for the diagram; what is drawn fulfils it, or is nothing."""
    parts = [integer(f"n{i}", 0, 9) for i in range(6)]
    args = tuple((part.name, part) for part in parts)
    space = SearchSpace(Op("conv", args), constraints=[total(parts) <= 20], state_limit=20)
    controller = Controller(space, np.random.default_rng(0), SIZE)
    rng = np.random.default_rng(0)
    found = [controller.sample(rng)[0] for _ in range(50)]
    assert None in found
    assert all(space.explain(arch) is None for arch in found if arch is not None)


def test_it_learns_how_decisions_act_together() -> None:
    """Taught that two edges are equal, each value as often, it proposes what no product of single chances would."""
    space = small_cell_space()
    controller = Controller(space, np.random.default_rng(0), 8)
    operations = ("none", "skip_connect", "nor_conv_3x3")
    taught = [space.architecture({"edge0": op, "edge1": op, "edge2": "none"}) for op in operations]
    episodes = [controller.recall(arch) for arch in taught]
    adam = Adam(0.1, {})
    for _ in range(60):
        gradient = controller.gradient(controller.forward(episodes), np.full(3, 1 / 3), np.zeros(3))
        adam.ascend(controller.parameters, gradient)
    chances = np.exp(log_probs(controller, taught))
    assert chances.min() > 0.25  # at most 1/9 where edges are independent


def test_the_same_seed_is_the_same_controller() -> None:
    """Embeddings come from the generator given; equal ones draw equally."""
    draws = []
    for _ in range(2):
        controller, rng = Controller(tiny_space(), np.random.default_rng(5), SIZE), np.random.default_rng(6)
        draws.append([controller.sample(rng)[0] for _ in range(5)])
    assert draws[0] == draws[1]
