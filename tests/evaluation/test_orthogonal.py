"""Orthogonalised matrices, and their division among processes."""

from __future__ import annotations

import pytest
import torch

from netwright.evaluation.orthogonal import cost, divided, orthogonalise, orthogonalise_all


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (9, 9)])
def test_singular_values_become_near_one(shape: tuple[int, int]) -> None:
    """Orthogonalising keeps the singular vectors, and lifts the singular values that matter to near 1."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    result = orthogonalise(matrix, steps=5)
    values = torch.linalg.svdvals(result)
    assert result.shape == matrix.shape
    assert float(values.max()) < 1.3
    assert float(values.median()) > 0.6
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    within = u.T @ result @ vh.T
    assert torch.allclose(within, torch.diag(torch.diagonal(within)), atol=1e-4)


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (9, 9), (8, 12), (16, 32), (1, 30), (30, 1)])
def test_the_iterates_are_the_papers(shape: tuple[int, int]) -> None:
    """Three quintic iterations as Jordan et al. write them, whichever way they are computed."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = matrix / (matrix.norm() + 1e-7)
    for _ in range(3):
        square = expected @ expected.T
        expected = 3.4445 * expected + (-4.7750 * square + 2.0315 * square @ square) @ expected
    assert torch.allclose(orthogonalise(matrix), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("shape", [(64, 576), (128, 128)])
def test_float32_is_enough(shape: tuple[int, int]) -> None:
    """What single precision loses is far below what three iterations leave of the singular values' spread."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    exact = orthogonalise(matrix.double())
    assert torch.allclose(orthogonalise(matrix).double(), exact, atol=5e-6 * float(exact.abs().max()), rtol=0)


def test_tensors_are_matrices_of_their_first_dimension() -> None:
    """A convolution, in whatever order it is stored, is seen as out x rest; nothing but zeros stays zero."""
    weight = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(3))
    stored = weight.to(memory_format=torch.channels_last)
    as_is, other, zeros = orthogonalise_all([weight, stored, torch.zeros(2, 5)])
    assert torch.equal(as_is, orthogonalise(weight.reshape(4, 27)).reshape(4, 3, 3, 3))
    assert torch.equal(as_is, other)
    assert torch.equal(zeros, torch.zeros(2, 5))


def test_work_is_divided_evenly_and_whole() -> None:
    """Each matrix is taken once, and no process has more than a matrix too much; little work stays in one place."""
    shapes = [(256, 256)] * 13 + [(256, 1024)] * 5 + [(8, 4)] * 7
    taken = divided(shapes, 3)
    assert sorted(number for numbers in taken for number in numbers) == [*range(len(shapes))]
    loads = [sum(cost(shapes[number]) for number in numbers) for numbers in taken]
    assert max(loads) - min(loads) <= max(cost(shape) for shape in shapes)
    assert divided([(16, 16)] * 3, 2) == [[0, 1, 2], []]
    assert divided([], 2) == [[], []]
