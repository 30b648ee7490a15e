"""Whether an architecture satisfies a constraint, where some of the choices it reads may be no decisions of it.

An inactive choice has no value, and the rules are those of SQL's NULL: arithmetic and comparisons with it have no
value either; ``total``, ``minimum`` and ``maximum`` leave it out, and have no value when nothing is left; ``and``,
``or`` and ``not`` are three-valued. A constraint is broken only if it is false, as is an SQL ``CHECK``. So
``total(edges) <= 9`` counts the edges that exist, and ``width2 >= width1`` holds where there is no second layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Union

from netwright.space.expressions import Apply, Choice, Expr, Operand
from netwright.types import Value


class Inactive(Enum):
    """The one thing that is not a value."""

    INACTIVE = "inactive"


INACTIVE = Inactive.INACTIVE
Maybe = Union[Value, Inactive]

SKIPPING = frozenset({"sum", "min", "max"})


def holds(constraint: Expr, decisions: Mapping[str, Value]) -> bool:
    """Whether a constraint is not broken.

    Args:
        constraint: a condition.
        decisions: the active decisions.

    Example:
        >>> from netwright.space.declarations import integer, total
        >>> a, b = integer("a", 0, 3), integer("b", 0, 3)
        >>> holds(a + b <= 1, {"a": 3}), holds(total([a, b]) <= 1, {"a": 3})
        (True, False)
    """
    value = value_of(constraint, decisions)
    return value is INACTIVE or bool(value)


def value_of(operand: Operand, decisions: Mapping[str, Value]) -> Maybe:
    """Value of an expression, or INACTIVE where it has none."""
    if isinstance(operand, Choice):
        return decisions.get(operand.name, INACTIVE)
    if not isinstance(operand, Apply):
        return operand  # type: ignore[return-value]  # an Expr is a Choice or an Apply
    return combine(operand.operator, [value_of(part, decisions) for part in operand.operands])


def combine(operator: str, parts: Sequence[Maybe]) -> Maybe:
    """Work an operator out on values some of which may be missing."""
    if operator == "and" or operator == "or":
        return _connective(parts, deciding=operator == "or")
    if operator == "if":
        return parts[0] if parts[0] is INACTIVE else parts[1] if parts[0] else parts[2]
    known: list[Value] = [part for part in parts if not isinstance(part, Inactive)]
    if len(known) < len(parts) and (operator not in SKIPPING or not known):
        return INACTIVE
    return Apply(operator, ()).apply(known)


def _connective(parts: Sequence[Maybe], *, deciding: bool) -> Maybe:
    if any(part is not INACTIVE and bool(part) is deciding for part in parts):
        return deciding
    return INACTIVE if INACTIVE in parts else not deciding
