"""The networks that lie within one: which choices stay, which may be smaller, that all are slices of its weights."""

from __future__ import annotations

import numpy as np
import pytest

from netwright import nn
from netwright.errors import SpaceError
from netwright.nn import spaces
from netwright.nn.networks import Networks
from netwright.space import SearchSpace, choice, flag, integer, real
from netwright.supernet import Supernet
from netwright.supernet.family import num_within, within
from netwright.supernet.sampling import ends
from netwright.types import Architecture

SHAPE = (1, 8, 8)


def elastic(training: dict[str, object] | None = None) -> SearchSpace:
    """Width, kernel, depth, groups, a stride, kinds of operations, a part that may be left out."""
    width = choice("width", [4, 8, 16])
    kinds = {
        "conv": nn.conv_norm_act(width, choice("kernel", [1, 3, 5])),
        "grouped": nn.conv(width, 3, groups=choice("groups", [1, 2, 4])),
    }
    deep = nn.repeat(integer("depth", 1, 3), lambda i: nn.one_of("kind", kinds))
    stem = nn.conv_norm_act(width, stride=choice("stride", [1, 2]), activation=choice("activation", ["relu", "silu"]))
    gate = nn.optional(flag("gate"), nn.squeeze_excite(2))
    return SearchSpace(nn.seq(stem, deep, gate, nn.flatten(), nn.linear(4)), training=training)  # type: ignore[arg-type]


def family(space: SearchSpace, **decisions: object) -> tuple[SearchSpace, Architecture]:
    """What lies within a network."""
    largest = space.architecture(decisions, drop_inactive=True)  # type: ignore[arg-type]
    return within(Networks(space, input_shape=SHAPE), largest), largest


MIDDLE = {"width": 8, "kind": "conv", "kernel": 3, "depth": 2, "stride": 1, "activation": "silu", "gate": True}


def values(space: SearchSpace, name: str) -> set[object]:
    """Those that a choice has in any architecture."""
    return {a[name] for a in space.enumerate() if name in a}


def test_sizes_may_be_smaller_and_kinds_stay() -> None:
    """Everything that makes it larger is left out; its own values are there, and it is the largest."""
    found, largest = family(elastic(), **MIDDLE)
    assert values(found, "width") == {4, 8}
    assert values(found, "kernel") == {1, 3}
    assert values(found, "depth") == {1, 2}
    assert values(found, "stride") == {1, 2}  # a larger stride makes smaller networks
    assert values(found, "gate") == {False, True}
    assert values(found, "kind") == {"conv"}
    assert values(found, "activation") == {"silu"}
    assert found.contains(largest)
    assert found.count() == 2 * 2 * 2 * 2 * 2
    assert ends(Networks(found, input_shape=SHAPE))[0] == largest


def test_what_is_larger_by_a_smaller_number_and_what_is_not_there_stay_out() -> None:
    """Fewer groups and a smaller stride cost more; what the largest leaves out no other has."""
    found, _ = family(elastic(), **{**MIDDLE, "kind": "grouped", "groups": 2, "stride": 2, "gate": False})
    assert values(found, "groups") == {2, 4}
    assert values(found, "stride") == {2}
    assert values(found, "gate") == {False}
    assert values(found, "kind") == {"grouped"}


def test_weights_are_those_of_the_largest() -> None:
    """The supernet of the family has no tensor but the largest network's, in its shapes."""
    found, largest = family(elastic(), **MIDDLE)
    supernet = Supernet(found, input_shape=SHAPE)
    shared = sorted(tuple(tensor.shape) for tensor in supernet.parameters())
    own = supernet.extract(largest)
    assert shared == sorted(tuple(tensor.shape) for tensor in own.parameters())


def test_choices_of_the_training_stay_free() -> None:
    """They make no network larger or smaller."""
    space = elastic({"learning_rate": choice("rate", [0.1, 0.2])})
    found, _ = family(space, **MIDDLE, rate=0.1)
    assert values(found, "rate") == {0.1, 0.2}


def test_what_differs_in_its_training_alone_is_counted_once() -> None:
    """So is what differs in a real number; what training and network both read is a size."""
    rates = {"learning_rate": choice("rate", [0.1, 0.2, 0.3]), "weight_decay": real("decay", 0.0, 0.1)}
    found, largest = family(elastic(rates), **MIDDLE, rate=0.1, decay=0.01)
    assert num_within(found, largest) == family(elastic(), **MIDDLE)[0].count()
    width = choice("width", [4, 8, 16])
    both = SearchSpace(nn.seq(nn.flatten(), nn.linear(width), nn.relu(), nn.linear(2)), training={"rate": 0.8 / width})
    assert values(family(both, width=8)[0], "width") == {4, 8}


def test_numbers_that_change_no_size_stay() -> None:
    """So that the one is the only largest network."""
    conv = nn.conv(choice("width", [4, 8]), 3, dilation=choice("dilation", [1, 2]))
    found, largest = family(SearchSpace(nn.seq(conv, nn.flatten(), nn.linear(4))), width=8, dilation=2)
    assert values(found, "dilation") == {2}
    assert values(found, "width") == {4, 8}
    assert ends(Networks(found, input_shape=SHAPE))[0] == largest


def test_a_space_of_operations_alone_holds_one_network() -> None:
    """Nothing of a cell of operations can be sliced."""
    space = spaces.nas_bench_201((3, 16, 16), 10)
    largest = space.sample(np.random.default_rng(0))
    assert list(within(Networks(space, input_shape=(3, 16, 16)), largest).enumerate()) == [largest]


def test_a_network_of_another_space_is_refused() -> None:
    """The message says what is wrong with it."""
    networks = Networks(elastic(), input_shape=SHAPE)
    with pytest.raises(SpaceError, match=r"largest: .*give an architecture of this space"):
        within(networks, Architecture({"width": 5}))
