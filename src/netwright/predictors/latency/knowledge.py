"""What is known before a device is measured: descriptors of the space, other devices, and the models that may be.

A model is a sum of parts (`MODELS`), each of them a function of an architecture that is drawn anew for each device:
a mixture of other devices, sums over the blocks of `Descriptors`, and what is left, smooth over decisions. Latencies
are relative to a scale, and to the average of the other devices. Knows no measurements of the device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import DataError, wrong
from netwright.predictors.latency.descriptors import Descriptors, Sizes
from netwright.predictors.latency.devices import relative_functions, with_constant
from netwright.predictors.latency.process import Expectation
from netwright.predictors.latency.tables import LatencyTable
from netwright.types import Architecture

if TYPE_CHECKING:
    from netwright.space import SearchSpace

TYPICAL_VARIANCE = 0.1
"""Of relative latencies over a space, where no other device says it."""

LEAST_VARIANCE = 1e-4
LEAST_AVERAGE = 0.05

CONSTANT, DEVICES, RESIDUAL, NOISE = "constant", "devices", "residual", "noise"

TRANSFER = {"sizes": 0.02, "choices": 0.02, "operations": 0.02, "decisions": 0.02}
ALONE = {"sizes": 0.5, "choices": 0.3, "operations": 0.1, "decisions": 0.2}
SMOOTH = {RESIDUAL: 0.05}

MODELS: Mapping[str, Mapping[str, float]] = {
    "transfer": {DEVICES: 1.0, **TRANSFER},
    "additive": ALONE,
    "transfer+residual": {DEVICES: 1.0, **TRANSFER, **SMOOTH},
    "additive+residual": {**ALONE, **SMOOTH},
}
"""Parts of each model and where their variances are expected: that of devices in variances of a device drawn from the
known ones, those of others in variances of relative latency over the space. The first usable one is the default."""

CONSTANT_VARIANCE = 0.1
NOISE_SHARE = 0.05
SPREAD = {CONSTANT: 0.5, DEVICES: 0.7, NOISE: 1.5}
OTHER_SPREAD = 1.0
"""Standard deviations of the logarithms of the variances."""


class Knowledge:
    """Descriptors of a space and functions of other devices.

    Args:
        space: of the architectures.
        tables: of other devices, of any size and with any architectures of the space.
        sizes: tells sizes of an architecture (multiply-adds, parameters, activations); None where none are known.
        seed: of the random architectures that blocks are scaled over.

    Attributes:
        devices: names of the other devices.
        functions: of `relative_functions`, shape (d + 1, devices).
        variance: of relative latencies over the space.

    Raises:
        DataError: two tables are of the same device, or a size is not finite.
    """

    def __init__(
        self, space: SearchSpace, tables: Sequence[LatencyTable] = (), sizes: Sizes | None = None, *, seed: int = 0
    ) -> None:
        self.seed = seed
        self.devices = tuple(table.device for table in tables)
        if len(set(self.devices)) < len(self.devices):
            cure = "join tables of one device, or name its settings apart"
            raise DataError(wrong("devices of the tables", list(self.devices), "different", cure))
        self.descriptors = Descriptors(space, sizes, seed=seed)
        self.restore(self.devices, relative_functions(self.descriptors, tables))

    def restore(self, devices: Sequence[str], functions: np.ndarray) -> None:
        """Take devices and their functions as they are, such as stored ones.

        Args:
            devices: their names.
            functions: of `relative_functions`, shape (d + 1, devices).
        """
        self.devices, self.functions = tuple(devices), functions
        told = with_constant(self.descriptors.reference) @ functions
        spread = float(np.square(told - told.mean(axis=0)).mean()) if functions.shape[1] else TYPICAL_VARIANCE
        self.variance = max(spread, LEAST_VARIANCE)

    def without(self, devices: Sequence[str]) -> Knowledge:
        """The same, less some devices.

        Args:
            devices: names; those that are not among the known ones change nothing.
        """
        kept = [place for place, name in enumerate(self.devices) if name not in devices]
        other = copy(self)
        other.restore([self.devices[place] for place in kept], self.functions[:, kept])
        return other

    def models(self) -> list[str]:
        """Names of the models that can be, the default first."""
        usable = bool(self.devices) and self.variance > LEAST_VARIANCE
        return [name for name, parts in MODELS.items() if usable or DEVICES not in parts]

    def expectation(self, model: str) -> Expectation:
        """Where the variances of a model's parts, and that of noise, are expected."""
        variances = [CONSTANT_VARIANCE]
        for part, share in self._parts(model).items():
            variances.append(share if part == DEVICES else share * self.variance)
        variances.append(NOISE_SHARE * self.variance)
        names = [CONSTANT, *self._parts(model), NOISE]
        return Expectation(np.log(variances), np.array([SPREAD.get(name, OTHER_SPREAD) for name in names]))

    def rows(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """What the functions below take, shape (n, d)."""
        return self.descriptors.rows(architectures)

    def average(self, rows: np.ndarray) -> np.ndarray:
        """Latency over mean latency, of the average device; shape (n,)."""
        if not self.functions.shape[1]:
            return np.ones(len(rows))
        told = 1 + (with_constant(rows) @ self.functions).mean(axis=1)
        return np.asarray(np.maximum(told, LEAST_AVERAGE))

    def kernels(self, model: str, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Of each part of a model, shape (p, m, n).

        Args:
            model: a name of `MODELS`.
            left: rows of m architectures.
            right: rows of n architectures.
        """
        found = [np.ones((len(left), len(right)))]
        for part in self._parts(model):
            a, b = self._features(part, left), self._features(part, right)
            found.append(np.exp(-_squared_distances(a, b)) if part == RESIDUAL else a @ b.T)
        return np.stack(found)

    def own_kernels(self, model: str, rows: np.ndarray) -> np.ndarray:
        """Of each part, between each architecture and itself; shape (p, m)."""
        found = [np.ones(len(rows))]
        for part in self._parts(model):
            squares = np.square(self._features(part, rows)).sum(axis=1)
            found.append(np.ones(len(rows)) if part == RESIDUAL else squares)
        return np.stack(found)

    def _parts(self, model: str) -> dict[str, float]:
        slices = self.descriptors.slices
        return {p: share for p, share in MODELS[model].items() if p in slices or p in (DEVICES, RESIDUAL)}

    def _features(self, part: str, rows: np.ndarray) -> np.ndarray:
        if part == DEVICES:
            return np.asarray(with_constant(rows) @ self.functions / np.sqrt(self.functions.shape[1]))
        return rows[:, self.descriptors.slices["decisions" if part == RESIDUAL else part]]


def _squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Half of them: two random architectures are at a mean of 1; shape (m, n)."""
    norms = np.square(left).sum(axis=1)[:, None] + np.square(right).sum(axis=1)
    return np.asarray(np.maximum(norms - 2 * left @ right.T, 0.0) / 2)
