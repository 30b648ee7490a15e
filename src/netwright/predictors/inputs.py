"""Architectures as rows of numbers that all predictors learn from: graph statistics, decisions, label-free scores.

A column is a normal quantile: where an architecture stands among random ones of the space. So a column's unit means
nothing, and no label is needed for it. Columns in which the random ones do not differ are left out. Each block of
columns is scaled so that two random architectures are at a squared distance of 1 on average.

Knows no values and no models. An architecture is looked at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import UsageError, wrong
from netwright.predictors.score_ranks import Scores
from netwright.space.graph_statistics import Vocabulary, graph_statistics
from netwright.space.quantiles import normal_quantiles
from netwright.types import Architecture

if TYPE_CHECKING:
    from netwright.space import SearchSpace

NUM_REFERENCE = 128
"""Random architectures among which ranks are taken."""

BLOCKS = ("graph", "decisions", "scores")
DECISIONS = ("one-hot", "ordinal")
"""Encodings that tell which decisions were taken, and so where in a network something stands."""


@dataclass(frozen=True, eq=False)
class Reference:
    """What ranks are taken among; all that a saved predictor keeps of its inputs.

    Args:
        vocabulary: of the operation graphs.
        score_names: of the label-free scores, sorted.
        table: the raw columns of the random architectures, each sorted, shape (random ones, columns); scores that are
            no numbers are the median.
        widths: how many columns each of `BLOCKS` has.
    """

    vocabulary: Vocabulary
    score_names: tuple[str, ...]
    table: np.ndarray
    widths: tuple[int, ...]


class Inputs:
    """Rows of the architectures of a space.

    Args:
        space: of the architectures.
        seed: draws those that ranks are taken among.
        scores: tells label-free scores; None without them. It is asked about the architectures that ranks are taken
            among, too.
        reference: of a saved predictor, in place of random architectures.
        among: random architectures that ranks are taken among, such as those whose scores are known; `NUM_REFERENCE`
            are drawn when absent.

    Raises:
        UsageError: the scores have other names than those of the reference, or there are none.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        scores: Scores | None = None,
        reference: Reference | None = None,
        among: Sequence[Architecture] = (),
    ) -> None:
        self._space = space
        self._scores = scores
        self._known: dict[Architecture, np.ndarray] = {}
        if (reference is not None) and bool(reference.score_names) != (scores is not None):
            names = ", ".join(reference.score_names) or "none"
            raise UsageError(wrong("scores", scores, f"those the predictor learnt from ({names})", "pass the same"))
        self.reference = reference or self._drawn(np.random.default_rng(seed), among)
        low, high = self.reference.table[0], self.reference.table[-1]
        self._columns = np.flatnonzero(high > low)
        self._scale = self._scales()
        ends = np.cumsum((0, *self.reference.widths))
        in_block = [(self._columns >= a) & (self._columns < b) for a, b in pairwise(ends.tolist())]
        self.blocks = tuple(np.flatnonzero(places) for places in in_block if places.any())
        """Places of the columns of each block that has some."""

    def rows(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Rows of architectures; float64, shape (n, columns).

        Raises:
            SpaceError: one is not in the space.
        """
        new = [a for a in dict.fromkeys(architectures) if a not in self._known]
        if new:
            raw = np.stack([self._raw(a, self.reference.vocabulary, self.reference.score_names) for a in new])
            self._known.update(zip(new, self._quantiles(raw[:, self._columns]) * self._scale, strict=True))
        return np.stack([self._known[a] for a in architectures])

    def _drawn(self, rng: np.random.Generator, among: Sequence[Architecture]) -> Reference:
        drawn = list(among) or [self._space.sample(rng) for _ in range(NUM_REFERENCE)]
        graphs = [] if self._space.root is None else [self._space.graph(a) for a in drawn]
        vocabulary = Vocabulary.of(graphs)
        names = () if self._scores is None else tuple(sorted(self._scores(drawn[0])))
        if self._scores is not None and not names:
            raise UsageError(wrong("scores", {}, "at least one score for an architecture"))
        raw = np.stack([self._raw(a, vocabulary, names) for a in drawn])
        graph_width = len(vocabulary.names) if graphs else 0
        widths = (graph_width, raw.shape[1] - graph_width - len(names), len(names))
        middle = np.array([np.median(c[~np.isnan(c)]) if (~np.isnan(c)).any() else 0.0 for c in raw.T])
        return Reference(vocabulary, names, np.sort(np.where(np.isnan(raw), middle, raw), axis=0), widths)

    def _raw(self, architecture: Architecture, vocabulary: Vocabulary, score_names: Sequence[str]) -> np.ndarray:
        decisions = [self._space.encode(architecture, kind) for kind in DECISIONS]
        graph = np.zeros(0)
        if self._space.root is not None:
            graph = graph_statistics(self._space.graph(architecture), vocabulary)
        told = self._scores(architecture) if self._scores is not None else {}
        return np.concatenate([graph, *decisions, [float(told.get(name, math.nan)) for name in score_names]])

    def _quantiles(self, raw: np.ndarray) -> np.ndarray:
        """Normal quantiles of columns among those of the reference; the middle for what is no number."""
        return normal_quantiles(raw, self.reference.table[:, self._columns])

    def _scales(self) -> np.ndarray:
        """What makes each column of variance 1, and each block of a mean squared distance of 1."""
        deviations = self._quantiles(self.reference.table[:, self._columns]).std(axis=0)
        ends = np.cumsum(self.reference.widths)
        block = np.searchsorted(ends, self._columns, "right")
        sizes = np.bincount(block, minlength=len(ends))
        return np.asarray(1 / (np.maximum(deviations, 1e-3) * np.sqrt(2.0 * sizes[block])))
