"""Layers behind a concatenation whose channels move: found in any space that has them, and in no other."""

from __future__ import annotations

import numpy as np
import pytest

from netwright import nn
from netwright.nn.networks import Networks
from netwright.nn.spaces import SPACES
from netwright.space import Node, SearchSpace, choice, equal
from netwright.supernet import Supernet
from netwright.supernet.moved import moved_layers, remark_on


def found(*parts: Node) -> tuple[str, ...]:
    """What moves in a space of images, all of whose networks are looked at."""
    networks = Networks(SearchSpace(nn.seq(*parts)), input_shape=(2, 8, 8))
    return moved_layers(networks, networks.space.enumerate())


def elastic(name: str) -> Node:
    return nn.conv(choice(name, [2, 4]), 1)


def test_channels_move_behind_a_branch_of_another_width() -> None:
    """Norms, what is depthwise, and the next layer that mixes channels see it; a layer after that does not."""
    both = nn.concat(elastic("a"), elastic("b"))
    after = (nn.batch_norm(), nn.depthwise_conv(3), nn.conv(3), nn.conv(4))
    assert found(both, *after) == ("net.1:norm", "net.2:conv", "net.3:conv")
    assert found(both, nn.flatten(), nn.linear(3)) == ("net.2:linear",)
    assert found(nn.concat(elastic("a"), nn.conv(2)), nn.residual(nn.conv(3))) == ("net.1.0:conv", "net.1:shortcut")


def test_channels_that_stay_are_not_told() -> None:
    """Where the last branch alone is elastic, where all are of one width, and where nothing is concatenated."""
    assert found(nn.concat(nn.conv(2), elastic("b")), nn.conv(3)) == ()
    assert found(nn.concat(nn.conv(2), nn.conv(2, choice("kernel", [1, 3]))), nn.conv(3)) == ()
    assert found(elastic("a"), nn.add(nn.conv(3), nn.conv(3)), nn.conv(3)) == ()


def test_cells_are_followed_by_their_nodes() -> None:
    """A node that is not there moves those after it; in a chain of cells, too."""
    there = equal(choice("there", [False, True]), True)
    nodes = [nn.cell_node(nn.edge(0, nn.conv(2)), present=there), nn.cell_node(nn.edge(0, nn.conv(2)))]
    assert found(nn.cell(*nodes, output="concat"), nn.conv(3)) == ("net.1:conv",)


@pytest.mark.parametrize(
    ("name", "moves"),
    [("darts", False), ("nas_bench_201", False), ("nas_bench_101", True), ("free_form", True)],
)
def test_shipped_spaces(name: str, moves: bool) -> None:
    """Two of them have concatenations that are not the same in all networks."""
    networks = Networks(SPACES[name]((3, 8, 8), 4), input_shape=(3, 8, 8))
    rng = np.random.default_rng(0)
    places = moved_layers(networks, [networks.space.sample(rng) for _ in range(24)])
    assert bool(places) == moves


def test_a_supernet_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """Once, in a sentence with the first of the layers; one whose channels stay says nothing."""
    space = SearchSpace(nn.seq(nn.concat(elastic("a"), elastic("b")), nn.conv(3), nn.global_pool(), nn.linear(2)))
    supernet = Supernet(space, input_shape=(2, 4, 4))
    assert supernet.remark == remark_on(("net.1:conv",))
    assert "1 layer reads a concatenation whose channels move with the width of a branch" in caplog.text
    assert Supernet(SearchSpace(nn.seq(elastic("a"), nn.conv(3))), input_shape=(2, 4, 4)).remark == ""
    assert remark_on(("a", "b")).startswith("2 layers read a concatenation")
