"""Which part of a space a search on shared weights searches, where its time is too short to train all of it.

Shared weights are worth their training where each of them takes part in many steps. A space with several kinds of
operations, or with networks that are large for the time, has too many for a short budget. Then hand-made networks (of a
space without any: random ones of several sizes) are trained from nothing first, shortly and all alike, and the weights
are those of the networks that lie within the best of them. Pure functions of the plan and of the history; knows no
executors.

References:
    Cai et al. (2020), Once-for-All (elastic networks within one backbone; here the data chooses the backbone).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from netwright.errors import BuildError, SpaceError
from netwright.evaluation.supernet_files import family_of, networks_of
from netwright.space import SearchSpace
from netwright.space.expressions import Categorical
from netwright.strategies import Strategy
from netwright.study.finals import choose_finalists, feasible
from netwright.study.plan import (
    MOST_SMALLER,
    NOMINAL_IMAGES_PER_S,
    NOMINAL_MACS,
    SMALLEST_IMAGE,
    Plan,
    nominal_rate,
)
from netwright.study.setup import first_proposals, learns_images
from netwright.supernet.family import num_within
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.spec import SearchSpec
    from netwright.study.setup import Parts
    from netwright.tasks.base import Task

OPENED_SHARE = 0.1
"""Part of a time budget that the first trainings should take."""

OPENED_UNTIL = 0.24
"""Part of a time budget after which no further one is begun, where they take longer than they should."""

NO_TIME = (
    "nothing was searched on shared weights: the first trainings left no time to train them; give a larger budget, or "
    "search with --evaluator training"
)

LEAST_EPOCHS, MOST_EPOCHS = 0.1, 3.0
"""Of each of them; with fewer there is no opening. More where the task says that fewer rank badly."""

FEWEST_WITHIN = 50
"""Networks within one, so that there is something to search."""

LOOKED_AT = 48
"""Random networks: their mean says what a step costs, and those of some sizes are trained where none is hand-made."""

QUANTILES = (0.3, 0.45, 0.6, 0.75, 0.9)
"""Of the sizes of random networks."""

OPENED = "opening"
"""Origin of random networks that are trained first."""


@dataclass(frozen=True)
class Opening:
    """The first trainings.

    Args:
        proposals: in their order.
        families: what lies within each that may be chosen.
        goal: what they are compared by.
        equal_time: whether time ends trainings, so that they are compared by what is to be expected after equal time.
        least_cost: of training on an example, below which a network gains nothing by being smaller.
        plan: of the search where there is no time for shared weights.
        constraints: limits.
        settle: the parts of the search within one; of all of the space where there is none.
    """

    proposals: tuple[Proposal, ...]
    families: Mapping[Architecture, SearchSpace]
    goal: Objective
    equal_time: bool
    least_cost: float
    plan: Plan
    constraints: Sequence[Constraint]
    settle: Callable[[Architecture | None], Parts] = field(compare=False)

    def shortened(self, count: int) -> Opening:
        """The first so many of them: time ended the others before they began."""
        return replace(self, proposals=self.proposals[:count])

    def has_ended(self, trials: Sequence[Trial]) -> bool:
        """Whether all of them are in a history."""
        ended = {t.proposal for t in trials}
        return all(p in ended for p in self.proposals)

    def choose(self, trials: Sequence[Trial]) -> Architecture | None:
        """The network that the weights are of; None where all failed or broke a limit.

        Compared as finalists are: where time ends trainings, by the loss to be expected after equal time, as long as a
        last training of its own would be (shared weights get less of the time, and a smaller network would be favoured
        by that; but what lies within a small one reaches less far).
        """
        ended = [t for t in feasible(trials, self.constraints) if t.proposal in self.proposals]
        ended = [t for t in ended if t.architecture in self.families]
        best = choose_finalists(ended, self.goal, 1, equal_time=self.equal_time, least_cost=self.least_cost)
        return best[0].architecture if best else None

    def parts(self, trials: Sequence[Trial]) -> Parts:
        """The parts of the search that follows."""
        return self.settle(self.choose(trials))


class FirstThen:
    """Proposes some networks first, waits for what becomes of all, and is then another strategy.

    Args:
        first: proposed first.
        inner: proposes afterwards; None for nothing more.
    """

    def __init__(self, first: Sequence[Proposal], inner: Strategy | None) -> None:
        self._waiting, self._num_left, self._inner = list(first), len(first), inner

    def ask(self, n: int) -> Sequence[Proposal]:
        """The first ones, then what the inner strategy proposes, once all results are told."""
        if self._waiting:
            first, self._waiting = self._waiting[:n], self._waiting[n:]
            return first
        return () if self._num_left or self._inner is None else self._inner.ask(n)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Pass on what the inner strategy proposed: other trainings say nothing of shared weights."""
        own = trials[self._num_left :]
        self._num_left = max(0, self._num_left - len(trials))
        if own and self._inner is not None:
            self._inner.tell(own)


def opening_of(
    parts: Parts, plan: Plan, spec: SearchSpec, train_s: float, settle: Callable[[Architecture | None], Parts]
) -> Opening | None:
    """The first trainings of a search; None where all of the space can be trained, or where there is no time or choice.

    None, too, on a device whose speed is not known, and with a budget of trials or epochs, which they would use up.

    Args:
        parts: of the search that trains each network.
        plan: of the budget that the search began with, had it no shared weights.
        spec: what is asked for.
        train_s: wall seconds for the shared weights.
        settle: as of `Opening`.
    """
    task, space, budget = parts.task, parts.space, spec.spending
    assert task is not None
    if budget.time_s is None or budget.trials is not None or budget.epochs is not None or spec.device != "cpu":
        return None
    drawn, networks = _drawn(task, space, spec.seed), networks_of(task, space)
    first = [p for p in first_proposals(task, space) if space.admits(p.architecture)]
    usual = [networks.profile(p.architecture).macs for p in first]
    rate = _rate(task, spec.workers, [macs for macs, _ in drawn], usual)
    if not drawn or train_s * rate / _kinds(space) >= plan.final_epochs:
        return None
    tried = first or [Proposal(a, origin=OPENED) for a in _of_sizes(drawn)]
    families = {p.architecture: found for p in tried if (found := _family(task, space, p.architecture)) is not None}
    least = max(LEAST_EPOCHS, getattr(task, "least_epochs", None) or 0.0)
    rate = _rate(task, spec.workers, [networks.profile(p.architecture).macs for p in tried], usual)
    length = min(max(MOST_EPOCHS, least), plan.final_epochs / 2, OPENED_SHARE * budget.time_s * rate / len(tried))
    if not families or length < least:
        return None
    measured = [goal for goal in parts.objectives if goal.metric in task.directions]
    goal = measured[0] if measured else task.objective
    fidelity = Fidelity(float(f"{length:.2g}"))
    return Opening(
        proposals=tuple(replace(p, fidelity=fidelity) for p in tried),
        families=families,
        goal=goal,
        equal_time=plan.equal_time and learns_images(task) and goal.metric in ("accuracy", "loss"),
        least_cost=plan.least_cost,
        plan=replace(parts.plan or plan, num_finalists=max(1, plan.num_finalists)),
        constraints=parts.constraints,
        settle=settle,
    )


def _rate(task: Task, workers: int, macs: Sequence[float], usual: Sequence[float]) -> float:
    """Epochs a second of all workers together, with networks of these sizes.

    Of what is no image by its work, which is that of hand-made networks: larger ones take as much longer.

    Args:
        task: of the search.
        workers: at once.
        macs: multiply-accumulates of the networks.
        usual: those of hand-made ones, where there are any.
    """
    num_images, mean = len(task.train()[1]), max(1.0, float(np.mean(macs))) if len(macs) else 1.0
    if task.work < SMALLEST_IMAGE:
        slower = min(1.0, float(np.mean(usual)) / mean) if len(usual) else 1.0
        return workers * nominal_rate(num_images, task.work) * slower
    faster = min(MOST_SMALLER, NOMINAL_MACS / mean)
    return workers * NOMINAL_IMAGES_PER_S / num_images * faster


def _drawn(task: Task, space: SearchSpace, seed: int) -> list[tuple[float, Architecture]]:
    """Random networks that the space admits, with their multiply-accumulates, the smallest first."""
    rng, networks = np.random.default_rng([seed, 14]), networks_of(task, space)
    found: dict[Architecture, float] = {}
    for _ in range(LOOKED_AT):
        architecture = space.sample(rng)
        if space.admits(architecture):
            try:
                found[architecture] = networks.profile(architecture).macs
            except BuildError:
                continue
    return sorted(((macs, a) for a, macs in found.items()), key=lambda pair: pair[0])


def _of_sizes(drawn: Sequence[tuple[float, Architecture]]) -> list[Architecture]:
    places = sorted({round(share * (len(drawn) - 1)) for share in QUANTILES}) if drawn else []
    return [drawn[place][1] for place in places]


def _family(task: Task, space: SearchSpace, architecture: Architecture) -> SearchSpace | None:
    """What lies within a network; None where that is next to nothing, or where nobody can say how much."""
    try:
        found = family_of(task, space, architecture)
        return found if num_within(found, architecture) >= FEWEST_WITHIN else None
    except (BuildError, SpaceError):
        return None


def _kinds(space: SearchSpace) -> int:
    """Operations that the weights of a space are divided among at one place, at most."""
    domains = [choice.domain for choice in SearchSpace(space.root).choices.values()]
    named = [d.values for d in domains if isinstance(d, Categorical) and all(isinstance(v, str) for v in d.values)]
    return max((len(values) for values in named), default=1)
