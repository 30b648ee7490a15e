"""Before a search: the ladder's pool is scored by the default proxies, each network in a process of its own.

What came out is stored in the run as one event, so that a resume goes on with the same pool whatever the clock said;
a search that is interrupted before that scores the rest later. Knows no strategy.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from netwright.errors import StoreError
from netwright.evaluation.scored import Scored, Scorer
from netwright.evaluation.scoring import ProxyScorer
from netwright.storage import Store
from netwright.study.isolated_scores import IsolatedScores
from netwright.types import Architecture, Json

if TYPE_CHECKING:
    from netwright.space import SearchSpace
    from netwright.tasks.base import Task

SCORED = "scored"
"""Kind of the event that holds the scores of the pool."""

ENSEMBLE = ("default",)

LONGEST_WAIT_S = 3600.0
"""For a few networks, however large the budget: a system does not wait for months at a time."""


def stored_scores(store: Store) -> list[Scored] | None:
    """The scores of the pool as an earlier sitting stored them; None where none did.

    Raises:
        StoreError: they cannot be read.
    """
    events = store.events(SCORED)
    if not events:
        return None
    try:
        return [Scored.from_dict(cast("dict[str, Json]", row)) for row in cast("list[Json]", events[0].body)]
    except (ValueError, TypeError, AttributeError) as error:
        raise StoreError(f"{store.path}: the scores of the ladder's pool cannot be read: {error}") from error


def make_scores(
    task: Task,
    space: SearchSpace,
    pool: Sequence[Architecture],
    *,
    folder: Path,
    seed: int,
    workers: int,
    may_go_on: Callable[[], float],
) -> list[Scored]:
    """Score networks as far as there is time.

    Args:
        task: gives the images.
        space: of the networks.
        pool: the networks.
        folder: keeps each score until all are stored.
        seed: of the proxies.
        workers: networks at once.
        may_go_on: wall seconds that are left for it; asked again and again.

    Returns:
        Those that were scored, in the order of ``pool``.
    """
    scorer = ProxyScorer(task, space, ENSEMBLE, seed=seed)
    return scores_by(scorer, pool, folder=folder, workers=workers, may_go_on=may_go_on)


def scores_by(
    scorer: Scorer, pool: Sequence[Architecture], *, folder: Path, workers: int, may_go_on: Callable[[], float]
) -> list[Scored]:
    """Score networks by a scorer; see `make_scores`."""
    found: list[Scored] = []
    at_once = 4 * workers
    with IsolatedScores(scorer, folder, workers=workers) as scores:
        for begin in range(0, len(pool), at_once):
            left_s = may_go_on()
            if left_s <= 0:
                break
            found += scores.many(pool[begin : begin + at_once], time_s=min(left_s, LONGEST_WAIT_S))
    return found


def store_scores(store: Store, scored: Sequence[Scored], folder: Path) -> None:
    """Store what the search goes on with; what was kept in files is not needed any more."""
    rows: list[Json] = [row.to_dict() for row in scored]
    store.append_event(SCORED, rows)
    shutil.rmtree(folder, ignore_errors=True)
