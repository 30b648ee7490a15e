"""Metrics of classes and of values, exact sums over outputs that come batch by batch. Torch stays outside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BINS = 15
"""Of the calibration error."""

LEAST_LOG = 1e-15


def class_metrics(probabilities: Floats, targets: NDArray[np.int64]) -> dict[str, float]:
    """Score probabilities of classes.

    Args:
        probabilities: (N, C), rows sum to 1.
        targets: (N,) class numbers.

    Returns:
        ``accuracy``, ``balanced_accuracy`` (mean recall of the classes that occur), ``auc`` (area under the ROC curve;
        of more than two classes the mean of each against the rest), ``log_loss`` in nats, ``ece``.

    Example:
        >>> found = class_metrics(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1]))
        >>> found["accuracy"], found["auc"], round(found["ece"], 2)
        (1.0, 1.0, 0.15)
    """
    right = probabilities.argmax(1) == targets
    counts = np.bincount(targets, minlength=probabilities.shape[1])
    recalls = np.bincount(targets, weights=right, minlength=len(counts))[counts > 0] / counts[counts > 0]
    chosen = probabilities[np.arange(len(targets)), targets]
    return {
        "accuracy": float(right.mean()),
        "balanced_accuracy": float(recalls.mean()),
        "auc": _auc(probabilities, targets, counts),
        "log_loss": float(np.log(1 / np.maximum(chosen, LEAST_LOG)).mean()),
        "ece": calibration_error(probabilities, right),
    }


def _auc(probabilities: Floats, targets: NDArray[np.int64], counts: NDArray[np.int64]) -> float:
    classes = [1] if len(counts) == 2 else range(len(counts))
    areas = [area_under_curve(probabilities[:, c], targets == c) for c in classes if 0 < counts[c] < len(targets)]
    return float(np.mean(areas)) if areas else 0.5


def area_under_curve(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """The chance that a positive example has the higher score, ties counted half (Mann and Whitney 1947).

    Args:
        scores: (N,).
        positive: (N,), of both kinds at least one.

    Example:
        >>> area_under_curve(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
        0.875
    """
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    num_positive = int(positive.sum())
    above = ranks[positive].sum() - num_positive * (num_positive + 1) / 2
    return float(above / (num_positive * (len(scores) - num_positive)))


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
        ``rmse``, ``mae`` and ``r2``, which is 0 for one who always says the mean.

    Example:
        >>> value_metrics(np.array([1.0, 3.0]), np.array([1.0, 2.0]))["mae"]
        0.5
    """
    errors = predicted - targets
    spread = float(((targets - targets.mean(0)) ** 2).sum())
    squares = float((errors**2).sum())
    return {
        "rmse": float(np.sqrt(squares / errors.size)),
        "mae": float(np.abs(errors).mean()),
        "r2": 1.0 - squares / spread if spread > 0 else 0.0,
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
