"""What a child takes over from its parent: the same layers in other sizes, never another layer's weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from netwright import nn
from netwright.inheritance import inherit
from netwright.nn.networks import Networks
from netwright.nn.places import Place
from netwright.space import SearchSpace, choice, integer
from netwright.types import Architecture


@pytest.fixture
def networks() -> Networks:
    width, kinds = choice("width", [4, 8]), {"conv": nn.conv_norm_act(8), "deep": nn.depthwise_conv(5)}
    deep = nn.repeat(integer("depth", 1, 3), lambda i: nn.one_of(f"kind{i}", kinds))
    root = nn.seq(nn.conv_norm_act(8, choice("kernel", [3, 5])), deep, nn.conv(width), nn.global_pool(), nn.linear(3))
    return Networks(SearchSpace(root), input_shape=(1, 8, 8))


def arch(networks: Networks, **decisions: object) -> Architecture:
    """An architecture, small unless said."""
    kinds = {f"kind{i}": "conv" for i in range(int(str(decisions.get("depth", 1))))}
    return networks.space.architecture({"width": 4, "kernel": 3, "depth": 1, **kinds, **decisions})  # type: ignore[dict-item]


def test_a_twin_takes_over_everything(networks: Networks) -> None:
    """The same architecture gives the same outputs."""
    one, two = (
        networks.make(arch(networks)),
        Networks(networks.space, input_shape=(1, 8, 8), seed=5).make(arch(networks)),
    )
    x = torch.rand(3, 1, 8, 8)
    one.model.eval(), two.model.eval()
    assert not torch.equal(one.model(x), two.model(x))
    assert inherit(two.weights(), one.weights()).share == 1.0
    assert torch.equal(one.model(x), two.model(x))


def test_a_larger_child_holds_its_parent(networks: Networks) -> None:
    """Width, kernel, depth: what the parent has is a part of the child, and taking it back gives the parent again."""
    parent = networks.make(arch(networks))
    child = networks.make(arch(networks, width=8, kernel=5, depth=3))
    found = inherit(child.weights(), parent.weights())
    assert 0.05 < found.share < 0.9
    assert {place.layer.split(":")[0] for place in found.new} == {"net.1.1.'conv'", "net.1.2.'conv'"}
    again = Networks(networks.space, input_shape=(1, 8, 8), seed=9).make(arch(networks))
    assert inherit(again.weights(), child.weights()).share == 1.0
    assert all(torch.equal(again.weights()[place], tensor) for place, tensor in parent.weights().items())


def test_another_operation_starts_anew(networks: Networks) -> None:
    """A branch of another kind has other weights, though it stands where the first one stood."""
    parent, child = networks.make(arch(networks)), networks.make(arch(networks, kind0="deep"))
    before = {place: tensor.detach().clone() for place, tensor in child.weights().items()}
    found = inherit(child.weights(), parent.weights())
    assert {place.kind for place in found.new} == {"Conv2d"}
    assert all(torch.equal(before[place], child.weights()[place]) for place in found.new)


def test_any_two_architectures_have_a_common_part(networks: Networks) -> None:
    """Of random pairs: the child's common part is the parent's, whichever is larger."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        parent, child = (networks.make(networks.space.sample(rng)) for _ in range(2))
        inherit(child.weights(), parent.weights())
        for place, mine in child.weights().items():
            theirs = parent.weights().get(place)
            if theirs is not None and mine.shape == theirs.shape:
                assert torch.equal(mine, theirs)


def test_layers_of_other_dimensions_are_left_alone() -> None:
    """A tensor of other dimensions or another dtype is no part of it."""
    place = Place("a", "Linear", "weight")
    child = {place: torch.zeros(2, 2)}
    assert inherit(child, {place: torch.ones(2)}).share == 0
    assert inherit(child, {place: torch.ones(2, 2, dtype=torch.float64)}).new == (place,)
    assert inherit({}, {}).share == 0
