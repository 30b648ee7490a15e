"""Choices, and what can be computed from them: arithmetic and conditions.

An expression is data. It knows which choices it reads (`names`) and how to work itself out once they are decided
(`evaluate`). It does not know where in a network it stands, whether its choices are active, or how many ways there
are to decide them: that is the search space's. The functions that people declare them with are in `declarations`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add
from typing import Union, cast

from netwright.errors import SpaceError, wrong
from netwright.types import Value, canonical_json, to_json_value

Operand = Union["Expr", Value]


class Expr:
    """Something whose value depends on choices. Abstract.

    ``+ - * // % ** /``, comparisons ``< <= > >=`` and ``& | ~`` on conditions build larger expressions.
    ``==`` keeps its Python meaning (the same object); the condition is `equal`.
    """

    names: frozenset[str]

    def evaluate(self, decisions: Mapping[str, Value]) -> Value:
        """Value of the expression.

        Args:
            decisions: a value for each name in `names`.

        Raises:
            SpaceError: a choice is missing, or the arithmetic is impossible (a division by zero).
        """
        raise NotImplementedError

    def choices(self) -> tuple[Choice, ...]:
        """The choices read, in the order in which they are written; the bounds of a dependent choice come first."""
        raise NotImplementedError

    def __bool__(self) -> bool:
        raise SpaceError(
            f"the truth of {self!r} is not known before it is decided; "
            "use netwright.equal(a, b), &, | and ~ to write conditions, and one_of or optional to branch"
        )

    def __add__(self, other: Operand) -> Expr:
        return _chain("+", self, other)

    def __radd__(self, other: Operand) -> Expr:
        return Apply("+", (other, self))

    def __sub__(self, other: Operand) -> Expr:
        return Apply("-", (self, other))

    def __rsub__(self, other: Operand) -> Expr:
        return Apply("-", (other, self))

    def __mul__(self, other: Operand) -> Expr:
        return Apply("*", (self, other))

    def __rmul__(self, other: Operand) -> Expr:
        return Apply("*", (other, self))

    def __floordiv__(self, other: Operand) -> Expr:
        return Apply("//", (self, other))

    def __rfloordiv__(self, other: Operand) -> Expr:
        return Apply("//", (other, self))

    def __truediv__(self, other: Operand) -> Expr:
        return Apply("/", (self, other))

    def __rtruediv__(self, other: Operand) -> Expr:
        return Apply("/", (other, self))

    def __mod__(self, other: Operand) -> Expr:
        return Apply("%", (self, other))

    def __pow__(self, other: Operand) -> Expr:
        return Apply("**", (self, other))

    def __rpow__(self, other: Operand) -> Expr:
        return Apply("**", (other, self))

    def __lt__(self, other: Operand) -> Expr:
        return Apply("<", (self, other))

    def __le__(self, other: Operand) -> Expr:
        return Apply("<=", (self, other))

    def __gt__(self, other: Operand) -> Expr:
        return Apply(">", (self, other))

    def __ge__(self, other: Operand) -> Expr:
        return Apply(">=", (self, other))

    def __and__(self, other: Operand) -> Expr:
        return _chain("and", self, other)

    def __rand__(self, other: Operand) -> Expr:
        return Apply("and", (other, self))

    def __or__(self, other: Operand) -> Expr:
        return _chain("or", self, other)

    def __ror__(self, other: Operand) -> Expr:
        return Apply("or", (other, self))

    def __invert__(self) -> Expr:
        return Apply("not", (self,))


@dataclass(frozen=True, slots=True)
class Categorical:
    """One of the given values, in no order that means anything.

    Args:
        values: at least one, all different.
    """

    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        _require_distinct(self.values)


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number ``low, low + step, ...`` up to and including ``high``.

    Args:
        low: smallest value; may be an expression.
        high: largest value; may be an expression.
        step: >= 1.
        log: whether ratios matter rather than differences.
    """

    low: Operand
    high: Operand
    step: int = 1
    log: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.step, int) or self.step < 1:
            raise SpaceError(wrong("step", self.step, "a whole number >= 1"))
        for name, bound in (("low", self.low), ("high", self.high)):
            if not isinstance(bound, Expr) and (isinstance(bound, bool) or not isinstance(bound, int)):
                raise SpaceError(wrong(name, bound, "a whole number", "use real() for fractions"))
        if not isinstance(self.low, Expr) and not isinstance(self.high, Expr):
            _require_ordered(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Real:
    """A real number in ``[low, high]``, spread evenly over the logarithm where ``log``.

    Args:
        low: finite; > 0 where ``log``.
        high: finite, >= ``low``.
        log: whether ratios matter rather than differences.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        for name, bound in (("low", self.low), ("high", self.high)):
            if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not math.isfinite(bound):
                raise SpaceError(wrong(name, bound, "a finite number"))
        _require_ordered(self.low, self.high)
        if self.log and self.low <= 0:
            raise SpaceError(wrong("low", self.low, "> 0 where log=True", "raise low or take log=False"))


@dataclass(frozen=True, slots=True)
class Subset:
    """Several of the given values; the decision is a tuple of them in the order of ``values``.

    Args:
        values: at least one, all different.
        min_size: the fewest taken, >= 0.
        max_size: the most taken; None for all.
    """

    values: tuple[Value, ...]
    min_size: int = 0
    max_size: int | None = None

    def __post_init__(self) -> None:
        _require_distinct(self.values)
        top = len(self.values) if self.max_size is None else self.max_size
        if not 0 <= self.min_size <= top <= len(self.values):
            allowed = f"0 <= min <= max <= {len(self.values)}"
            raise SpaceError(wrong("subset size", (self.min_size, self.max_size), allowed))


@dataclass(frozen=True, slots=True)
class Dependent:
    """One of the values that a table gives for the value of another expression.

    Args:
        on: what the table is read by.
        table: value of ``on``, and the values allowed then, all different.
    """

    on: Expr
    table: tuple[tuple[Value, tuple[Value, ...]], ...]

    def __post_init__(self) -> None:
        _require_distinct(tuple(key for key, _ in self.table))
        for _, values in self.table:
            _require_distinct(values)


Domain = Union[Categorical, Integer, Real, Subset, Dependent]


def _require_distinct(values: Sequence[Value]) -> None:
    if not values:
        raise SpaceError(wrong("choices", values, "at least one value"))
    seen: set[object] = set()
    for value in values:
        require_plain(value)
        if value in seen:  # 1, 1.0 and True are equal in Python and would be one key in a table
            raise SpaceError(wrong("choices", list(values), "all different", f"remove one of the two {value!r}"))
        seen.add(value)


def require_plain(value: object) -> None:
    """Refuse what is no plain value: a number, string, flag, None or a tuple of them.

    Raises:
        SpaceError: it is something else, or not finite.
    """
    if isinstance(value, tuple):
        for part in value:
            require_plain(part)
    elif isinstance(value, float) and not math.isfinite(value):
        raise SpaceError(wrong("choice", value, "finite"))
    elif value is not None and not isinstance(value, (bool, int, float, str)):
        cure = "choose among names with one_of(...), or among plain values"
        raise SpaceError(wrong("choice", value, "a number, string, flag, None or a tuple of them", cure))


def _require_ordered(low: object, high: object) -> None:
    if cast(float, low) > cast(float, high):
        raise SpaceError(wrong("low", low, f"<= high ({high!r})", "swap the bounds"))


class Choice(Expr):
    """A decision: a name and the domain its value comes from.

    A choice is its name: wherever the same name appears in a space it is the same decision, and its domain must be
    the same there.

    Args:
        name: not empty; shown to people and stored.
        domain: what it may be.
    """

    def __init__(self, name: str, domain: Domain) -> None:
        if not isinstance(name, str) or not name or any(ord(c) < 32 for c in name) or len(name) > 200:
            raise SpaceError(wrong("name", name, "a string of 1 to 200 printable characters"))
        self.name = name
        self.domain = domain
        expressions = domain_expressions(domain)
        self.names = frozenset({name}).union(*(e.names for e in expressions))
        before = [c for e in expressions for c in e.choices()]
        self._choices = tuple(dict.fromkeys((*before, self)))

    def __repr__(self) -> str:
        return f"choice {self.name!r}"

    def evaluate(self, decisions: Mapping[str, Value]) -> Value:
        try:
            return decisions[self.name]
        except KeyError:
            raise SpaceError(f"choice {self.name!r} is not decided; decided are: {sorted(decisions)}") from None

    def choices(self) -> tuple[Choice, ...]:
        return self._choices


def domain_expressions(domain: Domain) -> tuple[Expr, ...]:
    """The expressions a domain depends on: bounds, or what a table is read by."""
    if isinstance(domain, Integer):
        return tuple(b for b in (domain.low, domain.high) if isinstance(b, Expr))
    return (domain.on,) if isinstance(domain, Dependent) else ()


_ARITHMETIC: Mapping[str, Callable[..., object]] = {
    "+": lambda *values: reduce(add, values),
    "sum": lambda *values: reduce(add, values),
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": lambda a, b: a**b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: canonical_json(to_json_value(a)) == canonical_json(to_json_value(b)) or a == b,
    "and": lambda *values: all(values),
    "or": lambda *values: any(values),
    "not": lambda a: not a,
    "min": lambda *values: min(values),
    "max": lambda *values: max(values),
    "in": lambda value, values: value in values,
    "len": len,
    "if": lambda condition, then, other: then if condition else other,
}


class Apply(Expr):
    """An operator applied to operands, at least one of which is an expression.

    Args:
        operator: a key of the table of operators above.
        operands: expressions or plain values.
    """

    def __init__(self, operator: str, operands: tuple[Operand, ...]) -> None:
        if operator not in _ARITHMETIC:
            raise SpaceError(wrong("operator", operator, f"one of {sorted(_ARITHMETIC)}"))
        for operand in operands:
            if not isinstance(operand, Expr):
                require_plain(operand)
        self.operator = operator
        self.operands = operands
        self.names = frozenset().union(*(o.names for o in operands if isinstance(o, Expr)))

    def __repr__(self) -> str:
        parts = [o.name if isinstance(o, Choice) else repr(o) for o in self.operands]
        if len(parts) > 1 and self.operator not in ("min", "max", "sum", "if"):
            return f"({f' {self.operator} '.join(parts)})"
        return f"{self.operator}({', '.join(parts)})"

    def evaluate(self, decisions: Mapping[str, Value]) -> Value:
        values = [o.evaluate(decisions) if isinstance(o, Expr) else o for o in self.operands]
        return self.apply(values)

    def apply(self, values: Sequence[Value]) -> Value:
        """Work the operator out on decided operands.

        Raises:
            SpaceError: the arithmetic is impossible, such as a division by zero.
        """
        try:
            return cast(Value, _ARITHMETIC[self.operator](*values))
        except (TypeError, ZeroDivisionError, OverflowError, ValueError) as error:
            raise SpaceError(f"{self!r} cannot be worked out for {list(values)}: {error}") from error

    @cached_property
    def _choices(self) -> tuple[Choice, ...]:
        return tuple(dict.fromkeys(c for o in self.operands if isinstance(o, Expr) for c in o.choices()))

    def choices(self) -> tuple[Choice, ...]:
        return self._choices


def _chain(operator: str, left: Expr, right: Operand) -> Expr:
    """Add one operand to a chain of the same operator, so that a sum of thousands is not nested thousands deep."""
    before = left.operands if isinstance(left, Apply) and left.operator == operator else (left,)
    return Apply(operator, (*before, right))
