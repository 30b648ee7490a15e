"""The loop of every search: ask a strategy, run what it proposes, store how it ended, tell the strategy.

Two workers finish in an order nobody controls. In the ordered mode (the default) results are *stored* as they come but
*told* in the order of asking, and at most ``lag`` trials are asked and not yet told; so the sequence of asks and tells,
and with it the search, depends on the seed alone. Since a strategy's state is a function of what it was asked and told,
a stored history is replayed into a fresh strategy to go on after any interruption. Knows no tasks, phases or clocks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from netwright.errors import DiskFullError, StudyMismatchError
from netwright.evaluation.base import Parent
from netwright.execution import Executor, Job, require
from netwright.execution.outcomes import DISK_FULL
from netwright.storage import Started, Store
from netwright.strategies import Exhausted, Strategy
from netwright.study.allowance import Allowance
from netwright.study.finals import FINAL
from netwright.study.seeds import trial_seed
from netwright.types import Proposal, Trial


class Loop:
    """Asks, runs, stores and tells.

    Args:
        strategy: proposes.
        executor: runs; trials survive or fail there, never here.
        store: keeps. A trial is acknowledged when its commit returns.
        seed: of the study; a trial's seed follows from it and the trial's id.
        allowance: says whether another trial may be started.
        lag: most trials that are asked and not told; at least the number of workers.
        ordered: tell in the order of asking; False: in the order of ending.
        needs: metrics a finished trial must have; one without them failed.
        on_end: called with each trial once it is stored.
        on_wait: called now and then while nothing ends.
        parent_of: with whose weights a proposal's network may begin; None for nobody's.
    """

    def __init__(
        self,
        strategy: Strategy,
        executor: Executor,
        store: Store,
        *,
        seed: int,
        allowance: Allowance,
        lag: int,
        ordered: bool = True,
        needs: Sequence[str] = (),
        on_end: Callable[[Trial], None] = lambda trial: None,
        on_wait: Callable[[], None] = lambda: None,
        parent_of: Callable[[Proposal], Parent | None] = lambda proposal: None,
    ) -> None:
        self.strategy, self.executor, self.store = strategy, executor, store
        self.seed, self.allowance, self.lag, self.ordered = seed, allowance, lag, ordered
        self.needs, self.on_end, self.on_wait = tuple(needs), on_end, on_wait
        self.parent_of = parent_of
        self.next_id = 0
        self.running: dict[int, Started] = {}
        self.untold: dict[int, None] = {}  # ids asked by the strategy and not told, in the order of asking
        self.ended: dict[int, Trial] = {}  # of these, those that ended, in the order of ending
        self.told = 0
        self.seeds: dict[int, int] = {}
        self.cut: list[Started] = []  # final trials that were interrupted
        self.ahead: deque[Started] = deque()  # asked while all workers were busy, and not started yet
        self.idle = False  # the strategy waits to be told more
        self.exhausted = False

    def run(self, stop: Callable[[], bool]) -> None:
        """Search until nothing more may be asked and everything asked has ended, or ``stop()`` says so.

        What is asked next depends on what was told, never on who finished first: as long as the strategy may be
        asked it is asked, also while all workers are busy, so that none waits for a proposal; only then is the next
        result told.
        """
        while not stop():
            if self.ahead and len(self.running) < self.executor.workers:
                self._launch(self.ahead.popleft())
            elif self._may_ask():
                self._ask()
            elif not self._tell():
                if not self.running:
                    return
                self.collect()
        self._withdraw()

    def _may_ask(self) -> bool:
        return not self.idle and len(self.untold) < self.lag and self.allowance.permits()

    def _ask(self) -> None:
        try:
            proposals = self.strategy.ask(1)
        except Exhausted:
            proposals, self.exhausted = (), True
        self.idle = not proposals
        self.ahead.extend(self._register(self._numbered(proposal)) for proposal in proposals)

    def _withdraw(self) -> None:
        """Give back what was asked and not started: it is not in the history, and a resume asks it again."""
        for started in reversed(self.ahead):
            self.next_id = started.trial_id
            self.allowance.release(started.trial_id)
            del self.untold[started.trial_id], self.seeds[started.trial_id]
        self.ahead.clear()

    def _tell(self) -> bool:
        trial_id = next(iter(self.untold if self.ordered else self.ended), None)
        if trial_id is None or trial_id not in self.ended:
            return False
        self._tell_trial(self.ended.pop(trial_id))
        return True

    def _tell_trial(self, trial: Trial) -> None:
        del self.untold[trial.id]
        self.allowance.settle(trial)
        self.told += 1
        self.idle = False
        self.strategy.tell([trial])

    def start(self, proposal: Proposal) -> None:
        """Start a trial that no strategy asked for (origin ``final``)."""
        self._launch(self._register(self._numbered(proposal)))

    def _numbered(self, proposal: Proposal) -> Started:
        seed = trial_seed(self.seed, self.next_id, proposal, self.seeds)
        self.next_id += 1
        return Started(self.next_id - 1, proposal, seed, self.told)

    def _launch(self, started: Started) -> None:
        self.store.record_started(started)
        self._submit(started)

    def finish(self, proposal: Proposal) -> None:
        """Start a final trial; one that was interrupted goes on under its id."""
        again = next((s for s in self.cut if s.proposal == proposal), None)
        if again is None:
            self.start(proposal)
        else:
            self._submit(self.store.record_again(again))

    def _register(self, started: Started) -> Started:
        self.seeds[started.trial_id] = started.seed
        if started.proposal.origin != FINAL:
            self.untold[started.trial_id] = None
            self.allowance.reserve(started.trial_id, started.proposal)
        return started

    def _submit(self, started: Started) -> None:
        self.running[started.trial_id] = started
        proposal = started.proposal
        parent = self.parent_of(proposal)
        self.executor.submit(Job(started.trial_id, proposal.architecture, proposal.fidelity, started.seed, parent))

    def collect(self, timeout_s: float = 0.5) -> list[Trial]:
        """Wait for trials to end, and store them.

        Raises:
            DiskFullError: one ended for want of space. It is not stored: a resume runs it again.
        """
        trials, full = [], ""
        outcomes = self.executor.wait(timeout_s)
        if not outcomes:
            self.on_wait()
        for outcome in (require(ended, self.needs) for ended in outcomes):
            started = self.running.pop(outcome.trial_id)
            cause = outcome.error.partition("\n")[0]
            if cause.endswith(DISK_FULL):
                full = f"trial {outcome.trial_id}: {cause.removesuffix(DISK_FULL)}"
                continue
            trial = started.end(outcome.state, outcome.metrics, outcome.error, outcome.duration_s)
            self.store.commit(trial)
            if trial.id in self.untold:
                self.ended[trial.id] = trial
            trials.append(trial)
            self.on_end(trial)
        if full:
            raise DiskFullError(full)
        return trials

    def replay(self, history: Sequence[Started], ended: Iterable[Trial]) -> None:
        """Bring strategy and loop to where the stored history ends, and start again what was interrupted.

        Raises:
            StudyMismatchError: the strategy asks something else than is stored.
        """
        results = {trial.id: trial for trial in ended}  # in the order of commits
        finals = {s.trial_id for s in history if s.proposal.origin == FINAL}
        order = deque(t for t in (sorted(results) if self.ordered else results) if t not in finals)
        for started in history:
            while self.told < started.told:
                self._tell_trial(results[order.popleft()])
            if started.trial_id not in finals:
                asked = list(self.strategy.ask(1))
                if asked != [started.proposal]:
                    raise StudyMismatchError(_differs(started, asked))
            self.next_id = started.trial_id + 1
            self._register(started)
            if started.trial_id not in results and started.trial_id in finals:
                self.cut.append(started)
            elif started.trial_id not in results:
                self._submit(self.store.record_again(started))
        self.ended.update((t, results[t]) for t in results if t in self.untold)


def _differs(started: Started, asked: list[Proposal]) -> str:
    return (
        f"trial {started.trial_id} was {started.proposal.architecture.to_json()} but the strategy now asks "
        f"{asked[0].architecture.to_json() if asked else 'nothing'}: space, strategy or version changed; "
        "resume with what the search was started with, or start a new one"
    )
