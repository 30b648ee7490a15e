"""What the rung of shared weights spends: its share of a time, a bounded training without one, or nothing."""

from __future__ import annotations

import pytest

from netwright.evaluation.ladder import FEWEST_SCORED, MOST_SCORED
from netwright.evaluation.shared_rung import (
    LEAST_EPOCHS,
    LEAST_TRAINED_S,
    MOST_EPOCHS,
    SCORED_SHARE,
    TRAINED_SHARE,
    SharedPlan,
    plan_shared,
    score_seconds,
)


def plan(search_s: float, *, is_limited: bool = True, score_s: float = 0.7, num_first: int = 0) -> SharedPlan:
    return plan_shared(
        search_s, is_limited=is_limited, workers=2, rate=0.02, full=30.0, score_s=score_s, num_first=num_first
    )


@pytest.mark.parametrize("search_s", [250.0, 600.0, 3600.0, 1e6])
def test_the_rung_keeps_its_share_of_the_time(search_s: float) -> None:
    """Training and, as planned, scoring; never more networks or passes over the data than are of use."""
    found = plan(search_s)
    assert found.why_not == ""
    assert found.until_s == pytest.approx(TRAINED_SHARE * search_s)
    assert found.num * 0.7 / 2 <= SCORED_SHARE * search_s
    assert found.num <= MOST_SCORED
    assert found.epochs == MOST_EPOCHS * 30.0


def test_a_search_that_is_too_short_has_no_such_rung() -> None:
    """It is said why, and what to do; the networks that are tried in any case count as scored ones."""
    assert plan(100.0).why_not.startswith(
        "its training would have 20 s of the 100 s for trying networks, and needs 45; "
    )
    assert plan(LEAST_TRAINED_S / TRAINED_SHARE + 1).why_not == ""
    told = "there would be time to score 6 networks, and it needs 16; give a larger budget"
    assert plan(300.0, score_s=5.0).why_not == told
    assert plan(300.0, score_s=5.0, num_first=FEWEST_SCORED - 6).why_not == ""


@pytest.mark.parametrize(("search_s", "epochs"), [(1.0, LEAST_EPOCHS), (2000.0, 16.0), (1e6, MOST_EPOCHS * 30.0)])
def test_without_a_limit_of_time_the_passes_over_the_data_are_bounded(search_s: float, epochs: float) -> None:
    """From below, too: the rung is always there, and no clock decides."""
    found = plan(search_s, is_limited=False)
    assert (epochs, None, None, "") == (found.epochs, found.until_s, found.most_s, found.why_not)
    assert FEWEST_SCORED <= found.num <= MOST_SCORED


def test_scores_cost_more_for_more_pixels() -> None:
    assert score_seconds(784, 1000) < score_seconds(3072, 1000) < score_seconds(3072, 3000)
