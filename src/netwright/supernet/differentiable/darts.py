"""DARTS: architecture weights and network weights take turns, each down its own gradient.

References:
    Liu, Simonyan, Yang (2019), DARTS: Differentiable Architecture Search, algorithm 1. Where we deviate: an edge that
    may be absent and its operation have weights of their own, where the paper counts the operation "none"; the step of
    the second order is the plain one of equation 7.
"""

from __future__ import annotations

from netwright.errors import UsageError, wrong
from netwright.space import SearchSpace
from netwright.supernet.differentiable.course import Course
from netwright.supernet.differentiable.examples import Batches
from netwright.supernet.differentiable.hypergradient import finite_difference
from netwright.supernet.differentiable.options import Options
from netwright.supernet.differentiable.result import Searched


def darts(
    space: SearchSpace, train: Batches, valid: Batches, options: Options | None = None, *, order: int = 1
) -> Searched:
    """Search by DARTS.

    Args:
        space: where to search.
        train: batches for the network's weights.
        valid: batches for the architecture weights; other examples than those of ``train``.
        options: rates, lengths, limits, alarm.
        order: 1 takes the network's weights as they are; 2 sees how they would follow (equation 8), at four times the
            cost.

    Raises:
        UsageError: an option or the batches cannot be.
        SpaceError: the space cannot be relaxed, or needs more memory than allowed.
        TrialError: a loss is not finite.
        SearchError: no architecture keeps the limits.
    """
    options = options or Options()
    if order not in (1, 2):
        raise UsageError(wrong("order", order, "1 or 2"))
    course = Course(f"darts, order {order}", space, train, options)
    for _ in course.epochs():
        for batch, other in course.pairs(train, valid):
            if order == 1:
                with course.weights_fixed():
                    weights = course.softmax()
                    loss = course.loss(course.mixing(weights), other, valid=True) + course.penalty(weights)
                    course.architecture_step(loss)
            else:
                gradients, _ = finite_difference(
                    lambda: course.loss(course.mixing(course.softmax()), batch),  # noqa: B023  # used at once
                    lambda: (
                        course.loss(course.mixing(course.softmax()), other, valid=True)  # noqa: B023
                        + course.penalty(course.softmax())
                    ),
                    course.network.weights(),
                    list(course.arch.values()),
                    course.options.rate(course.epoch / options.epochs),
                )
                course.follow(gradients)
            fixed = {name: weight.detach() for name, weight in course.softmax().items()}
            course.weight_step(course.loss(course.mixing(fixed), batch))
        course.end_epoch(course.softmax)
    return course.result()
