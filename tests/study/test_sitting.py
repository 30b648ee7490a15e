"""When a sitting's search ends, and what of its time the next sitting knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from netwright.storage import Store
from netwright.study.clock import Clock
from netwright.study.opening import prepare, record_of
from netwright.study.setup import first_proposals
from netwright.study.sitting import FINALS, NOTE_EVERY_S, SPENT, Sitting
from netwright.types import Fidelity, Proposal, Trial, TrialState

LIMIT_S = 180.0


@pytest.fixture
def sitting(tmp_path: Path) -> Iterator[Sitting]:
    """One of a search that has begun, of which nothing has ended."""
    options = {"task": "image-classification", "data": "digits", "budget": "3m", "out": str(tmp_path / "run")}
    clock = Clock()
    settings, parts = prepare(None, options, clock)
    with Store.create(tmp_path / "study.db", record_of(settings, parts)) as store:
        yield Sitting(settings, parts, store, None, clock, None)


def again(sitting: Sitting, spent_s: float) -> Sitting:
    """The next one, when so much of the time is spent."""
    clock = Clock(spent_s=spent_s)
    return Sitting(sitting.settings, sitting.parts, sitting.store, None, clock, None)


def ended(sitting: Sitting, number: int, origin: str = "", epochs: float = 1.0) -> Trial:
    """A training that took little time."""
    assert sitting.parts.task is not None
    architecture = first_proposals(sitting.parts.task, sitting.parts.space)[number].architecture
    metrics = {"accuracy": 0.9, "epochs": epochs, "train_time_s": 0.01 * epochs}
    return Trial(number, Proposal(architecture, Fidelity(epochs), (), origin), 7, TrialState.FINISHED, metrics)


def test_a_search_whose_last_trainings_had_begun_is_over(sitting: Sitting) -> None:
    """Also where these ended sooner than by their pace, so that there would be time for more; not with more budget."""
    assert sitting.parts.plan is not None
    fully = ended(sitting, 0, epochs=sitting.parts.plan.final_epochs)
    for now in (sitting, again(sitting, 100.0)):
        now.trials += [fully, ended(sitting, 1)]
        assert not now._search_may_end()
        assert (now._search_ends_s() or 0.0) > 100.0
    sitting.store.append_event(FINALS, "2m")
    assert not again(sitting, 10.0)._search_may_end()
    sitting.store.append_event(FINALS, str(sitting.settings.budget))
    later = again(sitting, 100.0)
    later.trials += [fully, ended(sitting, 1)]
    assert later._search_may_end()
    assert later._search_ends_s() == 0.0


def test_a_search_whose_time_was_spent_before_its_first_trial_ended_goes_on_by_its_pace(sitting: Sitting) -> None:
    """As after loading that took long: that trial tells how little its last training needs."""
    plan = sitting.parts.plan
    assert plan is not None
    assert plan.search.time_s is not None
    sitting.parts = replace(sitting.parts, plan=replace(plan, finishes=False, num_finalists=1))
    late = again(sitting, plan.search.time_s + 1.0)
    late.parts = sitting.parts
    assert not late._search_may_end()
    late.trials.append(ended(sitting, 0))
    assert late.final is not None
    late.final.plan = sitting.parts.plan  # type: ignore[assignment]
    assert not late._search_may_end()
    slow = ended(sitting, 0)
    late.trials[:] = [replace(slow, metrics={**slow.metrics, "train_time_s": 90.0})]
    late.final._known_latest_s.clear()
    assert late._search_may_end()
    later = again(sitting, 170.0)
    assert later._search_may_end()


def test_the_time_of_a_long_training_is_noted_before_it_ends(sitting: Sitting) -> None:
    """Else a resume after a kill would give all of it once more."""
    later = again(sitting, 50.0)
    later._waited()
    assert [] == sitting.store.events(SPENT)
    later.noted_s -= NOTE_EVERY_S
    later._waited()
    (noted,) = sitting.store.events(SPENT)
    assert noted.body == pytest.approx(50.0, abs=2.0)


def test_a_search_without_a_network_leaves_time_for_one(sitting: Sitting) -> None:
    """However long the trainings may go on that run at its end: half of what is left is for the cheapest network."""
    plan = sitting.parts.plan
    assert plan is not None
    assert plan.search.time_s is not None
    left_s = LIMIT_S - plan.reserve_s - plan.search.time_s
    for grace_s in (0.0, 30.0, LIMIT_S):
        sitting.parts = replace(sitting.parts, plan=replace(plan, grace_s=grace_s))
        ends_s = sitting._search_ends_s() or 0.0
        assert plan.search.time_s + min(grace_s, left_s / 2) <= ends_s <= LIMIT_S - plan.reserve_s - left_s / 4
