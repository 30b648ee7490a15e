"""Gradient-boosted trees as a surrogate, whose doubt is calibrated on observations they did not see.

Several boosted models are fitted, those of a cross-validation that is repeated. Their mean is the prediction. How wrong
the models that left an observation out were about it, relative to how much they disagreed, says by how much the
disagreement has to be multiplied for an interval to hold nine of ten scores: the standard deviation is that of a normal
distribution with this interval. Such errors are larger than those to be expected, as fewer models saw fewer
observations; both are measured and taken off. The trees are scikit-learn's. Knows no strategy and no acquisition.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import MissingDependencyError
from netwright.predictors.features import Features
from netwright.predictors.surrogate import CannotLearn

if TYPE_CHECKING:
    from sklearn.ensemble import GradientBoostingRegressor

FOLDS = 5
"""Parts of the observations; a model sees all but one."""

ROUNDS = 3
"""How often observations are divided, and so how many models leave each of them out."""

HALVINGS = 2
"""How often observations are divided into halves, for models that only tell what more observations are worth."""

FASTEST = 1.0
"""Largest power of the number of observations by which errors are believed to fall."""

SMOOTHING = 6.0
"""Weight of the mean disagreement beside that of a few models about one observation, which is a noisy number: with it
alone some relative errors are huge, and intervals too wide."""

NUM_TREES = 20
RATE = 0.2
DEPTH = 3
FEATURES_A_SPLIT = 0.1

COVERAGE = 0.9
"""Of the intervals that are calibrated."""

HALF_WIDTH = 1.6448536269514722
"""Standard deviations from the mean to the ends of a normal distribution's 90 % interval."""

FEWEST = 3
LEAST_STD = 1e-2


class BoostedTrees:
    """Boosted trees over `Features.rows`; see `netwright.predictors.surrogate.Surrogate`.

    Args:
        features: of the architectures.
        rng: which observations each model sees, and the features it splits by.

    Raises:
        MissingDependencyError: scikit-learn is not installed.

    References:
        J. Friedman, 2001, "Greedy Function Approximation: A Gradient Boosting Machine", algorithm 1.
        R. Barber, E. Candes, A. Ramdas and R. Tibshirani, 2021, "Predictive Inference with the Jackknife+", section 3:
        residuals of cross-validation, CV+. J. Lei et al., 2018, "Distribution-Free Predictive Inference for
        Regression", section 5.2: residuals relative to a local scale, so that intervals are wide where little is known.
        Deviations of ours: the interval is around the mean of all models, as in the plain jackknife, so that it has a
        standard deviation; the local scale is the models' disagreement and its mean. Residuals are shortened, on
        average over the observations, by what a mean of all models is less noisy than one of those that left an
        observation out (`less_noise`), and by what the observations left out are worth, which models of halves tell
        (`learning_power`). Without that intervals of 90 % held 92 to 95 %.
    """

    def __init__(self, features: Features, rng: np.random.Generator) -> None:
        require_sklearn("a surrogate of boosted trees")
        self._features = features
        self._rng = rng
        self._columns = np.zeros(0, dtype=np.intp)
        self._fitted_to = (np.zeros(0, dtype=np.intp), np.zeros(0))
        self._models: list[GradientBoostingRegressor] = []
        self._floor = 0.0
        self._factor = 1.0

    def tune(self, numbers: np.ndarray, targets: np.ndarray) -> None:
        left_out = self._fit(numbers, targets)
        errors, variance = errors_of(self._predictions(numbers), left_out, targets)
        self._floor = SMOOTHING * float(variance.mean()) + LEAST_STD**2
        relative = errors / np.sqrt(variance + self._floor)
        shortened = less_noise(errors, variance, ROUNDS, len(left_out)) * self._more_data(
            numbers, targets, errors, variance
        )
        self._factor = shortened * conformal_quantile(relative, COVERAGE) / HALF_WIDTH

    def condition(self, numbers: np.ndarray, targets: np.ndarray) -> None:
        if not all(np.array_equal(a, b) for a, b in zip(self._fitted_to, (numbers, targets), strict=True)):
            self._fit(numbers, targets)

    def predict(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        predicted = self._predictions(numbers)
        spread = np.sqrt(predicted.var(axis=0, ddof=1) + self._floor)
        return predicted.mean(axis=0), np.maximum(self._factor * spread, LEAST_STD)

    def _fit(self, numbers: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Fit the models; returns which observations each left out, shape (models, n)."""
        if len(numbers) < FEWEST:
            raise CannotLearn(f"{len(numbers)} observations are too few for boosted trees")
        rows = self._features.rows(numbers)
        self._columns = np.flatnonzero(np.ptp(rows, axis=0) > 0)
        left_out = self._leave_out(len(numbers), FOLDS, ROUNDS)
        self._models = self._fitted(self._inputs(numbers), targets, left_out)
        self._fitted_to = (numbers.copy(), targets.copy())
        return left_out

    def _fitted(self, rows: np.ndarray, targets: np.ndarray, left_out: np.ndarray) -> list[GradientBoostingRegressor]:
        from sklearn.ensemble import GradientBoostingRegressor

        models = []
        for absent in left_out:
            model = GradientBoostingRegressor(
                n_estimators=NUM_TREES,
                learning_rate=RATE,
                max_depth=DEPTH,
                max_features=FEATURES_A_SPLIT,
                random_state=int(self._rng.integers(2**31)),
            )
            models.append(model.fit(rows[~absent], targets[~absent]))
        return models

    def _leave_out(self, count: int, folds: int, rounds: int) -> np.ndarray:
        """Which observations each model does not see; shape (models, n)."""
        parts = [self._rng.permutation(count) % folds for _ in range(rounds)]
        return np.concatenate([part == np.arange(folds)[:, None] for part in parts])

    def _more_data(self, numbers: np.ndarray, targets: np.ndarray, errors: np.ndarray, variance: np.ndarray) -> float:
        """By what errors of models that saw all but one part are multiplied to be those of models that see all.

        Models of halves tell by which power of the number of observations errors fall.
        """
        rows, halves = self._inputs(numbers), self._leave_out(len(numbers), 2, HALVINGS)
        models = self._fitted(rows, targets, halves)
        of_halves = errors_of(np.stack([model.predict(rows) for model in models]), halves, targets)
        seen = 1 - 1 / FOLDS
        power = learning_power(biased(*of_halves, HALVINGS), biased(errors, variance, ROUNDS), seen / 0.5)
        return float(seen**power)

    def _inputs(self, numbers: np.ndarray) -> np.ndarray:
        """Features that differ among the observed; one of zeros where none does."""
        rows = self._features.rows(numbers)[:, self._columns]
        return rows if rows.shape[1] else np.zeros((len(numbers), 1), np.float32)

    def _predictions(self, numbers: np.ndarray) -> np.ndarray:
        inputs = self._inputs(numbers)
        return np.stack([model.predict(inputs) for model in self._models])


def require_sklearn(purpose: str) -> None:
    """Check that boosted trees can be fitted.

    Raises:
        MissingDependencyError: scikit-learn is not installed.
    """
    if find_spec("sklearn") is None:
        raise MissingDependencyError("scikit-learn", "predictors", purpose)


def errors_of(predictions: np.ndarray, left_out: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Errors of the mean of the models that left an observation out, and the variance among them; each of shape (n,).

    Targets are ranks, and those of new architectures end where those of the observed end. Therefore both target and
    prediction are carried to the scale that ranks without the observation have (`without`): on that of all ranks the
    best one is farther off than anything its models could know of.

    Args:
        predictions: shape (models, n).
        left_out: which observations each model did not see, shape (models, n); each by two models at least.
        targets: shape (n,), n >= 2.
    """
    unseen = np.ma.masked_array(predictions, mask=~left_out)
    ended, predicted = without(targets, unseen.mean(axis=0).filled(0.0))
    return np.abs(ended - predicted), unseen.var(axis=0, ddof=1).filled(0.0)


def without(targets: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions as they were if each observation in turn were not among those that make the scale.

    Args:
        targets: shape (n,), n >= 2.
        predicted: of each by models that did not see it, shape (n,).

    Returns:
        Two arrays of shape (n,): the others' targets are spread as all were, what lies between two stays between them.

    Example:
        >>> ended, predicted = without(np.array([-2.0, 0.0, 2.0]), np.array([0.0, 0.0, 0.0]))
        >>> ended.round(3).tolist(), predicted.round(3).tolist()
        ([-1.5, 0.0, 1.5], [-1.5, 0.0, 1.5])
    """
    count, order = len(targets), np.argsort(targets, kind="stable")
    ordered = targets[order]
    spread = np.interp((np.arange(count - 1) + 0.5) / (count - 1), (np.arange(count) + 0.5) / count, ordered)
    ended, carried = np.empty(count), np.empty(count)
    for place, number in enumerate(order.tolist()):
        others = np.delete(ordered, place)
        ended[number], carried[number] = np.interp([targets[number], predicted[number]], others, spread)
    return ended, carried


def biased(errors: np.ndarray, variance: np.ndarray, few: int) -> float:
    """Mean square that errors of a mean of a few models would have if the models were innumerable."""
    return float(np.square(errors).mean() - variance.mean() / few)


def learning_power(small: float, large: float, times: float) -> float:
    """The power of the number of observations by which errors fall; in [0, `FASTEST`].

    Args:
        small: mean square of the errors of models of few observations.
        large: that of models of more.
        times: how many more those are, > 1.

    Example:
        >>> learning_power(4.0, 2.0, 4.0)
        0.25
    """
    if min(small, large) <= 0:
        return 0.0
    return float(np.clip(0.5 * np.log(small / large) / np.log(times), 0.0, FASTEST))


def less_noise(errors: np.ndarray, variance: np.ndarray, few: int, all_of_them: int) -> float:
    """By what errors of a mean of a few models are multiplied to be those of a mean of all models; in [0.5, 1].

    Args:
        errors: of the mean of a few models, shape (n,).
        variance: among these models, shape (n,).
        few: how many they are.
        all_of_them: how many models there are.

    Example:
        >>> less_noise(np.array([1.0]), np.array([1.0]), 2, 4)
        0.8660254037844386
    """
    excess = float(variance.mean()) * (1 / few - 1 / all_of_them)
    squared = float(np.square(errors).mean())
    return float(np.sqrt(max(0.25, 1 - excess / squared))) if squared > 0 else 1.0


def conformal_quantile(errors: np.ndarray, coverage: float) -> float:
    """The error that a further one does not exceed with the given probability; the largest where they are too few.

    Args:
        errors: exchangeable, >= 0, shape (n,), n >= 1.
        coverage: in (0, 1).

    Example:
        >>> conformal_quantile(np.arange(1.0, 20.0), 0.9)
        18.0

    References:
        V. Vovk, A. Gammerman and G. Shafer, 2005, "Algorithmic Learning in a Random World": the ceil(coverage (n + 1))
        smallest. Deviations of ours: between two errors it is interpolated, so that the probability is right on average
        and not at least so large; for fewer than 9 errors and nine of ten theirs is infinite, and we take the largest.
    """
    place = coverage * (len(errors) + 1)
    return float(np.interp(place, np.arange(len(errors) + 1), np.concatenate([[0.0], np.sort(errors)])))
