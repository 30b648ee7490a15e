"""Earlier studies for a search that begins with what they found: read from their runs, and kept in its own folder.

A search that is resumed reads its own copy, so that it is the same search whatever became of the earlier runs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import SpecError, StoreError, one_line, wrong
from netwright.storage import Store
from netwright.storage.records import decode_metrics, decode_proposal, encode_metrics, encode_proposal
from netwright.strategies.earlier_studies import FEWEST, EarlierStudy, carry_over, lessons_of
from netwright.study.recorded import read_recorded
from netwright.tasks import TASKS
from netwright.types import Constraint, Objective, Trial, TrialState, canonical_json, digest

if TYPE_CHECKING:
    from netwright.space import SearchSpace
    from netwright.spec import SearchSpec

FOLDER = "earlier"
"""Folder of a run that holds the studies which it began with."""


def read_earlier(run: Path | str) -> EarlierStudy:
    """Read the history of a run, finished or not; nothing is written.

    Args:
        run: its folder.

    Raises:
        StoreError: there is no study, or it cannot be read.
    """
    folder = Path(run)
    with Store.open(folder / "study.db", read_only=True) as store:
        return EarlierStudy(store.study.name or folder.name, tuple(store.trials()))


def earlier_studies(spec: SearchSpec) -> tuple[EarlierStudy, ...]:
    """The studies that a search begins with: its own copies, or those of the runs that it names.

    Raises:
        SpecError: one of them cannot be read, or is of another task.
    """
    found = []
    for number, run in enumerate(spec.warm_start):
        copy = Path(spec.out) / FOLDER / f"{number}.json"
        try:
            before = None if copy.is_file() else _task_of(Path(run))
            found.append(_decode(copy.read_bytes()) if copy.is_file() else read_earlier(run))
        except (StoreError, OSError, ValueError, KeyError, TypeError) as error:
            place = copy if copy.is_file() else run
            raise SpecError(f"warm_start: {one_line(str(place))} holds no study that can be read: {error}") from error
        if before in TASKS and spec.task in TASKS and before != spec.task:  # own ones may be named in many ways
            cure = f"its task is {before}, whose rankings say nothing of this one's; name another run"
            raise SpecError(wrong("warm_start", str(run), f"a run of {spec.task}", cure))
    return tuple(found)


def _task_of(run: Path) -> object:
    """The task of a run by its name; None where it has an evaluator of its own, or no specification.

    Raises:
        StoreError: there is no study, or it cannot be read.
    """
    with Store.open(run / "study.db", read_only=True) as store:
        text = json.loads(store.study.spec)
        return read_recorded(run, store).stored.get("task") if isinstance(text, str) else None


def keep_earlier(folder: Path, studies: Sequence[EarlierStudy]) -> None:
    """Write the studies into the folder of a run; those that are there stay."""
    from netwright.evaluation.checkpoints import write_atomically

    for number, study in enumerate(studies):
        path = folder / FOLDER / f"{number}.json"
        if not path.is_file():
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, _encode(study))


def fingerprint(studies: Sequence[EarlierStudy]) -> str:
    """Digest of all that studies say; empty without any."""
    return digest(b"".join(map(_encode, studies)).decode()) if studies else ""


def told_of(
    studies: Sequence[EarlierStudy],
    space: SearchSpace,
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
) -> str:
    """How much of what earlier studies found has a counterpart in a space and teaches something, for people.

    Args:
        studies: that the search begins with.
        space: of the search.
        objectives: of the search.
        constraints: of the search.
    """
    rng = np.random.default_rng(0)
    carried = [carry_over(study, space, rng) for study in studies]
    parts = [f"{len(c.trials)} of {len(c.trials) + c.num_left_out} trials of {one_line(c.name)}" for c in carried]
    useless = [one_line(c.name) for c in carried if not lessons_of(c, objectives, constraints, rng)]
    told = f"begins with {', '.join(parts)}"
    if useless:
        wanted = f"{' and '.join(goal.metric for goal in objectives)}, within the limits and not all alike"
        told += f"; nothing is learned of {', '.join(useless)}: no {FEWEST} equally trained networks have {wanted}"
    return told


def _encode(study: EarlierStudy) -> bytes:
    trials = [
        {
            "id": trial.id,
            "proposal": encode_proposal(trial.proposal),
            "seed": trial.seed,
            "state": trial.state.value,
            "metrics": encode_metrics(trial.metrics),
        }
        for trial in study.trials
    ]
    return canonical_json({"name": study.name, "trials": trials}).encode()


def _decode(content: bytes) -> EarlierStudy:
    plain = json.loads(content)
    trials = [
        Trial(
            int(row["id"]),
            decode_proposal(row["proposal"]),
            int(row["seed"]),
            TrialState(row["state"]),
            decode_metrics(row["metrics"]),
        )
        for row in plain["trials"]
    ]
    return EarlierStudy(str(plain["name"]), tuple(trials))
