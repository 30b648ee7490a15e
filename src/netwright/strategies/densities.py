"""Distributions over the architectures of any space, choice by choice: drawn by walks, compared by kernels.

A walk decides one choice after the other among the values that still lead to an architecture, so that conditional
choices, depths and constraints need no care here. Numbers (whole and real) have an order and distances; everything
else is equal or different.

Knows no scores: which architectures are good is the caller's matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from netwright.space.expressions import Choice, Expr, Integer, Real
from netwright.space.values import Continuous, Stepped, typed
from netwright.space.walk import Step
from netwright.types import Architecture, Value

if TYPE_CHECKING:
    from netwright.space import SearchSpace

TRIES = 20
"""Walks that end in a broken constraint before the caller has to do without."""

Decide = Callable[[Step], Value]
"""Takes one of the options of a step."""


def draw(space: SearchSpace, decide: Decide) -> Architecture | None:
    """Make an architecture choice by choice; None where the constraints that hold by rejection excluded all tries."""
    for _ in range(TRIES):
        walk = space.walk()
        while (step := walk.step) is not None:
            walk.take(decide(step))
        architecture = walk.architecture()
        if architecture is not None:
            return architecture
    return None


def draw_evenly(step: Step, rng: np.random.Generator) -> Value:
    """An option, each by the number of architectures behind it."""
    if isinstance(step.options, Continuous):
        return step.options.at_share(float(rng.random()))
    if step.weights is None:
        return step.options.at(int(rng.integers(step.options.size)))
    shares = np.array([float(w) for w in step.weights])
    return step.options.at(_place(shares, rng))


def draw_by(step: Step, weight: Callable[[Value], float], rng: np.random.Generator) -> Value:
    """An option by given weights >= 0; evenly where none of the options has any."""
    if isinstance(step.options, Continuous):
        return draw_evenly(step, rng)
    weights = np.array([weight(step.options.at(i)) for i in range(step.options.size)])
    return step.options.at(_place(weights, rng)) if weights.sum() > 0 else draw_evenly(step, rng)


def draw_near(step: Step, centre: Value, std: float, rng: np.random.Generator) -> Value:
    """A number near another: normal, cut off at the ends of the range.

    Args:
        step: of a choice among numbers (`is_number`).
        centre: a number.
        std: in shares of the range the options have.
        rng: source of randomness.
    """
    from scipy.special import ndtr, ndtri

    options, is_log = step.options, _is_log(step.choice)
    ends = (options.low, options.high) if isinstance(options, Continuous) else _ends(step)
    low, high = (_scaled(end, is_log) for end in ends)
    if high <= low:
        return draw_evenly(step, rng)
    mean = min(max((_scaled(centre, is_log) - low) / (high - low), 0.0), 1.0)
    below, above = ndtr((0 - mean) / std), ndtr((1 - mean) / std)
    share = mean + std * float(ndtri(below + rng.random() * (above - below)))
    if isinstance(options, Continuous):
        return options.at_share(min(max(share, 0.0), 1.0))
    number = low + share * (high - low)
    return _nearest(step, math.exp(number) if is_log else number)


def is_number(choice: Choice) -> bool:
    """Whether the values of a choice have distances."""
    return isinstance(choice.domain, (Integer, Real))


class Kernels:
    """Architectures as rows, and how likely each is under a mixture of kernels, one around each of some others.

    The kernel of a choice among numbers is normal, that of any other gives the same value 1 - spread and the rest to
    all evenly (Aitchison-Aitken). A choice that only one of two architectures has counts as evenly distributed, one
    that neither has not at all.

    Args:
        space: of the architectures.

    References:
        S. Falkner, A. Klein and F. Hutter, 2018, BOHB, section 3.2 (a multidimensional kernel density with a bandwidth
        for each dimension); J. Aitchison and C. Aitken, 1976. Deviation: choices that an architecture does not have.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._choices = list(space.choices.values())
        self._places = {choice.name: place for place, choice in enumerate(self._choices)}
        self._numeric = np.array([is_number(choice) for choice in self._choices], dtype=bool)
        self._codes: list[dict[object, int]] = [{} for _ in self._choices]
        self._rows: dict[Architecture, np.ndarray] = {}
        ranges = np.array([_declared_range(choice) for choice in self._choices]).reshape(-1, 2)
        self._low, self._high = ranges[:, 0], ranges[:, 1]

    @property
    def num_choices(self) -> int:
        """How many choices the space has, active or not."""
        return len(self._choices)

    def rows(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """A row for each architecture: numbers scaled to their range, codes of other values, NaN for no decision.

        Returns:
            Shape (n, choices).
        """
        raw = np.array([self._row(a) for a in architectures]).reshape(len(architectures), len(self._choices))
        width = np.where(self._high > self._low, self._high - self._low, 1.0)
        return np.asarray(np.where(self._numeric, (raw - np.where(self._numeric, self._low, 0.0)) / width, raw))

    def distance(self, name: str, a: Value, b: Value) -> float:
        """Distance of two values of a choice among numbers, in shares of its range."""
        place = self._places[name]
        is_log = _is_log(self._choices[place])
        width = self._high[place] - self._low[place]
        return abs(_scaled(a, is_log) - _scaled(b, is_log)) / (width if 0 < width < math.inf else 1.0)

    def _row(self, architecture: Architecture) -> np.ndarray:
        row = self._rows.get(architecture)
        if row is None:
            row = self._rows[architecture] = np.array([self._entry(i, architecture) for i in range(self.num_choices)])
        return row

    def _entry(self, place: int, architecture: Architecture) -> float:
        choice = self._choices[place]
        if choice.name not in architecture:
            return math.nan
        value = architecture[choice.name]
        if not self._numeric[place]:
            codes = self._codes[place]
            return codes.setdefault(typed(value), len(codes))
        number = _scaled(value, _is_log(choice))
        self._low[place], self._high[place] = min(self._low[place], number), max(self._high[place], number)
        return number

    def spreads(self, rows: np.ndarray) -> np.ndarray:
        """How far a kernel reaches, for each choice: the more, the more the values vary and the fewer rows there are.

        Args:
            rows: of the architectures that will be centres, shape (n, choices).

        Returns:
            Of numbers a standard deviation (D. Scott's rule), of others the probability to change, shape (choices,).
        """
        shrinking = len(rows) ** (-1 / (4 + self.num_choices))
        spreads = np.array([_variation(column, num) for column, num in zip(rows.T, self._numeric, strict=True)])
        return np.asarray(np.maximum(spreads * shrinking, 0.5 / len(rows)))

    def wider(self, spreads: np.ndarray, factor: float) -> np.ndarray:
        """Spreads with those of numbers multiplied."""
        return np.asarray(np.where(self._numeric, factor * spreads, spreads))

    def log_density(self, points: np.ndarray, centres: np.ndarray, spreads: np.ndarray) -> np.ndarray:
        """Logarithm of the mixture's density at points, up to a constant for each point.

        Args:
            points: shape (m, choices).
            centres: shape (n, choices).
            spreads: of each choice, > 0, shape (choices,).

        Returns:
            Shape (m,).
        """
        total = np.zeros((len(points), len(centres)))
        for place, spread in enumerate(spreads.tolist()):
            at, centre = points[:, place, None], centres[None, :, place]
            absent, even = np.isnan(at), 1 / max(2, len(self._codes[place]))
            if self._numeric[place]:
                scaled = (at - centre) / spread
                kernel = np.maximum(np.exp(-0.5 * scaled**2) / (spread * math.sqrt(2 * math.pi)), 1e-12)
                even = 1.0
            else:
                kernel = np.where(at == centre, 1 - spread + spread * even, spread * even)
            total += np.where(absent, 0.0, np.log(np.where(np.isnan(centre), even, kernel)))
        highest = total.max(axis=1, keepdims=True)
        return np.asarray(highest[:, 0] + np.log(np.exp(total - highest).mean(axis=1)))

    def decide_near(self, centre: Architecture, spreads: np.ndarray, rng: np.random.Generator) -> Decide:
        """How to draw from the kernel around an architecture."""
        spread_of = {choice.name: s for choice, s in zip(self._choices, spreads.tolist(), strict=True)}

        def decide(step: Step) -> Value:
            name = step.choice.name
            if name not in centre:
                return draw_evenly(step, rng)
            if is_number(step.choice):
                return draw_near(step, centre[name], spread_of[name], rng)
            keeps = rng.random() >= spread_of[name] and step.options.position(centre[name]) is not None
            return centre[name] if keeps else draw_evenly(step, rng)

        return decide


def _variation(column: np.ndarray, numeric: bool) -> float:
    """Standard deviation of numbers; of codes the probability that two are different."""
    known = column[~np.isnan(column)]
    if not len(known):
        return 1.0
    if numeric:
        return 1.06 * float(known.std())
    return 1 - float(((np.unique(known, return_counts=True)[1] / len(known)) ** 2).sum())


def _declared_range(choice: Choice) -> tuple[float, float]:
    """The ends of a choice among numbers; infinite, the lower above the upper, where they are not known beforehand."""
    domain = choice.domain
    if not isinstance(domain, (Integer, Real)) or isinstance(domain.low, Expr) or isinstance(domain.high, Expr):
        return math.inf, -math.inf
    return _scaled(domain.low, domain.log), _scaled(domain.high, domain.log)


def _place(weights: np.ndarray, rng: np.random.Generator) -> int:
    ends = weights.cumsum()
    return min(int(ends.searchsorted(rng.random() * ends[-1], side="right")), len(weights) - 1)


def _is_log(choice: Choice) -> bool:
    return isinstance(choice.domain, (Integer, Real)) and choice.domain.log


def _scaled(value: Value, is_log: bool) -> float:
    number = float(value)  # type: ignore[arg-type]  # of a choice among numbers
    return math.log(number) if is_log and number > 0 else number


def _ends(step: Step) -> tuple[Value, Value]:
    return step.options.at(0), step.options.at(step.options.size - 1)


def _nearest(step: Step, number: float) -> Value:
    """The option that is nearest to a number; options of numbers ascend."""
    options = step.options
    if isinstance(options, Stepped):
        return options.at(min(max(round((number - options.low) / options.step), 0), options.size - 1))
    return min((options.at(i) for i in range(options.size)), key=lambda v: abs(float(v) - number))  # type: ignore[arg-type]
