"""What a search returns, and how it is told to people. Knows nothing of how it came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from netwright.readable import number
from netwright.study.rung_audit import RungAgreement
from netwright.types import Json, Objective, Trial, TrialState

FILES = ("model.py", "weights.safetensors", "model.onnx", "card.json")
"""Of an exported network; without model.onnx where it cannot be had."""


@dataclass(frozen=True)
class Comparison:
    """The found network against a hand-made one, both trained equally long.

    Args:
        name: of the reference network.
        metric: what is compared.
        reference: its number.
        found: the found network's number at the same fidelity.
        margin: by how much the found one is better (negative: worse).
        reference_epochs: how long the reference was trained; None where nothing is trained.
        found_epochs: the same of the found one: equal, but for trainings that a deadline ended.
    """

    name: str
    metric: str
    reference: float
    found: float
    margin: float
    reference_epochs: float | None
    found_epochs: float | None

    @property
    def is_of_trained(self) -> bool:
        """Whether both were trained, or nothing is; scores with shared weights, after 0 epochs, say little of them."""
        return self.reference_epochs != 0 and self.found_epochs != 0

    def __str__(self) -> str:
        numbers = [f"{self.reference:.4f}", f"{self.found:.4f}"]
        if self.reference_epochs is not None and self.found_epochs is not None:
            numbers[0] += f" after {self.reference_epochs:.3g} epochs"
            numbers[1] += f" after {self.found_epochs:.3g}"
        return f"{self.name}: {self.metric} {numbers[0]}, found network {numbers[1]} ({self.margin:+z.4f})"


@dataclass(frozen=True)
class Result:
    """The outcome of a search.

    Args:
        run: folder of the run; None where nothing was written.
        objectives: what was searched for; the first one decides.
        best: the best trial.
        references: the best trial of each hand-made reference network, by its name.
        comparisons: the found network against each reference at equal training; people are told of trained ones.
        front: trials that no other beats in all objectives.
        num_trials: trials that ended.
        stopped: why the search ended.
        card: card of the exported network; empty where nothing was exported.
        verified: the export was reloaded and gave the same outputs and metric.
        notes: what a person should know (a reference that broke a limit, a check that was left out).
        counts: trials by how they ended.
        warnings: what a person must know: that what is delivered was not trained fully.
        rungs: how short trainings ranked networks, against the next longer ones.
    """

    run: Path | None
    objectives: tuple[Objective, ...]
    best: Trial
    references: tuple[tuple[str, Trial], ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    front: tuple[Trial, ...] = ()
    num_trials: int = 0
    stopped: str = ""
    card: Mapping[str, Json] = field(default_factory=dict)
    verified: bool = False
    notes: tuple[str, ...] = ()
    counts: Mapping[TrialState, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    rungs: tuple[RungAgreement, ...] = ()

    @property
    def folder(self) -> Path | None:
        """Folder of the exported network, ``RUN/best``."""
        return self.run / "best" if self.run is not None and self.card else None

    def summary(self) -> str:
        """Text for people: what was found, what a reference network would have given, and where the files are."""
        main = self.objectives[0].metric
        lines = [f"{self.num_trials} trials{_endings(self.counts)}, stopped: {self.stopped}"]
        lines.append(f"best: trial {self.best.id}, {_numbers(self.best.metrics)}")
        metrics = self.card.get("metrics")
        if isinstance(metrics, dict):
            test = [f"{k.replace('_', ' ')} {v:.4f}" for k, v in metrics.items() if _is_test(k)]
            lines.extend([f"on the test split, read once: {', '.join(test)}"] if test else [])
        same = [name for name, trial in self.references if trial.architecture == self.best.architecture]
        trained = [comparison for comparison in self.comparisons if comparison.is_of_trained]
        others = [comparison for comparison in trained if comparison.name not in same]
        if others:
            lines.append("hand-made reference networks, at the longest training that both had:")
            lines.extend(f"  {comparison}" for comparison in others)
        if same:
            lines.append(f"the best network IS the reference {same[0]}: nothing better was found")
        elif others:
            lines.append(_verdict(trained, main))
        lines.extend(str(rung) for rung in self.rungs)
        lines.extend(f"WARNING: {warning}" for warning in self.warnings)
        lines.extend(f"note: {note}" for note in self.notes if note not in map(str, self.rungs))
        if self.folder is not None:
            state = "checked: it scores as it did in the search" if self.verified else "NOT verified"
            files = ", ".join(name for name in FILES if (self.folder / name).is_file())
            lines.append(f"network: {self.folder} ({files}; {state})")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Json]:
        """JSON object for scripts."""
        return {
            "run": None if self.run is None else str(self.run),
            "best": trial_dict(self.best),
            "references": {name: trial_dict(trial) for name, trial in self.references},
            "comparisons": [dict(vars(c)) for c in self.comparisons],
            "front": [trial.id for trial in self.front],
            "trials": self.num_trials,
            "counts": {state.value: count for state, count in self.counts.items()},
            "stopped": self.stopped,
            "verified": self.verified,
            "notes": list(self.notes),
            "warnings": list(self.warnings),
            "rungs": [rung.to_dict() for rung in self.rungs],
            "card": dict(self.card),
        }


def trial_dict(trial: Trial) -> dict[str, Json]:
    """JSON object of a trial."""
    import json

    return {
        "id": trial.id,
        "state": trial.state.value,
        "architecture": json.loads(trial.architecture.to_json()),
        "epochs": trial.fidelity.epochs,
        "origin": trial.proposal.origin,
        "metrics": dict(trial.metrics),
        "error": trial.error.partition("\n")[0],
        "duration_s": round(trial.duration_s, 3),
    }


def _numbers(metrics: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {number(name, value)}" for name, value in metrics.items())


def _endings(counts: Mapping[TrialState, int]) -> str:
    """How many were trained, where that is not all: a network over a limit is refused, and not charged to a budget.

    Example:
        >>> _endings({TrialState.FINISHED: 5, TrialState.INFEASIBLE: 9})
        ' (5 trained, 9 refused)'
    """
    words = {TrialState.FINISHED: "trained", TrialState.INFEASIBLE: "refused", TrialState.FAILED: "failed"}
    parts = [f"{counts[state]} {word}" for state, word in words.items() if counts.get(state)]
    return f" ({', '.join(parts)})" if len(parts) > 1 else ""


def _is_test(metric: str) -> bool:
    return metric.startswith("test_") and not metric.startswith("test_sample_")


def _verdict(comparisons: Sequence[Comparison], metric: str) -> str:
    """What the closest comparison says: the references may have been dropped after trainings of different lengths."""
    closest = min(comparisons, key=lambda c: c.margin)
    after = "" if closest.reference_epochs is None else f" after {closest.reference_epochs:.3g} epochs"
    if closest.margin > 0:
        beaten = f"beat each reference; the closest ({closest.name}) by {closest.margin:.4f} {metric}"
    elif closest.margin == 0:
        beaten = f"did not beat each reference: {closest.name} had the same {metric}"
    else:
        beaten = f"did NOT beat the best reference ({closest.name}): {-closest.margin:.4f} {metric} short of it"
    return f"the search {beaten}{after}"
