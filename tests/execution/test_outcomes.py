"""Tests of the judgement of what an evaluator gave back."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from netwright.errors import BuildError, ConstraintViolation, TrialError
from netwright.execution import Outcome, require
from netwright.execution.outcomes import is_out_of_memory, judge_exception, validate
from netwright.types import TrialState


class _Tensor:
    """Looks like a tensor: float() works, yet it is no number."""

    def __float__(self) -> float:
        return 0.5


def test_every_kind_of_real_number_becomes_a_float() -> None:
    """Integers, numpy scalars and fractions are numbers."""
    found = validate({"a": 1, "b": np.float32(0.1), "c": np.int64(7), "d": Fraction(1, 4)}, {})
    assert found == {"a": 1.0, "b": float(np.float32(0.1)), "c": 7.0, "d": 0.25}
    assert {type(value) for value in found.values()} == {float}


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "must be a mapping of 1 to 1000 metrics, got None"),
        ("0.5", "must be a mapping"),
        (0.5, "must be a mapping"),
        ([("a", 1.0)], "must be a mapping"),
        ({}, "must be a mapping"),
        ({f"m{i}": 1.0 for i in range(1001)}, "must be a mapping"),
        ({"a": None}, "metric 'a' must be a number, got None"),
        ({"a": "0.5"}, "metric 'a' must be a number, got '0.5'"),
        ({"a": 1 + 2j}, "metric 'a' must be a number"),
        ({"a": True}, "metric 'a' must be a number"),
        ({"a": [0.5]}, "metric 'a' must be a number"),
        ({"a": _Tensor()}, "convert this _Tensor with float"),
        ({"a": np.zeros(1)}, "convert this ndarray with float"),
        ({"a": float("nan")}, "metric 'a' must be finite, got nan"),
        ({"a": float("-inf")}, "metric 'a' must be finite, got -inf"),
        ({"a": 10**400}, "metric 'a' must be a number a float can hold"),
        ({"accuracy": 1.73}, r"metric 'accuracy' must be in \[0, 1\], got 1.73"),
        ({"accuracy": 0.5, "extra": object()}, "metric 'extra' must be a number"),
        ({1: 0.5}, "metric name must be printable text"),
        ({"": 0.5}, "metric name must be printable text"),
        ({"a\nb": 0.5}, "metric name must be printable text"),
        ({"x" * 201: 0.5}, "metric name must be printable text"),
    ],
)
def test_what_is_no_valid_metric_is_refused_by_name(returned: object, message: str) -> None:
    """Everything but finite real numbers within their ranges fails the trial, and says which metric it was."""
    with pytest.raises(TrialError, match=message):
        validate(returned, {"accuracy": (0.0, 1.0)})


def test_a_missing_metric_fails_a_finished_trial_with_the_nearest_name() -> None:
    """A misspelt objective is named with what was reported; other outcomes pass unchanged."""
    done = Outcome(3, TrialState.FINISHED, {"acuracy": 0.5, "params": 1.0})
    found = require(done, ["params", "accuracy"])
    assert (found.state, found.metrics) == (TrialState.FAILED, {})
    assert found.error == (
        "the evaluator reported no metric 'accuracy'; did you mean 'acuracy'? It reported: acuracy, params"
    )
    failed = Outcome(3, TrialState.FAILED, error="x")
    assert [require(done, ["params"]), require(failed, ["accuracy"])] == [done, failed]


def test_a_broken_limit_keeps_what_is_a_number() -> None:
    """Metrics known in spite of it may be infinite; what is no number, or has no valid name, is left out."""
    known = {"macs": 7, "loss": float("inf"), "text": "x", "huge": 10**400, 3: 1.0, "": 1.0}
    found = judge_exception(ConstraintViolation("params", 300, 200, known))  # type: ignore[arg-type]
    assert found == (
        TrialState.INFEASIBLE,
        {"macs": 7.0, "loss": float("inf"), "params": 300.0},
        "params is 300, the limit is 200",
    )


def test_out_of_memory_is_known_in_all_its_forms() -> None:
    """Python's, torch's for CPU and GPU, and one that caused another error; other errors are not."""
    torch_like = type("OutOfMemoryError", (RuntimeError,), {})
    caused = BuildError("cannot build")
    caused.__cause__ = MemoryError()
    memory = [MemoryError(), torch_like("x"), caused, RuntimeError("CUDA out of memory. Tried to allocate")]
    other = [ValueError("out of memory"), RuntimeError("shape"), BuildError("cannot build")]
    assert [is_out_of_memory(error) for error in memory + other] == [True] * 4 + [False] * 3


def test_a_long_traceback_is_cut() -> None:
    """The text of a failure stays within a few kilobytes and keeps its first line."""

    def deep(n: int) -> None:
        if n == 0:
            raise ValueError("y" * 50_000)
        deep(n - 1)

    with pytest.raises(ValueError, match="yyy") as caught:
        deep(200)
    state, metrics, error = judge_exception(caught.value)
    assert (state, metrics) == (TrialState.FAILED, {})
    assert error.startswith("ValueError: yyy")
    assert len(error) < 10_000
