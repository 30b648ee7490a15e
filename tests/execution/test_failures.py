"""Tests of when failures end a search."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.errors import SearchError
from netwright.execution import FailurePolicy
from netwright.execution.failures import group_causes
from netwright.types import Architecture, Proposal, Trial, TrialState


def _trial(number: int, state: TrialState, error: str = "") -> Trial:
    return Trial(number, Proposal(Architecture({})), 0, state, error=error)


def test_a_search_whose_trials_all_fail_from_the_start_is_stopped() -> None:
    """The tenth failure stops it; causes that differ in numbers only are grouped, most frequent first."""
    policy = FailurePolicy()
    errors = ["ValueError: width 3 at 0x7f\nTraceback"] * 3 + ["KeyError: 'x'"] + ["ValueError: width 17 at 0x8a"] * 5
    for number, error in enumerate(errors):
        policy.add(_trial(number, TrialState.FAILED, error))
        policy.add(_trial(number, TrialState.INFEASIBLE, "params"))
    message = "the first 10 trials all failed.*\n  9 x ValueError: width 3 at 0x7f\n  1 x KeyError: 'x'$"
    with pytest.raises(SearchError, match=message):
        policy.add(_trial(9, TrialState.FAILED, "ValueError: width 5 at 0x0"))


def test_random_failures_of_40_percent_never_stop_a_search() -> None:
    """After a success, 20,000 trials of which 40 % fail go through."""
    rng = np.random.default_rng(0)
    policy = FailurePolicy()
    policy.add(_trial(0, TrialState.FINISHED))
    for number, failed in enumerate(rng.random(20_000) < 0.4):
        policy.add(_trial(number, TrialState.FAILED if failed else TrialState.FINISHED, "RuntimeError: luck"))


def test_a_search_that_breaks_later_is_stopped() -> None:
    """Thirty failures in a row after successes stop it; one success before the last of them starts the count anew."""
    policy = FailurePolicy()
    for state in [TrialState.FINISHED] + [TrialState.FAILED] * 29 + [TrialState.FINISHED] + [TrialState.FAILED] * 29:
        policy.add(_trial(0, state, "OSError: disk"))
    with pytest.raises(SearchError, match="the last 30 trials all failed"):
        policy.add(_trial(0, TrialState.FAILED, "OSError: disk"))


def test_many_causes_are_summed_up() -> None:
    """Only the most frequent three are shown."""
    assert group_causes(["a"] * 3 + ["b"] * 2 + ["c", "d", "e"]) == "  3 x a\n  2 x b\n  1 x c\n  2 x something else"
