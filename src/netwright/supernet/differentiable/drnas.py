"""DrNAS: weights of choices are drawn from Dirichlet distributions, whose parameters are learned.

References:
    Chen et al. (2021), DrNAS: Dirichlet Neural Architecture Search, sections 3.1 and 3.2 (concentrations elu(b) + 1,
    pathwise gradients, a penalty on the distance to the flat distribution). That penalty is, as by default in the
    authors' code for NAS-Bench-201, the weight decay of b (0 is the flat distribution); or, as by its option, the
    Kullback-Leibler divergence from the flat distribution in the weight decay's place. Where we deviate: partial
    channels are an option instead of the progressive schedule of section 3.3.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence

from netwright.errors import UsageError, wrong
from netwright.space import SearchSpace
from netwright.supernet.differentiable.course import Course
from netwright.supernet.differentiable.examples import Batches
from netwright.supernet.differentiable.options import Options
from netwright.supernet.differentiable.result import Searched

LEAST_CONCENTRATION = 1e-6
"""Below it a distribution is as good as one value, and from b = -17 on float32 makes the concentration 0."""


def drnas(
    space: SearchSpace,
    train: Batches,
    valid: Batches,
    options: Options | None = None,
    *,
    divergence: float = 0.0,
    partial: int = 1,
) -> Searched:
    """Search by DrNAS.

    Args:
        space: where to search.
        train: batches for the network's weights.
        valid: batches for the architecture weights.
        options: rates, lengths, limits, alarm; ``arch_weight_decay`` is not used with a divergence.
        divergence: weight of the divergence from flat distributions, >= 0; above 0 it takes the weight decay's place.
        partial: one channel in so many is mixed, as by `pc_darts`.

    Raises:
        UsageError: an option or the batches cannot be.
        SpaceError: the space cannot be relaxed, or needs more memory than allowed.
        TrialError: a loss is not finite.
        SearchError: no architecture keeps the limits.
    """
    options = options or Options()
    if not (math.isfinite(divergence) and divergence >= 0):
        raise UsageError(wrong("divergence", divergence, ">= 0"))
    if divergence > 0:
        options = replace(options, arch_weight_decay=0.0)
    course = Course("drnas", space, train, options, partial=partial)
    for _ in course.epochs():
        for batch, other in course.pairs(train, valid):
            with course.weights_fixed():
                weights = drawn(course, purpose=0)
                loss = course.loss(course.mixing(weights), other, valid=True) + course.penalty(means(course))
                course.architecture_step(loss + divergence * from_flat(course) if divergence else loss)
            with torch.no_grad():
                weights = drawn(course, purpose=1)
            course.weight_step(course.loss(course.mixing(weights), batch))
        course.end_epoch(lambda: means(course))
    return course.result()


def concentrations(course: Course) -> dict[str, Tensor]:
    """The parameters of each choice's distribution, at least `LEAST_CONCENTRATION`."""
    return {name: (F.elu(own) + 1.0).clamp_min(LEAST_CONCENTRATION) for name, own in course.arch.items()}


def drawn(course: Course, *, purpose: int) -> dict[str, Tensor]:
    """Weights of each choice, drawn; gradients reach the parameters."""
    with course.noise(purpose):
        return {name: Dirichlet(own).rsample() for name, own in concentrations(course).items()}


def means(course: Course) -> dict[str, Tensor]:
    """Mean of each choice's distribution."""
    return {name: own / own.sum() for name, own in concentrations(course).items()}


def from_flat(course: Course) -> Tensor:
    """Divergence of the distributions from those in which all weights are equally likely, summed over choices."""
    parts = [kl_divergence(Dirichlet(own), Dirichlet(torch.ones_like(own))) for own in concentrations(course).values()]
    return torch.stack(parts).sum()
