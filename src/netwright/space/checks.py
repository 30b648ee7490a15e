"""What can be wrong with a declaration as a whole, found when the space is constructed.

What a single choice or node can have wrong is found where it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from netwright.errors import SpaceError, unknown, wrong
from netwright.space.expressions import Expr, Real
from netwright.space.nodes import Node, OneOf, Repeat
from netwright.space.program import Program, checked_depth, reads, same_domain, uncovered
from netwright.space.values import Continuous, each, is_static, typed, values_of
from netwright.types import Value

LIMIT = 4_096
"""The most assignments that are gone through to know the values of an expression; beyond, faults show when met."""

DEPTH = 12
"""The most choices that are gone through to know the values of an expression."""


def check_declaration(program: Program, constraints: Sequence[Expr]) -> None:
    """Find what contradicts itself.

    Raises:
        SpaceError: with what is wrong, and how to mend it.
    """
    if program.root is None and not program.training:
        raise SpaceError("a space needs a network, or training arguments; both are missing")
    for constraint in constraints:
        _check_constraint(program, constraint)
    for name in program.structural:
        if isinstance(program.choices[name].domain, Real):
            raise SpaceError(
                f"the real choice {name!r} decides what exists or what another choice may be; "
                "use integer() or choice() there, since a real has too many values to follow"
            )
    for node in program.nodes:
        _check_node(node)
    for choice in program.choices.values():
        if not is_static(choice.domain):
            possible_values(choice)  # raises where a table has no row, or a bound is not whole


def _check_node(node: Node) -> None:
    if isinstance(node, OneOf):
        _check_branches(node)
    elif isinstance(node, Repeat) and isinstance(node.depth, Expr):
        for depth in possible_values(node.depth) or ():
            checked_depth(node, depth)


def _check_constraint(program: Program, constraint: Expr) -> None:
    if not isinstance(cast(object, constraint), Expr):
        cure = "compare with <=, >=, netwright.equal(a, b), and join with &, | and ~"
        raise SpaceError(wrong("constraint", constraint, "a condition of choices", cure))
    for choice in reads(constraint):
        known = program.choices.get(choice.name)
        if known is None:
            raise SpaceError(
                f"the constraint {constraint!r} reads an {unknown('choice', choice.name, program.choices)}"
            )
        if known is not choice and not same_domain(known.domain, choice.domain):
            raise SpaceError(
                f"the constraint {constraint!r} reads a choice {choice.name!r} whose values differ from those in the "
                f"network: {choice.domain!r} and {known.domain!r}; use the same choice object in both"
            )


def _check_branches(node: OneOf) -> None:
    keys = [typed(key) for key, _ in node.branches]
    if len(set(keys)) < len(keys):
        raise SpaceError(wrong("branches", [key for key, _ in node.branches], "all for different values"))
    for value in possible_values(node.selector) or ():
        if typed(value) not in keys:
            raise SpaceError(uncovered(node, value))


def possible_values(expression: Expr) -> list[Value] | None:
    """All values an expression can have; None where they are too many or not known.

    Constraints are not considered.
    """
    if len(expression.choices()) > DEPTH:
        return None
    partial: list[dict[str, Value]] = [{}]
    for choice in expression.choices():
        sets = [values_of(choice, decisions) for decisions in partial]
        if any(isinstance(s, Continuous) for s in sets) or sum(s.size for s in sets) > LIMIT:
            return None
        partial = [{**d, choice.name: value} for d, s in zip(partial, sets, strict=True) for value in each(s)]
    values = [expression.evaluate(decisions) for decisions in partial]
    return list({typed(value): value for value in values}.values())
