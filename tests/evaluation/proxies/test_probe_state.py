"""Scoring leaves the network, and torch, as they were; the same seed gives the same; passes are shared."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netwright.errors import CapabilityError, SpecError
from netwright.evaluation.proxies import Probe, proxy_names, score

LABELS = torch.arange(8) % 4
IMAGES = torch.randn(8, 3, 6, 6, generator=torch.Generator().manual_seed(0))
CLASSIC = ("grad_norm", "plain", "l2", "snip", "grasp", "fisher", "jacob_cov", "naswot", "epe_nas")
"""Proxies that all look at the same pass."""


class Net(nn.Module):
    """Everything at once: norms, dropout, functions, in-place operations, a pass that is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(6, 4)
        self.register_buffer("calls", torch.zeros(()))
        self.passes = 0
        self.head.register_forward_hook(lambda *_: None)

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        self.calls = self.calls + 1
        x = F.relu_(self.norm(self.conv(x)))
        x = F.dropout(self.drop(x), 0.5, self.training)
        return self.head(x.mean((2, 3)))


def seeded(kind: type[nn.Module] = Net) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(0)
        return kind()


@pytest.mark.parametrize("name", proxy_names())
def test_the_network_and_torch_are_left_as_they_were(name: str) -> None:
    """Weights, gradients, buffers, modes, hooks and the global random state are what they were."""
    model = seeded()
    model.drop.eval()
    model.conv.weight.grad = torch.ones_like(model.conv.weight)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in model.modules()]
    state, grad, flag = torch.random.get_rng_state(), model.conv.weight.grad, torch.is_grad_enabled()
    score(model, IMAGES, LABELS, [name])
    assert {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])} == set()
    assert [module.training for module in model.modules()] == modes
    after = [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in model.modules()]
    assert after == hooks
    assert torch.equal(torch.random.get_rng_state(), state)
    assert model.conv.weight.grad is grad
    assert torch.equal(grad, torch.ones_like(grad))
    assert all(p.grad is None for key, p in model.named_parameters() if key != "conv.weight")
    assert all(p.requires_grad for p in model.parameters())
    assert torch.is_grad_enabled() == flag


@pytest.mark.parametrize("name", proxy_names())
def test_the_same_seed_gives_the_same(name: str) -> None:
    """Whatever was drawn between, two scores of the same network are equal to the bit."""
    first = score(seeded(), IMAGES, LABELS, [name], 5)
    torch.rand(3)
    with torch.no_grad():  # a caller's mode makes no difference
        second = score(seeded(), IMAGES, LABELS, [name], 5)
    assert (first.values, first.unusable) == (second.values, second.unusable)


@pytest.mark.parametrize("name", proxy_names())
def test_others_asked_for_make_no_difference(name: str) -> None:
    """Shared passes give what a pass of its own gives."""
    alone = score(seeded(), IMAGES, LABELS, [name])
    together = score(seeded(), IMAGES, LABELS, proxy_names())
    assert together.unusable.get(name) == alone.unusable.get(name)
    assert together.values.get(name, 0) == pytest.approx(alone.values.get(name, 0), rel=1e-6, nan_ok=True)


def test_training_mode_of_the_caller_makes_no_difference() -> None:
    """A network given in evaluation mode is looked at in the same way."""
    assert score(seeded().eval(), IMAGES, LABELS, CLASSIC).values == score(seeded(), IMAGES, LABELS, CLASSIC).values


def test_one_pass_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine proxies take one pass forwards; backwards there are one by the loss, one by the inputs, two of GraSP."""
    model, calls = seeded(), []
    grad = torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *args, **kwargs: calls.append(1) or grad(*args, **kwargs))
    assert set(score(model, IMAGES, LABELS, CLASSIC).values) == set(CLASSIC)
    assert (model.passes, len(calls)) == (1, 4)


def test_gradients_by_inputs_alone_note_nothing() -> None:
    """Asked for alone they take one pass of their own, without the shared one, and are the same to the bit."""
    model = seeded()
    with Probe(model, IMAGES, LABELS) as probe:
        alone = probe.input_gradients
        assert (model.passes, "_forward" in vars(probe)) == (1, False)
    with Probe(seeded(), IMAGES, LABELS) as probe:
        assert probe.num_relus > 0  # makes the shared pass
        assert torch.equal(alone, probe.input_gradients)


def test_batch_norm_uses_the_batch_and_dropout_is_off() -> None:
    """What is looked at is the network in training, but for what is random in it."""
    model = seeded()
    with Probe(model, IMAGES) as probe:
        found = probe.logits
    maps = F.batch_norm(model.conv(IMAGES), None, None, training=True)
    assert torch.allclose(found, model.head(maps.relu().mean((2, 3))), atol=1e-5)


def test_an_error_leaves_the_network_as_it_was() -> None:
    """Also a pass that raises half way takes nothing away."""
    model = seeded()
    model.head = nn.Linear(5, 4)
    modes = [module.training for module in model.modules()]
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        score(model, IMAGES, LABELS, ["snip"])
    assert [module.training for module in model.modules()] == modes
    assert [len(m._forward_hooks) for m in model.modules()] == [0] * 5
    assert int(model.calls) == 0


def test_nothing_is_kept_of_a_network() -> None:
    """After scoring, a network that is let go of is gone, and so is its graph."""
    model = seeded()
    gone = weakref.ref(model.conv.weight)
    score(model, IMAGES, LABELS, proxy_names())
    del model
    gc.collect()
    assert gone() is None


@pytest.mark.slow
def test_memory_does_not_grow_over_many_networks() -> None:
    """Between the 200th and the 1,000th network the process grows by less than 10 MB."""
    import psutil

    process = psutil.Process()
    sizes = []
    for _ in range(1000):
        score(Net(), IMAGES, LABELS, proxy_names())
        sizes.append(process.memory_info().rss)
    assert sizes[-1] - sizes[199] < 10e6


def test_an_unknown_proxy_is_named_with_the_nearest() -> None:
    """A slip of the pen is recognised before anything is run."""
    with pytest.raises(SpecError, match="unknown proxy 'synflo'; did you mean 'synflow'"):
        score(seeded(), IMAGES, LABELS, ["synflo"])


@pytest.mark.parametrize("count", [0, 3])
def test_a_batch_that_cannot_be_is_refused(count: int) -> None:
    """Nothing, or more labels than inputs."""
    with pytest.raises(CapabilityError, match=f"batch must be at least one input, .*got '{count} inputs, 8 labels'"):
        score(seeded(), IMAGES[:count], LABELS, ["snip"])


def test_time_is_told() -> None:
    """Processor seconds of all together."""
    assert 0 < score(seeded(), IMAGES, LABELS, ["snip"]).time_s < 60
