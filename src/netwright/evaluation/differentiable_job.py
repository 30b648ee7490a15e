"""A differentiable search as a job of an executor: in a process of its own, what it found is left in a file.

Knows no strategies and no trials.
"""

from __future__ import annotations

import importlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from netwright.errors import SpaceError, SpecError, wrong
from netwright.machine_memory import memory_bytes
from netwright.space.expressions import Categorical
from netwright.types import Architecture, Constraint, Fidelity, Metrics

if TYPE_CHECKING:
    from netwright.evaluation.trainer import TrainingEvaluator
    from netwright.space import SearchSpace
    from netwright.supernet.differentiable import Found, Options, Penalty

FILE = "differentiable.json"

MOST_DERIVED = 4
"""Networks that are taken from one search: what it found, and what its latest epochs would have given."""

EPOCHS = 10
"""Of a search whose budget is no time."""

LATENCY = "latency_ms"

LEAST_MEASURED, MOST_MEASURED, MEASURED_EVERY_S = 8, 24, 20.0
"""Networks that are timed before a search with a limit on latency: one for so many seconds of its budget."""


@dataclass(frozen=True)
class Derived:
    """What a differentiable search gave.

    Args:
        architectures: the best guess first.
        epochs: of the search.
        accuracy: of the mixture of all networks, on half of the training images; NaN where outputs are no classes.
        alarm: the collapse that was seen; empty for none.
        remarks: other things worth knowing.
        passes: over its half of the training images; NaN where that was not kept. Less than the epochs in a time that
            is too short for as many.
    """

    architectures: tuple[Architecture, ...]
    epochs: int
    accuracy: float
    alarm: str = ""
    remarks: tuple[str, ...] = ()
    passes: float = math.nan

    def write(self, path: Path) -> None:
        """Write it as one file, whole or not at all."""
        from netwright.evaluation.checkpoints import write_atomically

        kept = {
            "architectures": [json.loads(architecture.to_json()) for architecture in self.architectures],
            "epochs": self.epochs,
            "accuracy": self.accuracy,
            "alarm": self.alarm,
            "remarks": list(self.remarks),
            "passes": self.passes,
        }
        write_atomically(path, json.dumps(kept, indent=1).encode())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what was written.

        Raises:
            SpecError: the file is damaged.
        """
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            architectures = tuple(Architecture.from_json(json.dumps(found)) for found in kept["architectures"])
            remarks = tuple(str(remark) for remark in kept["remarks"])
            numbers = int(kept["epochs"]), float(kept["accuracy"]), str(kept["alarm"])
            return cls(architectures, *numbers, remarks, float(kept.get("passes", math.nan)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            cure = "put back a copy of it, or begin the search anew in another folder"
            raise SpecError(wrong("differentiable.json", str(path), "what a search left there", cure)) from error


class DifferentiableJob:
    """Evaluator that searches by gradients, whatever architecture it is given.

    Args:
        evaluator: of the search: task, limits and what networks measure.
        space: where to search.
        method: a key of `netwright.supernet.differentiable.METHODS`.
        path: file for what is found.
        budget_s: wall seconds; None for `EPOCHS` epochs.
    """

    def __init__(
        self,
        evaluator: TrainingEvaluator,
        space: SearchSpace,
        method: str,
        *,
        path: Path,
        budget_s: float | None,
    ) -> None:
        self.evaluator, self.space, self.method = evaluator, space, method
        self.path, self.budget_s = path, budget_s

    def prepare(self) -> None:
        """Load data and import torch, without running a torch operation."""
        importlib.import_module("netwright.supernet.differentiable.of_task")
        self.evaluator.task.train()

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        """Search, and write what was found.

        Returns:
            epochs, and the accuracy of the mixture of all networks, where outputs are classes.

        Raises:
            SpaceError: the space cannot be relaxed, or its search needs more memory than there is.
            TrialError: a loss is not finite.
            SearchError: no architecture keeps the limits.
        """
        from netwright.supernet.differentiable import Options
        from netwright.supernet.differentiable.of_task import architectures_of, passes

        del arch, fidelity
        task = self.evaluator.task
        options = Options(
            epochs=EPOCHS,
            seed=seed,
            limits=self._limits(),
            measure=self._measure,
            penalty=self._penalties(),
            wrap=task.normalised,
            input_dtype=task.input_dtype,
            apart=_extents(self.space),
            device=self.evaluator.options.device,
            memory_bytes=self.evaluator.options.memory_bytes or memory_bytes(),
        )
        options, found = self._searched(options)
        derived = Derived(
            tuple(architectures_of(found, options, MOST_DERIVED)),
            len(found.history),
            found.accuracy,
            "" if found.alarm is None else f"after epoch {found.alarm.epoch + 1}: {found.alarm.reason}",
            (*found.remarks, *_apart_remark(options.apart)),
            passes(found, task),
        )
        derived.write(self.path)
        told = {} if math.isnan(derived.accuracy) else {"accuracy": derived.accuracy}
        return {"epochs": float(derived.epochs), **told}

    def _searched(self, options: Options) -> tuple[Options, Found]:
        """Search, and tell with which options: choices that change an extent are kept apart as they come to be known.

        Raises:
            SpaceError: something else cannot be mixed, or they have too many values together.
        """
        from netwright.supernet.differentiable.of_task import search_task
        from netwright.supernet.differentiable.soft import ExtentError

        task, began_s, fits = self.evaluator.task, time.monotonic(), self.budget_s is not None
        while True:
            left_s = 1.0 if self.budget_s is None else max(1.0, self.budget_s - (time.monotonic() - began_s))
            try:
                return options, search_task(task, self.space, self.method, options, budget_s=left_s, fits=fits)
            except ExtentError as error:
                new = [name for name in error.names if name not in options.apart]
                if not new:
                    raise SpaceError(str(error)) from error
                options = replace(options, apart=(*options.apart, *new))

    def _limits(self) -> tuple[Constraint, ...]:
        """Those that are known without a training; the others decide later."""
        known = ("params", "macs", "memory_bytes", "depth", LATENCY)
        return tuple(limit for limit in self.evaluator.constraints if limit.metric in known)

    def _penalties(self) -> tuple[Penalty, ...]:
        """What pulls towards the limits while the search looks: upper bounds on size and latency."""
        from netwright.supernet.differentiable import Penalty

        upper = {c.metric: c.bound for c in self.evaluator.constraints if c.relation == "<=" and c.bound > 0}
        penalties = [Penalty(metric, upper[metric]) for metric in ("params", "macs") if metric in upper]
        if any(limit.metric == LATENCY for limit in self._limits()):
            number = LEAST_MEASURED if self.budget_s is None else int(self.budget_s / MEASURED_EVERY_S)
            measured = max(LEAST_MEASURED, min(MOST_MEASURED, number))
            target, weight = upper.get(LATENCY, 1.0), float(LATENCY in upper)
            penalties.append(Penalty(LATENCY, target, weight, measure=self._latency, measurements=measured))
        return tuple(penalties)

    def _latency(self, architecture: Architecture) -> float:
        from netwright.nn.building import build

        task = self.evaluator.task
        term = task.network(self.space, architecture)
        model = build(term, input_shape=task.input_shape, input_dtype=task.input_dtype)
        return self.evaluator.measure_latencies(model)[LATENCY]

    def _measure(self, architecture: Architecture) -> Metrics:
        return self.evaluator.measure_sizes(self.evaluator.task.network(self.space, architecture))


DEFAULT_EXTENTS = ("stem.stride",)
"""Choices of the default space that change the extent of what flows, which a relaxed network keeps apart."""


def _extents(space: SearchSpace) -> tuple[str, ...]:
    """Those of them that a space has."""
    listed = {name: domain.values for name, c in space.choices.items() if isinstance(domain := c.domain, Categorical)}
    return tuple(name for name in DEFAULT_EXTENTS if len(listed.get(name, ())) > 1)


def _apart_remark(names: Sequence[str]) -> tuple[str, ...]:
    """What is said where choices of a space of one's own were kept apart."""
    own = [name for name in names if name not in DEFAULT_EXTENTS]
    if not own:
        return ()
    named = ", ".join(map(repr, own))
    return (f"{named}: changes the extent, so that the whole network was run once for each value, which takes longer",)
