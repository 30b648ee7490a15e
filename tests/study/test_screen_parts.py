"""The pool of the ladder as a specification wants it: which rungs there are, and what shared weights may spend."""

from __future__ import annotations

from typing import cast

import pytest

from netwright.evaluation.ladder import FEWEST_SCORED, SHARED
from netwright.evaluation.shared_rung import TRAINED_SHARE
from netwright.spec import SearchSpec
from netwright.study.ladder_screen import PREDICTOR, Screen
from netwright.study.screen_parts import screen_of, shared_plan_of
from netwright.study.setup import first_plan
from netwright.tasks import load_task
from netwright.tasks.image_classification import ImageClassification


@pytest.fixture(scope="module")
def task() -> ImageClassification:
    return cast("ImageClassification", load_task("image-classification", "digits", seed=0))


def spec(**options: object) -> SearchSpec:
    given = {"ladder": "predictor,supernet,short", "budget": "30m", **options}
    return SearchSpec.from_options(task="image-classification", data="digits", **given)


def screen(given: SearchSpec, task: ImageClassification) -> Screen | None:
    return screen_of(given, first_plan(given, task), task.default_space(), task, [])


def test_shared_weights_are_trained_in_a_share_of_the_time_for_trying_networks(task: ImageClassification) -> None:
    """Of the search phase, not of the whole budget: the finalists keep theirs."""
    given = spec()
    plan = first_plan(given, task)
    assert plan.search.time_s is not None
    found = shared_plan_of(given, plan, task, 0)
    assert found.why_not == ""
    assert found.until_s == pytest.approx(TRAINED_SHARE * plan.search.time_s)
    made = screen(given, task)
    assert made is not None
    assert (made.living, made.num_to_share) == ([SHARED, PREDICTOR], found.num)


@pytest.mark.parametrize("budget", ["24 trials", "90 epochs"])
def test_without_time_it_is_epochs_that_are_limited(task: ImageClassification, budget: str) -> None:
    """So that the same search is the same on every machine; and enough networks are scored for a rung."""
    given = spec(budget=budget)
    found = shared_plan_of(given, first_plan(given, task), task, 0)
    assert (found.until_s, found.most_s) == (None, None)
    assert 2.0 <= found.epochs <= 40.0
    assert found.num >= FEWEST_SCORED


def test_a_short_search_has_no_rung_of_shared_weights(task: ImageClassification) -> None:
    """The pool is there for the predictor."""
    given = spec(budget="60s")
    assert "give a larger budget" in shared_plan_of(given, first_plan(given, task), task, 0).why_not
    made = screen(given, task)
    assert made is not None
    assert (made.living, made.num_to_share) == ([PREDICTOR], 0)


def test_it_is_there_where_it_is_named_and_for_accuracy_alone(task: ImageClassification) -> None:
    """The default ladder has none."""
    default = screen(spec(ladder="default"), task)
    assert default is not None
    assert SHARED not in default.living
    assert screen(spec(objectives=["accuracy", "params"]), task) is None
    assert screen(spec(ladder="short"), task) is None
