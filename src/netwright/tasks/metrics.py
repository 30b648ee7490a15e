"""Metrics of scikit-learn, imported when they are first needed: that takes seconds."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from netwright.errors import MissingDependencyError


def require_metrics(purpose: str, extra: str) -> None:
    """Check that scikit-learn is there, without importing it.

    Args:
        purpose: what it is needed for.
        extra: of netwright, with which it is installed.

    Raises:
        MissingDependencyError: it is not installed.
    """
    if find_spec("sklearn") is None:
        raise MissingDependencyError("scikit-learn", extra, purpose)


def sklearn_metrics() -> Any:
    """``sklearn.metrics``."""
    import sklearn.metrics

    return sklearn.metrics
