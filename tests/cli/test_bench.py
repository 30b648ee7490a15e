"""``netwright bench``: a table in, curves and tests out; everything that can be typed wrong is answered at once."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path

import jsonschema
import pytest
from cli_helpers import Answer

from netwright.comparison import Settings, compare
from netwright.errors import UsageError
from netwright.strategies import RandomSearch
from netwright.types import Proposal

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of fork beside threads, Python 3.12
SCHEMA = Path(__file__).parents[2] / "docs" / "bench.schema.json"
Cli = Callable[..., Answer]
GOOD = ("--strategy", "random,local", "--metric", "accuracy", "--decisions", "a,b", "--queries", 12, "--seeds", 5)


def clean_error(answer: Answer) -> str:
    """Check what every clean error has in common, and return its text."""
    assert (2, "") == (answer.code, answer.out)
    assert answer.err.startswith("error: ")
    assert len(answer.err.splitlines()) <= 10
    assert "Traceback" not in answer.err
    return answer.err


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """A table of 36 architectures with one hill."""
    path = tmp_path / "mine.csv"
    rows = ["a,b,accuracy,test,latency_ms,time_s"]
    for a in range(6):
        for b in range(6):
            accuracy = 1 - ((a - 4) ** 2 + (b - 1) ** 2) / 50
            rows.append(f"{a},{b},{accuracy},{accuracy - 0.01 * (a % 2)},{1 + a + b},{60 + a}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_a_table_of_ones_own_is_compared_in_one_command(cli: Cli, csv: Path, tmp_path: Path) -> None:
    """Tables for people, a document for programs, a picture."""
    out, picture = tmp_path / "out.json", tmp_path / "out.svg"
    answer = cli("bench", csv, *GOOD, "--jobs", 2, "--json", out, "--plot", picture)
    assert (0, "") == (answer.code, answer.err)
    text = "mine, protocol oracle: the searches read accuracy (max); 5 seeds of 12 queries"
    assert text == answer.lines[0]
    assert any(line.startswith("regret after  10") for line in answer.lines)
    assert [f"written: {out}", f"written: {picture}"] == answer.lines[-2:]
    told = json.loads(out.read_text(encoding="utf-8"))
    jsonschema.validate(told, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert ["random", "local"] == list(told["strategies"])
    for strategy in told["strategies"].values():
        assert (12, 12, 5) == tuple(len(strategy[k]) for k in ("regret_mean", "regret_ci", "queries_to_optimum"))
    assert ET.parse(picture).getroot().tag.endswith("svg")
    assert ["mine.csv", "out.json", "out.svg"] == sorted(p.name for p in tmp_path.iterdir() if p.is_file())


def test_validation_objectives_limits_and_workers_from_the_command_line(cli: Cli, csv: Path, tmp_path: Path) -> None:
    """All at once."""
    pytest.importorskip("moocore")
    out = tmp_path / "out.json"
    options = ["--protocol", "validation", "--test-metric", "test", "--objective", "latency_ms", "--cost", "time_s"]
    more = ["--constraint", "latency_ms<=9", "--workers", 4, "--target", 0.1, "--jobs", 1, "--json", out]
    answer = cli("bench", csv, *GOOD, *options, *more)
    assert (0, "") == (answer.code, answer.err)
    told = json.loads(out.read_text(encoding="utf-8"))
    jsonschema.validate(told, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert ["accuracy:max", "latency_ms:min"] == told["objectives"]
    assert ("validation", "test", ["latency_ms<=9"], "time_s") == tuple(
        told[key] for key in ("protocol", "test_metric", "constraints", "cost")
    )
    assert 4 == told["strategies"]["local"]["workers"]["workers"]
    assert "hypervolume after" in answer.out
    assert "speed-up" in answer.out


def test_more_queries_than_architectures_end_when_there_are_no_more(cli: Cli, csv: Path) -> None:
    """It is allowed, and said."""
    answer = cli("bench", csv, "--strategy", "grid", "--metric", "test", "--queries", 99, "--seeds", 1, "--jobs", 1)
    assert 0 == answer.code
    assert "the benchmark has 36 architectures for 99 queries a search" in answer.out


def test_a_declared_space_is_taken_from_a_file(cli: Cli, tmp_path: Path) -> None:
    """Its choices are the decisions; in the table one is left out."""
    table, space = tmp_path / "t.csv", tmp_path / "space.py"
    table.write_text("width,note,score\n8,x,1\n16,y,2\n", encoding="utf-8")
    text = "from netwright.space import SearchSpace, choice\nw = choice('width', [8, 16, 32])\n"
    space.write_text(text + "s = SearchSpace(training={'w': w})\n", encoding="utf-8")
    options = ("--strategy", "random", "--metric", "score", "--queries", 2, "--seeds", 2, "--jobs", 1)
    answer = cli("bench", table, "--space", f"{space}:s", *options)
    assert (0, "") == (answer.code, answer.err)
    assert "unknown space 'x'; known: s" in clean_error(cli("bench", table, "--space", f"{space}:x", *options))
    assert "--space must be FILE.py:NAME" in clean_error(cli("bench", table, "--space", "nowhere.py:s", *options))
    space.write_text("1 / 0", encoding="utf-8")
    assert "ZeroDivisionError" in clean_error(cli("bench", table, "--space", f"{space}:s", *options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--strategy", "randon"], "unknown strategy 'randon'; did you mean 'random'?"),
        (["--strategy", "evolution:population=x"], "cannot be made of its options"),
        (["--strategy", "evolution:populaton=9"], "'populaton'; did you mean 'population'?"),
        (["--strategy", ""], "strategy must be a name"),
        (["--metric", "acuracy"], "'acuracy'; did you mean 'accuracy'?"),
        (["--direction", "up"], "direction must be max or min, got 'up'"),
        (["--protocol", "validation"], "needs a test metric, and 'accuracy' has none; name the test metric"),
        (["--protocol", "orcale"], "unknown protocol 'orcale'; did you mean 'oracle'?"),
        (["--protocol", "validation", "--test-metric", "tset"], "'tset'; did you mean 'test'?"),
        (["--test-metric", "test"], "test metric must be left out with the protocol oracle"),
        (["--objective", "latency"], "'latency'"),
        (["--objective", "latency_ms:mim"], "latency_ms"),
        (["--constraint", "latency_ms"], "constraint must be written as"),
        (["--constraint", "latency<=3"], "'latency'"),
        (["--cost", "tims"], "'tims'; did you mean 'time_s'?"),
        (["--workers", "5"], "workers cannot be simulated: mine does not tell its cost"),
        (["--workers", "0"], "workers must be a whole number in [1, 1000000], got 0"),
        (["--queries", "0"], "queries must be a whole number in [1, 10000000], got 0"),
        (["--queries", "many"], "--queries"),
        (["--seeds", "-1"], "seeds must be a whole number in [1, 10000000], got -1"),
        (["--jobs", "0"], "jobs must be a whole number >= 1, got 0"),
        (["--target", "-2"], "target must be a regret >= 0"),
        (["--decisions", "a,c"], "'c'"),
        (["--fidelity-column", "epoch"], "'epoch'"),
        (["--seed-column", "sed"], "'sed'"),
        (["--json", "nowhere/out.json"], "--json: the folder"),
        (["--json", "."], "is a folder"),
        (["--json", "/proc/out.json"], "--json: /proc/out.json cannot be written"),
        (["--plot", "nowhere/out.svg"], "--plot: the folder"),
        (["--plot", "out.png"], "--plot: out.png must end in .svg"),
        (["--plot", "x.svg", "--json", "x.svg"], "--json and --plot are the same file"),
        (["--data", "."], "--data must be left out, except for"),
        (["--strateg", "random"], "--strateg"),
    ],
)
def test_whatever_is_typed_wrong_is_answered_before_anything_runs(
    cli: Cli, csv: Path, options: Sequence[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With exit code 2, and no file is left."""
    monkeypatch.setattr("netwright.comparison.parallel.Work.perform", None)  # nothing may be searched
    given = dict(zip(GOOD[::2], GOOD[1::2], strict=True)) | dict(zip(options[::2], options[1::2], strict=True))
    words = [word for pair in given.items() for word in pair]
    assert message in clean_error(cli("bench", csv, *words))
    assert [] == list(Path.cwd().iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nasbench201-cifar1", "--strategy", "random"], "did you mean 'nasbench201-cifar"),
        (["nowhere.csv", "--strategy", "random"], "nowhere.csv does not exist"),
        (["nasbench201-cifar10", "--strategy", "random", "--data", "nowhere"], "nowhere"),
        (["nasbench201-cifar10", "--strategy", "random", "--decisions", "a"], "--decisions must be left out"),
        (["x.csv"], "strategy is missing"),
        ([], "TABLE"),
    ],
)
def test_a_table_that_is_not_there_is_answered(cli: Cli, words: Sequence[str], message: str) -> None:
    """With the nearest name, or what is missing."""
    assert message in clean_error(cli("bench", *words))


def test_a_read_only_folder_is_refused(cli: Cli, csv: Path, tmp_path: Path) -> None:
    """Nobody waits for a result that cannot be written."""
    if os.geteuid() == 0:
        pytest.skip("the administrator may write everywhere")
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    assert "cannot be written" in clean_error(cli("bench", csv, *GOOD, "--json", folder / "out.json"))


class Crashing(RandomSearch):
    """Raises when it is first asked."""

    def ask(self, n: int) -> Sequence[Proposal]:
        raise RuntimeError("the \x1b[31mplanted crash")


def test_a_crash_is_told_and_ends_with_exit_code_3(
    cli: Cli, csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The document is written all the same; what the strategy says cannot colour the terminal."""
    monkeypatch.setattr("netwright.strategies.STRATEGIES", {"random": Crashing, "local": RandomSearch})
    out = tmp_path / "out.json"
    answer = cli("bench", csv, *GOOD, "--jobs", 1, "--json", out)
    assert 3 == answer.code
    assert "5 searches CRASHED" in answer.out
    assert "random, seed 0:" in answer.out
    assert "RuntimeError: the planted crash" in answer.out
    crashes = json.loads(out.read_text(encoding="utf-8"))["strategies"]["random"]["crashes"]
    assert [0, 1, 2, 3, 4] == [crash["seed"] for crash in crashes]


def test_ctrl_c_leaves_no_file(cli: Cli, csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("netwright.comparison.parallel.Work.perform", interrupted)
    answer = cli("bench", csv, *GOOD, "--jobs", 1, "--json", tmp_path / "out.json")
    assert (130, "", "stopped; nothing is written") == (answer.code, answer.out, answer.err.strip())
    assert not (tmp_path / "out.json").exists()


def test_a_file_that_is_there_is_replaced_as_a_whole(cli: Cli, csv: Path, tmp_path: Path) -> None:
    """Through a link, too, which stays one."""
    out, link = tmp_path / "out.json", tmp_path / "link.json"
    out.write_text("old", encoding="utf-8")
    link.symlink_to(out)
    assert 0 == cli("bench", csv, *GOOD, "--jobs", 1, "--json", link).code
    assert link.is_symlink()
    assert 1 == json.loads(out.read_text(encoding="utf-8"))["format"]


@pytest.mark.long
def test_it_runs_as_a_command_without_torch(csv: Path, tmp_path: Path) -> None:
    """In a process of its own, with helpers, where the numerical libraries are told to use one thread."""
    code = (
        "import os, sys\n"
        "from netwright.cli.main import run\n"
        "code = run(sys.argv[1:])\n"
        "assert 'torch' not in sys.modules\n"
        "assert os.environ['OMP_NUM_THREADS'] == '1'\n"
        "sys.exit(code)\n"
    )
    words = [str(word) for word in ("bench", csv, *GOOD, "--jobs", 2)]
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert "regret after" in done.stdout


@pytest.mark.parametrize("option", ["--json", "--plot"])
@pytest.mark.parametrize("way", ["itself", "link", "hard link", "space", "data"])
def test_what_is_read_is_never_written_over(cli: Cli, csv: Path, tmp_path: Path, option: str, way: str) -> None:
    """A slip of the completion key does not cost a person their table, whatever the name that leads to it."""
    named, space = tmp_path / "named.svg", tmp_path / "space.py"
    space.write_text("raise SystemExit", encoding="utf-8")
    words: list[object] = [csv, *GOOD]
    if way == "link":
        named.symlink_to(csv)
    elif way == "hard link":
        named.hardlink_to(csv)
    elif way == "space":
        named.symlink_to(space)
        words += ["--space", f"{space}:s"]
    elif way == "data":
        named.write_text("precious", encoding="utf-8")
        words = ["nasbench201-cifar10", "--strategy", "random", "--data", tmp_path]
    else:
        named = csv.rename(csv.with_name("mine.csv.svg"))
        words[0] = named
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert f"{option}: {named} is " in clean_error(cli("bench", *words, option, named))
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}


def test_what_was_read_is_said(cli: Cli, csv: Path) -> None:
    """A column that was taken for something else is seen at once."""
    csv.write_text("a,note,accuracy,latency_ms\n1,x,0.5,2\n1,y,0.6,1\n", encoding="utf-8")
    options = ("--strategy", "random", "--metric", "accuracy", "--queries", 3, "--seeds", 2, "--jobs", 1)
    about = "2 architectures in 2 rows; decisions a, note; metrics accuracy, latency_ms"
    assert about == cli("bench", csv, *options).lines[1]


def test_a_decision_that_was_forgotten_is_named(cli: Cli, csv: Path) -> None:
    """With the options of the command line."""
    options = ("--strategy", "random", "--metric", "accuracy", "--decisions", "a")
    text = clean_error(cli("bench", csv, *options))
    assert "line 2 and line 3 are the same architecture; they differ in b, test, latency_ms: is a decision" in text
    assert "(--decisions)" in text
    assert "(--seed-column NAME)" in text


def test_the_example_of_the_documentation_prints_what_the_command_prints(
    cli: Cli, csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In docs/cli.md, as it stands there but shorter; the times of the processor differ."""
    monkeypatch.chdir(csv.parent)
    csv.write_text(csv.read_text(encoding="utf-8").replace(",test,", ",test_accuracy,"), encoding="utf-8")
    text = (SCHEMA.parent / "cli.md").read_text(encoding="utf-8")
    example = text.split("```python\n")[1].split("```")[0]
    capsys.readouterr()
    exec(compile(example.replace("queries=100, seeds=30", "queries=9, seeds=3"), "cli.md", "exec"), {})
    *printed, regret = capsys.readouterr().out.splitlines()
    shown = cli("bench", csv, "--strategy", "random,local", "--metric", "accuracy", "--queries", 9, "--seeds", 3).lines
    first = next(i for i, line in enumerate(shown) if "ask ms" in line)
    for lines in (shown, printed):
        del lines[first : first + 3]
    assert shown == printed
    assert 0 <= float(regret) < 1


def test_what_cannot_be_compared_is_refused(csv: Path) -> None:
    """A benchmark's name needs its data, and a list is neither a path nor a benchmark."""
    with pytest.raises(UsageError, match=r"benchmark must be an object, .*load_benchmark\('nasbench201-cifar10', "):
        compare("nasbench201-cifar10", "random")
    with pytest.raises(UsageError, match=r"benchmark must be a benchmark, or the path of a table, got \[\]"):
        compare([], "random")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="direction must be given together with a metric, got 'max'"):
        compare(csv, "random", Settings(direction="max"))
    with pytest.raises(UsageError, match="unknown benchmark 'nowhere'"):
        compare("nowhere", "random")


def test_an_option_that_is_no_number_is_explained(cli: Cli, csv: Path) -> None:
    """In words of the option, not of the comparison that failed."""
    text = clean_error(cli("bench", csv, *GOOD[2:], "--strategy", "evolution:population=x"))
    assert re.search("cannot be made of its options: population must be a number, such as [0-9]+, got 'x'", text)


def test_a_metric_that_never_changes_is_told(cli: Cli, csv: Path) -> None:
    """Where all architectures are alike, a regret of 0 is not what the strategies are worth."""
    lines = csv.read_text(encoding="utf-8").splitlines()
    csv.write_text("\n".join([lines[0] + ",auc", *(f"{line},0.5" for line in lines[1:])]), encoding="utf-8")
    told = "every search had auc 0.5 from its first query on: all are alike"
    argv = ("bench", csv, "--decisions", "a,b", "--strategy", "random", "--queries", 9, "--seeds", 3, "--jobs", 1)
    assert told in cli(*argv, "--metric", "auc").lines
    assert not any("all are alike" in line for line in cli(*argv, "--metric", "accuracy").lines)


def test_a_second_objective_without_numbers_finds_nothing(cli: Cli, csv: Path) -> None:
    """That the first has an optimum does not hide it."""
    pytest.importorskip("moocore")
    lines = csv.read_text(encoding="utf-8").splitlines()
    csv.write_text("\n".join([lines[0] + ",size", *(f"{line},nan" for line in lines[1:])]), encoding="utf-8")
    answer = cli("bench", csv, *GOOD, "--objective", "size:min", "--jobs", 1)
    assert "no search found anything: no query gave a number within the limits" in answer.lines
