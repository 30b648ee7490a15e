"""A differentiable search on the examples of a task, as long as there is time: for callers that know tasks and budgets.

Half of the training examples trains the weights, the other half the architecture; validation examples are not looked
at. Knows neither strategies nor trials.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netwright.errors import CapabilityError, SearchError, SpaceError, UsageError, unknown, wrong
from netwright.gradient_methods import WITHOUT_RELAXATION
from netwright.space import SearchSpace
from netwright.supernet.differentiable.course import derived
from netwright.supernet.differentiable.examples import Batch
from netwright.supernet.differentiable.options import Options
from netwright.supernet.differentiable.relaxed import around
from netwright.supernet.differentiable.result import Found, Sampled, Searched
from netwright.tasks.base import Task
from netwright.tasks.batch_size import fitting_batch_size
from netwright.types import Architecture

LEAST_EPOCHS, MOST_EPOCHS = 10, 50
"""Of a search in a time: what methods change over their epochs (rates, temperatures, penalties) changes in each."""

BATCH_SIZE = 64
"""Examples of a batch at most; where they are no classes, as many as fit their number."""

TRAVEL = 3e-4 * 50 * 390
"""Rate of the architecture weights times steps in DARTS (50 epochs of 390 batches): so far they can come. DrNAS and
beta-DARTS search NAS-Bench-201 for 100 epochs."""

MOST_RATE = 0.05
"""Of the architecture weights."""

_TRIED = 2  # batches of each of the two epochs whose time is measured, of which the first does not count
_CAUTION = 1.15


class InMemory:
    """Batches of examples in another order each time they are read; a last one that is not full is dropped.

    Args:
        inputs: shape (N, ...), as stored.
        targets: shape (N, ...).
        to_input: makes a batch of stored values network input.
        seed: of the orders.
        most: batches of one reading; None for all.
        size: examples of a batch, at most.

    Raises:
        UsageError: there are no examples.
    """

    def __init__(
        self,
        inputs: NDArray[Any],
        targets: NDArray[Any],
        to_input: Callable[[Tensor], Tensor],
        seed: int,
        most: int | None = None,
        size: int | None = None,
    ) -> None:
        if not len(targets):
            cure = "give at least two: one half trains the weights, the other the architecture"
            raise UsageError(wrong("training examples of a half", 0, ">= 1", cure))
        self.inputs, self.targets, self.to_input, self.most = inputs, targets, to_input, most
        self.size = min(BATCH_SIZE if size is None else size, len(targets))
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
        budget_s: wall seconds, > 0. How many steps fit into it is measured first, so that the result depends on the
            machine's speed; give ``options`` with the epochs to fix it.
        seed: of all that is drawn.
        count: most architectures; those after the first are what earlier epochs would have given.
        options: those of the method; seed and what is put before the network are set here.

    Raises:
        UsageError: the method is not known, or a number cannot be.
        SpaceError: the space cannot be relaxed.
        TrialError: a loss is not finite.
        SearchError: no architecture keeps the limits.
    """
    set_ = replace(options or Options(), seed=seed, wrap=task.normalised, input_dtype=task.input_dtype)
    own = options is None
    found = search_task(task, space, method, set_, budget_s=budget_s, fits=own, travels=own)
    return architectures_of(found, set_, count)


def search_task(
    task: Task,
    space: SearchSpace,
    method: str,
    options: Options,
    *,
    budget_s: float,
    fits: bool = True,
    travels: bool = True,
) -> Found:
    """Search with half of the training examples for the weights and half for the architecture.

    Args:
        task: whose training examples are used.
        space: where to search.
        method: a key of `METHODS`.
        options: those of the method; the loss is the task's where they have none.
        budget_s: wall seconds, > 0.
        fits: as many steps as fit into the time, in `LEAST_EPOCHS` to `MOST_EPOCHS` epochs. An epoch is a part of the
            examples where fewer passes over them fit than the least; others come in the next, as they are drawn anew.
            False: the epochs of the options, each over all examples.
        travels: raise the rate of the architecture weights where there are few steps, see `travelling`.

    Raises:
        UsageError: the method is not known, or a number cannot be.
        CapabilityError: networks of the task stand within something, such as a graph, which relaxed ones do not.
        SpaceError: the space cannot be relaxed.
        TrialError: a loss is not finite.
        SearchError: no architecture keeps the limits.
    """
    from netwright.supernet.differentiable import METHODS

    if method not in METHODS:
        raise UsageError(unknown("method", method, METHODS))
    require_relaxable(task, method)
    if not budget_s > 0:
        raise UsageError(wrong("budget_s", budget_s, "> 0"))
    began_s = time.monotonic()
    options = options if options.loss is not None else replace(options, loss=task.loss)
    train, valid = _halves(task, options.seed)
    if fits:
        probe = _halves(task, options.seed, most=_TRIED)
        whole = replace(options, epochs=2, alarm=replace(options.alarm, stop=False), deadline_s=None)
        METHODS[method](space, *probe, replace(whole, limits=(), penalty=None))
        ended_s = time.monotonic()
        pace = Pace.of(probe[0].read_s[-2 * (len(probe[0]) + 1) :], ended_s)
        left_s = (budget_s - (ended_s - began_s) - pace.end_s) / _CAUTION
        epochs, train.most = pace.planned(left_s, len(train))
        options = replace(options, epochs=epochs, deadline_s=began_s + budget_s - pace.end_s)
    if travels:
        options = travelling(options, options.epochs * len(train))
    return METHODS[method](space, train, valid, options)


def require_relaxable(task: Task, method: str) -> None:
    """Check that a method can search networks of a task: relaxed ones stand within nothing, single ones may.

    Raises:
        CapabilityError: it cannot.
    """
    if method == WITHOUT_RELAXATION:
        return
    try:
        around(task.normalised)
    except SpaceError as error:
        cure = f"take {WITHOUT_RELAXATION}, a strategy that trains networks, or a supernet"
        raise CapabilityError(f"{method} cannot search networks of the task {task.name}: {error}; {cure}") from error


def travelling(options: Options, steps: int) -> Options:
    """Options with a rate by which the architecture weights can come as far as in a search as long as DARTS' own.

    With its rate a search of minutes ends with weights that hardly differ, so that what it takes is chance.

    Args:
        options: of a search; a larger rate stays.
        steps: that it makes.

    Example:
        >>> [travelling(Options(), steps).arch_learning_rate for steps in (100, 1170, 10**6)]
        [0.05, 0.005, 0.0003]
    """
    rate = min(MOST_RATE, TRAVEL / max(1, steps))
    return replace(options, arch_learning_rate=max(options.arch_learning_rate, rate))


@dataclass(frozen=True)
class Pace:
    """Wall seconds of the parts of a search.

    Args:
        step_s: of a step of the weights and what goes with it.
        epoch_s: of what follows the last step of an epoch, before the next.
        end_s: of what follows the last step of the search.
    """

    step_s: float
    epoch_s: float
    end_s: float

    @classmethod
    def of(cls, read_s: Sequence[float], ended_s: float) -> Pace:
        """That of two epochs of so many steps each.

        Args:
            read_s: when each batch was read, and the end of each epoch.
            ended_s: when the search had ended.
        """
        first, second = read_s[: len(read_s) // 2], read_s[len(read_s) // 2 :]
        steps = [*np.diff(first)[1:], *np.diff(second)]
        return cls(float(np.mean(steps)), second[0] - first[-1], ended_s - second[-1])

    def planned(self, left_s: float, batches: int) -> tuple[int, int]:
        """Epochs of a search, and batches of each.

        Args:
            left_s: for all of them.
            batches: that there are.

        Example:
            >>> pace = Pace(step_s=1.0, epoch_s=0.0, end_s=0.0)
            >>> [pace.planned(left_s, 130) for left_s in (7, 195, 4000, 10**6)]
            [(7, 1), (10, 19), (30, 130), (50, 130)]
        """
        most = min(MOST_EPOCHS, left_s / (2 * self.epoch_s)) if self.epoch_s else MOST_EPOCHS
        steps = max(1, int(left_s / self.step_s))
        for _ in range(2):  # what follows each epoch takes time from the steps
            epochs = max(1, int(min(most, max(LEAST_EPOCHS, steps // batches), steps)))
            steps = max(1, int((left_s - epochs * self.epoch_s) / self.step_s))
        return epochs, min(batches, max(1, steps // epochs))


def passes(found: Found, task: Task) -> float:
    """How often a search of `search_task` ran through its half of the examples."""
    half = len(task.train()[1]) // 2
    return sum(record.steps for record in found.history) * min(_batch_size(task), half) / half


def _batch_size(task: Task) -> int:
    return BATCH_SIZE if task.classifies else min(BATCH_SIZE, fitting_batch_size(len(task.train()[1])))


def _halves(task: Task, seed: int, most: int | None = None) -> tuple[InMemory, InMemory]:
    inputs, targets = task.train()
    order = np.random.default_rng(seed).permutation(len(targets))
    parts = order[: len(order) // 2], order[len(order) // 2 :]
    size = _batch_size(task)
    one, other = (InMemory(inputs[p], targets[p], task.to_input, seed + i, most, size) for i, p in enumerate(parts))
    return one, other


def architectures_of(found: Found, options: Options, count: int) -> list[Architecture]:
    """What a search found, and its next best guesses; each once, at most ``count``.

    Those are what it would have given before a collapse, and what its other epochs would have given; of a search by
    sampling the next best that it drew at the end.
    """
    ordered: dict[Architecture, None] = {found.architecture: None}
    sound = [] if found.alarm is None or found.alarm.safe_epoch < 0 else [found.history[found.alarm.safe_epoch]]
    if isinstance(found, Sampled):
        ordered |= dict.fromkeys((*(record.architecture for record in sound), *found.others))
    if isinstance(found, Searched):
        for record in (*sound, *reversed(found.history)):
            if len(ordered) >= count:
                break
            with suppress(SearchError):  # nothing within a measured limit
                ordered[derived(found.network, record.weights, options, found.costs)] = None
    return list(ordered)[:count]
