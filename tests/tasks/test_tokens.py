"""The loss of tasks that answer with tokens."""

from __future__ import annotations

import math

import pytest
import torch

from netwright.tasks.tokens import token_loss


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_the_definition(smoothing: float) -> None:
    """Of known targets alone: (1 - e) times their surprise and e times the mean surprise of all tokens.

    Szegedy et al. (2016), section 7. Positions behind those of the outputs have no part.
    """
    logits = torch.tensor([[[1.0, 2.0, 0.5], [0.0, 0.0, 3.0]], [[2.0, -1.0, 0.0], [9.0, 9.0, 9.0]]])
    targets = torch.tensor([[1, 2, -1], [0, -1, -1]])
    wanted = 0.0
    for row, place, target in ((0, 0, 1), (0, 1, 2), (1, 0, 0)):
        scores = logits[row, place].tolist()
        surprises = [math.log(sum(map(math.exp, scores))) - score for score in scores]
        wanted += (1 - smoothing) * surprises[target] + smoothing * sum(surprises) / 3
    assert float(token_loss(logits, targets, smoothing, mean_length=1.5)) == pytest.approx(wanted / (2 * 1.5))
