"""The evaluator whose trainings begin with the weights of another trial's network, where it is told of one.

The parent's file is that which `TrainingEvaluator` left behind. What cannot be inherited (it is not there, torn, of
another space, spoilt by NaN) is said in the log and recorded as a share of 0: the training then begins from nothing.
The seed and the parent decide, nothing else; checkpoints are those of this very beginning. Knows no strategies.

References:
    Real, Moore, Selle, Saxena, Suematsu, Tan, Le, Kurakin (2017), Large-Scale Evolution of Image Classifiers, section
    3.5 (children keep the weights of their parents; ours also those of layers whose size has changed).
    Cai, Chen, Zhang, Yu, Wang (2018), Efficient Architecture Search by Network Transformation (function-preserving).
"""

from __future__ import annotations

import copy
import importlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from netwright.errors import NetwrightError, UsageError, wrong
from netwright.evaluation.base import Parent
from netwright.evaluation.recipe import Recipe
from netwright.evaluation.trainer import TrainingEvaluator
from netwright.types import Architecture, Fidelity, Json, Metrics

if TYPE_CHECKING:
    import torch
    from torch import nn

_log = logging.getLogger(__name__)

SHARE, EPOCHS, KEPT = "inherited_share", "inherited_epochs", "inherited_function"
"""Metrics: part of a network's numbers that came from its parent; epochs that these were trained before; 1 where it
computed what its parent does before it was trained, else 0."""


class InheritingEvaluator(TrainingEvaluator):
    """Trains networks that begin with the weights of their parents; arguments as of `TrainingEvaluator`.

    With other options (`with_options`) it is a plain `TrainingEvaluator`, which knows of no parents.
    """

    metric_ranges: Mapping[str, tuple[float, float]] = {
        **TrainingEvaluator.metric_ranges,
        SHARE: (0.0, 1.0),
        EPOCHS: (0.0, float("inf")),
        KEPT: (0.0, 1.0),
    }
    begins_with: Parent | None = None
    beginning = ""

    def prepare(self) -> None:
        """As of `TrainingEvaluator`."""
        super().prepare()
        for module in ("netwright.inheritance", "netwright.nn.networks", "safetensors.torch"):
            importlib.import_module(module)

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int, parent: Parent | None = None) -> Metrics:
        """Check limits, inherit, train, score.

        Args:
            arch: what.
            fidelity: as of `TrainingEvaluator`.
            seed: as of `TrainingEvaluator`, and of what is new in the network.
            parent: whose weights it begins with; None for none.

        Returns:
            As `TrainingEvaluator`; with a parent also inherited_share, inherited_epochs and inherited_function.
        """
        if parent is None:
            return super().__call__(arch, fidelity=fidelity, seed=seed)
        one = copy.copy(self)
        one.begins_with = parent
        return TrainingEvaluator.__call__(one, arch, fidelity=fidelity, seed=seed)

    def _train(
        self, model: nn.Module, arch: Architecture, recipe: Recipe, fidelity: Fidelity, seed: int
    ) -> dict[str, float]:
        if self.begins_with is None:
            return super()._train(model, arch, recipe, fidelity, seed)
        found = self._inherit(model, arch, self.begins_with, seed)
        return {**super()._train(model, arch, recipe, fidelity, seed), **found}

    def _inherit(self, model: nn.Module, arch: Architecture, parent: Parent, seed: int) -> dict[str, float]:
        """Give a model its parent's weights, as far as that can be; it is one that `_train` has to itself."""
        from netwright.inheritance import morph
        from netwright.nn.networks import Networks

        try:
            networks = Networks(
                self.space,
                input_shape=self.task.input_shape,
                input_dtype=self.task.input_dtype,
                wrap=self.task.normalised,
                seed=seed,
                most=1,
            )
            weights, made = morph(networks, parent.architecture, self._weights_of(parent, model), arch, seed=seed)
        except NetwrightError as error:
            _log.warning("nothing is inherited, the training begins from nothing: %s", error)
            return {SHARE: 0.0, EPOCHS: 0.0, KEPT: 0.0}
        model.load_state_dict(weights)
        self.beginning = digest_of(weights)
        _log.info("%s", made)
        return {SHARE: made.share, EPOCHS: parent.epochs, KEPT: float(made.is_preserved)}

    def _weights_of(self, parent: Parent, model: nn.Module) -> dict[str, torch.Tensor]:
        """The parent's weights as its trial left them.

        Raises:
            UsageError: they cannot be read, or are of another dtype.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        path = self.weights_path(parent.architecture, parent.fidelity, parent.seed)
        try:
            weights = load(path.read_bytes())
        except (OSError, SafetensorError) as error:
            raise UsageError(f"the parent's weights {path.name} cannot be read: {error}") from error
        kinds = {t.dtype for t in weights.values() if t.is_floating_point()}
        own = {t.dtype for t in model.state_dict().values() if t.is_floating_point()}
        if not kinds <= own:
            got, allowed = ", ".join(sorted(map(str, kinds))), ", ".join(sorted(map(str, own)))
            raise UsageError(wrong("dtype of the parent's weights", got, allowed))
        return weights

    def _facts(self, arch: Architecture, recipe: Recipe, fidelity: Fidelity, seed: int) -> dict[str, Json]:
        facts = super()._facts(arch, recipe, fidelity, seed)
        return {**facts, "beginning": self.beginning} if self.beginning else facts


def digest_of(weights: Mapping[str, torch.Tensor]) -> str:
    """Digest of names and bits of tensors."""
    import hashlib

    state = hashlib.blake2b(digest_size=16)
    for name in sorted(weights):
        state.update(name.encode())
        state.update(weights[name].detach().cpu().contiguous().numpy().tobytes())
    return state.hexdigest()
