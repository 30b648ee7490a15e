"""Muon, parameter groups and optimiser state."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import torch
from torch import nn

from netwright.evaluation.optimizers import Optimizer
from netwright.evaluation.recipe import Recipe


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3))


def steps(model: nn.Module, optimizer: Optimizer, numbers: range) -> None:
    for number in numbers:
        x = torch.randn((8, 1, 4, 4), generator=torch.Generator().manual_seed(number))
        model.zero_grad()
        model(x).square().mean().backward()
        optimizer.step(number, 1.0)


@pytest.mark.parametrize("name", ["muon", "sgd", "adamw"])
def test_only_weight_matrices_decay(name: str) -> None:
    """With gradients of 0, weight decay shrinks convolution weights, and leaves norms and biases alone."""
    model = network()
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    recipe = Recipe(optimizer=name, weight_decay=0.5, learning_rate=0.1)  # type: ignore[arg-type]
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    Optimizer(model, recipe).step(0, 1.0)
    changed = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert changed == ({"0.weight"} if name == "muon" else {"0.weight", "3.weight"})
    assert torch.allclose(dict(model.named_parameters())["0.weight"], before["0.weight"] * 0.95)


@pytest.mark.parametrize("name", ["muon", "muon-all", "sgd", "adamw", "adam"])
def test_state_put_back_goes_on_bit_for_bit(name: str) -> None:
    """A model and optimiser restored from their tensors make the same further steps."""
    recipe = Recipe(optimizer=name)  # type: ignore[arg-type]
    model, other = network(), network()
    optimizer, restored = Optimizer(model, recipe), Optimizer(other, recipe)
    steps(model, optimizer, range(3))
    other.load_state_dict({k: v.clone() for k, v in model.state_dict().items()})
    restored.load({k: v.clone() for k, v in optimizer.state.items()})
    steps(model, optimizer, range(3, 6))
    steps(other, restored, range(3, 6))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def assert_same_steps(
    ours: nn.Module, optimizer: Optimizer, other: nn.Module, reference: torch.optim.Optimizer
) -> None:
    """Five steps of our optimiser and of torch's come to the same weights."""
    for number in range(5):
        steps(ours, optimizer, range(number, number + 1))
        x = torch.randn((8, 1, 4, 4), generator=torch.Generator().manual_seed(number))
        other.zero_grad()
        other(x).square().mean().backward()
        reference.step()
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(ours.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("sgd", lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True)),
        ("adamw", lambda p: torch.optim.AdamW(p, lr=0.05, betas=(0.9, 0.99), weight_decay=0.0)),
    ],
)
def test_rules_agree_with_torch(name: str, theirs: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]) -> None:
    """Without weight decay our SGD and Adam make the steps of torch's."""
    ours, other = network(), network()
    recipe = Recipe(optimizer=name, learning_rate=0.05, side_learning_rate=0.05, weight_decay=0.0)  # type: ignore[arg-type]
    optimizer, reference = Optimizer(ours, recipe), theirs(other.parameters())
    assert_same_steps(ours, optimizer, other, reference)


def test_the_decay_of_adam_is_a_part_of_the_gradient() -> None:
    """As in torch's, but norms and biases have none."""
    ours, other = network(), network()
    recipe = Recipe(optimizer="adam", learning_rate=0.05, side_learning_rate=0.05, weight_decay=0.3)
    groups = [
        {"params": [p for p in other.parameters() if (p.ndim > 1) == decays], "weight_decay": 0.3 * decays}
        for decays in (True, False)
    ]
    optimizer, reference = Optimizer(ours, recipe), torch.optim.Adam(groups, lr=0.05, betas=(0.9, 0.99))
    assert_same_steps(ours, optimizer, other, reference)


def test_the_factor_scales_the_step() -> None:
    """Half the factor moves half as far."""
    moved = []
    for factor in (1.0, 0.5):
        model = network()
        before = model[0].weight.detach().clone()  # type: ignore[index]
        model(torch.ones(2, 1, 4, 4)).square().mean().backward()
        Optimizer(model, Recipe(weight_decay=0.0)).step(0, factor)
        moved.append(model[0].weight.detach() - before)  # type: ignore[index]
    assert torch.allclose(moved[0], 2 * moved[1], atol=1e-6)


def test_muon_for_all_leaves_the_ends_of_a_network_to_adam() -> None:
    """Linear and recurrent layers move by as much in all directions, embeddings and the last layer as by Adam."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(9, 6), nn.Linear(6, 6), nn.GRU(6, 4), nn.Linear(6, 3))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel()))
    recipe = Recipe(optimizer="muon-all", weight_decay=0.0, learning_rate=0.1, side_learning_rate=0.003)
    Optimizer(model, recipe).step(0, 1.0)
    moved = {name: p.detach() - before[name] for name, p in model.named_parameters()}
    for name in ("1.weight", "2.weight_ih_l0", "2.weight_hh_l0"):
        rows, columns = moved[name].shape
        assert float(torch.linalg.matrix_norm(moved[name], 2)) < 0.13 * max(1.0, rows / columns) ** 0.5
        assert float(moved[name].abs().max()) > 0.01
    for name in ("0.weight", "1.bias", "2.bias_hh_l0", "3.weight", "3.bias"):
        torch.testing.assert_close(moved[name].abs(), torch.full_like(moved[name], 0.003), atol=1e-6, rtol=1e-3)
