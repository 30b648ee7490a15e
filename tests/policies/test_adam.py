"""Adam takes the steps of its paper."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.policies.adam import Adam


def test_the_first_step_has_the_size_of_the_rate() -> None:
    """Whatever the slope, the first step is the rate in its direction, times the parameter's factor."""
    parameters = {"a": np.zeros(3), "b": np.zeros(1)}
    Adam(0.1, {"b": 0.5}).ascend(parameters, {"a": np.array([1e-3, -50.0, 0.0]), "b": np.array([2.0])})
    assert parameters["a"] == pytest.approx([0.1, -0.1, 0.0], rel=1e-4)
    assert parameters["b"] == pytest.approx([0.05])


def test_the_second_step_is_that_of_algorithm_1() -> None:
    """Slopes 1 and 3: means 0.1 and 0.39, squares 0.001 and 0.009999, both unbiased."""
    parameters, adam = {"a": np.zeros(1)}, Adam(0.1, {})
    adam.ascend(parameters, {"a": np.array([1.0])})
    adam.ascend(parameters, {"a": np.array([3.0])})
    second = 0.1 * (0.39 / 0.19) / (np.sqrt(0.009999 / 0.001999) + 1e-8)
    assert parameters["a"] == pytest.approx([0.1 + second])


def test_new_rows_begin_without_a_past() -> None:
    """Rows that came after the first step are at zero mean and square."""
    adam = Adam(0.1, {})
    adam.ascend({"a": np.zeros((1, 2))}, {"a": np.ones((1, 2))})
    parameters = {"a": np.zeros((2, 2))}
    adam.ascend(parameters, {"a": np.array([[1.0, 1.0], [0.0, 2.0]])})
    assert parameters["a"][0] == pytest.approx([0.1, 0.1])
    assert (parameters["a"][1, 0], parameters["a"][1, 1] > 0) == (0.0, True)
