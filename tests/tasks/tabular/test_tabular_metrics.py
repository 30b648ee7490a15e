"""Metrics of tables against their definitions, and the temperature against a search."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.tasks.tabular.metrics import class_metrics, fitted_temperature, value_metrics


def answers(classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, 300)
    logits = np.round(rng.normal(size=(300, classes)) + 1.5 * np.eye(classes)[targets], 1)
    return logits, targets


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


def chance_to_rank(scores: np.ndarray, positive: np.ndarray) -> float:
    """That a positive example has the higher score, ties counted half: what the area under the ROC curve is."""
    higher = np.sign(scores[positive][:, None] - scores[~positive][None])
    return float((higher.mean() + 1) / 2)


@pytest.mark.parametrize("classes", [2, 4])
def test_class_metrics_are_what_they_are_called(classes: int) -> None:
    """Accuracy, balanced accuracy, AUC with ties, log loss, by their definitions."""
    logits, targets = answers(classes)
    p = softmax(logits)
    found = class_metrics(p, targets)
    right = p.argmax(1) == targets
    rows = np.arange(len(targets))
    rest = [chance_to_rank(p[:, c], targets == c) for c in (range(1, 2) if classes == 2 else range(classes))]
    assert found["accuracy"] == pytest.approx(right.mean())
    assert found["balanced_accuracy"] == pytest.approx(np.mean([right[targets == c].mean() for c in range(classes)]))
    assert found["auc"] == pytest.approx(np.mean(rest))
    assert found["log_loss"] == pytest.approx(-np.log(p[rows, targets]).mean())


def test_value_metrics_are_what_they_are_called() -> None:
    """RMSE, MAE, R2, by their definitions; of several values a row over all of them."""
    rng = np.random.default_rng(0)
    for shape in ((50,), (50, 3)):
        y, p = rng.normal(size=shape), rng.normal(size=shape)
        found = value_metrics(p, y)
        assert found["rmse"] == pytest.approx(np.sqrt(((y - p) ** 2).mean()))
        assert found["mae"] == pytest.approx(np.abs(y - p).mean())
        assert found["r2"] == pytest.approx(1 - ((y - p) ** 2).sum() / ((y - y.mean(0)) ** 2).sum())


def test_values_that_are_all_the_same_have_no_r2() -> None:
    """Nothing varies that could be told; one row alone neither."""
    assert value_metrics(np.array([1.0, 2.0]), np.array([1.0, 1.0]))["r2"] == 0.0
    assert value_metrics(np.array([1.0]), np.array([3.0])) == {"rmse": 2.0, "mae": 2.0, "r2": 0.0}


def test_answers_that_are_not_finite_have_no_good_metric() -> None:
    """A training that diverged is told by its metrics, not by an error of a library."""
    p = np.array([[0.5, 0.5], [np.nan, np.nan]])
    assert np.isnan(list(class_metrics(p, np.array([0, 1])).values())).all()
    assert value_metrics(np.array([np.nan, 1.0]), np.ones(2)) == {"rmse": np.inf, "mae": np.inf, "r2": -np.inf}


def test_a_class_that_is_absent_has_no_part_in_the_metrics() -> None:
    """Recall and AUC are means over classes that occur; one that is answered and does not occur counts as wrong."""
    found = class_metrics(np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]), np.array([0, 1]))
    assert found["balanced_accuracy"] == 1.0
    assert found["auc"] == 1.0
    answered = class_metrics(np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]), np.array([0, 1]))
    assert answered["balanced_accuracy"] == 0.5
    alone = class_metrics(np.array([[0.7, 0.3], [0.4, 0.6]]), np.array([0, 0]))
    assert (alone["auc"], alone["balanced_accuracy"]) == (0.5, 0.5)


def test_the_temperature_has_the_least_log_loss() -> None:
    """Too sure by a factor of three: the temperature undoes it; neighbours on both sides are worse."""
    logits, targets = answers(3)

    def loss(temperature: float) -> float:
        return class_metrics(softmax(logits / temperature), targets)["log_loss"]

    found = fitted_temperature(logits, targets)
    assert loss(found) <= min(loss(0.97 * found), loss(1.03 * found))
    assert fitted_temperature(3 * logits, targets) == pytest.approx(3 * found, rel=1e-6)
