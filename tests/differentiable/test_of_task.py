"""A search on a task's images ends in its time, with architectures of the space within the limits."""

from __future__ import annotations

import time

import numpy as np
import pytest

from netwright import nn
from netwright.errors import UsageError
from netwright.space import SearchSpace, choice
from netwright.supernet.differentiable import Options
from netwright.supernet.differentiable.of_task import derive_architectures
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Constraint


@pytest.fixture(scope="module")
def task() -> ImageClassification:
    """Four classes of 8 x 8 images: a bright row in one of four places, in noise."""
    rng = np.random.default_rng(0)
    y = np.arange(480) % 4
    x = rng.integers(0, 160, (480, 8, 8, 1))
    x[np.arange(480), 2 * y] += 80
    return ImageClassification.from_arrays((x.astype(np.uint8), y), layout="HWC")


def space() -> SearchSpace:
    width = choice("width", [4, 8])
    kinds = {"conv": nn.conv_norm_act(width, choice("kernel", [1, 3])), "wide": nn.conv_norm_act(width, 5)}
    return SearchSpace(nn.seq(nn.one_of("kind", kinds), nn.flatten(), nn.linear(4)))


def test_it_ends_in_time_and_keeps_limits(task: ImageClassification) -> None:
    """Several architectures, all different and within the limit; the images of validation and test are not read."""
    began_s = time.monotonic()
    options = Options(epochs=3, arch_learning_rate=0.05, limits=(Constraint.parse("params<=1300"),))
    found = derive_architectures(task, space(), "darts", budget_s=20.0, count=3, options=options)
    assert len(set(found)) == len(found) <= 3
    assert all(space().contains(a) and a["width"] == 4 for a in found)
    assert derive_architectures(task, space(), "gdas", budget_s=2.0)[0] in set(space().enumerate())
    assert time.monotonic() - began_s < 60
    assert task.test_reads == 0


def test_unknown_methods_and_no_time_are_refused(task: ImageClassification) -> None:
    """By name, with the nearest known one."""
    with pytest.raises(UsageError, match="unknown method 'dart'; did you mean 'darts'"):
        derive_architectures(task, space(), "dart", budget_s=1.0)
    with pytest.raises(UsageError, match="budget_s must be > 0"):
        derive_architectures(task, space(), budget_s=0.0)
