"""A portfolio of earlier studies: few architectures of which, in every study, one was near the best.

Knows no space and no strategy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import numpy as np

from netwright.predictors.features import Features
from netwright.predictors.gaussian_surrogate import GaussianProcessSurrogate
from netwright.predictors.surrogate import CannotLearn
from netwright.strategies.earlier_studies import Lesson
from netwright.types import Architecture, Fidelity

MOST_OFFERED = 20
"""The best of each study that a portfolio is chosen from."""


def make_portfolio(
    lessons: Sequence[Lesson], size: int, features: Features, rng: np.random.Generator
) -> list[Architecture]:
    """Choose architectures that together come nearest to the best of all studies.

    Each in turn is the one that most lowers the mean, over the studies, of the best rank reached; among equal ones the
    one of the best mean rank. Where a study did not evaluate an architecture, its rank is that of what a Gaussian
    process of the study predicts.

    Args:
        lessons: one for each study.
        size: how many architectures at most, >= 0; fewer where they contain the best of every study.
        features: of the architectures.
        rng: source of randomness.

    References:
        M. Feurer et al., 2022, "Auto-Sklearn 2.0", algorithm 1 (the greedy portfolio). Deviations: ranks take the
        place of the regret; what was not evaluated is predicted.
    """
    offered: dict[Architecture, None] = {}
    for lesson in lessons:
        order = np.argsort(-lesson.targets, kind="stable")[:MOST_OFFERED]
        offered.update((lesson.architectures[i], None) for i in order.tolist())
    architectures = list(offered)
    if not architectures or size < 1:
        return []
    reached = np.stack([_ranks(lesson, architectures, features, rng) for lesson in lessons])
    return [architectures[i] for i in _greedy(reached, size)]


def in_turns(studies: Sequence[Mapping[Architecture, Fidelity]], size: int) -> list[Architecture]:
    """The first of each study by turns, so many in all, each once.

    Of a study whose networks were not trained equally long the longest trainings say what is good; they are too few for
    `make_portfolio`, whose ranks are of what most of its networks had.

    Args:
        studies: networks of each in their order (`netwright.strategies.earlier_studies.longest_first`).
        size: how many at most, >= 0.

    Example:
        >>> one, other = ({Architecture({"x": x}): Fidelity() for x in some} for some in ((1, 2, 3), (2, 4)))
        >>> [architecture["x"] for architecture in in_turns([one, other], 3)]
        [1, 2, 4]
    """
    turns = zip_longest(*studies)
    return list(dict.fromkeys(a for turn in turns for a in turn if a is not None))[:size]


def _greedy(reached: np.ndarray, size: int) -> list[int]:
    """Numbers of the chosen, of ranks of shape (studies, architectures)."""
    chosen: list[int] = []
    best = np.full((len(reached), 1), np.inf)
    while len(chosen) < size and best.mean() > 0:
        together = np.minimum(best, reached).mean(axis=0)
        together[chosen] = np.inf
        number = int(np.lexsort((reached.mean(axis=0), together))[0])
        best = np.minimum(best, reached[:, [number]])
        chosen.append(number)
    return chosen


def _ranks(
    lesson: Lesson, architectures: Sequence[Architecture], features: Features, rng: np.random.Generator
) -> np.ndarray:
    """Share of a study's architectures that score better than each of some architectures; shape (m,)."""
    known = dict(zip(lesson.architectures, lesson.targets.tolist(), strict=True))
    missing = [a for a in architectures if a not in known]
    if missing:
        known.update(zip(missing, _predicted(lesson, missing, features, rng).tolist(), strict=True))
    scores = np.array([known[a] for a in architectures])
    return np.asarray((lesson.targets > scores[:, None]).mean(axis=1))


def _predicted(
    lesson: Lesson, architectures: Sequence[Architecture], features: Features, rng: np.random.Generator
) -> np.ndarray:
    """What a study predicts for architectures it did not evaluate; the middle where no model can be made."""
    model, numbers = GaussianProcessSurrogate(features, rng), features.numbers(lesson.architectures)
    try:
        model.tune(numbers, lesson.targets)
        model.condition(numbers, lesson.targets)
    except CannotLearn:
        return np.zeros(len(architectures))
    return model.predict(features.numbers(architectures))[0]
