"""``netwright latency``: an exported network in several runtimes, side by side."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import Answer

from netwright import nn
from netwright.cli import latency as command
from netwright.cli.exported import images_of, loaded
from netwright.errors import SpecError
from netwright.evaluation import quantised
from netwright.evaluation.latency import RUNTIMES, LatencySpec, runtimes
from netwright.export import Card, ExportInfo, export_network
from netwright.space import SearchSpace
from netwright.types import Architecture

Cli = Callable[..., Answer]
QUICK = ("--budget", "0.1s")


INFO = ExportInfo(
    task="image-classification",
    input_shape=(1, 8, 8),
    scale=16.0,
    class_names=tuple("0123456789"),
    mean=(0.3,),
    std=(0.4,),
    output_shape=(10,),
    runtime="image",
)
"""What the task of the digits would say."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network for the digits, exported without ONNX."""
    body = nn.seq(nn.normalize((0.3,), (0.4,)), nn.conv(4, 3), nn.relu(), nn.global_pool(), nn.linear(10))
    term = SearchSpace(body).resolve(Architecture({}))
    weights = nn.build(term, input_shape=INFO.input_shape, seed=0).state_dict()
    out = tmp_path_factory.mktemp("latency") / "best"
    return export_network(term, weights, info=INFO, out=out, card=Card(INFO.task, {}, {}, seed=0), onnx=False)


@pytest.fixture
def exported(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "best"))


def test_a_network_is_measured_in_the_runtimes_named(cli: Cli, exported: Path) -> None:
    """One line a runtime with median and interval; batch, threads and machine below."""
    answer = cli("latency", exported, "--runtime", "torch", "--batch", "2", *QUICK)
    assert answer.code == 0, answer.err
    head, row, setting, machine = answer.lines[:4]
    assert head.split()[:4] == ["runtime", "precision", "median", "ms"]
    assert row.split()[:2] == ["torch", "float32"]
    assert 0 < float(row.split()[3]) <= float(row.split()[2]) <= float(row.split()[5])
    assert setting == "batch 2, 1 thread(s)"
    assert machine.startswith("machine: ")


def test_what_is_not_installed_is_named_and_the_others_go_on(
    cli: Cli, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing package is in the table with the command that installs it."""
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", lambda name: None)
    answer = cli("latency", exported, "--runtime", "openvino,torch", *QUICK)
    assert answer.code == 0
    assert answer.lines[1].split() == ["openvino", "float32", "-", "-", "-", "-", "-", "not", "installed"]
    assert answer.lines[2].split()[0] == "torch"
    assert any("pip install 'netwright[openvino]'" in line for line in answer.lines)
    assert cli("latency", exported, "--runtime", "openvino", *QUICK).code == 3


def test_a_device_stands_beside_the_runtimes(cli: Cli, exported: Path, tmp_path: Path) -> None:
    """A command is measured too; one that fails is named, and the others go on."""
    pytest.importorskip("onnx")
    bench = tmp_path / "bench.py"
    bench.write_text('print(\'{"latency_ms": 3.25, "device": "a phone"}\')')
    words = f"'{sys.executable}' -IS '{bench}'"
    found = json.loads(cli("latency", exported, "--runtime", "torch", "--device-command", words, "--json", *QUICK).out)
    assert [one["runtime"] for one in found["results"]] == ["torch", "device"]
    assert (found["results"][1]["median_ms"], found["results"][1]["machine"]) == (3.25, "a phone")
    bench.write_text("raise SystemExit('no phone is there')")
    answer = cli("latency", exported, "--runtime", "torch", "--device-command", words, *QUICK)
    assert answer.code == 0
    assert answer.lines[-1].endswith("failed with exit code 1; it said: no phone is there")


def test_of_many_images_a_sample_is_asked(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As float32 they take four times the memory that the task has for them; what is asked is evenly spaced."""
    pytest.importorskip("sklearn")
    with loaded(exported) as network:
        every = images_of(network, "digits")
        monkeypatch.setattr(quantised, "MOST_VALUES", 30 * 64)
        some = images_of(network, "digits")
    assert some.inputs.shape == (30, 1, 8, 8)
    assert every.inputs.nbytes > some.inputs.nbytes
    assert np.array_equal(some.inputs[[0, -1]], every.inputs[[0, -1]])
    assert np.array_equal(some.calibration, every.calibration)


def test_int8_comes_with_its_accuracy(cli: Cli, exported: Path, tmp_path: Path) -> None:
    """With the data of the search, float32 and int8 are asked the validation images; the file can be had."""
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("sklearn")
    saved = tmp_path / "int8.onnx"
    argv = ("--runtime", "torch,onnxruntime", "--precision", "all", "--data", "digits", "--json", *QUICK)
    answer = cli("latency", exported, *argv, "--batch", "2", "--save-int8", saved)
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)["results"]
    assert [(one["runtime"], one["precision"]) for one in found] == [
        ("torch", "float32"),
        ("onnxruntime", "float32"),
        ("onnxruntime", "int8"),
    ]
    assert "accuracy" not in found[1]
    assert found[0]["examples"] == found[2]["examples"] > 100
    assert 0 <= found[2]["accuracy_interval"][0] <= found[2]["accuracy"] <= found[2]["accuracy_interval"][1] <= 1
    session = onnxruntime.InferenceSession(saved, providers=["CPUExecutionProvider"])
    (shape,) = (node.shape for node in session.get_inputs())
    assert (shape[0], session.run(None, {session.get_inputs()[0].name: np.zeros(shape, np.float32)})[0].shape[0]) == (
        2,
        2,
    )
    assert b"QuantizeLinear" in saved.read_bytes()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--runtime", "onnx"), "unknown runtime 'onnx'; known: all, device"),
        (("--runtime", "torch,"), "unknown runtime ''"),
        (("--precision", "int4"), "unknown precision 'int4'"),
        (("--precision", "int8", "--runtime", "torch"), "--precision must be float32 in torch, got 'int8'"),
        (("--runtime", "device"), "--device-command must be given for the runtime device"),
        (("--device-command", "a 'b"), "close the quote"),
        (("--batch", "0"), "batch must be a whole number >= 1, got 0"),
        (("--budget", "5"), "--budget must be a time such as 5s or 2m, got '5'"),
        (("--budget", "5 trials"), "--budget must be a time such as 5s or 2m"),
        (("--device-limit", "soon"), "--device-limit must be a time such as 5s or 2m"),
        (("--data", "no-such-data"), "no-such-data"),
        (("--save-int8", "int8.onnx"), "--save-int8 must be given with --data"),
        (("--save-int8", "no/int8.onnx", "--data", "digits"), "--save-int8 must be a new file in a folder that exists"),
    ],
)
def test_wrong_options_are_refused(cli: Cli, exported: Path, argv: tuple[str, ...], message: str) -> None:
    """Exit code 2, and the message says what is allowed."""
    answer = cli("latency", exported, *argv)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err


def test_an_edited_network_runs_only_if_allowed(cli: Cli, exported: Path) -> None:
    """model.py is code: what was not exported is not run unasked, and weights are never exchanged."""
    with (exported / "model.py").open("a") as file:
        file.write("\nprint('edited')\n")
    answer = cli("latency", exported, "--runtime", "torch", *QUICK)
    assert answer.code == 1
    assert "model.py is not the file that was exported" in answer.err
    assert "edited\n" not in answer.err
    allowed = cli("latency", exported, "--runtime", "torch", "--allow-edited", *QUICK)
    assert (allowed.code, "edited\n" in allowed.err, "edited" in allowed.out) == (0, True, False)
    (exported / "weights.safetensors").write_bytes(b"x")
    assert cli("latency", exported, "--runtime", "torch", "--allow-edited", *QUICK).code == 1


def test_the_folder_must_be_an_export(cli: Cli, tmp_path: Path) -> None:
    """A folder without an export, and none at all, are refused."""
    assert cli("latency", tmp_path / "none").code == 2
    assert cli("latency", tmp_path).code == 2


def test_all_are_the_local_runtimes_and_a_device_with_a_command() -> None:
    """int8 is measured where it runs."""
    base = LatencySpec()
    names = [spec.runtime for spec in command.make_specs(base, "all", "float32", None)]
    assert names == [name for name in RUNTIMES if name != "device"]
    both = command.make_specs(base, "all", "all", "echo")
    assert [spec.runtime for spec in both if spec.precision == "int8"] == ["onnxruntime", "openvino", "device"]
    with pytest.raises(SpecError, match="int8: onnxruntime, openvino, device"):
        command.make_specs(base, "torch.compile", "int8", None)
