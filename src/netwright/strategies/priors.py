"""What a person guesses about the choices of a space, and the neighbourhood of an architecture, as distributions.

Both can be drawn from, choice by choice (`densities.draw`), and say how likely they make an architecture. Numbers are
measured in shares of their range.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Union

import numpy as np

from netwright.errors import UsageError, unknown, wrong
from netwright.space.expressions import Choice
from netwright.space.values import Continuous, Values, is_static, typed, values_of
from netwright.space.walk import Step
from netwright.strategies.densities import Decide, Kernels, draw_by, draw_evenly, draw_near, is_number
from netwright.types import Architecture, Value

if TYPE_CHECKING:
    from netwright.space import SearchSpace

Guess = Union[Value, Mapping[Value, float]]
"""A favourite value, or a weight for each of some values."""

FAVOURED = 0.5
"""Probability that a favourite among values without an order is taken before all are drawn from evenly."""

STD = 0.25
"""Of a number around its favourite, in shares of the range."""

CHANGED = 0.5
"""Probability that a decision of the incumbent changes."""

UNLIKELY = 1e-12
"""Density of what a prior gives no weight: never 0, as the others of an architecture's decisions may be right."""


class Prior:
    """The guesses about some choices; all others are drawn evenly.

    Args:
        space: of the choices.
        guesses: by name of a choice.

    Raises:
        UsageError: there is no such choice or value, or weights are negative, not finite or all 0.
    """

    def __init__(self, space: SearchSpace, guesses: Mapping[str, Guess]) -> None:
        self._choices = dict(space.choices)
        self._weights: dict[str, dict[object, float]] = {}
        self._favourites: dict[str, Value] = {}
        for name, guess in guesses.items():
            if name not in self._choices:
                raise UsageError(unknown("choice of a prior", name, self._choices))
            choice = self._choices[name]
            values = values_of(choice, {}) if is_static(choice.domain) else None
            if isinstance(guess, Mapping):
                self._weights[name] = _checked_weights(choice, guess, values)
            else:
                _require_value(choice, guess, values)
                self._favourites[name] = guess
        self._scaled = Kernels(space)

    def decide(self, rng: np.random.Generator) -> Decide:
        """How to draw by the guesses."""

        def decide(step: Step) -> Value:
            name = step.choice.name
            if name in self._weights:
                weights = self._weights[name]
                return draw_by(step, lambda value: weights.get(_loose(value), 0.0), rng)
            if name not in self._favourites:
                return draw_evenly(step, rng)
            favourite = self._favourites[name]
            if is_number(step.choice):
                return draw_near(step, favourite, STD, rng)
            place = step.options.position(favourite) if rng.random() < FAVOURED else None
            return draw_evenly(step, rng) if place is None else step.options.at(place)

        return decide

    def log_density(self, architecture: Architecture) -> float:
        """How likely an architecture is, the product over its decisions, each measured by its own choice's values."""
        return sum(self._log_density_of(name, value) for name, value in architecture.items())

    def _log_density_of(self, name: str, value: Value) -> float:
        choice = self._choices[name]
        if name in self._weights:
            share = self._weights[name].get(_loose(value), 0.0) / sum(self._weights[name].values())
            return math.log(max(share * (num_values(choice) if is_number(choice) else 1), UNLIKELY))
        if name not in self._favourites:
            return log_even(choice)
        return log_near(self._scaled, choice, self._favourites[name], value, 1 - FAVOURED)


class Neighbourhood:
    """The architectures near one: each decision is drawn anew in every other case, numbers near what they were.

    Args:
        space: of the architecture.
        centre: the architecture.
    """

    def __init__(self, space: SearchSpace, centre: Architecture) -> None:
        self._choices = dict(space.choices)
        self._centre = centre
        self._scaled = Kernels(space)

    def decide(self, rng: np.random.Generator) -> Decide:
        """How to draw near it."""

        def decide(step: Step) -> Value:
            name = step.choice.name
            if name not in self._centre:
                return draw_evenly(step, rng)
            changes = rng.random() < CHANGED
            if changes and is_number(step.choice):
                return draw_near(step, self._centre[name], STD, rng)
            if changes or step.options.position(self._centre[name]) is None:
                return draw_evenly(step, rng)
            return self._centre[name]

        return decide

    def log_density(self, architecture: Architecture) -> float:
        """How likely an architecture is, the product over its decisions."""
        return sum(self._log_density_of(name, value) for name, value in architecture.items())

    def _log_density_of(self, name: str, value: Value) -> float:
        choice = self._choices[name]
        if name not in self._centre:
            return log_even(choice)
        return log_near(self._scaled, choice, self._centre[name], value, CHANGED)


def log_even(choice: Choice) -> float:
    """Logarithm of the density of any value of a choice, where all are as likely."""
    return 0.0 if is_number(choice) else -math.log(num_values(choice))


def log_near(scaled: Kernels, choice: Choice, centre: Value, value: Value, spread: float) -> float:
    """Logarithm of the density of a value around another.

    Args:
        scaled: scales numbers.
        choice: whose values they are.
        centre: the value in the middle.
        value: whose density is asked for.
        spread: of a choice without an order, the probability that it is drawn evenly.
    """
    if is_number(choice):
        distance = scaled.distance(choice.name, centre, value) / STD
        return max(-0.5 * distance**2 - math.log(STD * math.sqrt(2 * math.pi)), math.log(UNLIKELY))
    even = spread / num_values(choice)
    return math.log(even + (1 - spread if _loose(value) == _loose(centre) else 0.0))


def num_values(choice: Choice) -> int:
    """How many values a choice may have; 2 where that depends on other decisions."""
    return max(values_of(choice, {}).size, 1) if is_static(choice.domain) else 2


def _checked_weights(choice: Choice, weights: Mapping[Value, float], values: Values | None) -> dict[object, float]:
    if isinstance(values, Continuous):
        cure = "give the favourite value instead"
        raise UsageError(wrong(f"prior of {choice.name!r}", dict(weights), "a number, as the choice is real", cure))
    for value, weight in weights.items():
        _require_value(choice, value, values)
        if not 0 <= weight < math.inf:
            raise UsageError(wrong(f"weight of {value!r} in the prior of {choice.name!r}", weight, "finite and >= 0"))
    if not sum(weights.values()) > 0:
        raise UsageError(wrong(f"prior of {choice.name!r}", dict(weights), "a weight > 0 for some value"))
    return {_loose(value): float(weight) for value, weight in weights.items()}


def _require_value(choice: Choice, value: Value, values: Values | None) -> None:
    if values is not None and values.position(value) is None:
        raise UsageError(wrong(f"value in the prior of {choice.name!r}", value, values.allowed(value)))


def _loose(value: Value) -> object:
    """A key in which 16.0 is 16, as a person may write either."""
    is_whole = isinstance(value, float) and value.is_integer()
    return typed(int(value) if is_whole else value)  # type: ignore[arg-type]
