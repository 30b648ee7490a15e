"""The end of a search: the finalists' full training, as far as there is time for it.

As many at once as there are workers, since a training is never as many times as fast on several cores; one after the
other on all cores where latency is measured, which others would disturb, and on a device that is not the CPU.
Where nothing usable came out of the search phase, the time that is left goes to the cheapest hand-made network.
Knows nothing of strategies; what is trained and in which order are pure functions of `netwright.study.finals`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import cast

from netwright.evaluation.trainer import TrainingEvaluator
from netwright.storage import Started
from netwright.study.clock import Clock
from netwright.study.finals import (
    FINAL,
    choose_finalists,
    expected_epochs,
    feasible,
    longest_training,
    needed_s,
    share_time,
    shared_speed,
    waiting_finalists,
)
from netwright.study.inheriting import from_nothing, has_inherited, inherits
from netwright.study.machine import Slowness
from netwright.study.plan import FINAL_SHARE, Plan, reserve_at_pace_s
from netwright.study.rung_audit import PROBE
from netwright.study.settings import Settings
from netwright.study.setup import Parts, first_proposals, learns_images
from netwright.study.supernet_parts import front_finalists, shared_objectives
from netwright.study.unfinished import by_what_time_allows, falling
from netwright.types import Architecture, Fidelity, Objective, Proposal, Trial, TrialState

MOST_REPLACED = 3
"""Finalists whose training failed that others are trained for."""

SLOWER = 1.2
"""Times what the pace of its trainings says that a network may need, where one more is trained than was planned."""

LEAST_S = 3.0
"""Wall seconds below which no training is begun."""


Train = Callable[[TrainingEvaluator, Sequence[Proposal]], None]
"""Runs proposals with an evaluator at the same time, to their end, and adds what came of them to the history."""


class FinalPhase:
    """Trains what is delivered.

    Args:
        plan: how the budget is divided.
        parts: of the search.
        settings: how it is run.
        clock: what is spent.
        trials: the history; what is trained here is added to it.
    """

    def __init__(
        self,
        plan: Plan,
        parts: Parts,
        settings: Settings,
        clock: Clock,
        trials: Sequence[Trial],
    ) -> None:
        assert parts.task is not None
        self.plan, self.parts, self.settings, self.clock = plan, parts, settings, clock
        self.trials = trials
        self.task = parts.task
        self.evaluator = cast(TrainingEvaluator, parts.evaluator)
        alone = settings.workers == 1 or self.evaluator.wants_latency or self.evaluator.options.device != "cpu"
        self.slowness = Slowness()
        self._known_latest_s: dict[float, tuple[int, float | None]] = {}  # by caution, with the number of trials then
        self.width = 1 if alone else settings.workers  # trainings at the same time

    def run(self, train: Train, cut: Collection[Architecture] = ()) -> None:
        """Train the finalists that wait; the next best where one fails, and as long as there is time for a whole one.

        Args:
            train: runs a proposal with an evaluator, to its end.
            cut: whose last training was interrupted, and goes on.
        """
        tried: set[Architecture] = set()
        while waiting := self._next(tried, cut):
            going_on = [t for t in waiting if t.architecture in cut]
            chosen = going_on or share_time(waiting, self._gains)
            if not chosen:
                return
            now = self._alike(chosen)[: self.width]
            self._train_fully(train, now, [t for t in (waiting if going_on else chosen) if t not in now])
            tried |= {trial.architecture for trial in now}

    def _next(self, tried: Collection[Architecture], cut: Collection[Architecture]) -> list[Trial]:
        """Finalists that were not tried; else those beyond the plan that were interrupted; else as many as fit in."""
        waiting = [trial for trial in self.waiting() if trial.architecture not in tried]
        if waiting:
            return waiting
        going_on = [t for t in self._ranked() if t.architecture in cut and t.architecture not in tried]
        return [t for t in going_on if (self.clock.remaining_s or 0.0) >= LEAST_S] or self._some_more(tried)

    def waiting(self) -> list[Trial]:
        """The finalists whose last training is still to be made, best first."""
        return self._waiting(self._ranked())

    def _waiting(self, ranked: Sequence[Trial]) -> list[Trial]:
        found = waiting_finalists(
            ranked, self.trials, self.parts.constraints, self._num_finalists(ranked), replace=self._may_replace()
        )
        full = self._fully_trained()
        return [trial for trial in found if trial.architecture not in full]

    def _some_more(self, tried: Collection[Architecture]) -> list[Trial]:
        """The next best networks, where the planned ones ended early and all of their last trainings fit in."""
        if self.settings.budget.time_s is None or not self.plan.num_finalists or not self._may_replace():
            return []
        if self.parts.sharing is not None and not self.plan.finishes:
            return []
        known = {t.architecture for t in self.trials if t.proposal.origin == FINAL} | set(tried) | self._fully_trained()
        following = [t for t in self._ranked() if t.architecture not in known][: self.width]
        while following and SLOWER * self._together_s(following) > self._all_left_s(following):
            following.pop()
        return following

    def _ranked(self) -> list[Trial]:
        searched = [t for t in feasible(self.trials, self.parts.constraints) if t.proposal.origin != FINAL]
        objectives = self.parts.objectives
        if self.parts.sharing is not None:
            objectives = shared_objectives(objectives, self.task)
            if len(objectives) > 1:
                known = [t for t in searched if t.fidelity.epochs is None or t.proposal.origin != PROBE]
                return front_finalists(known, objectives, self.plan.num_finalists)
            searched = [t for t in searched if t.fidelity.epochs is None]  # the others were trained to compare
        if inherits(self.parts):  # some were trained from nothing, and long enough
            searched = [t for t in searched if has_inherited(t) or (t.fidelity.epochs or 0) < self.plan.final_epochs]
        by_accuracy = learns_images(self.task) and [o.metric for o in objectives] in (["accuracy"], ["loss"])
        equal_time = self.plan.equal_time and by_accuracy
        return choose_finalists(
            searched,
            objectives[0],
            len(searched),
            equal_time=equal_time,
            least_cost=self.plan.least_cost,
            in_time=self._in_time(objectives[0]),
        )

    def _in_time(self, objective: Objective) -> Callable[[Sequence[Trial]], Sequence[Trial]] | None:
        """Orders trials of one fidelity by what time allows of their last trainings, see `netwright.study.unfinished`.

        That is what the most that may be kept for finalists is enough for, by what was known before any was trained, so
        that the order does not depend on when it is asked for. None without a limit, and for shared weights.
        """
        limit_s = self.settings.budget.time_s
        if limit_s is None or not self.plan.num_finalists or self.parts.sharing is not None:
            return None
        together = max(1, min(self._planned_finalists, self.width))
        turns = -(-self._planned_finalists // together)
        time_s = max(LEAST_S, (FINAL_SHARE * limit_s - self.plan.reserve_s) / turns)
        speed, ranges = shared_speed(self._processes(together)), self.task.metric_ranges
        searched = [t for t in self.trials if t.proposal.origin != FINAL and t.state is TrialState.FINISHED]
        known, exponent = _by_network(searched), falling(_by_network(from_nothing(searched)), objective, ranges)

        def part(trial: Trial) -> float:
            expected = expected_epochs(known[trial.architecture], time_s, speed, 0.0)
            return min(1.0, expected / self.plan.final_epochs)

        return lambda ranked: by_what_time_allows(ranked, objective, ranges, part, exponent)

    def _trainer_of(self, architecture: Architecture) -> TrainingEvaluator:
        """What trains a network at last: of a search on shared weights from these, or from nothing what they lack."""
        sharing = self.parts.sharing
        return self.evaluator if sharing is None or sharing.holds(architecture) else sharing.alone

    def _alike(self, trials: Sequence[Trial]) -> list[Trial]:
        """Those that are trained as the first of them is."""
        trainer = self._trainer_of(trials[0].architecture)
        return [trial for trial in trials if self._trainer_of(trial.architecture) is trainer]

    def _num_finalists(self, ranked: Sequence[Trial]) -> int:
        """As many as the plan has; of few networks one in eta, but two where the plan has two, and all of a front."""
        if inherits(self.parts) or (self.parts.sharing is not None and len(self.parts.objectives) > 1):
            return min(self.plan.num_finalists, len(ranked))
        return min(self._planned_finalists, max(2, len(ranked) // self.plan.eta))

    @property
    def _planned_finalists(self) -> int:
        """As many as the plan has; where time is limited, as many as can be trained side by side.

        A training cannot use more processes than its steps have parts, so others would be idle.
        """
        planned = self.plan.num_finalists
        if not planned or self.settings.budget.time_s is None or self.parts.sharing is not None:
            return planned
        return max(planned, self.width // self.evaluator.recipe.shards)

    def _gains(self, trial: Trial, finalists: Sequence[Trial]) -> bool:
        """Whether a last training is longer than those that it goes on from, where all of these have one."""
        theirs = [t for t in self.trials if t.architecture == trial.architecture and t.state is TrialState.FINISHED]
        longest, expected = longest_training(from_nothing(theirs)), self.plan.final_epochs
        left_s = self._left_s(trial)
        if left_s is not None:
            part_s = left_s / len(self._groups(finalists))
            speed = shared_speed(self._processes(min(len(finalists), self.width)))
            expected = min(expected, expected_epochs(theirs, part_s, speed, self._kept(trial)))
            return part_s >= LEAST_S and expected > longest
        return True

    def _fully_trained(self) -> set[Architecture]:
        """Networks that were trained as long as a last training is, most of them in the search itself."""
        long = (t for t in self.trials if (t.fidelity.epochs or 0.0) >= self.plan.final_epochs)
        return {t.architecture for t in from_nothing(long) if t.state is TrialState.FINISHED}

    def _processes(self, at_once: int) -> int:
        """Processes that share a step, with so many trainings at once; no more than a step has parts."""
        return max(1, min(self.settings.workers // at_once, self.evaluator.recipe.shards))

    def rescue(self, started: Sequence[Started], train: Train) -> None:
        """Where nothing usable came out of the search: train the cheapest hand-made network in the time that is left.

        Args:
            started: trials, ended or not; one that was cut off goes on.
            train: as of `run`.
        """
        by_architecture = {s.proposal.architecture: s.trial_id for s in started if s.proposal.origin != FINAL}
        for architecture in self._cheapest(by_architecture)[:MOST_REPLACED]:
            left_s = self.clock.remaining_s
            if left_s is None or left_s - self.plan.reserve_s < LEAST_S:
                return
            parent = by_architecture.get(architecture)
            deadline_s = self.clock.deadline_s(self.plan.reserve_s)
            proposal = Proposal(
                architecture, Fidelity(self.plan.final_epochs), () if parent is None else (parent,), FINAL
            )
            trainer = self._trainer_of(architecture)
            train(trainer.with_options(deadline_s=deadline_s, processes=self._processes(1)), [proposal])
            if feasible(self.trials, self.parts.constraints):
                return

    def _cheapest(self, started: Mapping[Architecture, int]) -> list[Architecture]:
        """Hand-made networks, cheapest first; none that ended.

        Those that were begun where the space has no hand-made ones, or where none but carried networks are wanted.
        """
        ended = {trial.architecture for trial in self.trials}
        by_hand = [] if self.parts.carried else first_proposals(self.task, self.parts.space)
        made = [proposal.architecture for proposal in by_hand] or list(started)
        costs: list[tuple[float, int, Architecture]] = []
        for place, architecture in enumerate(made):
            if architecture not in ended:
                sizes = self.evaluator.measure_sizes(self.task.network(self.parts.space, architecture))
                if all(c.holds(sizes[c.metric]) for c in self.parts.constraints if c.metric in sizes):
                    costs.append((sizes["train_cost"], place, architecture))
        return [architecture for _, _, architecture in sorted(costs, key=lambda cost: cost[:2])]

    def _train_fully(self, train: Train, now: Sequence[Trial], others: Sequence[Trial]) -> None:
        """Train some networks at once, in their part of the time and in what the others do not need of theirs."""
        reserve_s = max(self._reserve_s(trial) for trial in now)
        if self.clock.remaining_s is not None:
            part_s = max(0.0, self._all_left_s(now)) / (len(self._groups(others)) + 1)
            reserve_s += sum(min(part_s, self._together_s(later)) for later in self._groups(others))
        patient = self._trainer_of(now[0].architecture).with_options(
            deadline_s=self.clock.deadline_s(reserve_s),
            processes=self._processes(len(now)),
            known_latency_ms=now[0].metrics.get("latency_ms") if len(now) == 1 else None,
        )
        train(patient, [self._last_training(trial) for trial in now])

    def _last_training(self, trial: Trial) -> Proposal:
        fidelity = Fidelity(self.plan.final_epochs, trial.fidelity.data_share)
        parents = () if has_inherited(trial) else (trial.id,)  # what inherited is trained from nothing, by another seed
        return Proposal(trial.architecture, fidelity, parents, FINAL)

    def _groups(self, trials: Sequence[Trial]) -> list[Sequence[Trial]]:
        """Those that are trained at once, one group after the other, in the order of their first ones."""
        left, groups = list(trials), list[Sequence[Trial]]()
        while left:
            groups.append(self._alike(left)[: self.width])
            left = [trial for trial in left if trial not in groups[-1]]
        return groups

    def begins_at_s(self) -> float | None:
        """When the last trainings have to begin so that all come to their end, in seconds of the clock, by their pace.

        None where that is not wanted, or not known: without a limit, or before a network is usable.
        """
        return self._latest_s(1.0) if self.plan.finishes else None

    def spare_until_s(self) -> float | None:
        """How long a search may go on beyond its plan, in seconds of the clock, since the last trainings need less.

        None where they are planned by their pace anyway, where this is not known, and for shared weights.
        """
        if self.plan.finishes or not self.plan.num_finalists or self.parts.sharing is not None:
            return None
        return self._latest_s(SLOWER)

    def _latest_s(self, caution: float) -> float | None:
        """When the last trainings have to begin if they take so many times as long as by their pace."""
        known = self._known_latest_s.get(caution)
        if known is None or known[0] != len(self.trials):
            known = self._known_latest_s[caution] = (len(self.trials), self._find_latest_s(caution))
        return known[1]

    def _find_latest_s(self, caution: float) -> float | None:
        limit_s = self.settings.budget.time_s
        if limit_s is None or not feasible(self.trials, self.parts.constraints):
            return None
        ranked = self._ranked()
        waiting = self._waiting(ranked)
        full = set() if waiting else self._fully_trained()
        delivered = waiting or [t for t in ranked if t.architecture in full][: self._planned_finalists]
        if not delivered:
            return None
        planned = waiting[: self.plan.num_finalists]  # others are trained beside them, as far as time allows
        needed_s = caution * sum(self._together_s(group) for group in self._groups(planned))
        reserve_s = max(self._reserve_s(trial) for trial in delivered[: self.plan.num_finalists])
        if not waiting:  # no last training leaves any of its time to a slow export
            reserve_s = max(reserve_s, self.plan.reserve_s)
        return max(0.0, limit_s - reserve_s - needed_s)

    def _together_s(self, trials: Sequence[Trial]) -> float:
        """Wall seconds of the whole last trainings of some networks at once."""
        speed = shared_speed(self._processes(len(trials)))
        found = []
        for trial in trials:
            theirs = [t for t in self.trials if t.architecture == trial.architecture and t.state is TrialState.FINISHED]
            found.append(needed_s(theirs, self.plan.final_epochs, speed, self._kept(trial)))
        return max(found)

    def _kept(self, trial: Trial) -> float:
        """Share of a network's training that its last one goes on from."""
        goes_on = self._has_checkpoint(trial) and not has_inherited(trial)
        return 1 - self.evaluator.recipe.decay_share if goes_on else 0.0

    def _may_replace(self) -> bool:
        """Whether there is budget for another finalist in the place of one that failed."""
        finals = [trial for trial in self.trials if trial.proposal.origin == FINAL]
        if len(finals) - len(feasible(finals, self.parts.constraints)) > MOST_REPLACED:
            return False
        most = self.settings.budget.trials
        return most is None or sum(t.state is not TrialState.INFEASIBLE for t in self.trials) < most

    def _left_s(self, trial: Trial) -> float | None:
        """Wall seconds for last trainings, if this network is delivered; None without a limit."""
        left_s = self.clock.remaining_s
        return None if left_s is None else left_s - self._reserve_s(trial)

    def _all_left_s(self, trials: Sequence[Trial]) -> float:
        """Wall seconds for last trainings of some networks, whichever is delivered; none without a limit."""
        return min(self._left_s(trial) or 0.0 for trial in trials)

    def _has_checkpoint(self, trial: Trial) -> bool:
        return bool(self.evaluator.checkpoint_files(trial.architecture, trial.fidelity, trial.seed))

    def _reserve_s(self, trial: Trial) -> float:
        """Wall seconds that export and check of a trial's network will take, by how long its training took."""
        trained = trial.metrics.get("epochs", 0.0)
        if trained <= 0:
            return self.plan.reserve_s
        num_images = trained * trial.fidelity.data_share * len(self.task.train()[1])
        train_s = trial.metrics["train_time_s"] / num_images
        num_scored = self.task.num_scored
        return reserve_at_pace_s(self.plan, self.settings.budget, train_s, num_scored, slowness=self.slowness())


def _by_network(trials: Sequence[Trial]) -> dict[Architecture, list[Trial]]:
    """The trials of each network."""
    found: dict[Architecture, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.architecture, []).append(trial)
    return found
