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
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from time import process_time
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from netwright.errors import NetwrightError, SpecError, one_line, unknown, wrong
from netwright.types import Architecture, Json, canonical_json, digest

if TYPE_CHECKING:
    from torch import Tensor, nn

    from netwright.evaluation.trainer import ClassificationTask
    from netwright.space import SearchSpace
    from netwright.space.terms import Term

SIZES = ("params", "macs", "depth")
"""Baselines that every score is compared with; they are known without building a network."""

BATCH_SIZE = 64
MOST_EXAMPLES = 65_536
MOST_SAMPLED = 1_000_000
MOST_REPEATS = 1000
"""So many draws in a row without a new network, and the space is taken to have no more."""

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


@dataclass(frozen=True, slots=True)
class Scored:
    """What is known of an architecture without training it.

    Args:
        architecture: which.
        values: score by name, larger is thought to be better; NaN where there is none.
        sizes: params, macs and depth; NaN where the network cannot be made.
        unusable: why a proxy is not for this network, by name.
        error: why the network could not be built or run; empty where it could.
        time_s: processor seconds of building and scoring it.
    """

    architecture: Architecture
    values: Mapping[str, float]
    sizes: Mapping[str, float]
    unusable: Mapping[str, str]
    error: str = ""
    time_s: float = 0.0

    @classmethod
    def failed(cls, architecture: Architecture, names: Sequence[str], error: str, time_s: float = 0.0) -> Scored:
        """Of an architecture of which nothing could be found out."""
        nothing = dict.fromkeys(names, math.nan)
        return cls(architecture, nothing, dict.fromkeys(SIZES, math.nan), {}, error, time_s)

    def to_dict(self) -> dict[str, Json]:
        """As JSON; numbers that JSON does not have are written as text."""
        return {
            "architecture": self.architecture.to_json(),
            "values": {name: _json(value) for name, value in self.values.items()},
            "sizes": {name: _json(value) for name, value in self.sizes.items()},
            "unusable": dict(self.unusable),
            "error": self.error,
            "time_s": self.time_s,
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Json]) -> Scored:
        """Read what `to_dict` gave.

        Raises:
            ValueError: it is something else.

        Example:
            >>> scored = Scored(Architecture({"width": 8}), {"naswot": math.inf}, {"params": 10.0}, {})
            >>> Scored.from_dict(scored.to_dict()) == scored
            True
        """
        try:
            return cls(
                Architecture.from_json(str(given["architecture"])),
                _numbers(given["values"]),
                _numbers(given["sizes"]),
                {name: str(reason) for name, reason in _mapping(given["unusable"]).items()},
                str(given["error"]),
                float(str(given["time_s"])),
            )
        except (KeyError, NetwrightError) as error:
            raise ValueError(f"not the scores of an architecture: {error}") from error


@dataclass(frozen=True, slots=True)
class Conditions:
    """How networks are looked at: scores made under other conditions cannot be compared with these.

    Args:
        proxies: names of the scores.
        seed: of the first weights, of the choice of the batch, and of what proxies draw.
        examples: training images in the batch.
        classes: how many classes they are of.
        data: fingerprint of the task.
        space: fingerprint of the search space.
        torch: version.
        initialisation: of the weights.
        batch: how the batch is chosen and prepared.
        dtype: of weights and inputs.
        batch_norm: which statistics it uses.
    """

    proxies: tuple[str, ...]
    seed: int
    examples: int
    classes: int
    data: str
    space: str
    torch: str
    initialisation: str = "as each layer is built; every network from the same seed"
    batch: str = "training images, as many of each class as can be; scaled as for training, not augmented"
    dtype: str = "float32"
    batch_norm: str = "statistics of the batch; dropout off"

    @property
    def digest(self) -> str:
        """By which scores that were kept are known to be made under the same conditions."""
        return digest(canonical_json(asdict(self)))


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
        task: ClassificationTask,
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
        self._given = measure
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
        """The batch as it is stored: pixels (B, C, H, W) and class numbers (B,)."""
        pixels, labels = self.task.train()
        rng = np.random.default_rng([self.seed, _BATCH_STREAM])
        chosen = balanced(labels, self._batch_size, rng)
        return np.array(pixels[chosen]), labels[chosen]

    @cached_property
    def _batch(self) -> tuple[Tensor, Tensor]:
        import torch

        from netwright.evaluation.batches import to_input

        pixels, labels = self._chosen
        return to_input(torch.from_numpy(pixels), self.task.scale), torch.from_numpy(labels)

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

        found = profile(term, input_shape=self.task.input_shape)
        return {"params": float(found.params), "macs": float(found.macs), "depth": float(found.depth)}

    def _measure(self, term: Term) -> Found:
        from netwright.nn.building import build

        measure = self._given
        if measure is None:
            from netwright.evaluation.proxies import score as measure
        wanted = [name for name in self.names if name not in SIZES]
        inputs, labels = self._batch
        return measure(
            build(term, input_shape=self.task.input_shape, seed=self.seed), inputs, labels, wanted, self.seed
        )


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

    known = [*proxy_names(), *(name for name in SIZES if name not in proxy_names())]
    found: list[str] = []
    for name in names:
        if name not in ("all", "default") and name not in known:
            raise SpecError(unknown("proxy", name, [*known, "all", "default"]))
        found += {"all": known, "default": list(DEFAULT)}.get(name, [name])
    twice = [name for name, count in Counter(names).items() if count > 1]
    if not found or twice:
        raise SpecError(wrong("proxies", list(names), "names, each once", "write all, default or a,b"))
    return tuple(dict.fromkeys(found))


def sample_architectures(space: SearchSpace, count: int, seed: int) -> list[Architecture]:
    """Random architectures of a space, each network once; all there are where the space is smaller.

    Args:
        space: where from.
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
    while len(found) < count and repeats < MOST_REPEATS:
        architecture = space.sample(rng)
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


def _json(value: float) -> Json:
    return value if math.isfinite(value) else str(value)


def _mapping(value: Json) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise ValueError(wrong("a part of the scores", value, "a JSON object"))
    return value


def _numbers(value: Json) -> dict[str, float]:
    return {name: float(str(number)) for name, number in _mapping(value).items()}
