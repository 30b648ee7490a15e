"""Networks whose last training time will cut, compared by the errors that a search has measured."""

from __future__ import annotations

import math

import pytest

from netwright.study.equal_time import EXPONENT
from netwright.study.unfinished import MOST_FALLING, by_what_time_allows, error_of, falling
from netwright.types import Architecture, Fidelity, Objective, Proposal, Trial, TrialState

RANGES = {"rmse": (0.0, math.inf), "accuracy": (0.0, 1.0), "r2": (-math.inf, 1.0), "bleu": (0.0, 100.0)}


def trial(number: int, epochs: float, **metrics: float) -> Trial:
    proposal = Proposal(Architecture({"network": number % 100}), Fidelity(epochs))
    return Trial(number, proposal, 0, TrialState.FINISHED, {"epochs": epochs, **metrics})


@pytest.mark.parametrize(
    ("metric", "direction", "value", "error"),
    [
        ("rmse", "min", 0.6, 0.6),
        ("accuracy", "max", 0.9, 0.1),
        ("r2", "max", 0.25, 0.75),
        ("bleu", "max", 24.0, 76.0),
        ("rmse", "max", 0.6, None),  # there is no best one
        ("latency_ms", "min", 3.0, None),
        ("accuracy", "max", 1.0, 0.0),
    ],
)
def test_errors_are_counted_from_the_best_value(metric: str, direction: str, value: float, error: float | None) -> None:
    """Where there is one that is finite."""
    found = error_of(trial(0, 1.0, **{metric: value}), Objective(metric, direction), RANGES)  # type: ignore[arg-type]
    assert found == (None if error is None else pytest.approx(error))


def test_how_errors_fall_is_measured_on_networks_that_were_trained_twice() -> None:
    """The median of three or more; else the one of images. Within bounds, whatever the noise."""
    goal = Objective("rmse", "min")
    exponents = (0.1, 0.2, 0.9)
    trained = {
        Architecture({"network": n}): [trial(n, 2.0, rmse=1.0), trial(n + 100, 18.0, rmse=9.0**-b)]
        for n, b in enumerate(exponents)
    }
    assert falling(trained, goal, RANGES) == pytest.approx(0.2)
    few = dict(list(trained.items())[:2]) | {Architecture({"network": 7}): [trial(7, 2.0, rmse=1.0)]}
    assert falling(few, goal, RANGES) == EXPONENT
    worse = {a: [trials[0], trial(9, 18.0, rmse=2.0)] for a, trials in trained.items()}
    assert falling(worse, goal, RANGES) == 0.0
    never_wrong = {a: [trials[0], trial(9, 18.0, rmse=0.0)] for a, trials in trained.items()}
    assert falling(never_wrong, goal, RANGES) == EXPONENT
    steep = {a: [trials[0], trial(9, 18.0, rmse=1e-6)] for a, trials in trained.items()}
    assert falling(steep, goal, RANGES) == MOST_FALLING


def test_a_network_that_comes_to_half_of_its_training_must_be_ahead_by_what_that_costs() -> None:
    """And stays first where it is; where all come to their end nothing changes, not even between equals."""
    goal, slow, fast = Objective("rmse", "min"), trial(0, 4.0, rmse=0.65), trial(1, 4.0, rmse=0.70)

    def part(t: Trial) -> float:
        return 0.5 if t is slow else 1.0

    assert by_what_time_allows([slow, fast], goal, RANGES, part, 0.2) == [fast, slow]  # .65 x 2^.2 = .747
    assert by_what_time_allows([slow, fast], goal, RANGES, part, 0.1) == [slow, fast]  # .65 x 2^.1 = .697
    same = trial(2, 4.0, rmse=0.65)
    assert by_what_time_allows([same, slow], goal, RANGES, lambda t: 1.0, 0.5) == [same, slow]
    perfect, unknown = trial(3, 4.0, rmse=0.0), trial(4, 4.0, loss=0.1)
    assert by_what_time_allows([perfect, slow, fast], goal, RANGES, part, 0.2) == [perfect, fast, slow]
    assert by_what_time_allows([slow, fast, unknown], goal, RANGES, part, 0.2) == [slow, fast, unknown]
