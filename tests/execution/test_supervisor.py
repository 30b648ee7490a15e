"""Tests of the warm parent's side: what it believes of a trial's own words, and what it does where forks fail."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import pytest
from execution_helpers import evaluator, run_all

from netwright.execution import IsolatedExecutor
from netwright.execution.messages import pack
from netwright.types import TrialState

GOOD = {"state": "finished", "metrics": {"accuracy": 0.75}, "error": ""}


def _say(data: bytes) -> None:
    """Write to whatever is open: the pipe for results is among it."""
    for fd in range(3, 256):
        with contextlib.suppress(OSError):
            os.write(fd, data)


def _malformed(**changes: object) -> bytes:
    return pack({**GOOD, **changes})  # type: ignore[dict-item]


WORDS = [
    (pack({}), "state must be one of finished, infeasible, failed, got None"),
    (pack({"kind": "ready"}), "state must be"),
    (_malformed(state="won"), "state must be one of finished, infeasible, failed, got 'won'"),
    (_malformed(state=["finished"]), "state must be"),
    (_malformed(state=1), "state must be"),
    (pack({"state": "finished", "error": ""}), "what an evaluator returns must be a mapping"),
    (pack({"state": "failed", "metrics": {}}), "error must be text, got None"),
    (_malformed(error={"text": "x"}), "error must be text"),
    (_malformed(metrics={}), "what an evaluator returns must be a mapping"),
    (_malformed(metrics=[1.0]), "what an evaluator returns must be a mapping"),
    (_malformed(metrics={"accuracy": "0.9"}), "metric 'accuracy' must be a number, got '0.9'"),
    (_malformed(metrics={"accuracy": None}), "metric 'accuracy' must be a number"),
    (_malformed(metrics={"accuracy": True}), "metric 'accuracy' must be a number"),
    (_malformed(metrics={"accuracy": [0.5]}), "metric 'accuracy' must be a number"),
    (_malformed(metrics={"accuracy": float("nan")}), "metric 'accuracy' must be finite"),
    (_malformed(metrics={"accuracy": float("inf")}), "metric 'accuracy' must be finite"),
    (_malformed(metrics={"accuracy": 10**400}), "metric 'accuracy' must be a number a float can hold"),
    (_malformed(metrics={"accuracy": 1.73}), "metric 'accuracy' must be in [0, 1], got 1.73"),
    (_malformed(metrics={"x" * 201: 0.5}), "metric name must be printable text"),
    (_malformed(state="infeasible", metrics={"params": "many"}), "metrics must be an object of at most 1000 numbers"),
    (_malformed(state="failed", metrics=7), "metrics must be an object of at most 1000 numbers"),
    (b"\0\1\x86\xa0" + b"[" * 100_000, "a message of too many brackets"),
    (b"\0\0\0\2[]", "a message that is no JSON object"),
    (b"\0\0\0\2\xff\xff", "decode"),
    (b"garbage", "at most 4194304 are allowed"),
]


def test_a_malformed_result_fails_its_trial_and_says_what_is_wrong_with_it() -> None:
    """Missing keys, wrong types, an unknown state, numbers that are none: the trial fails, the driver goes on."""

    def function(number: int, seed: int) -> object:
        if number < len(WORDS):
            _say(WORDS[number][0])
        return {"accuracy": 0.25}

    with IsolatedExecutor(evaluator(function), workers=2) as executor:
        parent = executor.parent_pid
        outcomes = run_all(executor, range(len(WORDS) + 1))
        assert parent == executor.parent_pid
    for number, (_, message) in enumerate(WORDS):
        outcome = outcomes[number]
        assert (TrialState.FAILED, {}) == (outcome.state, outcome.metrics)
        assert outcome.error.startswith("the result cannot be read: ")
        assert message in outcome.error
    assert {"accuracy": 0.25} == outcomes[len(WORDS)].metrics


def test_a_trial_speaks_for_itself_alone() -> None:
    """Other keys of its message do not count: it ends no other trial, and is no message of the warm parent."""

    def function(number: int, seed: int) -> object:
        if number == 1:
            _say(_malformed(trial_id=2, kind="ready", duration_s="long"))
        return {"accuracy": 0.25}

    with IsolatedExecutor(evaluator(function)) as executor:
        outcomes = run_all(executor, range(3))
    assert [0.25, 0.75, 0.25] == [outcomes[number].metrics["accuracy"] for number in range(3)]
    assert outcomes[1].duration_s < 60


def test_where_no_process_can_be_started_a_trial_fails_and_nothing_stays_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each such trial says why; the warm parent has as many files open as before."""
    fork, driver = os.fork, os.getpid()

    def fork_once() -> int:
        if os.getpid() != driver:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return fork()

    monkeypatch.setattr(os, "fork", fork_once)
    with IsolatedExecutor(evaluator(lambda number, seed: {"a": 1.0})) as executor:
        open_files = Path(f"/proc/{executor.parent_pid}/fd")
        run_all(executor, range(1))
        count = len(list(open_files.iterdir()))
        outcomes = run_all(executor, range(1, 9))
        assert count == len(list(open_files.iterdir()))
    assert {TrialState.FAILED} == {outcome.state for outcome in outcomes.values()}
    assert all("cannot be started: [Errno 11]" in outcome.error for outcome in outcomes.values())


def test_a_trial_that_cannot_say_how_it_ended_leaves_the_reason() -> None:
    """Where the pipe for its result is gone, the error holds what Python says to that."""

    def function(number: int, seed: int) -> object:
        os.closerange(3, 256)
        return {"accuracy": 0.5}

    with IsolatedExecutor(evaluator(function)) as executor:
        outcome = run_all(executor, range(1))[0]
    assert outcome.state is TrialState.FAILED
    assert outcome.error.startswith("the trial's process left with exit code 70 and gave no result\n")
    assert outcome.error.endswith("OSError: [Errno 9] Bad file descriptor")
