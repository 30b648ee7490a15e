"""Metrics of classes and of values, as scikit-learn computes them, and the temperature. Torch stays outside."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from netwright.tasks.metrics import sklearn_metrics

Floats = NDArray[np.float64]
BINS = 15
"""Of the calibration error."""


def class_metrics(probabilities: Floats, targets: NDArray[np.int64]) -> dict[str, float]:
    """Score probabilities of classes.

    Args:
        probabilities: (N, C), rows sum to 1.
        targets: (N,) class numbers.

    Returns:
        ``accuracy``, ``balanced_accuracy`` (mean recall of the classes that occur), ``auc`` (area under the ROC curve;
        of more than two classes the mean over those that occur of each against the rest; .5 where there is one alone),
        ``log_loss`` in nats, ``ece``. All are NaN where a probability is not finite: the training diverged.

    Example:
        >>> found = class_metrics(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1]))
        >>> found["accuracy"], found["auc"], round(found["ece"], 2)
        (1.0, 1.0, 0.15)
    """
    if not np.isfinite(probabilities).all():
        return dict.fromkeys(("accuracy", "balanced_accuracy", "auc", "log_loss", "ece"), math.nan)
    metrics, said, occur = sklearn_metrics(), probabilities.argmax(1), np.unique(targets)
    return {
        "accuracy": float(metrics.accuracy_score(targets, said)),
        "balanced_accuracy": float(
            metrics.recall_score(targets, said, labels=occur, average="macro", zero_division=0.0)
        ),
        "auc": _auc(probabilities, targets, occur),
        "log_loss": float(metrics.log_loss(targets, probabilities, labels=np.arange(probabilities.shape[1]))),
        "ece": calibration_error(probabilities, said == targets),
    }


def _auc(probabilities: Floats, targets: NDArray[np.int64], occur: NDArray[np.int64]) -> float:
    if len(occur) < 2:
        return 0.5
    classes = occur[1:] if probabilities.shape[1] == 2 else occur
    area = sklearn_metrics().roc_auc_score
    return float(np.mean([area(targets == c, probabilities[:, c]) for c in classes]))


def calibration_error(probabilities: Floats, right: NDArray[np.bool_]) -> float:
    """Expected calibration error: by how much confidence and accuracy differ, in bins of equal width, by their size.

    References:
        Guo, Pleiss, Sun, Weinberger (2017), On Calibration of Modern Neural Networks, equation 3, with 15 bins.
    """
    confidence = probabilities.max(1)
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def value_metrics(predicted: Floats, targets: Floats) -> dict[str, float]:
    """Score values.

    Args:
        predicted: (N,) or (N, T).
        targets: the same shape.

    Returns:
        ``rmse`` over all values, ``mae`` and ``r2``, which is 0 for one who always says the mean, and where all targets
        are the same (of several columns such a one has no part in it). The first two are infinite, and ``r2`` minus
        infinite, where an answer is not finite.

    Example:
        >>> value_metrics(np.array([1.0, 3.0]), np.array([1.0, 2.0]))["mae"]
        0.5
    """
    if not np.isfinite(predicted).all():
        return {"rmse": math.inf, "mae": math.inf, "r2": -math.inf}
    metrics, varied = sklearn_metrics(), bool((targets != targets[:1]).any())
    return {
        "rmse": math.sqrt(metrics.mean_squared_error(targets, predicted)),
        "mae": float(metrics.mean_absolute_error(targets, predicted)),
        "r2": float(metrics.r2_score(targets, predicted, multioutput="variance_weighted")) if varied else 0.0,
    }


def fitted_temperature(logits: Floats, targets: NDArray[np.int64]) -> float:
    """The number to divide logits by so that their log loss is least, in [0.1, 10].

    Where all N answers are right the loss falls without end as confidence rises. It then rises to (N + 1) / (N + 2) at
    most, of two classes, by the rule of succession; a network that is surer stays as it is.

    Args:
        logits: (N, C) of examples that were not trained on.
        targets: (N,) class numbers.

    References:
        Guo, Pleiss, Sun, Weinberger (2017), section 4.2; found by bisection of the slope, since the loss is convex in
        the inverse of the temperature. Targets that are not quite sure: Platt (1999), Probabilistic Outputs for Support
        Vector Machines, section 2.2; here only where all answers are right.
    """
    low, high = 0.1, 10.0  # of the inverse
    all_right = bool((logits.argmax(1) == targets).all())
    spread = logits.shape[1] / sum(logits.shape) if all_right else 0.0  # part of a target that all classes share
    chosen = (1 - spread) * logits[np.arange(len(targets)), targets] + spread * logits.mean(1)
    for _ in range(60):
        inverse = float(np.sqrt(low * high))
        scaled = logits * inverse
        weights = np.exp(scaled - scaled.max(1, keepdims=True))
        mean = (logits * weights).sum(1) / weights.sum(1)
        if float((mean - chosen).mean()) > 0:  # the slope: less is better
            high = inverse
        else:
            low = inverse
    found = float(1 / np.sqrt(low * high))
    return min(1.0, found) if all_right else found
