"""A bridge to Optuna: its samplers propose, our space says what may be asked. A baseline, and no strategy of ours.

The choices of an architecture are asked for one after the other, each only where the decisions before it make it one
(Optuna's define-by-run). Optuna keeps its own history; ours is told to it.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING

from netwright.errors import MissingDependencyError, UsageError, unknown
from netwright.space.values import Continuous, Listed, Stepped
from netwright.strategies.operators import Scorer, Tier
from netwright.strategies.pool import Pool, collect
from netwright.strategies.questions import Question, ask_for, known_answers, question_name
from netwright.types import (
    Architecture,
    Constraint,
    Objective,
    Proposal,
    Trial,
    TrialState,
    Value,
    canonical_json,
    to_json_value,
)

if TYPE_CHECKING:
    import optuna

    from netwright.space import SearchSpace

REDRAWS = 20
"""How often Optuna is asked again where it proposes what is known already; a random architecture is taken then."""

LIMITS = "limits"
"""Name of the constraint that Optuna is told: by how much all limits together are exceeded."""


class OptunaStrategy:
    """A sampler of Optuna as a strategy.

    A known architecture is not proposed again: Optuna is told once more what it scored, and asked anew. Failed trials,
    and infeasible ones whose objectives are not known, are failures to Optuna, which learns nothing from them.

    Args:
        space: where to search.
        seed: of all randomness, >= 0.
        objectives: one, or several where the sampler can.
        constraints: limits; told to Optuna as the sum of what is beyond them, relative to the bounds.
        initial: proposed first.
        sampler: ``tpe``, ``gp``, ``nsga2``, ``nsga3``, ``qmc`` or ``random``, with Optuna's own defaults.

    Attributes:
        num_redrawn: how often Optuna proposed what was known already, or what breaks a constraint of the space.

    Raises:
        MissingDependencyError: Optuna is not installed.
        UsageError: the sampler is unknown.

    References:
        T. Akiba et al., 2019, "Optuna: A Next-generation Hyperparameter Optimization Framework".
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int = 0,
        objectives: Sequence[Objective] = (Objective("accuracy", "max"),),
        constraints: Sequence[Constraint] = (),
        initial: Sequence[Proposal | Architecture] = (),
        sampler: str = "tpe",
    ) -> None:
        if sampler not in SAMPLERS:
            raise UsageError(unknown("sampler of Optuna", sampler, SAMPLERS))
        if find_spec("optuna") is None:
            raise MissingDependencyError("optuna", "bridges", "the strategy 'optuna'")
        self._pool = Pool(space, seed, initial)
        self._space = space
        self._score = Scorer(tuple(objectives), tuple(constraints))
        self._study = _new_study(sampler, seed % 2**32, len(objectives))
        self._asked: dict[Architecture, optuna.Trial] = {}
        self._results: dict[str, _Result] = {}
        self.num_redrawn = 0

    def ask(self, n: int) -> Sequence[Proposal]:
        return collect(n, lambda: self._pool.next_initial() or self._sampled() or self._pool.sample_proposal())

    def tell(self, trials: Sequence[Trial]) -> None:
        self._pool.admit(trials)
        for trial in trials:
            result = _result_of(trial, self._score)
            self._results[self._space.canonical_id(trial.architecture)] = result
            asked = self._asked.pop(trial.architecture, None)
            if asked is not None:
                result.tell(self._study, asked)
            elif result.values:
                self._study.add_trial(self._frozen(trial.architecture, result))

    def _sampled(self) -> Proposal | None:
        """What Optuna proposes, if that is new; None where it goes on proposing what is known."""
        for _ in range(REDRAWS):
            asked = self._study.ask()
            architecture = ask_for(self._space, partial(_suggested, asked))
            if architecture is not None and self._pool.claim(architecture):
                self._asked[architecture] = asked
                return Proposal(architecture, origin="optuna")
            self.num_redrawn += 1
            known = None if architecture is None else self._results.get(self._space.canonical_id(architecture))
            (known or _Result()).tell(self._study, asked)
        return None

    def _frozen(self, architecture: Architecture, result: _Result) -> optuna.trial.FrozenTrial:
        """A trial that Optuna did not ask for."""
        import optuna

        params, distributions = {}, {}
        for question, value in known_answers(self._space, architecture):
            name = question_name(question)
            distributions[name] = _distribution(question)
            params[name] = _written(question, value)
        limits = {} if result.excess is None else {LIMITS: result.excess}
        return optuna.trial.create_trial(
            values=result.values, params=params, distributions=distributions, constraints=limits
        )


@dataclass(frozen=True, slots=True)
class _Result:
    """What Optuna is told of a trial: a failure where there are no values.

    Args:
        values: of the objectives, smaller is better.
        excess: by how much the limits are exceeded; None where there are no limits.
    """

    values: tuple[float, ...] = ()
    excess: float | None = None

    def tell(self, study: optuna.Study, asked: optuna.Trial) -> None:
        """End a trial that Optuna asked for."""
        import optuna

        if not self.values:
            study.tell(asked, state=optuna.trial.TrialState.FAIL)
            return
        if self.excess is not None:
            asked.set_constraint(LIMITS, self.excess)
        study.tell(asked, self.values)


def _result_of(trial: Trial, score: Scorer) -> _Result:
    scored = score(trial)
    if scored.tier is Tier.FEASIBLE:
        return _Result(scored.values, 0.0 if score.constraints else None)
    if scored.tier is Tier.FAILED or not score.constraints or not math.isfinite(scored.excess):
        return _Result()
    unlimited = Scorer(score.objectives)(replace(trial, state=TrialState.FINISHED))
    return _Result(unlimited.values, scored.excess)


def _tpe(seed: int) -> optuna.samplers.BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed)


def _gp(seed: int) -> optuna.samplers.BaseSampler:
    from optuna.samplers import GPSampler

    return GPSampler(seed=seed, warn_independent_sampling=False)


def _nsga2(seed: int) -> optuna.samplers.BaseSampler:
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(seed=seed)


def _nsga3(seed: int) -> optuna.samplers.BaseSampler:
    from optuna.samplers import NSGAIIISampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is experimental
        return NSGAIIISampler(seed=seed)


def _qmc(seed: int) -> optuna.samplers.BaseSampler:
    from optuna.samplers import QMCSampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is experimental
        return QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)


def _random(seed: int) -> optuna.samplers.BaseSampler:
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=seed)


SAMPLERS: Mapping[str, Callable[[int], optuna.samplers.BaseSampler]] = MappingProxyType(
    {"gp": _gp, "nsga2": _nsga2, "nsga3": _nsga3, "qmc": _qmc, "random": _random, "tpe": _tpe}
)


def _new_study(sampler: str, seed: int, num_objectives: int) -> optuna.Study:
    import optuna

    with _silenced("optuna.storages._in_memory"):
        return optuna.create_study(directions=["minimize"] * num_objectives, sampler=SAMPLERS[sampler](seed))


@contextmanager
def _silenced(name: str) -> Iterator[None]:
    """Without the line that Optuna writes for every study; its logger is left as it was."""
    logger = logging.getLogger(name)
    was_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was_disabled


def _distribution(question: Question) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    options = question.options
    if isinstance(options, Continuous):
        return FloatDistribution(options.low, options.high, log=options.log)
    if isinstance(options, Stepped):
        return IntDistribution(options.low, _last(options), log=question.log, step=options.step)
    return CategoricalDistribution([_text(value) for value in options.values])


def _suggested(asked: optuna.Trial, question: Question) -> Value:
    name, options = question_name(question), question.options
    if isinstance(options, Continuous):
        real: float = asked.suggest_float(name, options.low, options.high, log=options.log)
        return real
    if isinstance(options, Stepped):
        whole: int = asked.suggest_int(name, options.low, _last(options), step=options.step, log=question.log)
        return whole
    by_text = {_text(value): value for value in options.values}
    return by_text[asked.suggest_categorical(name, list(by_text))]


def _last(options: Stepped) -> int:
    return options.low + (options.size - 1) * options.step


def _written(question: Question, value: Value) -> Value:
    return _text(value) if isinstance(question.options, Listed) else value


def _text(value: Value) -> str:
    """Values as text, in which 1, 1.0, True and tuples are what they are."""
    return canonical_json(to_json_value(value))
