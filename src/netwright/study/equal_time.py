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

EXPONENT = 0.04
"""How what is to be expected after the same time grows with the cost of an epoch, error ~ short error x cost^b.

Each network's own error falls as epochs^-b, smaller ones slower, since they are full sooner: so less than that is left
between networks, and the less the longer the full training is. Fitted to seven networks of 4 to 19 cost units on
Fashion-MNIST, one seed (``benchmarks/portfolio.py``), between 0.75 epochs and 300 s each: b = .09, with 2 % left
unexplained. Over the 800 s of processor time that a finalist has of ten minutes on two cores the smallest fell with .13
only (.112 to .071 from 0.9 to 34 epochs, two runs), the others with .18 as far as they were followed: .05 less."""

UNIT_COST = 1e7


def loss_at_equal_time(metrics: Metrics) -> float | None:
    """Relative loss to be expected after a given time: loss x cost^b; None where it cannot be told.

    Args:
        metrics: of a trial: ``train_cost``, the cost of training on one image, and ``loss`` in nats or, where that is
            not measured, ``accuracy`` in [0, 1], whose error then stands for it.

    Example:
        >>> loss_at_equal_time({"accuracy": 0.9, "loss": 0.3, "train_cost": 1e7})
        0.3
    """
    if "accuracy" not in metrics or "train_cost" not in metrics:
        return None
    relative_cost: float = (metrics["train_cost"] / UNIT_COST) ** EXPONENT
    return metrics.get("loss", 1 - metrics["accuracy"]) * relative_cost


class EqualTime:
    """Tells another strategy the accuracies to be expected at equal time, and is otherwise that strategy.

    Where the loss is known the accuracy told is exp(-expected loss): the geometric mean of the probabilities that the
    network gives to the right classes.

    Args:
        inner: proposes.
    """

    def __init__(self, inner: Strategy) -> None:
        self._inner = inner

    def ask(self, n: int) -> Sequence[Proposal]:
        """What the inner strategy proposes."""
        return self._inner.ask(n)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Pass the trials on with their accuracies corrected."""
        self._inner.tell([_corrected(trial) for trial in trials])


def _corrected(trial: Trial) -> Trial:
    expected = loss_at_equal_time(trial.metrics) if trial.state is TrialState.FINISHED else None
    if expected is None:
        return trial
    accuracy = math.exp(-expected) if "loss" in trial.metrics else 1 - expected
    return replace(trial, metrics={**trial.metrics, "accuracy": accuracy})
