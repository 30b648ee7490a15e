"""The evaluator that trains nothing: networks are scored with weights that all share.

Limits, sizes and latency as in `TrainingEvaluator`. The weights of a network are its part of the shared ones; the
statistics of its norms are measured anew on training images, since those of another network mean nothing for it. Knows
no strategies.

References:
    Guo et al. (2020), Single Path One-Shot, section 3.3 (statistics of norms are worked out anew for each network).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.errors import SpecError, wrong
from netwright.evaluation.recipe import Recipe
from netwright.evaluation.trainer import ClassificationTask, TrainerOptions, TrainingEvaluator
from netwright.space import SearchSpace
from netwright.supernet import Supernet
from netwright.types import Architecture, Constraint, Fidelity

if TYPE_CHECKING:
    from torch import nn


class SupernetEvaluator(TrainingEvaluator):
    """Scores networks with shared weights on the validation images.

    Args:
        task: the data.
        supernet: trained, of the task's networks (``wrap`` puts the normalisation of the data around them).
        work_dir: where weights are saved, if they are.
        recipe: of the batches on which statistics of norms are measured.
        constraints: as of `TrainingEvaluator`.
        options: as of `TrainingEvaluator`.

    Raises:
        SpecError: the supernet takes other inputs than the task gives.
    """

    def __init__(
        self,
        task: ClassificationTask,
        supernet: Supernet,
        *,
        work_dir: Path,
        recipe: Recipe | None = None,
        constraints: Sequence[Constraint] = (),
        options: TrainerOptions | None = None,
    ) -> None:
        super().__init__(
            task, supernet.space, work_dir=work_dir, recipe=recipe, constraints=constraints, options=options
        )
        if supernet.networks.input_shape != tuple(task.input_shape):
            got, allowed = supernet.networks.input_shape, f"that of the task, {tuple(task.input_shape)}"
            raise SpecError(wrong("input_shape of the supernet", got, allowed, "make it for this data"))
        self.supernet = supernet

    def _train(
        self, model: nn.Module, arch: Architecture, recipe: Recipe, fidelity: Fidelity, seed: int
    ) -> dict[str, float]:
        """Give the network its shared weights, and score it."""
        import torch

        from netwright.evaluation.training import evaluate, recalibrate

        subnet = self.supernet.subnet(arch)
        with torch.no_grad():
            for name, own in model.named_parameters():
                own.copy_(subnet.weight(name))
        batches = self._batches(recipe, Fidelity(epochs=1.0), seed=0)
        model = model.to(device=torch.device(self.options.device), memory_format=torch.channels_last)  # type: ignore[call-overload]
        recalibrate(model, batches)
        scores = evaluate(model, self._images(*self.task.validation()), device=self.options.device)
        return {**scores, "epochs": 0.0, "train_time_s": 0.0}


def supernet_of(
    task: ClassificationTask, space: SearchSpace, *, seed: int = 0, memory_bytes: int | None = None
) -> Supernet:
    """The supernet of a task's networks in a space, not trained.

    Args:
        task: whose normalisation of images is put around each network.
        space: which architectures there are.
        seed: of the initial weights.
        memory_bytes: most memory that it may take.

    Raises:
        SpaceError: the networks cannot share weights, or need more memory.
    """
    return Supernet(space, input_shape=task.input_shape, wrap=task.normalised, seed=seed, memory_bytes=memory_bytes)
