"""Asynchronous successive halving (ASHA): train all a little, and the better ones longer.

Wraps a strategy that proposes architectures, and decides for how long each is trained. Does not know how a training
is continued: it names the trial that goes on in ``parents``.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from netwright.errors import UsageError, wrong
from netwright.strategies.base import Exhausted, Strategy
from netwright.strategies.operators import Score, Scorer, Tier, Values, best_first_order
from netwright.strategies.pool import admit_once, collect
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial, tie_break

Entry = tuple[Values, tuple[float, int], Architecture]
"""A trial in a rung: its objectives (smaller is better), `tie_break` with its id, and its architecture."""

RANK_AGAIN = 1.01
"""With several objectives a rung is ranked again when it has grown by this factor: below 100 trials each time, beyond
that seldom enough that an ask does not get slower with the length of the history."""


@dataclass(eq=False, slots=True)
class Rung:
    """The trials that ended at one fidelity, feasible ones only, and which architectures went on from it.

    ``entries`` holds all, the best first where there is one objective; ``left`` those that were not promoted.
    """

    fidelity: Fidelity
    entries: list[Entry] = field(default_factory=list)
    left: list[Entry] = field(default_factory=list)
    promoted: set[Architecture] = field(default_factory=set)
    ranked: list[Entry] = field(default_factory=list)

    def add(self, values: Values, trial: Trial) -> None:
        """Put a trial in."""
        entry = (values, tie_break(trial), trial.architecture)
        insort(self.entries, entry)
        insort(self.left, entry)

    def promotable(self, eta: float) -> Entry | None:
        """The best trial among the first ``1 / eta`` that was not promoted yet."""
        if not self.entries:
            return None
        if len(self.entries[0][0]) > 1:
            return self._promotable_by_rank(eta)
        while self.left and self.left[0][2] in self.promoted:
            del self.left[0]
        best = self.left[0] if self.left else None
        return best if best and bisect_left(self.entries, best) < int(len(self.entries) / eta) else None

    def _promotable_by_rank(self, eta: float) -> Entry | None:
        if len(self.entries) > RANK_AGAIN * len(self.ranked):
            order = best_first_order([Score(Tier.FEASIBLE, 0.0, values) for values, _, _ in self.entries])
            self.ranked = [self.entries[i] for i in order]
        best = self.ranked[: int(len(self.ranked) / eta)]
        return next((entry for entry in best if entry[2] not in self.promoted), None)


class SuccessiveHalving:
    """ASHA over the architectures another strategy proposes.

    A new architecture is trained for the epochs of the lowest rung. Whenever a trial is among the best ``1 / eta`` of
    its rung, it is promoted: the same architecture is proposed with the epochs of the next rung, the origin
    ``promotion`` and the id of the trial whose training goes on as its only parent.

    The inner strategy is told the trials of the lowest rung and no others. It sees each architecture once, as soon as
    possible, and only numbers that can be compared: accuracies after different epochs cannot. Trials at a fidelity
    that is no rung's (a warm start) are accepted and not used.

    Args:
        inner: proposes architectures; its fidelities are replaced.
        max_epochs: epochs of the highest rung.
        min_epochs: the lowest rung has at least these; in (0, max_epochs]. The rungs are ``max_epochs``,
            ``max_epochs / eta``, ``max_epochs / eta**2`` and so on.
        eta: one in ``eta`` is promoted, > 1.
        data_share: part of the training data used in all rungs, in (0, 1].
        objectives: one, or several by Pareto rank and crowding.
        constraints: limits; infeasible and failed trials are never promoted.
        first: trials that must have ended before any is promoted, as long as there are new architectures to try: a
            warm start's networks are all seen before the most expensive trainings are given to the fastest of them.

    References:
        L. Li et al., 2020, "A System for Massively Parallel Hyperparameter Tuning", algorithm 2. Deviations: the
        rungs are counted from the top, so that the highest has exactly ``max_epochs``; infeasible and failed trials
        do not count in the size of a rung, since they would have worse ones promoted in their place; with several
        objectives trials are ordered as R. Schmucker et al., 2021, "Multi-objective Asynchronous Successive Halving",
        do with non-dominated sorting.
    """

    def __init__(
        self,
        inner: Strategy,
        *,
        max_epochs: float,
        min_epochs: float = 1.0,
        eta: float = 3.0,
        data_share: float = 1.0,
        objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
        constraints: Sequence[Constraint] = (),
        first: int = 0,
    ) -> None:
        if not eta > 1:
            raise UsageError(wrong("eta", eta, "> 1", "3 keeps one in three"))
        if not 0 < min_epochs <= max_epochs:
            raise UsageError(wrong("min_epochs", min_epochs, f"in (0, max_epochs = {max_epochs:g}]"))
        if first < 0:
            raise UsageError(wrong("first", first, ">= 0"))
        self._inner = inner
        self._eta = eta
        self._first = first
        self._score = Scorer(tuple(objectives), tuple(constraints))
        self._rungs = [Rung(Fidelity(e, data_share)) for e in rung_epochs(min_epochs, max_epochs, eta)]
        self._pending: set[tuple[Architecture, Fidelity]] = set()
        self._told: set[int] = set()

    @property
    def fidelities(self) -> tuple[Fidelity, ...]:
        """Fidelity of each rung, the lowest first."""
        return tuple(rung.fidelity for rung in self._rungs)

    def ask(self, n: int) -> Sequence[Proposal]:
        return collect(n, self._propose)

    def tell(self, trials: Sequence[Trial]) -> None:
        admit_once(trials, self._told)
        lowest = self._rungs[0].fidelity
        self._inner.tell([trial for trial in trials if trial.fidelity == lowest])
        for trial in trials:
            self._told.add(trial.id)
            self._pending.discard((trial.architecture, trial.fidelity))
            self._place(trial)

    def _place(self, trial: Trial) -> None:
        score = self._score(trial)
        level = next((k for k, rung in enumerate(self._rungs) if rung.fidelity == trial.fidelity), None)
        if level is None:
            return
        for below in self._rungs[:level]:  # a trial nobody asked for: what is known already is not promoted again
            below.promoted.add(trial.architecture)
        if score.tier is Tier.FEASIBLE:
            self._rungs[level].add(score.values, trial)

    def _propose(self) -> Proposal | None:
        proposal = self._new_at_first() or self._promotion() or self._new()
        if proposal is not None:
            self._pending.add((proposal.architecture, proposal.fidelity))
        return proposal

    def _new_at_first(self) -> Proposal | None:
        """A new architecture, while the first trials have not ended; None afterwards, or if there is none."""
        try:
            return self._new() if len(self._told) < self._first else None
        except Exhausted:
            return None

    def _promotion(self) -> Proposal | None:
        """The best trial that may go on, from the highest rung that has one."""
        for rung, above in reversed(list(zip(self._rungs, self._rungs[1:], strict=False))):
            entry = rung.promotable(self._eta)
            if entry is not None:
                _, (_, trial_id), architecture = entry
                rung.promoted.add(architecture)
                return Proposal(architecture, above.fidelity, parents=(trial_id,), origin="promotion")
        return None

    def _new(self) -> Proposal | None:
        """An architecture of the inner strategy; None while it, or a trial that may be promoted, is waited for."""
        try:
            proposals = self._inner.ask(1)
        except Exhausted:
            if self._pending:
                return None
            raise
        return replace(proposals[0], fidelity=self._rungs[0].fidelity) if proposals else None


def rung_epochs(min_epochs: float, max_epochs: float, eta: float) -> list[float]:
    """Epochs of the rungs, the lowest first.

    Example:
        >>> rung_epochs(1, 27, 3), rung_epochs(2, 10, 4)
        ([1.0, 3.0, 9.0, 27.0], [2.5, 10.0])
    """
    epochs = [float(max_epochs)]
    while epochs[-1] / eta >= min_epochs * (1 - 1e-9):  # 0.3 / 3 is below 0.1 by a rounding
        epochs.append(epochs[-1] / eta)
    return epochs[::-1]
