"""What people write to declare choices, and conditions and arithmetic on them. What these are is in `expressions`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from netwright.errors import SpaceError, wrong
from netwright.space.expressions import (
    Apply,
    Categorical,
    Choice,
    Dependent,
    Expr,
    Integer,
    Operand,
    Real,
    Subset,
    require_plain,
)
from netwright.types import Value


def choice(name: str, values: Sequence[Value] | Mapping[Value, Sequence[Value]], *, on: Expr | None = None) -> Choice:
    """Declare a categorical choice; with ``on``, one whose values depend on another choice.

    Args:
        name: of the choice.
        values: the values; with ``on``, a table from each value of ``on`` to the values allowed then.
        on: the expression the table is read by.

    Raises:
        SpaceError: no values, two that are equal, or one that is not plain.

    Example:
        >>> width = choice("width", [16, 24, 32])
        >>> kernel = choice("kernel", {16: [3, 5], 24: [3], 32: [3]}, on=width)
    """
    if on is not None:
        if not isinstance(values, Mapping):
            raise SpaceError(wrong("values", values, "a table {value of on: [values]} where on= is given"))
        table = tuple((key, _tuple(options)) for key, options in values.items())
        return Choice(name, Dependent(on, table))
    if isinstance(values, (str, Mapping)) or not isinstance(values, Sequence):
        raise SpaceError(wrong("values", values, "a list of values"))
    return Choice(name, Categorical(_tuple(values)))


def integer(name: str, low: Operand, high: Operand, step: int = 1, *, log: bool = False) -> Choice:
    """Declare a whole number from ``low`` to ``high``, both included; the bounds may be expressions.

    Args:
        name: of the choice.
        low: smallest value.
        high: largest value.
        step: distance between the values, >= 1.
        log: whether ratios matter rather than differences (to encodings and models; sampling stays uniform).

    Raises:
        SpaceError: a bound is no whole number, ``low`` > ``high``, or ``step`` < 1.

    Example:
        >>> layers = integer("layers", 2, 6)
        >>> width = integer("width", layers * 8, 64, step=8)
    """
    return Choice(name, Integer(low, high, step, log))


def real(name: str, low: float, high: float, *, log: bool = False) -> Choice:
    """Declare a real number in ``[low, high]``; with ``log`` it is sampled evenly over the logarithm.

    Raises:
        SpaceError: a bound is not finite, ``low`` > ``high``, or ``low`` <= 0 where ``log``.

    Example:
        >>> learning_rate = real("learning_rate", 1e-4, 1e-1, log=True)
    """
    return Choice(name, Real(low, high, log))


def flag(name: str) -> Choice:
    """Declare a yes-or-no choice.

    Example:
        >>> flag("skip").domain
        Categorical(values=(False, True))
    """
    return Choice(name, Categorical((False, True)))


def subset(name: str, values: Sequence[Value], min_size: int = 0, max_size: int | None = None) -> Choice:
    """Declare a choice of several of the values; the decision is a tuple of them.

    Args:
        name: of the choice.
        values: at least one, all different.
        min_size: the fewest taken, >= 0.
        max_size: the most taken; None for all.

    Raises:
        SpaceError: no values, two that are equal, or sizes that cannot be.

    Example:
        >>> inputs = subset("inputs", [0, 1, 2], min_size=1, max_size=2)
    """
    return Choice(name, Subset(_tuple(values), min_size, max_size))


def equal(a: Operand, b: Operand) -> Expr:
    """Condition: ``a`` and ``b`` have the same value.

    Example:
        >>> equal(choice("kernel", [3, 5]), 3).evaluate({"kernel": 3})
        True
    """
    return Apply("==", (a, b))


def contains(values: Operand, value: Operand) -> Expr:
    """Condition: ``value`` is among ``values`` (a subset choice or a tuple).

    Example:
        >>> contains(subset("inputs", [0, 1, 2]), 1).evaluate({"inputs": (0, 2)})
        False
    """
    return Apply("in", (value, values))


def size(values: Operand) -> Expr:
    """How many values a subset choice has taken.

    Example:
        >>> size(subset("inputs", [0, 1, 2])).evaluate({"inputs": (0, 2)})
        2
    """
    return Apply("len", (values,))


def implies(condition: Operand, then: Operand) -> Expr:
    """Condition: ``then`` holds wherever ``condition`` does.

    Example:
        >>> deep, skip = integer("depth", 1, 9) > 4, flag("skip")
        >>> implies(deep, skip).evaluate({"depth": 6, "skip": False})
        False
    """
    return Apply("or", (Apply("not", (condition,)), then))


def where(condition: Operand, then: Operand, other: Operand) -> Expr:
    """``then`` where ``condition`` holds, else ``other``.

    Example:
        >>> where(flag("wide"), 64, 16).evaluate({"wide": True})
        64
    """
    return Apply("if", (condition, then, other))


def minimum(*values: Operand) -> Expr:
    """The smallest of the values. In a constraint, choices that an architecture does not have are left out.

    Example:
        >>> minimum(integer("width", 8, 64), 32).evaluate({"width": 48})
        32
    """
    return Apply("min", values)


def maximum(*values: Operand) -> Expr:
    """The largest of the values. In a constraint, choices that an architecture does not have are left out.

    Example:
        >>> maximum(integer("width", 8, 64), 32).evaluate({"width": 48})
        48
    """
    return Apply("max", values)


def total(values: Sequence[Operand]) -> Expr:
    """Sum of the values. In a constraint, values of choices that an architecture does not have are left out.

    Raises:
        SpaceError: no value is an expression.

    Example:
        >>> edges = [flag(f"edge{i}") for i in range(3)]
        >>> at_most_two = total(edges) <= 2
    """
    if not any(isinstance(value, Expr) for value in values):
        raise SpaceError(wrong("values", list(values), "at least one expression"))
    return Apply("sum", tuple(values))


def _tuple(values: Sequence[Value]) -> tuple[Value, ...]:
    return tuple(_freeze(v) for v in values)


def _freeze(value: object) -> Value:
    if isinstance(value, (list, tuple)):
        return tuple(_freeze(v) for v in value)
    require_plain(value)
    return cast(Value, value)
