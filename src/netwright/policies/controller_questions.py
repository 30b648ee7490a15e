"""The choices of any space as questions with a few answers each, for a controller that decides by a softmax.

A choice among up to `MOST` values is one question, each value an answer. A range of more numbers, or of reals, is cut
into `PARTS` parts of equal share (of the logarithm with ``log``): the question is which part, and within it every value
is as likely. A subset is a question for each of its elements: in or out. Answers are numbered when they are first met;
the same value of the same choice is the same answer wherever it is asked for. Every answer comes with how many
architectures lie behind it, so that a controller which prefers nothing draws uniformly over architectures.

Knows neither policies nor trials.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import cast
from weakref import WeakKeyDictionary

import numpy as np

from netwright.space.draws import below, weighted
from netwright.space.expressions import Subset
from netwright.space.values import Continuous, Listed, Stepped, Subsets, Values, typed
from netwright.space.walk import Step
from netwright.types import Value

MOST = 32
PARTS = 16

Place = Callable[[Value], int]
"""Which of the answers to a question, from 0, stands for a value of the choice."""


@dataclass(frozen=True, eq=False, slots=True)
class Question:
    """Something to be answered.

    Args:
        answers: numbers of the answers that are open, int64, shape (options,), options >= 2.
        log_weights: logarithms of how many architectures lie behind each, but for a constant, shape (options,).
        place: where a value of the choice stands among the answers.
    """

    answers: np.ndarray
    log_weights: np.ndarray
    place: Place


Dialogue = Generator[Question, int, Value]
"""Gives out questions, is sent the place of each answer, returns the value they come to."""

Ask = Callable[[np.random.Generator], Dialogue]


class Questions:
    """Asks about the steps of walks, and numbers the answers."""

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}
        self._asks: WeakKeyDictionary[Step, Ask] = WeakKeyDictionary()

    @property
    def num_answers(self) -> int:
        """How many different answers were met so far."""
        return len(self._numbers)

    def about(self, step: Step, rng: np.random.Generator) -> Dialogue:
        """Ask what a step decides.

        Args:
            step: of a walk.
            rng: draws the value within a part of a range.
        """
        ask = self._asks.get(step)
        if ask is None:
            ask = self._asks[step] = self._prepare(step)
        return ask(rng)

    def _prepare(self, step: Step) -> Ask:
        name, options = step.choice.name, step.options
        if isinstance(step.choice.domain, Subset):
            return partial(self._ask_elements, name, step.choice.domain.values, options, step.weights)
        if isinstance(options, Continuous):
            parts = range(PARTS if options.low < options.high else 1)
            names: list[object] = [(name, "part", part) for part in parts]
            return partial(_ask_once, self._question(names, None, _part_of(options)), _draw_share(options))
        if options.size > MOST and is_increasing(options):
            return self._prepare_parts(step, cast("Listed | Stepped", options))
        names = [(name, typed(options.at(i))) for i in range(options.size)]
        place = cast(Place, options.position)
        return partial(_ask_once, self._question(names, step.weights, place), lambda slot, rng: options.at(slot))

    def _question(self, names: Sequence[object], weights: Sequence[int] | None, place: Place) -> Question:
        answers = [self._numbers.setdefault(name, len(self._numbers)) for name in names]
        logs = [0.0] * len(answers) if weights is None else [math.log(weight) for weight in weights]
        return Question(np.array(answers), np.array(logs), place)

    def _prepare_parts(self, step: Step, options: Listed | Stepped) -> Ask:
        """In which part of a range of numbers; parts without a value are left out."""
        low, high = (float(cast(float, options.at(i))) for i in (0, options.size - 1))
        scale = Continuous(low, high, bool(getattr(step.choice.domain, "log", False)) and low > 0)
        bounds = [0, *(first_from(options, scale.at_share(p / PARTS)) for p in range(1, PARTS)), options.size]
        spans = [(part, range(a, b)) for part, (a, b) in enumerate(pairwise(bounds)) if a < b]
        firsts = [span.start for _, span in spans]
        weights = step.weights

        def place(value: Value) -> int:
            return bisect_right(firsts, cast(int, options.position(value))) - 1

        def draw(slot: int, rng: np.random.Generator) -> Value:
            span = spans[slot][1]
            inside = below(rng, len(span)) if weights is None else weighted(rng, weights[span.start : span.stop])
            return options.at(span.start + inside)

        behind = [len(span) if weights is None else sum(weights[span.start : span.stop]) for _, span in spans]
        names = [(step.choice.name, "part", part) for part, _ in spans]
        return partial(_ask_once, self._question(names, behind, place), draw)

    def _ask_elements(
        self,
        name: str,
        elements: Sequence[Value],
        options: Values,
        weights: Sequence[int] | None,
        rng: np.random.Generator,
    ) -> Dialogue:
        """Ask for each element that may be in or out, given the elements before it; no randomness is left."""
        del rng
        count = _counter(elements, options, weights)
        taken: tuple[Value, ...] = ()
        for number, element in enumerate(elements, start=1):
            counts = count(number, (*taken, element)), count(number, taken)
            slot = 0 if counts[0] else 1
            if all(counts):
                names = [(name, side, typed(element)) for side in ("in", "out")]
                slot = yield self._question(names, counts, partial(_is_out, element))
            if slot == 0:
                taken = (*taken, element)
        return taken


def _ask_once(
    question: Question, draw: Callable[[int, np.random.Generator], Value], rng: np.random.Generator
) -> Dialogue:
    """Ask a single question, or none where there is one answer only."""
    slot = (yield question) if len(question.answers) > 1 else 0
    return draw(slot, rng)


def _is_out(element: Value, value: Value) -> int:
    return int(element not in cast(tuple[Value, ...], value))


def _part_of(options: Continuous) -> Place:
    return lambda value: min(PARTS - 1, int(PARTS * options.share(cast(float, value))))


def _draw_share(options: Continuous) -> Callable[[int, np.random.Generator], Value]:
    return lambda slot, rng: options.at_share((slot + rng.random()) / PARTS)


def _counter(
    elements: Sequence[Value], options: Values, weights: Sequence[int] | None
) -> Callable[[int, tuple[Value, ...]], int]:
    """Counts the architectures that take, of the first so many elements, exactly the given ones."""
    if isinstance(options, Subsets):
        smallest, largest = options.min_size, options.max_size

        def combinations(number: int, taken: tuple[Value, ...]) -> int:
            sizes = range(max(0, smallest - len(taken)), largest - len(taken) + 1)
            return sum(math.comb(len(elements) - number, size) for size in sizes)

        return combinations
    values = [cast(tuple[Value, ...], options.at(i)) for i in range(options.size)]
    pairs = list(zip(values, weights or [1] * len(values), strict=True))

    def listed(number: int, taken: tuple[Value, ...]) -> int:
        first = elements[:number]
        return sum(weight for value, weight in pairs if tuple(v for v in value if v in first) == taken)

    return listed


def is_increasing(options: Values) -> bool:
    """Whether values are numbers, each larger than the one before."""
    if isinstance(options, Listed):
        numbers = [v for v in options.values if isinstance(v, (int, float)) and not isinstance(v, bool)]
        return len(numbers) == options.size and all(a < b for a, b in pairwise(numbers))
    return isinstance(options, Stepped)


def first_from(options: Listed | Stepped, bound: float) -> int:
    """Number of the first value that is at least ``bound``; the number of values where none is."""
    if isinstance(options, Stepped):
        return min(max(0, math.ceil((bound - options.low) / options.step)), options.size)
    return bisect_left(cast(Sequence[float], options.values), bound)
