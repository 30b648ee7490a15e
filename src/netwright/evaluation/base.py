"""The protocol of an evaluator (performance estimation).

An evaluator says how good one architecture is, at a fidelity. It runs inside a trial process that may be killed at
any time, and must give the same metrics for the same arguments whether or not it was interrupted before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from netwright.types import Architecture, Fidelity, Metrics


@dataclass(frozen=True, slots=True)
class Parent:
    """A finished trial with whose weights another network may begin.

    Args:
        architecture: of its network.
        fidelity: it was trained at.
        seed: of its training.
        epochs: that its weights were trained, those that it inherited included.
    """

    architecture: Architecture
    fidelity: Fidelity
    seed: int
    epochs: float


@runtime_checkable
class Evaluator(Protocol):
    """Any callable of this signature; a plain function will do.

    Raising `ConstraintViolation` or `MemoryError` makes the trial infeasible, any other exception makes it failed.

    Some optional attributes are used where they exist:

    * ``prepare()`` is called once in the warm parent before trials are forked: import heavy modules, load data. It
      must run no torch operation (thread pools do not survive a fork).
    * ``metric_ranges: Mapping[str, tuple[float, float]]`` declares the metrics and their possible values; a number
      outside (an accuracy of 1.73) fails the trial.

    One whose networks may begin with the weights of others (`netwright.evaluation.inheriting`) takes a further argument
    ``parent: Parent | None = None``.
    """

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        """Evaluate.

        Args:
            arch: what.
            fidelity: how thoroughly.
            seed: of everything random in it.

        Returns:
            Finite numbers by metric name.
        """
