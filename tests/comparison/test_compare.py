"""Whole comparisons: planted strategies, odd tables, and what programs and people are told."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from comparison_helpers import FULL, SHORT, Failing, Forgetful, Line, Square, scripted

from netwright.comparison import Comparison, Ending, Settings, compare, statistics, tables, to_dict, to_svg
from netwright.comparison.plot import Axes
from netwright.errors import UsageError

NAN = math.nan
SCHEMA = Path(__file__).parents[2] / "docs" / "bench.schema.json"
HILL = Line({"accuracy": [0.1, 0.5, 0.3, 0.9, 0.7]})


def document(comparison: Comparison) -> dict[str, Any]:
    """What programs are told, through JSON and checked against the schema that is shipped."""
    text = json.dumps(to_dict(comparison), allow_nan=False)
    found: dict[str, Any] = json.loads(text)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(found, schema, cls=jsonschema.Draft202012Validator)
    return found


def people(comparison: Comparison) -> str:
    """What people are told."""
    rows = [make(comparison) for make in (tables.regret_rows, tables.hypervolume_rows, tables.search_rows)]
    rows.append(tables.worker_rows(comparison))
    cells = ["  ".join(row) for headers, body in rows for row in (headers, *body)]
    lines = [tables.headline(comparison), *cells, *tables.pair_lines(comparison), *tables.note_lines(comparison)]
    return "\n".join(lines)


def test_a_curve_of_regret_by_hand() -> None:
    """Two seeds of one script: the regrets .8, .6, .4, 0 and then still 0, without a spread."""
    done = compare(HILL, {"it": scripted(0, 2, 1, 3, 4)}, Settings(queries=6, seeds=2), jobs=1)
    told = document(done)["strategies"]["it"]
    np.testing.assert_allclose([0.8, 0.6, 0.4, 0, 0, 0], told["regret_mean"])
    np.testing.assert_allclose([[r, r] for r in [0.8, 0.6, 0.4, 0, 0, 0]], told["regret_ci"])
    assert [4, 4] == told["queries_to_optimum"]
    assert (4, 4, 1.0) == tuple(
        told[k] for k in ("queries_to_optimum_median", "queries_to_optimum_p95", "optimum_share")
    )
    np.testing.assert_allclose([1.8 / 6] * 2, told["regret_auc"])
    assert {"optimum": 2} == told["endings"]


def test_a_plant_that_ignores_history_is_not_better_than_random_and_local_search_is() -> None:
    """Over 30 paired seeds, corrected for the three pairs."""
    pytest.importorskip("scipy")
    strategies = {"random": "random", "forgetful": Forgetful, "local": "local"}
    done = compare(Square(), strategies, Settings(queries=40, seeds=30), jobs=1)
    assert done.tests is not None
    better = {(test.a, test.b): test.better for test in done.tests}
    assert {("random", "forgetful"): None, ("random", "local"): "local", ("forgetful", "local"): "local"} == better
    text = people(done)
    assert "local is better than random: by 0.0" in text
    assert "1 of 3 pairs do not differ significantly" in text


def test_results_do_not_depend_on_jobs() -> None:
    """All that is told, but for the times."""
    settings = Settings(queries=25, seeds=4, workers=5, objectives=("latency_ms",), targets=(0.05,))
    pytest.importorskip("moocore")
    told = [document(compare(Square(), "random,evolution", settings, jobs=jobs)) for jobs in (1, 2)]
    for some in told:
        for strategy in some["strategies"].values():
            for key in ("ask_ms", "ask_ms_p95", "ask_ms_late", "tell_ms"):
                assert strategy.pop(key) >= 0
    assert told[0] == told[1]


def test_under_validation_regret_is_from_the_test_optimum() -> None:
    """The choice by validation is worth .2 less than the best."""
    line = Line({"accuracy": [0.2, 0.6, 0.4], "test_accuracy": [0.3, 0.7, 0.9]})
    done = compare(line, {"it": scripted(0, 1, 2)}, Settings(protocol="validation", queries=3, seeds=1), jobs=1)
    told = document(done)
    assert ("validation", "accuracy", "test_accuracy", 0.9) == tuple(
        told[key] for key in ("protocol", "metric", "test_metric", "optimum")
    )
    np.testing.assert_allclose([0.6, 0.2, 0.2], told["strategies"]["it"]["regret_mean"])
    assert "the incumbent is scored by test_accuracy" in people(done)


def test_a_table_of_nan_gives_nulls_and_says_so() -> None:
    """Every query fails; nothing crashes, and nobody is better."""
    done = compare(Line({"accuracy": [NAN] * 5}), "random,local", Settings(queries=4, seeds=3), jobs=1)
    told = document(done)
    assert told["best"] is None
    assert [None] * 4 == told["strategies"]["random"]["regret_mean"]
    assert (12, [None] * 3) == tuple(told["strategies"]["local"][key] for key in ("failed", "queries_to_optimum"))
    assert "no search found anything" in people(done)
    assert "<svg" in to_svg(done)
    assert all(test.better is None for test in done.tests or ())


def test_a_few_nans_leave_a_hole_at_the_first_counts() -> None:
    """Where a seed has found nothing, there is no mean; its area counts the worst regret instead."""
    line = Line({"accuracy": [NAN, 0.4, 0.9]})
    done = compare(line, {"a": scripted(0, 1, 2), "b": scripted(1, 2, 0)}, Settings(queries=3, seeds=2), jobs=1)
    told = document(done)["strategies"]
    assert [None, 0.5, 0.0] == told["a"]["regret_mean"]
    np.testing.assert_allclose([(0.5 + 0.5 + 0) / 3] * 2, told["a"]["regret_auc"])
    np.testing.assert_allclose([0.5 / 3] * 2, told["b"]["regret_auc"])


def test_constant_scores_tie() -> None:
    """The first query finds the optimum, and no pair differs."""
    done = compare(Line({"accuracy": [0.5] * 8}), "random,local,evolution", Settings(queries=5, seeds=6), jobs=1)
    told = document(done)
    assert [1] * 6 == told["strategies"]["evolution"]["queries_to_optimum"]
    if statistics.can_test():
        assert [1.0] * 3 == [test["p_holm"] for test in told["tests"]]


@pytest.mark.parametrize("strategy", ["random", "local", "evolution", "grid"])
def test_a_table_of_one_architecture_is_searched_with_one_query(strategy: str) -> None:
    """More queries than architectures: the search ends when there are no more, and it is said."""
    line = Line({"accuracy": [0.5]})
    done = compare(line, strategy, Settings(queries=9, seeds=2, stop_at_optimum=False), jobs=1)
    told = document(done)["strategies"][strategy]
    assert ([0.0] * 9, {"exhausted": 2}) == (told["regret_mean"], told["endings"])
    assert "the benchmark has 1 architecture for 9 queries a search" in people(done)
    assert "2 of 2 searches ended early, with nothing left to propose" in people(done)


def test_without_a_known_optimum_regret_is_from_the_best_found() -> None:
    """And nobody is said to have reached the optimum."""
    line = Line({"accuracy": [0.1, 0.5, 0.3]}, knows_optimum=False)
    done = compare(line, {"a": scripted(0, 2), "b": scripted(2, 1)}, Settings(queries=2, seeds=1), jobs=1)
    told = document(done)
    assert ("best found", None, 0.5) == (told["regret_from"], told["optimum"], told["best"])
    np.testing.assert_allclose([0.4, 0.2], told["strategies"]["a"]["regret_mean"])
    assert [None] == told["strategies"]["b"]["queries_to_optimum"]
    assert "the optimum is not known: regret is from the best found, 0.5" in people(done)


def test_a_crash_is_told_with_strategy_seed_and_traceback() -> None:
    """The other searches go on, and what the crashed one had found counts."""
    done = compare(Square(), {"bad": Failing, "random": "random"}, Settings(queries=8, seeds=4), jobs=1)
    assert [("bad", 1), ("bad", 3)] == [(run.label, run.seed) for run in done.crashes]
    told = document(done)["strategies"]
    assert [1, 3] == [crash["seed"] for crash in told["bad"]["crashes"]]
    assert "the planted crash" in told["bad"]["crashes"][0]["error"]
    assert [] == told["random"]["crashes"]
    text = people(done)
    assert "2 searches CRASHED" in text
    assert "bad, seed 3:" in text
    assert "ZeroDivisionError" in text
    assert None not in told["bad"]["regret_mean"]


def test_a_strategy_that_is_refused_stops_all_before_anything_runs() -> None:
    """Also one that stands last."""
    with pytest.raises(UsageError, match="unknown strategy 'locl'"):
        compare(Square(), ["random", "locl"], Settings(), jobs=1)
    with pytest.raises(UsageError, match=re.escape("the strategy 'x' must be one strategy, got 'random,local'")):
        compare(Square(), {"x": "random,local"}, Settings(), jobs=1)
    with pytest.raises(UsageError, match="strategies must be at least one"):
        compare(Square(), [], Settings(), jobs=1)


def test_options_are_told() -> None:
    """A label of one's own keeps the strategy's name and options in the document."""
    done = compare(Square(), {"mine": "evolution:population=12"}, Settings(queries=3, seeds=1), jobs=1)
    told = document(done)["strategies"]["mine"]
    assert ("evolution", {"population": 12}) == (told["strategy"], told["options"])


def test_low_fidelities_are_told_by_what_they_cost() -> None:
    """A short training costs a tenth: ten of them and one full one are two full ones' worth."""
    line = Line({"accuracy": [0.4, 0.9]}, fidelities=(SHORT, FULL))
    script = [*[(0, SHORT)] * 10, (0, FULL), (1, FULL)]
    done = compare(line, {"it": scripted(*script)}, Settings(queries=12, seeds=1), jobs=1)
    spending = document(done)["strategies"]["it"]["spending"]
    np.testing.assert_allclose([0.1, 0.2], spending["equivalents_mean"][:2])
    assert [None, 0.5, 0.0] == spending["regret_mean"]
    np.testing.assert_allclose([3.0], spending["equivalents_to_optimum"])


def test_full_trainings_alone_need_no_spending() -> None:
    """The curve by count says it."""
    done = compare(HILL, "random", Settings(queries=3, seeds=2), jobs=1)
    assert document(done)["strategies"]["random"]["spending"] is None


def test_several_objectives_are_told_as_shares_of_the_hypervolume() -> None:
    """All of a small table found is all of the volume; the reference point is in the metrics' own signs."""
    pytest.importorskip("moocore")
    line = Line({"accuracy": [0.1, 0.5, 0.9], "latency_ms": [1.0, 2.0, 4.0]})
    settings = Settings(objectives=("latency_ms",), queries=5, seeds=2)
    told = document(compare(line, "random,grid", settings, jobs=1))
    np.testing.assert_allclose([0.1 - 0.08, 4.0 + 0.3], told["hypervolume"]["reference"])
    assert "benchmark" == told["hypervolume"]["front"]
    share = told["strategies"]["grid"]["hypervolume_mean"]
    whole = 0.88 * 0.3 + 0.48 * 2.0 + 0.08 * 1.0  # columns from the reference to 4, to 2 and to 1
    np.testing.assert_allclose([0.08 * 3.3 / whole, (0.48 * 2.3 + 0.08 * 1.0) / whole, 1, 1, 1], share)


def test_workers_are_told_as_time_and_loss() -> None:
    """Ten workers are about ten times sooner; the same regret is reached at other times, which are told, too."""
    settings = Settings(queries=40, seeds=6, workers=10, targets=(0.02, 0.0))
    done = compare(Square(), "evolution", settings, jobs=1)
    told = document(done)["strategies"]["evolution"]["workers"]
    assert 10 == told["workers"]
    assert 8 < told["speed_up"] <= 10
    assert told["time_s"] == pytest.approx(told["time_one_worker_s"] / told["speed_up"], rel=0.05)
    assert [0.02, 0.0] == [target["regret"] for target in told["targets"]]
    assert 1.0 == told["same_regret"]["share_one_worker"]
    assert told["regret_lost"] == pytest.approx(told["regret"] - told["regret_one_worker"])
    assert 40 == len(told["regret_mean"]) == len(told["regret_ci"])
    assert told["regret_auc_lost"] > 0  # ten at once know less than one after the other
    low, high = told["regret_lost_ci"]
    assert low <= told["regret_lost"] <= high
    assert "speed-up" in people(done)


def test_without_scipy_pairs_are_not_tested_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything else is told as before."""
    monkeypatch.setattr(statistics, "find_spec", lambda name: None)
    done = compare(HILL, "random,local", Settings(queries=3, seeds=3), jobs=1)
    assert document(done)["tests"] is None
    assert "pip install 'netwright[predictors]'" in people(done)


def test_the_picture_has_a_line_and_a_band_for_each_strategy() -> None:
    """It is XML, and labels cannot break out of it."""
    strategies = {'<b>&"': "random", "local": "local"}
    picture = to_svg(compare(Square(), strategies, Settings(queries=30, seeds=5), jobs=1))
    root = ET.fromstring(picture)
    tags = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert (2, 2) == (tags.count("polyline"), tags.count("polygon"))
    assert '<b>&"' in [element.text for element in root.iter()]


def test_axes_hold_what_is_drawn() -> None:
    """A regret of ten is at the top of two decades, zero at the bottom, and what is beyond lies on an edge."""
    axes = Axes(100, -1, 1)
    assert (axes.y(10.0), axes.y(0.1)) == (axes.y(500.0), axes.y(0.0))
    assert axes.y(1.0) == pytest.approx((axes.y(10.0) + axes.y(0.1)) / 2)
    assert axes.x(1) < axes.x(100)
    assert Axes(1, 0, 1).x(1) == axes.x(1)


def test_a_search_of_a_comparison_can_be_looked_at() -> None:
    """Runs are kept by label in the order of the seeds."""
    done = compare(HILL, "grid", Settings(queries=5, seeds=2), jobs=1)
    assert [0, 1] == [run.seed for run in done.runs["grid"]]
    assert Ending.OPTIMUM == done.runs["grid"][0].ended
