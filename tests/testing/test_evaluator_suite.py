"""The conformance suite of evaluators passes what is right and finds what is planted."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from netwright.errors import ConstraintViolation
from netwright.testing import check_evaluator, synthetic_metrics, tiny_space
from netwright.types import Architecture, Fidelity, Metrics

ARCHITECTURES = list(tiny_space().enumerate())


def right(arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
    noise = np.random.default_rng(seed).random()
    return {"accuracy": synthetic_metrics(arch, fidelity)["accuracy"] * noise}


def limited(arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
    if arch["width"] == 24:
        raise ConstraintViolation("params", 24, 20)
    return right(arch, fidelity=fidelity, seed=seed)


class Counting:
    """Gives another answer each time."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        self.calls += 1
        return {"accuracy": 1 / self.calls}


class Ranged:
    """Declares what it does not keep."""

    def __init__(self, ranges: dict[str, tuple[float, float]]) -> None:
        self.metric_ranges = ranges

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        return {"accuracy": 1.73}


class NeedsPrepare:
    def __init__(self) -> None:
        self.ready = False

    def prepare(self) -> None:
        self.ready = True

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        assert self.ready
        return {"accuracy": 0.5}


def returning(value: object) -> Callable[..., object]:
    return lambda arch, *, fidelity, seed: value


def global_noise(arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
    return {"accuracy": random.random()}


def numpy_noise(arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
    return {"accuracy": float(np.random.random())}  # noqa: NPY002 - the bug


def names_differ(arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
    return {f"accuracy_{arch['width']}": 0.5}


def moves_away(arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
    os.chdir("/")
    return {"accuracy": 0.5}


@pytest.mark.parametrize("evaluator", [right, limited, NeedsPrepare(), Ranged({"accuracy": (0.0, 2.0)})])
def test_what_is_right_passes(evaluator: Callable[..., Metrics]) -> None:
    """Deterministic evaluators pass, also those that raise on some architectures, prepare, or declare ranges."""
    check_evaluator(evaluator, ARCHITECTURES)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("evaluator", "message"),
    [
        (Counting(), "the same arguments gave .* take all randomness from seed"),
        (global_noise, "the same arguments gave"),
        (numpy_noise, "the same arguments gave"),
        (names_differ, "metrics must have the same names for every architecture"),
        (Ranged({"accuracy": (0.0, 1.0)}), r"metric 'accuracy' is 1.73, declared in \[0, 1\]"),
        (returning({"accuracy": 90.0}), r"metric 'accuracy' is 90, declared in \[0, 1\]"),
        (Ranged({"loss": (0.0, 1.0)}), "metric_ranges declares 'loss', which is not among"),
        (returning(0.9), "an evaluator returns a mapping of metrics, got float"),
        (returning({}), "an evaluator returns at least one metric"),
        (returning({3: 0.9}), "the name of a metric is a string, got 3"),
        (returning({"accuracy": float("nan")}), "metric 'accuracy' must be finite, got nan"),
        (returning({"accuracy": None}), "metric 'accuracy' must be a plain number, got None"),
        (returning({"accuracy": True}), "must be a plain number, got True of type bool"),
        (returning({"accuracy": np.float32(0.9)}), "of type float32; use float"),
    ],
)
def test_a_planted_bug_is_found(evaluator: Callable[..., Metrics], message: str) -> None:
    """Each broken evaluator fails with a message that says what is wrong."""
    with pytest.raises(AssertionError, match=message):
        check_evaluator(evaluator, ARCHITECTURES)  # type: ignore[arg-type]


def test_a_changed_working_folder_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An evaluator that moves the process elsewhere is found."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match="changed the working folder or the environment"):
        check_evaluator(moves_away, ARCHITECTURES)


def test_one_architecture_is_not_enough() -> None:
    """Whether answers depend on the architecture before cannot be seen with a single one."""
    with pytest.raises(AssertionError, match="at least two different architectures"):
        check_evaluator(right, ARCHITECTURES[:1])


def test_the_global_random_states_are_put_back() -> None:
    """The suite leaves the states of the caller as they were."""
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = random.random(), np.random.random()  # noqa: NPY002
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    check_evaluator(right, ARCHITECTURES)
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002
