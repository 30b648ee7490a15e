"""One ranking from several label-free scores: an architecture is good where no score calls it bad.

Pure arithmetic over a table of scores of several architectures; knows no networks and no labels, and fits nothing.

References:
    J. Lee and B. Ham, 2024, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search", section 3.2,
    equation 12 (the sum over proxies of the logarithm of the rank). Here equal scores share the mean of their ranks, as
    in the second paper's code, where in a ranking by sorting the order of the table decides.
    O. Tybl and L. Neumann, 2025, "Training-free Neural Architecture Search through Variance of Knowledge of Deep
    Network Weights", equation 15 (the same over ``vkdnw``, ``jacob_cov``, ``expressivity``, ``trainability``, FLOPs).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netwright.errors import UsageError, wrong
from netwright.predictors.ranks import ranks

DEFAULT = ("vkdnw", "jacob_cov", "synflow", "expressivity", "progressivity", "trainability", "macs")
"""The scores of the default ensemble: those of both papers, and SynFlow, which alone looks at whole paths of weights.

None measures what another does, all need one batch and no labels. What else was looked at: docs/figures.md."""


def aggregate(scores: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    """What several scores together say of each architecture.

    A score that is not finite ranks last. A score that is the same for all architectures tells nothing and is ignored.

    Args:
        scores: columns by name, each of shape (architectures,), larger is better.

    Returns:
        Sum over scores of log(rank / architectures), at most 0, larger is better, shape (architectures,); zeros where
        every score is ignored. Values of different tables cannot be compared.

    Raises:
        UsageError: there is no score, or columns differ in length.

    Example:
        >>> told = aggregate({"a": [1.0, 2.0, 3.0], "b": [10.0, 30.0, 20.0], "same": [7.0, 7.0, 7.0]})
        >>> told.argsort().tolist()
        [0, 1, 2]
    """
    columns = _columns(scores)
    told = [np.log(shares) for shares in map(rank_shares, columns.values()) if np.ptp(shares) > 0]
    return np.sum(told, axis=0) if told else np.zeros(len(next(iter(columns.values()))))


def rank_shares(values: ArrayLike) -> NDArray[np.float64]:
    """Ranks as shares of the number of architectures: 1 is the best; equal values share the mean of their ranks.

    Args:
        values: shape (n,), n >= 1; what is not finite ranks last.

    Returns:
        In (0, 1], shape (n,).

    Example:
        >>> rank_shares([3.0, float("nan"), 5.0, float("inf")]).tolist()
        [0.75, 0.375, 1.0, 0.375]
    """
    column = np.asarray(values, dtype=np.float64)
    ordered = np.where(np.isfinite(column), column, -np.inf)
    return np.asarray(ranks(ordered) / len(column))


def num_not_finite(scores: Mapping[str, ArrayLike]) -> dict[str, int]:
    """How many architectures each score ranks last for want of a finite number.

    Args:
        scores: columns by name, each of shape (architectures,).

    Raises:
        UsageError: there is no score, or columns differ in length.

    Example:
        >>> num_not_finite({"a": [1.0, float("nan")], "b": [float("-inf"), float("inf")]})
        {'a': 1, 'b': 2}
    """
    return {name: int((~np.isfinite(column)).sum()) for name, column in _columns(scores).items()}


def _columns(scores: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.float64]]:
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in scores.items()}
    shapes = {column.shape for column in columns.values()}
    if len(shapes) != 1 or len(shape := shapes.pop()) != 1 or not shape[0]:
        got = {name: column.shape for name, column in columns.items()}
        raise UsageError(wrong("scores", got, "at least one column, all of shape (architectures,)"))
    return columns
