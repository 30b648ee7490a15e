"""What of a run's work folder is removed, and when."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import netwright as nw
from netwright import nn
from netwright.evaluation import TrainingEvaluator
from netwright.study.leftovers import clear, least_promising, make_room
from netwright.types import Architecture, Fidelity, Objective, Proposal, Trial, TrialState

ACCURACY = Objective("accuracy", "max")


def trial(number: int, accuracy: float | None, epochs: float = 1.0, architecture: int | None = None) -> Trial:
    """A finished trial, or a failed one without accuracy."""
    arch = Architecture({"width": number if architecture is None else architecture})
    state, metrics = (TrialState.FAILED, {}) if accuracy is None else (TrialState.FINISHED, {"accuracy": accuracy})
    return Trial(number, Proposal(arch, Fidelity(epochs)), 7, state, metrics)


@pytest.fixture
def evaluator(tmp_path: Path) -> TrainingEvaluator:
    rng = np.random.default_rng(0)
    task = nw.ImageClassification.from_arrays((rng.integers(0, 255, (40, 8, 8)), np.arange(40) % 2))
    return TrainingEvaluator(task, nw.SearchSpace(nn.seq(nn.flatten(), nn.linear(2))), work_dir=tmp_path / "work")


def put(path: Path, size: int = 100) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


def put_checkpoint(evaluator: TrainingEvaluator, one: Trial, size: int = 100) -> None:
    """The file from which a longer training of a trial's network would go on."""
    put(evaluator.checkpoints_folder / f"{one.architecture.id}-s{one.seed}-d1.stable.safetensors", size)


def left(evaluator: TrainingEvaluator, trials: list[Trial]) -> list[int]:
    """Trials whose checkpoints are there."""
    return [t.id for t in trials if evaluator.checkpoint_files(t.architecture, t.fidelity, t.seed)]


def test_the_end_leaves_the_weights_of_finished_trials(evaluator: TrainingEvaluator) -> None:
    """Checkpoints, weights of failed trials and half-written files go; what can be exported stays."""
    trials = [trial(0, 0.5), trial(1, None), trial(2, 0.6, epochs=3.0, architecture=0)]
    for one in trials:
        put(evaluator.weights_path(one.architecture, one.fidelity, one.seed))
        put_checkpoint(evaluator, one)
    put(evaluator.weights_folder / ".a.safetensors.x1.tmp")
    clear(evaluator, trials)
    kept = {evaluator.weights_path(t.architecture, t.fidelity, t.seed) for t in (trials[0], trials[2])}
    assert {path for path in evaluator.work_dir.rglob("*") if path.is_file()} == kept


def test_nothing_to_clear_is_no_error(evaluator: TrainingEvaluator) -> None:
    """Where nothing was trained there are no folders."""
    clear(evaluator, [])
    make_room(evaluator, [], ACCURACY, most_bytes=0)
    assert not evaluator.work_dir.exists()


def test_below_the_bound_no_checkpoint_is_removed(evaluator: TrainingEvaluator) -> None:
    """A search with little on disk keeps all that saves it time."""
    trials = [trial(0, 0.5), trial(1, 0.6)]
    for one in trials:
        put_checkpoint(evaluator, one)
    make_room(evaluator, trials, ACCURACY, most_bytes=200)
    assert [0, 1] == left(evaluator, trials)


def test_over_the_bound_the_least_promising_go_first(evaluator: TrainingEvaluator) -> None:
    """Failed ones, then the worst of each fidelity, until half of the bound is free; a running trial's stays."""
    trials = [trial(0, 0.9), trial(1, None), trial(2, 0.1), trial(3, 0.5), trial(4, 0.95, epochs=3.0)]
    running = trial(5, None)
    for one in (*trials, running):
        put_checkpoint(evaluator, one)
    assert [1, 2, 3, 0, 4] == [t.id for t in least_promising(trials, ACCURACY)]
    make_room(evaluator, trials, ACCURACY, most_bytes=599)
    assert [4, 5] == left(evaluator, [*trials, running])


def test_a_promoted_network_is_judged_by_what_it_did_last(evaluator: TrainingEvaluator) -> None:
    """One file serves all lengths of a training: it goes when its longest training was bad."""
    trials = [trial(0, 0.9), trial(1, 0.5), trial(2, 0.4, 3.0, architecture=0), trial(3, 0.6, 3.0, architecture=1)]
    put_checkpoint(evaluator, trials[0], size=100)
    put_checkpoint(evaluator, trials[1], size=60)
    assert [2, 3] == [t.id for t in least_promising(trials, ACCURACY)]
    make_room(evaluator, trials, ACCURACY, most_bytes=150)
    assert [1, 3] == left(evaluator, trials)
