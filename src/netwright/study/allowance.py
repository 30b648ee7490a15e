"""What a search phase may spend, counted: trials and epochs. Time is the caller's.

An infeasible trial costs nothing, since it was refused before it was trained; only their number is bounded, so that a
space in which nothing is feasible ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from netwright.study.seeds import CONTINUED
from netwright.types import Budget, Fidelity, Proposal, Trial, TrialState

INFEASIBLE_PER_TRIAL = 50


class Allowance:
    """Counts what trials cost; reserves for those in flight.

    Args:
        trials: most trials, infeasible ones not counted; None for no limit.
        epochs: most epochs of the whole training data; None for no limit.

    Example:
        >>> from netwright.types import Architecture
        >>> allowance = Allowance(trials=1)
        >>> allowance.reserve(0, Proposal(Architecture({})))
        >>> allowance.permits()
        False
    """

    def __init__(self, trials: int | None = None, epochs: float | None = None) -> None:
        self.trials, self.epochs = trials, epochs
        self.num_charged = 0
        self.num_infeasible = 0
        self.epochs_charged = 0.0
        self._reserved: dict[int, float] = {}
        self._fidelity: dict[int, Fidelity] = {}

    @property
    def too_many_infeasible(self) -> bool:
        """Whether so many architectures broke a limit that going on makes no sense."""
        return self.num_infeasible > INFEASIBLE_PER_TRIAL * (self.num_charged + 4)

    def permits(self) -> bool:
        """Whether another trial may be started."""
        if self.too_many_infeasible:
            return False
        if self.trials is not None and self.num_charged + len(self._reserved) >= self.trials:
            return False
        return self.epochs is None or self.epochs_charged + sum(self._reserved.values()) < self.epochs

    def reserve(self, trial_id: int, proposal: Proposal) -> None:
        """Count a trial as it is asked for; one that goes on with its parent's training costs the difference."""
        before = 0.0
        if proposal.origin in CONTINUED and proposal.parents and proposal.parents[0] in self._fidelity:
            before = self._fidelity[proposal.parents[0]].cost
        self._fidelity[trial_id] = proposal.fidelity
        self._reserved[trial_id] = max(0.0, proposal.fidelity.cost - before)

    def release(self, trial_id: int) -> None:
        """Give back what was reserved for a trial that is not started after all."""
        del self._reserved[trial_id], self._fidelity[trial_id]

    def settle(self, trial: Trial) -> None:
        """Count a trial as it is told: charged, or given back when it was infeasible."""
        cost = self._reserved.pop(trial.id)
        if trial.state is TrialState.INFEASIBLE:
            self.num_infeasible += 1
            return
        self.num_charged += 1
        self.epochs_charged += cost


def spent_already(budget: Budget, trials: Sequence[Trial], elapsed_s: float) -> str:
    """What is said where a budget is no larger than what was spent; empty where there is something left.

    Args:
        budget: given to a resume.
        trials: that ended.
        elapsed_s: wall seconds of all earlier sittings.

    Example:
        >>> print(spent_already(Budget(time_s=60.0), [], 90.0))
        the budget of 60s is no more than what was spent already (90 s); nothing is searched: give a larger one
    """
    charged = [trial for trial in trials if trial.state is not TrialState.INFEASIBLE]
    spent = ""
    if budget.time_s is not None and elapsed_s >= budget.time_s:
        spent = f"{elapsed_s:.0f} s"
    elif budget.trials is not None and len(charged) > budget.trials:
        spent = f"{len(charged)} trials"
    if not spent:
        return ""
    problem = f"the budget of {budget} is no more than what was spent already ({spent})"
    return f"{problem}; nothing is searched: give a larger one"
