"""Shared weights are trained for the networks that a search may propose."""

from __future__ import annotations

from netwright import nn
from netwright.nn.networks import Networks
from netwright.space import SearchSpace, choice
from netwright.supernet import Uniform


def networks(space: SearchSpace) -> Networks:
    return Networks(space, input_shape=(3,))


def space() -> SearchSpace:
    return SearchSpace(nn.seq(nn.linear(choice("width", list(range(1, 9)))), nn.relu(), nn.linear(2)))


def test_uniform_sampling_passes_over_networks_that_are_not_admitted() -> None:
    """All that are admitted are drawn; a step draws the same again."""
    small = space().limited(lambda architecture: architecture["width"] <= 3)
    sampler = Uniform(networks(small), seed=0)
    drawn = [sampler(step)[0] for step in range(60)]
    assert {architecture["width"] for architecture in drawn} == {1, 2, 3}
    assert drawn == [sampler(step)[0] for step in range(60)]


def test_a_space_that_admits_nothing_is_sampled_all_the_same() -> None:
    """So that a training ends; what is over a limit is told elsewhere."""
    nothing = Uniform(networks(space().limited(lambda architecture: False)), seed=0)
    assert len({nothing(step)[0] for step in range(30)}) > 1


def test_without_limits_the_draws_are_those_of_before() -> None:
    """A training that was begun goes on with the same networks."""
    sampler = Uniform(networks(space()), seed=1)
    assert [sampler(step)[0]["width"] for step in range(8)] == [7, 7, 4, 5, 7, 3, 3, 5]
