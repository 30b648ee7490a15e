"""Scores with shared weights, as a search ranks networks by them: the accuracy on some images, or no number."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from netwright import nn
from netwright.evaluation import shared_scores
from netwright.evaluation.shared_scores import SHARED, SharedScorer
from netwright.evaluation.supernet_evaluator import SupernetEvaluator
from netwright.evaluation.supernet_files import save_supernet, supernet_of
from netwright.space import SearchSpace, choice
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Architecture, Fidelity


def space() -> SearchSpace:
    width = choice("width", [4, 8])
    return SearchSpace(nn.seq(nn.conv_norm_act(width, stride=2), nn.global_pool(), nn.linear(3)))


@pytest.fixture(scope="module")
def task() -> ImageClassification:
    images = np.random.default_rng(0).integers(0, 255, (90, 8, 8, 1)).astype(np.uint8)
    return ImageClassification.from_arrays((images, np.arange(90) % 3), layout="HWC")


@pytest.fixture
def weights(task: ImageClassification, tmp_path: Path) -> tuple[Path, str]:
    path = tmp_path / "w.safetensors"
    return path, save_supernet(path, supernet_of(task, space(), seed=1), task)


def test_a_score_is_the_accuracy_with_shared_weights(
    task: ImageClassification, weights: tuple[Path, str], tmp_path: Path
) -> None:
    """Of few images that of all of them; with the sizes that it is compared with; nothing is written."""
    arch = Architecture({"width": 4})
    scorer = SharedScorer(task, *weights, space())
    found = scorer.score(arch)
    whole = SupernetEvaluator(task, weights[0], work_dir=tmp_path / "w", space=space())
    whole.num_shards = scorer.num_shards
    told = whole(arch, fidelity=Fidelity(), seed=0)
    assert found.values == {SHARED: told["accuracy"]}
    assert found.sizes == {name: told[name] for name in ("params", "macs", "depth")}
    assert (found.architecture, found.error, dict(found.unusable)) == (arch, "", {})
    assert [p.name for p in weights[0].parent.iterdir() if p.name != "w"] == ["w.safetensors"]


def test_images_are_spread_over_the_validation_split(
    task: ImageClassification, weights: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first and the last one among them, and no more than wanted."""
    monkeypatch.setattr(shared_scores, "NUM_IMAGES", 4)
    pixels, labels = SharedScorer(task, *weights, space()).shown()
    all_pixels, all_labels = task.validation()
    assert len(labels) == len(pixels) == 4
    assert (labels[0], labels[-1]) == (all_labels[0], all_labels[-1])
    assert np.array_equal(pixels[-1], all_pixels[-1])


def test_a_network_that_cannot_be_scored_has_no_number(task: ImageClassification, weights: tuple[Path, str]) -> None:
    """And says why."""
    found = SharedScorer(task, *weights, space()).score(Architecture({"width": 5}))
    assert math.isnan(found.values[SHARED])
    assert "width" in found.error


def test_scores_of_other_weights_are_kept_apart(task: ImageClassification, weights: tuple[Path, str]) -> None:
    path, digest = weights
    first, second = (SharedScorer(task, path, d, space()).conditions.digest for d in (digest, "other"))
    assert first != second
    assert first == SharedScorer(task, path, digest, space()).conditions.digest
