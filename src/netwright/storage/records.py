"""What the history consists of, and how each part is written as text: studies, attempts, trials, events.

Knows nothing of databases, files, processes or torch. Every number keeps its bits: finite floats are written as their
shortest exact decimal, NaN and infinities as strings, so that every text is strict JSON.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import cast

from netwright.errors import StudyMismatchError, shorten
from netwright.types import (
    Architecture,
    Constraint,
    Fidelity,
    Json,
    Metrics,
    Objective,
    Proposal,
    Trial,
    TrialState,
    canonical_json,
)

_TIME = re.compile(r".*_(ms|s)")
_PLAIN_NAN = struct.pack(">d", math.nan)
_CURES = {
    "space_fingerprint": "the search space",
    "data_fingerprint": "the data",
    "code_fingerprint": "the code of the evaluator, the space or the task",
}


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """What a study is: written once, when its store is created, and compared when it is resumed.

    Args:
        name: for people.
        seed: of the whole search.
        space_description: JSON text of the search space.
        space_fingerprint: the same for equal spaces, see `SearchSpace.fingerprint`.
        data_fingerprint: of task and data; empty where there are none.
        code_fingerprint: of what evaluates a trial; empty where it is not known.
        objectives: what is optimised, the first one decides.
        constraints: limits on metrics.
        spec: JSON text of the specification as it was resolved.
        version: version of netwright that created the study.
    """

    name: str
    seed: int
    space_description: str
    space_fingerprint: str
    data_fingerprint: str = ""
    code_fingerprint: str = ""
    objectives: tuple[Objective, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    spec: str = "{}"
    version: str = ""

    def to_dict(self) -> dict[str, Json]:
        """JSON object of all fields."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain["objectives"] = [[o.metric, o.direction] for o in self.objectives]
        plain["constraints"] = [[c.metric, c.relation, c.bound] for c in self.constraints]
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Json]) -> StudyRecord:
        """Read what `to_dict` gave."""
        values = dict(plain)
        objectives = tuple(Objective(*pair) for pair in cast(list[list[str]], values.pop("objectives")))  # type: ignore[arg-type]
        limits = cast(list[list[str]], values.pop("constraints"))
        constraints = tuple(Constraint(m, r, float(b)) for m, r, b in limits)  # type: ignore[arg-type]
        return cls(objectives=objectives, constraints=constraints, **values)  # type: ignore[arg-type]

    def require_same(self, other: StudyRecord) -> None:
        """Check that ``other`` is the same study; name, specification text and version may differ.

        Raises:
            StudyMismatchError: seed, space, data, code, objectives or constraints differ; names the first field.
        """
        for name in ("seed", "space_fingerprint", "data_fingerprint", "code_fingerprint", "objectives", "constraints"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                shown = [shorten([str(v) for v in x] if isinstance(x, tuple) else x) for x in (mine, theirs)]
                raise StudyMismatchError(
                    f"this study was made with another {name}: stored {shown[0]}, given {shown[1]}; "
                    f"give {_CURES.get(name, f'the {name}')} it was made with, or start a new study in another folder"
                )


@dataclass(frozen=True, slots=True)
class Started:
    """A start of a trial.

    Args:
        trial_id: of the trial.
        proposal: what is evaluated.
        seed: of the evaluation.
        told: how many results the strategy had been told when it asked for the trial.
        attempt: 1 for the first start; more after interruptions.
    """

    trial_id: int
    proposal: Proposal
    seed: int
    told: int = 0
    attempt: int = 1

    def end(self, state: TrialState, metrics: Metrics, error: str = "", duration_s: float = 0.0) -> Trial:
        """The trial as it ended."""
        return Trial(self.trial_id, self.proposal, self.seed, state, metrics, error, duration_s, self.attempt)


@dataclass(frozen=True, slots=True)
class Event:
    """Something of a study that is no trial, such as what its final phase decided."""

    kind: str
    body: Json


def encode_number(value: float) -> float | str:
    """Write a float so that all its bits are kept in strict JSON; `decode_number` reads it.

    Example:
        >>> encode_number(0.1), encode_number(float("-inf")), encode_number(float("nan"))
        (0.1, '-inf', 'nan')
    """
    value = float(value)
    if math.isfinite(value):
        return value
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    bits = struct.pack(">d", value)
    return "nan" if bits == _PLAIN_NAN else f"nan:{bits.hex()}"


def decode_number(text: float | str) -> float:
    """Read what `encode_number` wrote."""
    if isinstance(text, str) and text.startswith("nan:"):
        return cast(float, struct.unpack(">d", bytes.fromhex(text[4:]))[0])
    return float(text)


def encode_metrics(metrics: Mapping[str, float]) -> dict[str, float | str]:
    """Metrics as a JSON object, exact."""
    return {name: encode_number(value) for name, value in metrics.items()}


def decode_metrics(plain: Mapping[str, float | str]) -> dict[str, float]:
    """Read what `encode_metrics` wrote."""
    return {name: decode_number(value) for name, value in plain.items()}


def fidelity_from_list(plain: Sequence[float | None]) -> Fidelity:
    """Read ``[epochs, data_share]``."""
    epochs, share = plain
    return Fidelity(epochs, 1.0 if share is None else share)


def history_line(trial: Trial) -> str:
    """One line of the canonical history: what must be equal between an interrupted and an uninterrupted run.

    Holds id, architecture, seed, fidelity, exact metrics, state and parents. Metrics that are times (their names end in
    ``_ms`` or ``_s``) differ between runs of the same search, and are left out, as are errors, durations and attempts.

    Example:
        >>> proposal = Proposal(Architecture({"w": 1}))
        >>> trial = Trial(0, proposal, 7, TrialState.FINISHED, {"accuracy": 0.5, "step_ms": 3.0})
        >>> print(history_line(trial)[:77])
        {"architecture":{"w":1},"fidelity":{"data_share":1.0,"epochs":null},"id":0,"m
    """
    metrics = {name: value for name, value in trial.metrics.items() if not _TIME.fullmatch(name)}
    return canonical_json(
        {
            "id": trial.id,
            "architecture": json.loads(trial.architecture.to_json()),
            "seed": trial.seed,
            "fidelity": trial.fidelity.to_dict(),
            "metrics": encode_metrics(metrics),
            "state": trial.state.value,
            "parents": list(trial.proposal.parents),
        }
    )


def encode_proposal(proposal: Proposal) -> str:
    """JSON text of a proposal; pure ASCII, since not every text a decision may hold can be written as UTF-8."""
    plain = {
        "architecture": json.loads(proposal.architecture.to_json()),
        "fidelity": [proposal.fidelity.epochs, proposal.fidelity.data_share],
        "parents": list(proposal.parents),
        "origin": proposal.origin,
    }
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def decode_proposal(text: str) -> Proposal:
    """Read what `encode_proposal` wrote."""
    plain = json.loads(text)
    return Proposal(
        Architecture(plain["architecture"]),
        fidelity_from_list(plain["fidelity"]),
        tuple(plain["parents"]),
        plain["origin"],
    )
