"""A search without training: it drives a strategy with a made-up objective.

The objective is a sum over decisions of numbers taken from hashes of their names and values, so it is the same in
every process, and neighbours of good architectures tend to be good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from netwright.space.search_space import SearchSpace
from netwright.strategies.base import Exhausted, Strategy
from netwright.types import (
    Architecture,
    Fidelity,
    Metrics,
    Proposal,
    Trial,
    TrialState,
    canonical_json,
    digest,
    to_json_value,
)

Evaluate = Callable[[Architecture, Fidelity], Metrics]


def synthetic_metrics(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    """Made-up metrics: ``accuracy`` in [0, 1], ``loss``, ``params`` (0 to 1e6) and ``latency_ms`` (0 to 10).

    A lower fidelity gives an accuracy with an error that is fixed for the architecture.
    """
    accuracy = _mean(architecture, "accuracy")
    if fidelity.epochs is not None:
        accuracy += (_hashed(architecture.id) - 0.5) / (5.0 * fidelity.epochs)
    accuracy = min(max(accuracy, 0.0), 1.0)
    return {
        "accuracy": accuracy,
        "loss": 1.0 - accuracy,
        "params": 1e6 * _mean(architecture, "params"),
        "latency_ms": 10.0 * _mean(architecture, "latency"),
    }


def _mean(architecture: Architecture, salt: str) -> float:
    parts = [_hashed(f"{salt} {name} {canonical_json(to_json_value(v))}") for name, v in architecture.items()]
    return sum(parts) / len(parts) if parts else 0.5


def _hashed(text: str) -> float:
    return int(digest(text, 12), 16) / 16.0**12


class Simulation:
    """A search that holds its strategy to the protocol at every step.

    Args:
        strategy: what is driven.
        space: where it searches; every proposal has to be inside.
        evaluate: gives the metrics of a trial.
        state: how all trials end.

    Attributes:
        asked: all proposals, in order; the place is the trial id.
        pending: ids of trials asked and not told.
        told: trials told, in order.
    """

    def __init__(
        self,
        strategy: Strategy,
        space: SearchSpace,
        evaluate: Evaluate = synthetic_metrics,
        state: TrialState = TrialState.FINISHED,
    ) -> None:
        self.strategy = strategy
        self.space = space
        self.asked: list[Proposal] = []
        self.pending: list[int] = []
        self.told: list[Trial] = []
        self.exhausted = False
        self._evaluate = evaluate
        self._state = state

    def ask(self, n: int = 1) -> list[int]:
        """Ask for up to ``n`` proposals; returns the ids of their trials, none when waiting or exhausted.

        Raises:
            AssertionError: the answer breaks the protocol.
        """
        try:
            proposals = list(self.strategy.ask(n))
        except Exhausted:
            self.exhausted = True
            return []
        assert len(proposals) <= n, f"ask({n}) must return at most {n} proposals, got {len(proposals)}"
        waits = "ask may return nothing only while trials are pending; raise Exhausted if there is nothing more"
        assert proposals or self.pending, waits
        for proposal in proposals:
            assert isinstance(proposal, Proposal), f"ask must return Proposal objects, got {type(proposal).__name__}"
            reason = self.space.explain(proposal.architecture)
            assert reason is None, f"a proposal is outside the space: {reason}"
        ids = list(range(len(self.asked), len(self.asked) + len(proposals)))
        self.asked.extend(proposals)
        self.pending.extend(ids)
        return ids

    def trial(self, trial_id: int) -> Trial:
        """The trial of a proposal, as if it had just ended."""
        proposal = self.asked[trial_id]
        failed = self._state is TrialState.FAILED
        metrics = {} if failed else dict(self._evaluate(proposal.architecture, proposal.fidelity))
        return Trial(trial_id, proposal, trial_id, self._state, metrics, "made up" if failed else "")

    def tell(self, ids: Iterable[int]) -> None:
        """End trials, all in one call of ``tell``, in the order given."""
        trials = [self.trial(i) for i in ids]
        self.strategy.tell(trials)
        self.told.extend(trials)
        ended = {t.id for t in trials}
        self.pending = [i for i in self.pending if i not in ended]

    def run(self, num_trials: int, batch: int = 1) -> Simulation:
        """Ask for ``batch`` at a time and tell them together, until ``num_trials`` are asked or nothing is left."""
        while len(self.asked) < num_trials and not self.exhausted:
            self.tell(self.ask(min(batch, num_trials - len(self.asked))) or self.pending)
        return self

    def trace(self) -> list[str]:
        """The proposals as text, with fidelity and parents: equal traces are the same search."""
        return trace_of(self.asked)


def trace_of(proposals: Sequence[Proposal]) -> list[str]:
    """Each proposal as canonical text."""
    return [
        f"{p.architecture.to_json()} {canonical_json(p.fidelity.to_dict())} {list(p.parents)} {p.origin}"
        for p in proposals
    ]
