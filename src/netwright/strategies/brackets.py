"""Asynchronous successive halving in one or several brackets, over any source of new architectures.

The rungs are fidelities of the benchmark. A bracket starts its architectures at one of them and promotes the better
ones from rung to rung; the share that is promoted is the ratio of the rungs' costs, so that all rungs of a bracket get
the same budget (with rungs spaced by eta it is the one in eta of the papers). Brackets share the budget evenly.

A rung that misleads (`rung_monitor`) is dropped: its trials are forgotten, those who started there start at the next
one, and the source is made anew, so that what was only seen at the misleading fidelity is new again.

Knows no model and no prior: where architectures come from is the source's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from netwright.errors import SpaceError
from netwright.strategies.base import Exhausted
from netwright.strategies.operators import Scorer, Tier, Values
from netwright.strategies.pool import admit_once, collect
from netwright.strategies.rung_monitor import Agreement, RungMonitor
from netwright.strategies.rung_sense import RungSense
from netwright.strategies.rungs import Bracket, Known, spaced
from netwright.strategies.successive_halving import Entry, Rung
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace

TRIES = 1_000
"""Proposals of a source that are passed over since they were made before at the same fidelity."""


class Source(Protocol):
    """Where new architectures come from."""

    def new(self, level: int) -> Proposal | None:
        """An architecture for a bracket that starts at rung ``level``; None while it waits for results.

        Raises:
            Exhausted: there are no more.
        """

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from trials at any rung."""


SourceFactory = Callable[[Sequence[Fidelity]], Source]
"""Makes a source for rungs, the lowest first; with the same arguments the same one."""


class Brackets:
    """What ASHA, Hyperband, BOHB and PriorBand have in common: they differ in sources and in the number of brackets.

    Args:
        space: where to search.
        make_source: makes what new architectures come from.
        fidelities: the cheapest first, the full one last; the rungs are chosen among them (`spaced`).
        eta: how much more a rung costs than the one below it, about; > 1.
        num_brackets: how many, >= 1; the first starts at the lowest rung, the next at the one above, and so on.
        seed: of the random promotions, >= 0.
        objectives: one, or several by Pareto rank and crowding.
        constraints: limits; infeasible and failed trials are never promoted.
        monitor: judges the rungs; one with its defaults when None.
        sense: drops a lowest rung whose scores are noise, and holds promotions from it back where they may be; none by
            default.

    Attributes:
        monitor: as given; `RungMonitor.agreements` has its numbers.
        dropped: fidelities that misled, in the order in which they were dropped.
    """

    def __init__(
        self,
        space: SearchSpace,
        make_source: SourceFactory,
        fidelities: Sequence[Fidelity],
        *,
        eta: float,
        num_brackets: int,
        seed: int,
        objectives: Sequence[Objective],
        constraints: Sequence[Constraint],
        monitor: RungMonitor | None,
        sense: RungSense | None = None,
    ) -> None:
        self._sense = sense
        self._first_values: dict[Architecture, Values] = {}
        self._space = space
        self._make_source = make_source
        self._living = list(spaced(fidelities, eta))
        self._num_brackets = num_brackets
        self._score = Scorer(tuple(objectives), tuple(constraints))
        self._rng = np.random.Generator(np.random.PCG64([seed, 1]))
        self._known: dict[str, Known] = {}
        self._ids: dict[Architecture, str] = {}
        self._told: set[int] = set()
        self._history: list[Trial] = []
        self._pending: set[tuple[str, Fidelity]] = set()
        self.monitor = monitor or RungMonitor()
        self.dropped: tuple[Fidelity, ...] = ()
        self._start()

    @property
    def fidelities(self) -> tuple[Fidelity, ...]:
        """Fidelity of each rung that is used, the lowest first."""
        return tuple(self._living)

    @property
    def agreements(self) -> tuple[Agreement, ...]:
        """How well each rung orders those of the next one."""
        return self.monitor.agreements

    def ask(self, n: int) -> Sequence[Proposal]:
        return collect(n, self._propose)

    def tell(self, trials: Sequence[Trial]) -> None:
        admit_once(trials, self._told)
        for trial in trials:
            reason = None if trial.architecture in self._ids else self._space.explain(trial.architecture)
            if reason is not None:
                raise SpaceError(f"architecture of trial {trial.id} must be in the search space: {reason}")
        for trial in trials:
            self._learn(trial)

    # --- what trials say ---

    def _learn(self, trial: Trial) -> None:
        self._told.add(trial.id)
        self._history.append(trial)
        key, fidelity = self._id(trial.architecture), trial.fidelity
        known = self._known.setdefault(key, Known(fidelity))
        known.asked.add(fidelity)
        self._pending.discard((key, fidelity))
        if fidelity not in self._living:
            return
        self._source.tell([trial])
        self._place(trial)
        score = self._score(trial)
        if score.tier is Tier.FEASIBLE:
            known.values[fidelity] = score.values
            self._compare(key, known, self._living.index(fidelity))
            self._look_for_noise(trial, score.values)

    def _compare(self, key: str, known: Known, level: int) -> None:
        """Give the monitor what an architecture scored at neighbouring rungs, and drop a rung that misleads."""
        for low, high in [pair for pair in self._links() if self._living[level] in pair]:
            if low in known.values and high in known.values:
                self.monitor.add(low, high, key, known.values[low], known.values[high])
                if self.monitor.agreement(low, high).misleads:
                    self._drop(low)
                    return

    def _look_for_noise(self, trial: Trial, values: Values) -> None:
        """Drop the lowest rung where a model cannot tell its scores from noise."""
        lowest = self._living[0]
        if self._sense is None or self.dropped or len(self._living) == 1 or trial.fidelity != lowest:
            return
        self._first_values.setdefault(trial.architecture, values)
        if self._sense.is_noise(list(self._first_values), list(self._first_values.values())):
            self._drop(lowest)

    def _links(self) -> list[tuple[Fidelity, Fidelity]]:
        return list(zip(self._living, self._living[1:], strict=False))

    def _drop(self, fidelity: Fidelity) -> None:
        self._living.remove(fidelity)
        self.dropped = (*self.dropped, fidelity)
        self._start()

    def _start(self) -> None:
        """Make brackets and source of the rungs that live, and give them the history."""
        count = min(self._num_brackets, len(self._living))
        self._brackets = [Bracket(b, [Rung(f) for f in self._living[b:]]) for b in range(count)]
        self._source = self._make_source(tuple(self._living))
        self._is_dry = False
        for trial in self._history:
            if trial.fidelity in self._living:
                self._source.tell([trial])
                self._place(trial)

    def _place(self, trial: Trial) -> None:
        """Put a trial in its rung."""
        bracket = self._bracket_of(self._known[self._id(trial.architecture)].start)
        level = bracket.rung_at(trial.fidelity)
        score = self._score(trial)
        if level is not None and score.tier is Tier.FEASIBLE:
            bracket.rungs[level].add(score.values, trial)

    def _bracket_of(self, start: Fidelity) -> Bracket:
        """The bracket of architectures that started at a fidelity: the lowest that starts no lower."""
        fitting = (b for b in self._brackets if b.rungs[0].fidelity.cost >= start.cost)
        return next(fitting, self._brackets[-1])

    # --- what is tried next ---

    def _propose(self) -> Proposal | None:
        """What the bracket that had least of the budget wants; None while trials are waited for."""
        waits = bool(self._pending)
        for bracket in sorted(self._brackets, key=lambda b: b.spent):
            proposal = self._promotion(bracket)
            if proposal is None and not self._is_dry:
                try:
                    proposal = self._new(bracket)
                    waits |= proposal is None
                except Exhausted:
                    self._is_dry = True
            if proposal is not None:
                bracket.spent += proposal.fidelity.cost
                return proposal
        if waits:
            return None
        left = (proposal for b in self._brackets if (proposal := self._promotion(b, share=1.0)) is not None)
        for proposal in left:
            return proposal
        raise Exhausted("every architecture of the space has been proposed at every fidelity")

    def _new(self, bracket: Bracket) -> Proposal | None:
        """An architecture that was not at the bracket's first rung yet; None while the source waits."""
        fidelity = bracket.rungs[0].fidelity
        proposal = self._source.new(bracket.level)
        for _ in range(TRIES):
            if proposal is None:
                return None
            known = self._known.get(self._id(proposal.architecture))
            if known is None or fidelity not in known.asked:
                break
            proposal = self._source.new(bracket.level)
        if proposal is None:
            return None
        self._ask_of(proposal.architecture, fidelity).start = fidelity
        return replace(proposal, fidelity=fidelity)

    def _promotion(self, bracket: Bracket, share: float | None = None) -> Proposal | None:
        """The best trial that may go on, or a random one in its place, from the highest rung that has one.

        Args:
            bracket: of the rungs.
            share: of a rung that may go on; the ratio of the costs when None.
        """
        for rung, above in reversed(list(zip(bracket.rungs, bracket.rungs[1:], strict=False))):
            if rung.fidelity == self._living[0] and self._is_in_doubt():
                continue
            while entry := rung.promotable(1 / (share or rung.fidelity.cost / above.fidelity.cost)):
                entry, origin = self._maybe_random(rung, above, entry)
                _, (_, trial_id), architecture = entry
                rung.promoted.add(architecture)
                if above.fidelity in self._known[self._id(architecture)].asked:
                    continue
                key = self._id(architecture)
                at_random = origin == "probe"
                self.monitor.note_promotion(rung.fidelity, above.fidelity, key, at_random=at_random)
                self._ask_of(architecture, above.fidelity)
                return Proposal(architecture, above.fidelity, parents=(trial_id,), origin=origin)
        return None

    def _is_in_doubt(self) -> bool:
        """Whether the lowest rung may yet turn out to be noise; once there are no new architectures that is all one."""
        return self._sense is not None and self._sense.in_doubt and not self.dropped and not self._is_dry

    def _maybe_random(self, rung: Rung, above: Rung, best: Entry) -> tuple[Entry, str]:
        """The entry to promote: the best one, or where the monitor wants it one drawn from all of the rung.

        One that is drawn and was promoted before counts as drawn; nothing needs to be done for it.
        """
        if self.monitor.wants_random(rung.fidelity, above.fidelity):
            drawn = rung.entries[int(self._rng.integers(len(rung.entries)))]
            if drawn[2] not in rung.promoted:
                return drawn, "probe"
            self.monitor.note_promotion(rung.fidelity, above.fidelity, self._id(drawn[2]), at_random=True)
        return best, "promotion"

    def _ask_of(self, architecture: Architecture, fidelity: Fidelity) -> Known:
        key = self._id(architecture)
        known = self._known.setdefault(key, Known(fidelity))
        known.asked.add(fidelity)
        self._pending.add((key, fidelity))
        return known

    def _id(self, architecture: Architecture) -> str:
        known = self._ids.get(architecture)
        if known is None:
            known = self._ids[architecture] = self._space.canonical_id(architecture)
        return known
