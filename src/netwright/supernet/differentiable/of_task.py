"""A differentiable search on the examples of a task, as long as there is time: for callers that know tasks and budgets.

Half of the training examples trains the weights, the other half the architecture; validation examples are not looked
at. Knows neither strategies nor trials.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netwright.errors import CapabilityError, SearchError, UsageError, unknown, wrong
from netwright.space import SearchSpace
from netwright.space.terms import OpTerm
from netwright.supernet.differentiable.course import derived
from netwright.supernet.differentiable.examples import Batch
from netwright.supernet.differentiable.options import Options
from netwright.supernet.differentiable.result import Found, Sampled, Searched
from netwright.tasks.base import Task
from netwright.types import Architecture

MOST_EPOCHS = 50
BATCH_SIZE = 64
_TRIED = 3  # steps whose time is measured, of which the first does not count
_CAUTION = 1.15


class InMemory:
    """Batches of examples in another order each time they are read; a last one that is not full is dropped.

    Args:
        inputs: shape (N, ...), as stored.
        targets: shape (N, ...).
        to_input: makes a batch of stored values network input.
        seed: of the orders.
        most: batches of one reading.
    """

    def __init__(
        self,
        inputs: NDArray[Any],
        targets: NDArray[Any],
        to_input: Callable[[Tensor], Tensor],
        seed: int,
        most: int | None = None,
    ) -> None:
        self.inputs, self.targets, self.to_input, self.most = inputs, targets, to_input, most
        self.size = min(BATCH_SIZE, len(targets))
        self.read_s: list[float] = []
        self._rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        full = len(self.targets) // self.size
        return full if self.most is None else min(full, self.most)

    def __iter__(self) -> Iterator[Batch]:
        order = self._rng.permutation(len(self.targets))
        for number in range(len(self)):
            chosen = order[number * self.size : (number + 1) * self.size]
            self.read_s.append(time.monotonic())
            x = self.to_input(torch.from_numpy(self.inputs[chosen])).contiguous()
            yield x, torch.from_numpy(self.targets[chosen])
        self.read_s.append(time.monotonic())


def derive_architectures(
    task: Task,
    space: SearchSpace,
    method: str = "beta-darts",
    *,
    budget_s: float,
    seed: int = 0,
    count: int = 1,
    options: Options | None = None,
) -> list[Architecture]:
    """Search as long as there is time, and give the architectures that came out of it, the best guess first.

    Args:
        task: whose training examples are used.
        space: where to search.
        method: a key of `METHODS`.
        budget_s: wall seconds, > 0. How many epochs fit into it is measured first, so that the result depends on the
            machine's speed; give ``options`` with the epochs to fix it.
        seed: of all that is drawn.
        count: most architectures; those after the first are what earlier epochs would have given.
        options: those of the method; epochs, seed and what is put before the network are set here.

    Raises:
        UsageError: the method is not known, or a number cannot be.
        SpaceError: the space cannot be relaxed.
        TrialError: a loss is not finite.
        SearchError: no architecture keeps the limits.
    """
    set_ = replace(options or Options(), seed=seed, wrap=task.normalised, input_dtype=task.input_dtype)
    found = search_task(task, space, method, set_, budget_s=budget_s, fits=options is None)
    return architectures_of(found, set_, count)


def search_task(
    task: Task, space: SearchSpace, method: str, options: Options, *, budget_s: float, fits: bool = True
) -> Found:
    """Search with half of the training examples for the weights and half for the architecture.

    Args:
        task: whose training examples are used.
        space: where to search.
        method: a key of `METHODS`.
        options: those of the method.
        budget_s: wall seconds, > 0.
        fits: as many epochs as fit into the time, at most `MOST_EPOCHS`; False: those of the options.

    Raises:
        UsageError: the method is not known, or a number cannot be.
        CapabilityError: networks of the task hold data, such as a graph, which relaxed networks do not.
        SpaceError: the space cannot be relaxed.
        TrialError: a loss is not finite.
        SearchError: no architecture keeps the limits.
    """
    from netwright.supernet.differentiable import METHODS

    around = task.normalised(OpTerm("identity"))
    if isinstance(around, OpTerm) and around.constants:
        cure = "take a strategy that trains networks, or a supernet"
        raise CapabilityError(
            f"differentiable methods know no networks around which the task {task.name} stands; {cure}"
        )

    if method not in METHODS:
        raise UsageError(unknown("method", method, METHODS))
    if not budget_s > 0:
        raise UsageError(wrong("budget_s", budget_s, "> 0"))
    began_s = time.monotonic()
    train, valid = _halves(task, options.seed)
    if fits:
        probe = _halves(task, options.seed, most=_TRIED)
        METHODS[method](space, *probe, replace(options, epochs=1, limits=(), penalty=None))
        ended_s = time.monotonic()
        step_s = float(np.diff(probe[0].read_s[-_TRIED - 1 :])[1:].mean()) if len(probe[0]) == _TRIED else 0.0
        end_s = ended_s - probe[0].read_s[-1]  # of what follows the last step
        left_s = (budget_s - (ended_s - began_s) - end_s) / _CAUTION
        steps = max(1, int(left_s / step_s)) if step_s else MOST_EPOCHS * len(train)
        epochs = int(min(MOST_EPOCHS, max(1, steps // len(train))))
        options = replace(options, epochs=epochs, deadline_s=began_s + budget_s - end_s)
        train.most = min(len(train), steps)
    return METHODS[method](space, train, valid, options)


def _halves(task: Task, seed: int, most: int | None = None) -> tuple[InMemory, InMemory]:
    inputs, targets = task.train()
    order = np.random.default_rng(seed).permutation(len(targets))
    parts = order[: len(order) // 2], order[len(order) // 2 :]
    one, other = (InMemory(inputs[p], targets[p], task.to_input, seed + i, most) for i, p in enumerate(parts))
    return one, other


def architectures_of(found: Found, options: Options, count: int) -> list[Architecture]:
    """What a search found, and its next best guesses; each once, at most ``count``.

    Those are what its earlier epochs would have given; of a search by sampling the next best that it drew at the end.
    """
    ordered: dict[Architecture, None] = {found.architecture: None}
    if isinstance(found, Sampled):
        ordered |= dict.fromkeys(found.others)
    if isinstance(found, Searched):
        for record in reversed(found.history):
            if len(ordered) >= count:
                break
            with suppress(SearchError):  # nothing within a measured limit
                ordered[derived(found.network, record.weights, options, found.costs)] = None
    return list(ordered)[:count]
