"""The values a decision may take once everything its domain depends on is decided: how many, which, in what order.

Finite sets are indexed, never listed, so that a subset of sixty values or a range of a billion costs nothing. Knows
nothing of where in a space a decision stands.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Union

from netwright.errors import SpaceError, shorten, wrong
from netwright.space.expressions import (
    Categorical,
    Choice,
    Dependent,
    Domain,
    Expr,
    Integer,
    Operand,
    Real,
    domain_expressions,
)
from netwright.types import Value


def typed(value: object) -> object:
    """A key in which 1, 1.0 and True differ, as they do in JSON."""
    if isinstance(value, (tuple, list)):
        return (tuple, tuple(typed(v) for v in value))
    return (value.__class__, value)


def _loose(value: object) -> object:
    """A key in which 1 and 1.0 are one, but neither is True."""
    if isinstance(value, (tuple, list)):
        return (tuple, tuple(_loose(v) for v in value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return (float, value)
    return (value.__class__, value)


@dataclass(frozen=True, eq=False)
class Listed:
    """Values written out."""

    values: tuple[Value, ...]

    @cached_property
    def _index(self) -> Mapping[object, int]:
        return {_loose(v): i for i, v in enumerate(self.values)}

    @property
    def size(self) -> int:
        """How many."""
        return len(self.values)

    def at(self, index: int) -> Value:
        """Value number ``index``."""
        return self.values[index]

    def position(self, value: object) -> int | None:
        """Number of a value; None where it is not among them. 16.0 counts as 16, True does not count as 1."""
        try:
            return self._index.get(_loose(value))
        except TypeError:  # unhashable, so none of ours
            return None

    def allowed(self, value: object) -> str:
        """What is allowed, and which is nearest to ``value``."""
        return f"one of {shorten(list(self.values))}{_nearest(value, self.values)}"


@dataclass(frozen=True)
class Stepped:
    """Whole numbers ``low, low + step, ...`` up to ``high``."""

    low: int
    high: int
    step: int = 1

    @property
    def size(self) -> int:
        """How many."""
        return max(0, (self.high - self.low) // self.step + 1)

    def at(self, index: int) -> Value:
        """Value number ``index``."""
        return self.low + index * self.step

    def position(self, value: object) -> int | None:
        """Number of a value; None where it is not among them."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            return None
        index, rest = divmod(value - self.low, self.step)
        return int(index) if rest == 0 and 0 <= index < self.size else None

    def allowed(self, value: object) -> str:
        """What is allowed, and which is nearest to ``value``."""
        steps = f" in steps of {self.step}" if self.step != 1 else ""
        text = f"a whole number from {self.low} to {self.high}{steps}"
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or not self.size:
            return text
        index = min(max(round((value - self.low) / self.step), 0), self.size - 1)
        return f"{text} (nearest: {self.at(index)!r})"


@dataclass(frozen=True)
class Subsets:
    """Tuples of ``min_size`` to ``max_size`` of the values, in their order; the smaller first."""

    values: tuple[Value, ...]
    min_size: int
    max_size: int

    @cached_property
    def size(self) -> int:
        """How many."""
        return sum(math.comb(len(self.values), k) for k in range(self.min_size, self.max_size + 1))

    def at(self, index: int) -> Value:
        """Value number ``index``."""
        count = self.min_size
        while index >= math.comb(len(self.values), count):
            index -= math.comb(len(self.values), count)
            count += 1
        taken: list[Value] = []
        for number, value in enumerate(self.values):
            if len(taken) == count:
                break
            with_it = math.comb(len(self.values) - number - 1, count - len(taken) - 1)
            if index < with_it:
                taken.append(value)
            else:
                index -= with_it
        return tuple(taken)

    def position(self, value: object) -> int | None:
        """Number of a tuple or list, whatever its order; None where it is not among them."""
        if not isinstance(value, (tuple, list)) or not self.min_size <= len(value) <= self.max_size:
            return None
        wanted = {_loose(v) for v in value}
        marks = [_loose(v) in wanted for v in self.values]
        if len(wanted) != len(value) or sum(marks) != len(value):
            return None
        index = sum(math.comb(len(marks), k) for k in range(self.min_size, len(value)))
        left = len(value)
        for number, mark in enumerate(marks):
            if left == 0:
                break
            if mark:
                left -= 1
            else:
                index += math.comb(len(marks) - number - 1, left - 1)
        return index

    def allowed(self, value: object) -> str:
        """What is allowed."""
        del value
        return f"a list of {self.min_size} to {self.max_size} different values of {shorten(list(self.values))}"


@dataclass(frozen=True)
class Continuous:
    """Real numbers in ``[low, high]``: a measure, not a count; `size` is the 1 they multiply counts by."""

    low: float
    high: float
    log: bool = False
    size = 1

    def at_share(self, share: float) -> float:
        """The number below which ``share`` of the measure lies."""
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            return min(max(math.exp(low + share * (high - low)), self.low), self.high)
        return min(max(self.low + share * (self.high - self.low), self.low), self.high)

    def share(self, value: float) -> float:
        """Share of the measure below a number; the opposite of `at_share`."""
        if self.low == self.high:
            return 0.0
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def at(self, index: int) -> Value:
        """The middle: what stands for a real where numbers are only counted."""
        del index
        return self.at_share(0.5)

    def position(self, value: object) -> int | None:
        """0 for a number in the range; None for anything else."""
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return 0 if number and self.low <= value <= self.high else None  # type: ignore[operator]

    def allowed(self, value: object) -> str:
        """What is allowed, and which is nearest to ``value``."""
        text = f"a number in [{self.low!r}, {self.high!r}]"
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            return text
        return f"{text} (nearest: {min(max(value, self.low), self.high)!r})"


Values = Union[Listed, Stepped, Subsets, Continuous]


def canonical(values: Values, value: object) -> Value:
    """The space's own way to write a value: 16 for 16.0, a subset in the order of its declaration.

    Raises:
        LookupError: the value is not among them.
    """
    index = values.position(value)
    if index is None:
        raise LookupError(value)
    return float(value) if isinstance(values, Continuous) else values.at(index)  # type: ignore[arg-type]


def each(values: Values) -> Iterator[Value]:
    """All values in order."""
    return (values.at(i) for i in range(values.size))


def values_of(choice: Choice, decisions: Mapping[str, Value]) -> Values:
    """The values a choice may take, given those it depends on.

    Raises:
        SpaceError: a bound is not whole, or a table has no row for what it is read by.
    """
    domain = choice.domain
    if isinstance(domain, Categorical):
        return Listed(domain.values)
    if isinstance(domain, Integer):
        low, high = (_whole(choice, n, b, decisions) for n, b in (("low", domain.low), ("high", domain.high)))
        return Stepped(low, high, domain.step)
    if isinstance(domain, Real):
        return Continuous(float(domain.low), float(domain.high), domain.log)
    if isinstance(domain, Dependent):
        return _row(choice, domain, decisions)
    return Subsets(domain.values, domain.min_size, len(domain.values) if domain.max_size is None else domain.max_size)


def is_static(domain: Domain) -> bool:
    """Whether a domain depends on nothing."""
    return not domain_expressions(domain)


def _whole(choice: Choice, name: str, bound: Operand, decisions: Mapping[str, Value]) -> int:
    value = bound.evaluate(decisions) if isinstance(bound, Expr) else bound
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise SpaceError(wrong(f"{name} of {choice!r}", value, "a whole number", f"mend the expression {bound!r}"))
    return int(value)


def _row(choice: Choice, domain: Dependent, decisions: Mapping[str, Value]) -> Listed:
    key = domain.on.evaluate(decisions)
    for value, row in domain.table:
        if _loose(value) == _loose(key):
            return Listed(row)
    known = [value for value, _ in domain.table]
    raise SpaceError(f"{choice!r} has no values for {domain.on!r} = {key!r}; it has rows for {known}; add a row")


def _nearest(value: object, values: tuple[Value, ...]) -> str:
    """A hint at the value that was probably meant."""
    if isinstance(value, str):
        found = get_close_matches(value, [v for v in values if isinstance(v, str)], n=1, cutoff=0.3)
        return f" (nearest: {found[0]!r})" if found else ""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return ""
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    return f" (nearest: {min(numbers, key=lambda v: abs(v - value))!r})" if numbers else ""
