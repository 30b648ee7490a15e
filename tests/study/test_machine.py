"""How much slower a machine is than the nominal one."""

from __future__ import annotations

import pytest

from netwright.study import machine
from netwright.study.plan import EXPORT_S, make_plan, reserve_at_pace_s
from netwright.types import Budget


def test_slowness_lies_between_one_and_four(monkeypatch: pytest.MonkeyPatch) -> None:
    """A faster machine is none; one that seems a thousand times slower was not measured well."""
    monkeypatch.setattr(machine, "NOMINAL_S", 1e3)
    assert machine.Slowness()() == 1.0
    monkeypatch.setattr(machine, "NOMINAL_S", 1e-6)
    assert machine.Slowness()() == machine.MOST_SLOWER


def test_what_was_measured_in_a_slow_moment_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least of all is taken; after some forty nothing is measured any more."""
    spent = iter([0.02] * 4 + [0.015] * 4 + [0.02] * 32)
    now = [0.0]

    def work() -> int:
        now[0] += next(spent)
        return 0

    monkeypatch.setattr(machine, "_work", work)
    monkeypatch.setattr(machine, "NOMINAL_S", 0.01)
    monkeypatch.setattr("time.thread_time", lambda: now[0])
    slowness = machine.Slowness()
    assert [slowness() for _ in range(12)] == pytest.approx([2.0] + [1.5] * 11)
    assert next(spent, None) is None


def test_a_slow_machine_keeps_as_much_more_for_its_export() -> None:
    """Up to half of the budget."""
    budget = Budget.parse("60s")
    plan = make_plan(budget, num_images=1000, pixels=784.0, workers=2)
    kept = [reserve_at_pace_s(plan, budget, 1e-6, 100, slowness=times) for times in (1.0, 2.0, 4.0, 40.0)]
    assert kept[1] - kept[0] == pytest.approx(EXPORT_S, rel=1e-3)
    assert kept[2] - kept[1] == pytest.approx(2 * EXPORT_S, rel=1e-3)
    assert kept[3] == 30.0
