"""A child computes what its parent does: every operator on random networks, and the neighbours in shipped spaces."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from netwright import nn
from netwright.errors import BuildError, SpaceError, UsageError
from netwright.inheritance import Morphism, morph
from netwright.inheritance.channels import Channels, Lost
from netwright.nn.networks import Networks
from netwright.nn.spaces import SPACES
from netwright.space import SearchSpace, choice
from netwright.tasks.image_spaces import image_space
from netwright.types import Architecture

_spec = importlib.util.spec_from_file_location("operators", Path(__file__).parent / "operators.py")
assert _spec is not None
assert _spec.loader is not None
operators = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(operators)

SMALL = {
    "darts": {"channels": 4, "num_cells": 3, "num_nodes": 2},
    "nas_bench_101": {"channels": 8, "num_stacks": 2, "num_modules": 1, "num_vertices": 5},
    "nas_bench_201": {"channels": 4, "num_cells": 1},
    "mobile_macro": {"widths": (16, 24), "max_depth": 2},
    "resnet_macro": {"widths": (8, 16), "max_depth": 2},
    "free_form": {"max_depth": 3, "min_width": 4},
    "default": {},
}
"""The shipped spaces, small."""


def differences(networks: Networks, parent: torch.nn.Module, made: tuple[dict, Morphism], child: Architecture) -> float:
    """Largest difference of the outputs of parent and child."""
    model = networks.make(child).model.double().eval()
    model.load_state_dict(made[0])
    x = operators.examples(networks.input_shape)
    with torch.no_grad():
        return float((parent(x) - model(x)).abs().max())


def shipped(name: str) -> Networks:
    """A small space of the shipped ones."""
    shape = (1, 8, 8) if name == "default" else (2, 8, 8)
    space = image_space(shape, 4) if name == "default" else SPACES[name](shape, 4, **SMALL[name])  # type: ignore[call-arg]
    return Networks(space, input_shape=shape, seed=1)


@pytest.mark.parametrize("operator", sorted(operators.OPERATORS))
@pytest.mark.parametrize("count", [8, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_each_operator_keeps_the_function(operator: str, count: int) -> None:
    """Of random networks in float64, outputs differ by 1e-6 at most (T15); those of a new child by far more."""
    worst, fresh, spreads = 0.0, [], []
    for seed in range(count):
        networks, (small, large) = operators.random_pair(operator, seed)
        parent = operators.trained_like(networks.make(small).model, networks.input_shape, seed)
        made = morph(networks, small, parent.state_dict(), large, seed=seed)
        assert made[1].is_preserved, f"{operator} {seed}: {made[1]}"
        worst = max(worst, differences(networks, parent, made, large))
        new = {name: t.double() for name, t in networks.make(large).model.state_dict().items()}
        fresh.append(differences(networks, parent, (new, made[1]), large))
        with torch.no_grad():
            spreads.append(float(parent(operators.examples(networks.input_shape)).std(0).max()))
    assert worst <= 1e-6
    assert np.median(fresh) > 0.1
    assert np.median(spreads) > 0.01, "the outputs of the networks hardly depend on their inputs"


@pytest.mark.parametrize("name", sorted(SMALL))
@pytest.mark.parametrize("count", [3, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_shipped_spaces(name: str, count: int) -> None:
    """What is said to be kept is kept; a twin is; and every pair of neighbours gets weights that load."""
    networks, rng, kept = shipped(name), np.random.default_rng(2), 0
    for parent, child in neighbours(networks, rng, count):
        model = operators.trained_like(networks.make(parent).model, networks.input_shape)
        made = morph(networks, parent, model.state_dict(), child)
        difference = differences(networks, model, made, child)
        if made[1].is_preserved:
            kept += 1
            assert difference <= 1e-6, f"{made[1].decisions}\n{made[1]}"
        if parent == child:
            assert made[1].is_preserved
            assert made[1].share == 1.0
    assert kept >= count


@pytest.mark.parametrize("name", sorted(SMALL))
@pytest.mark.parametrize("count", [1, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_any_two_architectures_of_shipped_spaces(name: str, count: int) -> None:
    """However unlike they are, there are weights for the second, which run; and the report knows that much is lost."""
    networks, rng, made = shipped(name), np.random.default_rng(7), 0
    while made < count:
        pair = [networks.space.sample(rng) for _ in range(2)]
        try:
            parent, child = (networks.make(architecture).model for architecture in pair)
        except BuildError:
            continue
        weights, found = morph(networks, pair[0], parent.state_dict(), pair[1])
        child.load_state_dict(weights)
        assert bool(child.eval()(operators.examples(networks.input_shape).float()).isfinite().all())
        assert 0 <= found.share <= 1
        made += 1


def test_channels_of_nothing() -> None:
    """Where none of the parent's channels has come through, a layer that reads some is told so."""
    nothing = Channels.made(np.full(3, -1), 0)
    assert nothing.at(0, 3, "new") is nothing
    with pytest.raises(Lost, match="none of the parent's channels is here"):
        nothing.at(4, 3, "new")


def neighbours(networks: Networks, rng: np.random.Generator, count: int) -> Iterator[tuple[Architecture, Architecture]]:
    """Random architectures, each with itself and three neighbours."""
    for _ in range(count):
        while True:
            parent = networks.space.sample(rng)
            try:
                networks.make(parent)
            except BuildError:
                continue
            break
        yield parent, parent
        near = list(networks.space.neighbours(parent))
        for place in rng.permutation(len(near))[:3]:
            try:
                networks.make(near[place])
            except BuildError:
                continue
            yield parent, near[place]


@pytest.mark.parametrize("operator", ["widen", "deepen", "heads", "expansion", "skip", "branch"])
def test_what_is_new_learns(operator: str) -> None:
    """After one step of training no new unit is without gradient, and no two are twins."""
    for seed in range(4):
        networks, (small, large) = operators.random_pair(operator, seed)
        parent = operators.trained_like(networks.make(small).model, networks.input_shape, seed)
        weights, _ = morph(networks, small, parent.state_dict(), large, seed=seed)
        model = networks.make(large).model.double()
        model.load_state_dict(weights)
        moved = {name: torch.zeros_like(values, dtype=torch.bool) for name, values in model.named_parameters()}
        x = operators.examples(networks.input_shape, 8, seed)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for _ in range(3):
            optimizer.zero_grad()
            (model(x) - torch.linspace(-1, 1, 4, dtype=torch.float64)).square().mean().backward()
            for name, values in model.named_parameters():
                moved[name] |= values.grad != 0
            optimizer.step()
        for name, values in moved.items():
            if values.dim() > 1 and "reduce" not in name:  # the few units of a gate may all be dead from the start
                rows = values.flatten(1).any(1)
                assert rows.float().mean() > 0.4, f"{operator} {seed}: {name} does not learn"
        matrices = [v.detach().flatten(1) for v in model.parameters() if v.dim() > 1 and v[0].numel() > 2]
        for rows in matrices:
            assert torch.cdist(rows, rows).add(torch.eye(len(rows))).min() > 1e-12, f"{operator} {seed}: twins"


def test_copies_become_different() -> None:
    """Where a norm needs copies, one step of training makes them differ."""
    width = choice("width", [4, 8])
    space = SearchSpace(nn.seq(nn.conv(width), nn.layer_norm(), nn.relu(), nn.global_pool(), nn.linear(3)))
    networks = Networks(space, input_shape=(2, 5, 5))
    small, large = (space.architecture({"width": value}) for value in (4, 8))
    parent = operators.trained_like(networks.make(small).model, (2, 5, 5))
    weights, found = morph(networks, small, parent.state_dict(), large)
    assert (found.fill, found.is_preserved) == ("copies", True)
    assert differences(networks, parent, (weights, found), large) <= 1e-6
    model = networks.make(large).model.double()
    model.load_state_dict(weights)
    assert torch.equal(model.conv.weight[0], model.conv.weight[1])
    model(operators.examples((2, 5, 5))).square().sum().backward()
    assert not torch.allclose(model.conv.weight.grad[0], model.conv.weight.grad[1])


def test_statistics_of_norms_are_carried() -> None:
    """Channels of the parent keep their mean and variance; new ones begin with 0 and 1."""
    width = choice("width", [4, 6])
    space = SearchSpace(nn.seq(nn.conv_norm_act(width), nn.global_pool(), nn.linear(3)))
    networks = Networks(space, input_shape=(2, 5, 5))
    small, large = (space.architecture({"width": value}) for value in (4, 6))
    parent = operators.trained_like(networks.make(small).model, (2, 5, 5)).state_dict()
    weights, _ = morph(networks, small, parent, large)
    means = [name for name in parent if name.endswith("running_mean")]
    assert weights[means[0]].tolist() == [*parent[means[0]][:2], 0.0, *parent[means[0]][2:], 0.0]
    variances = means[0].replace("mean", "var")
    assert weights[variances].tolist() == [*parent[variances][:2], 1.0, *parent[variances][2:], 1.0]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"activation": "silu"}, "another activation"),
        ({"pool": "max"}, "it computes something else"),
        ({"kind": "pool"}, "Conv2d was there"),
        ({"width": 3}, "it is narrower"),
        ({"kernel": 1}, "it sees less"),
        ({"depth": 1}, "what it did is gone"),
    ],
)
def test_what_cannot_be_kept_is_told(change: dict[str, object], why: str) -> None:
    """Another activation, pooling or operation, and all that gets smaller; the rest is inherited all the same."""
    activation, kind = choice("activation", ["relu", "silu"]), choice("kind", ["conv", "pool"])
    operation = nn.one_of(kind, {"conv": nn.conv(6), "pool": nn.max_pool(3, 1)})
    space = SearchSpace(
        nn.seq(
            nn.conv_norm_act(choice("width", [3, 6]), choice("kernel", [1, 3]), activation=activation),
            nn.repeat("depth", lambda i: nn.conv_norm_act(6), 1, 2),
            operation,
            nn.global_pool(choice("pool", ["avg", "max"])),
            nn.linear(3),
        )
    )
    networks = Networks(space, input_shape=(2, 5, 5))
    base = {"activation": "relu", "kind": "conv", "width": 6, "kernel": 3, "depth": 2, "pool": "avg"}
    small, large = space.architecture(base), space.architecture({**base, **change})  # type: ignore[dict-item]
    parent = operators.trained_like(networks.make(small).model, (2, 5, 5))
    weights, found = morph(networks, small, parent.state_dict(), large)
    assert not found.is_preserved
    assert any(why in line.why_not for line in found.lost), str(found)
    assert "NOT kept" in str(found)
    assert found.share > 0.2
    assert differences(networks, parent, (weights, found), large) > 1e-4


def test_channels_are_followed_behind_a_concatenation() -> None:
    """A wider first branch moves the channels of the second: each reader finds its own."""
    first = choice("first", [2, 5])
    space = SearchSpace(
        nn.seq(nn.concat(nn.conv(first), nn.conv(3)), nn.relu(), nn.conv(4), nn.flatten(), nn.linear(3))
    )
    networks = Networks(space, input_shape=(2, 4, 4))
    small, large = (space.architecture({"first": value}) for value in (2, 5))
    parent = operators.trained_like(networks.make(small).model, (2, 4, 4))
    made = morph(networks, small, parent.state_dict(), large)
    assert made[1].is_preserved
    assert differences(networks, parent, made, large) <= 1e-6


class Scale(torch.nn.Module):
    """An operation of one's own."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.rand(channels, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight


def test_operations_of_ones_own() -> None:
    """Copied where shapes agree; where they do not, new, and the function is not said to be kept."""
    width, last = choice("width", [4, 6]), choice("last", [3, 5])
    space = SearchSpace(
        nn.seq(nn.conv(width), nn.op(Scale, input_size="channels"), nn.conv(last), nn.global_pool(), nn.linear(2))
    )
    networks = Networks(space, input_shape=(2, 4, 4))
    base = space.architecture({"width": 4, "last": 3})
    parent = operators.trained_like(networks.make(base).model, (2, 4, 4))
    later = morph(networks, base, parent.state_dict(), child := space.architecture({"width": 4, "last": 5}))
    assert later[1].is_preserved
    assert differences(networks, parent, later, child) <= 1e-6
    weights, found = morph(networks, base, parent.state_dict(), space.architecture({"width": 6, "last": 3}))
    assert [change.why_not for change in found.lost] == ["what it does is not known"]
    assert weights["scale.weight"].shape == (6, 1, 1)


def test_weights_that_cannot_be_inherited() -> None:
    """Those of another space, of another dtype, and those that are not finite, are refused with a cure."""
    space = SearchSpace(nn.seq(nn.linear(choice("width", [4, 8])), nn.relu(), nn.linear(2)))
    networks = Networks(space, input_shape=(3,))
    small, large = (space.architecture({"width": width}) for width in (4, 8))
    good = networks.make(small).model.state_dict()
    first = next(iter(good))
    with pytest.raises(SpaceError, match=r"of shape \(4, 3\)"):
        morph(networks, small, {**good, first: torch.zeros(5, 3)}, large)
    with pytest.raises(SpaceError, match="got 'nothing'"):
        morph(networks, small, {}, large)
    with pytest.raises(SpaceError, match=r"hold other\.weight"):
        morph(networks, small, {**good, "other.weight": torch.zeros(1)}, large)
    with pytest.raises(UsageError, match="got 'float16'"):
        morph(networks, small, {k: v.half() for k, v in good.items()}, large)
    with pytest.raises(UsageError, match="finite"):
        morph(networks, small, {**good, first: torch.full((4, 3), torch.nan)}, large)
    with pytest.raises(UsageError, match="noise must be >= 0"):
        morph(networks, small, good, large, noise=-1.0)


def test_the_seed_decides() -> None:
    """The same parent and seed give the same bits; noise is added where it is asked for."""
    networks, (small, large) = operators.random_pair("heads", 4)
    parent = networks.make(small).model.state_dict()
    one, two = (morph(networks, small, parent, large, seed=5)[0] for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    noisy = morph(networks, small, parent, large, seed=5, noise=0.01)[0]
    moved = [float((noisy[name] - one[name]).abs().max()) for name in one]
    assert 0 < max(moved) < 0.2


def test_an_inserted_norm_has_the_statistics_that_it_will_see() -> None:
    """So the first steps of a training change the function little, though they normalise by the batch."""
    space = SearchSpace(
        nn.seq(
            nn.conv_norm_act(6), nn.repeat("depth", lambda i: nn.conv_norm_act(6), 0, 1), nn.global_pool(), nn.linear(3)
        )
    )
    networks = Networks(space, input_shape=(2, 12, 12))
    small, large = (space.architecture({"depth": depth}) for depth in (0, 1))
    parent = operators.trained_like(networks.make(small).model, (2, 12, 12))
    made = morph(networks, small, parent.state_dict(), large)
    assert made[1].is_preserved
    assert differences(networks, parent, made, large) <= 1e-6
    child = networks.make(large).model.double()
    child.load_state_dict(made[0])
    x = operators.examples((2, 12, 12), 64, seed=3)
    norms = [module for module in child.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    before = norms[1].running_mean.clone(), norms[1].running_var.clone()
    norms[1].momentum = None
    norms[1].reset_running_stats()
    child.train()
    with torch.no_grad():
        moved = float((child(x) - parent.train()(x)).abs().max())
    assert torch.allclose(norms[1].running_mean, before[0], atol=0.05)
    assert torch.allclose(norms[1].running_var, before[1], rtol=0.15)
    assert moved < 0.1
