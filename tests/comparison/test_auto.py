"""A comparison says what `auto` stood for, and why."""

from __future__ import annotations

from comparison_helpers import SHORT, Line, Square

from netwright.comparison import Settings, compare
from netwright.types import Fidelity


def test_auto_is_told_with_its_reason() -> None:
    """With full evaluations only it is the Gaussian process; other strategies get no note."""
    comparison = compare(Square(), "auto,random", Settings(queries=6, seeds=2), jobs=1)
    assert comparison.crashes == ()
    assert comparison.notes == ("auto is bayesian, since a model of what was evaluated needs the fewest trials",)


def test_auto_uses_the_fidelities_of_a_benchmark() -> None:
    """Where there are two of them, the choice says so, and both are asked for."""
    line = Line({"accuracy": [i / 20 for i in range(20)]}, fidelities=(SHORT, Fidelity(10.0)))
    comparison = compare(line, "auto", Settings(queries=30, seeds=1), jobs=1)
    assert "2 fidelities" in comparison.notes[0]
    (run,) = comparison.runs["auto"]
    assert run.error == ""
    assert run.equivalents[-1] < len(run.equivalents)
