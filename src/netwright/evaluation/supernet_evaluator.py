"""The evaluator that trains nothing: networks are scored with weights that all share.

Limits, sizes and latency as in `TrainingEvaluator`. The weights of a network are its part of the shared ones; the
statistics of its norms are measured anew on training images, since those of another network mean nothing for it. Asked
for epochs it trains a network from nothing, as its base does, so that the two can be compared; and the evaluator with
other options, which trains finalists, goes on from the shared weights. Knows no strategies.

References:
    Guo et al. (2020), Single Path One-Shot, section 3.3 (statistics of norms are worked out anew for each network).
    Cai et al. (2020), Once-for-All, section 3.3 (what was taken out is trained further, with the largest as teacher).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.errors import SpecError, wrong
from netwright.evaluation.recipe import Recipe
from netwright.evaluation.supernet_files import load_supernet, require_classes, supernet_of
from netwright.evaluation.trainer import TrainerOptions, TrainingEvaluator, _threads, scored_at_once
from netwright.space import SearchSpace
from netwright.supernet import Supernet
from netwright.tasks.base import Task
from netwright.types import Architecture, Constraint, Fidelity, Json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

__all__ = ["SupernetEvaluator", "supernet_of"]

TUNING_RATE = 0.1
"""Times the recipe's learning rates, where a network goes on from shared weights: they are not to be lost at once.
Measured with ``benchmarks/supernet_tuning.py``."""


class SupernetEvaluator(TrainingEvaluator):
    """Scores networks with shared weights on the validation images, at a fidelity without epochs.

    Args:
        task: the data.
        supernet: trained, of the task's networks (``wrap`` puts the normalisation of the data around them); or the file
            that `save_supernet` wrote, for which ``space`` is needed.
        work_dir: where weights are saved, if they are.
        space: of the networks; that of the supernet where it is given as such.
        recipe: of the batches on which statistics of norms are measured.
        constraints: as of `TrainingEvaluator`.
        options: as of `TrainingEvaluator`.
        tunes: asked for epochs, train a network from its shared weights instead of from nothing.
        teacher: whether it then learns from the largest network, too.
        tuning_rate: times the recipe's learning rates, for such a training; > 0.

    Raises:
        SpecError: the supernet takes other inputs than the task gives, or has no answers to teach.
    """

    num_shards = 32
    """Parts of training batches on which statistics of norms are measured, at most."""

    def __init__(
        self,
        task: Task,
        supernet: Supernet | Path,
        *,
        work_dir: Path,
        space: SearchSpace | None = None,
        recipe: Recipe | None = None,
        constraints: Sequence[Constraint] = (),
        options: TrainerOptions | None = None,
        tunes: bool = False,
        teacher: bool = False,
        tuning_rate: float = TUNING_RATE,
    ) -> None:
        space = space or (supernet.space if isinstance(supernet, Supernet) else None)
        if space is None:
            raise SpecError(wrong("space", None, "given with a file of weights", "give the space it was trained in"))
        super().__init__(task, space, work_dir=work_dir, recipe=recipe, constraints=constraints, options=options)
        if isinstance(supernet, Supernet) and supernet.networks.input_shape != tuple(task.input_shape):
            got, allowed = supernet.networks.input_shape, f"that of the task, {tuple(task.input_shape)}"
            raise SpecError(wrong("input_shape of the supernet", got, allowed, "make it for this data"))
        if teacher:
            require_classes(task, "teacher", teacher)
        if not (math.isfinite(tuning_rate) and tuning_rate > 0):
            raise SpecError(wrong("tuning_rate", tuning_rate, "> 0"))
        self._shared, self.tunes, self.teacher, self.tuning_rate = supernet, tunes, teacher, tuning_rate

    @property
    def supernet(self) -> Supernet:
        """The shared weights; read from their file where they are first needed.

        Raises:
            SpecError: the file cannot be used.
        """
        if isinstance(self._shared, Path):
            self._shared = load_supernet(self._shared, self.task, self.space)
        return self._shared

    def with_options(self, **changes: object) -> SupernetEvaluator:
        """The evaluator that trains networks further from their shared weights, with other options."""
        made = SupernetEvaluator(
            self.task,
            self._shared,
            work_dir=self.work_dir,
            space=self.space,
            recipe=self.recipe,
            constraints=self.constraints,
            options=replace(self.options, **changes),  # type: ignore[arg-type]
            tunes=True,
            teacher=self.teacher,
            tuning_rate=self.tuning_rate,
        )
        made._flip = self._flip
        return made

    def shown(self) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
        """Pixels and class numbers of the images that networks are scored on with shared weights."""
        return self.task.validation()

    def prepare(self) -> None:
        """Load data, torch and the shared weights, so that trials that are forked have them.

        On one thread: copying weights must not start others, which do not survive a fork.
        """
        super().prepare()
        with _threads(1):
            _ = self.supernet

    def _require_epochs(self, fidelity: Fidelity) -> None:
        """Both are right: without epochs shared weights are scored, with them a network is trained."""

    def _train(
        self, model: nn.Module, arch: Architecture, recipe: Recipe, fidelity: Fidelity, seed: int
    ) -> dict[str, float]:
        if fidelity.epochs is None:
            return self._score(model, arch, recipe, self.weights_path(arch, fidelity, seed))
        if self.tunes:
            self._give_weights(model, arch)
            rates = {name: self.tuning_rate * getattr(recipe, name) for name in ("learning_rate", "side_learning_rate")}
            recipe = replace(recipe, **rates)
        return super()._train(model, arch, recipe, fidelity, seed)

    def _score(self, model: nn.Module, arch: Architecture, recipe: Recipe, path: Path) -> dict[str, float]:
        import torch

        from netwright.evaluation.training import recalibrate

        self._give_weights(model, arch)
        model = model.to(device=torch.device(self.options.device), memory_format=torch.channels_last)  # type: ignore[call-overload]
        recalibrate(model, self._batches(recipe, Fidelity(epochs=1.0), seed=0), self.num_shards)
        scores = self._scores(model, self.shown())
        if self.task.classifies and "loss" not in scores:  # a task of a person's own; searches compare by it
            scores |= self._loss(model)
        self._keep(model, path)
        return {**scores, "epochs": 0.0, "train_time_s": 0.0}

    def _loss(self, model: nn.Module) -> dict[str, float]:
        """The task's loss of the images that are shown, a mean over them."""
        from netwright.evaluation.training import evaluate

        def mean_loss(answers: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
            parts = [(float(self.task.loss(outputs, targets)), len(targets)) for outputs, targets in answers]
            return {"loss": sum(loss * count for loss, count in parts) / sum(count for _, count in parts)}

        images, at_once = self._images(*self.shown()), scored_at_once(self.task)
        return evaluate(model, images, device=self.options.device, batch_size=at_once, scores=mean_loss)

    def _give_weights(self, model: nn.Module, arch: Architecture) -> None:
        import torch

        subnet = self.supernet.subnet(arch)
        with torch.no_grad():
            for name, own in model.named_parameters():
                own.copy_(subnet.weight(name))

    def _teacher(self) -> nn.Module | None:
        """The largest network with shared weights, where finalists are to learn from it."""
        if not (self.tunes and self.teacher):
            return None
        import torch

        from netwright.evaluation.training import recalibrate
        from netwright.supernet.sampling import ends

        largest, _ = ends(self.supernet.networks, self.supernet.seed)
        model = self.supernet.extract(largest).to(torch.device(self.options.device))
        recalibrate(model, self._batches(self.recipe, Fidelity(epochs=1.0), seed=0))
        return model.eval()

    def _facts(self, arch: Architecture, recipe: Recipe, fidelity: Fidelity, seed: int) -> dict[str, Json]:
        """What a trajectory depends on; of one that goes on from shared weights these, and the teacher."""
        facts = super()._facts(arch, recipe, fidelity, seed)
        if self.tunes:
            facts |= {"shared": _digest(self.supernet), "teacher": self.teacher, "rate": self.tuning_rate}
        return facts


def _digest(supernet: Supernet) -> str:
    state = hashlib.blake2b(digest_size=16)
    for key, tensor in sorted(supernet.state_dict().items()):
        state.update(key.encode())
        state.update(tensor.cpu().contiguous().numpy().tobytes())
    return state.hexdigest()
