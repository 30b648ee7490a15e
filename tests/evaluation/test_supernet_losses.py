"""Divergences between what a subnet says and what its teacher says: values, gradients, limits, clipping."""

from __future__ import annotations

import math

import pytest
import torch

from netwright.evaluation.supernet_losses import ALPHAS, alpha_divergence, divergence


def logits_and_teacher(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    student = torch.randn(4, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    teacher = torch.softmax(torch.randn(4, 6, generator=generator, dtype=torch.float64), dim=1)
    return student, teacher


def by_definition(student: torch.Tensor, teacher: torch.Tensor, alpha: float) -> torch.Tensor:
    q = torch.softmax(student, dim=1)
    if alpha == 0:
        return (q * torch.log(q / teacher)).sum(dim=1)
    if alpha == 1:
        return (teacher * torch.log(teacher / q)).sum(dim=1)
    return (q * ((teacher / q) ** alpha - 1)).sum(dim=1) / (alpha * (alpha - 1))


@pytest.mark.parametrize("alpha", [-1.0, 0.0, 0.5, 1.0, 2.0])
def test_alpha_divergence_is_its_definition(alpha: float) -> None:
    """Without clipping, value and gradient are those of the definition; at 0 and 1 those of the two KL divergences."""
    student, teacher = logits_and_teacher()
    found = alpha_divergence(student, teacher, alpha, clip=math.inf)
    expected = by_definition(student, teacher, alpha)
    assert torch.allclose(expected, found, rtol=1e-12, atol=1e-14)
    gradients = [torch.autograd.grad(value.sum(), student)[0] for value in (expected, found)]
    assert torch.allclose(*gradients, rtol=1e-10, atol=1e-13)
    assert (found > 0).all()
    assert alpha_divergence(torch.log(teacher), teacher, alpha).abs().max() < 1e-12


def test_kl_has_the_gradient_of_the_kl_divergence() -> None:
    """Its value is the cross entropy."""
    student, teacher = logits_and_teacher(1)
    gradients = [
        torch.autograd.grad(value, student)[0]
        for value in (divergence("kl", student, teacher), by_definition(student, teacher, 1.0).mean())
    ]
    assert torch.allclose(*gradients)


def test_the_larger_of_two_divergences_counts_for_each_example() -> None:
    """A student that is too sure and one that is too unsure are both told."""
    teacher = torch.tensor([[0.6, 0.4], [0.5, 0.5]])
    student = torch.log(torch.tensor([[0.99, 0.01], [0.5, 0.5]])).requires_grad_()
    both = [alpha_divergence(student, teacher, alpha) for alpha in ALPHAS]
    assert divergence("alpha", student, teacher).item() == pytest.approx(torch.maximum(*both).mean().item())


def test_clipping_bounds_the_gradient() -> None:
    """A class that the student gives nearly nothing pulls no harder than the clip allows, and nothing is infinite."""
    teacher = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    for gap in (5.0, 50.0, 500.0):
        student = torch.tensor([[gap, 0.0]], dtype=torch.float64, requires_grad=True)
        for alpha in ALPHAS:
            value = alpha_divergence(student, teacher, alpha).sum()
            (gradient,) = torch.autograd.grad(value, student)
            assert math.isfinite(value.item())
            assert gradient.abs().max() <= 5.0
