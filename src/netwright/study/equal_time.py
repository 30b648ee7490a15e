"""Networks compared at equal training time, where time and not epochs will end their full training.

After the same number of epochs a large network is nearly always ahead of a small one that would have made three times
as many epochs by then. So a strategy is told what is to be expected after the same time. It is computed from sizes,
not from measured seconds, so that the search depends on its seed alone.

After short trainings networks are compared by their loss where it is known: the mean of a smooth quantity over a few
thousand images is less noisy than the share of wrong ones. Of four searches on Fashion-MNIST errors put a network that
is worse after a long training first in one, losses in none (``docs/figures.md``): little evidence, and
``benchmarks/portfolio.py`` prints what speaks for either. Knows no tasks and no clocks.

References:
    Ru et al. (2021), *Speedy performance estimation for neural architecture search*: losses of short trainings rank
    networks better than their validation accuracy. We use the loss on the validation images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from netwright.strategies import Strategy
from netwright.types import Metrics, Proposal, Trial, TrialState

EXPONENT = 0.15
"""How what is to be expected after the same time grows with the cost of an epoch: error ~ short loss x cost^b.

A network's error falls with the epochs that it makes, about as epochs^-.18 to ^-.21 between 0.3 and 15 of them, and at
equal time a network of half the cost makes twice as many. From the only pair that was trained to the end in several
searches (173k and 440k parameters, costs 0.9 and 1.9 units, ten minutes of Fashion-MNIST, mean errors .0633 in five and
.0648 in two searches, losses after 0.3 epochs as 1 to 0.92): b = .15 (`docs/figures.md`)."""

USEFUL_EPOCHS = 15.0
"""More epochs than these are not counted in favour of a small network: it is full by then. A network of 0.4 units fell
with epochs^-.13 only (.112 to .071 from 0.9 to 34 epochs, two runs), less than larger ones."""

UNIT_COST = 1e7

IMAGES_PER_S = 700.0
"""Images that one core trains on in a second with a network of one unit; measured: 726 with 0.9 units, 368 with 1.9."""


def full_cost(core_s: float, num_images: int, epochs: float = USEFUL_EPOCHS) -> float:
    """The cost of a network that makes so many epochs within the time of its full training.

    Args:
        core_s: seconds of the full training, times the cores that it runs on.
        num_images: training images.
        epochs: after which a network gains nothing by more of them.

    Example:
        >>> round(full_cost(840.0, 54_000))
        7259259
    """
    return core_s * IMAGES_PER_S * UNIT_COST / (epochs * num_images)


def loss_at_equal_time(metrics: Metrics, least_cost: float = 0.0) -> float | None:
    """Relative loss to be expected after a given time: loss x cost^b; None where it cannot be told.

    Args:
        metrics: of a trial: ``train_cost``, the cost of training on one image, and ``loss`` in nats or, where that is
            not measured, ``accuracy`` in [0, 1], whose error then stands for it.
        least_cost: networks of less count as if they had this cost, see `full_cost`.

    Example:
        >>> loss_at_equal_time({"accuracy": 0.9, "loss": 0.3, "train_cost": 1e7})
        0.3
    """
    if "accuracy" not in metrics or "train_cost" not in metrics:
        return None
    relative_cost: float = (max(metrics["train_cost"], least_cost) / UNIT_COST) ** EXPONENT
    return metrics.get("loss", 1 - metrics["accuracy"]) * relative_cost


class EqualTime:
    """Tells another strategy the accuracies to be expected at equal time, and is otherwise that strategy.

    Where the loss is known the accuracy told is exp(-expected loss): the geometric mean of the probabilities that the
    network gives to the right classes.

    Args:
        inner: proposes.
        least_cost: see `loss_at_equal_time`.
    """

    def __init__(self, inner: Strategy, least_cost: float = 0.0) -> None:
        self._inner = inner
        self._least_cost = least_cost

    def ask(self, n: int) -> Sequence[Proposal]:
        """What the inner strategy proposes."""
        return self._inner.ask(n)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Pass the trials on with their accuracies corrected."""
        self._inner.tell([_corrected(trial, self._least_cost) for trial in trials])


def _corrected(trial: Trial, least_cost: float) -> Trial:
    expected = loss_at_equal_time(trial.metrics, least_cost) if trial.state is TrialState.FINISHED else None
    if expected is None:
        return trial
    accuracy = math.exp(-expected) if "loss" in trial.metrics else 1 - expected
    return replace(trial, metrics={**trial.metrics, "accuracy": accuracy})
