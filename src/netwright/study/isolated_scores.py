"""Scores of many architectures in processes of their own: what a network does to itself ends its score alone.

This process runs no torch operation for it, so that trials can still be forked from it. Scores travel, and are kept, as
one file an architecture: scores in text need more than the numbers that an executor passes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Self

from netwright.evaluation.scored import Scored, Scorer
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

    def __init__(self, scorer: Scorer, folder: Path) -> None:
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


class IsolatedScores:
    """Scores of architectures, made in processes of their own where this system can fork; what strategies take.

    The processes are started with the first score that is not kept, and wait for more until the end: ask for that one
    before this process runs a torch operation, and close this before another part of a search runs one. Scores do not
    depend on the number of workers, so that a search that is guided by them is the same again, and a resumed one finds
    those that were made before in the folder.

    Args:
        scorer: scores; call it with nothing before.
        folder: where the scores are kept; those that are there already are not made again.
        workers: at once, each with one thread.
    """

    def __init__(self, scorer: Scorer, folder: Path, *, workers: int = 1) -> None:
        self._files = ScoreFiles(scorer, folder)
        self._workers = workers
        self._known: dict[Architecture, Scored] = {}
        self._executor: Executor | None = None
        self._num_jobs = 0

    def __call__(self, architecture: Architecture) -> Mapping[str, float]:
        """Scores by name, always the same names; NaN where there is none."""
        return self.many([architecture])[0].values

    def many(
        self,
        architectures: Sequence[Architecture],
        *,
        time_s: float | None = None,
        listener: Listener | None = None,
    ) -> list[Scored]:
        """Score architectures, as many at once as there are workers.

        Args:
            architectures: which.
            time_s: wall seconds after which no more are begun and what runs is given up; None for no end.
            listener: is told of each that was scored now.

        Returns:
            The scores in the order of ``architectures``, without those that there was no time for.
        """
        ends_s = None if time_s is None else monotonic() + time_s
        wanted = dict.fromkeys(architectures)
        for arch in wanted:
            if arch not in self._known and (kept := self._files.read(arch)) is not None:
                self._known[arch] = kept
        missing = [arch for arch in wanted if arch not in self._known]
        done = len(wanted) - len(missing)
        for arch, outcome in self._outcomes(missing, ends_s):
            self._known[arch] = _scored(self._files, arch, outcome)
            done += 1
            if listener is not None:
                listener(done, len(wanted))
        return [self._known[arch] for arch in architectures if arch in self._known]

    def close(self) -> None:
        """End the processes. Safe to call twice; a later score starts them again."""
        if self._executor is not None:
            self._executor.close()
            self._executor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _outcomes(
        self, architectures: Sequence[Architecture], ends_s: float | None
    ) -> Iterator[tuple[Architecture, Outcome]]:
        """How the scoring of each ended, as they end; some are submitted ahead, so that nobody waits."""
        waiting, running = iter(architectures), dict[int, Architecture]()
        while architectures:
            executor = self._executor = self._executor or self._start()
            while len(running) < 2 * executor.workers and (arch := next(waiting, None)) is not None:
                self._num_jobs += 1
                running[self._num_jobs] = arch
                executor.submit(Job(self._num_jobs, arch, Fidelity(), seed=0))
            left_s = None if ends_s is None else ends_s - monotonic()
            if not running:
                return
            if left_s is not None and left_s <= 0:
                self.close()  # which ends what runs
                return
            for outcome in executor.wait(left_s):
                yield running.pop(outcome.trial_id), outcome

    def _start(self) -> Executor:
        if not hasattr(os, "fork"):
            return InProcessExecutor(self._files)
        return IsolatedExecutor(self._files, workers=self._workers, limits=Limits(time_s=LONGEST_S))


def _scored(files: ScoreFiles, arch: Architecture, outcome: Outcome) -> Scored:
    kept = files.read(arch) if outcome.state is TrialState.FINISHED else None
    if kept is not None:
        return kept
    cause = outcome.error.partition("\n")[0] or "the scores were not kept"
    return Scored.failed(arch, files.scorer.names, cause, outcome.duration_s)
