"""A search on digits whose ladder scores a few networks: `python ladder_search.py RUN search|resume BUDGET [KILL]`.

With KILL the process ends itself, as by SIGKILL, when so many networks are scored.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import netwright as nw
from netwright.evaluation import ladder
from netwright.study import isolated_scores, ladder_screen, scoring_phase, screen_parts

NUM = 10


def make_small() -> None:
    """Let a small search have all rungs: ten networks are scored, however short it is."""
    for module in (ladder, ladder_screen):
        module.FEWEST_SCORED = 4  # type: ignore[attr-defined]  # where it is imported
    screen_parts.num_to_score = lambda *args: NUM  # type: ignore[assignment]
    screen_parts.LATE = 1e9  # type: ignore[assignment]


def kill_after(count: int) -> None:
    """End this process as SIGKILL does when so many scores are there."""
    real, seen = isolated_scores.IsolatedScores.many, []

    def counted(self: isolated_scores.IsolatedScores, *args: object, **options: object) -> object:
        found = real(self, *args, **options)  # type: ignore[arg-type]
        seen.extend(found)
        if len(seen) >= count:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    scoring_phase.IsolatedScores.many = counted  # type: ignore[assignment, method-assign]


def run(folder: Path, what: str, budget: str) -> nw.Result:
    """Search, or go on."""
    make_small()
    if what == "resume":
        return nw.resume(folder, budget=budget)
    return nw.search(
        task="image-classification", data="digits", budget=budget, out=folder, min_epochs=0.2, max_epochs=1.8, seed=3
    )


if __name__ == "__main__":
    if len(sys.argv) > 4:
        kill_after(int(sys.argv[4]))
    run(Path(sys.argv[1]), *sys.argv[2:4])
