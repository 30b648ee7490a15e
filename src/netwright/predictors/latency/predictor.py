"""Latency of any architecture on a device, from a few measurements on it and what other devices' tables say.

    knowledge = Knowledge(space, tables_of_other_devices, sizes)
    chosen = choose_to_measure(knowledge, 10, rng)
    predictor = LatencyPredictor.fit(knowledge, LatencyTable.of("my phone", chosen, measured_ms))
    prediction = predictor.predict(architectures)

Which model predicts (with or without other devices, with or without a smooth residual) is decided by leaving each
measurement out. What it predicts is an estimate: what is chosen in the end is measured again.

References:
    H. Lee, S. Lee, S. Chong and S. J. Hwang, 2021, "HELP", section 3: a device is described by few measurements, and
    what other devices teach is adapted to them. Deviation of ours: adapted by Gaussian processes instead of
    meta-learnt networks, in milliseconds of work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from netwright.errors import UsageError, unknown, wrong
from netwright.predictors.boosted_trees import conformal_quantile
from netwright.predictors.latency.knowledge import Knowledge
from netwright.predictors.latency.process import Posterior, fit
from netwright.predictors.latency.tables import LatencyTable
from netwright.types import Architecture

COVERAGE = 0.9
"""Of intervals, by default."""

LEAST_SHARE = 0.05
"""Of the lowest measured latency; predictions below it are bent to stay above 0, in their order."""

CLEARLY = 2.0
"""Standard errors by which a model has to be better than the default one."""

MOST_TUNED = 200
"""Measurements that a model is fitted to at most; evenly spread ones of more."""


@dataclass(frozen=True, slots=True)
class LatencyPrediction:
    """Predicted latencies.

    Args:
        latencies_ms: > 0, shape (m,).
        low_ms: lower ends of the intervals, >= 0, shape (m,).
        high_ms: upper ends, shape (m,).
    """

    latencies_ms: np.ndarray
    low_ms: np.ndarray
    high_ms: np.ndarray


@dataclass(frozen=True)
class LatencyPredictor:
    """A model of latency on one device; made by `fit`.

    Args:
        knowledge: of the space and of other devices.
        table: measurements of the device that it rests on.
        model: name of the one in use, of `Knowledge.models`.
        scale_ms: what latencies are relative to.
        posterior: after the measurements.
        left_out_errors: of each model that was compared, mean absolute error relative to the median latency, each
            measurement predicted by the others.
    """

    knowledge: Knowledge
    table: LatencyTable
    model: str
    scale_ms: float
    posterior: Posterior
    left_out_errors: Mapping[str, float]

    @classmethod
    def fit(cls, knowledge: Knowledge, table: LatencyTable, *, model: str | None = None) -> LatencyPredictor:
        """Learn from measurements.

        Args:
            knowledge: of the space and of other devices.
            table: measurements on the device, one at least.
            model: a name of `Knowledge.models`; by default the one that predicts left-out measurements best.

        Raises:
            UsageError: there is no such model.
            SpaceError: an architecture is not in the space.
        """
        usable = knowledge.models()
        if model is not None and model not in usable:
            raise UsageError(unknown("latency model", model, usable))
        table = _thinned(table)
        rows = knowledge.rows(table.architectures)
        scale_ms, targets = relative(knowledge, table)
        posteriors = {
            name: fit(knowledge.kernels(name, rows, rows), targets, knowledge.expectation(name))
            for name in ([model] if model is not None else usable)
        }
        chosen = best_model(posteriors)
        level = float(np.median(table.values)) / scale_ms
        errors = {
            name: float(np.abs(posterior.left_out()[0] - targets).mean()) / level
            for name, posterior in posteriors.items()
        }
        return cls(knowledge, table, chosen, scale_ms, posteriors[chosen], errors)

    def predict(self, architectures: Sequence[Architecture], *, coverage: float = COVERAGE) -> LatencyPrediction:
        """Latencies of architectures, with intervals that hold a measurement with the given probability.

        Args:
            architectures: m of the space.
            coverage: in (0, 1).

        Raises:
            UsageError: the coverage is not between 0 and 1.
            SpaceError: an architecture is not in the space.
        """
        if not 0 < coverage < 1:
            raise UsageError(wrong("coverage", coverage, "in (0, 1), such as 0.9"))
        rows, measured = self.knowledge.rows(architectures), self.knowledge.rows(self.table.architectures)
        cross = self.knowledge.kernels(self.model, rows, measured)
        mean, variance = self.posterior.predict(cross, self.knowledge.own_kernels(self.model, rows))
        mean += self.knowledge.average(rows)
        half = self._half_width(coverage) * np.sqrt(variance + self.posterior.noise)
        lowest = LEAST_SHARE * float(self.table.values.min()) / self.scale_ms
        centre = _above_zero(mean, lowest)
        low, high = np.maximum(mean - half, 0.0), np.maximum(mean + half, centre)
        return LatencyPrediction(centre * self.scale_ms, np.minimum(low, centre) * self.scale_ms, high * self.scale_ms)

    def _half_width(self, coverage: float) -> float:
        """Half of an interval in standard deviations: that of Student's t, or what left-out measurements needed.

        The larger of the two: variances that were tuned to few measurements are rather too small than too large.
        """
        from scipy.stats import t

        mean, variance = self.posterior.left_out()
        usual = variance - self.posterior.noise * (self.posterior.local - 1)
        off = np.abs(mean - self.posterior.targets) / np.sqrt(np.maximum(usual, 0.5 * self.posterior.noise))
        expected = float(t.ppf((1 + coverage) / 2, max(1, len(off) - 1)))
        return max(expected, conformal_quantile(off, coverage)) if len(off) > 1 else expected


def relative(knowledge: Knowledge, table: LatencyTable) -> tuple[float, np.ndarray]:
    """Scale of a device in ms, and what its latencies over the scale are above the average device, shape (n,)."""
    average = knowledge.average(knowledge.rows(table.architectures))
    scale_ms = float(np.median(table.values / average))
    return scale_ms, table.values / scale_ms - average


def best_model(posteriors: Mapping[str, Posterior]) -> str:
    """The model under which left-out measurements are most probable.

    It is the first one unless another is clearly better, by more than `CLEARLY` standard errors of the difference.

    Args:
        posteriors: of the same measurements by name of the model.
    """
    names = list(posteriors)
    default = names[0]
    if len(posteriors[default].targets) < 3:
        return default
    densities = {name: _log_densities(posterior) for name, posterior in posteriors.items()}
    best, lead = default, 0.0
    for name in names[1:]:
        gain = densities[name] - densities[default]
        clear = float(gain.mean() - CLEARLY * gain.std(ddof=1) / np.sqrt(len(gain)))
        if clear > lead:
            best, lead = name, clear
    return best


def _log_densities(posterior: Posterior) -> np.ndarray:
    """Of each left-out measurement, whose noise is what its own error made it; shape (n,)."""
    mean, variance = posterior.left_out()
    return np.asarray(-0.5 * (np.log(variance) + np.square(posterior.targets - mean) / variance))


def _thinned(table: LatencyTable) -> LatencyTable:
    count = len(table.values)
    if count <= MOST_TUNED:
        return table
    kept = np.linspace(0, count - 1, MOST_TUNED).astype(np.intp).tolist()
    return LatencyTable.of(table.device, [table.architectures[i] for i in kept], table.values[kept].tolist())


def _above_zero(values: np.ndarray, lowest: float) -> np.ndarray:
    """Values, those below ``lowest`` (> 0) bent to stay above 0 in their order."""
    return np.where(values < lowest, lowest / (1 + np.maximum(lowest - values, 0.0) / lowest), values)
