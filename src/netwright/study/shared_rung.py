"""The ladder's rung of shared weights in a run: a supernet is trained before the first trial, and scores the pool.

The training is that of ``netwright supernet train``, in a process of its own, in the run's folder ``supernet``; after a
kill it goes on. What it says of the networks is stored in the run as one event, so that a resume goes on with the same
scores, whatever the clock said. Where the training fails, or does not end in time, the search goes on without the rung,
and says so. Knows no strategy.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from signal import SIGTERM
from typing import TYPE_CHECKING, cast

from netwright.errors import Interrupted, SearchError, SpaceError, SpecError, StoreError, TrialError, wrong
from netwright.evaluation.ladder import SHARED
from netwright.evaluation.scored import Scored
from netwright.evaluation.shared_rung import LEAST_TRAINED_S, SharedPlan
from netwright.evaluation.shared_scores import SharedScorer
from netwright.evaluation.supernet_files import recipe_of, require_new_weights
from netwright.evaluation.supernet_settings import Sampling, SupernetSettings
from netwright.storage import Event, Store
from netwright.study.preflight import require_shareable
from netwright.study.rung_audit import RungAgreement
from netwright.study.scoring_phase import scores_by
from netwright.study.screen_parts import shared_plan_of
from netwright.study.setup import Parts, first_plan, first_proposals
from netwright.study.supernet_parts import FOLDER
from netwright.study.supernet_phase import Ears, SupernetPhase
from netwright.study.supernet_record import SupernetRecord, is_supernet
from netwright.types import Architecture, Json

if TYPE_CHECKING:
    from netwright.spec import SearchSpec
    from netwright.study.clock import Clock
    from netwright.study.settings import Settings
    from netwright.tasks.base import Task

KIND = "shared"
"""Of the event that holds what shared weights say of the pool."""

SAMPLING: Sampling = "uniform"
"""Networks of a step of the training: one, so that a short training has many steps."""

OVERTIME_S = 10.0
"""Wall seconds after its deadline at which a training is stopped from outside: it hangs."""

OVERDUE = int(SIGTERM)
"""What such a training is told, as if it were a person's signal."""


@dataclass(frozen=True)
class SharedScores:
    """What shared weights say of the pool.

    Args:
        scored: networks with their scores; empty where there is no such rung.
        why_not: why there is none; empty where there is.
        origin: of the weights, in a few words.
    """

    scored: tuple[Scored, ...]
    why_not: str = ""
    origin: str = ""

    def to_dict(self) -> dict[str, Json]:
        """JSON object."""
        return {"scores": [row.to_dict() for row in self.scored], "why_not": self.why_not, "origin": self.origin}


@dataclass(frozen=True)
class SharedRung:
    """The rung of a search.

    Args:
        plan: what it spends.
        phase: trains the weights.
    """

    plan: SharedPlan
    phase: SupernetPhase

    def train(self, store: Store, ears: Ears, clock: Clock) -> None:
        """Train the weights, or find that they are trained or not needed any more.

        Args:
            store: of the run.
            ears: told and telling.
            clock: of the search.

        Raises:
            Interrupted: a signal asked to stop; it goes on when it is run again.
        """
        if self.plan.why_not or stored(store) is not None:
            return
        ends_s, left_s = None, LEAST_TRAINED_S
        if self.plan.until_s is not None:
            left_s = self.plan.until_s - clock.elapsed_s
            ends_s = time.monotonic() + left_s
        if left_s < LEAST_TRAINED_S / 2 and not is_supernet(self.phase.folder):
            _keep(store, SharedScores((), f"only {max(0.0, left_s):.0f} s were left to train it"))
            return
        try:
            self.phase.run(_impatient(ears, ends_s), ends_s)
        except (SearchError, SpaceError, TrialError) as error:
            _keep(store, SharedScores((), str(error)))
        except Interrupted:
            if ears.signal() is not None:
                raise
            _keep(store, SharedScores((), "its training did not end in time"))

    def score(
        self, store: Store, networks: Sequence[Architecture], folder: Path, workers: int, may_go_on: Callable[[], float]
    ) -> SharedScores:
        """What shared weights say of networks: as it was stored, or now, as far as there is time.

        Args:
            store: of the run.
            networks: to score, in this order.
            folder: keeps each score until all are stored.
            workers: networks at once.
            may_go_on: wall seconds that are left for it; none after a signal, where nothing is stored.
        """
        if self.plan.why_not:
            return SharedScores((), self.plan.why_not)
        known = stored(store)
        if known is not None:
            return known
        phase = self.phase
        if _is_chance(phase.record):
            return SharedScores((), "no network is better than chance with shared weights; give a larger budget")
        scorer = SharedScorer(phase.task, phase.weights, phase.record.digest, phase.space, device=phase.record.device)
        scored = scores_by(scorer, networks, folder=folder, workers=workers, may_go_on=may_go_on)
        return SharedScores(tuple(scored), origin=phase.record.origin)

    def keep(self, store: Store, scores: SharedScores, folder: Path) -> None:
        """Store what the search goes on with, once; what was kept in files is not needed any more."""
        if not self.plan.why_not and stored(store) is None:
            _keep(store, scores)
            shutil.rmtree(folder, ignore_errors=True)


def with_shared_rung(parts: Parts, spec: SearchSpec, settings: Settings) -> Parts:
    """The parts of a search whose ladder has a rung of shared weights; all that can be wrong with it is found here.

    Args:
        parts: those of the search.
        spec: what is asked for, with the budget which the search began with.
        settings: how it is run.

    Raises:
        SpecError: such a rung does not go with the rest.
        SpaceError: the networks cannot share weights, or need more memory: names the operation, and the remedy.
    """
    assert parts.task is not None
    if parts.ladder is None or parts.ladder.screen is None:
        raise SpecError(_no_rung(spec, parts.task))
    require_new_weights(parts.task)
    plan = shared_plan_of(spec, first_plan(spec, parts.task), parts.task, len(first_proposals(parts.task, parts.space)))
    record = SupernetRecord(
        task=spec.task,
        data=parts.task.data_name if spec.data is None else spec.data,
        space=spec.space,
        seed=spec.seed,
        settings=SupernetSettings(sampling=SAMPLING, epochs=plan.epochs, seed=spec.seed, recipe=recipe_of(parts.task)),
        task_options=spec.task_options,
        space_fingerprint=parts.space.fingerprint(),
        data_fingerprint=parts.task.fingerprint(),
        code=parts.code,
        device=spec.device,
    )
    memory_bytes = settings.limits.memory_bytes
    phase = SupernetPhase(
        parts.task, parts.space, record, Path(spec.out) / FOLDER, workers=spec.workers, memory_bytes=memory_bytes
    )
    if not plan.why_not and not is_supernet(phase.folder):
        require_shareable(parts.task, parts.space, memory_bytes, spec.seed)
    return replace(parts, shared_rung=SharedRung(plan, phase))


def _no_rung(spec: SearchSpec, task: Task) -> str:
    """Why a ladder has no rungs that train nothing."""
    if task.classifies and task.input_dtype == "float32":
        cure = f"leave {SHARED} out, or the other objectives"
        return wrong("ladder", spec.ladder, f"without {SHARED}, which ranks by accuracy alone", cure)
    allowed = f"without {SHARED} for the task {task.name}: it ranks networks that make classes of real numbers"
    return wrong("ladder", spec.ladder, allowed, f"leave {SHARED} out, or search with --evaluator supernet")


def stored(store: Store) -> SharedScores | None:
    """What an earlier sitting stored; None where none did.

    Raises:
        StoreError: it cannot be read.
    """
    return _of_events(store.events(KIND), store.path)


def notes(rung: SharedRung | None, store: Store, agreements: Sequence[RungAgreement]) -> list[str]:
    """What is said of the rung beside a result: what it was worth, or why there was none; nothing without one.

    Args:
        rung: of the search.
        store: of the run.
        agreements: what the ladder measured.
    """
    if rung is None:
        return []
    found = SharedScores((), rung.plan.why_not) if rung.plan.why_not else stored(store)
    if found is None:
        return []
    if found.why_not:
        return [f"the ladder had no rung {SHARED}: {found.why_not}"]
    ranked = f"{len(found.scored)} networks were ranked by {found.origin}"
    measured = [str(agreement) for agreement in agreements if agreement.low == SHARED]
    return [ranked, *(measured or [f"too few networks were trained to say what the {SHARED} is worth here"])]


def _of_events(events: Sequence[Event], path: Path) -> SharedScores | None:
    if not events:
        return None
    try:
        body = cast("dict[str, Json]", events[0].body)
        rows = [Scored.from_dict(cast("dict[str, Json]", row)) for row in cast("list[Json]", body["scores"])]
        return SharedScores(tuple(rows), str(body["why_not"]), str(body["origin"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(f"{path}: what shared weights said cannot be read: {error}") from error


def _is_chance(record: SupernetRecord) -> bool:
    """Whether the training found that none of some random networks says more than the most frequent class does."""
    checked = record.trained.get("checked")
    if not isinstance(checked, dict):
        return False
    accuracies = cast("list[float]", checked["accuracies"])
    return bool(accuracies) and max(accuracies) <= cast("float", checked["chance"])


def _keep(store: Store, scores: SharedScores) -> None:
    store.append_event(KIND, scores.to_dict())


def _impatient(ears: Ears, ends_s: float | None) -> Ears:
    """What asks a training to stop that goes on after its deadline, too."""

    def signal() -> int | None:
        number = ears.signal()
        is_overdue = ends_s is not None and time.monotonic() > ends_s + OVERTIME_S
        return OVERDUE if number is None and is_overdue else number

    return Ears(ears.tell, signal)
