"""What a search on a ladder tells: remarks as they come, and what each rung was worth, in the run and in the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from netwright.errors import UsageError
from netwright.storage import Event, Store
from netwright.study.ladder_strategy import Ladder
from netwright.study.rung_audit import RungAgreement
from netwright.types import Json

LADDER = "ladder"
"""Kind of the event that holds what the rungs were worth when it was written."""


class LadderReport:
    """Tells what is new of a ladder, once.

    Args:
        ladder: it is asked.
        store: keeps what is told.
        tell: is given each remark.
    """

    def __init__(self, ladder: Ladder, store: Store, tell: Callable[[str], None]) -> None:
        self._ladder, self._store, self._tell = ladder, store, tell
        self._num_told = 0
        self._last: Json = None

    def skip(self) -> None:
        """Take what a replay found out as told: an earlier sitting did it."""
        self._num_told = len(self._ladder.remarks)

    def tell_new(self) -> None:
        """Tell the remarks that were not told yet."""
        while self._num_told < len(self._ladder.remarks):
            self._tell(self._ladder.remarks[self._num_told])
            self._num_told += 1

    def tell_saved(self) -> None:
        """Tell what learning curves saved; nothing where they saved nothing."""
        count = len(self._ladder.stopped)
        if count:
            saved = f"{self._ladder.epochs_saved:.3g} epochs saved"
            self._tell(f"ladder: {count} not trained longer, since their learning curves stay below the best: {saved}")

    def keep(self) -> None:
        """Store what the rungs are worth, and what learning curves saved, where that has changed."""
        body: Json = {
            "rungs": [found.to_dict() for found in self._ladder.agreements],
            "remarks": cast("list[Json]", list(self._ladder.remarks)),
            "stopped": {"networks": len(self._ladder.stopped), "epochs_saved": self._ladder.epochs_saved},
        }
        if body != self._last and self._ladder.agreements:
            self._store.append_event(LADDER, body)
            self._last = body


def stored_agreements(events: Sequence[Event]) -> tuple[RungAgreement, ...]:
    """What the rungs were worth when it was stored last; empty where it was not, or cannot be read."""
    bodies = [event.body for event in events if event.kind == LADDER]
    rungs = bodies[-1].get("rungs") if bodies and isinstance(bodies[-1], dict) else None
    if not isinstance(rungs, list):
        return ()
    rows = [cast("Mapping[str, Json]", row) for row in rungs if isinstance(row, dict)]
    try:
        return tuple(RungAgreement.from_dict(row) for row in rows)
    except (KeyError, UsageError):  # of another version
        return ()
