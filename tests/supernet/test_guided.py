"""Samplers that prefer some subnets: the space that opens, and the better of equally large networks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from netwright import nn
from netwright.errors import UsageError
from netwright.nn.networks import Networks
from netwright.space import SearchSpace, choice, integer
from netwright.supernet.guided import STAGES, BestUp, LargestFirst, Progressive, ordered_values
from netwright.supernet.sampling import ends


def networks() -> Networks:
    """Width, kernel, depth, a stride that makes networks smaller, and choices of what is no number or no size."""
    width = choice("width", [4, 8, 16])
    kinds = {"conv": nn.conv_norm_act(width, choice("kernel", [1, 3, 5])), "pool": nn.max_pool(3, stride=1)}
    deep = nn.repeat(integer("depth", 1, 3), lambda i: nn.one_of(f"kind{i}", kinds))
    stem = nn.conv_norm_act(width, stride=choice("stride", [1, 2]), activation=choice("activation", ["relu", "silu"]))
    return Networks(SearchSpace(nn.seq(stem, deep, nn.flatten(), nn.linear(4))), input_shape=(1, 8, 8))


def test_values_are_ordered_by_the_size_of_their_networks() -> None:
    """A stride of one is the larger network; what is no number, or changes no size, is left out."""
    found = networks()
    order = ordered_values(found, ends(found)[0])
    assert order == {"width": (16, 8, 4), "kernel": (5, 3, 1), "depth": (3, 2, 1), "stride": (1, 2)}


def test_the_space_opens_as_the_training_goes_on() -> None:
    """First the largest values only, at the end all; a draw is a function of seed and step."""
    progressive = Progressive(networks(), total=100)
    drawn = [progressive(step) for step in range(100)]
    assert all(len(step) == 3 and step[0] == progressive.largest for step in drawn)
    assert {a["width"] for step in drawn[:12] for a in step} == {16}
    assert {a["width"] for step in drawn[60:] for a in step[1:]} == {4, 8, 16}
    assert {a.get("kernel") for step in drawn[:12] for a in step} <= {5, None}
    assert [progressive.stage(step) for step in (0, 49, 50, 99)] == [0, STAGES - 1, STAGES - 1, STAGES - 1]
    assert progressive.planned(5, total=10) != progressive.planned(5, total=100)
    assert progressive.stage(5, total=10) == STAGES - 1
    again = Progressive(networks(), total=100)
    assert [again(step) for step in reversed(range(100))][::-1] == drawn
    assert [space.count() for space in progressive.stages] == sorted(space.count() for space in progressive.stages)


def test_a_long_range_opens_by_a_bound() -> None:
    """Not by a constraint for each of its numbers, which would take ages; whichever end is the larger network."""
    wide, stride = integer("width", 4, 102), integer("stride", 1, 3)
    root = nn.seq(nn.conv(wide, stride=stride), nn.flatten(), nn.linear(2))
    progressive = Progressive(Networks(SearchSpace(root), input_shape=(1, 8, 8)), total=40)
    assert [len(space.constraints) for space in progressive.stages] == [2, 2, 2, 0]
    assert {(a["width"], a["stride"]) for step in range(5) for a in progressive(step)} == {(102, 1)}
    second = [a for step in range(5, 10) for a in progressive(step)]
    assert 69 <= min(a["width"] for a in second) < 102  # a third of the rest
    assert {a["stride"] for a in second} == {1, 2}


def test_the_largest_comes_first_and_a_sandwich_follows() -> None:
    """Alone for its part of the steps as planned by now; then with two random networks and the smallest."""
    sampler = LargestFirst(networks(), total=100)
    assert [len(sampler(step)) for step in range(100)] == [1] * 40 + [4] * 60
    assert all(sampler(step)[0] == sampler.largest for step in range(100))
    assert sampler(50)[-1] == ends(networks())[1]
    assert len(sampler.planned(30, total=50)) == 4
    again = LargestFirst(networks(), total=100)
    assert [again(step) for step in (99, 41)] == [sampler(99), sampler(41)]


def test_the_best_of_a_size_is_taken() -> None:
    """Asked which is better it follows; every quarter of the range of sizes is drawn from."""
    found = networks()
    asked: list[object] = []

    def judge(architecture: object) -> float:
        asked.append(architecture)
        return -float(len(asked))  # the one that is asked last is the best

    sampler = BestUp(found, seed=3)
    chosen = sampler.judged(5, judge)
    assert (chosen[0], chosen[-1]) == (sampler.largest, sampler.smallest)
    assert list(chosen[1:3]) == [asked[2], asked[5]]
    assert sampler.judged(5, lambda a: 0.0) == sampler(5)

    low, high = (math.log(found.profile(a).macs) for a in (sampler.smallest, sampler.largest))
    drawn = [math.log(found.profile(a).macs) for step in range(60) for a in sampler(step)[1:3]]
    quarters = np.histogram(drawn, bins=4, range=(low, high))[0] / len(drawn)
    assert (quarters > 0.15).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda n: Progressive(n, 0), "total must be >= 1, got 0"),
        (lambda n: Progressive(n, 9, num_random=0), "num_random must be >= 1, got 0"),
        (lambda n: LargestFirst(n, 0), "total must be >= 1, got 0"),
        (lambda n: LargestFirst(n, 9, num_random=-1), "num_random must be >= 0, got -1"),
        (lambda n: BestUp(n, num_random=-1), "num_random must be >= 0, got -1"),
        (lambda n: BestUp(n, num_judged=0), "num_judged must be >= 1, got 0"),
    ],
)
def test_what_cannot_be_is_refused(make, message: str) -> None:  # type: ignore[no-untyped-def]
    """The error says what is allowed."""
    with pytest.raises(UsageError, match=message):
        make(networks())
