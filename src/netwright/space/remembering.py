"""A space that works things out once, for many searches in one process.

Hundreds of simulated searches ask the same questions of the same architectures: is it in the space, what is its
canonical id, what are its neighbours, how is it written as a vector. Answers are kept for as long as the space lives,
so it is meant for tables of evaluated architectures; a single search of a large space is better off without.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np

from netwright.space.description import Description
from netwright.space.graph import OperationGraph
from netwright.space.search_space import SearchSpace
from netwright.space.walk import Walk
from netwright.types import Architecture, Value


class RememberingSpace(SearchSpace):
    """The same architectures as another space, with what was asked about them remembered.

    Membership, canonical ids, neighbours, graphs and encodings are kept by architecture, and every architecture is held
    once. All else is passed on. Memory grows with the architectures that were asked about (about 6 KB each where all
    encodings are asked for).

    Args:
        space: whose answers are remembered.

    Example:
        >>> from netwright.space import Op, choice
        >>> space = RememberingSpace(SearchSpace(Op("conv", (("width", choice("width", [8, 16, 24])),))))
        >>> arch = space.architecture({"width": 16})
        >>> [a["width"] for a in space.neighbours(arch)], space.graph(arch) is space.graph(arch)
        ([8, 24], True)
    """

    def __init__(self, space: SearchSpace) -> None:
        super().__init__(space.root, constraints=space.constraints, training=space.training)
        self._space = space
        self._kept: dict[Architecture, Architecture] = {}
        self._reasons: dict[Architecture, str | None] = {}
        self._canonical_ids: dict[Architecture, str] = {}
        self._neighbours: dict[Architecture, tuple[Architecture, ...]] = {}
        self._graphs: dict[Architecture, OperationGraph] = {}
        self._encodings: dict[tuple[Architecture, str], np.ndarray] = {}

    def __repr__(self) -> str:
        return f"RememberingSpace({self._space!r})"

    # --- remembered ---

    def explain(self, arch: Architecture) -> str | None:
        if arch not in self._reasons:
            self._reasons[arch] = self._space.explain(arch)
        return self._reasons[arch]

    def canonical_id(self, arch: Architecture) -> str:
        if arch not in self._canonical_ids:
            self._canonical_ids[arch] = self._space.canonical_id(arch)
        return self._canonical_ids[arch]

    def neighbours(self, arch: Architecture) -> Iterator[Architecture]:
        if arch not in self._neighbours:
            self._neighbours[arch] = tuple(map(self._keep, self._space.neighbours(arch)))
        return iter(self._neighbours[arch])

    def graph(self, arch: Architecture) -> OperationGraph:
        if arch not in self._graphs:
            self._graphs[arch] = self._space.graph(arch)
        return self._graphs[arch]

    def encode(self, arch: Architecture, kind: str = "one-hot") -> np.ndarray:
        """Write an architecture as a vector; the array is shared, and so cannot be written to."""
        if (arch, kind) not in self._encodings:
            encoded = self._space.encode(arch, kind)
            encoded.setflags(write=False)
            self._encodings[arch, kind] = encoded
        return self._encodings[arch, kind]

    def _keep(self, arch: Architecture) -> Architecture:
        return self._kept.setdefault(arch, arch)

    # --- passed on ---

    def count(self) -> int | float:
        return self._space.count()

    def sample(self, rng: np.random.Generator) -> Architecture:
        return self._keep(self._space.sample(rng))

    def enumerate(self) -> Iterator[Architecture]:
        return map(self._keep, self._space.enumerate())

    def rank(self, arch: Architecture) -> int:
        return self._space.rank(arch)

    def unrank(self, index: int) -> Architecture:
        return self._keep(self._space.unrank(index))

    def walk(self) -> Walk:
        return self._space.walk()

    @property
    def num_states(self) -> int:
        return self._space.num_states

    def architecture(self, decisions: Mapping[str, Value], *, drop_inactive: bool = False) -> Architecture:
        return self._keep(self._space.architecture(decisions, drop_inactive=drop_inactive))

    def mutate(self, arch: Architecture, rng: np.random.Generator, k: int = 1) -> Architecture:
        return self._keep(self._space.mutate(arch, rng, k))

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        return self._keep(self._space.crossover(a, b, rng))

    @cached_property
    def _description(self) -> Description:
        return self._space.describe()
