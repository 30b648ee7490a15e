"""The quick average over 3 x 3 positions is torch's, with its gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from netwright.supernet.differentiable.box import averaged, is_box


@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (1, 4, 1, 6), (3, 1, 2, 2), (2, 2, 1, 1)])
def test_it_is_the_average_of_torch(shape: tuple[int, ...]) -> None:
    """At the borders, too, and of images of one row."""
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    layer = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    assert torch.allclose(averaged(x), layer(x), atol=1e-12)
    weights = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ours, theirs = (torch.autograd.grad((f(x) * weights).sum(), x)[0] for f in (averaged, layer))
    assert torch.allclose(ours, theirs, atol=1e-12)
    assert torch.autograd.gradgradcheck(averaged, x)


def test_only_that_average_is_taken_for_it() -> None:
    """Others have other sums or divisors."""
    assert is_box(nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False))
    assert is_box(nn.AvgPool2d((3, 3), (1, 1), (1, 1), count_include_pad=False))
    others = [
        nn.AvgPool2d(3, stride=1, padding=1),
        nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
        nn.AvgPool2d(5, stride=1, padding=1, count_include_pad=False),
        nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False, divisor_override=2),
        nn.MaxPool2d(3, stride=1, padding=1),
    ]
    assert not any(is_box(layer) for layer in others)
