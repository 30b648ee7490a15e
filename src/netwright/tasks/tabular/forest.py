"""A gradient-boosted forest on the same rows: the reference that is no network, shown beside a search's result.

scikit-learn's histogram-based boosting, with the number of trees that is best on the validation part. It sees missing
numbers as missing and categories as categories.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.tasks.base import Examples
from netwright.tasks.finishing import Rival
from netwright.tasks.tabular.encoding import Encoding
from netwright.tasks.tabular.metrics import class_metrics, value_metrics

MOST_TREES, MOST_OF_MANY = 300, 100
"""Trees; of more than two classes each has so many."""

WHAT = "gradient-boosted trees (scikit-learn HistGradientBoosting, number of trees chosen on validation)"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Forest:
    """A forest that is fitted and scored.

    Args:
        encoding: of the rows.
        num_classes: 0 for values.
        seed: of the fit.
        learning_rate: of boosting.
        class_weights: of each class in the loss, as that of the networks weighs them; empty where all weigh 1.
    """

    encoding: Encoding
    num_classes: int
    seed: int = 0
    learning_rate: float = 0.1
    class_weights: tuple[float, ...] = ()

    def rival(self, train: Examples, validation: Examples, test: Examples) -> Rival:
        """Fit on the training part, choose the number of trees on validation, score both others."""
        from sklearn import ensemble

        kind = ensemble.HistGradientBoostingClassifier if self.num_classes else ensemble.HistGradientBoostingRegressor
        model = kind(
            max_iter=MOST_OF_MANY if self.num_classes > 2 else MOST_TREES,
            learning_rate=self.learning_rate,
            early_stopping=False,
            categorical_features=self._categorical(),
            random_state=self.seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(self._rows(train[0]), train[1].ravel(), sample_weight=self._weights(train[1]))
            trees = self._best(model, validation)
            metrics = {
                f"{split}_{name}": value
                for split, part in (("validation", validation), ("test", test))
                for name, value in self._scores(model, part, trees).items()
            }
        return Rival("forest", f"{WHAT}: {trees} trees", {**metrics, "trees": float(trees)})

    def _categorical(self) -> list[int] | None:
        first = self.encoding.num_numbers
        return list(range(first, first + len(self.encoding.categories))) or None

    def _rows(self, rows: NDArray[Any]) -> Floats:
        """Rows in which missing numbers are NaN, as trees want them, which find intervals by themselves."""
        found = rows[:, : self.encoding.num_numbers + len(self.encoding.categories)].astype(np.float64)
        place = len(self.encoding.numbers)
        for number, column in enumerate(self.encoding.numbers):
            if column.indicated:
                found[found[:, place] == 1, number] = np.nan
                place += 1
        return found

    def _weights(self, targets: NDArray[Any]) -> Floats | None:
        """Of examples; None where all weigh the same."""
        return np.array(self.class_weights)[targets] if self.class_weights else None

    def _staged(self, model: Any, inputs: Floats) -> Any:
        staged: Callable[[Floats], Any] = model.staged_predict_proba if self.num_classes else model.staged_predict
        return staged(inputs)

    def _best(self, model: Any, validation: Examples) -> int:
        """Number of trees (a class) with the least loss on validation."""
        inputs, targets = self._rows(validation[0]), validation[1].ravel()
        losses, weights = [], self._weights(validation[1])
        for predicted in self._staged(model, inputs):
            if self.num_classes:
                chosen = self._whole(model, predicted)[np.arange(len(targets)), targets]
                losses.append(np.average(-np.log(np.maximum(chosen, 1e-15)), weights=weights))
            else:
                losses.append(((predicted - targets) ** 2).mean())
        return 1 + int(np.argmin(losses))

    def _scores(self, model: Any, part: Examples, trees: int) -> dict[str, float]:
        for number, predicted in enumerate(self._staged(model, self._rows(part[0])), start=1):
            if number == trees:
                if self.num_classes:
                    return class_metrics(self._whole(model, predicted), part[1])
                return value_metrics(predicted, part[1].ravel().astype(np.float64))
        raise AssertionError("there are at least as many trees as were chosen")

    def _whole(self, model: Any, probabilities: Floats) -> Floats:
        """Probabilities of all classes, also of those that the training part does not have."""
        whole = np.zeros((len(probabilities), self.num_classes))
        whole[:, model.classes_.astype(np.int64)] = probabilities
        return whole
