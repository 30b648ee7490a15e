"""The values that pass between the parts: frozen, typed, and equal after a round trip through JSON.

Knows nothing of search spaces, torch, stores or processes.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Union, cast

from netwright.errors import SpecError, wrong

Scalar = Union[None, bool, int, float, str]
Value = Union[Scalar, tuple["Value", ...]]
"""What a decision may be: a JSON scalar, or a tuple of values (a subset, a pair)."""

Json = Union[None, bool, int, float, str, list["Json"], dict[str, "Json"]]

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def to_json_value(value: Value) -> Json:
    """Turn tuples into lists, so that ``json.dumps`` writes them."""
    return [to_json_value(v) for v in value] if isinstance(value, tuple) else value


def from_json_value(value: Json) -> Value:
    """Turn lists back into tuples; objects are not values."""
    if isinstance(value, dict):
        raise SpecError(wrong("value", value, "a JSON scalar or a list of them"))
    return tuple(from_json_value(v) for v in value) if isinstance(value, list) else value


def canonical_json(value: object) -> str:
    """Write JSON with sorted keys, no spaces and exact floats; NaN and infinity as Python writes them."""
    return _ENCODER.encode(value)


def digest(text: str, length: int = 16) -> str:
    """Return the first ``length`` hex digits of a hash that is the same in every process."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()[:length]


class Architecture(Mapping[str, Value]):
    """One point of a search space: its active decisions by name. Immutable, hashable, JSON round-trippable.

    Equality, hash and `id` follow the canonical JSON text, in which ``1``, ``1.0`` and ``True`` differ.

    Args:
        decisions: value of every active decision by the name of its choice. Lists become tuples.

    Example:
        >>> a = Architecture({"width": 16, "kernels": [3, 5]})
        >>> a["kernels"], Architecture.from_json(a.to_json()) == a
        ((3, 5), True)
    """

    __slots__ = ("_decisions", "_text")

    def __init__(self, decisions: Mapping[str, object]) -> None:
        self._decisions: dict[str, Value] = {name: _as_value(decisions[name]) for name in sorted(decisions)}
        self._text = canonical_json(self._decisions)  # JSON writes tuples as lists

    def __getitem__(self, name: str) -> Value:
        return self._decisions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._decisions)

    def __len__(self) -> int:
        return len(self._decisions)

    def __hash__(self) -> int:
        return hash(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Architecture) and self._text == other._text

    def __repr__(self) -> str:
        return f"Architecture({self._text})"

    @property
    def id(self) -> str:
        """16 hex digits, the same in every process and run."""
        return digest(self._text)

    def to_json(self) -> str:
        """Canonical JSON text of the decisions."""
        return self._text

    @classmethod
    def from_json(cls, text: str) -> Architecture:
        """Read what `to_json` wrote.

        Raises:
            SpecError: the text is not a JSON object of decisions.
        """
        try:
            decisions = json.loads(text)
        except ValueError as error:
            raise SpecError(wrong("architecture", text, f"JSON ({error})")) from error
        if not isinstance(decisions, dict):
            raise SpecError(wrong("architecture", text, "a JSON object of decisions"))
        return cls(decisions)


def _as_value(value: object) -> Value:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return tuple(_as_value(v) for v in value)
    raise SpecError(wrong("decision", value, "a JSON scalar or a list of them"))


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How thoroughly an architecture is evaluated.

    Args:
        epochs: passes over the training data; fractions are allowed. ``None`` where an evaluator does not train.
        data_share: part of the training data used, in (0, 1].
    """

    epochs: float | None = None
    data_share: float = 1.0

    def __post_init__(self) -> None:
        if self.epochs is not None and not self.epochs > 0:
            raise SpecError(wrong("epochs", self.epochs, "> 0"))
        if not 0 < self.data_share <= 1:
            raise SpecError(wrong("data_share", self.data_share, "in (0, 1]"))

    def to_dict(self) -> dict[str, float | None]:
        """JSON object of the two numbers."""
        return {"epochs": self.epochs, "data_share": self.data_share}

    @property
    def cost(self) -> float:
        """Training cost in epochs of the whole data; 1 where nothing is trained."""
        return (1.0 if self.epochs is None else self.epochs) * self.data_share


Metrics = Mapping[str, float]
"""Name of a metric (with its unit: ``latency_ms``, ``memory_bytes``; accuracies in [0, 1]) to its number."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric and the direction in which it is better."""

    metric: str
    direction: Literal["max", "min"]

    @property
    def sign(self) -> float:
        """Factor that makes smaller better: -1 for ``max``, 1 for ``min``."""
        return -1.0 if self.direction == "max" else 1.0


_SUFFIX = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "ki": 2.0**10, "mi": 2.0**20, "gi": 2.0**30}
_CONSTRAINT = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(<=|>=)\s*([-+0-9.eE]+)\s*([A-Za-z]*)\s*")


def _factor(metric: str, unit: str, rest: str) -> float:
    """What a unit in a constraint multiplies by.

    Args:
        metric: what is limited.
        unit: what follows the number.
        rest: the constraint without it.
    """
    what = f"unit in the constraint '{rest}{unit}'"
    if metric.endswith(("_ms", "time_s")):  # 2m would be two million of them
        cure = f"the number is in {metric.rpartition('_')[2]}, as the metric's name says, such as {rest}"
        raise SpecError(wrong(what, unit, "left out", cure))
    if unit.lower() not in _SUFFIX:
        bare = unit[:-1] if unit[-1] in "bB" and unit[:-1].lower() in _SUFFIX else ""
        raise SpecError(wrong(what, unit, "k, M, G (of 1000), Ki, Mi, Gi (of 1024) or left out", f"write {rest}{bare}"))
    return _SUFFIX[unit.lower()]


@dataclass(frozen=True, slots=True)
class Constraint:
    """A limit on a metric.

    Example:
        >>> Constraint.parse("params<=200k")
        Constraint(metric='params', relation='<=', bound=200000.0)
    """

    metric: str
    relation: Literal["<=", ">="]
    bound: float

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Read ``metric<=number`` or ``metric>=number``; k, M, G (1000) and Ki, Mi, Gi (1024) may follow the number.

        Raises:
            SpecError: the text is anything else.
        """
        match = _CONSTRAINT.fullmatch(text) if isinstance(text, str) else None
        allowed = "written as metric<=number or metric>=number, such as params<=200k"
        if match is None:
            raise SpecError(wrong("constraint", text, allowed, "quote it, since a shell reads < as a file"))
        try:
            bound = float(match[3])
            if match[4]:
                bound *= _factor(match[1], match[4], f"{match[1]}{match[2]}{match[3]}")
        except ValueError as error:
            raise SpecError(wrong("constraint", text, allowed)) from error
        if not math.isfinite(bound):
            raise SpecError(wrong("constraint", text, "a finite bound"))
        return cls(match[1], cast(Literal["<=", ">="], match[2]), bound)

    def holds(self, value: float) -> bool:
        """Whether ``value`` is within the limit; never for NaN."""
        return value <= self.bound if self.relation == "<=" else value >= self.bound

    def excess(self, value: float) -> float:
        """By how much ``value`` is over the limit, relative to the bound; 0 within it, infinity for NaN."""
        if math.isnan(value):
            return math.inf
        over = value - self.bound if self.relation == "<=" else self.bound - value
        return max(0.0, over) / (abs(self.bound) or 1.0)

    def __str__(self) -> str:
        return f"{self.metric}{self.relation}{self.bound:g}"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a strategy wants evaluated.

    Args:
        architecture: what.
        fidelity: how thoroughly.
        parents: ids of the trials it was made from (mutated, crossed, promoted).
        origin: where it came from, for people: ``random``, ``mutation``, ``reference:resnet``, ``promotion``.
    """

    architecture: Architecture
    fidelity: Fidelity = Fidelity()
    parents: tuple[int, ...] = ()
    origin: str = ""


class TrialState(StrEnum):
    """How a trial ended."""

    FINISHED = "finished"
    INFEASIBLE = (
        "infeasible"  # broke a constraint (size, latency, memory); says nothing against its neighbours' accuracy
    )
    FAILED = "failed"  # raised, crashed, ran out of time, returned nonsense


@dataclass(frozen=True, slots=True)
class Trial:
    """One ended evaluation, as stored and as told to a strategy.

    Args:
        id: number within the study, from 0, in the order of asking; ids are also the order of commits.
        proposal: what was asked for.
        seed: seed of the evaluation.
        state: how it ended.
        metrics: what was measured (of an infeasible trial: what was known when the limit was found broken).
        error: what went wrong, empty when finished: one line, then details.
        duration_s: wall seconds of the evaluation.
        attempts: how often it was started (more than 1 after an interruption).
    """

    id: int
    proposal: Proposal
    seed: int
    state: TrialState
    metrics: Metrics = field(default_factory=dict)
    error: str = ""
    duration_s: float = 0.0
    attempts: int = 1

    @property
    def architecture(self) -> Architecture:
        """The architecture evaluated."""
        return self.proposal.architecture

    @property
    def fidelity(self) -> Fidelity:
        """The fidelity evaluated at."""
        return self.proposal.fidelity


_DURATION = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)\s*")
_COUNT = re.compile(r"\s*([0-9]+)\s*(trials?|epochs?)\s*")
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a search may spend; at least one limit is set, the first one reached ends the search.

    Args:
        time_s: wall seconds of the whole search, final training and export included.
        trials: number of trials.
        epochs: epochs of the whole training data, summed over trials.

    Example:
        >>> Budget.parse("10m"), Budget.parse("24 trials")
        (Budget(time_s=600.0, trials=None, epochs=None), Budget(time_s=None, trials=24, epochs=None))
    """

    time_s: float | None = None
    trials: int | None = None
    epochs: float | None = None

    def __post_init__(self) -> None:
        limits = (self.time_s, self.trials, self.epochs)
        if all(limit is None for limit in limits):
            raise SpecError(wrong("budget", limits, "at least one limit"))
        for name, limit in zip(("time", "trials", "epochs"), limits, strict=True):
            if limit is not None and not 0 < limit < math.inf:
                raise SpecError(wrong(f"budget ({name})", limit, "finite and > 0"))

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read ``90s``, ``10m``, ``2h``, ``24 trials`` or ``300 epochs``, several joined by commas.

        Raises:
            SpecError: the text is anything else.
        """
        limits: dict[str, float] = {}
        for part in str(text).split(","):
            if match := _DURATION.fullmatch(part):
                limits["time_s"] = float(match[1]) * _UNIT_S[match[2][0]]
            elif match := _COUNT.fullmatch(part):
                limits["trials" if match[2].startswith("t") else "epochs"] = int(match[1])
            else:
                raise SpecError(
                    wrong("budget", text, "a time (90s, 10m, 2h), '24 trials' or '300 epochs'", "name the unit")
                )
        trials = limits.get("trials")
        return cls(limits.get("time_s"), None if trials is None else int(trials), limits.get("epochs"))

    def __str__(self) -> str:
        parts = []
        if self.time_s is not None:
            parts.append(f"{self.time_s:g}s")
        if self.trials is not None:
            parts.append(f"{self.trials} trials")
        if self.epochs is not None:
            parts.append(f"{self.epochs:g} epochs")
        return ", ".join(parts)


def parse_seconds(argument: str, text: str, such_as: str) -> float:
    """Seconds of a time with a unit.

    Args:
        argument: what the text was given for, in messages.
        text: such as ``90s``, ``10m`` or ``2h``.
        such_as: examples, in messages.

    Raises:
        SpecError: it is no time, or not more than none.

    Example:
        >>> parse_seconds("--budget", "1.5m", "90s or 2m")
        90.0
    """
    match = _DURATION.fullmatch(str(text))
    if match is None:
        raise SpecError(wrong(argument, text, f"a time such as {such_as}", "name the unit"))
    time_s = float(match[1]) * _UNIT_S[match[2][0]]
    if not 0 < time_s < math.inf:
        raise SpecError(wrong(argument, text, f"more than no time, such as {such_as}"))
    return time_s


def tie_break(trial: Trial) -> tuple[float, int]:
    """By what trials of equal value are sorted: the loss, where it is measured, then the older one first.

    Word error rates are all 1 and mean average precisions all 0 as long as networks are hardly trained, and an accuracy
    on few examples takes few values; the loss tells them apart.
    """
    loss = trial.metrics.get("loss", 0.0)
    return math.inf if math.isnan(loss) else loss, trial.id


def best_first(trials: Iterable[Trial], objective: Objective) -> list[Trial]:
    """Sort finished trials with a real number for the objective, best first.

    Of equal ones the more thoroughly evaluated is better (its number means more), then see `tie_break`.
    """

    def usable(trial: Trial) -> bool:
        return trial.state is TrialState.FINISHED and not math.isnan(trial.metrics.get(objective.metric, math.nan))

    def rank(trial: Trial) -> tuple[float, float, tuple[float, int]]:
        return objective.sign * trial.metrics[objective.metric], -trial.fidelity.cost, tie_break(trial)

    return sorted((t for t in trials if usable(t)), key=rank)
