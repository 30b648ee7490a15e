"""Samplers that do not draw all subnets alike: the space opened step by step, and the better of equally large ones.

Knows neither training nor data: what is better is told by a function that is given.

References:
    Cai et al. (2020), Once-for-All, section 3.3 (progressive shrinking). Ours is for any space: of each choice whose
    values make networks larger or smaller the larger values are sampled first, all choices together, where the paper
    opens kernel, depth and width one after the other; other choices are open from the beginning. That the largest
    network is trained alone before any other is theirs, too (``LargestFirst``; a sandwich follows).
    Wang, Li, Gong, Chandra (2021), AttentiveNAS, sections 3 and 4 (of a few networks near a drawn size the best is
    trained, "BestUp"; the loss on the minibatch says which it is). We draw the size evenly from the range of
    log(MACs), which stands for the paper's estimate of how large the networks of the space are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from netwright.errors import BuildError, UsageError, wrong
from netwright.nn.networks import Networks
from netwright.space import SearchSpace, equal
from netwright.space.expressions import Choice, Expr
from netwright.supernet.near import near
from netwright.supernet.sampling import TRIES, Sandwich, draw, ends, listed
from netwright.types import Architecture, Value

Judge = Callable[[Architecture], float]
"""How bad a network is just now; smaller is better."""

STAGES = 4
"""Of progressive shrinking: the largest values, then more of them in equal steps, then all."""

OPEN_AFTER = 0.5
"""Part of a training after which all of the space is sampled."""

ALONE = 0.4
"""Part of a training that the largest network has alone, where it comes first."""

LOOKED_AT = 16
"""Random networks among which those near a size are looked for."""


class Progressive:
    """The largest network, and random ones of a space that opens as the training goes on.

    Args:
        networks: of the space.
        total: steps of the whole training.
        seed: of the draws.
        num_random: networks beside the largest in a step.

    Raises:
        UsageError: there is no step, or no network beside the largest.
    """

    def __init__(self, networks: Networks, total: int, seed: int = 0, num_random: int = 2) -> None:
        if total < 1:
            raise UsageError(wrong("total", total, ">= 1"))
        if num_random < 1:
            raise UsageError(wrong("num_random", num_random, ">= 1"))
        self._networks, self._seed, self._total, self._num_random = networks, seed, total, num_random
        self.largest, _ = ends(networks, seed)
        order = ordered_values(networks, self.largest)
        self.stages = [_opened(networks.space, order, stage / (STAGES - 1)) for stage in range(STAGES)]

    def __call__(self, step: int) -> Sequence[Architecture]:
        return self.planned(step, self._total)

    def planned(self, step: int, total: int) -> Sequence[Architecture]:
        """Architectures of a step of a training that is planned to have so many by now: time may end it earlier."""
        space = self.stages[self.stage(step, total)]
        rng = np.random.default_rng([self._seed, 6, step])
        drawn = (draw(self._networks, lambda: space.sample(rng)) for _ in range(self._num_random))
        return (self.largest, *drawn)

    def stage(self, step: int, total: int | None = None) -> int:
        """Which of `stages` a step draws from; ``total`` where the training is not as long as it was to be."""
        opened = OPEN_AFTER * (self._total if total is None else total)
        return min(STAGES - 1, int(STAGES * step / max(1.0, opened)))


class LargestFirst:
    """The largest network alone until it knows something, then a sandwich of it, random ones and the smallest.

    Args:
        networks: of the space.
        total: steps of the whole training.
        seed: of the draws.
        num_random: between the largest and the smallest.

    Raises:
        UsageError: there is no step, or there are fewer than none between the two.
    """

    def __init__(self, networks: Networks, total: int, seed: int = 0, num_random: int = 2) -> None:
        if total < 1:
            raise UsageError(wrong("total", total, ">= 1"))
        self._total, self._sandwich = total, Sandwich(networks, seed, num_random)
        self.largest = self._sandwich.largest

    def __call__(self, step: int) -> Sequence[Architecture]:
        return self.planned(step, self._total)

    def planned(self, step: int, total: int) -> Sequence[Architecture]:
        """Architectures of a step of a training that is planned to have so many by now: time may end it earlier.

        A step of several networks takes longer, so that a training with a deadline has fewer of them than planned, and
        does not come back to the largest alone unless it is given more time.
        """
        return (self.largest,) if step < ALONE * total else self._sandwich(step)


class BestUp:
    """The largest network, the best of a few of a drawn size, several times, and the smallest.

    Args:
        networks: of the space.
        seed: of the draws.
        num_random: between the two.
        num_judged: of which the best is taken; 1 draws evenly over sizes, and judges none.

    Raises:
        UsageError: a number is too small.
    """

    def __init__(self, networks: Networks, seed: int = 0, num_random: int = 2, num_judged: int = 3) -> None:
        for name, value, least in (("num_random", num_random, 0), ("num_judged", num_judged, 1)):
            if value < least:
                raise UsageError(wrong(name, value, f">= {least}"))
        self._networks, self._seed, self._num_random, self._num_judged = networks, seed, num_random, num_judged
        self.largest, self.smallest = ends(networks, seed)
        self._low, self._high = (math.log(max(1.0, self._macs(a) or 1.0)) for a in (self.smallest, self.largest))

    def __call__(self, step: int) -> Sequence[Architecture]:
        return self.judged(step, lambda architecture: 0.0)

    def judged(self, step: int, judge: Judge) -> Sequence[Architecture]:
        """Architectures of a step, from 0.

        Args:
            step: of the training.
            judge: how bad a network is at this step; not asked where there is one of the size only.
        """
        rng = np.random.default_rng([self._seed, 7, step])
        chosen = [self._best_near(rng.uniform(self._low, self._high), rng, judge) for _ in range(self._num_random)]
        return (self.largest, *chosen, self.smallest)

    def _best_near(self, log_macs: float, rng: np.random.Generator, judge: Judge) -> Architecture:
        for left in reversed(range(TRIES)):
            drawn = (self._networks.space.sample(rng) for _ in range(LOOKED_AT))
            known = {a: macs for a in drawn if (macs := self._macs(a)) is not None}
            near = sorted(known, key=lambda a: abs(math.log(max(1.0, known[a])) - log_macs))[: self._num_judged]
            if near:
                return near[0] if len(near) == 1 else min(near, key=judge)
            if not left:
                break
        raise BuildError(f"none of {TRIES * LOOKED_AT} networks that were drawn can be built")

    def _macs(self, architecture: Architecture) -> float | None:
        """Multiply-accumulates; None of what cannot be built."""
        try:
            return float(self._networks.profile(architecture).macs)
        except BuildError:
            return None


def ordered_values(networks: Networks, largest: Architecture) -> dict[str, tuple[Value, ...]]:
    """Values of choices of numbers and flags in the order of the size of the network that has them, the largest first.

    Where the largest network has the choice, its neighbours tell; elsewhere numbers go by their own size. Choices that
    make no network larger, and those of things that are no numbers, are left out.

    Args:
        networks: of the space.
        largest: of them.
    """
    macs: dict[tuple[str, Value], float] = {}
    for other in (largest, *near(networks.space, largest)):
        try:
            size = float(networks.profile(other).macs)
        except BuildError:
            continue
        for pair in other.items():
            if other == largest or largest.get(pair[0]) != pair[1]:
                macs[pair] = max(size, macs.get(pair, 0.0))
    found: dict[str, tuple[Value, ...]] = {}
    for name, values in listed(networks.space, whole=True):
        if not all(isinstance(value, (int, float)) for value in values):
            continue
        sizes = {value: macs.get((name, value), math.nan) for value in values}
        if any(map(math.isnan, sizes.values())):
            sizes = {value: float(value) for value in values if isinstance(value, (int, float))}
        if len(set(sizes.values())) > 1:
            found[name] = tuple(sorted(values, key=lambda value: -sizes[value]))
    return found


def _opened(space: SearchSpace, order: Mapping[str, Sequence[Value]], share: float) -> SearchSpace:
    """The space in which of each choice the first values only are allowed: one of them, and this share of the rest."""
    limits: list[Expr] = []
    for name, values in order.items():
        count = 1 + round(share * (len(values) - 1))
        limits += _without(space.choices[name], values[:count], values[count:])
    return space.constrained(limits) if share < 1 else space


def _without(choice: Choice, kept: Sequence[Value], closed: Sequence[Value]) -> list[Expr]:
    """What leaves a choice some of its values: a bound where one is enough, since a range may be long."""
    numbers = [value for value in kept if isinstance(value, (int, float)) and not isinstance(value, bool)]
    others = [value for value in closed if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if closed and len(numbers) == len(kept) and len(others) == len(closed):
        if min(numbers) > max(others):
            return [choice >= min(numbers)]
        if max(numbers) < min(others):
            return [choice <= max(numbers)]
    return [~equal(choice, value) for value in closed]
