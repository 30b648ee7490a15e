"""Choices that change an extent: named where they stand, and kept apart by a search that nobody told of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from netwright import nn
from netwright.errors import SpaceError
from netwright.evaluation.differentiable_job import Derived, DifferentiableJob
from netwright.evaluation.trainer import TrainingEvaluator
from netwright.space import Node, SearchSpace, choice
from netwright.supernet.differentiable import Mixing, RelaxedNetwork
from netwright.supernet.differentiable.soft import ExtentError
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Architecture, Fidelity


def halving() -> SearchSpace:
    """A stride, and a choice between operations of which one halves the image."""
    width = choice("width", [4, 8])
    kinds = {"keeps": nn.conv_norm_act(width), "halves": nn.conv_norm_act(width, stride=2)}
    stem = nn.conv_norm_act(width, choice("kernel", [1, 3]), stride=choice("stride", [1, 2]))
    return SearchSpace(nn.seq(stem, nn.one_of("kind", kinds), nn.global_pool(), nn.linear(2)))


@pytest.mark.parametrize(
    ("part", "names"),
    [
        (nn.conv(choice("w", [2, 4]), choice("k", [1, 3]), stride=choice("s", [1, 2])), ("s",)),
        (nn.one_of("op", {"a": nn.conv(4), "b": nn.conv(4, stride=2)}), ("op",)),
        (nn.repeat("depth", lambda i: nn.conv(4, stride=2), 0, 2), ("depth",)),
    ],
)
def test_the_choice_is_named(part: Node, names: tuple[str, ...]) -> None:
    """The one that changes the extent, none that changes the channels; with apart it is searched."""
    space = SearchSpace(nn.seq(nn.conv(4), part, nn.global_pool(), nn.linear(2)))
    with pytest.raises(ExtentError, match=rf"name the choice in apart=\('{names[0]}',\)") as caught:
        RelaxedNetwork(space, input_shape=(3, 8, 8))
    assert caught.value.names == names
    network = RelaxedNetwork(space, input_shape=(3, 8, 8), apart=names)
    mix = Mixing({name: torch.full((len(own),), 1 / len(own)) for name, own in network.universe.values.items()})
    assert network(torch.rand(2, 3, 8, 8), mix).shape == (2, 2)


def test_a_search_keeps_apart_what_it_has_to(tmp_path: Path) -> None:
    """In a space of one's own, as on the command line; it says which choices these are."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 255, (80, 8, 8, 1)).astype(np.uint8)
    task = ImageClassification.from_arrays((x, np.arange(80) % 2), layout="HWC")
    path = tmp_path / "differentiable.json"
    job = DifferentiableJob(
        TrainingEvaluator(task, halving(), work_dir=tmp_path), halving(), "gdas", path=path, budget_s=None
    )
    job(Architecture({}), fidelity=Fidelity(), seed=0)
    found = Derived.read(path)
    assert all(halving().contains(architecture) for architecture in found.architectures)
    (told,) = (remark for remark in found.remarks if "changes the extent" in remark)
    assert told.startswith("'stride', 'kind': changes the extent")


def test_what_cannot_be_kept_apart_is_refused_in_one_class(tmp_path: Path) -> None:
    """Too many values together: an error of the space, as it is told to a person."""
    x = np.random.default_rng(0).integers(0, 255, (80, 8, 8, 1)).astype(np.uint8)
    task = ImageClassification.from_arrays((x, np.arange(80) % 2), layout="HWC")
    strides = [nn.conv(2, stride=choice(f"s{i}", [1, 2])) for i in range(5)]
    space = SearchSpace(nn.seq(*strides, nn.global_pool(), nn.linear(2)))
    evaluator = TrainingEvaluator(task, space, work_dir=tmp_path)
    job = DifferentiableJob(evaluator, space, "darts", path=tmp_path / "found.json", budget_s=None)
    with pytest.raises(SpaceError, match=r"combinations of apart=.* must be <= 16") as caught:
        job(Architecture({}), fidelity=Fidelity(), seed=0)
    assert type(caught.value) is SpaceError


def test_members_of_an_ensemble_that_are_more_or_fewer_are_refused() -> None:
    """While a network learns it gives what each member says, of which there are not as many in all networks."""
    count = choice("count", [1, 2])
    space = SearchSpace(nn.seq(nn.linear(4), nn.members(count), nn.member_linear(3), nn.combine_members()))
    network = RelaxedNetwork(space, input_shape=(5,), apart=("count",)).train()
    with pytest.raises(SpaceError, match=r"networks of different output shapes, \(6, 1, 3\) and \(6, 2, 3\)"):
        network(torch.rand(6, 5), Mixing({"count": torch.tensor([0.5, 0.5])}))
