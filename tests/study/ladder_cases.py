"""A made-up space, trainings and scores, which the tests of the ladder share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from netwright.evaluation.scored import Scored
from netwright.space import SearchSpace, integer
from netwright.strategies import Exhausted, RandomSearch, Strategy
from netwright.study.ladder_screen import Screen
from netwright.study.ladder_strategy import Ladder
from netwright.types import Architecture, Fidelity, Proposal, Trial, TrialState

LENGTHS = [Fidelity(1.0), Fidelity(3.0), Fidelity(9.0)]
Accuracy = Callable[[Architecture, float], float]


def space() -> SearchSpace:
    """Two numbers; the first is what counts, the second is the size."""
    return SearchSpace(training={"good": integer("good", 0, 40), "size": integer("size", 0, 40)})


def honest(arch: Architecture, epochs: float) -> float:
    return int(arch["good"]) / 50 + epochs / 100


def reversed_at_first(arch: Architecture, epochs: float) -> float:
    """The shortest training ranks the wrong way round, and by nothing else."""
    return honest(arch, epochs) if epochs > 1 else 1 - honest(arch, epochs)


def scored(architectures: Sequence[Architecture], score: Callable[[Architecture], float]) -> list[Scored]:
    return [Scored(a, {"proxy": score(a)}, sizes(a), {}) for a in architectures]


def sizes(arch: Architecture) -> Mapping[str, float]:
    return {"params": float(int(arch["size"])), "macs": 1.0, "depth": 1.0}


def trial(number: int, proposal: Proposal, accuracy: Accuracy) -> Trial:
    assert proposal.fidelity.epochs is not None
    metrics = {"accuracy": accuracy(proposal.architecture, proposal.fidelity.epochs), **sizes(proposal.architecture)}
    return Trial(number, proposal, 0, TrialState.FINISHED, metrics)


def run(strategy: Strategy, num: int, accuracy: Accuracy = honest) -> list[Trial]:
    """A search of so many trials, one at a time."""
    trials: list[Trial] = []
    while len(trials) < num:
        try:
            (proposal,) = strategy.ask(1)
        except Exhausted:
            break
        trials.append(trial(len(trials), proposal, accuracy))
        strategy.tell(trials[-1:])
    return trials


def ladder(
    lengths: Sequence[Fidelity] = LENGTHS,
    screen: Screen | None = None,
    in_space: SearchSpace | None = None,
    seed: int = 0,
) -> Ladder:
    found = in_space or space()
    initial = tried(12) if screen is not None else []
    return Ladder(
        lambda: RandomSearch(found, seed=seed, initial=initial), lengths, screen=screen, num_initial=len(initial)
    )


def tried(num: int) -> list[Architecture]:
    """Networks that are tried in any case."""
    rng = np.random.default_rng(5)
    return [space().sample(rng) for _ in range(num)]


def filled(score: Callable[[Architecture], float], *, predictor: bool = False, num: int = 60) -> Screen:
    screen = Screen(space(), tried=tried(12), num_to_score=num, predictor=predictor, cost_ratio=3.0)
    screen.fill(scored(screen.to_score, score))
    return screen


def plain(in_space: SearchSpace, seed: int) -> Strategy:
    return ladder([Fidelity(1.0), Fidelity(3.0)], in_space=in_space, seed=seed)
