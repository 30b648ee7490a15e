"""One sitting of a search: drives the loop through its phases over an open store, and gives the result.

The phases: the strategy's search (the hand-made reference networks are its first trials), the full training of the
finalists, export and check. A sitting may end anywhere; the next one goes on from the stored history.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from netwright.errors import SearchError, SpecError, wrong
from netwright.evaluation.base import Evaluator, Parent
from netwright.evaluation.ladder import SHARED
from netwright.evaluation.trainer import TrainingEvaluator
from netwright.execution import Executor, FailurePolicy, InProcessExecutor, IsolatedExecutor
from netwright.progress import Listener
from netwright.storage import Store
from netwright.study import leftovers
from netwright.study.allowance import Allowance
from netwright.study.clock import Clock, StopRequest
from netwright.study.final_phase import FinalPhase
from netwright.study.finals import best_references, compare, feasible, pareto_front
from netwright.study.inheriting import fairness, from_nothing, inherits, parent_of
from netwright.study.ladder_report import LadderReport, stored_agreements
from netwright.study.loop import Loop
from netwright.study.remarks import notes_of, nothing_usable, warnings_of
from netwright.study.result import Result
from netwright.study.rung_audit import RungAgreement, rung_agreements
from netwright.study.scoring_phase import make_scores, store_scores, stored_scores
from netwright.study.settings import Settings
from netwright.study.setup import Parts
from netwright.study.shared_rung import notes as notes_of_rung
from netwright.study.standing import Standing
from netwright.study.supernet_audit import supernet_agreement
from netwright.study.supernet_opening import NO_TIME, OPENED, OPENED_UNTIL, FirstThen, Opening
from netwright.study.supernet_parts import Sharing, shared_objectives
from netwright.study.supernet_phase import Ears
from netwright.study.supernet_record import is_supernet
from netwright.types import Proposal, Trial, TrialState, best_first

_log = logging.getLogger(__name__)
SPENT = "spent_s"
FINALS = "finals"
"""Event: the last trainings of a budget begin. A sitting that goes on from there searches no more, whatever time the
paces of what ended meanwhile would leave."""
NOTE_EVERY_S = 5.0

COMPARED, ALONE_SHARE = 2, 0.25
"""Networks that make a comparison, and the part of what is left that trainings may go on for until it is one."""

LEAST_SEARCHED = 0.2
"""Part of a time budget that is searched, however long the finalists will take."""


class Sitting:
    """The phases of a search over an open store.

    Args:
        settings: how it is run.
        parts: what it is made of.
        store: its history.
        run: folder of the run; None where nothing is kept.
        clock: what was spent.
        listener: is told how it stands.
    """

    def __init__(
        self,
        settings: Settings,
        parts: Parts,
        store: Store,
        run: Path | None,
        clock: Clock,
        listener: Listener | None,
    ) -> None:
        self.settings, self.parts, self.store, self.run_folder = settings, parts, store, run
        self.clock, self.listener = clock, listener or (lambda status: None)
        self.clock.limit_s = settings.budget.time_s
        self.stop = StopRequest()
        self.trials = store.trials()
        self.phase = "search"
        self.failures = FailurePolicy()
        self.num_running = 0
        self.noted_s = clock.elapsed_s
        self.notes: tuple[str, ...] = ()
        self.standing = Standing(parts.objectives, parts.constraints)
        for trial in self.trials:
            self.standing.add(trial)
        self.final = self._final_phase()
        self.is_searched = self._has_noted(FINALS)
        self.ladder_report = None if parts.ladder is None else LadderReport(parts.ladder, store, self._say)

    def run(self) -> Result:
        """Drive the search to its end.

        Raises:
            Interrupted: a signal asked to stop.
            SearchError: no usable network.
        """
        if self._is_done():
            self._settle()
            return self._result("it was finished before")
        if self.parts.task is not None:
            self._tell(message=f"data: {self.parts.task.data_line()}")
        if self.parts.searched_by:
            self._say(self.parts.searched_by)
        with self.stop.listening(lambda text: self._tell(message=text)):
            self._open()
            self._train_supernet()
            self._search_by_gradients()
            with self._executor() as executor:
                self._score_pool()
                self._score_by_shared_weights()
                loop = self._loop(executor)
                loop.replay(self.store.started(), list(self.store.commits()))
                self._report(LadderReport.skip)
                loop.run(self._search_may_end)
                self._drain(loop, self._search_ends_s)
                self._report(LadderReport.tell_new, LadderReport.tell_saved, LadderReport.keep)
                stopped = self._why(loop)
            if self.final is not None:
                self._finals(loop, self.final)
            result = self._result(stopped)
        if self._trainer is not None:
            leftovers.clear(self._trainer, self.trials)
        self._note_time()
        self._tell(message=f"done in {self.clock.elapsed_s:.0f} s, all sittings together")
        self.store.append_event("done", str(self.settings.budget))
        return result

    def warn(self, text: str) -> None:
        """Tell the log and the listener of something odd; nothing where there is no text."""
        if text:
            _log.warning("%s", text)
            self._tell(message=f"warning: {text}")

    def _say(self, text: str) -> None:
        _log.info("%s", text)
        self._tell(message=text)

    def _is_done(self) -> bool:
        """Whether an earlier sitting spent this very budget."""
        return self._has_noted("done")

    def _has_noted(self, kind: str) -> bool:
        return any(event.body == str(self.settings.budget) for event in self.store.events(kind)[-1:])

    @property
    def _trainer(self) -> TrainingEvaluator | None:
        """The evaluator, where it is this search's own and writes into its folder."""
        evaluator = self.parts.evaluator
        return evaluator if self.parts.task is not None and isinstance(evaluator, TrainingEvaluator) else None

    def _executor(self) -> Executor:
        if not self.settings.isolated:
            return InProcessExecutor(self.parts.evaluator)
        return self._isolated(self.parts.evaluator, self.settings.workers)

    def _isolated(self, evaluator: Evaluator, workers: int = 1) -> IsolatedExecutor:
        logs = None if self.run_folder is None else self.run_folder / "logs"
        return IsolatedExecutor(evaluator, workers=workers, limits=self.settings.limits, log_dir=logs)

    def _loop(self, executor: Executor) -> Loop:
        search = self.settings.budget if self.parts.plan is None else self.parts.plan.search
        return Loop(
            self.parts.strategy,
            executor,
            self.store,
            seed=self.settings.seed,
            allowance=Allowance(search.trials, search.epochs),
            lag=self.settings.lag,
            ordered=self.settings.ordered,
            needs=[objective.metric for objective in self.parts.objectives],
            on_end=self._ended,
            on_wait=self._waited,
            parent_of=self._parent_of,
        )

    def _open(self) -> None:
        """Make the first trainings where they decide which networks share weights; what follows is then known."""
        opening = self._opening()
        if opening is None:
            return
        if not opening.has_ended(self.trials):
            with self._executor() as executor:
                loop = self._loop(executor)
                loop.replay(self.store.started(), list(self.store.commits()))
                loop.run(self._opening_may_end)
                self._drain(loop, self._search_ends_s)
            begun = len(self.store.started())
            if begun < len(opening.proposals) and opening.shortened(begun).has_ended(self.trials):
                self.store.append_event(OPENED, begun)
        self._settle()
        for note in self.notes:
            self.warn(note)
        if self.parts.sharing is not None and self.parts.sharing.held:
            self._say(self.parts.sharing.held)

    def _opening(self) -> Opening | None:
        """The first trainings, as far as time let them begin."""
        opening = self.parts.opening
        for event in self.store.events(OPENED)[-1:] if opening is not None else ():
            if isinstance(event.body, int) and opening is not None:
                opening = opening.shortened(event.body)
        return opening

    def _opening_may_end(self) -> bool:
        limit_s = self.settings.budget.time_s
        late = limit_s is not None and bool(self.trials) and self.clock.elapsed_s >= OPENED_UNTIL * limit_s
        return late or self._search_may_end()

    def _settle(self) -> None:
        """Go on with the parts of what the first trainings decided; without shared weights where no time is left."""
        opening = self._opening()
        if opening is None:
            return
        found = opening.parts(self.trials) if opening.proposals and opening.has_ended(self.trials) else None
        sharing = None if found is None else found.sharing
        if found is None or sharing is None or self._is_late(sharing):
            self.notes = (NO_TIME,)
            strategy = FirstThen(opening.proposals, None)
            self.parts = replace(self.parts, strategy=strategy, plan=opening.plan, sharing=None, opening=None)
        else:
            strategy = FirstThen(opening.proposals, found.strategy)
            self.parts = replace(found, strategy=strategy, searched_by=self.parts.searched_by, opening=None)
        self.final = self._final_phase()

    def _is_late(self, sharing: Sharing) -> bool:
        if sharing.phase.open() or is_supernet(sharing.phase.folder):
            return False
        return sharing.is_late(self.clock.elapsed_s, self.settings.budget.time_s)

    def _train_supernet(self) -> None:
        """Train the weights that the search shares, where it does."""
        sharing, rung = self.parts.sharing, self.parts.shared_rung
        limit_s = self.settings.budget.time_s
        try:
            if sharing is not None:
                ends_s = None if limit_s is None else self.clock.deadline_s((1 - sharing.trains_until) * limit_s)
                sharing.phase.run(self._ears, ends_s)
            if rung is not None:
                rung.train(self.store, self._ears, self.clock)
        finally:
            self._note_time()

    def _search_by_gradients(self) -> None:
        """Find the networks that are trained, where no strategy proposes them."""
        if self.parts.by_gradients is not None:
            try:
                self.parts.by_gradients.run(self._ears, self.settings.seed)
            finally:
                self._note_time()

    @property
    def _ears(self) -> Ears:
        return Ears(lambda text: self._tell(message=text), self._signal)

    def _signal(self) -> int | None:
        """The signal that asked to stop; whoever asks for it waits, so that it is noted now and then how long."""
        self._note_at_times()
        return self.stop.signal_number

    def _parent_of(self, proposal: Proposal) -> Parent | None:
        """With whose weights a network begins; nobody's where a search does not inherit."""
        return parent_of(proposal, {t.id: t for t in self.trials}) if inherits(self.parts) else None

    def _score_pool(self) -> None:
        """Give the ladder the scores of its pool: those that the run holds, or new ones as far as there is time."""
        screen = None if self.parts.ladder is None else self.parts.ladder.screen
        if screen is None or not screen.num_to_score or self.run_folder is None or self.parts.task is None:
            return
        scored = stored_scores(self.store)
        if scored is None:
            self._tell(message=f"ladder: scoring {len(screen.to_score)} networks before the search")
            folder = self.run_folder / "work" / "scores"
            scored = make_scores(
                self.parts.task,
                self.parts.space,
                screen.to_score,
                folder=folder,
                seed=self.settings.seed,
                workers=self.settings.workers,
                may_go_on=self._time_to_score(screen.most_s),
            )
            self._note_time()
            self.stop.raise_if_asked()
            store_scores(self.store, scored, folder)
        self._tell(message=screen.fill(scored))

    def _score_by_shared_weights(self) -> None:
        """Give the ladder what shared weights say of its pool, where it has that rung: what the run holds, or anew."""
        rung = self.parts.shared_rung
        if rung is None or self.run_folder is None or self.parts.ladder is None or self.parts.ladder.screen is None:
            return
        screen, folder = self.parts.ladder.screen, self.run_folder / "work" / "shared"
        most_s = math.inf if rung.plan.most_s is None else rung.plan.most_s
        networks = () if rung.plan.why_not else screen.to_share
        found = rung.score(self.store, networks, folder, self.settings.workers, self._time_to_score(most_s))
        self._note_time()
        self.stop.raise_if_asked()
        rung.keep(self.store, found, folder)
        why_not = found.why_not
        self._tell(message=screen.leave_out(SHARED, why_not) if why_not else screen.fill(found.scored, SHARED))

    def _time_to_score(self, most_s: float) -> Callable[[], float]:
        """Tells how much longer scoring may take: at most half of what is left to search, nothing after a signal."""
        plan, begin_s = self.parts.plan, self.clock.elapsed_s
        search_s = None if plan is None else plan.search.time_s
        end_s = begin_s + (most_s if search_s is None else min(most_s, (search_s - begin_s) / 2))

        def left_s() -> float:
            self._note_time()
            return 0.0 if self.stop() else end_s - self.clock.elapsed_s

        return left_s

    def _report(self, *does: Callable[[LadderReport], None]) -> None:
        if self.ladder_report is not None:
            for do in does:
                do(self.ladder_report)

    def _search_may_end(self) -> bool:
        self._report(LadderReport.tell_new)
        return self.stop() or self.is_searched or self._search_is_over()

    def _search_is_over(self) -> bool:
        if self.parts.plan is None or self.parts.plan.search.time_s is None:
            limit = self.settings.budget.time_s
            return limit is not None and self.clock.elapsed_s >= limit
        end_s = self._finals_begin_s()
        if end_s is None:
            end_s = self.parts.plan.search.time_s
            if not self.trials:  # nothing new is begun before the first ends, which tells what the last training needs
                end_s = max(end_s, (self._search_ends_s() or 0.0) + self.parts.plan.grace_s)
        return self.clock.elapsed_s >= end_s - self.parts.plan.grace_s

    def _finals_begin_s(self) -> float | None:
        """When the time for the finalists begins, as measured; None where the plan has to do."""
        plan = self.parts.plan
        if self.final is None or plan is None or plan.search.time_s is None:
            return None
        begin_s = self.final.begins_at_s()
        if begin_s is None:
            spare_s = self.final.spare_until_s()
            return spare_s if spare_s is not None and spare_s > plan.search.time_s else None
        least_s = LEAST_SEARCHED * (self.settings.budget.time_s or 0.0) + plan.grace_s  # of which nothing new is begun
        return max(begin_s, min(plan.search.time_s, least_s))

    def _search_ends_s(self) -> float | None:
        """Until when trials of the search phase may go on, in seconds of the clock; None for as long as it takes.

        As long as there is nothing to deliver, until half of what is left after the search phase is spent, too; the
        other half is for a training that ends in time. One network alone is no comparison: what runs beside it may take
        a part of what is left.
        """
        plan, limit_s = self.parts.plan, self.settings.budget.time_s
        if self.is_searched:
            return 0.0
        if plan is None or plan.search.time_s is None or limit_s is None:
            return limit_s
        end_s = self._finals_begin_s()
        if end_s is None:
            left_s = limit_s - plan.reserve_s - plan.search.time_s
            end_s = plan.search.time_s + min(plan.grace_s, left_s / 2 if plan.num_finalists else left_s)
        usable = {trial.architecture for trial in feasible(self.trials, self.parts.constraints)}
        if len(usable) >= COMPARED:
            return end_s
        left_s = max(0.0, limit_s - plan.reserve_s - end_s)
        return end_s + (ALONE_SHARE if usable else 0.5) * left_s

    def _drain(self, loop: Loop, until_s: Callable[[], float | None]) -> None:
        """Let what runs end, as long as there is time; then stop here if a signal asked to.

        What has not ended by then is killed with the executor, and run again by a resume.
        """
        while loop.running and ((end_s := until_s()) is None or self.clock.elapsed_s < end_s):
            self.num_running = len(loop.running)
            loop.collect()
        loop.running.clear()
        self._note_time()
        self.stop.raise_if_asked()

    def _why(self, loop: Loop) -> str:
        if self._search_is_over():
            return f"the time for searching is spent ({self.clock.elapsed_s:.0f} s)"
        if loop.exhausted:
            return "every architecture of the space was tried"
        if loop.allowance.too_many_infeasible:
            return "nearly all architectures break a limit"
        return "the budget is spent"

    def _ended(self, trial: Trial) -> None:
        self.trials.append(trial)
        self.standing.add(trial)
        self.failures.add(trial)
        if self._note_at_times():
            self._report(LadderReport.keep)
            if self._trainer is not None:
                leftovers.make_room(self._trainer, self.trials, self.parts.objectives[0])
        self._tell(trial=trial)

    def _waited(self) -> None:
        """Nothing has ended for a while: a long training counts before its end, too, should a kill be the end."""
        self._note_at_times()
        self._tell()

    def _note_at_times(self) -> bool:
        """Store how much time is spent, where the last note of it is old; whether it was."""
        is_old = self.clock.elapsed_s - self.noted_s >= NOTE_EVERY_S
        if is_old:
            self._note_time()
        return is_old

    def _note_time(self) -> None:
        """Store how much time is spent, so that a resume after a kill knows."""
        self.noted_s = self.clock.elapsed_s
        self.store.append_event(SPENT, round(self.noted_s, 3))

    def _tell(self, trial: Trial | None = None, message: str = "") -> None:
        self.listener(
            self.standing.status(self.phase, self.clock, running=self.num_running, trial=trial, message=message)
        )

    def _final_phase(self) -> FinalPhase | None:
        """The end of the search; None where the evaluator is a person's own."""
        if self.parts.plan is None:
            return None
        return FinalPhase(self.parts.plan, self.parts, self.settings, self.clock, self.trials)

    def _finals(self, loop: Loop, final: FinalPhase) -> None:
        """Train what is delivered; see `FinalPhase`."""

        def train(evaluator: TrainingEvaluator, proposals: Sequence[Proposal]) -> None:
            with self._isolated(evaluator, len(proposals)) as loop.executor:
                for proposal in proposals:
                    loop.finish(proposal)
                self._drain(loop, lambda: self.settings.budget.time_s)

        self.phase = "final"
        if not self.is_searched:
            self.store.append_event(FINALS, str(self.settings.budget))
            self.is_searched = True
        if not feasible(self.trials, self.parts.constraints):
            final.rescue(self.store.started(), train)
        final.run(train, {started.proposal.architecture for started in loop.cut})

    def _agreements(self) -> tuple[RungAgreement, ...]:
        objective = self.parts.objectives[0]
        if self.parts.sharing is not None:
            assert self.parts.task is not None
            return supernet_agreement(
                self.trials, objective, shared_objectives(self.parts.objectives, self.parts.task)[0]
            )
        found = stored_agreements(self.store.events()) or rung_agreements(self.trials, objective)
        fair = fairness(self.trials, objective) if inherits(self.parts) else None
        return found if fair is None else (*found, fair)

    def _result(self, stopped: str) -> Result:
        if not self.trials and self._search_is_over():
            cure = f"it was spent after {self.clock.elapsed_s:.1f} s, before a trial ended; give minutes"
            raise SpecError(wrong("budget", str(self.settings.budget), "long enough for a trial", cure))
        good = feasible(self.trials, self.parts.constraints)
        objective = self.parts.objectives[0]
        ranked = best_first(good, objective)
        if not ranked:
            raise SearchError(nothing_usable(self.trials))
        rungs = self._agreements()
        shared_notes = notes_of_rung(self.parts.shared_rung, self.store, rungs)
        result = Result(
            run=self.run_folder,
            objectives=self.parts.objectives,
            best=ranked[0],
            references=best_references(good),
            comparisons=compare(ranked[0], from_nothing(good), objective),
            front=pareto_front(good, self.parts.objectives),
            num_trials=len(self.trials),
            stopped=stopped,
            counts={state: self.standing.counts[state] for state in TrialState},
            notes=(*notes_of(ranked[0], self.trials, self.parts, self.settings.budget), *shared_notes, *self.notes),
            warnings=warnings_of(ranked[0], self.trials, self.parts),
            rungs=rungs,
        )
        for warning in () if self._is_done() else result.warnings:
            self.warn(warning)
        if self.parts.task is None or self.run_folder is None:
            return result
        from netwright.study.delivery import Desk, deliver, recall

        if self._is_done() and (self.run_folder / "best" / "card.json").is_file():
            return recall(result, self.run_folder / "best")
        self.phase = "export"
        desk = Desk(lambda text: self._tell(message=text), lambda: self.clock.remaining_s)
        return deliver(result, self.parts, self.settings.seed, self.trials, self.run_folder / "best", desk)
