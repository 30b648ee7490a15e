"""A search whose networks come from a search by gradients: what it trains, what it keeps, and what it refuses."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import netwright as nw
from netwright import nn
from netwright.errors import Interrupted, SpaceError, SpecError
from netwright.evaluation.differentiable_job import Derived, DifferentiableJob
from netwright.evaluation.trainer import TrainingEvaluator
from netwright.gradient_methods import DIFFERENTIABLE
from netwright.storage import Store
from netwright.strategies import Exhausted
from netwright.study.differentiable import ByGradients, FoundBefore
from netwright.study.supernet_phase import Ears
from netwright.types import Architecture, Fidelity, Metrics, Proposal


def small_space() -> nw.SearchSpace:
    """Two choices among operations."""
    kinds = {"conv": nn.conv_norm_act(8, kernel=3), "skip": nn.identity()}
    return nw.SearchSpace(
        nn.seq(
            nn.conv_norm_act(8, stride=2),
            *(nn.one_of(f"block{i}", kinds) for i in range(2)),
            nn.global_pool(),
            nn.linear(2),
        )
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images whose class is the side that is bright."""
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 2
    images = rng.integers(0, 60, (160, 8, 8, 1), dtype=np.uint8)
    images[labels == 1, :, :4] += 150
    images[labels == 0, :, 4:] += 150
    path = tmp_path_factory.mktemp("data") / "sides.npz"
    np.savez(path, x_train=images[:120], y_train=labels[:120], x_test=images[120:], y_test=labels[120:])
    return path


def test_the_names_are_those_of_the_methods() -> None:
    from netwright.supernet.differentiable import METHODS

    assert set(DIFFERENTIABLE) == set(METHODS)


@pytest.mark.parametrize("method", ["darts", "enas"])
@pytest.mark.long
def test_what_was_found_is_trained_and_kept(method: str, data: Path, tmp_path: Path) -> None:
    """Its networks are the first trials; the file lies in the run, and a resume takes it as it is."""
    options = {"task": "image-classification", "data": str(data), "space": small_space(), "strategy": method}
    out = tmp_path / "run"
    result = nw.search(**options, budget="2 trials", max_epochs=1.0, out=str(out))
    found = Derived.read(out / "differentiable.json")
    with Store.open(out / "study.db", read_only=True) as store:
        trials = list(store.trials())
    assert [t.proposal.origin for t in trials][:1] == [method]
    assert trials[0].architecture == found.architectures[0]
    assert result.best.architecture in found.architectures
    assert 1 <= len(found.architectures) <= 4
    assert found.epochs == 10
    assert found.passes == pytest.approx(10.0)
    before = (out / "differentiable.json").read_bytes()
    nw.resume(out, budget="3 trials", space=small_space())
    assert (out / "differentiable.json").read_bytes() == before


def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "differentiable.json"
    found = Derived((Architecture({"a": 1}),), 3, 0.5, "after epoch 2: skips", ("a remark",), 1.5)
    found.write(path)
    assert Derived.read(path) == found
    kept = json.loads(path.read_text())
    del kept["passes"]  # as of a run that began before they were kept
    path.write_text(json.dumps(kept))
    assert math.isnan(Derived.read(path).passes)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SpecError, match="put back a copy of it, or begin the search anew in another folder"):
        Derived.read(path)


def test_what_was_searched_is_told(tmp_path: Path) -> None:
    """In epochs, and in passes over the images where an epoch may be a part of them."""
    told: list[str] = []
    path = tmp_path / "differentiable.json"
    job = Hurt(None, small_space(), "darts", path=path, budget_s=None)  # type: ignore[arg-type]
    for passes, text in ((1.5, "10 epochs (1.5 passes) on half"), (math.nan, "10 epochs on half")):
        Derived((Architecture({"a": 1}),), 10, 0.5, passes=passes).write(path)
        ByGradients("darts", job, FoundBefore(()), None).run(Ears(told.append, lambda: None), seed=0)
        mixture = "the mixture of all is right on 50.0% of the other half"
        assert told.pop() == f"darts: 1 network after {text} of the training images; {mixture}"


def test_a_collapse_is_told(tmp_path: Path) -> None:
    """Loudly, among the notes of the result."""
    phase = ByGradients("darts", None, FoundBefore(()), None)  # type: ignore[arg-type]
    assert phase.notes() == ()
    phase.found = Derived((Architecture({"a": 1}),), 3, 0.5, "after epoch 2: all skips", ("the weights hardly differ",))
    told = phase.notes()
    assert told[0] == "darts: the weights hardly differ"
    assert told[1].startswith("darts: THE SEARCH COLLAPSED after epoch 2: all skips")


def test_known_networks_are_proposed_once_the_found_ones_first() -> None:
    one, two, three = (Proposal(Architecture({"a": i})) for i in range(3))
    proposes = FoundBefore([one, two])
    proposes.add([three, two])
    assert [*proposes.ask(2), *proposes.ask(9)] == [three, two, one]
    with pytest.raises(Exhausted):
        proposes.ask(1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"evaluator": "supernet"}, "evaluator must be training with strategy darts, got 'supernet'"),
        ({"ladder": "short"}, "ladder must be left out with the strategy darts"),
        ({"objectives": ("accuracy", "macs")}, "accuracy alone with the strategy darts"),
        ({"inherit": True}, "inherit must be false with strategy darts"),
        ({"strategy": "dart"}, "unknown strategy 'dart'; did you mean 'darts'"),
    ],
)
def test_what_does_not_go_with_it_is_refused(options: dict[str, object], message: str, tmp_path: Path) -> None:
    given = {"task": "image-classification", "data": "digits", "strategy": "darts", "out": str(tmp_path / "run")}
    with pytest.raises(SpecError, match=message):
        nw.search(**{**given, **options})


def test_a_space_that_cannot_be_relaxed_is_named(data: Path, tmp_path: Path) -> None:
    """Branches of different shapes, with the remedy; nothing is trained."""
    shapes = {"narrow": nn.conv_norm_act(4), "wide": nn.conv_norm_act(8)}
    space = nw.SearchSpace(nn.seq(nn.one_of("width", shapes), nn.global_pool(), nn.linear(2)))
    with pytest.raises(SpaceError, match="give them the same channels"):
        nw.search(
            task="image-classification",
            data=str(data),
            space=space,
            strategy="gdas",
            budget="2 trials",
            out=str(tmp_path / "run"),
        )


@pytest.mark.parametrize("method", ["darts", "enas"])
def test_a_signal_that_reaches_its_process_is_an_interruption(method: str, data: Path, tmp_path: Path) -> None:
    """Not a failure: the search by gradients begins anew with a resume."""
    task = nw.ImageClassification.load(data)
    evaluator = TrainingEvaluator(task, small_space(), work_dir=tmp_path)
    job = Hurt(evaluator, small_space(), method, path=tmp_path / "differentiable.json", budget_s=None)
    phase = ByGradients(method, job, FoundBefore(()), None)
    hurt = tmp_path / "hurt"
    with pytest.raises(Interrupted):
        phase.run(Ears(lambda text: None, lambda: 2 if hurt.exists() else None), seed=0)
    assert not job.path.exists()


class Hurt(DifferentiableJob):
    """Is interrupted at once."""

    def __call__(self, arch: Architecture, *, fidelity: Fidelity, seed: int) -> Metrics:
        (self.path.parent / "hurt").touch()
        raise KeyboardInterrupt
