"""Scores of networks with weights that all share, in the form of the scores that need no training.

So that a search ranks networks by either in the same way. Fewer images are looked at than where a network's accuracy is
told to a person: the order is wanted. Knows no strategies and no ladder.
"""

from __future__ import annotations

from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import one_line
from netwright.evaluation.scored import SIZES, Conditions, Scored
from netwright.evaluation.supernet_evaluator import SupernetEvaluator
from netwright.evaluation.trainer import TrainerOptions
from netwright.space import SearchSpace
from netwright.tasks.base import Task
from netwright.types import Architecture, Fidelity

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARED = "supernet"
"""Name of the score: accuracy on some validation images."""

NUM_IMAGES = 1000
"""Validation images that a network is scored on."""

NUM_SHARDS = 8
"""Parts of training batches on which statistics of norms are measured."""


class SharedScorer(SupernetEvaluator):
    """Scores architectures with shared weights; a network that cannot be built or run scores NaN.

    Args:
        task: the data.
        weights: file of the shared weights.
        digest: of that file.
        space: of the architectures.
        device: as of `TrainerOptions`.
    """

    num_shards = NUM_SHARDS
    names = (SHARED,)

    def __init__(self, task: Task, weights: Path, digest: str, space: SearchSpace, *, device: str = "cpu") -> None:
        options = TrainerOptions(device=device, keep_weights=False)
        super().__init__(task, weights, work_dir=weights.parent, space=space, options=options)
        self._weights_digest = digest

    def shown(self) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
        """Validation images spread evenly over all of them, `NUM_IMAGES` at most, and their classes."""
        pixels, labels = self.task.validation()
        rows = np.linspace(0, len(labels) - 1, min(NUM_IMAGES, len(labels)), dtype=np.int64)
        return pixels[rows], labels[rows]

    @cached_property
    def conditions(self) -> Conditions:
        """How networks are looked at."""
        _, labels = self.shown()
        return Conditions(
            self.names,
            0,
            len(labels),
            len(np.unique(labels)),
            self.task.fingerprint(),
            self.space.fingerprint(),
            version("torch"),
            initialisation=f"shared weights {self._weights_digest}",
            batch="validation images, spread evenly",
            batch_norm=f"measured on {self.num_shards} parts of training batches",
        )

    def score(self, architecture: Architecture) -> Scored:
        """Accuracy with shared weights, and sizes; why there is none where the network cannot be built or run."""
        begin_s = process_time()
        try:
            found = self(architecture, fidelity=Fidelity(), seed=0)
        except Exception as error:  # noqa: BLE001 - a network runs code of a person's own: it may raise anything, is counted
            reason = one_line(f"{type(error).__name__}: {error}")[:300]
            return Scored.failed(architecture, self.names, reason, process_time() - begin_s)
        values, sizes = {SHARED: found["accuracy"]}, {name: found[name] for name in SIZES}
        return Scored(architecture, values, sizes, {}, "", process_time() - begin_s)
