"""``show``, ``history``, ``diff``, ``export``, ``verify``, ``schema``: what they print of a stored run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from cli_helpers import ACCURACY, Answer, FakeSearch, make_trial

from netwright.export.check import Check, Comparison, Remeasured
from netwright.spec import schema_text
from netwright.storage import Store
from netwright.types import Objective, TrialState

Cli = Callable[..., Answer]
MakeRun = Callable[..., Path]
TRIALS = (
    make_trial(0, accuracy=0.8, params=50_000.0, latency_ms=1.0, origin="reference:resnet"),
    make_trial(1, accuracy=0.9, params=90_000.0, latency_ms=2.0),
    make_trial(2, state=TrialState.FAILED, error="ValueError: bad\ntrace"),
    make_trial(3, state=TrialState.INFEASIBLE, params=1e6),
    make_trial(4, accuracy=0.7, params=40_000.0, latency_ms=3.0),
)


def test_show_prints_table_references_and_failures(cli: Cli, make_run: MakeRun) -> None:
    """The best trial comes first; references, failures and counts have their place."""
    run = make_run(*TRIALS)
    answer = cli("show", run, "--top", "2")
    assert answer.code == 0
    assert f"run          {run}" in answer.lines
    assert "trials       5: 3 finished, 1 infeasible, 1 failed; 8s of evaluation" in answer.lines
    at = answer.lines.index("best trials")
    assert answer.lines[at + 1].split() == [
        "trial", "origin", "epochs", "accuracy", "latency_ms", "params", "architecture",
    ]  # fmt: skip
    assert answer.lines[at + 2].split()[:6] == ["1", "mutation", "3", "0.9", "2", "90.0k"]
    assert answer.lines[at + 3].split()[0] == "0"
    assert answer.lines[at + 4] == ""
    at = answer.lines.index("reference networks")
    assert answer.lines[at + 2].split()[:2] == ["0", "reference:resnet"]
    assert "trial 2 failed after 3 epochs: ValueError: bad" in answer.lines
    assert "Pareto front" not in answer.out


def test_show_prints_the_front_of_several_objectives(cli: Cli, make_run: MakeRun) -> None:
    """With two objectives the trials nobody beats in both are listed."""
    run = make_run(*TRIALS, objectives=(ACCURACY, Objective("latency_ms", "min")))
    answer = cli("show", run, "--json")
    assert json.loads(answer.out)["front"] == [1, 0]
    lines = cli("show", run).lines
    at = lines.index("Pareto front")
    assert [line.split()[0] for line in lines[at + 2 : at + 4]] == ["1", "0"]


def test_show_json_holds_everything(cli: Cli, make_run: MakeRun) -> None:
    """The JSON object has counts, best, references, all trials, events and the card; NaN becomes null."""
    run = make_run(*TRIALS, make_trial(5, accuracy=float("nan")))
    with Store.open(run / "study.db") as store:
        store.append_event("finalists", [1])
        store.append_event("finalists", [1, 0])
    (run / "best").mkdir()
    (run / "best" / "card.json").write_text('{"metrics": {"test_accuracy": 0.88}, "check": {"passed": true}}')
    shown = json.loads(cli("show", run, "--json").out)
    assert shown["counts"] == {"finished": 4, "infeasible": 1, "failed": 1}
    assert (shown["best"], shown["references"], shown["front"]) == (1, {"resnet": 0}, [1])
    assert [trial["id"] for trial in shown["trials"]] == [0, 1, 2, 3, 4, 5]
    assert shown["trials"][5]["metrics"] == {"accuracy": None}
    assert shown["events"] == [{"kind": "finalists", "body": [1]}, {"kind": "finalists", "body": [1, 0]}]
    assert shown["card"]["metrics"] == {"test_accuracy": 0.88}
    lines = cli("show", run).lines
    assert [line for line in lines if line.startswith("finalists")] == ["finalists: [1, 0]"]
    assert lines[-3:] == ["exported (best/)", "test_accuracy: 0.88", "check: passed"]


def test_show_of_an_empty_study(cli: Cli, make_run: MakeRun) -> None:
    """A study without trials is shown as such."""
    answer = cli("show", make_run())
    assert answer.code == 0
    assert "trials       0: 0 finished, 0 infeasible, 0 failed; 0s of evaluation" in answer.lines


@pytest.mark.parametrize("name", ["../x", "x" * 300, "a\nb\x1b[2Jc", "/etc/passwd", "$(touch x)", "-q", "\u202egnp"])
def test_names_in_a_study_are_data(cli: Cli, make_run: MakeRun, name: str) -> None:
    """Names of studies, choices, metrics, origins and errors are printed harmlessly and never become files."""
    trial = make_trial(0, {name: name}, accuracy=0.5, origin=name, **{name: 1.0})
    broken = make_trial(1, {name: 1}, TrialState.FAILED, error=name)
    run = make_run(trial, broken, name=name)
    for argv in (["show", run], ["show", run, "--json"], ["diff", run, "0", "1"], ["diff", run, "0", "1", "--json"]):
        answer = cli(*argv)
        assert answer.code == 0
        assert all(c.isprintable() or c == "\n" for c in answer.out), argv
        assert all(len(line) < 700 for line in answer.lines) or "--json" in argv
    assert list(Path().iterdir()) == []
    assert sorted(path.name for path in run.parent.iterdir()) == ["here", "run"]


def test_history_is_the_stores(cli: Cli, make_run: MakeRun) -> None:
    """The canonical lines are printed as the store gives them."""
    run = make_run(*TRIALS)
    with Store.open(run / "study.db", read_only=True) as store:
        expected = list(store.history())
    assert cli("history", run).lines == expected
    assert len(expected) == 5


def test_history_cannot_steer_a_terminal(
    cli: Cli, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a terminal, control characters JSON leaves as they are are escaped; the JSON stays equal."""
    run = make_run(make_trial(0, {"a": "\x9b2J\u202e"}, accuracy=0.5))
    plain = cli("history", run).out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown = cli("history", run).out
    assert "\x9b" in plain
    assert shown.strip().isprintable()
    assert json.loads(shown) == json.loads(plain)


def test_diff_of_trials_and_files(cli: Cli, make_run: MakeRun) -> None:
    """Decisions that differ are listed with both values, those equal are not."""
    run = make_run(
        make_trial(0, {"width": 16, "kernel": 3, "op": "conv"}, accuracy=0.5),
        make_trial(1, {"width": 16.0, "op": "skip"}, accuracy=0.6),
    )
    assert cli("diff", run, "0", "1").lines == [
        "decision  0       1",
        "kernel    3       -",
        'op        "conv"  "skip"',
        "width     16      16.0",
    ]
    assert cli("diff", run, "1", "1").out == "the architectures are equal\n"
    Path("a.json").write_text('{"x": [1, 2]}')
    Path("card.json").write_text('{"architecture": {"x": [1, 3]}, "metrics": {}}')
    shown = json.loads(cli("diff", "a.json", "card.json", "--json").out)
    assert shown == {"equal": False, "different": [{"name": "x", "a": "[1,2]", "b": "[1,3]"}]}


def test_export_passes_the_trial(cli: Cli, make_run: MakeRun, fake_search: FakeSearch) -> None:
    """The library exports; the command line checks the id and the folder before."""
    run = make_run(*TRIALS)
    answer = cli("export", run, "--trial", "1", "--out", "o u t")
    assert (answer.code, answer.out) == (0, "trial 1 is in o u t\n")
    assert fake_search.calls == [("export", (run, 1, Path("o u t")), {})]
    Path("full").mkdir()
    Path("full/x").touch()
    assert cli("export", run, "--trial", "1", "--out", "full").code == 2
    assert len(fake_search.calls) == 1


@pytest.fixture
def answer_of_check(monkeypatch: pytest.MonkeyPatch) -> Callable[[Check], None]:
    def put(check: Check) -> None:
        module = ModuleType("netwright.export")
        module.examine = lambda folder, **options: check  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "netwright.export", module)

    return put


def test_verify_that_passes(cli: Cli, answer_of_check: Callable[[Check], None]) -> None:
    """Equal outputs and metrics are exit code 0, with the numbers."""
    answer_of_check(
        Check(
            passed=True,
            comparisons=(
                Comparison("torch", batch=4, max_abs_difference=0.0, tolerance=1e-5, equal=True),
                Comparison("onnxruntime", batch=1, max_abs_difference=1e-6, tolerance=1e-4, equal=False),
            ),
            remeasured=(Remeasured("test", "torch", 100, 93, 93.0, 1),),
            notes=("n",),
        )
    )
    answer = cli("verify", ".")
    assert answer.code == 0
    assert answer.lines == [
        "outputs of torch, batch of 4: equal bit for bit",
        "outputs of onnxruntime, batch of 1: differ by 1e-06 (<= 0.0001)",
        "test split in torch: 93 of 100 right",
        "note: n",
        "verified: it does what it did in the search",
    ]
    shown = json.loads(cli("verify", ".", "--json").out)
    assert (shown["passed"], shown["metric_measured_again"], shown["notes"]) == (True, True, ["n"])


@pytest.mark.parametrize("option", ["--task", "--task-option"])
def test_verify_refuses_how_data_is_read_without_data(
    option: str, cli: Cli, answer_of_check: Callable[[Check], None]
) -> None:
    """It would be without effect."""
    answer_of_check(Check(passed=True))
    answer = cli("verify", ".", option, "a=b")
    assert answer.code == 2
    assert f"{option} says how data is read, and no data is given; add --data DATA" in answer.err


@pytest.mark.parametrize(
    ("remeasured", "last"),
    [
        ((), "the metric was NOT measured again: add --data DATA, the data of the search, to do so"),
        ((Remeasured("test", "torch", 100, 93, None, 1),), "the card has no metric to compare with"),
    ],
)
def test_verify_claims_no_more_than_it_checked(
    remeasured: tuple[Remeasured, ...], last: str, cli: Cli, answer_of_check: Callable[[Check], None]
) -> None:
    """Where no metric was compared, the last line says so and how to, and the object has a field for it."""
    answer_of_check(Check(passed=True, remeasured=remeasured))
    answer = cli("verify", ".")
    assert (answer.code, answer.lines[-1]) == (0, f"verified: the outputs are those of the search; {last}")
    assert json.loads(cli("verify", ".", "--json").out)["metric_measured_again"] is False


def test_verify_that_fails(cli: Cli, answer_of_check: Callable[[Check], None]) -> None:
    """A difference is exit code 1, with the numbers."""
    answer_of_check(
        Check(False, (), (Remeasured("test", "torch", 100, 36, 93.0, 1),), ("accuracy is 0.36\x1b[0m, card 0.93",))
    )
    answer = cli("verify", ".")
    assert answer.code == 1
    assert answer.lines == [
        "test split in torch: 36 of 100 right",
        "different: accuracy is 0.36, card 0.93",
        "NOT verified",
    ]
    assert cli("verify", ".", "--json").code == 1


def test_schema_is_printed(cli: Cli) -> None:
    """The schema on the terminal is the published one."""
    assert cli("schema").out == schema_text()


def test_a_reference_that_broke_a_limit_is_named(cli: Callable[..., Answer], make_run: Callable[..., Path]) -> None:
    """With the reason, instead of vanishing from the table; epochs have three digits."""
    why = "params is 272474, the limit is 200000"
    run = make_run(
        make_trial(0, accuracy=0.9, epochs=2.2058823, origin="reference:cnn"),
        make_trial(1, state=TrialState.INFEASIBLE, error=f"{why}\nmore", origin="reference:resnet"),
    )
    out = cli("show", run).out
    assert f"the reference resnet is not compared with: it broke a limit: {why}" in out
    assert "the reference cnn is" not in out
    assert "2.21" in out
    assert "2.2058" not in out
