"""Everything a person can type wrong is answered by a clean error: exit code 2, a few lines, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_helpers import Answer, FakeSearch

Cli = Callable[..., Answer]
GOOD = ("search", "--task", "image-classification", "--data", "digits")
GOOD_FILE = "task: image-classification\ndata: digits\nout: 'the run'\n"


def clean_error(answer: Answer) -> str:
    """Check what every clean error has in common, and return its text."""
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: ")
    assert len(answer.err.splitlines()) <= 10
    assert "Traceback" not in answer.err
    return answer.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--budget", "10"],
            "budget must be a time (90s, 10m, 2h), '24 trials' or '300 epochs', got '10'; name the unit",
        ),
        (["--budget", "0m"], "budget (time) must be finite and > 0, got 0.0"),
        (["--constraint", "param<=200k"], "unknown metric of a constraint 'param'; did you mean 'params'? known: dept"),
        (["--constraint", "params=200k"], "constraint must be written as metric<=number or metric>=number"),
        (["--constraint", "latency_ms>=2"], "write latency_ms<=2"),
        (
            ["--objective", "accuraci"],
            "unknown metric of an objective 'accuraci'; did you mean 'accuracy'? known: accuracy,",
        ),
        (["--objective", "accuracy:min"], "direction of the objective accuracy must be max, got 'min'"),
        (["--workers", "-1"], "workers must be a whole number in [1, 1024], got -1"),
        (["--workers", "0"], "workers must be a whole number in [1, 1024], got 0"),
        (["--workers", "two"], "workers must be a whole number in [1, 1024], got 'two'"),
        (["--seed", "x"], "seed must be a whole number in [0, 2**32), got 'x'"),
        (["--seed", "1.5"], "seed must be a whole number in [0, 2**32), got 1.5"),
        (["--workerz", "2"], "--workers"),
        (["--out", "/proc/netwright"], "out: the folder /proc/netwright cannot be made"),
        (["--out", "x" * 300], "File name too long"),
        (["--out", "a-file"], "out: a-file is not a folder; name a new or empty folder"),
        (["--out", "a-file/run"], "out: the folder a-file/run cannot be made: Not a directory"),
        (["--out", "full"], "out: full is not empty; name a new or empty folder"),
        (["--out", "study"], "out: study holds a study; go on with it (netwright resume) or name another folder"),
        (["--strategy", "randon"], "did you mean 'random'?"),
        (["--space", "../../x"], "space must be the name of a shipped space"),
        (["--device", "gpu"], "device must be cpu, cuda, cuda:0 or mps, got 'gpu'"),
        (
            ["--task", "image-clasification"],
            "or FILE.py:NAME, got 'image-clasification'; did you mean",
        ),
        (["--task", "image_classification"], "got 'image_classification'; did you mean 'image-classification'?"),
        (
            ["--constraint", "params<=200kb"],
            "(of 1000), Ki, Mi, Gi (of 1024) or left out, got 'kb'; write params<=200k",
        ),
        (["--constraint", "memory_bytes<=2GiB"], "got 'GiB'; write memory_bytes<=2Gi"),
        (
            ["--constraint", "latency_ms<=2ms"],
            "must be left out, got 'ms'; the number is in ms, as the metric's name says, such as latency_ms<=2",
        ),
        (["--constraint", "latency_ms<=2m"], "must be left out, got 'm'"),
        (["--constraint", "latency<=2"], "unknown metric of a constraint 'latency'; did you mean 'latency_ms'? known:"),
        (["nothing.yaml"], "nothing.yaml: cannot be read: No such file or directory; YAML files there: none"),
        (["one", "two"], "unexpected extra argument"),
    ],
)
def test_a_wrong_option_is_refused(cli: Cli, fake_search: FakeSearch, options: list[str], message: str) -> None:
    """The message says what is wrong; no search begins, and no folder is made or changed."""
    Path("a-file").touch()
    for folder, content in (("full", "notes.txt"), ("study", "study.db")):
        Path(folder).mkdir()
        (Path(folder) / content).touch()
    before = sorted(Path().rglob("*"))
    assert message in clean_error(cli(*GOOD, *options))
    assert fake_search.calls == []
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"data: digits\n", "spec file.yaml: task is missing"),
        (GOOD_FILE.encode() + b"workerz: 2\n", "spec file.yaml: unknown key 'workerz'; did you mean 'workers'?"),
        (GOOD_FILE.encode() + b"data: x\n", "spec file.yaml, line 4: the key 'data' is given twice; keep one of them"),
        (
            GOOD_FILE.encode() + b"workers: 2 cores\n",
            "spec file.yaml: workers must be a whole number in [1, 1024], got '2",
        ),
        (GOOD_FILE.encode() + b"budget: 10\n", "spec file.yaml: budget must be a time"),
        (GOOD_FILE.encode() + b"seed: .inf\n", "spec file.yaml: seed must be a whole number in [0, 2**32), got inf"),
        (GOOD_FILE.encode() + b"min_epochs: 1.0e+999\n", "spec file.yaml: min_epochs must be a number in"),
        (GOOD_FILE.encode() + b"space: !!python/object:os.system x\n", "is not allowed; write plain values"),
        (GOOD_FILE.encode() + b'space: "a\\0b"\n', "path must be text without NUL, got 'a\\x00b'"),
        (GOOD_FILE.encode("utf-16"), "spec file.yaml: not UTF-8 text (byte 0); save it as UTF-8"),
        (b"task: [" * 100, "nested more than 16 deep"),
        (b"a: &a [x]\nb: [*a, *a]\n", "anchors and aliases (& and *) are not allowed; write the value out"),
        (b"- task\n", "the file must be a mapping such as 'data: digits'"),
        (b"\x00", "spec file.yaml: not a YAML file that can be read"),
        (b"".join(b"\x1b[2Jkey%d: 1\n" % i for i in range(20)), "spec file.yaml: not a YAML file that can be read"),
        (b"".join(b"key%d: 1\n" % i for i in range(20)), "and 13 more"),
    ],
)
def test_a_wrong_file_is_refused(cli: Cli, fake_search: FakeSearch, content: bytes, message: str) -> None:
    """The message names file, key and value."""
    Path("spec file.yaml").write_bytes(content)
    assert message in clean_error(cli("search", "spec file.yaml"))
    assert fake_search.calls == []
    assert [path.name for path in Path().iterdir()] == ["spec file.yaml"]


@pytest.mark.parametrize("name", ["a folder/ünï.yaml", "日本.yaml", "-dash.yaml", "$(touch x).yaml", "new\nline.yaml"])
def test_file_names_are_only_names(cli: Cli, fake_search: FakeSearch, name: str) -> None:
    """A file with a byte order mark in any folder, of any name, is read; nothing in its name is run."""
    file = Path(name)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"\xef\xbb\xbf" + GOOD_FILE.encode())
    assert cli("search", "--quiet", "--", name).code == 0
    assert fake_search.calls[0][1][0].out == "the run"
    assert not Path("x").exists()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["show", "nowhere"], "RUN: nowhere is not a folder; give the folder that a search wrote (--out)"),
        (["history", "nowhere"], "RUN: nowhere is not a folder"),
        (["resume", "nowhere"], "RUN: nowhere is not a folder"),
        (["resume", "."], "RUN: . holds no study"),
        (["show", "x" * 300], "cannot be read"),
        (["show", "../\x1b[31mx\nerror: y"], "RUN: ../\\x1b[31mx\\nerror: y is not a folder"),
        (["export", "nowhere", "--trial", "0", "--out", "o"], "RUN: nowhere is not a folder"),
        (["export", "nowhere", "--out", "o"], "trial"),
        (["diff", "a"], "diff compares RUN A B (two trials) or two JSON files, got 1 arguments"),
        (["diff", "a.json", "b.json"], "a.json: cannot be read: No such file or directory"),
        (["verify", "nowhere"], "DIR: nowhere is not a folder; give the folder of an export, such as RUN/best"),
        (["searchh"], "No such command 'searchh'"),
        (["show"], "Missing argument 'RUN'"),
    ],
)
def test_other_commands_refuse_as_cleanly(cli: Cli, argv: list[str], message: str) -> None:
    """Runs, trials and files that are not there are named, and nothing is made."""
    assert message in clean_error(cli(*argv))
    assert list(Path().iterdir()) == []


def test_a_run_nearby_is_suggested(cli: Cli, make_run: Callable[..., Path]) -> None:
    """A misspelt run is answered with those that exist beside it."""
    run = make_run()
    assert f"runs beside it: {run}" in clean_error(cli("show", run.with_name("rnu")))


OWN_SPACES = """
import netwright as nw
from netwright import nn
import torch

def make_class():
    class Local(torch.nn.Module):
        def forward(self, x):
            return x
    return Local

def ends_in(*last, **options):
    return nw.SearchSpace(nn.seq(nn.conv(8), nn.global_pool(), *last), **options)

width = nw.choice("width", [7, 9])
outputs = ends_in(nn.linear(width))
no_network = nw.SearchSpace(training={"learning_rate": nw.choice("learning_rate", [0.01])})
too_fast = ends_in(nn.linear(10), training={"learning_rate": nw.choice("learning_rate", [0.01, 500.0])})
misspelt = ends_in(nn.linear(10), training={"learning_rat": 0.01})
local = ends_in(nn.op(make_class()), nn.linear(10))
"""


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (
            ["--space", "own.py:outputs"],
            ["space own.py:outputs: the network of {'width':", "but the data has 10 classes"],
        ),
        (["--space", "own.py:no_network"], ["space own.py:no_network has training choices only", "nn.linear(10)"]),
        (["--space", "own.py:too_fast"], ["'learning_rate' can be 500.0, but learning_rate must be a number in"]),
        (["--space", "own.py:misspelt"], ["unknown training value 'learning_rat'; did you mean 'learning_rate'?"]),
        (["--space", "own.py:local"], ["space own.py:local: the class 'make_class.<locals>.Local' cannot be copied"]),
        (["--device", "cuda:99"], ["device must be one that torch", "(cpu", "got 'cuda:99'"]),
    ],
)
def test_what_would_fail_in_every_trial_is_refused_before(cli: Cli, options: list[str], messages: list[str]) -> None:
    """A device that is not there, and a space that does not fit the task, end no trial: nothing is begun."""
    Path("own.py").write_text(OWN_SPACES)
    error = clean_error(cli(*GOOD, "--budget", "2 trials", "--out", "the run", *options))
    assert [message for message in messages if message not in error] == []
    assert not Path("the run").exists()


def test_a_budget_too_short_for_a_trial_is_refused(cli: Cli) -> None:
    """Where the time is up before a trial ended, that is said of the budget, and no folder is left."""
    answer = cli(*GOOD, "--budget", "0.001s", "--out", "run", "--quiet")
    assert "budget must be long enough for a trial, got '0.001s'; it was spent after" in clean_error(answer)
    assert not Path("run").exists()


@pytest.mark.parametrize("number", ["../x", "9", "-1", "1e3", "x" * 300, "0\n", "٣", "9" * 400])
def test_a_trial_that_is_not_there_is_refused(cli: Cli, make_run: Callable[..., Path], number: str) -> None:
    """The id of a trial is a number and nothing else: never a path, never another trial."""
    run = make_run()
    answer = cli("export", run, f"--trial={number}", "--out", "out")
    assert "trial" in clean_error(answer)
    assert list(Path().iterdir()) == []


def test_a_file_that_is_no_study_is_a_store_error(cli: Cli, make_run: Callable[..., Path]) -> None:
    """A history that cannot be read ends with exit code 4 and names the file."""
    run = make_run()
    (run / "study.db").write_bytes(b"no database" * 100)
    answer = cli("show", run)
    assert answer.code == 4
    assert answer.err.startswith(f"error: {run}/study.db is ")
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("content", ["[1, 2]", "{", "[" * 100_000, '{"architecture": 3}', "\ud800", '{"a": {"b": 1}}'])
def test_files_that_are_no_architecture_are_refused(cli: Cli, content: str) -> None:
    """What is no JSON object of decisions is said to be none, however deep or broken it is."""
    Path("a.json").write_text(content, encoding="utf-8", errors="surrogatepass")
    if content == '{"architecture": 3}':  # a decision of this name
        assert cli("diff", "a.json", "a.json").out == "the architectures are equal\n"
    else:
        clean_error(cli("diff", "a.json", "a.json"))


def program(*argv: str, **environment: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """Run the command line as a person does; returns also the seconds it took."""
    started_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", "from netwright.cli.main import main; main()", *argv],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    return done, time.monotonic() - started_s


def test_a_real_process_answers_fast_and_cleanly(tmp_path: Path) -> None:
    """A wrong option is answered within 2 s with exit code 2, without torch and without a traceback."""
    out = tmp_path / "run"
    done, seconds = program(*GOOD, "--workers", "0", "--out", str(out), LC_ALL="C", PYTHONUTF8="0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: workers must be a whole number in [1, 1024], got 0; use the number of cores\n"
    assert not out.exists()
    assert seconds < 10  # 2 s on an idle machine; this bound only finds an import of torch on a busy one


def test_nothing_heavy_is_imported_for_help() -> None:
    """--help needs neither torch nor any other large library, which is what makes it fast."""
    code = (
        "import sys\nfrom netwright.cli.main import run\nrun(['--help'])\n"
        "heavy = {'torch', 'numpy', 'sqlalchemy', 'pydantic', 'yaml', 'rich', 'sklearn', 'onnx'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_text_no_terminal_can_show_does_not_break_the_message() -> None:
    """An argument that is not text in the terminal's encoding still gives a clean error."""
    done, _ = program("show", "f\udce9", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.returncode == 2
    assert done.stderr.startswith("error: RUN: f")
    assert "Traceback" not in done.stderr
