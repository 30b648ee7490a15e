"""Right answers of a network as a runtime computes it: what quantisation to 8 bits costs. Knows nothing of training."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netwright.errors import SpecError, wrong
from netwright.evaluation.latency.base import Array
from netwright.evaluation.latency.int8 import batches
from netwright.evaluation.latency.measure import fitting_examples
from netwright.evaluation.latency.runtimes import LOCAL, require_runtime
from netwright.evaluation.latency.spec import LatencySpec
from netwright.runtimes import DEVICE

if TYPE_CHECKING:
    from torch import nn

_BATCH = 32
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Right answers.

    Args:
        correct: how many.
        examples: of how many.

    Example:
        >>> Accuracy(90, 100).value, [round(bound, 3) for bound in Accuracy(90, 100).interval]
        (0.9, [0.826, 0.945])
    """

    correct: int
    examples: int

    @property
    def value(self) -> float:
        """Share of right answers."""
        return self.correct / self.examples

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share, by the score of Wilson (1927)."""
        n, p = self.examples, self.value
        middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n * n))
        return middle - half, middle + half


def measure_accuracy(
    model: nn.Module, images: Array, labels: NDArray[np.integer], spec: LatencySpec, *, calibration: Array
) -> Accuracy:
    """Count right answers of a network in a runtime.

    Args:
        model: a classifier on the CPU; is put into evaluation mode.
        images: (N >= 1, *input shape) float32 inputs of the network.
        labels: (N,) class numbers.
        spec: runtime and precision; a device elsewhere gives no outputs, so that the file it gets is run in
            onnxruntime. Batch and threads do not matter.
        calibration: (M >= 1, *input shape) inputs that int8's ranges are measured on: training images, so that
            the answers are of images which the quantised network has not seen.

    Raises:
        MissingDependencyError: the runtime is not installed.
        CapabilityError: the network cannot be exported to the runtime, or quantised.
        SpecError: there are no images, or not one label for each.
    """
    if len(images) == 0 or len(images) != len(labels):
        raise SpecError(wrong("labels", f"{len(labels)} for {len(images)} images", "one for each of >= 1 images"))
    spec = replace(spec, batch=_BATCH)
    spec = replace(spec, runtime="onnxruntime", device_command="") if spec.runtime == DEVICE else spec
    require_runtime(spec)
    shape = images.shape[1:]
    fitting_examples(shape, spec, images)
    model.eval()
    with LOCAL[spec.runtime].prepare(model, fitting_examples(shape, spec, calibration), spec) as network:
        answers = [network.outputs(part).argmax(axis=1) for part in batches(images, _BATCH)]
    return Accuracy(int((np.concatenate(answers)[: len(labels)] == labels).sum()), len(labels))
