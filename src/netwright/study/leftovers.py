"""What in a run's ``work`` folder is no longer needed, and its removal.

Weights of finished trials stay, since each of them can be exported. Checkpoints only save time: a training that finds
none starts over, to the same result. So they may be removed at any moment, and the question is only which are missed
least. Knows nothing of how a training goes on.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from netwright.evaluation.trainer import TrainingEvaluator
from netwright.types import Objective, Trial, TrialState, best_first

MOST_BYTES = 2 << 30
"""What checkpoints of a running search may take of the disk."""


def clear(evaluator: TrainingEvaluator, trials: Iterable[Trial]) -> None:
    """Remove what a finished search does not need: all but the weights of its finished trials.

    Args:
        evaluator: of the search; nothing runs any more.
        trials: the whole history.
    """
    finished = [trial for trial in trials if trial.state is TrialState.FINISHED]
    kept = {evaluator.weights_path(t.architecture, t.fidelity, t.seed) for t in finished}
    _remove(path for path in _files(evaluator.weights_folder) if path not in kept)
    _remove(_files(evaluator.checkpoints_folder))


def make_room(
    evaluator: TrainingEvaluator, trials: Sequence[Trial], objective: Objective, most_bytes: int = MOST_BYTES
) -> None:
    """Remove checkpoints until they take at most half of a bound, if they take more than all of it.

    Args:
        evaluator: of the search; trials may be running.
        trials: that ended.
        objective: what decides a promotion.
        most_bytes: the bound.
    """
    sizes = {path: _size(path) for path in _files(evaluator.checkpoints_folder)}
    left = sum(sizes.values())
    if left <= most_bytes:
        return
    for trial in least_promising(trials, objective):
        paths = evaluator.checkpoint_files(trial.architecture, trial.fidelity, trial.seed)
        if left <= most_bytes / 2:
            return
        left -= sum(sizes.pop(path, 0) for path in paths)
        _remove(paths)


def least_promising(trials: Sequence[Trial], objective: Objective) -> list[Trial]:
    """The longest trial of each training, in the order of how little it is to be expected that it goes on.

    First those that did not finish, then those that are worst among the trials of their fidelity.
    """
    longest = {(t.architecture, t.seed): t for t in sorted(trials, key=lambda t: t.fidelity.cost)}
    rungs: dict[float, list[Trial]] = defaultdict(list)
    for trial in best_first(trials, objective):
        rungs[trial.fidelity.cost].append(trial)
    place = {trial.id: number / len(rung) for rung in rungs.values() for number, trial in enumerate(rung)}
    return sorted(longest.values(), key=lambda trial: (-place.get(trial.id, 1.0), trial.id))


def _files(folder: Path) -> list[Path]:
    """The files of a folder, those included that a killed trial left half written; none where there is no folder."""
    with contextlib.suppress(OSError):
        return [path for path in folder.iterdir() if path.is_file()]
    return []


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):  # a trial that ended just now has removed it
        return path.stat().st_size
    return 0


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):  # what cannot be removed takes space, and does no other harm
            path.unlink(missing_ok=True)
