"""Other devices as functions of an architecture, and the ridge regression that finds them."""

from __future__ import annotations

import numpy as np
from made_up_devices import COSTS_MS, SPACE, drawn, latencies, table

from netwright.predictors.latency.descriptors import Descriptors
from netwright.predictors.latency.devices import relative_functions, robust_ridge, with_constant
from netwright.predictors.latency.tables import LatencyTable


def test_a_device_is_found_from_its_table() -> None:
    """A table of 300 architectures says what others take, up to the device's mean."""
    descriptors, others = Descriptors(SPACE), drawn(100, 2)
    function = relative_functions(descriptors, [table("phone", drawn(300, 1))])[:, 0]
    told = 1 + with_constant(descriptors.rows(others)) @ function
    truth = latencies(COSTS_MS["phone"], others)
    assert np.corrcoef(told, truth)[0, 1] > 0.999


def test_scale_does_not_matter() -> None:
    """A device that is ten times slower has the same function."""
    descriptors, shown = Descriptors(SPACE), drawn(100, 1)
    phone = table("phone", shown)
    slower = LatencyTable.of("slower", shown, (10 * phone.values).tolist())
    functions = relative_functions(descriptors, [phone, slower])
    np.testing.assert_allclose(functions[:, 0], functions[:, 1], atol=1e-9)


def test_a_table_of_one_architecture_is_flat() -> None:
    """One measurement says nothing of the others."""
    function = relative_functions(Descriptors(SPACE), [table("phone", drawn(1, 1))])[:, 0]
    np.testing.assert_allclose(0.0, function, atol=1e-12)


def test_no_table_has_no_function() -> None:
    """Without other devices there are no columns."""
    assert relative_functions(Descriptors(SPACE), []).shape[1] == 0


def test_gross_errors_are_weighed_down() -> None:
    """Of 60 measurements 6 took thirty times as long: slope and constant are found."""
    inputs = np.random.default_rng(0).normal(size=(60, 1))
    targets = 2 * inputs[:, 0] + 5
    targets[:6] *= 30
    np.testing.assert_allclose([2.0, 5.0], robust_ridge(inputs, targets), atol=0.05)
