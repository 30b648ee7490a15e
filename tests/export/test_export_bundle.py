"""What an export leaves, and that it runs as it did in the search where netwright cannot be imported."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from export_networks import NAMES, PROBE, TERMS, Exported, Info, card_of, reloaded, trained

from netwright import nn
from netwright.errors import ExportError, VerificationError
from netwright.export import Card, bundle, export_network, model_source, onnx_file
from netwright.export.files import Bundle, check_out, write_bundle
from netwright.export.source import assignment
from netwright.export.weights import write_weights
from netwright.space import SearchSpace, Term
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Architecture


@pytest.mark.long
def test_every_network_reloads_bit_for_bit_without_netwright(tmp_path: Path) -> None:
    """model.py and the weights give the outputs of the search's network, in a process that has torch alone."""
    expected: dict[str, torch.Tensor] = {}
    for name, term in TERMS.items():
        weights, _ = trained(term, Info())
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.py").write_text(model_source(term, Info()), encoding="utf-8")
        (tmp_path / name / "weights.safetensors").write_bytes(write_weights(weights))
        model = nn.build(term, input_shape=(1, 8, 8), seed=9)
        model.load_state_dict(weights)
        with torch.inference_mode():
            expected[name] = model.eval()(PROBE)
    outputs = reloaded(tmp_path)
    assert sorted(outputs) == sorted(TERMS)
    different = {name for name in TERMS if not torch.equal(outputs[name], expected[name])}
    assert different == set()


@pytest.mark.parametrize("name", sorted(TERMS))
def test_source_is_formatted(name: str, tmp_path: Path) -> None:
    """Every model.py is as the formatter would leave it, and has no unused or undefined name."""
    ruff = shutil.which("ruff") or str(Path(sys.executable).with_name("ruff"))
    if not Path(ruff).exists():
        pytest.skip("ruff is not installed")
    names = (*NAMES, "back\\slash", "both ' and \"", "new\nline", '"""', "x" * 90)
    path = tmp_path / "model.py"
    path.write_text(model_source(TERMS[name], Info(class_names=names)), encoding="utf-8")
    for command in (["format", "--check"], ["check", "--select", "E,F,W,I"]):
        done = subprocess.run(
            [ruff, *command, "--isolated", "--line-length", "120", path], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "value", ["a", "it's", 'a"b', "'\"", "\\'", "\\", '"""', "\n\x00\x1b", "é", "\u2028", "\ud800"]
)
def test_any_class_name_is_a_literal_that_means_it(value: str) -> None:
    """No name can break out of its literal."""
    names: dict[str, object] = {}
    exec(assignment("NAMES", (value, "b" * 130)), names)
    assert names["NAMES"] == (value, "b" * 130)


def test_the_folder_has_the_four_files_for_the_user_alone(exported: Exported) -> None:
    """Source, weights, ONNX and card, mode 0600 in a folder of mode 0700, and no trace beside it."""
    names = sorted(path.name for path in exported.folder.iterdir())
    assert names == ["card.json", "model.onnx", "model.py", "weights.safetensors"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in exported.folder.iterdir()} == {0o600}
    assert stat.S_IMODE(exported.folder.stat().st_mode) == 0o700
    assert [path.name for path in exported.folder.parent.iterdir()] == ["best"]


def test_the_card_holds_what_was_given_and_what_was_found(exported: Exported) -> None:
    """Metrics, classes, versions, and the check: outputs equal bit for bit, ONNX close, accuracy measured again."""
    card = Card.from_json((exported.folder / "card.json").read_bytes())
    assert card.metrics["test_accuracy"] == 1.0
    assert card.class_names == NAMES
    assert card.versions["torch"] == torch.__version__
    assert card.export is not None
    assert card.check is not None
    assert (card.export.opset or 0) >= 17
    torch_comparison, *onnx_comparisons = card.check.comparisons
    assert (torch_comparison.runtime, torch_comparison.equal, torch_comparison.max_abs_difference) == (
        "torch",
        True,
        0.0,
    )
    assert [(c.runtime, c.batch) for c in onnx_comparisons] == [("onnxruntime", 4), ("onnxruntime", 1)]
    assert [(r.split, r.runtime, r.correct) for r in card.check.remeasured] == [
        ("test", "torch", 60),
        ("test", "onnxruntime", 60),
    ]


def test_main_names_the_class_of_an_image(exported: Exported, tmp_path: Path) -> None:
    """``python model.py IMAGE`` prints the classes with their probabilities, the network's answer first."""
    x, y = exported.examples["test"]
    index = int(np.flatnonzero(y != y[0])[0])
    np.save(tmp_path / "image.npy", x[index, 0])
    command = [sys.executable, "-I", str(exported.folder / "model.py"), str(tmp_path / "image.npy")]
    lines = subprocess.run(command, capture_output=True, check=True, text=True, encoding="utf-8").stdout.splitlines()
    assert lines[0].split("\t")[0] == NAMES[y[index]]
    assert sum(float(line.split("\t")[1]) for line in lines) == pytest.approx(1, abs=1e-3)
    shutil.rmtree(exported.folder / "__pycache__", ignore_errors=True)


def test_without_onnx_installed_the_rest_is_exported(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The card and the log name the missing package and the extra that brings it."""
    find = onnx_file.importlib.util.find_spec
    monkeypatch.setattr(
        onnx_file.importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name)
    )
    card = card_of(exported.weights)
    out = export_network(TERMS["cnn"], exported.weights, info=exported.info, out=tmp_path / "o", card=card)
    written = Card.from_json((out / "card.json").read_bytes())
    assert written.export is not None
    assert "'onnxruntime'" in written.export.onnx_note
    assert "pip install 'netwright[onnx]'" in written.export.onnx_note
    assert "netwright[onnx]" in caplog.text
    assert not (out / "model.onnx").exists()


def test_an_export_that_would_lie_is_not_written(exported: Exported, tmp_path: Path) -> None:
    """A card with another accuracy than the network has ends in an error with both, and leaves nothing."""
    card = card_of(exported.weights, test_accuracy=0.9)
    with pytest.raises(
        VerificationError, match=r"test_accuracy \(torch\) is 1.0000 \(60 of 60 right\), the card says 0.9"
    ):
        export_network(
            TERMS["cnn"],
            exported.weights,
            info=exported.info,
            out=tmp_path / "out",
            card=card,
            onnx=False,
            examples=exported.examples,
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("weights", "info", "message"),
    [
        ({}, Info(), "weights do not fit the network.*conv.weight"),
        (None, Info(class_names=("a", "b")), "one output for each of 2 classes.*(4, 4)"),
        (None, Info(scale=0.0), "scale must be finite and > 0"),
        (None, Info(value_range=(1.0, 1.0)), "value_range"),
        (None, Info(class_names=("\ud800",)), "class_names"),
        (None, Info(input_shape=()), "input_shape"),
    ],
)
def test_what_does_not_fit_together_is_refused_at_once(
    weights: dict[str, torch.Tensor] | None, info: Info, message: str, exported: Exported, tmp_path: Path
) -> None:
    """Weights of another network, and a task with other classes, are named before anything is run."""
    given = exported.weights if weights is None else weights
    with pytest.raises(ExportError, match=message):
        export_network(TERMS["cnn"], given, info=info, out=tmp_path / "out", card=card_of(given))
    assert list(tmp_path.iterdir()) == []


def test_a_pickle_renamed_to_weights_is_refused_unread(exported: Exported, tmp_path: Path) -> None:
    """torch.save's format is no safetensors, whatever the file is called; no file is an error that names it."""
    torch.save(exported.weights, tmp_path / "renamed.safetensors")
    for name, message in (
        ("renamed.safetensors", "no safetensors file"),
        ("absent", "absent.*name a safetensors file"),
    ):
        with pytest.raises(ExportError, match=message):
            export_network(
                TERMS["cnn"],
                tmp_path / name,
                info=exported.info,
                out=tmp_path / "out",
                card=card_of(exported.weights),
            )
    assert not (tmp_path / "out").exists()


def test_a_foreign_folder_is_never_written_over(tmp_path: Path) -> None:
    """A folder with other files, a file and a link are refused; an empty folder and an earlier export are not."""
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.tex").write_text("years of work")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "model.py").write_text("mine")
    (tmp_path / "file").write_text("a file")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "card.json").write_text("{}")
    for name, message in (("foreign", "thesis.tex"), ("half", "without card.json"), ("file", "out"), ("link", "out")):
        with pytest.raises(ExportError, match=message):
            check_out(tmp_path / name)
    check_out(tmp_path / "empty")
    check_out(tmp_path / "earlier")


def test_a_write_that_fails_leaves_the_earlier_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the new folder cannot be put in place, the earlier one is back, and nothing lies beside it."""
    card = Card("t", {}, {})
    out = write_bundle(Bundle(card, {"model.py": b"old"}), tmp_path / "out")
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ExportError, match="No space left on device"):
        write_bundle(Bundle(card, {"model.py": b"new"}), out)
    monkeypatch.undo()
    assert (out / "model.py").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    write_bundle(Bundle(card, {"model.py": b"new"}), out)
    assert (out / "model.py").read_bytes() == b"new"


@pytest.mark.slow
@pytest.mark.parametrize("exporter", bundle.EXPORTERS)
@pytest.mark.parametrize("name", sorted(TERMS))
def test_every_network_has_a_true_onnx_file(
    name: str, exporter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each exporter of torch gives a file whose outputs are close to the source's, for batches of 4 and of 1."""
    monkeypatch.setattr(bundle, "EXPORTERS", (exporter,))
    term: Term = TERMS[name]
    weights, examples = trained(term, Info())
    out = export_network(
        term, weights, info=Info(), out=tmp_path / "o", card=card_of(weights), examples={"test": examples}
    )
    card = Card.from_json((out / "card.json").read_bytes())
    assert card.export is not None
    assert card.check is not None
    assert card.export.onnx_note == ""
    assert [(c.runtime, c.batch) for c in card.check.comparisons] == [
        ("torch", 4),
        ("onnxruntime", 4),
        ("onnxruntime", 1),
    ]


def test_tokens_can_be_the_input(tmp_path: Path) -> None:
    """A network of integers is exported without the image part."""
    term = SearchSpace(nn.seq(nn.embedding(2, 4), nn.global_pool(), nn.linear(4))).resolve(Architecture({}))
    source = model_source(term, replace(Info(), input_shape=(7,), input_dtype="int64"))
    assert "def read_weights" in source
    assert "def main" not in source
    assert textwrap.dedent(source) == source


def test_a_real_tasks_network_is_measured_again_on_its_stored_pixels(tmp_path: Path) -> None:
    """What a task says of its data, and the network it normalises, give the accuracy that was measured in torch."""
    rng = np.random.default_rng(1)
    x, labels = rng.integers(0, 256, (90, 9, 7, 3)).astype(np.uint8), np.array(["cat", "dog", "emu"] * 30)
    task = ImageClassification.from_arrays((x, labels))
    space = SearchSpace(nn.seq(nn.conv(5), nn.batch_norm(), nn.relu(), nn.global_pool(), nn.linear(3)))
    term = task.network(space, Architecture({}))
    model = nn.build(term, input_shape=task.input_shape, seed=0)
    pixels, classes = task.validation()
    with torch.inference_mode():
        answers = model.eval()(torch.from_numpy(pixels) / task.scale).argmax(1).numpy()
    accuracy = float((answers == classes).mean())
    params = float(nn.profile(term, input_shape=task.input_shape).params)
    (tmp_path / "trained.safetensors").write_bytes(write_weights(model.state_dict()))
    out = export_network(
        term,
        tmp_path / "trained.safetensors",
        info=task.export_info(),
        out=tmp_path / "out",
        card=Card(task.name, {"validation_accuracy": accuracy, "params": params}, {}, data=task.fingerprint()),
        onnx=False,
        examples={"validation": task.validation()},
    )
    check = Card.from_json((out / "card.json").read_bytes()).check
    assert check is not None
    assert [(r.correct, r.recorded) for r in check.remeasured] == [(accuracy * len(classes), accuracy * len(classes))]
    assert check.params == params
