"""Search strategies: what to try next. Names, and how to get a strategy by its name.

One objective or several: `random`, `grid`, `local`, `evolution`, `reinforce`, `ppo`; guided by a model: `bayesian`,
`bananas`, `boosted-trees`, `transfer`; several objectives: `nsga2`, `nsga3`; fidelities: `asha`, `hyperband`, `bohb`,
`priorband`, `freeze-thaw`; `auto` chooses. `optuna` and `nevergrad` are bridges to other libraries.

Third parties add a strategy through an entry point of the group ``netwright.strategies``: its name, and a class with
the constructor arguments of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from inspect import Parameter, signature
from types import MappingProxyType
from typing import TYPE_CHECKING

from netwright.errors import UsageError, unknown, wrong
from netwright.strategies.asha import Asha
from netwright.strategies.auto import auto
from netwright.strategies.bananas import Bananas
from netwright.strategies.base import Exhausted, Strategy
from netwright.strategies.bayesian import BayesianOptimization
from netwright.strategies.bohb import BOHB
from netwright.strategies.boosted import BoostedSearch
from netwright.strategies.evolution import RegularizedEvolution
from netwright.strategies.freeze_thaw import FreezeThaw
from netwright.strategies.hyperband import Hyperband
from netwright.strategies.local_search import LocalSearch
from netwright.strategies.nevergrad_adapter import NevergradStrategy
from netwright.strategies.nsga2 import NSGA2
from netwright.strategies.nsga3 import NSGA3
from netwright.strategies.optuna_adapter import OptunaStrategy
from netwright.strategies.ppo import ProximalPolicy
from netwright.strategies.priorband import PriorBand
from netwright.strategies.random import GridSearch, RandomSearch
from netwright.strategies.reinforce import Reinforce
from netwright.strategies.successive_halving import SuccessiveHalving
from netwright.strategies.transfer import Transfer
from netwright.types import Architecture, Constraint, Objective, Proposal

if TYPE_CHECKING:
    from netwright.space import SearchSpace

__all__ = [
    "BOHB",
    "NSGA2",
    "NSGA3",
    "STRATEGIES",
    "Asha",
    "Bananas",
    "BayesianOptimization",
    "BoostedSearch",
    "Exhausted",
    "FreezeThaw",
    "GridSearch",
    "Hyperband",
    "LocalSearch",
    "NevergradStrategy",
    "OptunaStrategy",
    "PriorBand",
    "ProximalPolicy",
    "RandomSearch",
    "RegularizedEvolution",
    "Reinforce",
    "Strategy",
    "SuccessiveHalving",
    "Transfer",
    "auto",
    "has_fidelities",
    "make_strategy",
    "strategy_names",
]

STRATEGIES: Mapping[str, Callable[..., Strategy]] = MappingProxyType(
    {
        "asha": Asha,
        "auto": auto,
        "bananas": Bananas,
        "bayesian": BayesianOptimization,
        "bohb": BOHB,
        "boosted-trees": BoostedSearch,
        "evolution": RegularizedEvolution,
        "freeze-thaw": FreezeThaw,
        "grid": GridSearch,
        "hyperband": Hyperband,
        "local": LocalSearch,
        "nevergrad": NevergradStrategy,
        "nsga2": NSGA2,
        "nsga3": NSGA3,
        "optuna": OptunaStrategy,
        "ppo": ProximalPolicy,
        "priorband": PriorBand,
        "random": RandomSearch,
        "reinforce": Reinforce,
        "transfer": Transfer,
    }
)

ENTRY_POINTS = "netwright.strategies"


def strategy_names() -> list[str]:
    """Names `make_strategy` knows: ours and those of installed plug-ins."""
    return sorted({*STRATEGIES, *(point.name for point in entry_points(group=ENTRY_POINTS))})


def make_strategy(
    strategy: str | Strategy,
    space: SearchSpace,
    *,
    seed: int = 0,
    objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
    constraints: Sequence[Constraint] = (),
    initial: Sequence[Proposal | Architecture] = (),
    **options: object,
) -> Strategy:
    """Make a strategy from its name; an object that is one is returned as it is.

    Args:
        strategy: a name of ours or of a plug-in, or an object.
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: what is to be good.
        constraints: limits.
        initial: proposed first.
        **options: further arguments of that strategy, such as ``population``.

    Raises:
        UsageError: an unknown name or option, or something that is no strategy.

    Example:
        >>> make_strategy("evolutoin", None)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        netwright.errors.UsageError: unknown strategy 'evolutoin'; did you mean 'evolution'? known: ...
    """
    if not isinstance(strategy, str):
        if not isinstance(strategy, Strategy):
            raise UsageError(wrong("strategy", strategy, "a name or an object with ask and tell"))
        return strategy
    factory = _find(strategy)
    _require_options(strategy, factory, options)
    return factory(space, seed=seed, objectives=objectives, constraints=constraints, initial=initial, **options)


def has_fidelities(name: str) -> bool:
    """Whether a strategy decides for how long each architecture is trained: it has an argument ``fidelities``.

    Raises:
        UsageError: an unknown name.
    """
    return "fidelities" in signature(_find(name)).parameters


def _require_options(name: str, factory: Callable[..., Strategy], options: Mapping[str, object]) -> None:
    parameters = signature(factory).parameters
    if any(p.kind is Parameter.VAR_KEYWORD for p in parameters.values()):
        return
    for option in options:
        if option not in parameters:
            known = parameters.keys() - {"space", "seed", "objectives", "constraints", "initial"}
            raise UsageError(unknown(f"option of the strategy {name!r}:", option, known))


def _find(name: str) -> Callable[..., Strategy]:
    if name in STRATEGIES:
        return STRATEGIES[name]
    for point in entry_points(group=ENTRY_POINTS):
        if point.name == name:
            loaded: Callable[..., Strategy] = point.load()
            return loaded
    raise UsageError(unknown("strategy", name, strategy_names()))
