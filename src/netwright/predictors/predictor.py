"""An accuracy predictor: learns from evaluated architectures of any space, tells others' values with an interval.

    predictor = Predictor(space)
    predictor.fit(architectures, accuracies)       # or update(...), as trials come
    told = predictor.predict(others)               # told.mean, told.lower, told.upper

What is learnt from are statistics of the network's graph, the decisions, and label-free scores where they are given
(`netwright.predictors.inputs`). Architectures that are the same network (canonical ids) are one observation with the
mean of their values, so that no interval is calibrated on a network by its twin. Knows no torch, no trials and no
fidelities: values of one kind go in, and the same come out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from netwright.errors import UsageError, unknown, wrong
from netwright.predictors.average import Average, fit_average
from netwright.predictors.boosting import fit_boosting
from netwright.predictors.conformal import Calibration
from netwright.predictors.forest import fit_forest
from netwright.predictors.graph_process import GraphProcess, fit_process
from netwright.predictors.inputs import Inputs, Reference
from netwright.predictors.model import Arrays, Fit, Lesson, Model
from netwright.predictors.score_ranks import Scores
from netwright.predictors.target_scale import TargetScale
from netwright.predictors.trees import Trees
from netwright.types import Architecture

if TYPE_CHECKING:
    from netwright.space import SearchSpace

DEFAULT = "average"
"""On NAS-Bench-201, CIFAR-10, about .01 of Kendall's tau above ``process`` with 20, 50 and 100 labels; not compared
elsewhere yet (`benchmarks/predictors_nb201.py`)."""

FEWEST = 4
"""Different networks below which nothing is learnt."""


@dataclass(frozen=True)
class Kind:
    """How a kind of model is fitted and read."""

    fit: Fit
    read: Callable[[Arrays, int], Model]


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "average": Kind(fit_average, Average.read),
        "boosting": Kind(fit_boosting, Trees.read),
        "forest": Kind(fit_forest, Trees.read),
        "process": Kind(fit_process, GraphProcess.read),
    }
)


@dataclass(frozen=True, eq=False)
class Prediction:
    """Values that are expected of architectures.

    Args:
        mean: shape (n,).
        lower: lower end of the interval, shape (n,); minus infinity where too few observations are known to bound it.
        upper: upper end, shape (n,).
        coverage: share of the values that intervals hold, on average over architectures like those observed.
    """

    mean: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    coverage: float


@runtime_checkable
class AccuracyPredictor(Protocol):
    """What the ladder needs of a predictor; `Predictor` is ours."""

    def fit(self, architectures: Sequence[Architecture], values: Sequence[float] | np.ndarray) -> None:
        """Learn from these alone, larger or smaller being better, as it may be."""

    def update(self, architectures: Sequence[Architecture], values: Sequence[float] | np.ndarray) -> None:
        """Learn from these beside what is known."""

    def predict(self, architectures: Sequence[Architecture], coverage: float = 0.9) -> Prediction:
        """What architectures are expected to score."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """What observations taught.

    Args:
        scale: of the values.
        model: of the targets.
        calibration: of its intervals.
    """

    scale: TargetScale
    model: Model
    calibration: Calibration


class Predictor:
    """A predictor over the statistics of an architecture's graph; see `AccuracyPredictor`.

    Nothing is fitted before a prediction is asked for, so that trials may come one by one; then everything is fitted
    anew, in a second or two with 400 observations.

    Args:
        space: of the architectures.
        kind: of `KINDS`: ``process`` (Gaussian process), ``boosting``, ``forest``, or ``average`` of the first two.
        seed: decides all that is drawn.
        scores: tells label-free scores of an architecture; None without them. It is asked about 128 random
            architectures as well as about all that come.
        inputs: of the same space and scores, where several predictors share what they see; made by default.

    Raises:
        UsageError: there is no such kind, or the seed is negative.
        MissingDependencyError: scikit-learn is not installed (in `predict`); the kind ``process`` needs none.

    Example:
        >>> from netwright.testing import cell_space
        >>> space, rng = cell_space(), np.random.default_rng(0)
        >>> cells = list(dict.fromkeys(space.sample(rng) for _ in range(40)))
        >>> predictor = Predictor(space, kind="process")
        >>> predictor.fit(cells[:30], [sum(v == "nor_conv_3x3" for v in cell.values()) / 6 for cell in cells[:30]])
        >>> told = predictor.predict(cells[30:])
        >>> bool((told.lower < told.mean).all()), told.coverage
        (True, 0.9)
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        kind: str = DEFAULT,
        seed: int = 0,
        scores: Scores | None = None,
        inputs: Inputs | None = None,
    ) -> None:
        if kind not in KINDS:
            raise UsageError(unknown("kind of predictor", kind, KINDS))
        if seed < 0:
            raise UsageError(wrong("seed", seed, "a whole number >= 0"))
        self.kind = kind
        self.seed = seed
        self.space = space
        self._scores = scores
        self._inputs = inputs
        self._architectures: list[Architecture] = []
        self._values: list[float] = []
        self._learnt: Learnt | None = None

    def __len__(self) -> int:
        return len(self._values)

    @property
    def observations(self) -> tuple[tuple[Architecture, ...], tuple[float, ...]]:
        """Architectures and values it learns from, in the order they came."""
        return tuple(self._architectures), tuple(self._values)

    def fit(self, architectures: Sequence[Architecture], values: Sequence[float] | np.ndarray) -> None:
        """Forget what is known, and learn from these.

        Args:
            architectures: of the space; one may come twice.
            values: finite, one for each.

        Raises:
            SpaceError: an architecture is not in the space.
            UsageError: a value is no finite number, or there are not as many as architectures.
        """
        checked = self._checked(architectures, values)
        self._architectures, self._values, self._learnt = list(architectures), checked, None

    def update(self, architectures: Sequence[Architecture], values: Sequence[float] | np.ndarray) -> None:
        """Learn from these too; arguments and errors are those of `fit`."""
        checked = self._checked(architectures, values)
        if checked:
            self._architectures.extend(architectures)
            self._values.extend(checked)
            self._learnt = None

    def predict(self, architectures: Sequence[Architecture], coverage: float = 0.9) -> Prediction:
        """What architectures are expected to score.

        Args:
            architectures: of the space, shape (n,).
            coverage: share of the values that the intervals shall hold, in (0, 1).

        Raises:
            SpaceError: an architecture is not in the space.
            UsageError: fewer than four different networks are known, or the coverage is not in (0, 1).
        """
        learnt = self.learnt()
        rows = self.inputs.rows(architectures) if len(architectures) else np.zeros((0, self._num_columns()))
        mean, spread = learnt.model.predict(rows)
        half = learnt.calibration.half_width(spread, coverage)
        to_values = learnt.scale.to_values
        return Prediction(to_values(mean), to_values(mean - half), to_values(mean + half), coverage)

    @property
    def inputs(self) -> Inputs:
        """What architectures are seen as; made when it is first needed."""
        if self._inputs is None:
            self._inputs = Inputs(self.space, self.seed, self._scores)
        return self._inputs

    def learnt(self) -> Learnt:
        """What the observations teach, fitted if it is not yet.

        Raises:
            UsageError: fewer than four different networks are known.
        """
        if self._learnt is None:
            self._learnt = self._fit()
        return self._learnt

    def restore(
        self, reference: Reference, learnt: Learnt, architectures: Sequence[Architecture], values: Sequence[float]
    ) -> None:
        """Take over what another predictor of the same space learnt (`netwright.predictors.files`).

        Raises:
            SpaceError: an architecture is not in the space.
            UsageError: a value is no finite number, or the scores are not those it learnt from.
        """
        inputs = Inputs(self.space, self.seed, self._scores, reference)
        self.fit(architectures, values)
        self._inputs, self._learnt = inputs, learnt

    def _num_columns(self) -> int:
        return sum(len(block) for block in self.inputs.blocks)

    def _checked(self, architectures: Sequence[Architecture], values: Sequence[float] | np.ndarray) -> list[float]:
        if len(architectures) != len(values):
            raise UsageError(wrong("values", len(values), f"as many as there are architectures ({len(architectures)})"))
        for architecture in architectures:
            self.space.canonical_id(architecture)  # says what is wrong with it
        numbers = [float(value) for value in values]
        for place, number in enumerate(numbers):
            if not np.isfinite(number) or abs(number) > 1e100:
                cure = "leave out trials that failed"
                raise UsageError(wrong(f"values[{place}]", number, "a finite number below 1e100 in size", cure))
        return numbers

    def _fit(self) -> Learnt:
        firsts: dict[str, int] = {}
        ids = [self.space.canonical_id(architecture) for architecture in self._architectures]
        for place, network in enumerate(ids):
            firsts.setdefault(network, place)
        if len(firsts) < FEWEST:
            got = f"{len(firsts)} different networks"
            raise UsageError(wrong("observations", got, f"of at least {FEWEST}", "evaluate more before predicting"))
        place_of = {network: place for place, network in enumerate(firsts)}
        groups = np.array([place_of[network] for network in ids])
        values = np.bincount(groups, weights=self._values) / np.bincount(groups)
        scale = TargetScale.of(values)
        rows = self.inputs.rows([self._architectures[place] for place in firsts.values()])
        lesson = Lesson(rows, scale.to_targets(values), self.inputs.blocks)
        model, left_out = KINDS[self.kind].fit(lesson, np.random.default_rng(self.seed))
        return Learnt(scale, model, Calibration.of(lesson.targets, left_out))
