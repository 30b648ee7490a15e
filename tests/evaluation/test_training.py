"""The training loop: it learns, repeats itself, goes on where it was interrupted, and ends in time."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from netwright.errors import TrialError
from netwright.evaluation.batches import Batches, Images
from netwright.evaluation.checkpoints import Checkpoints
from netwright.evaluation.gradients import Gradients
from netwright.evaluation.recipe import Recipe
from netwright.evaluation.training import Deadline, TrainingOptions, evaluate, recalibrate, train
from netwright.tasks.augmentation import Augmentation

RECIPE = Recipe(batch_size=16)


def stripes(count: int, seed: int = 0) -> Images:
    """Four classes of 8 x 8 images: a bright row in one of four places, in noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, count)
    x = rng.integers(0, 160, (count, 1, 8, 8))
    x[np.arange(count), 0, 2 * y] += 80
    return Images(x.astype(np.uint8), y)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Conv2d(8, 8, 3, padding=1, stride=2, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(128, 4),
    ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def batches(images: Images | None = None, seed: int = 1) -> Batches:
    return Batches(images or stripes(256), batch_size=16, shards=2, augmentation=Augmentation(0, True), seed=seed)


def trained(epochs: float, options: TrainingOptions | None = None, recipe: Recipe = RECIPE, seed: int = 1) -> nn.Module:
    model = network()
    train(model, batches(seed=seed), recipe, epochs=epochs, options=options)
    return model


def kept(folder: Path, length: str = "e", every_s: float = 1e9) -> TrainingOptions:
    return TrainingOptions(Checkpoints(folder, "key", "print", length), checkpoint_every_s=every_s)


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize("name", ["muon", "sgd", "adamw"])
def test_it_learns(name: str) -> None:
    """A few epochs separate four easy classes, with each optimiser."""
    recipe = Recipe(optimizer=name, batch_size=16, learning_rate=0.01 if name == "adamw" else 0.03)  # type: ignore[arg-type]
    before, after = network(), trained(6, recipe=recipe)
    unseen = stripes(200, seed=9)
    assert evaluate(before, unseen)["accuracy"] < 0.5
    assert evaluate(after, unseen)["accuracy"] > 0.9


def test_the_same_seed_gives_the_same_weights() -> None:
    """Two trainings agree bit for bit; another seed does not."""
    assert same(trained(2), trained(2))
    assert not same(trained(2), trained(2, seed=2))


def test_noise_of_the_caller_changes_nothing() -> None:
    """A training does not depend on torch's global generator, and leaves it alone."""
    first = trained(1)
    model = network()
    torch.manual_seed(777)
    before = torch.get_rng_state()
    train(model, batches(), RECIPE, epochs=1)
    assert same(first, model)
    assert torch.equal(before, torch.get_rng_state())


def test_a_continued_training_equals_one_from_scratch(tmp_path: Path) -> None:
    """A longer training that goes on from a shorter one's stable phase gives the bits of one that never stopped."""
    trained(2, kept(tmp_path, "e2"))
    model = network()
    report = train(model, batches(), RECIPE, epochs=5, options=kept(tmp_path, "e5"))
    assert report.steps == 80
    assert report.steps_here == 80 - 16  # the shorter one decays from step 16 of 32 on
    assert same(model, trained(5))


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("at", [3, 15, 16, 17, 30])
def test_an_interrupted_training_resumes_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Killed at any step, in the stable phase, at the branch or in the decay, it ends with the same weights."""
    compute = Gradients.__call__

    def killed(self: Gradients, step: int) -> torch.Tensor:
        if step == at:
            raise _Killed
        return compute(self, step)

    with monkeypatch.context() as patched:
        patched.setattr(Gradients, "__call__", killed)
        with pytest.raises(_Killed):
            trained(2, kept(tmp_path, every_s=0.0))
    model = network()
    report = train(model, batches(), RECIPE, epochs=2, options=kept(tmp_path, every_s=0.0))
    assert report.steps_here == 32 - at
    assert same(model, trained(2))


def test_a_torn_checkpoint_costs_time_only(tmp_path: Path) -> None:
    """A damaged checkpoint is ignored: the training starts over, to the same weights."""
    trained(2, kept(tmp_path))
    path = kept(tmp_path).checkpoints.stable_path  # type: ignore[union-attr]
    path.write_bytes(path.read_bytes()[:-7])
    model = network()
    assert train(model, batches(), RECIPE, epochs=2, options=kept(tmp_path)).steps_here == 32
    assert same(model, trained(2))


def test_processes_do_not_change_the_result(tmp_path: Path) -> None:
    """Two processes give the weights of one, and one goes on where two stopped."""
    assert same(trained(2), trained(2, TrainingOptions(processes=2)))
    trained(2, TrainingOptions(kept(tmp_path).checkpoints, processes=2))
    assert same(trained(4), trained(4, kept(tmp_path, "e4")))


def test_divergence_fails_the_trial() -> None:
    """A loss that is not finite ends the training with the step and a cure."""
    recipe = Recipe(optimizer="sgd", batch_size=16, learning_rate=100.0, side_learning_rate=100.0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 4))
    with pytest.raises(TrialError, match=r"training diverged: the loss is (nan|inf) at step \d+; lower learning_rate"):
        train(model, batches(), recipe, epochs=20)


def test_a_deadline_is_kept_with_a_whole_decay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training of far too many epochs ends before its deadline, having learned and decayed."""
    rates: list[float] = []
    from netwright.evaluation.optimizers import Optimizer

    step = Optimizer.step
    monkeypatch.setattr(Optimizer, "step", lambda self, n, f, *more: (rates.append(f), step(self, n, f, *more))[1])
    model = network()
    at_s = time.monotonic() + 3.0
    report = train(model, batches(), RECIPE, epochs=10_000, options=TrainingOptions(deadline=Deadline(at_s)))
    assert time.monotonic() < at_s + 0.3
    assert 0 < report.epochs < 10_000
    assert max(rates) == 1.0
    assert rates[-1] < 0.2
    assert evaluate(model, stripes(200, seed=9))["accuracy"] > 0.9


def test_a_deadline_that_has_passed_trains_little() -> None:
    """With no time left, a few steps are made, and weights come out."""
    model = network()
    options = TrainingOptions(deadline=Deadline(time.monotonic() - 5))
    report = train(model, batches(), RECIPE, epochs=100, options=options)
    assert report.steps <= 4


def test_what_is_scored_afterwards_is_kept_time_for_by_the_pace_of_the_steps() -> None:
    """Never less than a least time; where steps are slow, or much is scored, as much as that should take."""
    deadline = Deadline(time.monotonic() + 100, reserve_s=5.0, scored_steps=40.0, scoring_s=2.0)
    for step_s, kept_s in ((0.0, 7.0), (0.05, 7.0), (0.5, 25.0)):
        assert deadline.left_at(step_s) == pytest.approx(100 - kept_s, abs=0.2)
    assert deadline.left_s == pytest.approx(93, abs=0.2)


def test_clipping_bounds_the_gradient() -> None:
    """With a tiny clip_norm, SGD hardly moves."""
    recipe = Recipe(optimizer="sgd", batch_size=16, clip_norm=1e-9, weight_decay=0.0)
    pairs = zip(trained(1, recipe=recipe).parameters(), network().parameters(), strict=True)
    assert all(torch.allclose(a, b, rtol=0, atol=1e-6) for a, b in pairs)


def test_batch_norm_is_recalibrated_to_the_weights() -> None:
    """The statistics are those of the data, whatever they were before, twice the same, and nothing else changes."""
    model = trained(1)
    weights = [p.detach().clone() for p in model.parameters()]
    found = []
    for wrong_value in (0.0, 50.0):
        model[1].running_mean.fill_(wrong_value)  # type: ignore[index]
        recalibrate(model, batches(), num_shards=32)
        found.append(model[1].running_mean.clone())  # type: ignore[index]
    assert torch.equal(found[0], found[1])
    x = torch.cat([batches().shard(step, shard)[0] for step in range(16) for shard in range(2)])
    assert torch.allclose(found[0], model[0](x).mean((0, 2, 3)), atol=1e-5)  # type: ignore[index]
    assert model[1].momentum == 0.1  # type: ignore[index]
    assert all(torch.equal(a, b) for a, b in zip(weights, model.parameters(), strict=True))


def test_one_image_is_enough() -> None:
    """A training set of one image trains a network with batch norm."""
    model = network()
    report = train(model, batches(stripes(1)), RECIPE, epochs=3)
    assert report.steps == 3
    assert all(bool(torch.isfinite(p).all()) for p in model.parameters())
