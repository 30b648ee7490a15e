"""Checks of arguments where an operation is declared, so that a mistake shows where it was made.

An expression passes unless it is a choice, whose values are all checked. What only an architecture decides is checked
again by the emitters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from netwright.errors import SpaceError, wrong
from netwright.nn.backend import TORCH
from netwright.nn.site import STAGE_WIDTH
from netwright.space.expressions import Categorical, Choice, Expr, Integer
from netwright.space.nodes import Arg, Cell, Node, OneOf, Op, Repeat, freeze_args

Number = Expr | float | tuple[int, ...]
Size = Expr | int | float | tuple[int, ...] | tuple[str, Expr | int]
Word = Expr | str
Flag = Expr | bool


def make_op(kind: str, args: Mapping[str, object], *children: Node) -> Op:
    """Make an operation of torch; ``children`` have been checked."""
    return Op(kind, freeze_args(args), children, TORCH)


def each(name: str, value: object, allowed: str, fits: Callable[[object], bool]) -> Arg:
    """Check a plain value, or all values of a choice; other expressions pass.

    Raises:
        SpaceError: a value does not fit; names the argument.
    """
    if isinstance(value, Choice):
        for possible in _values(value):
            if not fits(possible):
                raise SpaceError(wrong(f"{name} (values of {value!r})", possible, allowed))
        return value
    if isinstance(value, Expr):
        return value
    if not fits(value):
        raise SpaceError(wrong(name, value, allowed))
    return tuple(value) if isinstance(value, list) else value  # type: ignore[return-value]  # fits() let it pass


def _values(choice: Choice) -> tuple[object, ...]:
    if isinstance(choice.domain, Categorical):
        return choice.domain.values
    if isinstance(choice.domain, Integer) and isinstance(choice.domain.low, int):
        return (choice.domain.low,)
    return ()


def size(name: str, value: object, minimum: int = 1) -> Arg:
    """A whole number, or one for each dimension; parts may be expressions."""

    def fits(v: object) -> bool:
        if isinstance(v, (tuple, list)):
            return v[:1] == (STAGE_WIDTH,) or (len(v) > 0 and all(isinstance(x, Expr) or fits_one(x) for x in v))
        return fits_one(v)

    def fits_one(v: object) -> bool:
        whole = isinstance(v, int) or (isinstance(v, float) and v.is_integer())
        return whole and not isinstance(v, bool) and v >= minimum  # type: ignore[operator]  # whole implies a number

    return each(name, value, f"a whole number >= {minimum}, several of them, or a choice", fits)


def number(name: str, value: object, low: float, high: float) -> Arg:
    """A real number in ``[low, high]``."""

    def fits(v: object) -> bool:
        return isinstance(v, (int, float)) and not isinstance(v, bool) and low <= v <= high

    return each(name, value, f"a number in [{low:g}, {high:g}] or a choice", fits)


def word(name: str, value: object, allowed: Collection[str]) -> Arg:
    """One of several words."""
    return each(name, value, f"one of {', '.join(sorted(allowed))}", lambda v: isinstance(v, str) and v in allowed)


def flag(name: str, value: object) -> Arg:
    """Yes or no."""
    return each(name, value, "True, False or a flag", lambda v: isinstance(v, bool))


def node(name: str, value: object) -> Node:
    """An operation or a structure.

    Raises:
        SpaceError: it is neither.
    """
    if not isinstance(value, (Op, OneOf, Repeat, Cell)):
        hint = "call it" if callable(value) else "make one with netwright.nn"
        raise SpaceError(wrong(name, value, "an operation, such as nn.conv(16)", hint))
    return value


def nodes(name: str, values: Collection[object], minimum: int = 0) -> tuple[Node, ...]:
    """Operations or structures.

    Raises:
        SpaceError: they are too few, or one is neither; names it by its place.
    """
    if len(values) < minimum:
        raise SpaceError(wrong(name, list(values), f"at least {minimum} operations"))
    return tuple(node(f"{name}[{index}]", value) for index, value in enumerate(values))
