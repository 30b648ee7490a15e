"""Random search with, each, one bug planted: what the conformance suite has to find."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from netwright.space import SearchSpace
from netwright.strategies import Exhausted, RandomSearch
from netwright.types import Architecture, Fidelity, Proposal, Trial, TrialState


class Broken(RandomSearch):
    """Right; the base of the wrong ones."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, seed=seed)
        self.space = space
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.trials: list[Trial] = []


class IgnoresSeed(Broken):
    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, 0)


class EntropyFromTheSystem(Broken):
    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, int(np.random.default_rng().integers(2**31)))


class GlobalNumpy(Broken):
    def ask(self, n: int) -> Sequence[Proposal]:
        proposals = list(super().ask(n))
        np.random.shuffle(proposals)  # noqa: NPY002 - the bug
        return proposals


class SeedsGlobalRandom(Broken):
    def ask(self, n: int) -> Sequence[Proposal]:
        random.seed(self.seed)
        proposals = list(super().ask(n))
        random.shuffle(proposals)
        return proposals


class Outside(Broken):
    def ask(self, n: int) -> Sequence[Proposal]:
        return [Proposal(Architecture(dict(p.architecture) | {"extra": 1})) for p in super().ask(n)]


class Duplicates(Broken):
    def ask(self, n: int) -> Sequence[Proposal]:
        return [Proposal(self.space.sample(self.rng)) for _ in range(n)]


class IsomorphicDuplicates(Broken):
    """Knows architectures by their text and not by their canonical id."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, seed)
        self.seen: set[Architecture] = set()

    def ask(self, n: int) -> Sequence[Proposal]:
        proposals: list[Proposal] = []
        for _ in range(300):
            architecture = self.space.sample(self.rng)
            if architecture not in self.seen:
                self.seen.add(architecture)
                proposals.append(Proposal(architecture))
            if len(proposals) == n:
                return proposals
        raise Exhausted("all seen")


class ForgetsPending(Broken):
    """Proposes what is pending again: it marks architectures as known when they are told."""

    def ask(self, n: int) -> Sequence[Proposal]:
        known = {self.space.canonical_id(t.architecture) for t in self.trials}
        everything = [a for a in self.space.enumerate() if self.space.canonical_id(a) not in known]
        if not everything:
            raise Exhausted("all told")
        order = np.random.default_rng([self.seed, len(self.trials)]).permutation(len(everything))
        return [Proposal(everything[i]) for i in order[:n]]

    def tell(self, trials: Sequence[Trial]) -> None:
        super().tell(trials)
        self.trials.extend(trials)


class TooMany(Broken):
    def ask(self, n: int) -> Sequence[Proposal]:
        return super().ask(n + 1)


class GivesUpEarly(Broken):
    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, seed)
        self.left = 5

    def ask(self, n: int) -> Sequence[Proposal]:
        n = min(n, self.left)
        if n == 0:
            raise Exhausted("tired")
        self.left -= n
        return super().ask(n)


class NeverEnds(Broken):
    over = False

    def ask(self, n: int) -> Sequence[Proposal]:
        if not self.over:
            try:
                return super().ask(n)
            except Exhausted:
                self.over = True
        return [Proposal(self.space.sample(self.rng)) for _ in range(n)]


class EmptyInsteadOfTheEnd(Broken):
    def ask(self, n: int) -> Sequence[Proposal]:
        try:
            return super().ask(n)
        except Exhausted:
            return []


class AcceptsTwice(Broken):
    def tell(self, trials: Sequence[Trial]) -> None:
        new = {t.id: t for t in trials if t.id not in {x.id for x in self.trials}}
        super().tell(list(new.values()))
        self.trials.extend(new.values())


class RefusesHalfWay(Broken):
    """Takes the first trials of a batch in before it finds that a later one is told for the second time."""

    def tell(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            super().tell([trial])
            self._pool.rng.random()


class CountsCalls(Broken):
    """Draws once for each call of tell, so that grouping matters."""

    def tell(self, trials: Sequence[Trial]) -> None:
        super().tell(trials)
        self._pool.rng.random()


class NeedsResults(Broken):
    def tell(self, trials: Sequence[Trial]) -> None:
        super().tell(trials)
        self.trials.extend(t for t in trials if t.state is TrialState.FINISHED)

    def ask(self, n: int) -> Sequence[Proposal]:
        if self._pool.num_seen > 5:
            max(self.trials, key=lambda t: t.metrics["accuracy"])
        return super().ask(n)


class LearnsFromNan(Broken):
    """Takes NaN for a value: whether a trial failed or reported NaN changes what comes next."""

    def tell(self, trials: Sequence[Trial]) -> None:
        super().tell(trials)
        for trial in trials:
            if trial.state is TrialState.FINISHED and not trial.metrics["accuracy"] > 0.5:
                self._pool.rng.random()


class OrderMatters(Broken):
    """Insists on results in the order of asking."""

    def tell(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            if self.trials and trial.id < self.trials[-1].id:
                raise AssertionError(f"trial {trial.id} came late")
            self.trials.append(trial)
        super().tell(trials)


class ForeignTrials(Broken):
    """Knows only trials it asked for."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, seed)
        self.asked: set[Architecture] = set()

    def ask(self, n: int) -> Sequence[Proposal]:
        proposals = super().ask(n)
        self.asked.update(p.architecture for p in proposals)
        return proposals

    def tell(self, trials: Sequence[Trial]) -> None:
        assert all(t.architecture in self.asked for t in trials), "who asked for this?"
        super().tell(trials)


class SharedState(Broken):
    """Keeps what it learns in the class, so that a second object goes on where the first one stopped."""

    calls = 0

    def ask(self, n: int) -> Sequence[Proposal]:
        SharedState.calls += 1
        self._pool.rng.random(SharedState.calls)
        return super().ask(n)


class SetOrder(Broken):
    """Takes the first of a set of strings, whose order depends on the hash seed of the process."""

    def ask(self, n: int) -> Sequence[Proposal]:
        proposals = {p.architecture.to_json(): p for p in super().ask(n)}
        return [proposals[text] for text in set(proposals)]


class NotAProposal(Broken):
    def ask(self, n: int) -> Sequence[Proposal]:
        return [p.architecture for p in super().ask(n)]  # type: ignore[misc]


class NoTell:
    def __init__(self, space: SearchSpace, seed: int) -> None:
        self.ask = RandomSearch(space, seed=seed).ask


class FidelityOfItsOwn(Broken):
    """Is right: the same architecture at another fidelity is no duplicate."""

    def ask(self, n: int) -> Sequence[Proposal]:
        if self.trials and self.trials[-1].fidelity == Fidelity():
            last = self.trials.pop()
            return [Proposal(last.architecture, Fidelity(epochs=2), (last.id,), "again")]
        return super().ask(n)

    def tell(self, trials: Sequence[Trial]) -> None:
        super().tell(trials)
        self.trials = [t for t in trials if t.fidelity == Fidelity()][-1:]


def set_order(space: SearchSpace, seed: int) -> SetOrder:
    return SetOrder(space, seed)


def right(space: SearchSpace, seed: int) -> Broken:
    return Broken(space, seed)
