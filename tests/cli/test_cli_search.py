"""``netwright search`` and ``resume``: what reaches the search, what is shown, and with which code they end."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_helpers import Answer, FakeSearch

from netwright.errors import (
    BuildError,
    DataError,
    Interrupted,
    SearchError,
    StoreError,
    StudyMismatchError,
    VerificationError,
)
from netwright.spec import SearchSpec

Cli = Callable[..., Answer]
GOOD = ("search", "--task", "image-classification", "--data", "digits", "--out", "r")


FLAGS = {"inherit": "--no-inherit", "halving": "--no-halving", "unordered": "--unordered", "teacher": "--teacher"}


def test_command_line_file_and_python_give_equal_specifications(cli: Cli, fake_search: FakeSearch) -> None:
    """The same search three ways is the same search."""
    options: dict[str, object] = {
        "task": "image-classification",
        "data": "my data",
        "task_options": {"layout": "HWC", "image_size": 32},
        "warm_start": [],
        "budget": "10m",
        "constraints": ["params<=200k", "latency_ms<=2"],
        "objectives": ["accuracy", "latency_ms"],
        "workers": 2,
        "seed": 3,
        "out": "r",
        "space": "f.py:space",
        "strategy": "local",
        "ladder": "short,full",
        "evaluator": "supernet",
        "supernet": "a supernet",
        "teacher": True,
        "inherit": False,
        "halving": False,
        "min_epochs": 0.5,
        "max_epochs": 4,
        "eta": 4,
        "device": "cuda:1",
        "unordered": True,
        "trial_time_limit": "5m",
        "trial_memory_limit": "2Gi",
        "latency_runtime": "device",
        "latency_batch": 8,
        "latency_threads": 2,
        "latency_device_command": "bench.sh {onnx}",
        "latency_precision": "int8",
    }
    expected = SearchSpec.from_options(**options)
    argv = []
    for key, value in options.items():
        name = "--" + key.removesuffix("s" if key in ("constraints", "objectives") else "").replace("_", "-")
        if isinstance(value, dict):
            argv += [part for item in value.items() for part in ("--task-option", "{}={}".format(*item))]
        elif isinstance(value, bool):
            argv.append(FLAGS[key])
        else:
            argv += [part for item in (value if isinstance(value, list) else [value]) for part in (name, str(item))]
    Path("spec.yaml").write_text(json.dumps(options))
    assert set(options) == set(SearchSpec.model_fields)
    assert cli("search", *argv).code == 0
    assert cli("search", "spec.yaml").code == 0
    assert [call[1][0] for call in fake_search.calls] == [expected, expected]


def test_a_device_command_needs_no_runtime(cli: Cli, fake_search: FakeSearch) -> None:
    """Given alone, its runtime is the device."""
    given = ("--task", "image-classification", "--data", "digits", "--out", "r")
    assert cli("search", *given, "--latency-device-command", "bench.sh {onnx}").code == 0
    made = fake_search.calls[0][1][0]
    assert (made.latency_runtime, made.latency_device_command) == ("device", "bench.sh {onnx}")


def test_options_win_over_the_file(cli: Cli, fake_search: FakeSearch) -> None:
    """A key given as an option replaces the file's; those not given stay."""
    Path("spec.yaml").write_text("task: image-classification\ndata: digits\nout: r\nseed: 1\nworkers: 2\n")
    assert cli("search", "spec.yaml", "--seed", "0").code == 0
    made = fake_search.calls[0][1][0]
    assert (made.seed, made.workers) == (0, 2)


def test_lines_when_not_a_terminal(cli: Cli, fake_search: FakeSearch) -> None:
    """A phase, each ended trial, each message and the summary are plain lines, without escapes from error texts."""
    answer = cli(*GOOD)
    assert answer.code == 0
    assert "\x1b" not in answer.out
    numbers = "accuracy=0.9 params=78.1k"
    assert answer.lines[:5] == [
        "[0s, 1m00s left] phase: references",
        f"[1s, 59s left] trial 0 finished after 3 epochs: {numbers}; best: trial 0, {numbers}",
        "[2s, 58s left] phase: search",
        f"[2s, 58s left] trial 1 failed after 3 epochs: ValueError: bad; best: trial 0, {numbers}",
        "[2s, 58s left] a message",
    ]
    assert answer.lines[5] == "2 trials, stopped: the budget was spent"


def test_quiet_prints_one_line(cli: Cli, fake_search: FakeSearch) -> None:
    """--quiet leaves the final line alone."""
    assert cli(*GOOD, "--quiet").out == "trial 0: accuracy=0.9 params=78.1k\n"


def test_json_lines_are_events_and_the_last_is_the_result(cli: Cli, fake_search: FakeSearch) -> None:
    """--json prints one object a line; escapes are data in it."""
    answer = cli(*GOOD, "--json")
    events = [json.loads(line) for line in answer.lines]
    assert [event["event"] for event in events] == ["phase", "trial", "phase", "trial", "message", "result"]
    assert events[1]["trial"]["metrics"] == {"accuracy": 0.9, "params": 78123.0}
    assert events[3]["trial"]["state"] == "failed"
    assert events[3]["remaining_s"] == 58.0
    assert events[5]["best"]["id"] == 0
    assert "\x1b" not in answer.out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DataError("a: nothing in it"), 2),
        (StudyMismatchError("other data"), 2),
        (SearchError("every trial failed:\n 12 x RuntimeError"), 3),
        (BuildError("no network"), 3),
        (MemoryError(), 3),
        (StoreError("disk full"), 4),
        (OSError(28, "No space left on device", "r/study.db"), 4),
        (VerificationError("it differs"), 1),
        (RuntimeError("a mistake"), 70),
    ],
)
def test_errors_have_their_exit_codes(cli: Cli, fake_search: FakeSearch, error: BaseException, code: int) -> None:
    """Each kind of error ends with the code the documentation gives it, in a few lines and without a traceback."""
    fake_search.error = error
    answer = cli(*GOOD)
    assert answer.code == code
    assert answer.err.startswith("error: ")
    assert len(answer.err.splitlines()) <= 10
    assert "Traceback" not in answer.err


def test_debug_prints_the_traceback(cli: Cli, fake_search: FakeSearch) -> None:
    """--debug, wherever it stands, shows where an error comes from; without it nobody sees it."""
    fake_search.error = RuntimeError("a mistake")
    assert "Traceback (most recent call last):" in cli(*GOOD, "--debug").err
    assert "Traceback (most recent call last):" in cli("--debug", *GOOD).err
    assert "add --debug to see where" in cli(*GOOD).err


def test_a_long_error_is_cut(cli: Cli, fake_search: FakeSearch) -> None:
    """Thirty causes are ten lines."""
    fake_search.error = SearchError("\n".join(f"cause {i}\x1b[2J" for i in range(30)))
    lines = cli(*GOOD, "--quiet").err.splitlines()
    assert lines[0] == "error: cause 0"
    assert lines[-1] == "and 21 lines more; --debug shows them"
    assert len(lines) == 10


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Interrupted(signal.SIGINT), 130),
        (Interrupted(signal.SIGTERM), 143),
        (Interrupted(signal.SIGHUP), 129),
        (KeyboardInterrupt(), 130),
    ],
)
def test_an_interrupted_search_says_how_it_goes_on(
    cli: Cli, fake_search: FakeSearch, error: BaseException, code: int
) -> None:
    """The exit code is 128 + the signal, and the command that resumes is printed."""
    fake_search.error, fake_search.begins = error, Path("r")
    answer = cli(*GOOD)
    assert (answer.code, answer.err) == (code, "stopped; go on with: netwright resume r\n")


@pytest.mark.parametrize(
    ("folder", "shown"),
    [("my runs", "'my runs'"), ("$HOME;ls", "'$HOME;ls'"), ("it's", "'it'\"'\"'s'"), ("-x", "./-x")],
)
def test_the_command_that_resumes_can_be_pasted_into_a_shell(
    cli: Cli, fake_search: FakeSearch, folder: str, shown: str
) -> None:
    """A folder with spaces, quotes, dollars or a leading dash is one word of the command."""
    fake_search.error, fake_search.begins = Interrupted(signal.SIGTERM), Path(folder)
    answer = cli(*GOOD[:-1], folder)
    assert answer.err == f"stopped; go on with: netwright resume {shown}\n"


def test_where_no_run_was_begun_nothing_is_to_be_resumed(cli: Cli, fake_search: FakeSearch) -> None:
    """Ctrl-C while the data is read names no run, since there is none."""
    fake_search.error = KeyboardInterrupt()
    answer = cli(*GOOD)
    assert (answer.code, answer.err) == (130, "stopped; nothing was begun, and nothing is kept\n")


@pytest.mark.parametrize("options", [["--json"], ["--quiet"], []])
def test_what_own_code_prints_does_not_get_among_the_output(
    cli: Cli, fake_search: FakeSearch, options: list[str]
) -> None:
    """What a space's file prints goes to standard error, so that each line of --json is JSON."""
    expected = cli(*GOOD, *options).out
    fake_search.says = "importing my space"
    answer = cli(*GOOD, *options)
    assert (answer.out, answer.err) == (expected, "importing my space\n")


def test_resume_passes_run_and_budget(cli: Cli, fake_search: FakeSearch, make_run: Callable[..., Path]) -> None:
    """A run is resumed by its folder, or by the study in it; the budget is checked before."""
    run = make_run()
    assert cli("resume", run, "--quiet").code == 0
    assert cli("resume", run / "study.db", "--budget", "20m", "-q").code == 0
    assert fake_search.calls == [("resume", (run,), {"budget": None}), ("resume", (run,), {"budget": "20m"})]
    answer = cli("resume", run, "--budget", "20")
    assert (answer.code, len(fake_search.calls)) == (2, 2)
    assert "name the unit" in answer.err


def test_without_arguments_the_help_is_shown(cli: Cli) -> None:
    """The bare command says what there is, with the exit codes."""
    answer = cli()
    assert answer.code == 0
    for word in (
        "search",
        "resume",
        "show",
        "history",
        "diff",
        "export",
        "verify",
        "spaces",
        "doctor",
        "schema",
        "143",
    ):
        assert word in answer.out
    assert answer.out == cli("--help").out


def test_version(cli: Cli) -> None:
    """--version prints name and version."""
    assert cli("--version").out.startswith("netwright 0.")
