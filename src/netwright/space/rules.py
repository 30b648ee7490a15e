"""What a move demands of a decision: to keep one of some values, or to change; and which values of an edge that allows.

Knows edges one by one, no walks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Union

import numpy as np

from netwright.space.diagram import Edge
from netwright.space.draws import below
from netwright.space.values import Continuous, Values, each
from netwright.types import Value

_SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True, slots=True)
class Keep:
    """A decision must take one of these values."""

    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A decision must take another value than this."""

    value: Value


Rule = Union[Keep, Change]


def permitted(rule: Rule | None, edge: Edge) -> Sequence[Value] | int:
    """Which values of an edge a rule allows: a list of them, or how many where they are too many to list."""
    if edge.values is None:
        return (edge.value,) if _allows(rule, edge.value) else ()
    if rule is None:
        return edge.width
    if isinstance(rule, Keep):
        return tuple(v for v in rule.values if edge.values.position(v) is not None)
    if isinstance(edge.values, Continuous):
        return int(edge.values.low < edge.values.high)
    return edge.width - (edge.values.position(rule.value) is not None)


def _allows(rule: Rule | None, value: Value) -> bool:
    if rule is None:
        return True
    if isinstance(rule, Keep):
        return value in rule.values  # values of one domain that are equal are the same
    return value != rule.value


def number_of(allowed: Sequence[Value] | int) -> int:
    """How many values a rule allows on an edge."""
    return allowed if isinstance(allowed, int) else len(allowed)


def draw_value(values: Values, rng: np.random.Generator) -> Value:
    """Draw a value evenly."""
    if isinstance(values, Continuous):
        return values.at_share(rng.random())
    return values.at(below(rng, values.size))


def draw_allowed(rule: Rule | None, edge: Edge, allowed: Sequence[Value] | int, rng: np.random.Generator) -> Value:
    """Draw evenly one of the values that a rule allows on an edge."""
    if not isinstance(allowed, int):
        return allowed[below(rng, len(allowed))]
    values = edge.values
    assert values is not None
    if not isinstance(rule, Change):
        return draw_value(values, rng)
    if isinstance(values, Continuous):
        drawn = values.at_share(rng.random())
        return drawn if drawn != rule.value else values.at_share(rng.random())
    number, avoided = below(rng, allowed), values.position(rule.value)
    return values.at(number + (avoided is not None and number >= avoided))


def listed(rule: Rule | None, edge: Edge, allowed: Sequence[Value] | int) -> Iterator[Value]:
    """The values that a rule allows on an edge; of a real choice a few points of its range."""
    if not isinstance(allowed, int):
        yield from allowed
    elif isinstance(edge.values, Continuous):
        points = map(edge.values.at_share, _SHARES if rule is not None else (0.5,))
        yield from (point for point in dict.fromkeys(points) if _allows(rule, point))
    elif edge.values is not None:
        yield from (value for value in each(edge.values) if _allows(rule, value))
