"""What a search may want and limit: metrics by name, read from texts. Knows no specification and no torch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from netwright.errors import SpecError, unknown, wrong
from netwright.types import Constraint, Objective

METRICS: Mapping[str, Literal["max", "min"]] = MappingProxyType(
    {
        "accuracy": "max",
        "int8_accuracy": "max",
        "latency_ms": "min",
        "params": "min",
        "macs": "min",
        "memory_bytes": "min",
        "depth": "min",
    }
)
"""What an objective may name, and the direction in which it is better."""

TRAINED = ("accuracy", "int8_accuracy", "loss")
LIMITED = tuple(name for name in METRICS if name not in TRAINED)
"""What a constraint may name: all that is known before a network is trained."""

INT8_GOAL = "int8_accuracy"


def parse_constraint(text: str) -> Constraint:
    """Read a limit on a network.

    Raises:
        SpecError: it cannot be read, or is not an upper limit on what is known before a training.

    Example:
        >>> parse_constraint("params<=200k")
        Constraint(metric='params', relation='<=', bound=200000.0)
    """
    constraint = Constraint.parse(text)
    if constraint.metric in TRAINED:
        cause = f"{constraint.metric} depends on how long a network is trained"
        raise SpecError(f"constraint {text!r}: {cause}; make it an objective")
    require(constraint.metric in LIMITED, unknown("metric of a constraint", constraint.metric, LIMITED))
    if constraint.relation == ">=":
        cure = f"{constraint.metric}<={constraint.bound:g}"
        raise SpecError(wrong("constraint", text, "an upper limit, since less is better", f"write {cure}"))
    require(constraint.bound > 0, wrong("constraint", text, "a limit > 0"))
    return constraint


def parse_objectives(texts: tuple[str, ...]) -> tuple[Objective, ...]:
    """Read what is to be improved.

    Raises:
        SpecError: a metric or a direction is wrong, or one is named twice.

    Example:
        >>> parse_objectives(("accuracy", "params:min"))
        (Objective(metric='accuracy', direction='max'), Objective(metric='params', direction='min'))
    """
    objectives = tuple(_parse_objective(text) for text in texts)
    names = [objective.metric for objective in objectives]
    require(bool(names), wrong("objectives", list(texts), "at least one metric", "use accuracy"))
    require(len(set(names)) == len(names), wrong("objectives", list(texts), "different metrics", "name each once"))
    return objectives


def _parse_objective(text: str) -> Objective:
    metric, colon, direction = text.partition(":")
    require(metric in METRICS, unknown("metric of an objective", metric, METRICS))
    right = METRICS[metric]
    if colon and direction != right:
        raise SpecError(wrong(f"direction of the objective {metric}", direction, right, f"write {metric}"))
    return Objective(metric, right)


def require(holds: bool, message: str) -> None:
    """Raise `SpecError` with a message where something does not hold."""
    if not holds:
        raise SpecError(message)
