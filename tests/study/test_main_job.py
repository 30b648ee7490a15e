"""The main job end to end on scikit-learn's digits: search, files, check, resume, and three ways to ask for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netwright as nw
from netwright import nn
from netwright.export import verify
from netwright.search import export
from netwright.storage import Store
from netwright.strategies import GridSearch
from netwright.study import leftovers

OPTIONS: dict[str, Any] = {
    "task": "image-classification",
    "data": "digits",
    "budget": "8 trials",
    "constraints": ["params<=200k"],
    "min_epochs": 0.5,
    "max_epochs": 1.5,
    "workers": 2,
    "seed": 1,
}


def history(run: Path) -> list[str]:
    with Store.open(run / "study.db", read_only=True) as store:
        return list(store.history())


def netwright(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "netwright", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nw.Result]:
    """One search from Python, shared by the tests."""
    folder = tmp_path_factory.mktemp("main") / "run"
    return folder, nw.search(out=folder, **OPTIONS)


def test_a_search_leaves_a_verified_network_with_its_evidence(run: tuple[Path, nw.Result]) -> None:
    """The files are there, the card has metrics, limits, reference and check, and learning took place."""
    folder, result = run
    assert {"model.py", "weights.safetensors", "model.onnx", "card.json"} == {
        p.name for p in (folder / "best").iterdir()
    }
    card = json.loads((folder / "best" / "card.json").read_text())
    assert card["check"]["passed"]
    assert result.verified
    assert card["metrics"]["test_accuracy"] > 0.5
    assert [True] == [limit["holds"] for limit in card["constraints"]]
    assert card["reference"]["name"] in {"resnet", "mobilenet", "cnn"}
    assert "(model.py, weights.safetensors, model.onnx, card.json; checked: " in result.summary()
    assert result.best.architecture == nw.Architecture(card["architecture"])
    assert result.best.metrics["accuracy"] == card["metrics"]["validation_accuracy"]


def test_the_first_trials_are_the_reference_networks(run: tuple[Path, nw.Result]) -> None:
    """All three are tried before anything else, then the portfolio; they are reported where they kept the limits."""
    with Store.open(run[0] / "study.db", read_only=True) as store:
        origins = [t.proposal.origin for t in store.trials()[:4]]
    assert ["reference:resnet", "reference:mobilenet", "reference:cnn", "portfolio"] == origins
    assert run[1].references


def test_the_final_training_is_the_longest_and_has_its_parents_seed(run: tuple[Path, nw.Result]) -> None:
    """A finalist goes on with the training of the trial that won, for more epochs than any of the search."""
    with Store.open(run[0] / "study.db", read_only=True) as store:
        trials = store.trials()
    finals = [t for t in trials if t.proposal.origin == "final"]
    assert 2 == len(finals)
    for final in finals:
        assert final.seed == trials[final.proposal.parents[0]].seed
        assert final.fidelity.cost > max(t.fidelity.cost for t in trials if t not in finals)


def test_the_exported_network_classifies_an_image_with_torch_alone(run: tuple[Path, nw.Result], tmp_path: Path) -> None:
    """`model.py` runs where netwright cannot be imported, and its answer is that of the verified network."""
    image, label = (part[3] for part in nw.ImageClassification.load("digits").train())
    np.save(tmp_path / "image.npy", image[0])
    block = "import sys; sys.modules['netwright'] = None; sys.argv = sys.argv[1:]; import runpy; "
    block += "runpy.run_path(sys.argv[0], run_name='__main__')"
    model = str(run[0] / "best" / "model.py")
    done = subprocess.run(
        [sys.executable, "-I", "-c", block, model, str(tmp_path / "image.npy")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert str(label) in done.stdout


def test_a_finished_search_keeps_what_can_be_exported(run: tuple[Path, nw.Result], tmp_path: Path) -> None:
    """No checkpoint is left, and weights of exactly the finished trials; each of them can be written as files."""
    folder, result = run
    with Store.open(folder / "study.db", read_only=True) as store:
        finished = [t for t in store.trials() if t.state is nw.TrialState.FINISHED]
    work = [path for path in (folder / "work").rglob("*") if path.is_file()]
    assert {"weights"} == {path.parent.name for path in work}
    assert len(finished) == len(work)
    worst = min(finished, key=lambda t: t.metrics["accuracy"])
    assert worst.id != result.best.id
    card = json.loads((export(folder, worst.id, tmp_path / "out") / "card.json").read_text())
    assert (worst.id, worst.metrics["accuracy"]) == (card["trial"], card["metrics"]["validation_accuracy"])


@pytest.mark.long
def test_a_network_larger_than_memory_is_a_broken_limit(tmp_path: Path) -> None:
    """10^10 weights are never allocated: the trial is infeasible, with its size, and the search goes on.

    It is proposed by a strategy of one's own, since ours pass over it.
    """
    width = nw.choice("width", [10**9, 8])
    root = nn.seq(nn.conv(8, kernel=3), nn.relu(), nn.global_pool(), nn.linear(width), nn.linear(10))
    space = nw.SearchSpace(root)
    small = {**OPTIONS, "constraints": [], "budget": "2 trials", "workers": 1, "max_epochs": 0.5}
    result = nw.search(out=tmp_path / "run", space=space, **{**small, "strategy": GridSearch(space)})
    with Store.open(tmp_path / "run" / "study.db", read_only=True) as store:
        (large,) = (t for t in store.trials() if t.architecture["width"] == 10**9)
    assert large.state is nw.TrialState.INFEASIBLE
    assert large.error.startswith(f"memory_bytes is {large.metrics['memory_bytes']:g}, the limit is")
    assert large.metrics["memory_bytes"] > 16 * large.metrics["params"] > 16e10
    assert result.best.architecture == nw.Architecture({"width": 8})
    result = nw.search(out=tmp_path / "passed over", space=space, **{**small, "strategy": "grid"})
    assert (result.num_trials, result.best.architecture) == (1, nw.Architecture({"width": 8}))
    assert "1 of 2 networks that were looked at break a limit by their size" in "\n".join(result.notes)


@pytest.mark.long
def test_verify_finds_a_changed_weight(run: tuple[Path, nw.Result], tmp_path: Path) -> None:
    """The command says 0 for the export as it is, and 1 with the numbers for one whose weights were changed."""
    copy = tmp_path / "best"
    copy.mkdir()
    for path in (run[0] / "best").iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    assert verify(copy).passed
    weights = bytearray((copy / "weights.safetensors").read_bytes())
    weights[-3] ^= 0x40
    (copy / "weights.safetensors").write_bytes(bytes(weights))
    done = netwright("verify", copy)
    assert 1 == done.returncode
    assert "weights.safetensors" in done.stdout + done.stderr


@pytest.mark.long
def test_the_test_split_is_read_once_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Test images that cannot be read stop a search only when everything else is done."""
    task = nw.ImageClassification.load("digits", seed=1)
    reads: list[int] = []
    read = type(task).test

    def counting(self: nw.ImageClassification) -> object:
        reads.append(os.getpid())
        return read(self)

    monkeypatch.setattr(type(task), "test", counting)
    small = {**OPTIONS, "budget": "4 trials", "workers": 1, "max_epochs": 0.5}
    result = nw.search(**{**small, "task": task}, out=tmp_path / "run")
    assert [os.getpid()] == reads
    assert "test_accuracy" in result.card["metrics"]  # type: ignore[operator]


@pytest.mark.slow
def test_command_line_file_and_python_are_the_same_search(run: tuple[Path, nw.Result], tmp_path: Path) -> None:
    """Options, a YAML file and keyword arguments give one history."""
    plain = [w for k, v in OPTIONS.items() if k != "constraints" for w in ("--" + k.replace("_", "-"), str(v))]
    done = netwright("search", *plain, "--constraint", "params<=200k", "--out", tmp_path / "a", "--quiet")
    assert 0 == done.returncode, done.stderr
    spec = tmp_path / "spec.yaml"
    spec.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in OPTIONS.items()))
    done = netwright("search", spec, "--out", tmp_path / "b", "--quiet")
    assert 0 == done.returncode, done.stderr
    assert history(run[0]) == history(tmp_path / "a") == history(tmp_path / "b")


@pytest.mark.slow
def test_a_search_goes_on_without_its_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials of the first sitting are promoted under a larger budget: to one history, with checkpoints and without."""
    monkeypatch.setattr(leftovers, "clear", lambda evaluator, trials: None)
    nw.search(out=tmp_path / "with", **{**OPTIONS, "budget": "8 trials", "max_epochs": 4.5})
    assert list((tmp_path / "with" / "work" / "checkpoints").iterdir())
    shutil.copytree(tmp_path / "with", tmp_path / "without")
    monkeypatch.undo()
    shutil.rmtree(tmp_path / "without" / "work" / "checkpoints")
    for name in ("with", "without"):
        nw.resume(tmp_path / name, budget="16 trials")
    assert history(tmp_path / "with") == history(tmp_path / "without")
    with Store.open(tmp_path / "with" / "study.db", read_only=True) as store:
        promoted = [t for t in store.trials()[8:] if t.proposal.origin == "promotion"]
    assert any(t.proposal.parents[0] < 8 for t in promoted)


@pytest.mark.slow
def test_a_search_on_a_task_killed_in_every_phase_is_the_same_search(
    run: tuple[Path, nw.Result], tmp_path: Path
) -> None:
    """SIGKILL after 2, 4, 6 ... seconds, until it ends by itself: history and verified best are the same."""
    folder = tmp_path / "run"
    plain = [w for k, v in OPTIONS.items() if k != "constraints" for w in ("--" + k.replace("_", "-"), str(v))]
    begin = ["search", *plain, "--constraint", "params<=200k", "--out", folder, "--quiet"]
    for seconds in range(2, 60, 2):
        started = (folder / "study.db").exists()
        command = ["resume", folder, "--quiet"] if started else begin
        process = subprocess.Popen([sys.executable, "-m", "netwright", *map(str, command)])
        try:
            assert 0 == process.wait(seconds)
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert history(run[0]) == history(folder)
    assert verify(folder / "best").passed
    assert (folder / "best" / "weights.safetensors").read_bytes() == (
        run[0] / "best" / "weights.safetensors"
    ).read_bytes()


@pytest.mark.long
def test_a_search_for_8_bits_tells_what_they_answer(tmp_path: Path) -> None:
    """Accuracy in int8 is an objective beside latency in int8, measured after each training and on the test images."""
    pytest.importorskip("onnxruntime")
    goals = {
        "objectives": ["int8_accuracy", "latency_ms"],
        "latency_runtime": "onnxruntime",
        "latency_precision": "int8",
    }
    short = {"budget": "3 trials", "min_epochs": 0.5, "max_epochs": 0.5}
    result = nw.search(**{**OPTIONS, **goals, **short}, out=tmp_path / "run")
    assert result.best.metrics["int8_accuracy"] == max(trial.metrics["int8_accuracy"] for trial in result.front)
    metrics = result.card["metrics"]
    assert 0 <= metrics["int8_test_accuracy"] == pytest.approx(metrics["test_accuracy"], abs=0.1)
    assert result.verified
