"""What a trained classifier answers once it is quantised to 8 bits. Knows tasks by their images, no searches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from netwright.evaluation.latency import Accuracy, LatencySpec, measure_accuracy
from netwright.evaluation.latency.int8 import calibration_rows

if TYPE_CHECKING:
    from torch import Tensor, nn

Labelled = tuple[NDArray[Any], NDArray[Any]]
"""Images (N, C, H, W) as a task stores them, and their classes (N,)."""

MOST_VALUES = 2**26
"""Values of the images that are scored, all together: 256 MB. Larger images are a sample."""


class ImageTask(Protocol):
    """What is needed of a task."""

    def to_input(self, stored: Tensor) -> Tensor: ...
    def train(self) -> Labelled: ...
    def validation(self) -> Labelled: ...


def quantised_accuracy(
    model: nn.Module, task: ImageTask, spec: LatencySpec, examples: Labelled | None = None
) -> Accuracy:
    """Count right answers of a trained network in 8 bits.

    Args:
        model: trained; is moved to the CPU and put into evaluation mode.
        task: the data; up to 256 of its training images give the ranges of activations.
        spec: runtime; ``precision`` is int8.
        examples: what is asked; the validation images where absent. Where they are more than 2^26 values, as many as
            that, evenly spaced.

    Raises:
        MissingDependencyError: the runtime is not installed.
        CapabilityError: the network cannot be exported or quantised.
    """
    images, labels = fitting_sample(task.validation() if examples is None else examples)
    train, _ = task.train()
    ranges = _inputs(train[calibration_rows(len(train))], task)
    return measure_accuracy(model.cpu(), _inputs(images, task), labels, spec, calibration=ranges)


def fitting_sample(examples: Labelled) -> Labelled:
    """Examples, evenly spaced, as many as have `MOST_VALUES` values together: as float32 all might fill the memory."""
    images, labels = examples
    most = max(1, MOST_VALUES // max(1, math.prod(images.shape[1:])))
    if len(labels) <= most:
        return images, labels
    rows = np.linspace(0, len(labels) - 1, most, dtype=np.int64)
    return images[rows], labels[rows]


def _inputs(stored: NDArray[Any], task: ImageTask) -> NDArray[np.float32]:
    import torch

    return np.ascontiguousarray(task.to_input(torch.from_numpy(np.array(stored))).numpy(), dtype=np.float32)
