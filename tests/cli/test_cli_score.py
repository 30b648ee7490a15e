"""``netwright score``: scores in tables, JSON and CSV; everything that can be typed wrong is answered at once."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from cli_helpers import Answer

import netwright.evaluation.proxies as proxies

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of fork beside threads, Python 3.12
Cli = Callable[..., Answer]
GOOD = ("score", "--data", "digits", "--sample", 8)
SPACE = """
import netwright as nw
from netwright import nn
print("hello from a person's file")
width = nw.choice("width", [4, 6, 8])
few = nw.SearchSpace(nn.seq(nn.conv(width), nn.relu(), nn.global_pool(), nn.linear(10)))
large = nw.SearchSpace(nn.seq(nn.conv(nw.integer("width", 2, 40)), nn.relu(), nn.global_pool(), nn.linear(10)))
outputs = nw.SearchSpace(nn.seq(nn.conv(8), nn.global_pool(), nn.linear(width)))
"""
INFERENCE = """
import torch
import netwright as nw
from netwright import nn
class Inference(torch.nn.Module):
    def forward(self, x):
        if self.training:
            raise RuntimeError("made for inference")
        return x
conv = nn.conv(nw.choice("width", [4, 6, 8]))
space = nw.SearchSpace(nn.seq(conv, nn.op(Inference), nn.relu(), nn.global_pool(), nn.linear(10)))
"""


@dataclass
class Found:
    values: Mapping[str, float]
    unusable: Mapping[str, str]


def fake_score(
    model: torch.nn.Module, inputs: torch.Tensor, labels: torch.Tensor, names: Sequence[str], seed: int
) -> Found:
    """Of proxies that are the width, its opposite and a digit of the weights; one is for no network, one fails once."""
    width = next(p.shape[0] for p in model.parameters())
    if width == 4 and "picky" in names:
        raise ValueError("not \x1b[31mfour\x1b[0m")
    weights = sum(float(p.detach().abs().sum()) for p in model.parameters())
    odd_width = width % 2 > 0
    found = {
        "even": math.nan if odd_width else width % 5.0,
        "width": float(width),
        "narrow": -float(width),
        "noise": weights % 0.1,
        "picky": math.inf,
    }
    why = {"odd": "odd is not for this network: the network has no ReLU"} if "odd" in names else {}
    if odd_width and "even" in names:
        why["even"] = "even is not for this network: it is odd"
    return Found({name: found.get(name, math.nan) for name in names}, why)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for the proxies: the command is tested here, not they."""
    ensemble = ModuleType("netwright.evaluation.proxies.ensemble")
    ensemble.DEFAULT = ("width", "noise")  # type: ignore[attr-defined]
    ensemble.aggregate = lambda columns: np.sum(
        [np.argsort(np.argsort(np.nan_to_num(c, nan=-np.inf))) for c in columns.values()], axis=0
    )  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, ensemble.__name__, ensemble)
    monkeypatch.setattr(proxies, "ensemble", ensemble, raising=False)
    monkeypatch.setattr(proxies, "score", fake_score, raising=False)
    names = ["width", "narrow", "noise", "picky", "odd", "even"]
    monkeypatch.setattr(proxies, "proxy_names", lambda: names, raising=False)


def own_space() -> None:
    Path("own.py").write_text(SPACE, encoding="utf-8")


def clean_error(answer: Answer) -> str:
    """Check what every clean error has in common, and return its text."""
    assert (2, "") == (answer.code, answer.out)
    assert answer.err.startswith("error: ")
    assert len(answer.err.splitlines()) <= 10
    assert "Traceback" not in answer.err
    return answer.err


def column(lines: list[str], header: str) -> dict[str, list[str]]:
    """Cells of the table whose header begins so, by the first of each row."""
    begin = next(i for i, line in enumerate(lines) if line.startswith(header))
    rows = {}
    for line in lines[begin + 1 :]:
        if not line or ":" in line:
            break
        rows[line.split()[0]] = line.split()[1:]
    return rows


@pytest.mark.usefixtures("fake")
def test_scores_are_told_in_a_table_and_written_in_full(cli: Cli) -> None:
    """For people: which proxy repeats size, which agree, what is best. For programs: everything."""
    own_space()
    answer = cli(
        *GOOD,
        "--space",
        "own.py:large",
        "--proxies",
        "width,narrow,noise",
        "--workers",
        2,
        "--top",
        3,
        "--json",
        "o.json",
        "--csv",
        "o.csv",
    )
    assert (0, "hello from a person's file\n") == (answer.code, answer.err)
    assert answer.lines[0].startswith("digits, space own.py:large: 8 architectures scored in ")
    assert "looked at with 64 training examples of 10 classes, seed 0; float32" in answer.lines[1]
    by_size = column(answer.lines, "proxy")
    assert ["1.00", "1.00", "-", "1.00"] == by_size["width"][:4]
    assert ["-1.00", "-1.00", "-", "1.00"] == by_size["narrow"][:4]
    assert float(by_size["noise"][3]) < 0.8
    told = json.loads(Path("o.json").read_text(encoding="utf-8"))
    rows = list(csv.DictReader(Path("o.csv").read_text(encoding="utf-8").splitlines()))
    assert 8 == len(told["architectures"]) == len(rows)
    assert [str(row["place"]) for row in told["architectures"]] == [row["place"] for row in rows]
    best = max(told["architectures"], key=lambda row: row["scores"]["width"])
    assert best["id"] == by_size["width"][-1]
    for row, line in zip(told["architectures"], rows, strict=True):
        assert row["architecture"] == json.loads(line["architecture"])
        assert row["scores"]["noise"] == float(line["noise"])
        assert row["scores"]["width"] == row["architecture"]["width"]
    worths = [row["ensemble"] for row in told["architectures"]]
    assert sorted(worths, reverse=True) == worths
    assert [told["architectures"][i]["id"] for i in range(3)] == [line.split()[1] for line in answer.lines[-5:-2]]
    assert -1.0 == told["correlations"]["width"]["narrow"]["spearman"]
    assert ("statistics of the batch; dropout off", 64) == (
        told["conditions"]["batch_norm"],
        told["conditions"]["examples"],
    )


@pytest.mark.usefixtures("fake")
@pytest.mark.long
def test_scores_do_not_depend_on_the_number_of_workers(cli: Cli) -> None:
    """Nor on the day: the same command gives the same scores."""
    own_space()
    found = []
    for workers in (1, 2):
        cli(*GOOD, "--space", "own.py:large", "--workers", workers, "--csv", "o.csv")
        rows = csv.DictReader(Path("o.csv").read_text(encoding="utf-8").splitlines())
        found.append([{key: value for key, value in row.items() if key != "time_s"} for row in rows])
    assert found[0] == found[1]


@pytest.mark.usefixtures("fake")
def test_what_is_not_usable_and_what_failed_is_said_with_the_reason(cli: Cli) -> None:
    """A small space is scored whole; infinite scores are counted, and no text of an error reaches the terminal raw."""
    own_space()
    answer = cli(*GOOD, "--space", "own.py:few", "--proxies", "all", "--json", "o.json")
    assert 0 == answer.code
    assert "the space has no more than 3 different networks, as far as drawing tells" in answer.lines
    assert "odd is not usable for 2 of 3 architectures: the network has no ReLU" in answer.lines
    assert "1 of 3 architectures could not be built or run:" in answer.lines
    assert "  1 times ValueError: not \\x1b[31mfour\\x1b[0m" in answer.lines
    rows = column(answer.lines, "proxy")
    assert ["3", "3", "1", "0"] == [rows[name][5] for name in ("picky", "odd", "width", "params")]
    told = json.loads(Path("o.json").read_text(encoding="utf-8"))
    assert {"width": 4} == told["architectures"][-1]["architecture"]
    assert ["width", "noise"] == told["ensemble_of"]
    assert None is told["architectures"][0]["scores"]["picky"]


@pytest.mark.usefixtures("fake")
def test_a_score_that_is_not_for_a_part_of_the_networks_does_not_rank_that_part_last(cli: Cli) -> None:
    """It is left out of the ensemble, which says what it is made of."""
    own_space()
    answer = cli(*GOOD, "--space", "own.py:large", "--proxies", "even,width", "--csv", "o.csv")
    assert "even is not usable for " in answer.out
    assert "best by the ensemble of width:" in answer.lines
    rows = list(csv.DictReader(Path("o.csv").read_text(encoding="utf-8").splitlines()))
    assert sorted((float(row["width"]) for row in rows), reverse=True) == [float(row["width"]) for row in rows]
    assert "" in {row["even"] for row in rows}


def test_networks_that_run_in_evaluation_mode_only_are_scored(cli: Cli) -> None:
    """By every proxy: those need gradients, not training."""
    Path("own.py").write_text(INFERENCE, encoding="utf-8")
    answer = cli(*GOOD, "--space", "own.py:space", "--proxies", "all", "--csv", "o.csv")
    assert (0, "3 architectures scored") == (answer.code, answer.lines[0].partition(": ")[2].partition(" in ")[0])
    for row in csv.DictReader(Path("o.csv").read_text(encoding="utf-8").splitlines()):
        assert math.isfinite(float(row["grad_norm"]))
        assert math.isfinite(float(row["trainability"]))


@pytest.mark.usefixtures("fake")
def test_where_nothing_can_be_scored_the_exit_code_says_so(cli: Cli) -> None:
    """And there is no ranking."""
    own_space()
    Path("own.py").write_text(SPACE.replace("[4, 6, 8]", "[4]"), encoding="utf-8")
    answer = cli(*GOOD, "--space", "own.py:few", "--proxies", "picky")
    assert 3 == answer.code
    assert "all 1 architectures could not be built or run:" in answer.lines
    assert "no score tells the architectures apart, so that there is no ranking" == answer.lines[-1]


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--proxies", "widt"], "unknown proxy 'widt'; did you mean 'width'? known: all, default, depth, even,"),
        (["--proxies", ""], "unknown proxy ''"),
        (["--proxies", "width,width"], "proxies must be names, each once, got ['width', 'width']"),
        (["--sample", "0"], "sample must be a whole number in [1, 1000000], got 0"),
        (["--sample", "x"], "Invalid value for '--sample'"),
        (["--batch", "0"], "batch_size must be a whole number in [1, 65536], got 0"),
        (["--seed", "-1"], "seed must be a whole number in [0, 2**32), got -1"),
        (["--workers", "0"], "workers must be a whole number in [1, 1024], got 0"),
        (["--time-limit", "0s"], "time_limit must be more than no time, such as 90s, 10m or 2h, got '0s'"),
        (["--time-limit", "10"], "time_limit must be a time such as 90s, 10m or 2h, got '10'; name the unit"),
        (["--time-limit", "5 trials"], "time_limit must be a time such as 90s, 10m or 2h, got '5 trials'"),
        (["--data", "nowhere"], "nowhere"),
        (["--data", "empty"], "empty"),
        (["--task", "detection"], "or FILE.py:NAME, got 'detection'"),
        (["--space", "dartz"], "unknown space 'dartz'; did you mean 'darts'?"),
        (["--space", "own.py:outputs"], "space own.py:outputs: the network of {'width':"),
        (["--json", "nowhere/o.json"], "--json: the folder"),
        (["--csv", "empty"], "--csv: empty is a folder; give the name of a file in it"),
        (["--csv", "/proc/o.csv"], "--csv: /proc/o.csv cannot be written"),
        (["--json", "o", "--csv", "o"], "--json and --csv are the same file, o; give each its own"),
        (["--space", "own.py:few", "--json", "own.py"], "which would be overwritten; give another name"),
    ],
)
def test_what_is_typed_wrong_is_refused(cli: Cli, options: list[str], message: str) -> None:
    """Before anything is scored, with exit code 2, and nothing is written."""
    own_space()
    Path("empty").mkdir()
    answer = cli(*GOOD, *options)
    answer.err = answer.err.removeprefix("hello from a person's file\n")
    assert message in clean_error(answer)
    assert {"own.py", "empty"} == {path.name for path in Path().iterdir() if path.name != "__pycache__"}
    assert SPACE == Path("own.py").read_text(encoding="utf-8")


def people() -> None:
    """A table whose last column is not what is to be learned."""
    rows = [f"{20 + i % 40},{'old' if i % 40 > 20 else 'young'},{'abc'[i % 3]}" for i in range(60)]
    Path("people.csv").write_text("\n".join(["age,kind,group", *rows, ""]), encoding="utf-8")


@pytest.mark.usefixtures("fake")
def test_data_that_needs_an_option_is_scored(cli: Cli) -> None:
    """As a search would read it."""
    people()
    given = ("score", "--task", "tabular-classification", "--data", "people.csv", "--sample", 4, "--proxies", "width")
    for options, classes in (((), 3), (("--task-option", "target=kind"), 2)):
        answer = cli(*given, *options, "--json", "o.json")
        assert (answer.code, answer.err) == (0, "")
        told = json.loads(Path("o.json").read_text(encoding="utf-8"))
        assert told["conditions"]["classes"] == classes
        assert told["task_options"] == ({"target": "kind"} if options else {})
    assert "task option must be NAME=VALUE" in clean_error(cli(*given, "--task-option", "kind"))


@pytest.mark.usefixtures("fake")
def test_a_task_without_classes_is_refused(cli: Cli) -> None:
    """Proxies know the loss of classes only; said before anything is scored."""
    people()
    given = ("score", "--task", "tabular-regression", "--data", "people.csv", "--task-option", "target=age")
    assert "networks of the task tabular-regression cannot be scored before training" in clean_error(cli(*given))


@pytest.mark.usefixtures("fake")
def test_no_data_is_named(cli: Cli) -> None:
    """The option that is missing."""
    assert "data is missing" in clean_error(cli("score", "--sample", 5))


@pytest.mark.usefixtures("fake")
def test_a_time_limit_tells_what_was_scored(cli: Cli) -> None:
    """What was not is counted; where nothing was, that is an error with a cure."""
    own_space()
    answer = cli(*GOOD, "--space", "own.py:large", "--time-limit", "0.01s")
    assert "time_limit: no architecture was scored within 0s; raise --time-limit" in answer.err
    assert 2 == answer.code
