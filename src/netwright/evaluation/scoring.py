"""Scores of a space's architectures on a task's data, before anything is trained.

`ProxyScorer` builds a network, looks at it with zero-cost proxies on one fixed batch of training images, and tells what
they say; called with an architecture it is what strategies take for ``scores``. It does not know what the proxies are,
nor what their scores are used for.
"""

from __future__ import annotations

import importlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from time import process_time
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from netwright.errors import SpecError, one_line, unknown, wrong
from netwright.evaluation.scored import SIZES, Conditions, Scored
from netwright.types import Architecture

if TYPE_CHECKING:
    from torch import Tensor, nn

    from netwright.space import SearchSpace
    from netwright.space.terms import Term
    from netwright.tasks.base import Task

BATCH_SIZE = 64
MOST_EXAMPLES = 65_536
MOST_SAMPLED = 1_000_000
MOST_REPEATS = 1000
"""So many draws in a row without a new network, and the space is taken to have no more."""

MOST_DRAWS = 24
"""Draws for each network that is wanted, where a space admits few."""

_BATCH_STREAM = 0x5C08E
"""Parts the stream of random numbers that chooses the batch from others of the same seed."""


class Found(Protocol):
    """What proxies say of a network; `netwright.evaluation.proxies.ProxyScores` is one."""

    @property
    def values(self) -> Mapping[str, float]: ...
    @property
    def unusable(self) -> Mapping[str, str]: ...


class Measure(Protocol):
    """Scores a network by proxies of these names; `netwright.evaluation.proxies.score` is one."""

    def __call__(self, model: nn.Module, inputs: Tensor, labels: Tensor, names: Sequence[str], seed: int) -> Found: ...


class ProxyScorer:
    """Scores architectures by zero-cost proxies on one fixed batch; called with one, it tells its scores.

    Each architecture is scored once. One whose network cannot be built or run, and one that a proxy is not for, scores
    NaN. No torch operation is run before the first score is asked for.

    Args:
        task: gives the images.
        space: of the architectures.
        proxies: names, of proxies or of sizes (params, macs, depth).
        batch_size: training images in the batch; all of them where there are fewer.
        seed: of the first weights, the batch and what proxies draw, >= 0.
        measure: scores a network; by default the proxies of `netwright.evaluation.proxies`.

    Attributes:
        reasons: how many architectures failed, by the reason.

    Raises:
        SpecError: an unknown or doubled proxy, or a batch size or seed that cannot be.
    """

    def __init__(
        self,
        task: Task,
        space: SearchSpace,
        proxies: Sequence[str],
        *,
        batch_size: int = BATCH_SIZE,
        seed: int = 0,
        measure: Measure | None = None,
    ) -> None:
        for name, value, low, high in (("batch_size", batch_size, 1, MOST_EXAMPLES), ("seed", seed, 0, 2**32 - 1)):
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise SpecError(wrong(name, value, f"a whole number in [{low}, {high}]"))
        self.task, self.space, self.seed = task, space, seed
        self.names = tuple(proxies) if measure is not None else choose_proxies(proxies)
        self._batch_size = min(batch_size, len(task.train()[1]))
        self._by: Measure = _by_proxies if measure is None else measure
        self._known: dict[Architecture, Scored] = {}
        self.reasons: Counter[str] = Counter()

    def __call__(self, architecture: Architecture) -> Mapping[str, float]:
        """Scores by name, always the same names; NaN where there is none."""
        return self.score(architecture).values

    def score(self, architecture: Architecture) -> Scored:
        """All that is known of an architecture without training it."""
        known = self._known.get(architecture)
        if known is None:
            known = self._known[architecture] = self._score(architecture)
            if known.error:
                self.reasons[known.error] += 1
        return known

    def prepare(self) -> None:
        """Choose the batch and import what scoring needs, without running a torch operation."""
        for module in ("torch", "netwright.nn.building", "netwright.nn.profiling", "netwright.evaluation.proxies"):
            importlib.import_module(module)
        _ = self._chosen

    @cached_property
    def conditions(self) -> Conditions:
        """How networks are looked at."""
        return Conditions(
            self.names,
            self.seed,
            len(self._chosen[1]),
            len(np.unique(self._chosen[1])),
            self.task.fingerprint(),
            self.space.fingerprint(),
            version("torch"),
        )

    @cached_property
    def _chosen(self) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
        """The batch as it is stored: inputs (B, ...) and class numbers (B,)."""
        stored, labels = self.task.train()
        rng = np.random.default_rng([self.seed, _BATCH_STREAM])
        chosen = balanced(labels, self._batch_size, rng)
        return np.array(stored[chosen]), labels[chosen]

    @cached_property
    def _batch(self) -> tuple[Tensor, Tensor]:
        import torch

        stored, labels = self._chosen
        return self.task.to_input(torch.from_numpy(stored)), torch.from_numpy(labels)

    def _score(self, architecture: Architecture) -> Scored:
        begin_s = process_time()
        sizes = dict.fromkeys(SIZES, math.nan)
        try:
            term = self.task.network(self.space, architecture)
            sizes = self._sizes(term)
            found = self._measure(term)
        except Exception as error:  # noqa: BLE001 - a network runs code of a person's own: it may raise anything, is counted
            reason = one_line(f"{type(error).__name__}: {error}")[:300]
            values = {name: sizes.get(name, math.nan) for name in self.names}
            return Scored(architecture, values, sizes, {}, reason, process_time() - begin_s)
        told = {**sizes, **found.values}
        values = {name: float(told.get(name, math.nan)) for name in self.names}
        return Scored(architecture, values, sizes, dict(found.unusable), "", process_time() - begin_s)

    def _sizes(self, term: Term) -> dict[str, float]:
        from netwright.nn.profiling import profile

        found = profile(term, input_shape=self.task.input_shape, input_dtype=self.task.input_dtype)
        return {"params": float(found.params), "macs": float(found.macs), "depth": float(found.depth)}

    def _measure(self, term: Term) -> Found:
        from netwright.nn.building import build

        wanted = [name for name in self.names if name not in SIZES]
        inputs, labels = self._batch
        model = build(term, input_shape=self.task.input_shape, seed=self.seed, input_dtype=self.task.input_dtype)
        return self._by(model, inputs, labels, wanted, self.seed)


def _by_proxies(model: nn.Module, inputs: Tensor, labels: Tensor, names: Sequence[str], seed: int) -> Found:
    from netwright.evaluation.proxies import score

    return score(model, inputs, labels, names, seed)


def choose_proxies(names: Sequence[str]) -> tuple[str, ...]:
    """The proxies that are meant by names, each once.

    Args:
        names: of proxies or sizes; ``default`` stands for those of the default ensemble, ``all`` for all there are.

    Raises:
        SpecError: a name that no proxy has, one that is given twice, or none at all.
    """
    from netwright.evaluation.proxies import proxy_names
    from netwright.evaluation.proxies.ensemble import DEFAULT

    known = list(dict.fromkeys([*proxy_names(), *SIZES]))
    short = {"all": known, "default": list(DEFAULT)}
    found = [proxy for name in names for proxy in short.get(name, [name])]
    for name in found:
        if name not in known:
            raise SpecError(unknown("proxy", name, [*known, *short]))
    if not found or len(set(names)) < len(names):
        raise SpecError(wrong("proxies", list(names), "names, each once", "write all, default or a,b"))
    return tuple(dict.fromkeys(found))


def sample_architectures(space: SearchSpace, count: int, seed: int) -> list[Architecture]:
    """Random architectures of a space, each network once; all there are where the space is smaller.

    Where few of a space are admitted (`SearchSpace.limited`) fewer are found: it does not draw for ever.

    Args:
        space: where from; only what it admits.
        count: how many, >= 1.
        seed: of the draw, >= 0.

    Returns:
        In the order in which they were drawn. Architectures that make the same network are taken for one, so that the
        others are a little rarer than in a plain draw.

    Raises:
        SpecError: ``count`` is not at least 1.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_SAMPLED:
        raise SpecError(wrong("sample", count, f"a whole number in [1, {MOST_SAMPLED}]"))
    rng = np.random.default_rng(seed)
    found: dict[str, Architecture] = {}
    repeats = 0
    num_refused = 0
    while len(found) < count and repeats < MOST_REPEATS and num_refused < MOST_DRAWS * count:
        architecture = space.sample(rng)
        if not space.admits(architecture):
            num_refused += 1
            continue
        repeats += 1
        if found.setdefault(space.canonical_id(architecture), architecture) is architecture:
            repeats = 0
    return list(found.values())


def balanced(labels: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Numbers of examples, drawn at random, as many of each class as can be.

    Args:
        labels: class numbers, shape (n,).
        count: how many to draw, in [1, n].
        rng: source of randomness.

    Returns:
        Different numbers in [0, n), shape (count,): one of each class in turn.

    Example:
        >>> labels = np.array([0, 0, 0, 0, 0, 1, 1, 2])
        >>> np.bincount(labels[balanced(labels, 5, np.random.default_rng(0))]).tolist()
        [2, 2, 1]
    """
    order = rng.permutation(len(labels))
    by_class = np.argsort(labels[order], kind="stable")
    sorted_labels = labels[order][by_class]
    turn = np.empty(len(labels), dtype=np.int64)
    turn[by_class] = np.arange(len(labels)) - np.searchsorted(sorted_labels, sorted_labels)
    return np.asarray(order[np.argsort(turn, kind="stable")[:count]])
