"""Gradients alone and shared with helper processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from torch import nn

from netwright.errors import TrialError
from netwright.evaluation.batches import Batches, Images
from netwright.evaluation.gradients import Gradients, SharedGradients, seed_noise
from netwright.evaluation.orthogonal import divided, orthogonalise_all
from netwright.tasks.augmentation import Augmentation


def parts(shards: int) -> Gradients:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(512, 4)
    ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    rng = np.random.default_rng(0)
    images = Images(rng.integers(0, 256, (96, 1, 8, 8)).astype(np.uint8), rng.integers(0, 4, 96))
    batches = Batches(images, batch_size=24, shards=shards, augmentation=Augmentation(1, True), seed=3)
    return Gradients(model, batches, label_smoothing=0.1)


def test_noise_is_that_of_a_seeded_torch() -> None:
    """Dropout draws the same numbers as after `torch.manual_seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2**62 + 5)
        expected = torch.rand(8)
        torch.rand(3)
        seed_noise(2**62 + 5, torch.device("cpu"))
        assert torch.equal(torch.rand(8), expected)


def flat(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize("shards", [2, 3])
def test_helpers_give_the_same_bits(shards: int) -> None:
    """Gradients, loss and running statistics of shared steps equal those of one process, bit for bit."""
    alone, other = parts(shards), parts(shards)
    with SharedGradients(other, processes=shards) as shared:
        for step in range(6):
            assert float(alone(step)) == float(shared(step))
            assert torch.equal(flat(alone.model), flat(other.model))
            for model in (alone.model, other.model):
                with torch.no_grad():
                    for p in model.parameters():
                        p.sub_(p.grad, alpha=0.1)
    assert all(torch.equal(a, b) for a, b in zip(alone.model.buffers(), other.model.buffers(), strict=True))


def test_helpers_orthogonalise_the_same_bits() -> None:
    """Matrices divided among processes come back in order, as one process gives them; so do later gradients."""
    shapes = [(128, 32), (3,), (128, 128), (128, 128), (64, 16, 3, 3), (2, 128)]
    alone, other = parts(2), parts(2)
    for gradients in (alone, other):
        gradients.model[0].more = nn.ParameterList(nn.Parameter(torch.zeros(shape)) for shape in shapes)
    noise = torch.Generator().manual_seed(5)
    matrices = [torch.randn(shape, generator=noise) for shape in shapes if len(shape) > 1]
    assert all(divided([m.shape for m in matrices], 2))
    with SharedGradients(other, processes=2) as shared:
        for step in range(2):
            found = shared.orthogonalised(matrices)
            assert all(torch.equal(a, b) for a, b in zip(found, orthogonalise_all(matrices), strict=True))
            assert float(alone(step)) == float(shared(step))
            assert torch.equal(flat(alone.model), flat(other.model))


def test_a_helper_that_dies_at_the_optimiser_fails_the_trial() -> None:
    """Also while matrices are orthogonalised, a killed helper is an error with its number."""
    gradients = parts(2)
    gradients.model[0].more = nn.ParameterList(nn.Parameter(torch.zeros(256, 256)) for _ in range(2))
    with SharedGradients(gradients, processes=2) as shared:
        os.kill(shared.helpers[0].pid, signal.SIGKILL)
        with pytest.raises(TrialError, match=rf"helper process {shared.helpers[0].pid} of the training died"):
            shared.orthogonalised([torch.ones(256, 256), torch.ones(256, 256)])


def test_parts_average_to_the_gradient_of_the_batch() -> None:
    """Without batch norm and noise, the gradient of two parts is that of the whole batch."""
    whole, split = parts(1), parts(2)
    for gradients in (whole, split):
        gradients.model.eval()
        gradients.batches.augmentation = Augmentation()
    assert float(whole(0)) == pytest.approx(float(split(0)), rel=1e-5)
    assert torch.allclose(flat(whole.model), flat(split.model), atol=1e-6)


def test_noise_depends_on_seed_and_step_and_disturbs_nobody() -> None:
    """Dropout is the same in two runs of a step, differs between steps, and leaves the global generator alone."""
    gradients = parts(1)
    before = torch.get_rng_state()
    losses = [float(gradients(step)) for step in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
    assert torch.equal(before, torch.get_rng_state())


def test_a_dead_helper_fails_the_trial() -> None:
    """A helper that is killed is an error with its number, not a hang."""
    with SharedGradients(parts(2), processes=2) as shared:
        shared(0)
        os.kill(shared.helpers[0].pid, signal.SIGKILL)
        with pytest.raises(TrialError, match=rf"helper process {shared.helpers[0].pid} of the training died"):
            shared(1)


def test_helpers_end_with_the_block() -> None:
    """Nothing is left behind, neither running nor as a zombie."""
    with SharedGradients(parts(2), processes=2) as shared:
        pid = shared.helpers[0].pid
        assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(pid)


_CHILD = """
import sys, time
sys.path.insert(0, {folder!r})
import torch
torch.set_num_threads(1)
from test_gradients import SharedGradients, parts
with SharedGradients(parts(2), processes=2) as shared:
    shared(0)
    print(shared.helpers[0].pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.long
def test_helpers_end_with_their_parent() -> None:
    """A parent killed without warning leaves no helper."""
    code = _CHILD.format(folder=str(Path(__file__).parent))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        helper = int(child.stdout.readline())
        assert psutil.pid_exists(helper)
        child.kill()
    deadline = time.monotonic() + 20
    while psutil.pid_exists(helper) and psutil.Process(helper).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the helper outlived its parent"
        time.sleep(0.05)
