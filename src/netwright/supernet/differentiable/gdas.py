"""GDAS: each step runs one architecture, drawn from the weights; its gradient reaches all of them.

References:
    Dong and Yang (2019), Searching for a Robust Neural Architecture in Four GPU Hours, equations 3 to 7 (Gumbel
    softmax with a hard forward pass, section 3.2; the temperature falls linearly, section 4.1).
    Where we deviate: an operation that was not drawn gives nothing to the gradient but by the softmax.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from netwright.errors import UsageError, wrong
from netwright.space import SearchSpace
from netwright.supernet.differentiable.course import Course
from netwright.supernet.differentiable.examples import Batches
from netwright.supernet.differentiable.mixing import Mixing
from netwright.supernet.differentiable.options import Options
from netwright.supernet.differentiable.result import Searched


def gdas(
    space: SearchSpace,
    train: Batches,
    valid: Batches,
    options: Options | None = None,
    *,
    first_temperature: float = 10.0,
    last_temperature: float = 0.1,
) -> Searched:
    """Search by GDAS.

    Args:
        space: where to search.
        train: batches for the network's weights.
        valid: batches for the architecture weights.
        options: rates, lengths, limits, alarm.
        first_temperature: of the Gumbel softmax in the first epoch, > 0.
        last_temperature: in the last epoch, > 0.

    Raises:
        UsageError: an option or the batches cannot be.
        SpaceError: the space cannot be relaxed, or needs more memory than allowed.
        TrialError: a loss is not finite.
        SearchError: no architecture keeps the limits.
    """
    options = options or Options()
    for name, value in (("first_temperature", first_temperature), ("last_temperature", last_temperature)):
        if not (math.isfinite(value) and value > 0):
            raise UsageError(wrong(name, value, "> 0"))
    course = Course("gdas", space, train, options, alone=True)
    for epoch in course.epochs():
        progress = epoch / max(1, options.epochs - 1)
        temperature = first_temperature + progress * (last_temperature - first_temperature)
        for batch, other in course.pairs(train, valid):
            with course.weights_fixed():
                mix = drawn(course, temperature, purpose=0)
                loss = course.loss(mix, other, valid=True) + course.penalty(course.softmax())
                course.architecture_step(loss)
            with torch.no_grad():
                mix = drawn(course, temperature, purpose=1)
            course.weight_step(course.loss(mix, batch))
        course.end_epoch(course.softmax)
    return course.result()


def drawn(course: Course, temperature: float, *, purpose: int) -> Mixing:
    """A path: for each choice the value with the largest of logit and Gumbel noise, with the softmax's gradient.

    Choices that others depend on are drawn first; of a dependent choice the values that are open then.
    """
    universe = course.network.universe
    weights: dict[str, Tensor] = {}
    taken: dict[str, int] = {}
    with course.noise(purpose):
        for name in universe.closure(universe.values):
            own = course.arch[name]
            noise = -torch.empty_like(own).exponential_().log()
            closed = torch.ones_like(own, dtype=torch.bool)
            closed[universe.open_numbers(name, taken)] = False
            logits = (F.log_softmax(own, dim=0) + noise) / temperature
            soft = F.softmax(logits.masked_fill(closed, -math.inf), dim=0)
            number = int(soft.argmax())
            hard = F.one_hot(torch.tensor(number, device=own.device), len(own)).to(soft.dtype)
            weights[name] = hard + (soft - soft.detach())  # in this order the value is 0 or 1 to the bit
            taken[name] = number
    return course.mixing(weights, taken)
