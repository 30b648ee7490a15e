"""A bridge to Nevergrad: its optimisers propose, our space says what numbers mean. A baseline, no strategy of ours.

Nevergrad searches a fixed set of parameters: one for each choice of the space, whether an architecture has it or not. A
walk through the space reads those that it needs. Numbers are shares of what is open, so that bounds may depend on other
choices; a category that is not open here stands for one that is.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Union, cast

import numpy as np

from netwright.errors import MissingDependencyError, UsageError, shorten, wrong
from netwright.space.expressions import Categorical, Choice, Dependent, Subset
from netwright.space.values import Continuous, typed
from netwright.strategies.operators import Scorer, Tier
from netwright.strategies.pool import Pool, collect
from netwright.strategies.questions import Question, ask_for, known_answers, member_name
from netwright.types import Architecture, Constraint, Objective, Proposal, Trial, Value

if TYPE_CHECKING:
    import nevergrad

    from netwright.space import SearchSpace

REDRAWS = 20
"""How often Nevergrad is asked again where it proposes what is known already; a random architecture is taken then."""

FAILURE = 1e3
"""By how much a failed trial is told to be worse than the worst; an infeasible one by its excess, at most this."""

Parameter = Union[int, float]
"""What Nevergrad decides: the number of a category, or a share in [0, 1]."""


class NevergradStrategy:
    """An optimiser of Nevergrad as a strategy.

    A known architecture is not proposed again: Nevergrad is told once more what it scored, and asked anew. It knows no
    failures: failed and infeasible trials are told to be worse than all others.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several.
        constraints: limits.
        initial: proposed first.
        optimizer: a name in Nevergrad's registry.
        num_trials: how many Nevergrad is told to expect, >= 1; its portfolios choose by it.

    Attributes:
        num_redrawn: how often Nevergrad proposed what was known already, or what breaks a constraint of the space.

    Raises:
        MissingDependencyError: Nevergrad is not installed.
        UsageError: the optimiser is unknown, or no trial is to be expected.

    References:
        J. Rapin and O. Teytaud, 2018, "Nevergrad - A gradient-free optimization platform".
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
        constraints: Sequence[Constraint] = (),
        initial: Sequence[Proposal | Architecture] = (),
        optimizer: str = "NGOpt",
        num_trials: int = 100,
    ) -> None:
        if num_trials < 1:
            raise UsageError(wrong("num_trials", num_trials, ">= 1"))
        if find_spec("nevergrad") is None:
            raise MissingDependencyError("nevergrad", "bridges", "the strategy 'nevergrad'")
        self._pool = Pool(space, seed, initial)
        self._space = space
        self._score = Scorer(tuple(objectives), tuple(constraints))
        self._values = {name: values for choice in space.choices.values() for name, values in _categories(choice)}
        self._chance = _Chance(seed % 2**32)
        with self._chance.used():
            self._optimizer = _new_optimizer(optimizer, self._values, num_trials, seed % 2**32)
        self._asked: dict[Architecture, nevergrad.p.Parameter] = {}
        self._losses: dict[str, list[float]] = {}
        self._worst = [0.0] * len(objectives)
        self.num_redrawn = 0

    def ask(self, n: int) -> Sequence[Proposal]:
        with self._chance.used():
            return collect(n, lambda: self._pool.next_initial() or self._drawn() or self._pool.sample_proposal())

    def tell(self, trials: Sequence[Trial]) -> None:
        self._pool.admit(trials)
        for trial in trials:
            losses = self._losses_of(trial)
            self._losses[self._space.canonical_id(trial.architecture)] = losses
            asked = self._asked.pop(trial.architecture, None)
            with self._chance.used():
                self._optimizer.tell(self._candidate(trial.architecture) if asked is None else asked, losses)

    def _drawn(self) -> Proposal | None:
        """What Nevergrad proposes, if that is new; None where it goes on proposing what is known."""
        for _ in range(REDRAWS):
            asked = self._optimizer.ask()
            architecture = ask_for(self._space, partial(self._read, cast(Mapping[str, Parameter], asked.value)))
            if architecture is not None and self._pool.claim(architecture):
                self._asked[architecture] = asked
                return Proposal(architecture, origin="nevergrad")
            self.num_redrawn += 1
            known = None if architecture is None else self._losses.get(self._space.canonical_id(architecture))
            if known is not None:
                self._optimizer.tell(asked, known)
        return None

    def _losses_of(self, trial: Trial) -> list[float]:
        score = self._score(trial)
        if score.tier is Tier.FEASIBLE:
            self._worst = [max(pair) for pair in zip(self._worst, score.values, strict=True)]
            return list(score.values)
        beyond = FAILURE if score.tier is Tier.FAILED else min(score.excess, FAILURE)
        return [worst + beyond for worst in self._worst]

    def _read(self, parameters: Mapping[str, Parameter], question: Question) -> Value:
        """The answer that a parameter stands for."""
        parameter, values, options = parameters[question.name], self._values[question.name], question.options
        if values is not None:
            value = values[int(parameter)]
            return value if options.position(value) is not None else options.at(int(parameter) % options.size)
        if isinstance(options, Continuous):
            return options.at_share(float(parameter))
        return options.at(min(int(parameter * options.size), options.size - 1))

    def _candidate(self, architecture: Architecture) -> nevergrad.p.Parameter:
        """The parameters of an architecture that Nevergrad did not ask for; those it does not have stay as they are."""
        parameters = dict(cast(Mapping[str, Parameter], self._optimizer.parametrization.value))
        for question, value in known_answers(self._space, architecture):
            parameters[question.name] = self._written(question, value)
        return self._optimizer.parametrization.spawn_child(new_value=parameters)

    def _written(self, question: Question, value: Value) -> Parameter:
        values, options = self._values[question.name], question.options
        if values is not None:
            return [typed(v) for v in values].index(typed(value))
        if isinstance(options, Continuous):
            return options.share(cast(float, value))
        return (cast(int, options.position(value)) + 0.5) / options.size


class _Chance:
    """Random states that stand in for the global ones, from which parts of Nevergrad draw whatever they are given.

    Args:
        seed: of both.
    """

    def __init__(self, seed: int) -> None:
        python = random.Random(seed)  # noqa: S311 - not for secrets
        self._states = python.getstate(), np.random.RandomState(seed).get_state()

    @contextmanager
    def used(self) -> Iterator[None]:
        """Draw from these; the global states are afterwards what they were."""
        saved = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global state is what is kept
        try:
            random.setstate(self._states[0])
            np.random.set_state(self._states[1])  # noqa: NPY002
            yield
            self._states = random.getstate(), np.random.get_state()  # noqa: NPY002
        finally:
            random.setstate(saved[0])
            np.random.set_state(saved[1])  # noqa: NPY002


def _categories(choice: Choice) -> Iterator[tuple[str, tuple[Value, ...] | None]]:
    """Names of the parameters of a choice, each with its categories; None where it is a share."""
    domain = choice.domain
    if isinstance(domain, Subset):
        yield from ((member_name(choice, value), (False, True)) for value in domain.values)
    elif isinstance(domain, Categorical):
        yield choice.name, domain.values
    elif isinstance(domain, Dependent):
        yield choice.name, tuple({typed(v): v for _, row in domain.table for v in row}.values())
    else:
        yield choice.name, None


def _new_optimizer(
    name: str, values: Mapping[str, tuple[Value, ...] | None], num_trials: int, seed: int
) -> nevergrad.optimizers.base.Optimizer:
    import nevergrad

    registry = nevergrad.optimizers.registry
    if name not in registry:
        near = get_close_matches(name, registry, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "nevergrad.optimizers.registry lists them"
        raise UsageError(f"unknown optimizer of Nevergrad {shorten(name)}; {hint}")
    parameters = {
        name: nevergrad.p.Scalar(init=0.5, lower=0.0, upper=1.0)
        if categories is None
        else nevergrad.p.Choice(range(len(categories)))
        for name, categories in values.items()
    }
    parametrization = nevergrad.p.Dict(**parameters)
    parametrization.random_state = np.random.RandomState(seed)  # else it is drawn from the global one
    return registry[name](parametrization, budget=num_trials, num_workers=1)
