"""Which subnets a training step of a supernet runs. A function of seed and step, so that a resume draws the same.

References:
    Guo et al. (2020), Single Path One-Shot (uniform sampling, section 3.3).
    Chu, Zhang, Xu (2021), FairNAS, section 3.3 (strict fairness; ours is per choice and by the fewest uses so far, so
    that it works in spaces whose choices depend on each other).
    Yu and Huang (2019), Universally Slimmable Networks, section 3.2 (the sandwich rule).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from netwright.errors import BuildError, UsageError, wrong
from netwright.nn.networks import Networks
from netwright.space import SearchSpace
from netwright.space.expressions import Categorical, Integer
from netwright.space.values import Continuous, Values, each, is_static, values_of
from netwright.supernet.near import near
from netwright.types import Architecture, Value

TRIES = 1000
"""Draws after which a space has no network that can be built."""

MOST_DRAWS = 24
"""Draws for a network that is admitted."""

MOST_CYCLE = 256
"""Steps after which fair sampling counts anew, and values of a choice whose uses it counts, at most."""

FAIR_TRIES = 8
"""Fair draws for a network that can be built, before random ones."""


class Sampler(Protocol):
    """Says which subnets a step runs: the first one teaches the others, where there are several."""

    def __call__(self, step: int) -> Sequence[Architecture]:
        """Architectures of a step, from 0."""


@runtime_checkable
class PlannedSampler(Sampler, Protocol):
    """Says which subnets a step runs by how far the training is."""

    def planned(self, step: int, total: int) -> Sequence[Architecture]:
        """Architectures of a step of a training that is planned to have so many by now: time may end it earlier."""


class Uniform:
    """One random architecture a step, all equally likely that the space admits (`SearchSpace.limited`).

    Args:
        networks: of the space; what cannot be built is drawn anew. Where hardly one of `MOST_DRAWS` is admitted, others
            are drawn, too.
        seed: of the draws.
    """

    def __init__(self, networks: Networks, seed: int = 0) -> None:
        self._networks, self._seed = networks, seed

    def __call__(self, step: int) -> Sequence[Architecture]:
        rng = np.random.default_rng([self._seed, 2, step])
        return (draw(self._networks, lambda: _admitted(self._networks.space, rng)),)


def _admitted(space: SearchSpace, rng: np.random.Generator) -> Architecture:
    for _ in range(MOST_DRAWS):
        architecture = space.sample(rng)
        if space.admits(architecture):
            break
    return architecture


class Fair:
    """One architecture a step, each value of a choice as often as the others as far as the space allows.

    Decided choice by choice: the value that was used least in the cycle so far, at random among equals. So of a choice
    that every network has each value is used once before one is used again.

    Args:
        networks: of the space; what cannot be built is drawn anew.
        seed: of the draws.
        cycle: steps after which the counts begin anew; None for eight times the largest number of values of a choice,
            `MOST_CYCLE` at most.

    Raises:
        UsageError: the cycle is shorter than a step.
    """

    def __init__(self, networks: Networks, seed: int = 0, cycle: int | None = None) -> None:
        self._networks, self._seed = networks, seed
        self._cycle = min(MOST_CYCLE, 8 * _most_values(networks.space)) if cycle is None else cycle
        if self._cycle < 1:
            raise UsageError(wrong("cycle", cycle, ">= 1"))
        self._begin(0)

    def __call__(self, step: int) -> Sequence[Architecture]:
        number, place = divmod(step, self._cycle)
        if number != self._number:
            self._begin(number)
        while len(self._drawn) <= place:
            self._drawn.append(self._draw())
        return (self._drawn[place],)

    def _begin(self, number: int) -> None:
        self._number, self._rng = number, np.random.default_rng([self._seed, 3, number])
        self._used: dict[tuple[str, Value], int] = {}
        self._drawn: list[Architecture] = []

    def _draw(self) -> Architecture:
        tries = iter(range(TRIES))

        def fair_first() -> Architecture:
            fair = self._fair() if next(tries) < FAIR_TRIES else None
            return self._networks.space.sample(self._rng) if fair is None else fair

        chosen = draw(self._networks, fair_first)
        for pair in chosen.items():
            self._used[pair] = self._used.get(pair, 0) + 1
        return chosen

    def _fair(self) -> Architecture | None:
        walk = self._networks.space.walk()
        while (step := walk.step) is not None:
            walk.take(self._least_used(step.choice.name, step.options))
        return walk.architecture()

    def _least_used(self, name: str, options: Values) -> Value:
        if isinstance(options, Continuous):
            return options.at_share(self._rng.random())
        if options.size > MOST_CYCLE:
            return options.at(int(self._rng.random() * options.size))
        counts = np.array([self._used.get((name, value), 0) for value in each(options)])
        return options.at(int(self._rng.choice(np.flatnonzero(counts == counts.min()))))


def _most_values(space: SearchSpace) -> int:
    """The largest number of values of a choice whose values depend on nothing; at least two."""
    counts = [2]
    for choice in space.choices.values():
        if isinstance(choice.domain, Categorical):
            counts.append(len(choice.domain.values))
        elif isinstance(choice.domain, Integer) and is_static(choice.domain):
            counts.append(values_of(choice, {}).size)
    return max(counts)


class Sandwich:
    """The largest architecture, random ones, and the smallest.

    Args:
        networks: of the space.
        seed: of the draws.
        num_random: between the two.

    Raises:
        UsageError: there are fewer than none between them.
    """

    def __init__(self, networks: Networks, seed: int = 0, num_random: int = 2) -> None:
        if num_random < 0:
            raise UsageError(wrong("num_random", num_random, ">= 0"))
        self._networks, self._seed, self._num_random = networks, seed, num_random
        self.largest, self.smallest = ends(networks, seed)

    def __call__(self, step: int) -> Sequence[Architecture]:
        rng = np.random.default_rng([self._seed, 4, step])
        drawn = [draw(self._networks, lambda: self._networks.space.sample(rng)) for _ in range(self._num_random)]
        return (self.largest, *drawn, self.smallest)


def draw(networks: Networks, propose: Callable[[], Architecture]) -> Architecture:
    """The first proposal whose network can be built.

    Raises:
        BuildError: none of many can.
    """
    for left in reversed(range(TRIES)):
        architecture = propose()
        try:
            networks(architecture)
        except BuildError:
            if not left:
                raise
            continue
        return architecture
    raise AssertionError


def ends(networks: Networks, seed: int = 0, num_drawn: int = 64) -> tuple[Architecture, Architecture]:
    """The architectures with most and with fewest multiply-accumulates that a climb from random ones finds.

    Args:
        networks: of the space.
        seed: of the random ones.
        num_drawn: of them.
    """
    rng = np.random.default_rng([seed, 5])
    sizes: dict[Architecture, float] = {}

    def size(architecture: Architecture) -> float | None:
        if architecture not in sizes:
            try:
                sizes[architecture] = networks.profile(architecture).macs
            except BuildError:
                sizes[architecture] = np.nan
        return None if np.isnan(sizes[architecture]) else sizes[architecture]

    drawn = [a for a in (networks.space.sample(rng) for _ in range(num_drawn)) if size(a) is not None]
    if not drawn:
        drawn = [draw(networks, lambda: networks.space.sample(rng))]
    found = []
    for sign in (1.0, -1.0):
        best = max(drawn, key=lambda a: sign * (size(a) or 0.0))
        while True:
            around = [a for a in near(networks.space, best) if size(a) is not None]
            better = max(around, key=lambda a: sign * (size(a) or 0.0), default=best)
            if sign * (size(better) or 0.0) <= sign * (size(best) or 0.0):
                break
            best = better
        found.append(best)
    return found[0], found[1]


def listed(space: SearchSpace, *, whole: bool = False) -> list[tuple[str, tuple[Value, ...]]]:
    """The choices with a fixed list of values, and these; of whole numbers in a range the two ends.

    Args:
        space: whose.
        whole: all numbers of a range.
    """
    found: list[tuple[str, tuple[Value, ...]]] = []
    for name, choice in space.choices.items():
        domain = choice.domain
        if isinstance(domain, Categorical):
            found.append((name, tuple(domain.values)))
        elif isinstance(domain, Integer) and isinstance(domain.low, int) and isinstance(domain.high, int):
            numbers = range(domain.low, domain.high + 1, domain.step)
            found.append((name, tuple(numbers) if whole else (domain.low, domain.high)))
    return found
