"""The evaluator whose trainings begin with weights of the same architecture that were trained on other data.

What has the same name and the same shape is taken: parameters, and statistics of norms. The first layer, where inputs
have another number of channels, begins as it would without. Rows of tokens and of classes, which each data set numbers
by itself, are taken from those of the same token or class; others begin as they would without. What cannot be read is
said in the log, and the training begins from nothing. Knows no strategies.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from netwright.errors import DataError
from netwright.evaluation.inheriting import SHARE, digest_of
from netwright.evaluation.pretrained import Rows, begin_with_file
from netwright.evaluation.recipe import Recipe
from netwright.evaluation.trainer import TrainingEvaluator
from netwright.tasks.numbering import Numbering, numbered_weights, numbering_of
from netwright.types import Architecture, Fidelity, Json, digest

if TYPE_CHECKING:
    from torch import nn

_log = logging.getLogger(__name__)


class BeginningEvaluator(TrainingEvaluator):
    """Trains networks that begin with weights from files; other arguments as of `TrainingEvaluator`.

    Args:
        beginnings: safetensors file of an architecture's trained weights; those that are not named begin from nothing.
        numbering: what the numbers of tokens and classes stood for where these were trained; what is not in it begins
            from nothing.
    """

    def __init__(
        self,
        *args: Any,
        beginnings: Mapping[Architecture, Path] | None = None,
        numbering: Numbering | None = None,
        **others: Any,
    ) -> None:
        super().__init__(*args, **others)
        self.beginnings, self.numbering = dict(beginnings or {}), dict(numbering or {})
        self.metric_ranges = {**self.metric_ranges, SHARE: (0.0, 1.0)}

    def with_options(self, **changes: object) -> BeginningEvaluator:
        """As of `TrainingEvaluator`, with the same beginnings."""
        plain = super().with_options(**changes)
        made = BeginningEvaluator(
            self.task,
            self.space,
            work_dir=self.work_dir,
            recipe=self.recipe,
            constraints=self.constraints,
            options=plain.options,
            beginnings=self.beginnings,
            numbering=self.numbering,
        )
        made._flip = self._flip
        return made

    def prepare(self) -> None:
        """As of `TrainingEvaluator`."""
        super().prepare()
        importlib.import_module("safetensors.torch")

    def _train(
        self, model: nn.Module, arch: Architecture, recipe: Recipe, fidelity: Fidelity, seed: int
    ) -> dict[str, float]:
        if arch not in self.beginnings:
            return super()._train(model, arch, recipe, fidelity, seed)
        share = begin_with(model, self.beginnings[arch], self._numbered(model))
        return {**super()._train(model, arch, recipe, fidelity, seed), SHARE: share}

    def _numbered(self, model: nn.Module) -> dict[str, Rows]:
        """The weights whose rows are taken by what they stand for."""
        here = numbering_of(self.task)
        roles = numbered_weights(model, here)
        return {name: Rows(here[role], self.numbering.get(role)) for name, role in roles.items()}

    def _facts(self, arch: Architecture, recipe: Recipe, fidelity: Fidelity, seed: int) -> dict[str, Json]:
        facts = super()._facts(arch, recipe, fidelity, seed)
        path = self.beginnings.get(arch)
        if path is None or not path.is_file():
            return facts
        return {**facts, "beginning": _digest(path), "numbering": digest_of_numbering(self.numbering)}


def digest_of_numbering(numbering: Numbering) -> str:
    """Digest of what numbers stand for."""
    return digest(repr(sorted((role, tuple(meanings)) for role, meanings in numbering.items())))


def begin_with(model: nn.Module, path: Path, numbered: Mapping[str, Rows] = MappingProxyType({})) -> float:
    """Give a model the weights of a file as `begin_with_file` does; nothing, and a line in the log, if that fails.

    Args:
        model: changed in place.
        path: a safetensors file.
        numbered: as of `begin_with_file`.

    Returns:
        Part of the model's numbers that were taken.
    """
    try:
        return begin_with_file(model, path, numbered)
    except DataError as error:
        _log.warning("nothing is taken over, the training begins from nothing: %s", error)
        return 0.0


def _digest(path: Path) -> str:
    from safetensors.torch import load

    try:
        return digest_of(load(path.read_bytes()))
    except Exception:  # noqa: BLE001 - whatever cannot be read is the beginning of nothing
        return ""
