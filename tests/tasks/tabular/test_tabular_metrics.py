"""Metrics of tables against scikit-learn, and the temperature against a search."""

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


@pytest.mark.parametrize("classes", [2, 4])
def test_class_metrics_are_those_of_scikit_learn(classes: int) -> None:
    """Accuracy, balanced accuracy, AUC with ties, log loss."""
    sk = pytest.importorskip("sklearn.metrics")
    logits, targets = answers(classes)
    p = softmax(logits)
    found = class_metrics(p, targets)
    auc = sk.roc_auc_score(targets, p[:, 1] if classes == 2 else p, multi_class="ovr")
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(targets, p.argmax(1)))
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(targets, p.argmax(1)))
    assert found["auc"] == pytest.approx(auc)
    assert found["log_loss"] == pytest.approx(sk.log_loss(targets, p))


def test_value_metrics_are_those_of_scikit_learn() -> None:
    """RMSE, MAE, R2."""
    sk = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=50), rng.normal(size=50)
    found = value_metrics(p, y)
    assert found["rmse"] ** 2 == pytest.approx(sk.mean_squared_error(y, p))
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(y, p))
    assert found["r2"] == pytest.approx(sk.r2_score(y, p))


def test_a_class_that_is_absent_has_no_part_in_the_metrics() -> None:
    """Recall and AUC are means over classes that occur."""
    found = class_metrics(np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]), np.array([0, 1]))
    assert found["balanced_accuracy"] == 1.0
    assert found["auc"] == 1.0


def test_the_temperature_has_the_least_log_loss() -> None:
    """Too sure by a factor of three: the temperature undoes it; neighbours on both sides are worse."""
    logits, targets = answers(3)

    def loss(temperature: float) -> float:
        return class_metrics(softmax(logits / temperature), targets)["log_loss"]

    found = fitted_temperature(logits, targets)
    assert loss(found) <= min(loss(0.97 * found), loss(1.03 * found))
    assert fitted_temperature(3 * logits, targets) == pytest.approx(3 * found, rel=1e-6)
