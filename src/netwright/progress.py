"""What a running search says about itself, as frozen values.

A search calls a `Listener` with a `Status` whenever something happens. What listens (a terminal, a log, a notebook) is
not known here, and nothing a listener does may change the search.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from netwright.types import Trial


@dataclass(frozen=True, slots=True)
class Status:
    """How a search stands.

    Args:
        phase: ``references``, ``search``, ``final`` or ``export``.
        finished: trials that gave metrics.
        running: trials in flight.
        failed: trials that went wrong.
        infeasible: trials that broke a constraint.
        best: the best feasible trial so far by the main objective.
        front: the feasible trials no other is better than in all objectives.
        elapsed_s: wall seconds since the search began (of all its sittings).
        remaining_s: wall seconds of the budget that are left; None where the budget has no time limit.
        trial: the trial that just ended, if that is what happened.
        message: a line for people, or nothing.
    """

    phase: str
    finished: int
    running: int
    failed: int
    infeasible: int
    best: Trial | None
    front: tuple[Trial, ...]
    elapsed_s: float
    remaining_s: float | None
    trial: Trial | None = None
    message: str = ""


Listener = Callable[[Status], None]
"""Called in the process of the search, after what it reports has been stored."""
