"""ASHA over the fidelities of a benchmark, with any strategy inside, and a monitor that drops a fidelity that misleads.

Where `netwright.strategies.successive_halving` counts rungs from a number of epochs, here they are chosen among
fidelities that are given, which may be two. The promotion is that of `netwright.strategies.brackets`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from netwright.strategies.base import Strategy
from netwright.strategies.brackets import Brackets
from netwright.strategies.random import RandomSearch
from netwright.strategies.rung_monitor import RungMonitor
from netwright.strategies.rung_sense import RungSense
from netwright.strategies.rungs import FULL
from netwright.types import Architecture, Constraint, Fidelity, Objective, Proposal, Trial

if TYPE_CHECKING:
    from netwright.space import SearchSpace


class Asha(Brackets):
    """Asynchronous successive halving: train all a little, and the better ones longer.

    New architectures are those of the inner strategy, which learns from the lowest rung alone, where all of them have
    been and numbers can be compared. When that rung is dropped the inner strategy is made anew and told the trials of
    the next one.

    Args:
        space: where to search.
        seed: of all randomness, >= 0; the inner strategy's too.
        objectives: one, or several by Pareto rank and crowding.
        constraints: limits; infeasible and failed trials are never promoted.
        initial: proposed first, at the lowest rung.
        fidelities: the cheapest first, the full one last. With the default of one nothing is halved.
        eta: how much more a rung costs than the one below it, about, where the fidelities allow it; > 1.
        inner: proposes architectures: a name that `make_strategy` knows, or what makes a strategy.
        monitor: judges the rungs; one with its defaults when absent.
        predictable: drop the lowest rung early where a model cannot predict its scores from the architectures, as where
            they are noise, and promote nothing from it while that is in doubt (`rung_sense`): for inner strategies that
            learn from it.

    Attributes:
        monitor: judges the rungs; `agreements` tell what it knows.
        dropped: fidelities that misled, in the order in which they were dropped.

    Raises:
        UsageError: an option is out of range, or the inner strategy has no such name.

    Example:
        >>> from netwright.testing.spaces import tiny_space
        >>> strategy = Asha(tiny_space(), fidelities=[Fidelity(epochs=12), Fidelity(epochs=200)])
        >>> [proposal.fidelity.epochs for proposal in strategy.ask(2)]
        [12, 12]

    References:
        L. Li et al., 2020, "A System for Massively Parallel Hyperparameter Tuning", algorithm 2. Deviations: the share
        that is promoted is the ratio of the costs of two rungs, which is one in eta where they are spaced by eta;
        infeasible and failed trials do not count in the size of a rung; a few random architectures are promoted, and a
        rung that misleads is dropped (`rung_monitor`).
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
        inner: str | Callable[..., Strategy] = RandomSearch,
        monitor: RungMonitor | None = None,
        predictable: bool = False,
    ) -> None:
        def make_source(rungs: Sequence[Fidelity]) -> LowestRung:
            given = {"seed": seed, "objectives": objectives, "constraints": constraints, "initial": initial}
            make = _named(inner) if isinstance(inner, str) else inner
            return LowestRung(make(space, **given), rungs[0])

        super().__init__(
            space,
            make_source,
            fidelities,
            eta=eta,
            num_brackets=1,
            seed=seed,
            objectives=objectives,
            constraints=constraints,
            monitor=monitor,
            sense=RungSense(space, seed) if predictable else None,
        )


class LowestRung:
    """A strategy as a source of architectures, which is told the trials of one fidelity.

    Args:
        strategy: proposes; its fidelities do not matter.
        fidelity: of the trials it is told.
    """

    def __init__(self, strategy: Strategy, fidelity: Fidelity) -> None:
        self._strategy = strategy
        self._fidelity = fidelity

    def new(self, level: int) -> Proposal | None:
        """The next architecture of the strategy, whatever the bracket."""
        del level
        proposals = self._strategy.ask(1)
        return proposals[0] if proposals else None

    def tell(self, trials: Sequence[Trial]) -> None:
        """Pass trials on, those of the one fidelity."""
        self._strategy.tell([trial for trial in trials if trial.fidelity == self._fidelity])


def _named(name: str) -> Callable[..., Strategy]:
    from netwright.strategies import make_strategy  # which imports this module

    return lambda space, **given: make_strategy(name, space, **given)
