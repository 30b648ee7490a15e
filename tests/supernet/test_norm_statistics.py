"""Statistics of norms belong to one network: measured twice the same, in any order, and not those of another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from netwright import nn
from netwright.evaluation import Recipe
from netwright.evaluation.batches import Batches, Images
from netwright.evaluation.supernet_evaluator import SupernetEvaluator, supernet_of
from netwright.evaluation.supernet_training import train_supernet
from netwright.evaluation.training import recalibrate
from netwright.space import SearchSpace, choice, integer
from netwright.supernet import Sandwich, Supernet
from netwright.tasks.augmentation import Augmentation
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Architecture, Fidelity

SMALL = Architecture({"width": 4, "depth": 2, "kernel": 1})
LARGE = Architecture({"width": 8, "depth": 2, "kernel": 3})


@pytest.fixture(scope="module")
def task(bright_rows: tuple[np.ndarray, np.ndarray]) -> ImageClassification:
    return ImageClassification.from_arrays(bright_rows, layout="HWC")


@pytest.fixture(scope="module")
def supernet(task: ImageClassification) -> Supernet:
    width = choice("width", [4, 8])
    deep = nn.repeat(integer("depth", 1, 2), lambda i: nn.conv_norm_act(width, choice("kernel", [1, 3])))
    space = SearchSpace(nn.seq(nn.conv_norm_act(width, stride=2), deep, nn.flatten(), nn.linear(4)))
    made = supernet_of(task, space)
    train_supernet(made, batches(task), Recipe(), Sandwich(made.networks), epochs=2.0)
    return made


def batches(task: ImageClassification) -> Batches:
    images = Images(*task.train(), task.scale)
    return Batches(images, batch_size=32, shards=2, augmentation=Augmentation(1, False), seed=0)


def measured(supernet: Supernet, task: ImageClassification, architecture: Architecture, times: int = 1) -> list:  # type: ignore[type-arg]
    """The statistics of all norms of a network that was taken out, as they are measured."""
    plain = supernet.extract(architecture)
    for _ in range(times):
        recalibrate(plain, batches(task))
    norms = [module for module in plain.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    return [tensor for norm in norms for tensor in (norm.running_mean, norm.running_var, norm.num_batches_tracked)]


def equal(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_measured_again_they_are_the_same(supernet: Supernet, task: ImageClassification) -> None:
    assert equal(measured(supernet, task, LARGE), measured(supernet, task, LARGE, times=3))


def test_the_order_of_networks_does_not_matter(supernet: Supernet, task: ImageClassification) -> None:
    """Nor does what other networks do in between."""
    first = [measured(supernet, task, a) for a in (SMALL, LARGE)]
    supernet.subnet(LARGE).model.train()
    supernet.subnet(LARGE)(batches(task).shard(0, 0)[0])
    second = [measured(supernet, task, a) for a in (LARGE, SMALL)]
    assert equal(first[0], second[1])
    assert equal(first[1], second[0])


def test_two_networks_have_others(supernet: Supernet, task: ImageClassification) -> None:
    """Behind the first layer, of which both have the first channels in common."""
    small, large = (measured(supernet, task, a) for a in (SMALL, LARGE))
    assert torch.equal(small[0], large[0][:4])
    for place in (3, 4, 6, 7):
        assert not torch.allclose(small[place], large[place][:4], rtol=1e-3)


def test_a_score_does_not_depend_on_what_was_scored_before(
    supernet: Supernet, task: ImageClassification, tmp_path: Path
) -> None:
    evaluator = SupernetEvaluator(task, supernet, work_dir=tmp_path)
    scores = [evaluator(a, fidelity=Fidelity(), seed=0) for a in (SMALL, LARGE, SMALL, LARGE)]
    assert scores[0] == scores[2]
    assert scores[1] == scores[3]
    assert scores[0]["loss"] != scores[1]["loss"]
