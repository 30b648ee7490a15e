"""Batches as a function of seed and step."""

from __future__ import annotations

from itertools import chain, pairwise

import numpy as np
import torch

from netwright.evaluation.batches import Batches, Images, data_subset, in_order
from netwright.tasks.augmentation import Augmentation
from netwright.tasks.batch_size import fitting_batch_size


def numbered(count: int) -> Images:
    """Images whose pixels and label are their own number."""
    numbers = np.arange(count)
    return Images(np.broadcast_to(numbers[:, None, None, None], (count, 1, 4, 4)).astype(np.float32), numbers, 1.0)


def batches(count: int, **options: object) -> Batches:
    return Batches(numbered(count), augmentation=Augmentation(1, True), seed=5, **options)  # type: ignore[arg-type]


def labels(made: Batches, step: int) -> list[int]:
    return [int(y) for shard in range(made.shards) for y in made.shard(step, shard)[1]]


def test_smaller_shares_are_parts_of_larger_ones() -> None:
    """A share of the data is a fixed subset, nested in every larger one; all of it is all of it."""
    subsets = [set(data_subset(1000, share).tolist()) for share in (0.001, 0.1, 0.35, 0.9, 1.0)]
    assert [len(s) for s in subsets] == [1, 100, 350, 900, 1000]
    assert all(a < b for a, b in pairwise(subsets))
    assert max(subsets[1]) > 500


def test_an_epoch_shows_each_image_once() -> None:
    """The batches of an epoch are disjoint and cover the subset, in another order each epoch."""
    made = batches(40, share=0.5, batch_size=5)
    first, second = ([labels(made, s) for s in range(4 * e, 4 * e + 4)] for e in (0, 1))
    assert made.steps_per_epoch == 4
    assert [sorted(chain(*epoch)) for epoch in (first, second)] == [sorted(data_subset(40, 0.5).tolist())] * 2
    assert first != second


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    """Asked in any order, by any object, a step has the same images."""
    one, two = batches(40, batch_size=8, shards=2), batches(40, batch_size=8, shards=2)
    later = [two.shard(step, 1)[0] for step in (9, 3, 17)]
    assert all(torch.equal(one.shard(step, 1)[0], x) for step, x in zip((9, 3, 17), later, strict=True))


def test_the_incomplete_batch_is_dropped() -> None:
    """All batches are of one size; what is left over is shown in another epoch."""
    made = batches(11, batch_size=4)
    assert made.steps_per_epoch == 2
    assert [len(labels(made, s)) for s in range(4)] == [4, 4, 4, 4]


def test_fewer_images_than_a_batch_are_one_batch() -> None:
    """A tiny set is one batch an epoch, and never split into parts of one image."""
    made = batches(3, batch_size=128, shards=2)
    assert (made.steps_per_epoch, made.shards) == (1, 1)
    assert sorted(labels(made, 0)) == [0, 1, 2]


def test_a_batch_of_one_shows_its_image_twice() -> None:
    """Batch norm cannot train on one value a channel, so a batch of one holds its image twice."""
    made = batches(5, batch_size=1)
    x, y = made.shard(0, 0)
    assert x.shape == (2, 1, 4, 4)
    assert y[0] == y[1]


def test_parts_together_are_the_batch() -> None:
    """Splitting a batch changes neither its images nor their order."""
    whole, split = batches(40, batch_size=8), batches(40, batch_size=8, shards=4)
    assert [labels(whole, s) for s in range(5)] == [labels(split, s) for s in range(5)]


def test_input_is_scaled_float() -> None:
    """A network sees stored values divided by the scale."""
    images = Images(np.full((2, 1, 4, 4), 51, np.uint8), np.zeros(2, np.int64), 255.0)
    (x, _), *_ = in_order(images, 8, "cpu")
    assert x.dtype == torch.float32
    assert torch.equal(x, torch.full((2, 1, 4, 4), 51.0) / 255.0)


def test_small_sets_get_small_batches() -> None:
    """An epoch of a small set has enough steps to learn something."""
    assert [fitting_batch_size(n) for n in (1, 1034, 10_000, 60_000)] == [16, 32, 128, 128]


def test_examples_of_like_lengths_share_a_batch() -> None:
    """Each epoch shows each example once, in batches whose lengths lie together, the batches in random order."""
    lengths = np.random.default_rng(0).permutation(1000)
    made = Batches(numbered(1000), augmentation=None, seed=5, batch_size=10, lengths=lengths)
    epochs = [[labels(made, step) for step in range(100 * e, 100 * e + 100)] for e in (0, 1)]
    assert all(sorted(chain(*epoch)) == list(range(1000)) for epoch in epochs)
    assert epochs[0] != epochs[1]
    spans = [int(np.ptp(lengths[batch])) for batch in epochs[0]]
    assert float(np.mean(spans)) < 100
    middles = [float(np.mean(lengths[batch])) for batch in epochs[0]]
    assert abs(float(np.corrcoef(middles, np.arange(100))[0, 1])) < 0.4
    short = Batches(numbered(25), augmentation=None, seed=5, batch_size=10, lengths=lengths[:25])
    assert len({label for step in range(2) for label in labels(short, step)}) == 20
