"""Scores of many architectures in processes of their own: what a network does to itself ends its score alone.

This process runs no torch operation for it, so that trials can still be forked from it. Scores travel, and are kept, as
one file an architecture: scores in text need more than the numbers that an executor passes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic

from netwright.evaluation.scoring import ProxyScorer, Scored
from netwright.execution import Executor, InProcessExecutor, IsolatedExecutor, Job, Limits, Outcome
from netwright.types import Architecture, Fidelity, Metrics, TrialState

LONGEST_S = 60.0
"""Wall seconds after which an architecture's score is given up: its network hangs."""

Listener = Callable[[int, int], None]
"""Is told how many architectures have been scored, of how many."""


class ScoreFiles:
    """Evaluator that scores an architecture and keeps what it found in a file.

    Args:
        scorer: scores.
        folder: where files are kept; those made under other conditions lie elsewhere in it.
    """

    def __init__(self, scorer: ProxyScorer, folder: Path) -> None:
        self.scorer = scorer
        self._folder = Path(folder) / scorer.conditions.digest

    def prepare(self) -> None:
        """Import what scoring needs, once, in the process that others are forked from."""
        self.scorer.prepare()

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        """Score and keep; fidelity and seed say nothing here, since nothing is trained.

        Returns:
            What it took: time_s.
        """
        scored = self.scorer.score(arch)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(arch)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(scored.to_dict(), allow_nan=False), encoding="utf-8")
        temporary.replace(path)
        return {"time_s": scored.time_s}

    def read(self, arch: Architecture) -> Scored | None:
        """What is kept of an architecture; None where nothing is, or nothing that can be read."""
        with suppress(OSError, ValueError):
            kept: object = json.loads(self._path(arch).read_text(encoding="utf-8"))
            scored = Scored.from_dict(kept) if isinstance(kept, dict) else None
            return scored if scored is not None and scored.architecture == arch else None
        return None

    def _path(self, arch: Architecture) -> Path:
        return self._folder / f"{arch.id}.json"


def score_many(
    scorer: ProxyScorer,
    architectures: Sequence[Architecture],
    folder: Path,
    *,
    workers: int = 1,
    time_s: float | None = None,
    listener: Listener | None = None,
) -> list[Scored]:
    """Score architectures, each in a process of its own where this system can fork.

    Args:
        scorer: scores; call it with nothing before.
        architectures: which, each once.
        folder: where the scores are kept; those that are there already are not made again.
        workers: at once, each with one thread; scores do not depend on it.
        time_s: wall seconds after which no more are begun and what runs is given up; None for no end.
        listener: is told of each that has ended.

    Returns:
        The scores in the order of ``architectures``, without those that there was no time for.
    """
    files = ScoreFiles(scorer, folder)
    ends_s = None if time_s is None else monotonic() + time_s
    found = {arch: kept for arch in architectures if (kept := files.read(arch)) is not None}
    missing = [arch for arch in architectures if arch not in found]
    if missing:
        with _executor(files, min(workers, len(missing))) as executor:
            for number, outcome in _outcomes(executor, missing, ends_s):
                found[missing[number]] = _scored(files, missing[number], outcome)
                if listener is not None:
                    listener(len(found), len(architectures))
    return [found[arch] for arch in architectures if arch in found]


def _executor(files: ScoreFiles, workers: int) -> Executor:
    if not hasattr(os, "fork"):
        return InProcessExecutor(files)
    return IsolatedExecutor(files, workers=workers, limits=Limits(time_s=LONGEST_S))


def _outcomes(
    executor: Executor, architectures: Sequence[Architecture], ends_s: float | None
) -> Iterator[tuple[int, Outcome]]:
    """How the scoring of each ended, by its number, as they end; some are submitted ahead, so that nobody waits."""
    numbers = iter(range(len(architectures)))
    running = 0
    while True:
        while running < 2 * executor.workers and (number := next(numbers, None)) is not None:
            executor.submit(Job(number, architectures[number], Fidelity(), seed=0))
            running += 1
        left_s = None if ends_s is None else ends_s - monotonic()
        if not running or (left_s is not None and left_s <= 0):
            return
        for outcome in executor.wait(left_s):
            running -= 1
            yield outcome.trial_id, outcome


def _scored(files: ScoreFiles, arch: Architecture, outcome: Outcome) -> Scored:
    kept = files.read(arch) if outcome.state is TrialState.FINISHED else None
    if kept is not None:
        return kept
    cause = outcome.error.partition("\n")[0] or "the scores were not kept"
    return Scored.failed(arch, files.scorer.names, cause, outcome.duration_s)
