"""The tasks ``series-classification`` and ``series-forecasting``.

They know the data, the loss and the metrics; not how networks are trained. A network gets a series or a window as it is
stored, (channels, length), and brings it to a common scale itself, so that exported files need nothing around them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from netwright.errors import DataError, SpecError, shorten, wrong
from netwright.space.terms import OpTerm, Term
from netwright.tasks.base import Direction, Examples, ExportInfo, Reference
from netwright.tasks.batch_size import epochs_of, fitting_batch_size
from netwright.tasks.finishing import Rival
from netwright.tasks.learning import ClassifyingTask, LearningTask, cost_in_pixels
from netwright.tasks.loaded import remembered
from netwright.tasks.narrowing import narrowed
from netwright.tasks.series.reading import Floats, Labelled, classes_of, names_of, read_labelled, read_timeline
from netwright.tasks.series.windows import Windows, cut
from netwright.tasks.splits import TEST_SEED, TEST_SHARE, SplitOptions, stratified_split
from netwright.tasks.tabular.reading import Header
from netwright.tasks.tabular.resolution import divisors
from netwright.types import Architecture, Objective, Value

if TYPE_CHECKING:
    from torch import Tensor

    from netwright.space import SearchSpace

Normalisation = Literal["channel", "series", "none"]
_ENDLESS = (0.0, float("inf"))
_VALUES_AT_ONCE = 1 << 18
"""Of a series array, as float64 numbers beside it."""

_WORK_A_VALUE = 4.0
"""What a step of a series costs beside a pixel."""

_FULL_STEPS = 1500
"""Of a training on few series, after which networks gain little."""

_LEAST_STEPS = 150
"""With fewer networks are ranked badly: forecasts of a straight line are then behind, and would be dropped."""

_MANY_PASSES = 60
"""Over windows, which overlap, are enough where they are more than `_FULL_STEPS` takes."""

_NAMES_SHOWN = 8
"""Of what is forecast."""

_HALVED = 64
"""Examples of a step from which on it is made in two parts: parts of 8 are slower, and noisy in batch norm."""


def _moments(series: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of (N, channels, length), in float64 without a copy of all."""
    mean = series.mean(axis=(0, 2), dtype=np.float64)
    squares = np.zeros(series.shape[1])
    for part in _parts_of(series):
        squares += ((part - mean[:, None]) ** 2).sum(axis=(0, 2))
    std = np.sqrt(squares / (series.shape[0] * series.shape[2]))
    return tuple(mean.tolist()), tuple(divisors(mean, std).tolist())


def _parts_of(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """An array (N, ...) in pieces that lie in memory as they are read; of views each is a copy."""
    step = max(1, _VALUES_AT_ONCE // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), step):
        yield np.ascontiguousarray(array[start : start + step])


def _epochs(count: int) -> float:
    """Passes after which networks gain little: more of few series, and of very few as many as `_FULL_STEPS` take."""
    return float(min(max(200, _epochs_of_few(count)), max(30, round(2.5e5 / count))))


def _epochs_of_few(count: int) -> float:
    """Passes that make `_FULL_STEPS`, where so many examples are few; 0 else."""
    passes = round(epochs_of(_FULL_STEPS, count, fitting_batch_size(count)))
    return float(passes) if passes > _MANY_PASSES else 0.0


def _recipe(count: int, learning_rate: float) -> dict[str, Value]:
    """Adam suits recurrent layers and attention; small steps are made in one part."""
    return {
        "optimizer": "adamw",
        "learning_rate": learning_rate,
        "side_learning_rate": learning_rate,
        "clip_norm": 1.0,
        "shards": 1 if fitting_batch_size(count) < _HALVED else 2,
    }


class SeriesClassification(ClassifyingTask):
    """Which class a series belongs to. Made by `load`."""

    name = "series-classification"
    least_steps = _LEAST_STEPS

    def __init__(
        self,
        train: Examples,
        validation: Examples,
        test: Examples,
        class_names: tuple[str, ...],
        *,
        normalisation: Normalisation = "channel",
        data_name: str = "series",
        seed: int = 0,
        notes: tuple[str, ...] = (),
    ) -> None:
        super().__init__(train, validation, test, class_names, data_name=data_name, seed=seed, notes=notes)
        self.normalisation = normalisation
        self.mean, self.std = _moments(train[0])

    @classmethod
    @remembered
    def load(
        cls,
        data: str | Path,
        *,
        seed: int = 0,
        normalisation: Normalisation = "channel",
        validation_share: float | None = None,
        test_share: float = TEST_SHARE,
    ) -> SeriesClassification:
        """Load series with classes.

        Args:
            data: a ``.npz`` file, a CSV file of lines (class, values), or a folder of such with a file for each part.
            seed: of the validation split.
            normalisation: ``channel`` by the training part's moments, ``series`` each series by itself, ``none``.
            validation_share: where the data has no validation part.
            test_share: where the data has no test part.

        Raises:
            DataError: the data cannot be used.
            SpecError: an option is wrong.
        """
        if normalisation not in ("channel", "series", "none"):
            raise SpecError(wrong("normalisation", normalisation, "channel, series or none"))
        split = SplitOptions(seed, validation_share, test_share)
        parts = read_labelled(data)
        classes, numbers = classes_of(parts)
        given: dict[str, Labelled | None] = {"validation": parts.validation, "test": parts.test}
        found: dict[str, Examples] = {n: (p.series, numbers[n]) for n, p in given.items() if p is not None}
        train: Examples = (parts.train.series, numbers["train"])
        names = names_of(classes, parts.names)
        _check_enough(train[1], names, 3 - len(found), parts.train.where)
        if "test" not in found:
            train, found["test"] = _split(train, split.test_share, TEST_SEED)
        if "validation" not in found:
            train, found["validation"] = _split(train, split.share_for(len(train[1])), seed)
        return cls(
            train,
            found["validation"],
            found["test"],
            names,
            normalisation=normalisation,
            data_name=parts.name,
            seed=seed,
            notes=parts.notes,
        )

    @property
    def work(self) -> float:
        """By the length of a series."""
        return cost_in_pixels(_WORK_A_VALUE * self.input_shape[1])

    @property
    def full_epochs(self) -> float:  # type: ignore[override]  # it depends on the number of series here
        """Passes after which networks gain little."""
        return _epochs(len(self._train[1]))

    def recipe(self) -> Mapping[str, Value]:
        """Of all series; a little label smoothing helps where they are few."""
        return _recipe(len(self._train[1]), 0.003)

    def front(self) -> OpTerm | None:
        """The normalisation; each series by itself after that of channels, so that the unit does not matter."""
        if self.normalisation == "none":
            return None
        by_channel = OpTerm("normalize", (("mean", self.mean), ("std", self.std)))
        if self.normalisation == "series":
            return OpTerm("seq", children=(by_channel, OpTerm("series_norm")))
        return by_channel

    def default_space(self) -> SearchSpace:
        from netwright.tasks.series.spaces import classification_space

        return classification_space(self.input_shape, self.num_classes)

    def references(self) -> tuple[Reference, ...]:
        from netwright.tasks.series.spaces import references_of

        return references_of(self.default_space())

    def portfolio(self) -> tuple[Architecture, ...]:
        from netwright.tasks.series.spaces import portfolio_of

        return portfolio_of(self.default_space())

    def narrowed(self, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
        from netwright.tasks.series.spaces import DEPTHS, SIZES

        return narrowed(self.default_space(), self.references(), admits, SIZES, DEPTHS)

    def export_info(self) -> ExportInfo:
        return ExportInfo(
            task=self.name,
            input_shape=self.input_shape,
            class_names=self.class_names,
            output_shape=self.output_shape,
            runtime="series",
            constants={"CHANNELS": (), "TARGETS": 0, "HEADER": False, "MARKS": ()},
        )


def _check_enough(numbers: NDArray[np.int64], names: tuple[str, ...], needed: int, where: str) -> None:
    counts = np.bincount(numbers, minlength=len(names)).tolist()
    few = [f"{name!r} has {count}" for name, count in zip(names, counts, strict=True) if count < needed]
    if few:
        raise DataError(
            f"{where}: {len(few)} class(es) have fewer than the {needed} series that splitting needs: "
            f"{', '.join(few[:5])}; add series or leave these classes out"
        )


def _split(part: Examples, share: float, seed: int) -> tuple[Examples, Examples]:
    kept, taken = stratified_split(part[1], share, seed)
    return (part[0][kept], part[1][kept]), (part[0][taken], part[1][taken])


class SeriesForecasting(LearningTask):
    """The next steps of some channels, told from a window of all. Made by `load`.

    Args:
        windows: of the three parts.
        names: of the channels, targets first.
        normalisation: ``window``: the level and spread of a window are taken out and put back; ``channel``: by the
            training part's moments alone.
        header: whether the names stood in the file.
        marks: the decimal mark of each channel whose numbers programs cannot read.
        data_name: for people.
        seed: for the fingerprint; the parts follow each other in time.
        notes: what a person should know.
    """

    name = "series-forecasting"
    least_steps = _LEAST_STEPS
    objective = Objective("mase", "min")
    directions: ClassVar[Mapping[str, Direction]] = MappingProxyType({"mase": "min", "mae": "min", "rmse": "min"})
    metric_ranges: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType(
        {"mase": _ENDLESS, "mae": _ENDLESS, "rmse": _ENDLESS, "loss": _ENDLESS}
    )

    def __init__(
        self,
        windows: Windows,
        names: tuple[str, ...],
        *,
        normalisation: Literal["window", "channel"] = "window",
        header: bool = True,
        marks: Mapping[str, str] = MappingProxyType({}),
        data_name: str = "series",
        seed: int = 0,
        notes: tuple[str, ...] = (),
    ) -> None:
        parts = (windows.train, windows.validation, windows.test)
        super().__init__(*parts, data_name=data_name, seed=seed, notes=notes)
        self.windows, self.names, self.normalisation = windows, names, normalisation
        self.header, self.marks = header, marks
        self.mean, self.std = _moments(windows.train[0])

    @classmethod
    @remembered
    def load(
        cls,
        data: str | Path | Any,
        *,
        seed: int = 0,
        targets: str = "",
        header: Header = "auto",
        horizon: int = 12,
        window: int = 0,
        season: int = 0,
        normalisation: Literal["window", "channel"] = "window",
        validation_share: float = 0.1,
        test_share: float = TEST_SHARE,
    ) -> SeriesForecasting:
        """Load a table whose rows are in the order of time.

        Args:
            data: a CSV or Parquet file, or a data frame.
            seed: for the fingerprint; parts follow each other in time.
            targets: columns that are told in advance, between commas; empty for all but those of the calendar, such as
                ``month`` and ``hour``.
            header: whether the first line of a CSV file holds names: ``yes`` or ``no``; found out for ``auto``.
            horizon: steps that are told.
            window: steps that a forecast sees; 0 for four horizons, or a season and a horizon where that is more and no
                more than half of the training part.
            season: steps after which the series repeats, for the naive forecast and MASE; 0 to find it in the training
                part.
            normalisation: ``window`` or ``channel``.
            validation_share: of all steps, before the test part.
            test_share: of all steps, the last ones.

        Raises:
            DataError: the data cannot be used, is too short, or makes more windows than a quarter of the memory holds.
            SpecError: an option is wrong.
        """
        for name, value, least in (("horizon", horizon, 1), ("window", window, 0), ("season", season, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise SpecError(wrong(name, value, f"a whole number >= {least}"))
        if normalisation not in ("window", "channel"):
            raise SpecError(wrong("normalisation", normalisation, "window or channel"))
        SplitOptions(seed, validation_share, test_share)
        line = read_timeline(data, targets, header)
        found = cut(line, horizon, window, season, (validation_share, test_share))
        told = f"season of {found.season} steps" + ("" if season else ", found in the training part")
        return cls(
            found,
            line.names,
            normalisation=normalisation,
            header=line.header,
            marks=line.marks,
            data_name=line.name,
            seed=seed,
            notes=(*line.notes, *found.notes, told),
        )

    @property
    def num_targets(self) -> int:
        """Channels that are told in advance, the first ones."""
        return int(self._train[1].shape[1])

    @property
    def horizon(self) -> int:
        """Steps that are told."""
        return int(self._train[1].shape[2])

    def summary(self) -> str:
        """What a person checks before a search; names what is told in advance."""
        first, *notes = super().summary().splitlines()
        names = [shorten(name, 60) for name in self.names[: self.num_targets]]
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        told = f"forecasts {self.horizon} steps of {', '.join(names[:_NAMES_SHOWN])}{more}"
        return "\n".join([first, told, *notes])

    @property
    def work(self) -> float:
        """By the length of a window."""
        return cost_in_pixels(_WORK_A_VALUE * self.input_shape[1])

    @property
    def full_epochs(self) -> float:  # type: ignore[override]  # it depends on the number of windows here
        """Passes after which networks gain little; of few windows as many as make `_FULL_STEPS`."""
        return max(min(60.0, _epochs(len(self._train[1]))), _epochs_of_few(len(self._train[1])))

    def recipe(self) -> Mapping[str, Value]:
        """As for series with classes, with a lower rate."""
        return _recipe(len(self._train[1]), 0.001)

    @cached_property
    def _fingerprint(self) -> str:
        """That of `LearningTask`, to the last bit, without a copy of all windows."""
        parts = (*self._train, *self._validation)
        shapes = [[str(array.dtype), list(array.shape)] for array in parts]
        state = hashlib.blake2b(json.dumps([self.name, shapes, self.seed]).encode(), digest_size=16)
        for array in parts:
            for piece in _parts_of(array):
                state.update(piece.data)
        return state.hexdigest()

    def to_input(self, stored: Tensor) -> Tensor:
        """A batch of windows (B, channels, window) as float32, in memory as it is read."""
        return super().to_input(stored).contiguous()

    def normalised(self, network: Term) -> Term:
        """A network between the scale of the data and its own."""
        mean, std = self.mean, self.std
        inner = OpTerm("reversible_norm", children=(network,)) if self.normalisation == "window" else network
        back = tuple(-m / s for m, s in zip(mean, std, strict=True))[: self.num_targets]
        inverse = tuple(1 / s for s in std)[: self.num_targets]
        forth = OpTerm("normalize", (("mean", mean), ("std", std)))
        columns = OpTerm("reshape", (("shape", (self.num_targets, self.horizon)),))
        return OpTerm("seq", children=(forth, inner, columns, OpTerm("normalize", (("mean", back), ("std", inverse)))))

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Mean absolute error in units of each target's standard deviation."""
        scale = targets.new_tensor(self.std[: self.num_targets])[:, None]
        loss: Tensor = ((outputs - targets) / scale).abs().mean()
        return loss

    def scores(self, answers: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """MASE, MAE and RMSE over all targets and steps; ``loss`` as it is trained on."""
        pairs = [(outputs.cpu().double().numpy(), targets.double().cpu().numpy()) for outputs, targets in answers]
        predicted, wanted = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        errors = np.abs(predicted - wanted)
        each = errors.mean(axis=(0, 2))
        found = self._metrics(predicted, wanted)
        scaled = float((each / np.array(self.std[: self.num_targets])).mean())
        return {**found, "loss": scaled if math.isfinite(scaled) else math.inf}

    def _metrics(self, predicted: NDArray[np.float64], wanted: NDArray[np.float64]) -> dict[str, float]:
        errors = np.abs(predicted - wanted)
        return {
            "mase": float((errors.mean(axis=(0, 2)) / self.windows.scale).mean()),
            "mae": float(errors.mean()),
            "rmse": float(np.sqrt((errors**2).mean())),
        }

    def rival_seconds(self) -> float:
        """The naive forecast takes no time."""
        return 0.1

    def rival(self, test: Examples) -> Rival:
        """The seasonal naive forecast: each step is what it was a season before."""
        season = self.windows.season
        metrics = {
            f"{split}_{name}": value
            for split, predicted, part in (
                ("validation", self.windows.naive_validation, self._validation),
                ("test", self.windows.naive_test, test),
            )
            for name, value in self._metrics(predicted.astype(np.float64), part[1].astype(np.float64)).items()
        }
        return Rival("naive", f"the seasonal naive forecast (season of {season} steps)", metrics)

    def default_space(self) -> SearchSpace:
        from netwright.tasks.series.spaces import forecasting_space

        return forecasting_space(self.input_shape, self.num_targets, self.horizon)

    def references(self) -> tuple[Reference, ...]:
        from netwright.tasks.series.spaces import references_of

        return references_of(self.default_space())

    def portfolio(self) -> tuple[Architecture, ...]:
        from netwright.tasks.series.spaces import portfolio_of

        return portfolio_of(self.default_space())

    def narrowed(self, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
        from netwright.tasks.series.spaces import DEPTHS, SIZES

        return narrowed(self.default_space(), self.references(), admits, SIZES, DEPTHS)

    def export_info(self) -> ExportInfo:
        return ExportInfo(
            task=self.name,
            input_shape=self.input_shape,
            output_shape=self.output_shape,
            runtime="series",
            constants={
                "CHANNELS": self.names,
                "TARGETS": self.num_targets,
                "HEADER": self.header,
                "MARKS": tuple(self.marks.items()),
            },
        )
