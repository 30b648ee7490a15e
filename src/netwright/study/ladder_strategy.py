"""The ladder as a strategy: what another strategy proposes, and the best of a pool, trained a little and then longer.

Asynchronous successive halving in which the share that passes a rung follows from what the rung is worth, and that is
measured: some networks, at places that are fixed before anything is known of them, are trained further whatever they
scored (origin ``probe``). A rung that misleads is dropped: its trials are forgotten, and the strategy is made anew, so
that what was only seen there is new again. What follows from a measurement is decided in `netwright.evaluation.ladder`.

Where going on is dear probes are few and a verdict by them comes late. There the lowest rung is also looked at by
itself (`netwright.strategies.rung_sense`): scores that no model can predict from the networks are noise, and while that
is in doubt nothing is trained longer for them. A network of a rung above the lowest is not trained longer where the
learning curves of the search say that it will not beat the best (`netwright.study.curve_stops`).

Like every strategy it is a function of seed and history. Knows no clocks and no processes.

References:
    L. Li et al., 2020, "A System for Massively Parallel Hyperparameter Tuning", algorithm 2, as in
    `netwright.strategies.successive_halving`; what differs is said above.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from netwright.errors import UsageError, wrong
from netwright.evaluation.ladder import (
    FEWEST,
    FEWEST_RANDOM,
    believed,
    is_probe,
    misleads,
    passing_share,
    probes_are_rare,
)
from netwright.strategies import Exhausted, Strategy
from netwright.strategies.operators import Scorer, Tier
from netwright.strategies.pool import admit_once, collect
from netwright.strategies.rung_sense import RungSense
from netwright.strategies.successive_halving import Entry, Rung
from netwright.study.curve_stops import CurveStops
from netwright.study.ladder_screen import OF_POOL, POOL, Screen
from netwright.study.pool_turns import PoolTurns
from netwright.study.rung_audit import PROBE, RungAgreement, measure_agreement
from netwright.types import Architecture, Constraint, Fidelity, Metrics, Objective, Proposal, Trial, tie_break

TRIES = 64
"""Proposals of the inner strategy that are passed over since the pool had them before."""

GROWTH = 1.05
"""A correlation is measured again when there are more networks by this factor."""

ASSUMED_BY_ETA = 0.3
"""Tau at which one in three is the best share when the next rung costs two more of the present one."""

Pair = tuple[Fidelity, Fidelity]


@dataclass(eq=False, slots=True)
class Level:
    """A length of training: the rung, its probes that wait, and what each network came to there, larger is better."""

    rung: Rung
    waiting: list[Entry] = field(default_factory=list)
    probes: set[Architecture] = field(default_factory=set)
    values: dict[Architecture, float] = field(default_factory=dict)


class Ladder:
    """Trains what is proposed on rungs that are measured.

    Args:
        make_inner: makes the strategy that proposes; called again when the lowest rung is dropped. It may give the same
            object again, which then keeps what it knows.
        fidelities: of the trainings, the shortest first.
        eta: of so many one passes, until it is measured what a rung is worth; > 1.
        objectives: one, or several by Pareto rank; what rungs are worth is measured by the first.
        constraints: limits; infeasible and failed trials never pass.
        first: trials that must have ended before any is trained longer, as long as there are new ones.
        num_initial: proposals of the inner strategy before the pool has a turn.
        screen: the pool; None without one.
        make_sense: makes what tells noise in the lowest rung from that rung alone, anew for each; it is asked where
            going on is so dear that few probes do. None for never.
        by_curves: whether learning curves end trainings, where there is one objective.

    Attributes:
        remarks: what a person should be told, such as that a rung was dropped, in the order in which it was found.
        dropped: lengths of training that are not used any more.
        stopped: networks that would have been trained longer but for their learning curves, and the length at which
            they ended, in the order in which it was found.
        epochs_saved: what their next trainings would have cost.

    Raises:
        UsageError: an argument is out of range.
    """

    def __init__(
        self,
        make_inner: Callable[[], Strategy],
        fidelities: Sequence[Fidelity],
        *,
        eta: float = 3.0,
        objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
        constraints: Sequence[Constraint] = (),
        first: int = 0,
        num_initial: int = 0,
        screen: Screen | None = None,
        make_sense: Callable[[], RungSense] | None = None,
        by_curves: bool = True,
    ) -> None:
        if not eta > 1:
            raise UsageError(wrong("eta", eta, "> 1", "3 keeps one in three"))
        costs = [fidelity.cost for fidelity in fidelities]
        if not costs or any(low >= high for low, high in pairwise(costs)):
            raise UsageError(wrong("fidelities", list(fidelities), "at least one, each longer than the one before"))
        self._make_inner, self._make_sense = make_inner, make_sense
        self._eta, self._first, self._num_initial = eta, first, num_initial
        self.screen = screen
        self._score = Scorer(tuple(objectives), tuple(constraints))
        self._lengths = list(fidelities)
        self._asked: set[tuple[Architecture, Fidelity]] = set()
        self._pending: set[tuple[Architecture, Fidelity]] = set()
        self._from_pool: set[Architecture] = set()
        self._told: set[int] = set()
        self._history: list[Trial] = []
        self._sizes: dict[Architecture, Metrics] = {}
        self._measured: dict[Pair, RungAgreement] = {}
        self._judged: dict[Pair, int] = {}
        self.remarks: list[str] = []
        self.dropped: list[Fidelity] = []
        self._by_curves = by_curves and len(objectives) == 1
        self.stopped: dict[tuple[Architecture, Fidelity], None] = {}
        self.epochs_saved = 0.0
        self._begin()

    @property
    def fidelities(self) -> tuple[Fidelity, ...]:
        """Lengths of training that are used, the shortest first."""
        return tuple(self._lengths)

    @property
    def agreements(self) -> tuple[RungAgreement, ...]:
        """How each rung ranks networks, against the next one: dropped ones included, the cheapest first."""
        screen = self.screen.agreements if self.screen is not None else ()
        trained = sorted(self._measured.values(), key=lambda found: found.high.cost)
        return (*screen, *(f if f.dropped else replace(f, passing=self._share((f.low, f.high))) for f in trained))

    def ask(self, n: int) -> Sequence[Proposal]:
        return collect(n, self._propose)

    def tell(self, trials: Sequence[Trial]) -> None:
        admit_once(trials, self._told)
        for trial in trials:  # one by one, so that it does not matter how they are grouped
            self._told.add(trial.id)
            self._history.append(trial)
            self._pending.discard((trial.architecture, trial.fidelity))
            self._asked.add((trial.architecture, trial.fidelity))
            if trial.fidelity == self._lengths[0]:
                self._inner.tell([trial])
            self._place(trial)
            self._judge(trial.fidelity)
            self._stop(trial.fidelity)

    # --- what trials say ---

    def _begin(self) -> None:
        """Make strategy and rungs of the lengths that are used, and give them the history."""
        self._levels = [Level(Rung(fidelity)) for fidelity in self._lengths]
        self._turns = PoolTurns(self._num_initial)
        self._curves = CurveStops(self._lengths[-1].cost)
        is_dear = len(self._lengths) > 1 and probes_are_rare(_cost_ratio(*self._lengths[:2]))
        self._sense = self._make_sense() if is_dear and self._make_sense is not None else None
        self._inner = self._make_inner()
        lowest = [trial for trial in self._history if trial.fidelity == self._lengths[0]]
        if lowest:
            self._inner.tell(lowest)
        for trial in self._history:
            self._place(trial)
        for level in self._levels:
            level.rung.promoted.update(a for a, length in self.stopped if length == level.rung.fidelity)

    def _place(self, trial: Trial) -> None:
        """Put a trial in its rung; every so manyth that gets there is a probe, whatever it scored."""
        place = next((k for k, fidelity in enumerate(self._lengths) if fidelity == trial.fidelity), None)
        if place is None:
            return
        for below in self._levels[:place]:  # what is known already is not trained there again
            below.rung.promoted.add(trial.architecture)
        score = self._score(trial)
        if score.tier is not Tier.FEASIBLE or trial.architecture in self._levels[place].values:
            return
        level = self._levels[place]
        self._sizes[trial.architecture] = trial.metrics
        level.rung.add(score.values, trial)
        level.values[trial.architecture] = -score.values[0]
        self._curves.learn(trial.architecture, trial.fidelity.cost, -score.values[0])
        if place + 1 < len(self._lengths) and is_probe(
            len(level.values), _cost_ratio(*self._lengths[place : place + 2])
        ):
            level.probes.add(trial.architecture)
            level.waiting.append((score.values, tie_break(trial), trial.architecture))
        if place == 0 and self.screen is not None:
            self.screen.learn(trial.architecture, -score.values[0], trial.metrics)
            self._turns.learn(trial.architecture, -score.values[0])

    def _judge(self, fidelity: Fidelity) -> None:
        """Measure what rungs are worth that a trial at this fidelity may say something of."""
        if self.screen is not None and fidelity == self._lengths[0]:
            self.remarks += self.screen.judge(fidelity)
        for below, above in pairwise(self._levels):
            pair = (below.rung.fidelity, above.rung.fidelity)
            if fidelity not in pair or not self._has_grown(pair, len(below.values.keys() & above.values.keys())):
                continue
            found = measure_agreement(*pair, below.values, above.values, self._sizes, below.probes)
            if found is None:
                continue
            self._measured[pair] = found
            if _is_known(found) and misleads(found.upper, found.size_tau):
                self._drop(pair, f"since they mislead: {found}")
                return
        self._look_for_noise(fidelity)

    def _look_for_noise(self, fidelity: Fidelity) -> None:
        """Drop the lowest rung where its scores are noise, unless it is measured to rank well."""
        if self._sense is None or fidelity != self._lengths[0]:
            return
        values = self._levels[0].values
        if not self._sense.is_noise(list(values), [(-value,) for value in values.values()]):
            return
        pair = (self._lengths[0], self._lengths[1])
        found = self._measured.get(pair)
        if found is not None and _is_known(found) and found.lower > 0:
            return
        told = f"no model predicts them ({len(values)} networks, tau {self._sense.found[len(values)]:.2f})"
        self._drop(pair, f"since they are noise: {told}")

    def _stop(self, fidelity: Fidelity) -> None:
        """End trainings that may go on, but will not beat the best as far as a longer training now tells.

        Found when results are told, never when something is asked for: asks that had no answer are not in a history.
        """
        if not self._by_curves or fidelity not in self._lengths[1:]:
            return
        for below, above in pairwise(self._levels[1:]):
            length, next_length = below.rung.fidelity, above.rung.fidelity
            num = int(self._share((length, next_length)) * len(below.rung.entries))
            for _, _, architecture in below.rung.entries[:num]:
                decided = architecture in below.rung.promoted or architecture in below.probes
                if not decided and self._curves.verdict(architecture).stop:
                    below.rung.promoted.add(architecture)
                    self.stopped[architecture, length] = None
                    self.epochs_saved += next_length.cost - length.cost

    def _has_grown(self, pair: Pair, num: int) -> bool:
        grown = num >= max(1, GROWTH * self._judged.get(pair, 0))
        if grown:
            self._judged[pair] = num
        return grown

    def _drop(self, pair: Pair, why: str) -> None:
        """Stop using the lower of two lengths."""
        if pair in self._measured:
            self._measured[pair] = replace(self._measured[pair], dropped=True)
        self.remarks.append(f"ladder: trainings of {pair[0].epochs:.3g} epochs dropped, {why}")
        is_lowest = pair[0] == self._lengths[0]
        self._lengths.remove(pair[0])
        self.dropped.append(pair[0])
        if is_lowest and self.screen is not None:
            self.screen.forget()
        self._begin()

    # --- what is tried next ---

    def _propose(self) -> Proposal | None:
        proposal = self._new_at_first() or self._longer() or self._new_or_any_longer()
        if proposal is not None:
            key = (proposal.architecture, proposal.fidelity)
            self._pending.add(key)
            self._asked.add(key)
        return proposal

    def _new_at_first(self) -> Proposal | None:
        try:
            return self._new() if len(self._told) < self._first else None
        except Exhausted:
            return None

    def _new_or_any_longer(self) -> Proposal | None:
        """A new network; where there is none, one that goes on although its rung is in doubt."""
        try:
            return self._new()
        except Exhausted:
            proposal = self._longer(in_doubt=True)
            if proposal is None:
                raise
            return proposal

    def _longer(self, *, in_doubt: bool = False) -> Proposal | None:
        """A network that goes on, from the highest rung that has one: a probe that waits, or the best that may pass.

        Args:
            in_doubt: also from a rung that may be noise.
        """
        for below, above in reversed(list(pairwise(self._levels))):
            if below is self._levels[0] and self._sense is not None and self._sense.in_doubt and not in_doubt:
                continue
            while entry := self._next_of(below, above):
                _, (_, trial_id), architecture = entry
                below.rung.promoted.add(architecture)
                if (architecture, above.rung.fidelity) in self._asked:
                    continue
                origin = PROBE if architecture in below.probes else "promotion"
                return Proposal(architecture, above.rung.fidelity, parents=(trial_id,), origin=origin)
        return None

    def _next_of(self, below: Level, above: Level) -> Entry | None:
        """The next one to go on: the best that may pass and a probe by turns, the best first."""
        gone = below.rung.promoted
        while below.waiting and below.waiting[0][2] in gone:
            below.waiting.pop(0)
        best = below.rung.promotable(1 / self._share((below.rung.fidelity, above.rung.fidelity)))
        if below.waiting and (best is None or len(gone - below.probes) > len(gone & below.probes)):
            return below.waiting.pop(0)
        return best

    def _share(self, pair: tuple[Fidelity | str, Fidelity]) -> float:
        """The share that passes: one in eta, until it is measured what the rung is worth."""
        low, high = pair
        assert isinstance(low, Fidelity)
        found = self._measured.get((low, high))
        if found is None or not _is_known(found):
            return 1 / self._eta
        tau = believed(found.tau, found.num, ASSUMED_BY_ETA)
        return passing_share(tau, _cost_ratio(low, high), most=round(self._eta**2))

    def _new(self) -> Proposal | None:
        """A new network, of the pool or of the strategy (`pool_turns`); None while one is waited for."""
        fidelity = self._lengths[0]
        chosen = self._of_pool(fidelity) if self._turns.is_the_pools else None
        chosen = chosen or self._of_strategy(fidelity)
        if chosen is not None:
            from_pool = chosen.origin in OF_POOL
            self._turns.note(chosen.architecture, from_pool=from_pool, by_chance=chosen.origin == POOL)
            if self.screen is not None:
                self.screen.note(chosen.architecture)
        return chosen

    def _of_pool(self, fidelity: Fidelity) -> Proposal | None:
        if self.screen is None:
            return None
        known = {architecture for architecture, length in self._asked if length in self._lengths}
        chosen = self.screen.pick(lambda architecture: architecture not in known, fidelity)
        if chosen is not None:
            self._from_pool.add(chosen.architecture)
        return chosen

    def _of_strategy(self, fidelity: Fidelity) -> Proposal | None:
        """What the inner strategy proposes, other than what the pool had; None while results are waited for."""
        for _ in range(TRIES):
            try:
                proposals = self._inner.ask(1)
            except Exhausted:
                chosen = self._of_pool(fidelity)
                if chosen is None and not self._pending:
                    raise
                return chosen
            if not proposals:
                return None
            if proposals[0].architecture not in self._from_pool or not self._was_asked(proposals[0], fidelity):
                break
        return replace(proposals[0], fidelity=fidelity)

    def _was_asked(self, proposal: Proposal, fidelity: Fidelity) -> bool:
        return (proposal.architecture, fidelity) in self._asked


def _cost_ratio(low: Fidelity, high: Fidelity) -> float:
    """What going on with a training costs, for each unit that it has cost."""
    return (high.cost - low.cost) / low.cost


def _is_known(found: RungAgreement) -> bool:
    """Whether enough was measured that something follows from it."""
    return found.num >= FEWEST and found.num_random >= FEWEST_RANDOM
