"""How much slower a machine is than the nominal one."""

from __future__ import annotations

import pytest

from netwright.study import machine
from netwright.study.plan import EXPORT_S, make_plan, reserve_at_pace_s
from netwright.types import Budget


def measured(monkeypatch: pytest.MonkeyPatch, nominal_s: float) -> float:
    """On a nominal machine of another speed."""
    monkeypatch.setattr(machine, "NOMINAL_S", nominal_s)
    machine.slowness.cache_clear()
    found = machine.slowness()
    machine.slowness.cache_clear()
    return found


def test_slowness_lies_between_one_and_four(monkeypatch: pytest.MonkeyPatch) -> None:
    """A faster machine is none; one that seems a thousand times slower was not measured well."""
    assert measured(monkeypatch, 1e3) == 1.0
    assert measured(monkeypatch, 1e-6) == machine.MOST_SLOWER


def test_a_slow_machine_keeps_as_much_more_for_its_export() -> None:
    """Up to half of the budget."""
    budget = Budget.parse("60s")
    plan = make_plan(budget, num_images=1000, pixels=784.0, workers=2)
    kept = [reserve_at_pace_s(plan, budget, 1e-6, 100, slowness=times) for times in (1.0, 2.0, 4.0, 40.0)]
    assert kept[1] - kept[0] == pytest.approx(EXPORT_S, rel=1e-3)
    assert kept[2] - kept[1] == pytest.approx(2 * EXPORT_S, rel=1e-3)
    assert kept[3] == 30.0
