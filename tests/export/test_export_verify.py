"""Verification catches what went wrong with an export, and nothing of a stranger's files is run or followed."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from export_networks import Exported

from netwright.errors import ExportError, SpecError, VerificationError
from netwright.export import Card, Check, examine, isolated, verify
from netwright.export.files import record
from netwright.export.onnx_file import check_onnx
from netwright.export.probe import outputs_digest, probe_inputs
from netwright.export.process import Outcome, Run, run_isolated, wait
from netwright.export.verify import judge
from netwright.export.weights import check_weights, write_weights


@pytest.fixture
def folder(exported: Exported, tmp_path: Path) -> Path:
    """A copy of the export, to be changed."""
    return Path(shutil.copytree(exported.folder, tmp_path / "copy"))


def edit_card(folder: Path, path: str, value: object) -> None:
    card = json.loads((folder / "card.json").read_text())
    *parents, last = path.split("/")
    inner = card
    for name in parents:
        inner = inner[name]
    inner[last] = value
    (folder / "card.json").write_text(json.dumps(card))


def replace_file(folder: Path, name: str, content: bytes) -> None:
    """Change a file, and its digest in the card, as a bug in the export itself would."""
    (folder / name).write_bytes(content)
    rec = record(content)
    edit_card(folder, f"export/files/{name}", {"sha256": rec.sha256, "size_bytes": rec.size_bytes})


def change_weights(folder: Path, change: object) -> None:
    weights = check_weights((folder / "weights.safetensors").read_bytes())
    change(weights)  # type: ignore[operator]
    replace_file(folder, "weights.safetensors", write_weights(weights))


def test_an_unchanged_export_passes(exported: Exported) -> None:
    """Outputs of the source are equal bit for bit, those of ONNX close, and the accuracy is measured again."""
    check = verify(exported.folder, examples=exported.examples, class_names=exported.info.class_names)
    assert check.passed
    assert [(c.runtime, c.equal) for c in check.comparisons if c.runtime == "torch"] == [("torch", True)]
    assert {(r.runtime, r.correct, r.recorded) for r in check.remeasured} == {
        ("torch", 60, 60.0),
        ("onnxruntime", 60, 60.0),
    }
    assert check.notes == ()
    assert check.to_dict()["metric_measured_again"] is True


def test_without_examples_the_metric_is_said_to_be_unmeasured(exported: Exported) -> None:
    """The outputs are compared all the same; the note says how to measure the metric, too."""
    check = verify(exported.folder)
    assert (check.passed, check.metric_measured_again, check.remeasured) == (True, False, ())
    assert check.notes[-1].startswith("the metric was not measured again")
    assert "--data DATA on the command line, examples=... in Python" in check.notes[-1]


def test_the_object_of_a_check_says_what_was_compared(exported: Exported) -> None:
    """Each comparison has its largest difference, what is allowed, whether that is kept, and if every bit is equal."""
    shown = verify(exported.folder, examples=exported.examples).to_dict()
    torch_outputs, onnx_outputs, alone = shown["comparisons"]  # type: ignore[misc]
    assert torch_outputs == {
        "compared": "outputs of model.py with weights.safetensors for 4 fixed inputs together, "
        "with those of the network of the search",
        "runtime": "torch",
        "batch": 4,
        "max_abs_difference": 0.0,
        "tolerance": torch_outputs["tolerance"],
        "within_tolerance": True,
        "equal_bit_for_bit": True,
    }
    assert onnx_outputs["compared"].startswith("outputs of model.onnx for 4 fixed inputs together")
    assert alone["compared"].startswith("outputs of model.onnx for fixed inputs one at a time")
    assert 0 <= alone["max_abs_difference"] <= alone["tolerance"]
    assert shown["remeasured"][0] == {  # type: ignore[index]
        "compared": "right answers of model.py with weights.safetensors on the test split, with the card's accuracy",
        "split": "test",
        "runtime": "torch",
        "examples": 60,
        "correct": 60,
        "recorded": 60.0,
        "tolerance": 1,
        "within_tolerance": True,
    }


def test_a_changed_weight_is_caught_by_the_outputs(folder: Path) -> None:
    """One weight of another value changes the outputs of the source, and those only; the numbers are told."""

    def change(weights: dict[str, torch.Tensor]) -> None:
        weights["linear.weight"][0, 0] += 0.01

    change_weights(folder, change)
    check = examine(folder)
    assert [c.runtime for c in check.comparisons if c.max_abs_difference > c.tolerance] == ["torch"]
    assert check.failures[0].startswith("outputs (torch, batch of 4) differ from those of the search by 0.0")


def test_reset_batch_norm_statistics_are_caught(folder: Path, exported: Exported) -> None:
    """Running means and variances at their initial values give other outputs."""

    def change(weights: dict[str, torch.Tensor]) -> None:
        weights["norm.running_mean"].zero_()
        weights["norm.running_var"].fill_(1)

    change_weights(folder, change)
    failures = examine(folder, examples=exported.examples).failures
    assert any(failure.startswith("outputs (torch") for failure in failures)


def test_dropped_batch_norm_statistics_are_caught(folder: Path) -> None:
    """A weights file without them cannot be loaded, and the missing name is told."""
    change_weights(folder, lambda weights: weights.pop("norm.running_var"))
    with pytest.raises(VerificationError, match=r"Missing key.*norm.running_var|norm.running_var"):
        verify(folder)


def test_an_edited_source_is_not_run(folder: Path) -> None:
    """model.py that is not the exported file is reported and not run."""
    marker = folder / "marker"
    with (folder / "model.py").open("a") as file:
        file.write(f"\nPath({str(marker)!r}).write_text('run')\n")
    with pytest.raises(
        VerificationError, match=r"model\.py is not the file that was exported.*was not run.*--allow-edit"
    ):
        verify(folder)
    assert not marker.exists()


def test_an_edited_source_may_be_allowed_and_is_still_compared(folder: Path) -> None:
    """With edits allowed, a harmless one passes with a note, and swapped classes fail."""
    source = (folder / "model.py").read_text(encoding="utf-8")
    swapped = source.replace('("zero", "it\'s",', '("it\'s", "zero",')
    assert swapped != source
    (folder / "model.py").write_text(swapped, encoding="utf-8")
    check = examine(folder, allow_edited=True)
    assert [failure.split(":")[0] for failure in check.failures] == ["class names in model.py"]
    assert "run all the same" in check.notes[0]


def outcome_of(card: Card, correct: int, shift: float = 0.0) -> Outcome:
    """A run that gave the recorded outputs, and ``correct`` right answers of 60 where all labels are 0."""
    assert card.export is not None
    probe = card.export.probe
    outputs = np.asarray(probe.values).reshape(probe.shape) + shift
    answers = np.zeros((60, 4))
    answers[:correct, 0], answers[correct:, 1] = 1, 1
    return Outcome(
        {("torch", "probe"): outputs, ("torch", "split0"): answers},
        int(card.metrics["params"]),
        card.class_names,
        (),
    )


def judged(exported: Exported, accuracy: float, correct: int, **more: object) -> Check:
    card = Card.from_json((exported.folder / "card.json").read_bytes())
    card = replace(card, metrics={**card.metrics, "test_accuracy": accuracy})
    labels = np.zeros(60, dtype=np.int64)
    return judge(card, replace(outcome_of(card, correct), **more), {"test": (np.zeros((60, 1, 8, 8)), labels)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("accuracy", "correct", "passed"), [(0.5, 30, True), (0.5, 31, True), (0.5, 32, False), (0.9, 30, False)]
)
def test_an_accuracy_that_is_not_the_networks_is_caught(
    accuracy: float, correct: int, passed: bool, exported: Exported
) -> None:
    """One borderline example of 60 may differ, no more; the counts are told."""
    check = judged(exported, accuracy, correct)
    assert check.passed is passed
    if not passed:
        assert f"test_accuracy (torch) is {correct / 60:.4f} ({correct} of 60 right)" in check.failures[0]


def test_another_number_of_parameters_and_of_outputs_is_caught(exported: Exported) -> None:
    """Each comparison fails by itself, with both numbers."""
    assert "model.py has 5 parameters" in judged(exported, 0.5, 30, params=5).failures[0]
    outputs = {("torch", "probe"): np.zeros((4, 7))}
    assert "shape of the outputs (torch): (4, 7)" in judged(exported, 0.5, 30, outputs=outputs).failures[-1]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_outputs_that_are_no_numbers_are_caught(bad: float, exported: Exported) -> None:
    """NaN is a difference, not an agreement."""
    card = Card.from_json((exported.folder / "card.json").read_bytes())
    outcome = outcome_of(card, 60, shift=bad)
    check = judge(card, replace(outcome, outputs={("torch", "probe"): outcome.outputs["torch", "probe"]}), {})
    assert not check.passed
    assert json.dumps(check.to_dict(), allow_nan=False)


class Bomb:
    """Unpickling it writes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (_touch, (str(self.marker), "x"))


def _touch(path: str, text: str) -> None:
    Path(path).write_text(text)


@pytest.mark.parametrize("kind", ["pickle", "torch zip", "torch legacy", "numpy"])
@pytest.mark.parametrize("name", ["weights.safetensors", "model.onnx", "card.json"])
def test_a_malicious_pickle_under_any_name_runs_nothing(kind: str, name: str, folder: Path, tmp_path: Path) -> None:
    """Each is refused for what it is, even where the card vouches for it."""
    marker, bomb = tmp_path / "marker", tmp_path / "bomb"
    if kind == "pickle":
        bomb.write_bytes(pickle.dumps(Bomb(marker)))
    elif kind == "numpy":
        with bomb.open("wb") as file:
            np.save(file, np.array([Bomb(marker)], dtype=object), allow_pickle=True)
    else:
        torch.save(Bomb(marker), bomb, _use_new_zipfile_serialization=kind == "torch zip")
    if name == "card.json":
        (folder / name).write_bytes(bomb.read_bytes())
        with pytest.raises(SpecError, match=r"card\.json"):
            examine(folder)
    else:
        replace_file(folder, name, bomb.read_bytes())
        with pytest.raises(VerificationError, match=r"no (safetensors|ONNX) file"):
            verify(folder)
    assert not marker.exists()


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "data.bin"])
def test_onnx_files_that_draw_in_others_are_refused_before_they_are_loaded(location: str, folder: Path) -> None:
    """External data of weights, inside and outside of subgraphs, is found in the file itself."""
    import onnx

    model = onnx.load_model_from_string((folder / "model.onnx").read_bytes())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    replace_file(folder, "model.onnx", model.SerializeToString())
    with pytest.raises(VerificationError, match=rf"in another file \('{location}'\)"):
        verify(folder)


def test_external_data_inside_a_subgraph_is_found() -> None:
    """A branch of an ``If`` may hide a constant."""
    import onnx
    from onnx import helper

    constant = helper.make_tensor("hidden", onnx.TensorProto.FLOAT, [1], [1.0])
    constant.external_data.add(key="location", value="../x")
    branch = helper.make_graph([helper.make_node("Constant", [], ["y"], value=constant)], "b", [], [])
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    model = helper.make_model(helper.make_graph([node], "g", [], []))
    with pytest.raises(Exception, match="'hidden' in another file"):
        check_onnx(model.SerializeToString())


def test_truncated_weights_are_caught_before_anything_is_run(folder: Path) -> None:
    """A torn file is reported twice: it is not the exported one, and its tensors do not fit."""
    content = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(content[:-10])
    check = examine(folder)
    assert ["is not the file" in f or "does not fit" in f for f in check.failures] == [True, True]
    assert check.comparisons == ()


def test_files_that_are_missing_or_links_are_refused(folder: Path, tmp_path: Path) -> None:
    """A missing file is named; a link is not followed; a folder without a card is no export."""
    (folder / "model.onnx").unlink()
    (folder / "weights.safetensors").rename(tmp_path / "elsewhere")
    assert examine(folder).failures == ("weights.safetensors is missing", "model.onnx is missing")
    (folder / "weights.safetensors").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Exception, match="links are not followed"):
        examine(folder)
    (folder / "card.json").unlink()
    with pytest.raises(SpecError, match=r"which has a card\.json"):
        examine(folder)
    with pytest.raises(SpecError, match="the folder of an export"):
        examine(tmp_path / "nowhere")


def test_examples_of_another_shape_are_refused(folder: Path) -> None:
    """The message names the split and both shapes."""
    wrong = (np.zeros((5, 3, 8, 8), np.uint8), np.zeros(5, np.int64))
    failures = examine(folder, examples={"test": wrong}).failures
    assert failures[0].startswith("examples['test'] must be arrays (N, 1, 8, 8) and (N,), N > 0, got ((5, 3, 8, 8)")


def test_a_model_that_needs_netwright_fails_and_one_that_hangs_is_ended() -> None:
    """The process has no netwright and no safetensors, though they are installed; and it has a time limit."""
    inputs = {"probe": np.zeros((1, 2), np.float32)}
    with pytest.raises(Exception, match=r"exit code 1.*netwright is not available"):
        run_isolated(Run({"model.py": b"import netwright\n"}, inputs, 1, 1))
    with pytest.raises(Exception, match=r"made no progress for 0\.5 s"):
        run_isolated(Run({"model.py": b"while True: pass\n"}, inputs, 1, 1, timeout_s=0.5))


COUNTS_ITS_BATCH = b"""
import torch
CLASS_NAMES = ("a",)
def prepare(x):
    return x
class Net(torch.nn.Module):
    def forward(self, x):
        return torch.full((len(x), 1), float(len(x)))
def load(folder):
    return Net()
"""


def test_examples_are_run_many_at_once_and_the_probe_as_when_it_was_recorded() -> None:
    """The metric of thousands of small images is measured in batches of 64, of large ones in smaller batches."""
    inputs = {
        "probe": np.zeros((10, 1, 8, 8), np.float32),
        "small": np.zeros((100, 1, 8, 8), np.uint8),
        "large": np.zeros((20, 3, 256, 256), np.uint8),
    }
    outputs = run_isolated(Run({"model.py": COUNTS_ITS_BATCH}, inputs, batch=4, threads=1)).outputs
    assert [4.0] * 8 + [2.0] * 2 == outputs["torch", "probe"].ravel().tolist()
    assert [64.0] * 64 + [36.0] * 36 == outputs["torch", "small"].ravel().tolist()
    assert [5.0] * 20 == outputs["torch", "large"].ravel().tolist()


def test_a_check_runs_the_probe_as_it_was_recorded_and_examples_as_fit(
    exported: Exported, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run is asked for is the batch of the probe: 256 large images at once would not fit into memory."""

    def record_batch(run: Run) -> Outcome:
        raise ExportError(f"asked for {run.batch}")

    monkeypatch.setattr(import_module("netwright.export.verify"), "run_isolated", record_batch)
    assert ("asked for 4",) == examine(folder, examples=exported.examples).failures


def test_a_long_run_that_goes_on_is_not_taken_to_hang(tmp_path: Path) -> None:
    """The limit is of the time without progress, which each part of the inputs that is done is."""
    program = "import pathlib, time\nfor _ in range(16):\n    time.sleep(0.1)\n    pathlib.Path('progress').touch()\n"
    (tmp_path / "progress").touch()  # the time that a busy machine takes to start it does not count
    process = subprocess.Popen([sys.executable, "-I", "-c", program], cwd=tmp_path)
    assert wait(process, tmp_path / "progress", 0.7) == 0
    with subprocess.Popen([sys.executable, "-I", "-c", "import time; time.sleep(60)"]) as process:
        assert wait(process, tmp_path / "progress", 0.1) is None
        process.kill()


def test_each_part_of_the_inputs_is_progress(tmp_path: Path) -> None:
    """The file is touched when the next part is asked for, and at the end."""
    np.save(tmp_path / "x.npy", np.zeros((5, 1, 2, 2), np.float32))
    parts = isolated._Inputs("probe", str(tmp_path / "x.npy"), 4, ModuleType("model"), tmp_path / "progress").parts()
    assert len(next(parts)[1]) == 4
    assert not (tmp_path / "progress").exists()
    assert len(next(parts)[1]) == 1
    assert (tmp_path / "progress").exists()


def test_examples_are_made_network_inputs_a_part_at_a_time() -> None:
    """All of a set of images as float32 may be more than the memory holds."""
    model = COUNTS_ITS_BATCH.replace(b"    return x\n", b"    assert len(x) <= 64\n    return x + 1\n", 1)
    inputs = {"probe": np.zeros((4, 1, 8, 8), np.float32), "many": np.zeros((200, 1, 8, 8), np.uint8)}
    outputs = run_isolated(Run({"model.py": model}, inputs, batch=4, threads=1)).outputs
    assert outputs["torch", "many"].shape == (200, 1)


def test_probe_inputs_are_what_the_formula_says() -> None:
    """SplitMix64 in Python's integers gives the same numbers; they fill [-2, 2) and differ by seed."""

    def mixed(state: int) -> int:
        h = state * 0x9E3779B97F4A7C15 % 2**64
        h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        h = (h ^ (h >> 27)) * 0x94D049BB133111EB % 2**64
        return (h ^ (h >> 31)) >> 40

    expected = [mixed(5 * 2**32 + i + 1) / 2**22 - 2 for i in range(12)]
    assert probe_inputs((2, 3), seed=5, batch=2).ravel().tolist() == expected
    tokens = [mixed(i + 1) % 7 for i in range(6)]
    assert probe_inputs((6,), batch=1, dtype="int64", num_values=7).ravel().tolist() == tokens
    many = probe_inputs((10_000,), batch=1)
    assert (many.min() < -1.99, many.max() > 1.99, abs(many.mean()) < 0.05) == (True, True, True)


def test_the_digest_of_outputs_sees_every_bit() -> None:
    """The smallest change changes it; the dtype does not."""
    a = np.array([[1.0, 2.0]], dtype=np.float32)
    assert outputs_digest(a) == outputs_digest(a.astype(np.float64))
    assert outputs_digest(a) != outputs_digest(np.nextafter(a, 3, dtype=np.float32))
