"""What a model-guided search chooses from: architectures near the best ones, a little farther off, and random ones.

Collections grow a little with each proposal instead of being drawn anew, so that almost all candidates are ones whose
features and predictions are known already. It knows no scores beyond an order, and no model.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import SpaceError
from netwright.predictors.features import Features
from netwright.types import Architecture

if TYPE_CHECKING:
    from netwright.space import SearchSpace

NUM_PARENTS = 8
NUM_NEAR = 64
"""Neighbours of one of the best that are looked at; where it has more, a growing sample of them."""

FIRST_MUTATIONS = 16
MORE_MUTATIONS = 4
MOST_MUTATIONS = 128
NUM_FAR_PARENTS = 3
FIRST_FAR = 32
MORE_FAR = 4
MOST_FAR = 256
FIRST_RANDOM = 200
MORE_RANDOM = 16
MOST_RANDOM = 256


class Candidates:
    """Growing collections of candidates, by their numbers in `Features`.

    Args:
        space: of the architectures.
        features: numbers and encodes them.
        rng: source of randomness.
    """

    def __init__(self, space: SearchSpace, features: Features, rng: np.random.Generator) -> None:
        self._space = space
        self._features = features
        self._rng = rng
        self._neighbours: dict[int, np.ndarray] = {}
        self._mutations: dict[tuple[int, int], np.ndarray] = {}
        self._random: deque[int] = deque(maxlen=MOST_RANDOM)

    def around(self, near: Sequence[int], far: Sequence[int]) -> np.ndarray:
        """Candidates around architectures, and random ones.

        Args:
            near: numbers of those whose neighbours are candidates.
            far: numbers of those of which architectures with two changes are candidates, too.

        Returns:
            Numbers, each once, ascending; evaluated architectures may be among them.
        """
        found = [self._near(parent) for parent in near]
        found += [self._grown(parent, 2, FIRST_FAR, MORE_FAR, MOST_FAR) for parent in far]
        return np.unique(np.concatenate([*found, self._more_random()]))

    def _near(self, parent: int) -> np.ndarray:
        if parent not in self._neighbours:
            near = islice(self._space.neighbours(self._features.architecture(parent)), NUM_NEAR + 1)
            self._neighbours[parent] = self._features.numbers(list(near))
        near_numbers = self._neighbours[parent]
        if len(near_numbers) <= NUM_NEAR:
            return near_numbers
        return self._grown(parent, 1, FIRST_MUTATIONS, MORE_MUTATIONS, MOST_MUTATIONS)

    def _grown(self, parent: int, changes: int, first: int, more: int, most: int) -> np.ndarray:
        """Mutations of a parent: some at first, and a few more each time, up to ``most``."""
        known = self._mutations.get((parent, changes))
        count = first if known is None else min(more, most - len(known))
        if known is None or count > 0:
            new = self._mutate(parent, count, changes)
            known = new if known is None else np.concatenate([known, new])
            self._mutations[parent, changes] = known
        return known

    def _mutate(self, parent: int, count: int, changes: int) -> np.ndarray:
        architecture = self._features.architecture(parent)
        try:
            made = [self._space.mutate(architecture, self._rng, changes) for _ in range(count)]
        except SpaceError:  # so many decisions cannot change at once
            made = []
        return self._features.numbers(made)

    def _more_random(self) -> np.ndarray:
        count = MORE_RANDOM if self._random else FIRST_RANDOM
        drawn: list[Architecture] = [self._space.sample(self._rng) for _ in range(count)]
        self._random.extend(self._features.numbers(drawn).tolist())
        return np.array(self._random, dtype=np.intp)


def parents_of(best_first: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    """Of what was evaluated, the best first: near which to look, and of which to look a little farther off."""
    return best_first[:NUM_PARENTS], best_first[:NUM_FAR_PARENTS]
