"""The tasks ``tabular-classification`` and ``tabular-regression``: rows of a table, and a column to be told.

They know the data, the loss and the metrics; not how networks are trained. Outputs of a classification are logits,
divided by a temperature that is fitted on the validation part when a network is exported; outputs of a regression are
in the unit of the target.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from netwright.errors import SpecError, wrong
from netwright.space.terms import OpTerm, Term
from netwright.tasks.base import Direction, Examples, ExportInfo, Reference
from netwright.tasks.finishing import Rival
from netwright.tasks.learning import LearningTask
from netwright.tasks.loaded import remembered
from netwright.tasks.losses import class_loss
from netwright.tasks.narrowing import narrowed
from netwright.tasks.splits import TEST_SHARE, SplitOptions
from netwright.tasks.tabular.data import Rows, TabularOptions, load_rows
from netwright.tasks.tabular.encoding import EncodingOptions, Scaling
from netwright.tasks.tabular.forest import MOST_OF_MANY, MOST_TREES, Forest
from netwright.tasks.tabular.metrics import class_metrics, fitted_temperature, value_metrics
from netwright.tasks.tabular.parts import names_in
from netwright.tasks.tabular.reading import Header
from netwright.tasks.tabular.splitting import TableSplit
from netwright.types import Architecture, Objective, Value

if TYPE_CHECKING:
    from torch import Tensor

    from netwright.space import SearchSpace

_ENDLESS = (0.0, float("inf"))
_SHARE = (0.0, 1.0)
_MANY = 10_000
"""Rows from which on a step has 256 of them, in two parts that two processes can share."""

_ROWS_SEEN = 3e6
"""Rows, over all epochs, after which a network gains little; more often seen where they are few."""


_LEAST_STEPS = 150
"""Of a training: with fewer networks are ranked badly, since those that learn in small steps are far behind."""


def _options(
    split: TableSplit,
    target: str | int,
    header: Header,
    *,
    categorical: str,
    ignored: str,
    scaling: Scaling,
    intervals: bool,
) -> TabularOptions:
    if scaling not in ("quantile", "standard"):
        raise SpecError(wrong("scaling", scaling, "quantile or standard"))
    if not isinstance(intervals, bool):
        raise SpecError(wrong("intervals", intervals, "true or false"))
    encoding = EncodingOptions(
        scaling, names_in(categorical), names_in(ignored), most_categories=254, intervals=intervals
    )
    return TabularOptions(target, header, encoding, split)


class _TabularTask(LearningTask):
    """What both tasks share. Made by `load`."""

    least_steps = _LEAST_STEPS

    def __init__(self, rows: Rows, *, seed: int = 0) -> None:
        super().__init__(rows.train, rows.validation, rows.test, data_name=rows.name, seed=seed, notes=rows.notes)
        self.rows = rows
        self.class_names = rows.class_names

    @property
    def work(self) -> float:
        """A row costs less than the smallest image: some 9,000 a second are trained on."""
        return 60.0

    @property
    def full_epochs(self) -> float:  # type: ignore[override]  # it depends on the number of rows here
        """Passes after which networks gain little."""
        return float(min(120, max(20, round(_ROWS_SEEN / len(self._train[1]) ** 0.9 / 15))))

    @property
    def _batch_size(self) -> int:
        num_rows = len(self._train[1])
        return 256 if num_rows >= _MANY else 128 if num_rows >= 32 * 64 else 32

    def recipe(self) -> Mapping[str, Value]:
        """Adam, as is usual on tables, without label smoothing, which spoils probabilities; small steps in one part."""
        many = len(self._train[1]) >= _MANY
        return {
            "batch_size": self._batch_size,
            "shards": 2 if many else 1,
            "optimizer": "adamw",
            "learning_rate": 0.002,
            "side_learning_rate": 0.002,
            "weight_decay": 0.05,
            "label_smoothing": 0.0,
            "clip_norm": 1.0,
        }

    def _forest(self) -> Forest:
        return Forest(self.rows.encoding, len(self.class_names), self.seed)

    def rival_seconds(self) -> float:
        """About how long the forest takes, scikit-learn's import included."""
        trees = MOST_TREES if len(self.class_names) <= 2 else MOST_OF_MANY * len(self.class_names)
        return 5.0 + trees * (0.01 + 2e-8 * self._train[0].size)

    def rival(self, test: Examples) -> Rival:
        """A gradient-boosted forest on the same parts."""
        return self._forest().rival(self._train, self._validation, test)

    def default_space(self) -> SearchSpace:
        from netwright.tasks.tabular.spaces import tabular_space

        encoding, classes = self.rows.encoding, bool(self.class_names)
        return tabular_space(
            encoding.num_numbers,
            encoding.counts,
            len(self.class_names) or 1,
            classes=classes,
            intervals=encoding.interval_counts,
        )

    def references(self) -> tuple[Reference, ...]:
        from netwright.tasks.tabular.spaces import tabular_references

        return tabular_references(self.default_space())

    def portfolio(self) -> tuple[Architecture, ...]:
        from netwright.tasks.tabular.spaces import tabular_portfolio

        return tabular_portfolio(self.default_space())

    def narrowed(self, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
        from netwright.tasks.tabular.spaces import DEPTHS, SIZES

        return narrowed(self.default_space(), self.references(), admits, SIZES, DEPTHS)

    def export_info(self) -> ExportInfo:
        return ExportInfo(
            task=self.name,
            input_shape=self.input_shape,
            class_names=self.class_names,
            output_shape=self.output_shape,
            runtime="table",
            constants=self.rows.constants(),
        )

    def summary(self) -> str:
        """What a person checks before a search."""
        encoding = self.rows.encoding
        kinds = f"{len(encoding.numbers)} columns of numbers, {len(encoding.categories)} of categories"
        kinds += f", {len(encoding.intervals)} of intervals of numbers" if encoding.intervals else ""
        target = f"target {self.rows.target}"
        if self.class_names:
            counts = np.bincount(self._train[1], minlength=len(self.class_names)).tolist()
            shown = ", ".join(f"{n!r} {c}" for n, c in list(zip(self.class_names, counts, strict=True))[:20])
            target += f": {len(self.class_names)} classes (training rows: {shown})"
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join([f"{self.name} on {self.data_line()}", f"{kinds}; {target}", *notes])


class TabularClassification(_TabularTask):
    """Which class a row belongs to.

    Args:
        rows: of a table.
        seed: of the splits.
        balanced: whether rare classes weigh as much as frequent ones in the loss.
    """

    name = "tabular-classification"
    objective = Objective("accuracy", "max")
    directions: ClassVar[Mapping[str, Direction]] = MappingProxyType(
        {"accuracy": "max", "balanced_accuracy": "max", "auc": "max", "log_loss": "min", "ece": "min"}
    )
    metric_ranges: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType(
        {
            "accuracy": _SHARE,
            "balanced_accuracy": _SHARE,
            "auc": _SHARE,
            "log_loss": _ENDLESS,
            "ece": _SHARE,
            "loss": _ENDLESS,
        }
    )
    classifies = True

    def __init__(self, rows: Rows, *, seed: int = 0, balanced: bool = False) -> None:
        super().__init__(rows, seed=seed)
        counts = np.bincount(rows.train[1], minlength=len(rows.class_names))
        weights = len(rows.train[1]) / (len(counts) * np.maximum(counts, 1))
        self._weights = tuple(float(w) for w in weights) if balanced else ()

    def _forest(self) -> Forest:
        return Forest(self.rows.encoding, len(self.class_names), self.seed, class_weights=self._weights)

    @classmethod
    @remembered
    def load(
        cls,
        data: str | Path | Any,
        *,
        seed: int = 0,
        target: str | int = "",
        header: Header = "auto",
        categorical: str = "",
        ignored: str = "",
        scaling: Scaling = "quantile",
        balanced: bool = False,
        validation_share: float | None = None,
        test_share: float = TEST_SHARE,
        groups: str = "",
        order: str = "",
        intervals: bool = True,
    ) -> TabularClassification:
        """Load a table.

        Args:
            data: a file (CSV, also gzipped, or Parquet), a folder with files of the parts, or a data frame.
            seed: of the validation split.
            target: name or number (from 1; -1 is the last) of the column to be told; empty for a column named target,
                label, class or y, else the last one.
            header: ``yes``, ``no``, or ``auto`` to find out.
            categorical: names of columns, between commas, that are categories though they look like numbers.
            ignored: names of columns, between commas, that are left out.
            scaling: of numbers: ``quantile`` or ``standard``.
            balanced: whether rare classes weigh as much as frequent ones in the loss.
            validation_share: where the data has no validation part.
            test_share: where the data has no test part.
            groups: column whose rows of one value stay in one part, as those of a patient do; networks do not see it.
            order: column of numbers or dates: the rows with the highest values test, those before them validate.
            intervals: whether numbers stand in a row a second time, as categories by their intervals, behind the other
                columns (`netwright.tasks.tabular.intervals`).

        Raises:
            DataError: the data cannot be used.
            SpecError: an option is wrong.
            MissingDependencyError: scikit-learn, or pyarrow (Parquet), is not installed.
        """
        split = TableSplit(SplitOptions(seed, validation_share, test_share), groups, order)
        columns = {"categorical": categorical, "ignored": ignored}
        options = _options(split, target, header, **columns, scaling=scaling, intervals=intervals)
        return cls(load_rows(data, options, classes=True), seed=seed, balanced=balanced)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """One logit a class."""
        return (len(self.class_names),)

    def normalised(self, network: Term) -> Term:
        """A network with the temperature behind it."""
        return OpTerm("seq", children=(network, OpTerm("temperature")))

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Mean cross entropy in nats; of members, too, and by the classes' weights where they are balanced."""
        if not self._weights:
            return class_loss(outputs, targets, label_smoothing)
        import torch
        import torch.nn.functional as F

        weights = torch.tensor(self._weights, device=outputs.device)[targets]
        logits = outputs if outputs.ndim == 3 else outputs[:, None]
        wide = targets[:, None].expand(logits.shape[:2])
        losses = F.cross_entropy(
            logits.flatten(0, 1), wide.flatten(), label_smoothing=label_smoothing, reduction="none"
        )
        return (losses.reshape(logits.shape[:2]).mean(1) * weights).mean()

    def scores(self, answers: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Accuracy, balanced accuracy, AUC, log loss, calibration error; ``loss`` is the log loss."""
        pairs = [(outputs.double().softmax(1).cpu().numpy(), targets.cpu().numpy()) for outputs, targets in answers]
        found = class_metrics(np.concatenate([p for p, _ in pairs]), np.concatenate([y for _, y in pairs]))
        return {**found, "loss": found["log_loss"]}

    def calibrated(self, weights: Mapping[str, Tensor], outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """The weights with the temperature that gives the validation part the least log loss."""
        names = [name for name in weights if name.rpartition(".")[2] == "temperature"]
        if not names:
            return dict(weights)
        now = weights[names[0]]
        logits = (outputs * now).cpu().double().numpy()
        found = fitted_temperature(logits, targets.cpu().numpy())
        return {**weights, names[0]: now.new_tensor(found)}


class TabularRegression(_TabularTask):
    """Which value a row has.

    Args:
        rows: of a table.
        seed: of the splits.
    """

    name = "tabular-regression"
    objective = Objective("rmse", "min")
    directions: ClassVar[Mapping[str, Direction]] = MappingProxyType({"rmse": "min", "mae": "min", "r2": "max"})
    metric_ranges: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType(
        {"rmse": _ENDLESS, "mae": _ENDLESS, "r2": (-float("inf"), 1.0), "loss": _ENDLESS}
    )

    def __init__(self, rows: Rows, *, seed: int = 0) -> None:
        super().__init__(rows, seed=seed)
        targets = rows.train[1].astype(np.float64)
        self.mean, self.std = float(targets.mean()), float(targets.std()) or 1.0

    @classmethod
    @remembered
    def load(
        cls,
        data: str | Path | Any,
        *,
        seed: int = 0,
        target: str | int = "",
        header: Header = "auto",
        categorical: str = "",
        ignored: str = "",
        scaling: Scaling = "quantile",
        validation_share: float | None = None,
        test_share: float = TEST_SHARE,
        groups: str = "",
        order: str = "",
        intervals: bool = True,
    ) -> TabularRegression:
        """Load a table; arguments and errors as of `TabularClassification.load`."""
        split = TableSplit(SplitOptions(seed, validation_share, test_share), groups, order)
        columns = {"categorical": categorical, "ignored": ignored}
        options = _options(split, target, header, **columns, scaling=scaling, intervals=intervals)
        return cls(load_rows(data, options, classes=False), seed=seed)

    def normalised(self, network: Term) -> Term:
        """A network whose outputs are brought to the unit of the target."""
        arguments = (("mean", -self.mean / self.std), ("std", 1 / self.std))
        return OpTerm("seq", children=(network, OpTerm("normalize", arguments)))

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Mean squared error in units of the target's variance; of members, too."""
        wanted = targets[:, None] if outputs.ndim == 3 else targets
        loss: Tensor = (((outputs - wanted) / self.std) ** 2).mean()
        return loss

    def scores(self, answers: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """RMSE, MAE and R2 in the unit of the target; ``loss`` is the mean squared error in units of its variance."""
        pairs = [(outputs.cpu().double().numpy(), targets.double().cpu().numpy()) for outputs, targets in answers]
        found = value_metrics(np.concatenate([p for p, _ in pairs]), np.concatenate([y for _, y in pairs]))
        return {**found, "loss": (found["rmse"] / self.std) ** 2 if math.isfinite(found["rmse"]) else math.inf}
