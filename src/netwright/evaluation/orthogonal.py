"""Orthogonalising the matrices of a step of Muon, and how that work is divided among processes.

Knows no parameter, learning rate or process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_STEPS = 3
_LONG = 2  # sides of a matrix from which on iterating on its square is cheaper
_CALLS = 1e6  # multiplications in the time that the calls of one matrix take, whatever its size
_WORTH = 1e7  # multiplications from which on a message to another process is worth it

OrthogonaliseAll = Callable[[Sequence[Tensor]], Sequence[Tensor]]


def orthogonalise(matrix: Tensor, steps: int = _STEPS) -> Tensor:
    """Replace the singular values of a matrix by values near 1.

    Args:
        matrix: (M, N).
        steps: Newton-Schulz iterations, >= 1.

    Returns:
        (M, N).

    References:
        Jordan et al. (2024), *Muon*: the quintic iteration and its coefficients. We iterate 3 instead of 5 times
        (as its CIFAR-10 record does) and stay in float32. Each iterate is a polynomial in the square X X^T, times the
        one before; where the matrix is long, we multiply the polynomials, which are small, and X once at the end.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (torch.linalg.matrix_norm(x) + 1e-7)
    x = _by_squares(x, steps) if x.shape[1] >= _LONG * x.shape[0] else _by_iterates(x, steps)
    return x.T if tall else x


def _by_iterates(x: Tensor, steps: int) -> Tensor:
    a, b, c = _NEWTON_SCHULZ
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * (square @ square)) @ x
    return x


def _by_squares(x: Tensor, steps: int) -> Tensor:
    square = x @ x.T
    factor = product = _factor(square)
    for _ in range(steps - 1):
        square = factor @ square @ factor
        factor = _factor(square)
        product = factor @ product
    return product @ x


def _factor(square: Tensor) -> Tensor:
    a, b, c = _NEWTON_SCHULZ
    factor = torch.addmm(square, square, square, beta=b, alpha=c)
    factor.diagonal().add_(a)
    return factor


def orthogonalise_all(matrices: Sequence[Tensor]) -> list[Tensor]:
    """Orthogonalise tensors of any shape, seen as matrices of the first dimension x the rest, one after the other."""
    return [orthogonalise(m.reshape(m.shape[0], -1)).reshape(m.shape) for m in matrices]


def cost(shape: Sequence[int]) -> float:
    """Multiplications that orthogonalising a tensor of this shape takes, calls counted in."""
    numel = torch.Size(shape).numel()
    short, long = sorted((shape[0], numel // max(shape[0], 1)))
    if long >= _LONG * short:
        return _CALLS + 2 * short**2 * long + (4 * _STEPS - 3) * short**3
    return _CALLS + _STEPS * (2 * short**2 * long + short**3)


def divided(shapes: Sequence[Sequence[int]], places: int) -> list[list[int]]:
    """Which matrices each of several processes takes: the costliest first, to the one with the least to do.

    Args:
        shapes: of the matrices.
        places: processes, >= 1; the first gives the work out and gets all of it where it is little.

    Returns:
        For each process numbers of matrices.

    Example:
        >>> divided([(512, 512), (400, 400), (400, 400), (2, 2)], places=2)
        [[0], [1, 2, 3]]
        >>> divided([(8, 8), (8, 8)], places=2)
        [[0, 1], []]
    """
    costs = [cost(shape) for shape in shapes]
    taken: list[list[int]] = [[] for _ in range(places)]
    if sum(costs) < _WORTH:
        return [[*range(len(shapes))], *taken[1:]]
    loads = [0.0] * places
    for number in sorted(range(len(shapes)), key=lambda n: -costs[n]):
        place = loads.index(min(loads))
        taken[place].append(number)
        loads[place] += costs[number]
    return taken
