"""Quantiles among known numbers: by rows and by columns the same, ties in their middle, units without meaning."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from netwright.space.quantiles import StandardQuantiles, normal_quantiles


def test_few_rows_and_many_are_told_alike() -> None:
    """One row at a time gives what all rows together give, ties, ends and NaN among them."""
    rng = np.random.default_rng(0)
    table = np.sort(rng.integers(0, 5, size=(40, 7)).astype(float), axis=0)
    values = rng.integers(-2, 7, size=(60, 7)).astype(float)
    values[3, 2] = np.nan
    values[4, 4] = np.inf
    together = normal_quantiles(values, table)
    assert np.isfinite(together).all()
    assert together[3, 2] == 0.0
    np.testing.assert_array_equal(together, np.concatenate([normal_quantiles(row[None], table) for row in values]))


def test_a_value_among_equal_ones_stands_in_their_middle() -> None:
    """Of four known numbers two are equal to the value and one is below: it stands at half of them."""
    assert normal_quantiles(np.array([[1.0]]), np.array([[0.0], [1.0], [1.0], [2.0]])) == ndtri(0.5)


def test_units_do_not_matter_and_constants_are_nothing() -> None:
    """A column and its cube stand alike, with a variance of 1; one that never varies is 0, whatever is asked."""
    table = np.random.default_rng(1).normal(size=(128, 1))
    columns = np.concatenate([table, table**3, np.ones_like(table)], axis=1)
    found = StandardQuantiles(columns)(columns)
    np.testing.assert_array_equal(found[:, 0], found[:, 1])
    np.testing.assert_allclose(found[:, :2].std(axis=0), 1.0)
    assert not StandardQuantiles(columns)(columns + 5)[:, 2].any()
