"""Several labels an example: what their targets are, how such examples are split, and how answers are scored.

Targets are (N, C) of 0 and 1. Knows nothing of images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError
from netwright.tasks.formats.parts import Array, Indices
from netwright.tasks.metrics import sklearn_metrics

Targets = NDArray[np.uint8]
"""(N, C): 1 where an example has a label."""

_SHOWN = 5
_FORMS = "a matrix (N, C) of 0 and 1, or a CSV file of images and labels"


@dataclass(frozen=True)
class LabelSets:
    """The labels of a task.

    Args:
        values: name of each of the C labels.
    """

    values: tuple[str, ...]

    @classmethod
    def learn(cls, labels: Array, names: Sequence[str], where: str) -> LabelSets:
        """Take the labels from the training part.

        Args:
            labels: (N, C) of 0 and 1.
            names: of the columns; their numbers if there are none.
            where: name of the part, for messages.

        Raises:
            DataError: another form, fewer than two labels, names that are not one a column or occur twice, or labels
                that no training example has.

        Example:
            >>> LabelSets.learn(np.array([[0, 1], [1, 1]]), ("cat", "dog"), "y").names
            ('cat', 'dog')
        """
        targets = _zeros_and_ones(labels, where)
        names = tuple(names) or tuple(map(str, range(targets.shape[1])))
        if len(names) != targets.shape[1] or len(set(names)) != len(names):
            raise DataError(
                f"{where}: {targets.shape[1]} columns, but the names of the classes are {len(names)}, of which "
                f"{len(set(names))} differ; name each column once"
            )
        if len(names) < 2:
            raise DataError(f"{where}: only the label {names[0]!r}; give at least two, or use image-classification")
        absent = [name for name, count in zip(names, targets.sum(0), strict=True) if not count]
        if absent:
            raise DataError(
                f"{where}: {len(absent)} label(s) that no training example has: {_list(absent)}; "
                "add examples or remove these labels"
            )
        return cls(names)

    @property
    def names(self) -> tuple[str, ...]:
        """As `values`."""
        return self.values

    def encode(self, labels: Array, where: str) -> Targets:
        """Targets (N, C).

        Raises:
            DataError: another form than the training part's, or no example has any label.
        """
        targets = _zeros_and_ones(labels, where)
        if targets.shape[1] != len(self.values):
            raise DataError(f"{where}: {targets.shape[1]} columns, the training part has {len(self.values)} labels")
        if len(targets) and not targets.any():
            raise DataError(f"{where}: no example has a label, so nothing can be measured; check how they were made")
        return targets


def _zeros_and_ones(labels: Array, where: str) -> Targets:
    if labels.ndim != 2 or labels.dtype.kind not in "biuf":
        raise DataError(
            f"{where}: labels of shape {labels.shape} and type {labels.dtype}; several labels an image are {_FORMS}; "
            "for one class an image use the task image-classification"
        )
    wrong = np.argwhere((labels != 0) & (labels != 1))
    if len(wrong):
        row, column = map(int, wrong[0])
        raise DataError(
            f"{where}: {len(wrong)} value(s) are neither 0 nor 1, the first is {labels[row, column]} in row {row}, "
            f"column {column}; give 1 where an image has the label, else 0"
        )
    return labels.astype(np.uint8)


def stratified_sets(targets: Targets, share: float, seed: int) -> tuple[Indices, Indices]:
    """Take a share of the examples away so that each label keeps its part on both sides, as far as that can be.

    Args:
        targets: (N, C), N >= 2.
        share: part taken, in (0, 1); at least one example is taken and at least one is kept.
        seed: decides which; the same targets, share and seed give the same rows on every machine.

    Returns:
        Rows kept and rows taken, both ascending, disjoint, together all.

    References:
        Sechidis, Tsoumakas, Vlahavas (2011), On the Stratification of Multi-Label Data, algorithm 1; of two sides that
        want an example equally, the kept one gets it.

    Example:
        >>> kept, taken = stratified_sets(np.eye(2, dtype=np.uint8)[[0, 0, 0, 0, 1, 1, 1, 1]], 0.25, seed=0)
        >>> len(kept), len(taken)
        (6, 2)
    """
    order = np.random.default_rng(seed).permutation(len(targets))
    sides = np.array([1.0 - share, share])
    wanted, wanted_of = sides * len(targets), np.outer(sides, targets.sum(0, dtype=np.int64))
    side = np.full(len(targets), -1)
    left = targets.sum(0, dtype=np.int64)

    def place(row: int, label: int | None) -> None:
        wishes = wanted if label is None else wanted_of[:, label]
        tied = wishes[0] == wishes[1]
        chosen = int((wanted if tied else wishes).argmax())
        side[row] = chosen
        wanted[chosen] -= 1
        wanted_of[chosen] -= targets[row]
        left[:] -= targets[row]

    while left.any():
        rarest = int(np.where(left > 0, left, np.iinfo(np.int64).max).argmin())
        for row in order[(side[order] < 0) & (targets[order, rarest] > 0)]:
            place(int(row), rarest)
    for row in order[side[order] < 0]:
        place(int(row), None)
    for number in (0, 1):
        if not (side == number).any():
            side[order[-1]] = number
    return np.flatnonzero(side == 0).astype(np.int64), np.flatnonzero(side == 1).astype(np.int64)


def label_metrics(logits: NDArray[Any], targets: Targets) -> dict[str, float]:
    """Score answers.

    Args:
        logits: (N, C).
        targets: (N, C).

    Returns:
        ``mean_average_precision``: the mean over the labels that some example has; ``micro_f1``: of all answers
        together, a label being given where its probability is above .5, 0 where none is given. Both are NaN where an
        answer is not finite: the training diverged.

    Example:
        >>> label_metrics(np.array([[2.0, -1.0], [-1.0, 1.0]]), np.array([[1, 0], [0, 1]], dtype=np.uint8))
        {'mean_average_precision': 1.0, 'micro_f1': 1.0}
    """
    if not np.isfinite(logits).all():
        return dict.fromkeys(("mean_average_precision", "micro_f1"), math.nan)
    metrics, wanted = sklearn_metrics(), targets > 0
    seen = np.flatnonzero(wanted.any(axis=0))
    precisions = [metrics.average_precision_score(wanted[:, label], logits[:, label]) for label in seen]
    return {
        "mean_average_precision": float(np.mean(precisions)) if precisions else 0.0,
        "micro_f1": float(metrics.f1_score(wanted.ravel(), (logits > 0).ravel(), zero_division=0.0)),
    }


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")
