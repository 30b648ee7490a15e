"""What of an architecture its latency may be a sum over, for any search space.

A row has several blocks:

``sizes``
    What a person can tell of an architecture without running it: multiply-adds, parameters, activations.
``choices``
    How often choices that are named alike but for digits take each value, and the sum of those that are numbers. Unlike
    in an encoding of the network, an operation that leads nowhere counts: runtimes seldom leave it out.
``operations``
    How often each operation stands in the network (the encoding of this name).
``decisions``
    The value of each decision on its own (the encoding ``one-hot``): the same operation costs more at a higher
    resolution.

Blocks are centred, and scaled so that the mean square of a row's length is 1, over random architectures of the space.
Knows no latencies.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import DataError, wrong
from netwright.types import Architecture, Value, canonical_json, to_json_value

if TYPE_CHECKING:
    from netwright.space import SearchSpace

Sizes = Callable[[Architecture], Mapping[str, float]]
"""Sizes of an architecture by name, always the same names, finite."""

BLOCKS = ("sizes", "choices", "operations", "decisions")

NUM_REFERENCE = 256
"""Random architectures over which blocks are centred and scaled."""

MOST_VALUES = 32
"""Values of choices named alike that are counted; the most frequent ones."""

SUM = "sum"


class Descriptors:
    """Rows of the architectures of a space.

    Args:
        space: of the architectures.
        sizes: tells sizes of an architecture; None where none are known.
        seed: of the random architectures.

    Attributes:
        slices: where each block stands in a row.
        size_names: those of the sizes, sorted.
        reference: rows of the random architectures, shape (r, d).

    Raises:
        DataError: a size is not finite, or not always told.

    Example:
        >>> from netwright.testing import cell_space
        >>> descriptors = Descriptors(cell_space())
        >>> list(descriptors.slices), descriptors.rows([]).shape[0]
        (['choices', 'operations', 'decisions'], 0)
    """

    def __init__(self, space: SearchSpace, sizes: Sizes | None = None, *, seed: int = 0) -> None:
        self.space = space
        self._sizes = sizes
        self._known: dict[Architecture, np.ndarray] = {}
        rng = np.random.default_rng(seed)
        drawn = list(dict.fromkeys(space.sample(rng) for _ in range(NUM_REFERENCE)))
        self.size_names = sorted(sizes(drawn[0])) if sizes is not None else []
        self._columns = _counted(drawn)
        raw = np.stack([self._raw(architecture) for architecture in drawn])
        self.slices = self._slices(drawn[0])
        self._centre = raw.mean(axis=0)
        self._scale = self._scales(raw - self._centre)
        self.reference = self.rows(drawn)

    def rows(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Rows of architectures, float64, shape (n, d); each is worked out once.

        Raises:
            DataError: a size is not finite, or not told.
        """
        for architecture in architectures:
            if architecture not in self._known:
                self._known[architecture] = (self._raw(architecture) - self._centre) * self._scale
        found = [self._known[architecture] for architecture in architectures]
        return np.stack(found) if found else np.zeros((0, len(self._centre)))

    def _raw(self, architecture: Architecture) -> np.ndarray:
        return np.concatenate(list(self._parts(architecture).values()))

    def _parts(self, architecture: Architecture) -> dict[str, np.ndarray]:
        """The blocks before they are scaled; one that the space does not have is left out."""
        counted = _choices(architecture)
        parts = {
            "sizes": self._told_sizes(architecture),
            "choices": np.array([counted.get(column, 0.0) for column in self._columns]),
            "operations": np.zeros(0),
            "decisions": self.space.encode(architecture, "one-hot"),
        }
        if self.space.root is not None:
            parts["operations"] = self.space.encode(architecture, "operation")
        return {name: part for name, part in parts.items() if len(part)}

    def _told_sizes(self, architecture: Architecture) -> np.ndarray:
        if self._sizes is None:
            return np.zeros(0)
        told = self._sizes(architecture)
        for name in self.size_names:
            if not math.isfinite(told.get(name, math.nan)):
                what = f"size {name!r} of {architecture.to_json()}"
                raise DataError(wrong(what, told.get(name), "a finite number", "tell the same sizes of all of them"))
        return np.array([float(told[name]) for name in self.size_names])

    def _slices(self, architecture: Architecture) -> dict[str, slice]:
        parts = self._parts(architecture)
        ends = np.cumsum([0, *(len(part) for part in parts.values())]).tolist()
        return {name: slice(*bounds) for name, bounds in zip(parts, pairwise(ends), strict=True)}

    def _scales(self, centred: np.ndarray) -> np.ndarray:
        """Factors of the columns: numbers in units of their own first, then each block as a whole."""
        spread = centred.std(axis=0)
        factors = np.ones(len(spread))
        own_unit = np.zeros(len(spread), dtype=bool)
        if "sizes" in self.slices:
            own_unit[self.slices["sizes"]] = True
        if "choices" in self.slices:
            own_unit[self.slices["choices"]] = [what == SUM for _, what in self._columns]
        own_unit &= spread > 0
        factors[own_unit] = 1 / spread[own_unit]
        for where in self.slices.values():
            length = math.sqrt(float(np.square(centred[:, where] * factors[where]).sum(axis=1).mean()))
            factors[where] *= 1 / length if length > 0 else 0.0
        return factors


def _choices(architecture: Architecture) -> Counter[tuple[str, str]]:
    """Values taken by choices that are named alike, and sums of numbers."""
    found: Counter[tuple[str, str]] = Counter()
    for name, value in architecture.items():
        stem = re.sub(r"\d+", "#", name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            found[stem, SUM] += value  # type: ignore[assignment]  # a counter of numbers, not only whole ones
        if not isinstance(value, float):
            found[stem, _text(value)] += 1
    return found


def _text(value: Value) -> str:
    return "=" + canonical_json(to_json_value(value))


def _counted(architectures: Iterable[Architecture]) -> list[tuple[str, str]]:
    """Columns of the block ``choices``: sums, and the most frequent values of choices that are named alike."""
    seen: Counter[tuple[str, str]] = Counter()
    for architecture in architectures:
        seen.update(dict.fromkeys(_choices(architecture), 1))
    kept: list[tuple[str, str]] = []
    for stem in sorted({stem for stem, _ in seen}):
        of_stem = sorted(
            (what for s, what in seen if s == stem), key=lambda what: (what != SUM, -seen[stem, what], what)
        )
        kept += [(stem, what) for what in of_stem[: MOST_VALUES + 1]]
    return kept
