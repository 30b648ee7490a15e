"""``netwright supernet``: train, evaluate, search and extract; going on after a stop; what is refused, and how."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import Answer

from netwright.cli.main import run
from netwright.errors import TrialError
from netwright.export import Card

Cli = Callable[..., Answer]

SPACE = """
from netwright import nn
from netwright.space import SearchSpace, choice, integer
from torch import nn as torch_nn
import torch

def space(input_shape, num_classes):
    width = choice("width", [4, 8])
    deep = nn.repeat(integer("depth", 1, 2), lambda i: nn.conv_norm_act(width, choice("kernel", [1, 3])))
    return SearchSpace(nn.seq(nn.conv_norm_act(width, stride=2), deep, nn.flatten(), nn.linear(num_classes)))

class Vary(torch_nn.Module):
    def __init__(self, dims: int) -> None:
        super().__init__()
        self.weight = torch_nn.Parameter(torch.ones((1,) * dims))

    def forward(self, x):
        return x * self.weight.sum()

class Gate(torch_nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.inner = torch_nn.Conv2d(channels, hidden, 1)
        self.outer = torch_nn.Conv2d(hidden, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.outer(torch.relu(self.inner(x))))

def odd(input_shape, num_classes):
    own = nn.op(Gate, input_size="channels", hidden=choice("hidden", [2, 4]))
    kinds = nn.one_of("kind", {"fits": nn.conv(8), "clashes": nn.conv(4)})
    parts = nn.conv_norm_act(8, stride=2), own, nn.add(nn.identity(), kinds), nn.flatten()
    return SearchSpace(nn.seq(*parts, nn.linear(num_classes)))

def unshared(input_shape, num_classes):
    return SearchSpace(nn.seq(nn.op(Vary, dims=choice("dims", [1, 2])), nn.flatten(), nn.linear(num_classes)))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, bright_rows: tuple[np.ndarray, np.ndarray]) -> Path:
    """A folder with data, a space, an architecture, and a supernet that was trained."""
    folder = tmp_path_factory.mktemp("supernet")
    x, y = bright_rows
    np.savez(folder / "rows.npz", x_train=x, y_train=y)
    (folder / "sp.py").write_text(SPACE)
    (folder / "a.json").write_text(json.dumps({"width": 4, "depth": 1, "kernel": 3}))
    assert run(["supernet", "train", *given(folder), "--epochs", "6", "--out", str(folder / "trained"), "-q"]) == 0
    return folder


def given(folder: Path, name: str = "space") -> list[str]:
    return ["--data", str(folder / "rows.npz"), "--space", f"{folder / 'sp.py'}:{name}"]


@pytest.mark.long
def test_networks_of_a_trained_supernet_are_scored_and_taken_out(cli: Cli, made: Path) -> None:
    """The same number each time, far better than chance; what was taken out says where its weights come from."""
    answer = cli("supernet", "evaluate", made / "trained", "--architecture", made / "a.json", "--json")
    assert (answer.code, answer.err) == (0, "")
    (row,) = map(json.loads, answer.lines)
    assert row["architecture"] == {"width": 4, "depth": 1, "kernel": 3}
    assert row["metrics"]["accuracy"] > 0.4

    answer = cli("supernet", "extract", made / "trained", "--architecture", made / "a.json", "--out", "x")
    assert answer.code == 0, answer.err
    card = Card.from_json(Path("x/card.json").read_bytes())
    assert card.check is not None
    assert card.check.passed
    assert card.metrics["validation_accuracy"] == row["metrics"]["accuracy"]
    assert "its part of the weights that all networks of the space share" in card.remarks[0]
    assert cli("verify", "x", "--data", made / "rows.npz").code == 0
    again = cli("supernet", "evaluate", made / "trained", "--architecture", "x/card.json", "--json")
    assert json.loads(again.lines[0])["metrics"] == row["metrics"]


@pytest.mark.long
def test_shared_weights_are_compared_with_trainings_from_nothing(cli: Cli, made: Path) -> None:
    """Random networks, each scored and trained; Kendall's tau with its interval."""
    answer = cli("supernet", "evaluate", made / "trained", "--sample", 5, "--audit", 0.5, "--workers", 2)
    assert answer.code == 0, answer.err
    assert answer.lines[0].split() == ["network", "accuracy", "loss", "params", "macs", "trained", "note"]
    assert "the supernet against 0.5 epochs: rank correlation" in answer.out


def test_an_audit_of_too_few_networks_says_so(cli: Cli, made: Path) -> None:
    """There is no rank correlation of three."""
    answer = cli("supernet", "evaluate", made / "trained", "--sample", 3, "--audit", 0.2)
    assert answer.code == 0, answer.err
    assert "could not be compared with trainings: 3 networks were scored and trained; it takes four" in answer.err
    assert "rank correlation" not in answer.out


@pytest.mark.long
def test_how_far_an_evaluation_has_come_is_told(cli: Cli, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On standard error, so that rows can be read by a program."""
    monkeypatch.setattr("netwright.cli.supernet.TELL_EVERY_S", 0.0)
    answer = cli("supernet", "evaluate", made / "trained", "--sample", 4, "--json")
    assert answer.code == 0, answer.err
    assert [f"{done} of 4 scores and trainings are done" in answer.err for done in (1, 2, 3, 4)] == [True] * 3 + [False]
    assert len([json.loads(line) for line in answer.lines]) == 4


@pytest.mark.long
def test_a_training_of_an_audit_that_fails_is_named(cli: Cli, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the score, which it does not take away."""
    from netwright.evaluation.trainer import TrainingEvaluator

    def lost(*_: object) -> dict[str, float]:
        raise TrialError("lost")

    monkeypatch.setattr(TrainingEvaluator, "_train", lost)
    answer = cli("supernet", "evaluate", made / "trained", "--sample", 4, "--audit", 0.2, "--json")
    assert answer.code == 0, answer.err
    rows = [json.loads(line) for line in answer.lines]
    assert all(row["error"] == "training: TrialError: lost" and "accuracy" in row["metrics"] for row in rows)
    assert not any("trained" in row for row in rows)


@pytest.mark.long
def test_a_search_on_a_supernet_delivers_a_verified_network(cli: Cli, made: Path) -> None:
    """Under its limit, trained further from shared weights; card and result say so, and how shared weights rank."""
    limits = ["--constraint", "params<=2k", "--max-epochs", 2, "--budget", "24 trials", "--strategy", "random"]
    answer = cli("supernet", "search", made / "trained", *limits, "--out", "r", "--json")
    assert answer.code == 0, answer.err
    result = json.loads(answer.lines[-1])
    card = Card.from_json(Path("r/best/card.json").read_bytes())
    assert result["verified"]
    assert card.metrics["params"] <= 2000
    assert any("trained further" in remark for remark in card.remarks) == (result["best"]["origin"] == "final")
    assert result["rungs"][0]["low"] == "supernet"
    assert any("the supernet against" in remark for remark in card.remarks)
    finals = cli("show", "r", "--json")
    assert finals.code == 0
    assert cli("resume", "r", "-q").code == 0


@pytest.mark.long
def test_the_largest_network_teaches_finalists(cli: Cli, made: Path) -> None:
    """Where it is asked to: finalists come out as others than without it, and the card says so."""
    found = {}
    for name, options in (("plain", []), ("taught", ["--teacher"])):
        limits = ["--max-epochs", 2, "--budget", "8 trials", "--strategy", "random"]
        answer = cli("supernet", "search", made / "trained", *limits, *options, "--out", name, "--json")
        assert answer.code == 0, answer.err
        trials = json.loads(cli("show", name, "--json").out)["trials"]
        found[name] = [(t["architecture"], t["metrics"]["loss"]) for t in trials if t["origin"] == "final"]
        card = Card.from_json(Path(name, "best", "card.json").read_bytes())
        told = any("with the answers of the largest network" in remark for remark in card.remarks)
        final = json.loads(answer.lines[-1])["best"]["origin"] == "final"
        assert told == (final and name == "taught")
    assert [a for a, _ in found["plain"]] == [a for a, _ in found["taught"]]
    assert all(a != b for (_, a), (_, b) in zip(found["plain"], found["taught"], strict=True))
    assert found["plain"]


@pytest.mark.long
def test_a_search_trains_its_own_supernet(cli: Cli, made: Path) -> None:
    """In a folder of the run, which can be used on its own."""
    spec = ["--evaluator", "supernet", "--budget", "6 trials", "--max-epochs", 2, "--strategy", "random"]
    answer = cli("search", "--task", "image-classification", *given(made), *spec, "--out", "r", "-q")
    assert answer.code == 0, answer.err
    assert cli("supernet", "evaluate", "r/supernet", "--sample", 2).code == 0
    card = Card.from_json(Path("r/best/card.json").read_bytes())
    assert any("not compared with trainings from nothing: the budget is too small" in r for r in card.remarks)


@pytest.mark.long
def test_the_networks_within_one_share_weights(cli: Cli, made: Path) -> None:
    """Only these are scored, searched and taken out; what goes on with it need not name the one again."""
    command = ["supernet", "train", *given(made), "--within", made / "a.json", "--sampling", "largest-first"]
    answer = cli(*command, "--epochs", 4, "--out", "t", "-q")
    assert answer.code == 0, answer.err
    again = cli("supernet", "evaluate", "t", "--sample", 8, "--json")
    assert {json.loads(line)["architecture"]["width"] for line in again.lines} == {4}
    Path("wide.json").write_text(json.dumps({"width": 8, "depth": 1, "kernel": 3}))
    wide = cli("supernet", "extract", "t", "--architecture", "wide.json", "--out", "e")
    assert (wide.code, "width <= 4" in wide.err) == (2, True)
    assert cli("supernet", "train", "--epochs", 5, "--out", "t", "-q").code == 0
    other = cli("supernet", "train", *given(made), "--within", "wide.json", "--epochs", 6, "--out", "t")
    assert (other.code, "within was" in other.err) == (2, True)
    (Path("t") / "odd.json").write_text(json.dumps({"width": 5, "depth": 1, "kernel": 3}))
    odd = cli("supernet", "train", *given(made), "--within", "t/odd.json", "--epochs", 6, "--out", "u")
    assert (odd.code, "width" in odd.err, Path("u").exists()) == (2, True, False)


@pytest.mark.slow
@pytest.mark.parametrize("after", [2, 9, 17])
def test_a_search_that_was_stopped_early_goes_on_within_the_same_network(tmp_path: Path, after: int) -> None:
    """Killed among the first trainings, while weights are trained, among scored networks: a result all the same."""
    start = [sys.executable, "-m", "netwright"]
    options = ["--task", "image-classification", "--data", "digits", "--evaluator", "supernet", "--budget", "60s"]
    begun = [*start, "search", *options, "--workers", "2", "--out", str(tmp_path / "a"), "--json"]
    with subprocess.Popen(begun, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if json.loads(line)["elapsed_s"] >= after)
        os.kill(process.pid, signal.SIGKILL)
        process.stdout.read()
        assert process.wait() == -signal.SIGKILL
    before = history(tmp_path / "a")
    answer = subprocess.run([*start, "resume", str(tmp_path / "a")], check=False, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert "networks that lie within" in answer.stdout
    ended = [row for row in before if row[3] == "finished"]
    assert [row for row in history(tmp_path / "a") if row[0] in {r[0] for r in ended}] == ended


@pytest.mark.long
def test_a_finished_training_says_so(cli: Cli, made: Path) -> None:
    """The same command changes nothing; another one is refused, and names what differs."""
    weights = made / "trained" / "supernet.safetensors"
    before = weights.read_bytes()
    answer = cli("supernet", "train", *given(made), "--epochs", 6, "--out", made / "trained", "--resume")
    assert (answer.code, weights.read_bytes()) == (0, before)
    assert "it was trained before" in answer.out
    answer = cli("supernet", "train", *given(made), "--epochs", 6, "--out", made / "trained", "--json")
    assert json.loads(answer.lines[-1])["finished"]
    assert cli("supernet", "train", "--out", made / "trained").code == 0
    for options, message in (
        (["--epochs", 5], "epochs must be > 6, for which it was trained, got 5.0; raise --epochs"),
        (["--epochs", 9, "--sampling", "fair"], "sampling was 'sandwich' when the training in"),
        (["--epochs", 9, "--data", "digits"], "data was"),
        (["--epochs", 9, "--seed", 1], "seed was 0"),
        (["--budget", "0.01s"], "budget must be more than what was spent already"),
    ):
        answer = cli("supernet", "train", "--out", made / "trained", *options)
        assert (answer.code, message in answer.err) == (2, True), answer.err
    assert weights.read_bytes() == before


@pytest.mark.long
def test_a_finished_training_goes_on_with_more_epochs(cli: Cli, made: Path) -> None:
    """A cycle of its own, on the weights that are there; asked again nothing is left to do, and they are better."""
    shutil.copytree(made / "trained", "more")
    first = json.loads(Path("more/supernet.json").read_text())
    answer = cli("supernet", "train", "--out", "more", "--epochs", 9)
    assert answer.code == 0, answer.err
    assert "cycle 2" in answer.out
    record = json.loads(Path("more/supernet.json").read_text())
    assert (record["settings"]["cycle"], record["settings"]["before"], record["trained"]["epochs"]) == (2, 6.0, 9.0)
    assert record["settings"]["after"] == first["trained"]["digest"] != record["trained"]["digest"]
    assert record["spent_s"] > first["spent_s"]
    weights = Path("more/supernet.safetensors").read_bytes()
    assert cli("supernet", "train", "--out", "more", "--epochs", 9).code == 0
    assert Path("more/supernet.safetensors").read_bytes() == weights
    assert not Path("more/work").exists()
    losses = []
    for folder in (made / "trained", "more"):
        answer = cli("supernet", "evaluate", folder, "--sample", 6, "--json")
        losses.append(np.mean([json.loads(line)["metrics"]["loss"] for line in answer.lines]))
    assert losses[1] < losses[0]


@pytest.mark.long
def test_a_further_cycle_that_fails_leaves_what_was_there(
    cli: Cli, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights and the record of the training before; and the next attempt is a further cycle again."""
    from netwright.evaluation import supernet_training

    shutil.copytree(made / "trained", "more")
    before = {name: Path("more", name).read_bytes() for name in ("supernet.json", "supernet.safetensors")}
    with monkeypatch.context() as poisoned:
        poisoned.setattr(supernet_training.SupernetGradients, "__call__", lambda *_: float("nan"))
        answer = cli("supernet", "train", "--out", "more", "--epochs", 9)
    assert answer.code == 3, answer.err
    assert "training the supernet diverged twice" in answer.err
    assert {name: Path("more", name).read_bytes() for name in before} == before
    assert cli("supernet", "evaluate", "more", "--sample", 1).code == 0
    assert cli("supernet", "train", "--out", "more", "--epochs", 7).code == 0


def stopped(command: list[str], folder: Path, number: int, step: int = 20) -> None:
    """Run a command until its training has made some steps, and end it by a signal."""
    process = subprocess.Popen([*command, "--out", str(folder)])
    position = folder / "work" / "position.json"
    while not position.exists() or json.loads(position.read_text())["step"] < step:
        assert process.poll() is None, "it ended before it could be stopped"
        time.sleep(0.05)
    os.kill(process.pid, number)
    assert process.wait() == (130 if number == signal.SIGINT else -signal.SIGKILL)


def train_command(folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "netwright", "supernet", "train", *given(folder), *options]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_training_that_was_stopped_goes_on_to_the_same_weights(made: Path, tmp_path: Path, number: int) -> None:
    """Stopped by Ctrl-C or killed, and started again: the file is the bytes of a training that was not."""
    command = train_command(made, "--epochs", "30")
    stopped(command, tmp_path / "a", number)
    for name in ("a", "b"):
        assert subprocess.run([*command, "--out", str(tmp_path / name), "-q"], check=False).returncode == 0
    a, b = ((tmp_path / name / "supernet.safetensors").read_bytes() for name in ("a", "b"))
    assert a == b


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_further_cycle_that_was_stopped_goes_on_to_the_same_weights(made: Path, tmp_path: Path, number: int) -> None:
    """As the first one does; meanwhile nothing searches on weights that are half trained."""
    command = train_command(made, "--epochs", "30")
    for name in ("a", "b"):
        shutil.copytree(made / "trained", tmp_path / name)
    stopped(command, tmp_path / "a", number)
    search = [sys.executable, "-m", "netwright", "supernet", "search", str(tmp_path / "a"), "--budget", "6 trials"]
    answer = subprocess.run(search, check=False, capture_output=True, text=True)
    assert (answer.returncode, "is not finished" in answer.stderr) == (2, True)
    for name in ("a", "b"):
        assert subprocess.run([*command, "--out", str(tmp_path / name), "-q"], check=False).returncode == 0
    a, b = ((tmp_path / name / "supernet.safetensors").read_bytes() for name in ("a", "b"))
    assert a == b


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_search_on_shared_weights_that_was_stopped_goes_on(made: Path, tmp_path: Path, number: int) -> None:
    """Stopped by Ctrl-C or killed, and resumed: the history is that of a search that was not."""
    start = [sys.executable, "-m", "netwright"]
    options = ["--budget", "40 trials", "--strategy", "random", "--max-epochs", "2"]
    search = [*start, "supernet", "search", str(made / "trained"), *options]
    begun = [*search, "--out", str(tmp_path / "a"), "--json"]
    with subprocess.Popen(begun, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if json.loads(line)["finished"] >= 5)
        os.kill(process.pid, number)
        process.stdout.read()
        assert process.wait() == (130 if number == signal.SIGINT else -signal.SIGKILL)
    assert subprocess.run([*start, "resume", str(tmp_path / "a"), "-q"], check=False).returncode == 0
    assert subprocess.run([*search, "--out", str(tmp_path / "b"), "-q"], check=False).returncode == 0
    a, b = (history(tmp_path / name) for name in ("a", "b"))
    assert len(a) > 12
    assert a == b


def history(folder: Path) -> list[tuple[object, ...]]:
    """What was evaluated, and what came out, without times."""
    show = [sys.executable, "-m", "netwright", "show", str(folder), "--json"]
    answer = subprocess.run(show, check=True, capture_output=True, text=True)
    trials = json.loads(answer.stdout)["trials"]
    return [(t["id"], t["architecture"], t["seed"], t["state"], t["metrics"].get("accuracy")) for t in trials]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sampling", "sandwichs"], "unknown sampling 'sandwichs'; did you mean 'sandwich'?"),
        (["--divergence", "js"], "unknown divergence 'js'"),
        (["--labels", "half"], "labels must be a share in [0, 1], got 'half'"),
        (["--epochs", "0"], "epochs must be a number > 0"),
        (["--epochs", "many"], "epochs must be a number > 0, at most 1e6, got 'many'"),
        (["--budget", "20 trials"], "budget must be a time such as 10m, got '20 trials'"),
        (["--workers", "0"], "workers"),
        (["--seed", "x"], "seed"),
        (["--device", "tpu"], "device must be"),
        (["--resume"], "holds no supernet that could go on"),
        (["--memory-limit", "many"], "memory"),
        (["--memory-limit", "1Mi", "--epochs", "50"], "memory of the supernet"),
        (["--space", "nowhere"], "unknown space 'nowhere'"),
    ],
)
def test_a_wrong_option_of_a_training_is_named(cli: Cli, made: Path, options: list[str], message: str) -> None:
    """Exit code 2, few lines, and no folder is left."""
    answer = cli("supernet", "train", *given(made), "--out", "new", *options)
    assert answer.code == 2
    assert message in answer.err
    assert len(answer.err.splitlines()) <= 10
    assert "Traceback" not in answer.err
    assert not Path("new").exists()


def test_a_space_whose_weights_cannot_be_shared_is_named(cli: Cli, made: Path) -> None:
    """The operation, and what to do."""
    answer = cli("supernet", "train", *given(made, "unshared"), "--epochs", 1, "--out", "new")
    assert answer.code == 2
    assert "net.0:own has shapes of different dimensions" in answer.err
    assert "declare them as branches of nn.one_of" in answer.err
    assert not Path("new").exists()


@pytest.mark.long
def test_a_class_of_ones_own_and_shapes_that_clash(cli: Cli, made: Path) -> None:
    """The class is shared as any layer is, and taken out; of networks that cannot be it is said why."""
    train = ["supernet", "train", *given(made, "odd"), "--epochs", 2, "--out", "odd", "-q"]
    assert cli(*train).code == 0
    for kind, hidden in (("fits", 2), ("clashes", 4)):
        Path(f"{kind}.json").write_text(json.dumps({"hidden": hidden, "kind": kind}))
    both = ["--architecture", "fits.json", "--architecture", "clashes.json", "--json"]
    answer = cli("supernet", "evaluate", "odd", *both)
    assert answer.code == 0, answer.err
    fits, clashes = map(json.loads, answer.lines)
    assert (fits["error"], clashes["metrics"]) == ("", {})
    assert "cannot sum branches of shapes (8, 4, 4), (4, 4, 4)" in clashes["error"]
    answer = cli("supernet", "extract", "odd", "--architecture", "clashes.json", "--out", "y")
    assert (answer.code, "cannot sum branches" in answer.err, Path("y").exists()) == (3, True, False), answer.err
    assert cli("supernet", "extract", "odd", "--architecture", "fits.json", "--out", "x").code == 0
    assert "class Gate" in Path("x/model.py").read_text()
    assert cli("verify", "x", "--data", made / "rows.npz").code == 0


@pytest.mark.long
def test_what_is_no_supernet_is_refused(cli: Cli, made: Path) -> None:
    """An empty folder, a torn file, other data, another space, an architecture that is not of it."""
    Path("empty").mkdir()
    for command in (
        ["evaluate", "empty"],
        ["search", "empty"],
        ["extract", "empty", "--architecture", "a", "--out", "x"],
    ):
        answer = cli("supernet", *command)
        assert (answer.code, "holds no supernet" in answer.err) == (2, True)

    shutil.copytree(made / "trained", "torn")
    weights = Path("torn/supernet.safetensors")
    whole = weights.read_bytes()
    flipped = whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]
    for data in (whole[:-7], whole[:300], b"", flipped):
        weights.write_bytes(data)
        for command in (
            ["evaluate", "torn", "--sample", 1],
            ["search", "torn", "--budget", "6 trials"],
            ["extract", "torn", "--architecture", made / "a.json", "--out", "x"],
            ["train", "--out", "torn", "--epochs", 9],
        ):
            answer = cli("supernet", *command)
            assert (answer.code, "supernet.safetensors: is damaged" in answer.err) == (2, True), command
            assert "train it again in another folder" in answer.err
    assert sorted(path.name for path in Path("torn").iterdir()) == sorted(
        path.name for path in (made / "trained").iterdir()
    )
    shutil.copytree(made / "trained", "cut")
    record = Path("cut/supernet.json")
    record.write_bytes(record.read_bytes()[:300])
    for command in (["evaluate", "cut"], ["search", "cut"], ["train", "--out", "cut", "--epochs", 9]):
        answer = cli("supernet", *command)
        assert (answer.code, "supernet.json: is no record of a supernet" in answer.err) == (2, True)

    answer = cli("supernet", "evaluate", made / "trained", "--data", "digits")
    assert (answer.code, "data was" in answer.err) == (2, True)
    answer = cli("supernet", "evaluate", made / "trained", "--space", "default")
    assert (answer.code, "space was" in answer.err) == (2, True)

    Path("b.json").write_text('{"width": 5, "depth": 1, "kernel": 3}')
    for command in (["evaluate", "--architecture", "b.json"], ["extract", "--architecture", "b.json", "--out", "x"]):
        answer = cli("supernet", command[0], made / "trained", *command[1:])
        assert (answer.code, "width" in answer.err) == (2, True)
    assert not Path("x").exists()
    answer = cli("supernet", "evaluate", made / "trained", "--sample", 0)
    assert (answer.code, "sample must be >= 1 without an architecture, got 0" in answer.err) == (2, True)
    answer = cli("supernet", "train", *given(made), "--epochs", 1, "--out", "b.json/x")
    assert (answer.code, "b.json" in answer.err, len(answer.err.splitlines())) == (2, True, 1)
    Path("full").mkdir()
    Path("full/mine.txt").touch()
    answer = cli("supernet", "train", *given(made), "--out", "full")
    assert (answer.code, "is not empty" in answer.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--strategy", "hyperband"], "strategy must be one that does not decide how long networks are trained"),
        (["--max-epochs", "1"], "max_epochs must be > 1 with evaluator supernet"),
        (["--budget", "30 epochs"], "budget must be a time or a number of trials"),
        (["--out", "."], "is not empty"),
    ],
)
def test_a_wrong_option_of_a_search_is_named(cli: Cli, made: Path, options: list[str], message: str) -> None:
    """Exit code 2, before anything is trained."""
    Path("something").touch()
    answer = cli("supernet", "search", made / "trained", *options)
    assert answer.code == 2
    assert message in answer.err


def test_a_specification_names_what_does_not_go_together(cli: Cli) -> None:
    """A supernet without its evaluator, an unknown evaluator, a ladder."""
    base = ["search", "--task", "image-classification", "--data", "digits", "--out", "new"]
    for options, message in (
        (["--supernet", "x"], "supernet must be absent with evaluator training, got 'x'; set evaluator to supernet"),
        (["--teacher"], "teacher must be false with evaluator training, got True; it is the largest network of a"),
        (["--evaluator", "supernets"], "unknown evaluator 'supernets'; did you mean 'supernet'?"),
        (["--evaluator", "supernet", "--ladder", "short"], "ladder must be left out with evaluator supernet"),
        (["--evaluator", "supernet", "--supernet", "nowhere"], "nowhere holds no supernet"),
    ):
        answer = cli(*base, *options)
        assert answer.code == 2
        assert message in answer.err
        assert not Path("new").exists()
