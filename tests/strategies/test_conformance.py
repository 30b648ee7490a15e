"""Every strategy of ours keeps the protocol, in every variant."""

from __future__ import annotations

import pytest
import strategy_factories as factories

from netwright.space import SearchSpace
from netwright.strategies import RandomSearch
from netwright.strategies.pool import Pool
from netwright.testing import check_hash_seed, check_strategy, example_spaces, tiny_space
from netwright.types import Proposal

SPACES = example_spaces()


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", ["random_search", "evolution_two", "local_search", "asha_evolution"])
def test_a_strategy_keeps_the_protocol_on_every_kind_of_space(name: str, space: str) -> None:
    """Each strategy passes the whole conformance suite on flat, conditional, infinite and cell spaces."""
    check_strategy(factories.FACTORIES[name], spaces={space: SPACES[space]}, other_process=False)


@pytest.mark.parametrize("name", ["evolution", "local_search_best", "local_search_two", "asha_two"])
def test_a_variant_keeps_the_protocol(name: str) -> None:
    """Further variants pass the suite on the conditional and on the tiny space."""
    spaces = {"tiny": tiny_space(), "nested": SPACES["nested"]}
    check_strategy(factories.FACTORIES[name], spaces=spaces, other_process=False)


@pytest.mark.parametrize("space", ["tiny", "small_cell"])
def test_bayesian_optimization_keeps_the_protocol(space: str) -> None:
    """The Gaussian process passes the suite; an ask looks at hundreds of networks, so others are slow."""
    check_strategy(factories.bayesian, spaces={space: SPACES[space]}, other_process=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bayesian", "bayesian_two"])
@pytest.mark.parametrize("space", ["nested", "mixed", "cell"])
def test_bayesian_optimization_keeps_the_protocol_on_larger_spaces(name: str, space: str) -> None:
    """It passes the suite on conditional, infinite and cell spaces, with one objective and with two and a limit."""
    by_function = name == "bayesian"  # for a front, isomorphic networks differ
    check_strategy(
        factories.FACTORIES[name], spaces={space: SPACES[space]}, other_process=False, by_function=by_function
    )


def test_isomorphic_networks_may_count_as_different_but_nothing_is_proposed_twice() -> None:
    """A search that tells isomorphic cells apart passes if it says so; one that repeats itself does not either way."""
    spaces = {"small_cell": SPACES["small_cell"]}
    check_strategy(ByName, spaces=spaces, other_process=False, by_function=False)
    for by_function in (True, False):
        with pytest.raises(AssertionError, match="the same network"):
            check_strategy(Repeats, spaces=spaces, other_process=False, by_function=by_function)
    with pytest.raises(AssertionError, match="the same network"):
        check_strategy(ByName, spaces=spaces, other_process=False)


class ByName(RandomSearch):
    """Tells isomorphic architectures apart."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, seed=seed)
        self._pool = Pool(space, seed, by_function=False)


class Repeats(RandomSearch):
    """Proposes everything twice."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        super().__init__(space, seed=seed)
        self._again: list[Proposal] = []

    def ask(self, n: int) -> list[Proposal]:
        """Of ``n`` proposals the latter half are the former."""
        self._again = [*self._again, *(p for one in super().ask(n) for p in (one, one))]
        now, self._again = self._again[:n], self._again[n:]
        return now


def test_the_grid_keeps_the_protocol() -> None:
    """The grid passes the suite on finite spaces, but for the seed, which it does not use."""
    spaces = {"tiny": tiny_space(), "nested": SPACES["nested"]}
    check_strategy(factories.grid, spaces=spaces, other_process=False, uses_seed=False)


def everything(space: object, seed: int) -> object:
    """All strategies one after the other, so that two interpreters suffice to compare them."""
    return _Chain([make(space, seed) for make in factories.FACTORIES.values()])  # type: ignore[arg-type]


class _Chain:
    def __init__(self, strategies: list) -> None:  # type: ignore[type-arg]
        self.strategies = strategies
        self.turn = 0

    def ask(self, n: int) -> object:
        self.turn += 1
        return self.strategies[self.turn % len(self.strategies)].ask(n)

    def tell(self, trials: object) -> None:
        self.strategies[self.turn % len(self.strategies)].tell(trials)


def test_no_strategy_depends_on_the_hash_seed() -> None:
    """Two interpreters with different hash seeds propose the same architectures, for all strategies together."""
    check_hash_seed(everything)  # type: ignore[arg-type]
