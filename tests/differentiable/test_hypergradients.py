"""Second-order DARTS against the closed form on a quadratic, and the weighted sum against finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from netwright.supernet.differentiable.combine import combine
from netwright.supernet.differentiable.hypergradient import exact, finite_difference

RATE = 0.1


class Quadratic:
    """train = w'Pw/2 + w'Qa, valid = w'Rw/2 + w'Sa; weights in two tensors, so that more than one is moved."""

    def __init__(self, seed: int) -> None:
        source = torch.Generator().manual_seed(seed)
        square = [torch.randn(5, 5, generator=source).double() for _ in range(2)]
        self.p, self.r = (m @ m.T / 5 for m in square)
        self.q, self.s = (torch.randn(5, 3, generator=source).double() for _ in range(2))
        w = torch.randn(5, generator=source).double()
        self.w = [w[:2].clone().requires_grad_(), w[2:].clone().requires_grad_()]
        self.a = torch.randn(3, generator=source).double().requires_grad_()

    def train(self, w: list[Tensor], a: list[Tensor]) -> Tensor:
        x = torch.cat(list(w))
        return x @ self.p @ x / 2 + x @ self.q @ a[0]

    def valid(self, w: list[Tensor], a: list[Tensor]) -> Tensor:
        x = torch.cat(list(w))
        return x @ self.r @ x / 2 + x @ self.s @ a[0]

    def gradient(self) -> Tensor:
        """With w' = w - rate (Pw + Qa): S'w' - rate Q'(Rw' + Sa)."""
        with torch.no_grad():
            w = torch.cat(self.w)
            moved = w - RATE * (self.p @ w + self.q @ self.a)
            return self.s.T @ moved - RATE * self.q.T @ (self.r @ moved + self.s @ self.a)


@pytest.mark.parametrize("seed", range(5))
def test_both_second_orders_are_the_closed_form(seed: int) -> None:
    """Differentiated through to rounding; by the finite difference, which is exact on a quadratic, nearly so."""
    problem = Quadratic(seed)
    through = exact(problem.train, problem.valid, problem.w, [problem.a], RATE)  # type: ignore[arg-type]
    torch.testing.assert_close(through[0], problem.gradient(), rtol=1e-12, atol=1e-12)
    before = [w.detach().clone() for w in problem.w]
    around, loss = finite_difference(
        lambda: problem.train(problem.w, [problem.a]),
        lambda: problem.valid(problem.w, [problem.a]),
        problem.w,
        [problem.a],
        RATE,
    )
    torch.testing.assert_close(around[0], problem.gradient(), rtol=1e-8, atol=1e-8)
    assert all(torch.equal(w, kept) for w, kept in zip(problem.w, before, strict=True))
    assert torch.isfinite(loss)


def test_without_a_step_it_is_the_first_order() -> None:
    """Rate 0: the gradient of the validation loss as it is."""
    problem = Quadratic(0)
    (found,) = exact(problem.train, problem.valid, problem.w, [problem.a], 0.0)  # type: ignore[arg-type]
    (plain,) = torch.autograd.grad(problem.valid(problem.w, [problem.a]), [problem.a])
    torch.testing.assert_close(found, plain)


@pytest.mark.parametrize("weighted", ["-", "--", "-+-+", "-+", "++", "+", "+--"])
def test_a_weighted_sum_and_its_gradients(weighted: str) -> None:
    """Values, first and second derivatives, in both memory layouts."""
    source = torch.Generator().manual_seed(0)
    flags = [sign == "+" for sign in weighted]
    for layout in (torch.contiguous_format, torch.channels_last):
        make = [torch.randn(2, 3, 2, 2, generator=source).double() for _ in flags]
        values = [t.contiguous(memory_format=layout).requires_grad_() for t in make]
        weights = torch.randn(sum(flags), generator=source).double().requires_grad_(any(flags))

        def run(weights: Tensor, *values: Tensor) -> Tensor:
            return combine(values, flags, weights if any(flags) else None)

        left = iter(weights)
        parts = [next(left) * v if has_weight else v for v, has_weight in zip(values, flags, strict=True)]
        torch.testing.assert_close(run(weights, *values), torch.stack(parts).sum(0))
        assert torch.autograd.gradcheck(run, (weights, *values))
        assert torch.autograd.gradgradcheck(run, (weights, *values))
