"""Image classification where classes are of very different size: weights, the mean recall, the note."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from netwright.errors import SpecError
from netwright.tasks.image_classification import ImageClassification, inverse_frequencies
from netwright.tasks.losses import class_loss, class_scores


def skewed(balance: str = "none") -> ImageClassification:
    """200 images of two classes, one nineteen times as large as the other."""
    x = np.random.default_rng(0).integers(0, 256, (200, 8, 8), dtype=np.uint8)
    return ImageClassification.from_arrays((x, (np.arange(200) % 20 == 0).astype(int)), balance=balance)  # type: ignore[arg-type]


def test_weights_make_classes_count_the_same() -> None:
    """The weights of all training images of a class sum to the same, those of all images to their number."""
    task = skewed("loss")
    counts = np.bincount(task.train()[1])
    sums = counts * np.array(task.class_weights)
    assert sums[0] == pytest.approx(sums[1])
    assert sums.sum() == pytest.approx(counts.sum())
    assert inverse_frequencies(np.array([3, 0, 1])) == pytest.approx((2 / 3, 0.0, 2.0))


def test_the_loss_is_weighted_where_asked_for_only() -> None:
    """Without the option the loss is the plain one bit for bit; with it each image counts by its class."""
    outputs, targets = torch.randn(64, 2), torch.arange(64) % 2
    assert torch.equal(skewed().loss(outputs, targets, 0.1), class_loss(outputs, targets, 0.1))
    task = skewed("loss")
    each = torch.nn.functional.cross_entropy(outputs, targets, label_smoothing=0.1, reduction="none")
    expected = (each * torch.tensor(task.class_weights)[targets]).mean()
    assert torch.allclose(task.loss(outputs, targets, 0.1), expected)


def test_balanced_accuracy_is_scikit_learns() -> None:
    """The mean recall equals scikit-learn's; accuracy and loss are those of plain scores bit for bit."""
    from sklearn.metrics import balanced_accuracy_score

    task = skewed()
    rng = np.random.default_rng(1)
    targets = torch.from_numpy((rng.random(300) < 0.1).astype(np.int64))
    outputs = torch.from_numpy(rng.normal(size=(300, 2)).astype(np.float32))
    answers = [(outputs[:100], targets[:100]), (outputs[100:], targets[100:])]
    found, plain = task.scores(answers), class_scores(answers)
    expected = balanced_accuracy_score(targets.numpy(), outputs.argmax(1).numpy())
    assert found["balanced_accuracy"] == pytest.approx(expected)
    assert (found["accuracy"], found["loss"]) == (plain["accuracy"], plain["loss"])


def test_imbalance_is_noted_with_a_cure() -> None:
    """One class ten times as large as another is said, and what can be done."""
    assert "the classes are imbalanced: '0' has" in skewed().notes[-1]
    assert "balance=loss" in skewed().notes[-1]
    assert "training weights them" in skewed("loss").notes[-1]
    assert not ImageClassification.load("digits").notes


def test_the_option_changes_the_fingerprint_and_is_checked() -> None:
    """A study does not go on with other weights; another value is refused."""
    assert skewed().fingerprint() != skewed("loss").fingerprint()
    with pytest.raises(SpecError, match="balance must be 'none' or 'loss'"):
        ImageClassification.load("digits", balance="sampler")  # type: ignore[arg-type]
