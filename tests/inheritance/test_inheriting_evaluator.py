"""Trainings that begin with a parent's weights: what is recorded, what is refused, and that a stop changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import netwright as nw
from netwright import nn
from netwright.evaluation.base import Parent
from netwright.evaluation.inheriting import InheritingEvaluator
from netwright.evaluation.trainer import TrainingEvaluator
from netwright.tasks import load_task
from netwright.types import Architecture, Fidelity, Metrics

FIDELITY = Fidelity(1.0, 0.1)
LONGER = Fidelity(4.0, 0.1)


@pytest.fixture(scope="module")
def task() -> nw.ImageClassification:
    return nw.ImageClassification.load("digits")


def make_space() -> nw.SearchSpace:
    """Two widths and a depth, of small networks."""
    width = nw.choice("width", [4, 8])
    block = nn.residual(nn.seq(nn.conv_norm_act(width), nn.conv_norm_act(width, 1, activation="identity")))
    body = nn.repeat(nw.integer("depth", 0, 2), lambda i: block, 0, 2)
    return nw.SearchSpace(nn.seq(nn.conv_norm_act(width, stride=2), body, nn.global_pool(), nn.linear(10)))


def arch(width: int = 4, depth: int = 1) -> Architecture:
    return make_space().architecture({"width": width, "depth": depth})


@pytest.fixture
def evaluator(task: nw.ImageClassification, tmp_path: Path) -> InheritingEvaluator:
    return InheritingEvaluator(task, make_space(), work_dir=tmp_path)


@pytest.fixture
def parent(evaluator: InheritingEvaluator) -> Parent:
    found = evaluator(arch(), fidelity=LONGER, seed=1)
    assert "inherited_share" not in found
    return Parent(arch(), LONGER, 1, found["epochs"])


def plain(found: Metrics) -> dict[str, float]:
    """Metrics without times, and without what was inherited."""
    return {k: v for k, v in found.items() if k != "train_time_s" and not k.startswith("inherited")}


def test_a_child_goes_on_from_its_parent(evaluator: InheritingEvaluator, parent: Parent) -> None:
    """It says how much it inherited, how long that was trained, and that the function was kept; and it trains on."""
    child = evaluator(arch(width=8, depth=2), fidelity=FIDELITY, seed=2, parent=parent)
    assert (child["inherited_function"], child["inherited_epochs"], child["epochs"]) == (1.0, 4.0, 1.0)
    assert 0.2 < child["inherited_share"] < 0.9
    assert child["loss"] < evaluator(arch(width=8, depth=2), fidelity=FIDELITY, seed=3)["loss"]


def test_the_seed_and_the_parent_decide(
    evaluator: InheritingEvaluator, parent: Parent, task: nw.ImageClassification, tmp_path: Path
) -> None:
    """Another folder with the same parent gives the same bits."""
    other = InheritingEvaluator(task, make_space(), work_dir=tmp_path / "other")
    other(arch(), fidelity=LONGER, seed=1)
    files = []
    for each in (evaluator, other):
        each(arch(width=8), fidelity=FIDELITY, seed=2, parent=parent)
        files.append(load_file(each.weights_path(arch(width=8), FIDELITY, 2)))
    assert all(torch.equal(files[0][name], files[1][name]) for name in files[0])


def test_a_longer_training_goes_on_from_the_shorter_one(
    evaluator: InheritingEvaluator, parent: Parent, task: nw.ImageClassification, tmp_path: Path
) -> None:
    """As one that was made in one go: checkpoints are of this very beginning."""
    longer = Fidelity(2.0, 0.1)
    evaluator(arch(width=8), fidelity=FIDELITY, seed=2, parent=parent)
    files = evaluator.checkpoint_files(arch(width=8), FIDELITY, 2)
    assert files
    first = evaluator(arch(width=8), fidelity=longer, seed=2, parent=parent)
    for path in evaluator.checkpoint_files(arch(width=8), FIDELITY, 2):
        path.unlink()
    again = evaluator(arch(width=8), fidelity=longer, seed=2, parent=parent)
    assert plain(first) == plain(again)
    nothing = TrainingEvaluator(task, make_space(), work_dir=tmp_path)(arch(width=8), fidelity=longer, seed=2)
    assert plain(nothing) != plain(first)


def spoil_nothing(path: Path) -> None:
    path.unlink()


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def spoil(path: Path) -> None:
    weights = load_file(path)
    first = next(name for name, values in weights.items() if values.is_floating_point())
    save_file({**weights, first: torch.full_like(weights[first], torch.nan)}, path)


def change_dtype(path: Path) -> None:
    save_file({k: v.double() if v.is_floating_point() else v for k, v in load_file(path).items()}, path)


def of_another_space(path: Path) -> None:
    save_file({"conv.weight": torch.zeros(3, 1, 3, 3)}, path)


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (spoil_nothing, "cannot be read"),
        (tear, "cannot be read"),
        (spoil, "NaN or infinity"),
        (change_dtype, "dtype of the parent's weights must be torch.float32"),
        (of_another_space, "the parent's weight"),
    ],
)
def test_what_cannot_be_inherited_is_not(
    evaluator: InheritingEvaluator,
    parent: Parent,
    task: nw.ImageClassification,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    harm: object,
    why: str,
) -> None:
    """The training begins from nothing, to the same result as one that knows of no parent; a share of 0 is recorded."""
    harm(evaluator.weights_path(parent.architecture, parent.fidelity, parent.seed))  # type: ignore[operator]
    found = evaluator(arch(width=8), fidelity=FIDELITY, seed=2, parent=parent)
    assert (found["inherited_share"], found["inherited_epochs"], found["inherited_function"]) == (0.0, 0.0, 0.0)
    assert why in caplog.text
    alone = TrainingEvaluator(task, make_space(), work_dir=tmp_path / "alone")(arch(width=8), fidelity=FIDELITY, seed=2)
    assert plain(alone) == plain(found)


def test_options_are_those_of_a_plain_evaluator(evaluator: InheritingEvaluator) -> None:
    """Finalists are trained by one that knows of no parents."""
    assert type(evaluator.with_options(processes=2)) is TrainingEvaluator


def test_a_network_of_tokens_inherits_too(tmp_path: Path) -> None:
    """Its first layer takes whole numbers."""
    pytest.importorskip("tokenizers")
    words = [("fine", "good"), ("lovely", "good"), ("poor", "bad"), ("dull", "bad")]
    rows = "".join(f"a {word} {thing},{label}\n" for word, label in words for thing in map(str, range(20)))
    (tmp_path / "t.csv").write_text("text,label\n" + rows, encoding="utf-8")
    task = load_task("text-classification", tmp_path / "t.csv")
    width = nw.choice("width", [8, 16])
    body = nn.seq(nn.embedding(1000, width), nn.global_pool(), nn.linear(width), nn.relu(), nn.linear(2))
    space = nw.SearchSpace(body)
    evaluator = InheritingEvaluator(task, space, work_dir=tmp_path / "work")
    small, large = (space.architecture({"width": width}) for width in (8, 16))
    found = evaluator(small, fidelity=Fidelity(1.0), seed=1)
    child = evaluator(large, fidelity=Fidelity(1.0), seed=2, parent=Parent(small, Fidelity(1.0), 1, found["epochs"]))
    assert child["inherited_share"] > 0.2
