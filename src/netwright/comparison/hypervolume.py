"""How much of the true Pareto front's hypervolume a search has found, query by query.

The volume is worked out by moocore. The reference point, from which it is measured, is the nadir of the front (in each
objective the worst that is on the front) and a tenth of the front's range beyond it, so that the ends of the front
count, too. Where the front of the benchmark is not known, the front of all that was found in the comparison takes its
place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from netwright.comparison.journal import SearchRun
from netwright.errors import MissingDependencyError
from netwright.strategies.operators import Values, dominates, pareto_rank

if TYPE_CHECKING:
    from numpy.typing import NDArray

BEYOND = 0.1
"""Part of the front's range by which the reference point is worse than the nadir."""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What a hypervolume is measured by.

    Args:
        reference: reference point, smaller is better.
        volume: hypervolume of the whole front; what is found is told as a share of it.
        is_true: whether the front is the benchmark's, and not only what was found.
    """

    reference: Values
    volume: float
    is_true: bool


def require_moocore() -> None:
    """Check that hypervolumes can be worked out.

    Raises:
        MissingDependencyError: moocore is not installed.
    """
    if find_spec("moocore") is None:
        raise MissingDependencyError("moocore", "pareto", "the hypervolume of several objectives")


def make_yardstick(front: Sequence[Values], runs: Sequence[SearchRun]) -> Yardstick | None:
    """Choose the reference point and the volume everything is compared with.

    Args:
        front: the benchmark's, smaller is better; empty where it is not known.
        runs: all searches, whose points stand in for it.

    Returns:
        None where nothing at all was found.
    """
    points = list(front) or sorted({reported for run in runs for _, _, reported in run.points if _known(reported)})
    if not points:
        return None
    best = [point for point, rank in zip(points, pareto_rank(points), strict=True) if rank == 0]
    reference = reference_point(best)
    return Yardstick(reference, hypervolume(best, reference), bool(front))


def reference_point(front: Sequence[Values]) -> Values:
    """The nadir of a front, and a tenth of its range beyond it.

    In an objective without a range, a tenth of the number itself, or of one, is taken.

    Example:
        >>> reference_point([(0.0, 4.0), (2.0, 4.0)])
        (2.2, 4.4)

    References:
        S. Daulton et al., 2020, "Differentiable Expected Hypervolume Improvement", takes the same tenth.
    """
    columns = [(min(column), max(column)) for column in zip(*front, strict=True)]
    return tuple(high + BEYOND * ((high - low) or abs(high) or 1.0) for low, high in columns)


def hypervolume(points: Sequence[Values], reference: Values) -> float:
    """Volume of what the points are better than, up to the reference point; smaller is better.

    Raises:
        MissingDependencyError: moocore is not installed.
    """
    require_moocore()
    import moocore

    inside = [point for point in points if all(x < r for x, r in zip(point, reference, strict=True))]
    return float(moocore.hypervolume(np.array(inside), ref=np.array(reference))) if inside else 0.0


def shares(run: SearchRun, queries: int, yardstick: Yardstick) -> NDArray[np.float64]:
    """Share of the volume that a search has found, by count of queries (N,).

    The points that count are those a search would deliver: none of the others is better than them in all that the
    search reads. They are measured by what is reported.

    Args:
        run: the search.
        queries: N.
        yardstick: reference point and whole volume.
    """
    found = np.zeros(queries)
    kept: list[tuple[Values, Values]] = []
    for query, read, reported in run.points:
        kept = [*(pair for pair in kept if not dominates(read, pair[0])), (read, reported)]
        volume = hypervolume([values for _, values in kept if _known(values)], yardstick.reference)
        found[query:] = volume / yardstick.volume
    return found


def _known(values: Values) -> bool:
    return all(map(math.isfinite, values))
