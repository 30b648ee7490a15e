"""The conformance suite of evaluators, for authors of plug-ins."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from netwright.errors import ConstraintViolation
from netwright.evaluation.base import Evaluator
from netwright.types import Architecture, Fidelity, Metrics


def check_evaluator(
    evaluator: Evaluator, architectures: Sequence[Architecture], *, fidelity: Fidelity | None = None, seed: int = 0
) -> None:
    """Evaluate each architecture several times and hold the answers to the protocol.

    Checked: metrics are finite plain numbers under string names, inside the declared ``metric_ranges`` (an accuracy for
    which none is declared is in [0, 1], as the executors demand); every architecture gives the same names; the same
    arguments give the same numbers, whatever was evaluated before and whatever the global random states are, so that an
    interrupted trial can be run again; the working folder and the environment stay as they were. An architecture for
    which `ConstraintViolation` is raised has to raise it each time.

    Args:
        evaluator: what is checked; ``prepare()`` is called first where it exists.
        architectures: at least two that differ.
        fidelity: small, since each architecture is evaluated twice; by default ``Fidelity()``.
        seed: of the evaluations.

    Raises:
        AssertionError: the evaluator breaks the protocol; the message says how.

    Example:
        >>> def size(arch, *, fidelity, seed):
        ...     return {"params": float(arch["width"] ** 2)}
        >>> check_evaluator(size, [Architecture({"width": 8}), Architecture({"width": 16})])
    """
    assert len(set(architectures)) >= 2, "check_evaluator needs at least two different architectures"
    prepare: Callable[[], object] = getattr(evaluator, "prepare", lambda: None)
    prepare()
    surroundings = Path.cwd(), dict(os.environ)
    fidelity = fidelity or Fidelity()
    first = [_outcome(evaluator, a, fidelity, seed, poison=1) for a in architectures]
    second = [_outcome(evaluator, a, fidelity, seed, poison=2) for a in reversed(architectures)][::-1]
    assert surroundings == (Path.cwd(), dict(os.environ)), "the evaluator changed the working folder or the environment"
    for architecture, a, b in zip(architectures, first, second, strict=True):
        assert a == b, f"the same arguments gave {a} and {b} for {architecture!r}; take all randomness from seed"
    measured = [metrics for metrics in first if metrics is not None]
    assert measured, "every architecture broke a constraint; give some that do not"
    ranges: Mapping[str, tuple[float, float]] = getattr(evaluator, "metric_ranges", {})
    for metrics in measured:
        names = sorted(measured[0]), sorted(metrics)
        assert names[0] == names[1], f"metrics must have the same names for every architecture, got {names}"
        _require_in_ranges(metrics, ranges)


def _outcome(
    evaluator: Evaluator, architecture: Architecture, fidelity: Fidelity, seed: int, poison: int
) -> dict[str, float] | None:
    """The metrics; None where a constraint was broken. The global random states are set, then put back."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global state is what is checked
    random.seed(poison)
    np.random.seed(poison)  # noqa: NPY002
    try:
        return _checked(evaluator(architecture, fidelity=fidelity, seed=seed))
    except ConstraintViolation:
        return None
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


def _checked(metrics: Metrics) -> dict[str, float]:
    assert isinstance(metrics, Mapping), f"an evaluator returns a mapping of metrics, got {type(metrics).__name__}"
    assert metrics, "an evaluator returns at least one metric"
    for name, value in metrics.items():
        assert isinstance(name, str), f"the name of a metric is a string, got {name!r}"
        plain = isinstance(value, (int, float)) and not isinstance(value, bool)
        assert plain, (
            f"metric {name!r} must be a plain number, got {value!r} of type {type(value).__name__}; use float()"
        )
        assert math.isfinite(value), f"metric {name!r} must be finite, got {value!r}; raise TrialError where it fails"
    return {name: float(value) for name, value in metrics.items()}


def _require_in_ranges(metrics: Mapping[str, float], ranges: Mapping[str, tuple[float, float]]) -> None:
    for name in ranges:
        assert name in metrics, f"metric_ranges declares {name!r}, which is not among the metrics {sorted(metrics)}"
    known = {"accuracy": (0.0, 1.0), **ranges}
    for name, value in metrics.items():
        low, high = known.get(name, (-math.inf, math.inf))
        assert low <= value <= high, f"metric {name!r} is {value:g}, declared in [{low:g}, {high:g}]"
