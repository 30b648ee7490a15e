"""Shared tensors are on the device that a training is to run on; ``meta`` stands for one that is not the CPU."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from netwright import nn
from netwright.evaluation import Recipe
from netwright.evaluation.batches import Batches, Images
from netwright.evaluation.supernet_files import load_supernet, save_supernet, supernet_of
from netwright.evaluation.supernet_gradients import Lesson
from netwright.evaluation.supernet_settings import SupernetSettings
from netwright.evaluation.supernet_trainer import SupernetTrainer
from netwright.evaluation.supernet_training import _Run, _weights_in
from netwright.evaluation.trainer import TrainerOptions
from netwright.evaluation.training import TrainingOptions
from netwright.space import SearchSpace, choice
from netwright.supernet import Supernet, Uniform
from netwright.tasks.image_classification import ImageClassification


@pytest.fixture
def task() -> ImageClassification:
    x = np.random.default_rng(0).integers(0, 255, (80, 8, 8, 1)).astype(np.uint8)
    return ImageClassification.from_arrays((x, np.arange(80) % 2), layout="HWC")


def space() -> SearchSpace:
    return SearchSpace(nn.seq(nn.conv_norm_act(choice("width", [4, 8])), nn.global_pool(), nn.linear(2)))


def devices(tensors: Iterable[torch.Tensor]) -> set[str]:
    return {tensor.device.type for tensor in tensors}


def test_new_tensors_and_those_of_a_file_are_where_they_are_to_be(task: ImageClassification, tmp_path: Path) -> None:
    """Those that a training begins with, too."""
    path = tmp_path / "supernet.safetensors"
    save_supernet(path, supernet_of(task, space()), task)
    assert devices(load_supernet(path, task, space()).parameters()) == {"cpu"}
    options = TrainerOptions(device="meta")
    trainer = SupernetTrainer(task, space(), SupernetSettings(), folder=tmp_path, options=options)
    for supernet in (
        supernet_of(task, space(), device="meta"),
        load_supernet(path, task, space(), device="meta"),
        trainer._supernet(),
    ):
        assert devices(supernet.parameters()) == {"meta"}
        assert devices(supernet.subnet(space().architecture({"width": 8})).weights().values()) == {"meta"}


def run_of(supernet: Supernet, task: ImageClassification) -> _Run:
    batches = Batches(Images(*task.train(), task.scale), batch_size=16, shards=1, augmentation=None, seed=0)
    schedule = Recipe().schedule(1.0, batches.steps_per_epoch)
    return _Run(supernet, batches, Recipe(), schedule, TrainingOptions(), Lesson(), Uniform(supernet.networks))


def test_a_state_that_was_kept_goes_where_the_tensors_are(task: ImageClassification) -> None:
    """Weights of a checkpoint, also where they are larger, and what the optimiser keeps."""
    before = run_of(supernet_of(task, space()), task)
    before.advance(before.draw())
    state = before._state()
    here = supernet_of(task, space(), device="meta")
    run = run_of(here, task)
    smallest = {key: tensor[:1] for key, tensor in here.state_dict().items()}
    here.go_back(smallest)
    here.load_state_dict(_weights_in(state))
    run._back_to(state)
    assert devices(here.parameters()) == {"meta"}
    assert len(run.optimizer.state) == len(before.optimizer.state) > 0
    assert devices(run.optimizer.state.values()) == {"meta"}
