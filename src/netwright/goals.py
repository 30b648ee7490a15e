"""What a search may want and limit: metrics by name, read from texts. Knows no specification and no torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Literal

from netwright.errors import SpecError, unknown, wrong
from netwright.types import Constraint, Objective

METRICS: Mapping[str, Literal["max", "min"]] = MappingProxyType(
    {
        "latency_ms": "min",
        "params": "min",
        "macs": "min",
        "memory_bytes": "min",
        "depth": "min",
    }
)
"""What every task can be searched for besides its own metrics, and the direction in which it is better."""

LIMITED = tuple(METRICS)
"""What a constraint may name: all that is known before a network is trained."""

INT8_GOAL = "int8_accuracy"
TRAINED = ("accuracy", INT8_GOAL, "loss")
MAIN: Mapping[str, Literal["max", "min"]] = MappingProxyType({"accuracy": "max"})
"""Metrics of a classification."""


def parse_constraint(text: str, trained: Collection[str] = TRAINED) -> Constraint:
    """Read a limit on a network.

    Args:
        text: such as ``params<=200k``.
        trained: metrics that only a training tells.

    Raises:
        SpecError: it cannot be read, or is not an upper limit on what is known before a training.

    Example:
        >>> parse_constraint("params<=200k")
        Constraint(metric='params', relation='<=', bound=200000.0)
    """
    constraint = Constraint.parse(text)
    if constraint.metric in trained:
        cause = f"{constraint.metric} depends on how long a network is trained"
        raise SpecError(f"constraint {text!r}: {cause}; make it an objective")
    require(constraint.metric in LIMITED, unknown("metric of a constraint", constraint.metric, LIMITED))
    if constraint.relation == ">=":
        cure = f"{constraint.metric}<={constraint.bound:g}"
        raise SpecError(wrong("constraint", text, "an upper limit, since less is better", f"write {cure}"))
    require(constraint.bound > 0, wrong("constraint", text, "a limit > 0"))
    return constraint


def parse_objectives(
    texts: tuple[str, ...], directions: Mapping[str, Literal["max", "min"]] | None = MAIN
) -> tuple[Objective, ...]:
    """Read what is to be improved.

    Args:
        texts: such as ``accuracy`` or ``params:min``.
        directions: metrics of the task, the main one first; None for a task of one's own, whose metrics are given with
            their direction.

    Raises:
        SpecError: a metric or a direction is wrong, or one is named twice.

    Example:
        >>> parse_objectives(("accuracy", "params:min"))
        (Objective(metric='accuracy', direction='max'), Objective(metric='params', direction='min'))
    """
    objectives = tuple(_parse_objective(text, directions) for text in texts)
    names = [objective.metric for objective in objectives]
    cure = f"use {next(iter(directions or MAIN))}"
    require(bool(names), wrong("objectives", list(texts), "at least one metric", cure))
    require(len(set(names)) == len(names), wrong("objectives", list(texts), "different metrics", "name each once"))
    return objectives


def _parse_objective(text: str, directions: Mapping[str, Literal["max", "min"]] | None) -> Objective:
    metric, colon, direction = text.partition(":")
    known: dict[str, Literal["max", "min"]] = {**(directions or {}), **METRICS}
    if "accuracy" in known:
        known[INT8_GOAL] = "max"
    if directions is None and metric not in known:
        allowed = f"{metric}:max or {metric}:min, since the task is your own"
        if direction == "max":
            return Objective(metric, "max")
        require(direction == "min", wrong("objective", text, allowed))
        return Objective(metric, "min")
    require(metric in known, unknown("metric of an objective", metric, known))
    right = known[metric]
    if colon and direction != right:
        raise SpecError(wrong(f"direction of the objective {metric}", direction, right, f"write {metric}"))
    return Objective(metric, right)


def require(holds: bool, message: str) -> None:
    """Raise `SpecError` with a message where something does not hold."""
    if not holds:
        raise SpecError(message)
