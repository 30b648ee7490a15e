"""Shifts, mirroring, and when mirroring makes sense."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch

from netwright.tasks.augmentation import Augmentation, mirroring_helps, shift_pixels


def images(count: int = 64) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, 2, 6, 5)).astype(np.uint8))


def test_each_result_is_a_shifted_or_mirrored_original() -> None:
    """Every augmented image equals one of the allowed shifts of its original, reflected at the edges, or its mirror."""
    x = images()
    out = Augmentation(shift_pixels=1, flip=True)(x, np.random.default_rng(1))
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    seen = set()
    for i, result in enumerate(out.numpy()):
        options = {
            (dy, dx, flip): (crop[..., ::-1] if flip else crop)
            for dy in range(3)
            for dx in range(3)
            for flip in (False, True)
            for crop in [padded[i, :, dy : dy + 6, dx : dx + 5]]
        }
        found = [key for key, option in options.items() if np.array_equal(option, result)]
        assert len(found) == 1
        seen.add(found[0])
    assert len(seen) == 18


def test_no_augmentation_gives_the_images_back() -> None:
    """Nothing to do is nothing done."""
    x = images()
    assert Augmentation()(x, np.random.default_rng(0)) is x


def test_the_same_generator_gives_the_same_images() -> None:
    """All randomness comes from the generator."""
    x, augment = images(), Augmentation(2, True)
    first, second, other = (augment(x, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_digits_are_not_mirrored() -> None:
    """A mirrored 2 is no 2: the rule refuses to mirror digits."""
    datasets = pytest.importorskip("sklearn.datasets")
    digits = datasets.load_digits()
    assert mirroring_helps(digits.images[:, None].astype(np.uint8), digits.target, 10) is False


def test_symmetric_classes_are_mirrored() -> None:
    """Classes that differ in rows, and not in left and right, survive mirroring."""
    rng = np.random.default_rng(0)
    y = np.arange(400) % 4
    x = rng.integers(0, 60, (400, 1, 8, 8))
    x[np.arange(400), 0, 2 * y] += 150
    assert mirroring_helps(x.astype(np.uint8), y, 4) is True


def test_large_images_are_looked_at_in_little_memory() -> None:
    """Less than these take as float32, and with the same finding as for small ones."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % 4
    x = rng.integers(0, 60, (200, 1, 320, 300), dtype=np.uint8)
    for image, number in zip(x, y.tolist(), strict=True):
        image[0, 80 * number : 80 * number + 40] += 150
    tracemalloc.start()
    helps = mirroring_helps(x, y, 4)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert helps is True
    assert peak_bytes < 2 * x.nbytes


def test_too_few_images_are_not_mirrored() -> None:
    """Without evidence nothing is mirrored."""
    assert mirroring_helps(np.zeros((6, 1, 8, 8), np.uint8), np.arange(6), 6) is False


def test_the_shift_follows_the_image_size() -> None:
    """At least one pixel, never as much as the image, none for a share of 0."""
    assert [shift_pixels(s, 28, 40) for s in (0.0, 0.01, 0.07, 0.5)] == [0, 1, 2, 14]
    assert shift_pixels(0.5, 2, 2) == 1
