"""The mean of several models: smooth and stepwise ones are wrong about different networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netwright.predictors.boosting import fit_boosting
from netwright.predictors.conformal import LeftOut
from netwright.predictors.graph_process import GraphProcess, fit_process
from netwright.predictors.model import Arrays, Lesson, Model
from netwright.predictors.trees import Trees

PROCESS, TREES = "process.", "trees."


@dataclass(frozen=True, eq=False)
class Average:
    """A Gaussian process and boosted trees, each for a half; see `netwright.predictors.model.Model`.

    Args:
        process: the smooth one.
        trees: the stepwise one.
    """

    process: GraphProcess
    trees: Trees

    def predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        both = averaged([LeftOut(*model.predict(rows)) for model in self._models()])
        return both.mean, both.spread

    def arrays(self) -> Arrays:
        named = zip((PROCESS, TREES), self._models(), strict=True)
        return {prefix + name: array for prefix, model in named for name, array in model.arrays().items()}

    def _models(self) -> tuple[Model, Model]:
        return self.process, self.trees

    @classmethod
    def read(cls, arrays: Arrays, num_columns: int) -> Average:
        """An average of arrays that somebody else may have written.

        Raises:
            DataError: they do not fit together.
        """
        process, trees = (
            {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            for prefix in (PROCESS, TREES)
        )
        return cls(GraphProcess.read(process, num_columns), Trees.read(trees, num_columns))


def fit_average(lesson: Lesson, rng: np.random.Generator) -> tuple[Average, LeftOut]:
    """Fit both.

    Args:
        lesson: what to learn.
        rng: source of randomness.

    Raises:
        MissingDependencyError: scikit-learn is not installed.
    """
    trees, of_trees = fit_boosting(lesson, rng)
    process, of_process = fit_process(lesson, rng)
    return Average(process, trees), averaged([of_process, of_trees])


def averaged(told: Sequence[LeftOut]) -> LeftOut:
    """Mean of the means, and root of the mean square of the spreads."""
    mean = np.mean([one.mean for one in told], axis=0)
    return LeftOut(mean, np.sqrt(np.mean([one.spread**2 for one in told], axis=0)))
