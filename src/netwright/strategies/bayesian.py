"""Bayesian optimisation over architectures: a Gaussian process says which network is worth training next.

The loop is that of `netwright.strategies.model_search`, the model that of `netwright.predictors.gaussian_surrogate`.
"""

from __future__ import annotations

from netwright.strategies.model_search import ModelSearch


class BayesianOptimization(ModelSearch):
    """Gaussian-process search with expected improvement: `ModelSearch` with its defaults, by its usual name.

    References:
        B. Ru et al., 2021, NAS-BOWL (kernels over structure); see `ModelSearch` for the rest.
    """
