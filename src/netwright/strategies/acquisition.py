"""Acquisition functions: what an evaluation is expected to bring, from a surrogate's mean and standard deviation.

Pure functions of arrays; the larger the better. They know no architectures and no surrogate.
"""

from __future__ import annotations

from typing import cast

import numpy as np

FAR = -1.0
"""Standard scores below this are computed by the tail formula: the plain one loses all digits there."""


def log_expected_improvement(mean: np.ndarray, std: np.ndarray, best: float) -> np.ndarray:
    """Logarithm of the expected improvement over ``best``, where larger is better.

    Args:
        mean: predictions, shape (n,).
        std: their standard deviations, > 0, shape (n,).
        best: the best value so far.

    Returns:
        Shape (n,), finite also where the improvement itself is far below the smallest float.

    Example:
        >>> far, near = log_expected_improvement(np.array([-40.0, 0.0]), np.array([1.0, 1.0]), best=0.0)
        >>> round(float(near), 4), round(float(far), 1)
        (-0.9189, -808.3)

    References:
        S. Ament et al., 2023, "Unexpected Improvements to Expected Improvement for Bayesian Optimization", equation 9.
    """
    from scipy.special import erfcx, ndtr

    score = (mean - best) / std
    density = -0.5 * score**2 - 0.5 * np.log(2 * np.pi)
    near = np.maximum(score, FAR)
    plain = np.log(np.exp(-0.5 * near**2) / np.sqrt(2 * np.pi) + near * ndtr(near))
    far = np.minimum(score, FAR)
    # 1 - |z| Phi(z) / phi(z), which falls as 1 / z^2: beyond 1e3 its series, since the difference is rounded away
    ratio = np.sqrt(np.pi / 2) * erfcx(-far / np.sqrt(2)) * np.abs(far)
    rest = np.where(far < -1e3, far**-2.0, 1 - np.minimum(ratio, 1 - 1e-12))
    tail = density + np.log(rest)
    return cast(np.ndarray, np.where(score > FAR, plain, tail) + np.log(std))
