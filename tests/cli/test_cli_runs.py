"""What the commands that read a run say of its state, and where they were given the wrong folder of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_helpers import Answer, make_trial

from netwright.storage import Store

Cli = Callable[..., Answer]
MakeRun = Callable[..., Path]


@pytest.mark.parametrize(
    ("events", "lines"),
    [
        ([], ["state        not finished: it runs, or netwright resume goes on with it"]),
        (
            [("spent_s", 30.0), ("spent_s", 75.2), ("done", "24 trials")],
            [
                "state        finished: its budget of 24 trials is spent",
                "time         1m15s so far, in all sittings",
            ],
        ),
        (
            [("done", "24 trials"), ("budget", "30 trials")],
            [
                "state        not finished: it runs, or netwright resume goes on with it; its budget is now 30 trials",
            ],
        ),
    ],
)
def test_show_says_how_far_a_search_is(
    cli: Cli, make_run: MakeRun, events: list[tuple[str, object]], lines: list[str]
) -> None:
    """Time and state are sentences, not the events as they are stored."""
    run = make_run(make_trial(0, accuracy=0.5))
    with Store.open(run / "study.db") as store:
        for kind, body in events:
            store.append_event(kind, body)  # type: ignore[arg-type]
    answer = cli("show", run)
    assert answer.code == 0
    assert answer.lines[5 : 5 + len(lines)] == lines
    assert "spent_s" not in answer.out
    assert "event" not in answer.out


def test_diff_of_one_trial_says_what_is_missing(cli: Cli, make_run: MakeRun) -> None:
    """RUN and one id are not taken for two files."""
    run = make_run(make_trial(0, accuracy=0.5))
    answer = cli("diff", run, "0")
    expected = f"error: diff RUN needs two trials, got one: give RUN A B; netwright show {run} lists them\n"
    assert (answer.code, answer.err) == (2, expected)


def test_verify_of_a_run_names_its_export(cli: Cli, make_run: MakeRun) -> None:
    """The folder of a run is not that of an export; the right one is named, if there is one."""
    run = make_run()
    answer = cli("verify", run)
    expected = f"error: DIR: {run} is the folder of a run, not of an export; it exported nothing yet: netwright export"
    assert (answer.code, answer.err) == (2, f"{expected} writes a trial\n")
    (run / "best").mkdir()
    expected = f"error: DIR: {run} is the folder of a run, not of an export; give {run}/best\n"
    assert cli("verify", run).err == expected
