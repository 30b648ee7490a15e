"""PriorBand: Hyperband's brackets, with new architectures from a person's guess, near the best one, or at random.

What the person guesses is tried more the more thorough, and so expensive, the evaluation is; how far it is followed is
decided by whether the best architectures look like it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from netwright.strategies.brackets import Brackets
from netwright.strategies.densities import draw
from netwright.strategies.operators import Score, Scorer, Tier, best_first_order
from netwright.strategies.pool import Pool
from netwright.strategies.priors import Guess, Neighbourhood, Prior
from netwright.strategies.rung_monitor import RungMonitor
from netwright.strategies.rungs import FULL
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace

DUPLICATES = 20
"""Draws that were known already before a random architecture is taken instead."""


class PriorBand(Brackets):
    """Brackets of successive halving with priors on choices, over one or several objectives and constraints.

    A new architecture for rung r, counted from 0, is drawn evenly from the space with the probability
    ``1 / (1 + eta ** r)``. Otherwise it is drawn by the priors or near the incumbent, each with a probability in
    proportion to how likely the best of the highest rung that has enough are under it: a bad prior fades away as soon
    as good architectures are known.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several by Pareto rank and crowding.
        constraints: limits; infeasible and failed trials are never promoted, nor incumbents.
        initial: proposed first.
        fidelities: the cheapest first, the full one last.
        eta: how much more a rung costs than the one below it, about, where the fidelities allow it; > 1.
        priors: for some choices, by name, what is guessed to be good: a value, or a weight >= 0 for each of some values
            (the others have none). Without priors it is Hyperband that also looks near the incumbent.
        monitor: judges the rungs; one with its defaults when absent.

    Attributes:
        monitor: judges the rungs; `agreements` tell what it knows.
        dropped: fidelities that misled, in the order in which they were dropped.

    Raises:
        UsageError: an option is out of range, a prior is for no choice of the space, or says nothing.

    Example:
        >>> from netwright.testing.spaces import tiny_space
        >>> PriorBand(tiny_space(), priors={"widths": 16})
        Traceback (most recent call last):
            ...
        netwright.errors.UsageError: unknown choice of a prior 'widths'; did you mean 'width'? known: bias, width

    References:
        N. Mallik et al., 2023, "PriorBand: Practical Hyperparameter Optimization in the Age of Deep Learning",
        algorithm 1 and section 5. Deviations: the brackets are those of `Hyperband`, with its monitor; the incumbent
        takes part once the highest rung that has eta feasible trials exists, not after a budget; choices without a
        prior are drawn evenly by the number of architectures behind each value; kernels over conditional choices
        stand on those an architecture has; with several objectives the incumbent is the first by rank and crowding.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
        constraints: Sequence[Constraint] = (),
        initial: Sequence[Proposal | Architecture] = (),
        fidelities: Sequence[Fidelity] = FULL,
        eta: float = 3.0,
        priors: Mapping[str, Guess] | None = None,
        monitor: RungMonitor | None = None,
    ) -> None:
        prior = Prior(space, priors or {})
        score = Scorer(tuple(objectives), tuple(constraints))
        super().__init__(
            space,
            lambda rungs: PriorSource(space, Pool(space, seed, initial), score, rungs, prior, eta),
            fidelities,
            eta=eta,
            num_brackets=len(fidelities),
            seed=seed,
            objectives=objectives,
            constraints=constraints,
            monitor=monitor,
        )


class PriorSource:
    """New architectures by the priors, near the incumbent, or at random.

    Args:
        space: where from.
        pool: of the same space; says which are new.
        score: compares trials.
        rungs: fidelities, the lowest first.
        prior: what is guessed.
        eta: of the brackets.
    """

    def __init__(
        self, space: SearchSpace, pool: Pool, score: Scorer, rungs: Sequence[Fidelity], prior: Prior, eta: float
    ) -> None:
        self._space = space
        self._pool = pool
        self._score = score
        self._prior = prior
        self._eta = eta
        self._seen: dict[Fidelity, list[tuple[Score, Architecture]]] = {fidelity: [] for fidelity in rungs}
        self._best: list[Architecture] | None = []

    def new(self, level: int) -> Proposal:
        """The next initial architecture, else one for a bracket that starts at rung ``level``."""
        return self._pool.next_initial() or self._mixed(level) or self._pool.sample_proposal()

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from trials."""
        self._pool.admit(trials)
        for trial in trials:
            score = self._score(trial)
            if trial.fidelity in self._seen and score.tier is Tier.FEASIBLE:
                self._seen[trial.fidelity].append((score, trial.architecture))
                self._best = None

    def _mixed(self, level: int) -> Proposal | None:
        """A draw by one of the distributions; None where the uniform one was chosen or nothing new was drawn."""
        rng = self._pool.rng
        if rng.random() < 1 / (1 + self._eta**level):
            return None
        best = self._best_first()
        near = Neighbourhood(self._space, best[0]) if best else None
        by_prior = near is None or rng.random() < self._trust(near, best)
        decide = self._prior.decide(rng) if by_prior or near is None else near.decide(rng)
        for _ in range(DUPLICATES):
            architecture = draw(self._space, decide)
            if architecture is not None and self._pool.claim(architecture):
                return Proposal(architecture, origin="prior" if by_prior else "incumbent")
        return None

    def _best_first(self) -> list[Architecture]:
        """The best one in eta of the highest rung that has eta trials; none where there is no such rung."""
        if self._best is None:
            several = (seen for seen in reversed(self._seen.values()) if len(seen) >= self._eta)
            seen = next(several, [])
            order = best_first_order([score for score, _ in seen])
            self._best = [seen[i][1] for i in order[: max(1, int(len(seen) / self._eta))]] if seen else []
        return self._best

    def _trust(self, near: Neighbourhood, best: Sequence[Architecture]) -> float:
        """Share of the prior beside the incumbent: how likely each makes the best ones, weighted by their rank."""
        weights = np.arange(len(best), 0, -1)
        prior, incumbent = (np.array([d.log_density(a) for a in best]) for d in (self._prior, near))
        highest = max(prior.max(), incumbent.max())
        if math.isinf(highest):
            return 0.5
        prior_score, incumbent_score = (float(weights @ np.exp(logs - highest)) for logs in (prior, incumbent))
        return prior_score / (prior_score + incumbent_score)
