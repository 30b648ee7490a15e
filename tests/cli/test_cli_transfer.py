"""``netwright transfer`` and options of tasks on the command line: what reaches the library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import Answer, make_trial

from netwright.cli.searching import task_options
from netwright.study import transfer as module

Cli = Callable[..., Answer]


def test_a_number_with_a_zero_before_it_is_a_name() -> None:
    """As of a column, a label or a phone; other numbers are numbers."""
    given = ["a=007", "b=7", "c=0.5", "d=-0", "e=-012", "f=true", "g=0", "h="]
    found = {"a": "007", "b": 7, "c": 0.5, "d": 0, "e": "-012", "f": True, "g": 0, "h": ""}
    assert task_options(given) == found


def test_options_of_the_other_data_are_given(
    cli: Cli, make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name and value, as of a search."""
    calls: list[dict[str, Any]] = []

    def carried(run: Path, data: str, out: Path, **options: Any) -> list[object]:
        calls.append({"run": run, "data": data, "out": out, **options})
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "transfer", carried)
    run = make_run(make_trial(0, accuracy=0.5))
    argv = ("--data", "other.csv", "--out", "there", "--task-option", "target=pay", "--task-option", "header=yes")
    answer = cli("transfer", run, *argv)
    assert (answer.code, answer.err) == (130, "stopped; the same command goes on\n")
    assert [call["task_options"] for call in calls] == [{"target": "pay", "header": "yes"}]
    assert (calls[0]["run"], calls[0]["data"]) == (run, "other.csv")


def test_a_ranking_that_says_nothing_is_told_by_its_reason(cli: Cli, make_run: Callable[..., Path]) -> None:
    """Too few architectures of both runs, or no order among them in one."""
    ranked = make_run(*(make_trial(number, accuracy=number / 10) for number in range(5)), folder="ranked")
    alike = make_run(*(make_trial(number, accuracy=0.5) for number in range(5)), folder="alike")
    few = make_run(*(make_trial(number, accuracy=number / 10) for number in range(3)), folder="few")
    answer = cli("report", "transfer", ranked, alike, few)
    assert answer.code == 0
    said = [line for line in answer.lines if "ranked" in line or "few" in line]
    assert ["all alike in one of them" in line for line in said] == [True, False, False]
    assert ["too few to say" in line for line in said] == [False, True, True]
