"""Hypervolumes and their shares: boxes counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.comparison import hypervolume as module
from netwright.comparison.hypervolume import Yardstick, hypervolume, make_yardstick, reference_point, shares
from netwright.comparison.journal import Ending, SearchRun
from netwright.errors import MissingDependencyError

FRONT = [(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]


def run_of(*points: tuple[int, tuple[float, ...], tuple[float, ...]]) -> SearchRun:
    return SearchRun("it", 0, Ending.QUERIES, points=points)


def test_a_staircase_of_three_by_hand() -> None:
    """Up to (4, 4): columns of width 1 and heights 1, 2 and 3; what is beyond the reference adds nothing."""
    pytest.importorskip("moocore")
    assert 6.0 == hypervolume(FRONT, (4.0, 4.0))
    assert 6.0 == hypervolume([*FRONT, (0.5, 4.5), (3.5, 3.5)], (4.0, 4.0))
    assert 0.0 == hypervolume([(4.0, 1.0)], (4.0, 4.0))


def test_three_objectives_by_hand() -> None:
    """Two boxes of volume 2 that share a box of volume 1."""
    pytest.importorskip("moocore")
    assert 3.0 == hypervolume([(0.0, 1.0, 1.0), (1.0, 0.0, 1.0)], (2.0, 2.0, 2.0))


def test_the_reference_is_a_tenth_of_the_range_beyond_the_nadir() -> None:
    """Also where an objective has no range."""
    assert (3.2, 3.2) == pytest.approx(reference_point(FRONT))
    assert (1.1, 0.1) == pytest.approx(reference_point([(1.0, 0.0)]))
    assert (-0.9,) == pytest.approx(reference_point([(-1.0,)]))


def test_shares_grow_with_what_is_found() -> None:
    """The whole front is 1; each point that is found adds its boxes."""
    pytest.importorskip("moocore")
    yardstick = Yardstick((4.0, 4.0), 6.0, True)
    points = [(1, FRONT[1], FRONT[1]), (3, FRONT[0], FRONT[0]), (4, FRONT[2], FRONT[2])]
    np.testing.assert_allclose([0, 4 / 6, 4 / 6, 5 / 6, 1, 1], shares(run_of(*points), 6, yardstick))


def test_what_is_read_decides_and_what_is_reported_is_measured() -> None:
    """A point that dominates another by what is read takes its place, though it is reported to be worse."""
    pytest.importorskip("moocore")
    yardstick = Yardstick((4.0, 4.0), 6.0, True)
    points = [(0, (2.0, 2.0), (2.0, 2.0)), (1, (1.0, 1.0), (3.0, 3.0))]
    np.testing.assert_allclose([4 / 6, 1 / 6], shares(run_of(*points), 2, yardstick))


def test_without_a_known_front_that_of_all_points_found_takes_its_place() -> None:
    """And it is said so."""
    pytest.importorskip("moocore")
    runs = [run_of((0, FRONT[0], FRONT[0]), (1, (5.0, 5.0), (5.0, 5.0))), run_of((0, FRONT[2], FRONT[2]))]
    yardstick = make_yardstick([], runs)
    assert yardstick is not None
    assert ((3.2, 3.2), False) == (pytest.approx(yardstick.reference), yardstick.is_true)
    assert make_yardstick([], [run_of()]) is None


def test_the_library_agrees_with_a_count_of_random_points() -> None:
    """The share of those that the front is better than, for two to four objectives."""
    pytest.importorskip("moocore")
    rng = np.random.default_rng(0)
    for num in (2, 3, 4):
        front = [tuple(row) for row in rng.random((12, num)).tolist()]
        drawn = rng.random((40_000, num))
        better = np.zeros(len(drawn), dtype=bool)
        for point in front:
            better |= (drawn >= np.array(point)).all(axis=1)
        assert hypervolume(front, (1.0,) * num) == pytest.approx(better.mean(), abs=0.015)


def test_without_moocore_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is in the message."""
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'netwright\[pareto\]'"):
        hypervolume(FRONT, (4.0, 4.0))
