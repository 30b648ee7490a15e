"""Conformance suites for authors of plug-ins: what every strategy and every evaluator has to do.

They raise `AssertionError` with what is wrong, so they can be called from any test.
"""

from netwright.testing.evaluators import check_evaluator
from netwright.testing.process import check_hash_seed
from netwright.testing.simulation import Simulation, synthetic_metrics, trace_of
from netwright.testing.spaces import cell_space, example_spaces, mixed_space, nested_space, small_cell_space, tiny_space
from netwright.testing.strategies import (
    CHECKS,
    check_any_order,
    check_bad_trials,
    check_determinism,
    check_exhaustion,
    check_grouping,
    check_no_duplicates,
    check_pending,
    check_protocol,
    check_replay,
    check_seeds_differ,
    check_strategy,
    check_told_once,
    check_warm_start,
)

__all__ = [
    "CHECKS",
    "Simulation",
    "cell_space",
    "check_any_order",
    "check_bad_trials",
    "check_determinism",
    "check_evaluator",
    "check_exhaustion",
    "check_grouping",
    "check_hash_seed",
    "check_no_duplicates",
    "check_pending",
    "check_protocol",
    "check_replay",
    "check_seeds_differ",
    "check_strategy",
    "check_told_once",
    "check_warm_start",
    "example_spaces",
    "mixed_space",
    "nested_space",
    "small_cell_space",
    "synthetic_metrics",
    "tiny_space",
    "trace_of",
]
