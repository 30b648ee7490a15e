"""A detector's export: model.py prints boxes of a file, model.onnx gives them suppressed, and both are checked."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from netwright import nn
from netwright.export import Card, examine, export_network, scoring_of
from netwright.export.process import Run, run_isolated
from netwright.export.runtimes import detection as runtime
from netwright.tasks.detection.task import ObjectDetection

for package in ("PIL", "faster_coco_eval", "onnxruntime"):
    pytest.importorskip(package)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> ObjectDetection:
    """Eight wide images of a bright square, two of them for validation and two for the test."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("squares")
    lines = ["image,xmin,ymin,xmax,ymax,label,split"]
    for number in range(8):
        left = 40 + 20 * number
        pixels = np.full((100, 256, 3), 30, np.uint8)
        pixels[20:60, left : left + 40] = 250
        Image.fromarray(pixels).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{left},20,{left + 40},60,=square,{('train', 'train', 'val', 'test')[number // 2]}")
    (folder / "boxes.csv").write_text("\n".join(lines), encoding="utf-8")
    return ObjectDetection.load(folder, image_size=128)


@pytest.fixture(scope="module")
def exported(task: ObjectDetection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest reference, briefly trained on the four images."""
    space = task.default_space()
    architecture = next(r.architecture for r in task.references() if r.name == "mobilenet-fpn")
    term = task.network(space, architecture)
    model = nn.build(term, input_shape=task.input_shape, seed=0)
    x, y = (torch.from_numpy(part) for part in task.train())
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        task.loss(model(task.to_input(x)), y).backward()
        optimizer.step()
    model.eval()
    inputs, targets = task.validation()
    metrics = task.scores([(model(task.to_input(torch.from_numpy(inputs))).detach(), torch.from_numpy(targets))])
    card = Card(task.name, {f"validation_{name}": value for name, value in metrics.items()}, dict(architecture))
    out = tmp_path_factory.mktemp("export") / "best"
    examples = {"validation": task.validation()}
    return export_network(
        term,
        model.state_dict(),
        info=task.export_info(),
        out=out,
        card=card,
        examples=examples,
        scoring=scoring_of(task),
    )


def test_it_is_checked_by_its_own_metrics(exported: Path, task: ObjectDetection) -> None:
    """The metrics map and map50 are measured again in both runtimes, on other examples than at the export, too."""
    card = json.loads((exported / "card.json").read_text(encoding="utf-8"))
    again = {(one["runtime"], one["metric"]) for one in card["check"]["rescored"]}
    assert again == {(r, m) for r in ("torch", "onnxruntime") for m in ("map", "map50")}
    assert examine(exported, examples={"validation": task.validation()}, scoring=scoring_of(task)).passed


def outputs_of(task: ObjectDetection, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers (count, P, 5), each sure of a box near that of the image, among many others, and targets."""
    rng = np.random.default_rng(0)
    targets = np.concatenate([task.train()[1]] * count)[:count]
    points = task.output_shape[0]
    corner = rng.uniform(0, 90, (count, points, 2))
    outputs = np.concatenate([corner, corner + rng.uniform(4, 40, (count, points, 2))], 2)
    outputs[:, ::9] = targets[:, :1, :4] + rng.normal(0, 2, (count, len(range(0, points, 9)), 4))
    return np.concatenate([outputs, rng.normal(-2, 2, (count, points, 1))], 2), targets


def test_many_answers_are_scored_some_at_a_time(task: ObjectDetection, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss of all of them at once would need many times their memory; the scores are the same."""
    outputs, targets = outputs_of(task, 20)
    whole, seen = scoring_of(task).scores(outputs, targets), list[int]()
    loss = task.loss
    monkeypatch.setattr(task, "loss", lambda some, boxes: seen.append(len(some)) or loss(some, boxes))
    monkeypatch.setattr(import_module("netwright.export.verify"), "_SCORED_VALUES", 6 * outputs[0].size)
    assert whole == scoring_of(task).scores(outputs, targets)
    assert [6, 6, 6, 2] == seen
    assert 0 < whole["map"] < 1


def test_boxes_that_model_py_finds_score_as_the_outputs_do(task: ObjectDetection) -> None:
    """What is kept of an image while a network is checked does not grow with its size."""
    outputs, targets = outputs_of(task, 12)
    kept = runtime.compact(torch.from_numpy(outputs).float(), torch.from_numpy(targets))
    assert kept.shape == (12, 6 * runtime.MOST_BOXES)
    scores = scoring_of(task).scores
    assert scores(outputs, targets) == pytest.approx(scores(kept.double().numpy(), targets), abs=1e-6)
    nothing = torch.full((2, *task.output_shape), -100.0)
    assert scores(runtime.compact(nothing, torch.zeros(2)).numpy(), targets[:2]) == {"map": 0.0, "map50": 0.0}


def test_the_check_keeps_boxes_not_outputs(exported: Path, task: ObjectDetection) -> None:
    """The exported model.py says what is kept of examples; the probe is compared number by number all the same."""
    inputs = {"probe": np.zeros((4, *task.input_shape), np.float32), "split0": task.validation()[0]}
    files = {name: (exported / name).read_bytes() for name in ("model.py", "weights.safetensors")}
    outcome = run_isolated(Run(files, inputs, 4, 1, targets={"split0": task.validation()[1]}))
    assert outcome.outputs["torch", "split0"].shape == (2, 6 * runtime.MOST_BOXES)
    assert outcome.outputs["torch", "probe"].shape == (4, *task.output_shape)


def test_onnx_gives_boxes_without_doubles(exported: Path, task: ObjectDetection) -> None:
    """The second output holds what model.py finds in the first, image by image."""
    import onnxruntime

    session = onnxruntime.InferenceSession((exported / "model.onnx").read_bytes(), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["output", "detections"]
    x = task.to_input(torch.from_numpy(task.validation()[0])).numpy()
    rows, found = session.run(None, {session.get_inputs()[0].name: x})
    assert found.shape[1] == 7
    for number, outputs in enumerate(rows):
        boxes, scores, labels = runtime.find(torch.from_numpy(outputs), runtime.LEAST)
        ours = found[found[:, 0] == number]
        order = np.argsort(-ours[:, 2], kind="stable")
        assert np.allclose(ours[order][:, 2], scores, atol=1e-5)
        assert ours[order][:, 1].tolist() == labels.tolist()
        assert np.allclose(ours[order][:, 3:], boxes, atol=1e-3)


@pytest.mark.long
def test_model_py_prints_boxes_in_pixels_of_the_file(exported: Path, task: ObjectDetection, tmp_path: Path) -> None:
    """Alone in a folder, with an image twice as large as those of the training: corners double, too."""
    from PIL import Image

    for name in ("model.py", "weights.safetensors"):
        (tmp_path / name).write_bytes((exported / name).read_bytes())
    pixels = np.full((200, 512, 3), 30, np.uint8)
    pixels[40:120, 200:280] = 250
    Image.fromarray(pixels).save(tmp_path / "large.png")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "model.py", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    done = run("large.png")
    assert done.returncode == 0, done.stderr
    name, score, *corners = done.stdout.splitlines()[0].split("\t")
    assert name == "=square"
    assert 0.3 <= float(score) <= 1
    assert [float(c) for c in corners] == pytest.approx([200, 40, 280, 120], abs=30)
    (tmp_path / "bad.png").write_bytes(b"nothing")
    for words, says in (((), "usage"), (("bad.png",), "no image of the formats"), (("absent.png",), "absent.png")):
        failed = run(*words)
        assert failed.returncode == 2
        assert says in failed.stderr
        assert "Traceback" not in failed.stderr
