"""Do shared weights rank networks as a training of their own does? Measured on a few random networks of the search.

They are scored with shared weights and trained from nothing, whatever they scored, before the strategy proposes
anything, so that the answer is there even where the search ends early. Knows no clocks and no evaluators.

References:
    Yu, Sciuto, Jaggi, Musat, Salzmann (2020), Evaluating the search phase of neural architecture search, section 4.2
    (Kendall's tau between the two rankings).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netwright.space import SearchSpace
from netwright.strategies import Strategy
from netwright.study.rung_audit import PROBE, RungAgreement, measure_agreement
from netwright.types import Architecture, Fidelity, Metrics, Objective, Proposal, Trial, TrialState

NUM_AUDITED = 8
DRAWS = 2000
SUPERNET = "supernet"

FEWEST_SCORED = 5
"""Networks that score the same before one is told of it."""


class Audited:
    """Has some networks scored and trained first, and is otherwise another strategy.

    Args:
        inner: proposes.
        networks: that are compared.
        training: how long they are trained from nothing.
    """

    def __init__(self, inner: Strategy, networks: Sequence[Architecture], training: Fidelity) -> None:
        self._inner = inner
        scored = [Proposal(a, Fidelity(), (), PROBE) for a in networks]
        self._waiting = [*scored, *(Proposal(a, training, (), PROBE) for a in networks)]

    def ask(self, n: int) -> Sequence[Proposal]:
        """The networks that are compared, then what the inner strategy proposes."""
        if self._waiting:
            first, self._waiting = self._waiting[:n], self._waiting[n:]
            return first
        return self._inner.ask(n)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Pass on what was scored with shared weights: other numbers cannot be compared with these."""
        self._inner.tell([trial for trial in trials if trial.fidelity.epochs is None])


def draw_audited(space: SearchSpace, seed: int, count: int = NUM_AUDITED) -> list[Architecture]:
    """Different random networks that the space admits; fewer where they are rare.

    Args:
        space: where they are drawn from.
        seed: of the draw.
        count: how many.
    """
    rng = np.random.default_rng([seed, 9])
    found: dict[Architecture, None] = {}
    for _ in range(DRAWS):
        if len(found) >= count:
            break
        architecture = space.sample(rng)
        if space.admits(architecture):
            found[architecture] = None
    return list(found)


def supernet_agreement(
    trials: Sequence[Trial], objective: Objective, by: Objective | None = None
) -> tuple[RungAgreement, ...]:
    """Kendall's tau of shared weights against a training from nothing, with its interval; nothing for too few networks.

    Args:
        trials: of the search.
        objective: what is compared.
        by: by what networks are ranked with shared weights; that objective if not given.
    """
    by = by or objective
    shared: dict[Architecture, float] = {}
    trained: dict[Architecture, float] = {}
    sizes: dict[Architecture, Metrics] = {}
    length: Fidelity | None = None
    for trial in trials:
        wanted = by if trial.fidelity.epochs is None else objective
        if trial.state is not TrialState.FINISHED or wanted.metric not in trial.metrics:
            continue
        value = -wanted.sign * trial.metrics[wanted.metric]
        if trial.fidelity.epochs is None:
            shared[trial.architecture] = value
            sizes[trial.architecture] = trial.metrics
        elif trial.proposal.origin == PROBE:
            trained[trial.architecture], length = value, trial.fidelity
    if length is None:
        return ()
    found = measure_agreement(SUPERNET, length, shared, trained, sizes, random=list(trained))
    return () if found is None else (found,)


def score_the_same(trials: Sequence[Trial], objective: Objective) -> str:
    """What is said where all networks score the same with shared weights; empty where they do not."""
    values: dict[Architecture, float] = {
        t.architecture: t.metrics[objective.metric]
        for t in trials
        if t.state is TrialState.FINISHED and t.fidelity.epochs is None and objective.metric in t.metrics
    }
    if len(values) < FEWEST_SCORED or len(set(values.values())) > 1:
        return ""
    what = f"all {len(values)} networks have the same {objective.metric} ({next(iter(values.values())):.4f})"
    return f"{what} with shared weights, which therefore rank nothing; train the supernet longer"
