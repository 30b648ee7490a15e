"""PC-DARTS: one channel in four goes through the mixtures of a cell, and edges have weights of their own.

References:
    Xu et al. (2020), PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search, sections 3.2 and
    3.3 (partial channels, edge normalisation), 4.2 (the weights are trained alone for the first 15 of 50 epochs).
    Where we deviate: in spaces whose edges may be absent, the weights of their presence are the edge weights; elsewhere
    every edge stays, so that edge weights help the search and are not part of what is found.
"""

from __future__ import annotations

from netwright.errors import UsageError, wrong
from netwright.space import SearchSpace
from netwright.supernet.differentiable.course import Course
from netwright.supernet.differentiable.examples import Batches
from netwright.supernet.differentiable.options import Options
from netwright.supernet.differentiable.result import Searched


def pc_darts(
    space: SearchSpace,
    train: Batches,
    valid: Batches,
    options: Options | None = None,
    *,
    partial: int = 4,
    warm_up: float = 0.3,
) -> Searched:
    """Search by PC-DARTS.

    Args:
        space: where to search. Where edges of its cells are choices among operations, these must keep the channels, of
            which a part is mixed; choices elsewhere are mixed whole, as by DARTS, and where there are no others a
            remark says so.
        train: batches for the network's weights.
        valid: batches for the architecture weights.
        options: rates, lengths, limits, alarm.
        partial: one channel in so many is mixed.
        warm_up: share of the epochs in which only the network's weights are trained, in [0, 1); whole epochs.

    Raises:
        UsageError: an option or the batches cannot be.
        SpaceError: the space cannot be relaxed, its channels not divided, or it needs more memory than allowed.
        TrialError: a loss is not finite.
        SearchError: no architecture keeps the limits.
    """
    options = options or Options()
    if not 0 <= warm_up < 1:
        raise UsageError(wrong("warm_up", warm_up, "in [0, 1)"))
    course = Course("pc_darts", space, train, options, partial=partial, edges=True)
    for epoch in course.epochs():
        for batch, other in course.pairs(train, valid):
            if epoch >= int(warm_up * options.epochs):
                with course.weights_fixed():
                    weights = course.softmax()
                    loss = course.loss(course.mixing(weights), other, valid=True) + course.penalty(weights)
                    course.architecture_step(loss)
            fixed = {name: weight.detach() for name, weight in course.softmax().items()}
            course.weight_step(course.loss(course.mixing(fixed), batch))
        course.end_epoch(course.softmax)
    return course.result()
