"""Measurements of a device are checked before anything learns from them."""

from __future__ import annotations

import math

import pytest

from netwright.errors import DataError
from netwright.predictors.latency import LatencyTable
from netwright.types import Architecture

TWO = [Architecture({"width": 8}), Architecture({"width": 16})]


def test_values_are_in_the_order_of_the_architectures() -> None:
    """An array of the latencies is what was given."""
    assert LatencyTable.of("d", TWO, [3, 1.5]).values.tolist() == [3.0, 1.5]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0, 0.0])
def test_what_is_no_latency_is_named(bad: float) -> None:
    """A latency that is no positive number is an error that names device, architecture and value."""
    with pytest.raises(
        DataError, match=r"latency of 'd', architecture 1 .*\"width\":16.* finite number of ms > 0, got"
    ):
        LatencyTable.of("d", TWO, [1.0, bad])


def test_one_latency_for_each_architecture() -> None:
    """Two architectures with three latencies are an error."""
    with pytest.raises(DataError, match="must be one for each architecture, got '3 for 2 architectures'"):
        LatencyTable.of("d", TWO, [1.0, 2.0, 3.0])


def test_nothing_measured_is_an_error() -> None:
    """An empty table says what to measure."""
    with pytest.raises(DataError, match="at least one, got 0; measure the architectures that choose_to_measure names"):
        LatencyTable.of("d", [], [])
