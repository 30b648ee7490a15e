"""What model.py prints: names that a terminal cannot show, and a reader that has seen enough."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from netwright.export.runtimes import array, nodes, series, table
from netwright.export.source import model_source
from netwright.export.weights import write_weights
from netwright.nn import build
from netwright.tasks import load_task

NAMES = ("да", "so\nit is")
Network = Callable[[torch.Tensor], torch.Tensor]


def halves(inputs: torch.Tensor) -> torch.Tensor:
    """Logits: of each second input the other class."""
    return torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(len(inputs), 1)[: len(inputs)]


def forecast(inputs: torch.Tensor) -> torch.Tensor:
    """Two steps of one channel."""
    return torch.tensor([[[1.5, 2.5]]])


@pytest.mark.parametrize(
    ("runtime", "constants", "ask", "network", "answers"),
    [
        (
            table,
            {"COLUMNS": ("a", "y"), "TARGET": "y", "NUMBERS": (("a", "0 1", "0 1", False),), "HEADER": True},
            "a\n1\n2\n",
            halves,
            ["\\u0434\\u0430\t0.8808", "so\\nit is\t0.8808"],
        ),
        (nodes, {"NUM_NODES": 9}, "7\n3\n", halves, ["7\t\\u0434\\u0430\t0.8808", "3\tso\\nit is\t0.8808"]),
        (
            series,
            {"INPUT_SHAPE": (1, 3), "CHANNELS": ()},
            "1,2,3\n4,5,6\n",
            halves,
            ["\\u0434\\u0430\t0.8808", "so\\nit is\t0.8808"],
        ),
        (
            series,
            {"INPUT_SHAPE": (1, 3), "CHANNELS": ("темп",), "TARGETS": 1, "CLASS_NAMES": (), "HEADER": True},
            "темп\n1\n2\n3\n",
            forecast,
            ["\\u0442\\u0435\\u043c\\u043f", "1.5", "2.5"],
        ),
        (array, {"INPUT_SHAPE": (2,)}, "", halves, ["\\u0434\\u0430\t0.8808", "so\\nit is\t0.8808"]),
        (array, {"INPUT_SHAPE": (2,), "CLASS_NAMES": ()}, "", halves, ["1\t-1", "-1\t1"]),
    ],
    ids=["table", "nodes", "series", "forecast", "array", "values"],
)
def test_names_are_printed_on_one_line_in_any_terminal(
    runtime: ModuleType,
    constants: dict[str, object],
    ask: str,
    network: Network,
    answers: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the encoding lacks, and line ends, are escapes; never a traceback after half of the answers."""
    for name, value in {"CLASS_NAMES": NAMES, **constants}.items():
        monkeypatch.setattr(runtime, name, value)
    monkeypatch.setattr(runtime, "load", lambda: network)
    file = tmp_path / ("ask.csv" if ask else "ask.npy")
    if ask:
        file.write_text(ask, encoding="utf-8")
    else:
        np.save(file, np.zeros((2, 2), dtype=np.float32))
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252", newline="\n"))
    assert runtime.main([str(file)]) == 0
    sys.stdout.flush()
    assert written.getvalue().decode("cp1252").splitlines() == answers


@pytest.mark.long
def test_a_reader_of_a_table_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """``python model.py rows.csv | head -1`` ends well, however many rows there are."""
    rows = "".join(f"{n},{n % 7},{'ab'[n % 2]}\n" for n in range(60))
    (tmp_path / "a.csv").write_text(f"x,z,label\n{rows}", encoding="utf-8")
    task = load_task("tabular-classification", tmp_path / "a.csv")
    term = task.network(task.default_space(), task.references()[0].architecture)
    (tmp_path / "model.py").write_text(model_source(term, task.export_info()), encoding="utf-8")
    model = build(term, input_shape=task.input_shape, seed=0)
    (tmp_path / "weights.safetensors").write_bytes(write_weights(model.state_dict()))
    command = f"set -o pipefail; '{sys.executable}' model.py a.csv | sleep 0"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path)
    assert (0, "", "") == (done.returncode, done.stderr, done.stdout)
