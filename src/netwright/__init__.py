"""netwright: neural architecture search for people who train networks with PyTorch.

Data and limits in; a better network out, as plain source, weights and ONNX, with the evidence. The public names are
loaded when they are first used, so that importing the package loads neither torch nor anything heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from netwright.search import resume, search  # at once, since function and module share a name

if TYPE_CHECKING:
    from netwright import benchmarks, comparison, errors, nn, strategies, testing
    from netwright.comparison import compare
    from netwright.errors import Interrupted
    from netwright.progress import Status
    from netwright.space import (
        SearchSpace,
        choice,
        contains,
        equal,
        flag,
        implies,
        integer,
        maximum,
        minimum,
        real,
        size,
        subset,
        total,
        where,
    )
    from netwright.spec import SearchSpec
    from netwright.study.result import Result
    from netwright.tasks.image_classification import ImageClassification
    from netwright.types import (
        Architecture,
        Budget,
        Constraint,
        Fidelity,
        Metrics,
        Objective,
        Proposal,
        Trial,
        TrialState,
    )

_PLACES = {
    "netwright.space": (
        *("SearchSpace", "choice", "contains", "equal", "flag", "implies", "integer", "maximum", "minimum", "real"),
        *("size", "subset", "total", "where"),
    ),
    "netwright.types": (
        *(
            "Architecture",
            "Budget",
            "Constraint",
            "Fidelity",
            "Metrics",
            "Objective",
            "Proposal",
            "Trial",
            "TrialState",
        ),
    ),
    "netwright.comparison": ("compare",),
    "netwright.spec": ("SearchSpec",),
    "netwright.progress": ("Status",),
    "netwright.errors": ("Interrupted",),
    "netwright.study.result": ("Result",),
    "netwright.tasks.image_classification": ("ImageClassification",),
}
_MODULES = ("benchmarks", "comparison", "errors", "nn", "strategies", "testing")
_HOME = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "Architecture",
    "Budget",
    "Constraint",
    "Fidelity",
    "ImageClassification",
    "Interrupted",
    "Metrics",
    "Objective",
    "Proposal",
    "Result",
    "SearchSpace",
    "SearchSpec",
    "Status",
    "Trial",
    "TrialState",
    "benchmarks",
    "choice",
    "compare",
    "comparison",
    "contains",
    "equal",
    "errors",
    "flag",
    "implies",
    "integer",
    "maximum",
    "minimum",
    "nn",
    "real",
    "resume",
    "search",
    "size",
    "strategies",
    "subset",
    "testing",
    "total",
    "where",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("netwright")
    if name in _MODULES:
        return import_module(f"netwright.{name}")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'netwright' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
