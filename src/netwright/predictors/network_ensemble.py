"""An ensemble of small neural networks as a surrogate: their mean is the prediction, their disagreement the doubt.

All members are trained at once, each weight being an array with a first axis of members, by the same steps. What tells
them apart is where they begin, and which part of the observations each does not see. Their errors there say how much
their disagreement, which is always too small, has to be multiplied. Training of the whole ensemble takes tens of
milliseconds. It knows no strategy and no acquisition.

Shapes: E members, N observations, D features, H units of a layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from netwright.errors import UsageError, wrong
from netwright.predictors.features import Features
from netwright.predictors.surrogate import CannotLearn

WIDTHS = (32, 32)
"""Units of the hidden layers."""

EPOCHS = 100
"""Steps of training when the ensemble is tuned: each on all observations."""

MORE_EPOCHS = 15
"""Steps that a tuned ensemble is trained on when it is conditioned on other observations."""

RATE = 0.01
DECAY = 3.0
"""Rate of weight decay, relative to the learning rate: strong, since there are more weights than observations."""

MOMENTS = (0.9, 0.999)
TINY = 1e-8

LEAST_STD = 1e-2
"""Standard deviation at least: members may agree, and still none of them is the truth."""

Weights = list[np.ndarray]
"""For each layer the matrix (E, D, H) and then the bias (E, 1, H)."""


class NetworkEnsemble:
    """Networks of a few dense layers over `Features.rows`; see `netwright.predictors.surrogate.Surrogate`.

    Args:
        features: of the architectures.
        rng: where members begin, and what each does not see.
        num_members: E, >= 2.

    Raises:
        UsageError: there are fewer than two members.

    References:
        C. White, W. Neiswanger and Y. Savani, 2021, "BANANAS", section 4: 5 networks, mean and standard deviation of
        their predictions, absolute errors. Deviations of ours: 2 layers of 32 units instead of 10 of 20, which learn
        the same from 150 observations and take a tenth of the time; features are operations and decisions beside
        paths; the targets are ranks, so the error is not relative to the target; each member leaves out a part of the
        observations, and the standard deviation is scaled to the errors there; an ensemble that was tuned is trained
        on instead of anew for each proposal.
        B. Lakshminarayanan, A. Pritzel and C. Blundell, 2017, "Simple and Scalable Predictive Uncertainty Estimation
        Using Deep Ensembles". I. Loshchilov and F. Hutter, 2019, "Decoupled Weight Decay Regularization", algorithm 2.
    """

    def __init__(self, features: Features, rng: np.random.Generator, *, num_members: int = 5) -> None:
        if num_members < 2:
            raise UsageError(wrong("num_members", num_members, ">= 2"))
        self._features = features
        self._rng = rng
        self._num_members = num_members
        self._columns = np.zeros(0, dtype=np.intp)
        self._centre = np.zeros(0, dtype=np.float32)
        self._scale = 1.0
        self._tuned: Weights = []
        self._tuned_on: tuple[np.ndarray, np.ndarray] | None = None
        self._weights: Weights = []
        self._floor = LEAST_STD**2
        self._factor = 1.0

    def tune(self, numbers: np.ndarray, targets: np.ndarray) -> None:
        rows = self._features.rows(numbers)
        self._columns = np.flatnonzero(np.ptp(rows, axis=0) > 0)
        kept = rows[:, self._columns]
        self._centre = kept.mean(axis=0)
        self._scale = float(1 / np.sqrt(kept.var(axis=0).mean())) if len(self._columns) else 1.0
        begin = self._fresh(len(self._columns))
        seen = self._seen_by(len(numbers))
        self._tuned = self._weights = self._trained(begin, numbers, targets, seen, EPOCHS)
        self._tuned_on = (numbers.copy(), targets.copy())
        self._calibrate(numbers, targets, seen)

    def condition(self, numbers: np.ndarray, targets: np.ndarray) -> None:
        if self._tuned_on is None:
            raise CannotLearn("an ensemble is tuned before it is conditioned")
        same = all(np.array_equal(a, b) for a, b in zip(self._tuned_on, (numbers, targets), strict=True))
        if same:
            self._weights = self._tuned
        else:
            seen = self._seen_by(len(numbers))
            self._weights = self._trained(self._tuned, numbers, targets, seen, MORE_EPOCHS)

    def predict(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        predicted = self._predictions(numbers)
        spread = np.sqrt(predicted.var(axis=0, ddof=1) + self._floor)
        return predicted.mean(axis=0), np.maximum(self._factor * spread, LEAST_STD)

    def _calibrate(self, numbers: np.ndarray, targets: np.ndarray, seen: np.ndarray) -> None:
        """Find what the disagreement is multiplied by, so that its square is that of the errors on the unseen."""
        predicted = self._predictions(numbers)
        errors = np.square(predicted - targets)[~seen]
        variance = predicted.var(axis=0, ddof=1)
        self._floor = float(variance.mean()) + LEAST_STD**2
        self._factor = float(np.sqrt(errors.mean() / (variance + self._floor).mean()))

    def _predictions(self, numbers: np.ndarray) -> np.ndarray:
        """Of each member, shape (E, n)."""
        return outputs(self._weights, self._inputs(numbers))[-1][:, :, 0].astype(np.float64)

    def _seen_by(self, count: int) -> np.ndarray:
        """Which observations each member is trained on: all but its own part; shape (E, n)."""
        parts = self._rng.permutation(count) % self._num_members
        return np.asarray(parts != np.arange(self._num_members)[:, None])

    def _inputs(self, numbers: np.ndarray) -> np.ndarray:
        """Features that differ among the observed, shape (n, D): of mean 0, and all together of variance 1.

        Those that seldom differ stay as small as they are, or each rare path would be minded as much as a decision.
        """
        return (self._features.rows(numbers)[:, self._columns] - self._centre) * np.float32(self._scale)

    def _fresh(self, num_inputs: int) -> Weights:
        """Random weights (He et al. 2015, equation 10), biases 0."""
        weights: Weights = []
        for fan_in, fan_out in pairwise((num_inputs, *WIDTHS, 1)):
            drawn = self._rng.normal(0, np.sqrt(2 / max(1, fan_in)), (self._num_members, fan_in, fan_out))
            weights += [drawn.astype(np.float32), np.zeros((self._num_members, 1, fan_out), np.float32)]
        return weights

    def _trained(
        self, begin: Weights, numbers: np.ndarray, targets: np.ndarray, seen: np.ndarray, epochs: int
    ) -> Weights:
        """Weights after so many steps of Adam from where they begin.

        Raises:
            CannotLearn: the training diverged.
        """
        inputs, wanted = self._inputs(numbers), targets.astype(np.float32)
        minds = (seen / np.maximum(1, seen.sum(axis=1, keepdims=True))).astype(np.float32)
        weights = [w.copy() for w in begin]
        adam = Adam(weights)
        with np.errstate(over="ignore", invalid="ignore"):
            for epoch in range(epochs):
                slopes = gradients(weights, inputs, wanted, minds)
                adam.step(weights, slopes, RATE * (1 - epoch / epochs))
        if not all(np.isfinite(w).all() for w in weights):
            raise CannotLearn(f"training on {len(numbers)} observations diverged")
        return weights


def outputs(weights: Sequence[np.ndarray], inputs: np.ndarray) -> list[np.ndarray]:
    """What each layer gives, the last without a rectifier; arrays of shape (E, N, H).

    Args:
        weights: matrices and biases, alternating.
        inputs: shape (N, D).
    """
    layers: list[np.ndarray] = []
    last = len(weights) // 2 - 1
    for layer, (matrix, bias) in enumerate(layers_of(weights)):
        signal = np.matmul(layers[-1] if layers else inputs, matrix) + bias
        layers.append(signal if layer == last else np.maximum(signal, 0))
    return layers


def layers_of(weights: Sequence[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Matrix and bias of each layer."""
    return zip(weights[::2], weights[1::2], strict=True)


def gradients(
    weights: Sequence[np.ndarray], inputs: np.ndarray, targets: np.ndarray, minds: np.ndarray
) -> list[np.ndarray]:
    """Gradients of each member's weighted mean absolute error, one for each of its weights.

    Args:
        weights: as for `outputs`.
        inputs: shape (N, D).
        targets: shape (N,).
        minds: weights of the observations, shape (E, N).
    """
    layers = outputs(weights, inputs)
    slope = (np.sign(layers[-1][:, :, 0] - targets) * minds)[:, :, None]
    slopes: list[np.ndarray] = []
    for layer in range(len(layers) - 1, -1, -1):
        below = layers[layer - 1] if layer else inputs[None]
        slopes += [slope.sum(axis=1, keepdims=True), np.matmul(below.swapaxes(1, 2), slope)]
        if layer:
            slope = np.matmul(slope, weights[2 * layer].swapaxes(1, 2)) * (layers[layer - 1] > 0)
    return slopes[::-1]


class Adam:
    """Steps of Adam with decoupled weight decay, in place.

    Args:
        weights: whose shapes the moments have.
    """

    def __init__(self, weights: Sequence[np.ndarray]) -> None:
        self._moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
        self._steps = 0

    def step(self, weights: Sequence[np.ndarray], slopes: Sequence[np.ndarray], rate: float) -> None:
        """Move the weights against the slopes."""
        self._steps += 1
        keep_mean, keep_square = MOMENTS
        of_mean = rate / (1 - keep_mean**self._steps)
        of_square = 1 / (1 - keep_square**self._steps)
        for weight, slope, (mean, square) in zip(weights, slopes, self._moments, strict=True):
            np.add(keep_mean * mean, (1 - keep_mean) * slope, out=mean)
            np.add(keep_square * square, (1 - keep_square) * slope * slope, out=square)
            moved = of_mean * mean / (np.sqrt(of_square * square) + TINY)
            np.subtract(weight * (1 - rate * DECAY), moved, out=weight)
