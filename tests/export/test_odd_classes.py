"""Odd classes of one's own: each is copied so that it gives the same, or refused with the name that cannot be."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from export_networks import PROBE, Info, card_of, head, reloaded, trained
from odd_classes import COPIED, REFUSED

from netwright import nn
from netwright.errors import ExportError
from netwright.export import export_network, model_source
from netwright.export.own_class import copy_classes
from netwright.export.weights import write_weights


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules can be imported, and are forgotten afterwards."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    known = set(sys.modules)
    yield folder
    for name in set(sys.modules) - known:
        if (folder / f"{name}.py").exists():
            del sys.modules[name]


def own(home: Path, name: str, text: str) -> type[torch.nn.Module]:
    (home / f"{name}.py").write_text(text, encoding="utf-8")
    found: type[torch.nn.Module] = importlib.import_module(name).Own
    return found


@pytest.mark.long
def test_copied_classes_give_the_same_where_their_module_is_not(home: Path, tmp_path: Path) -> None:
    """Every one that is copied gives the outputs of the original bit for bit, in a process that has torch alone."""
    expected: dict[str, torch.Tensor] = {}
    for name, text in COPIED.items():
        term = head(nn.op(own(home, f"odd_{name}", text)))
        model = nn.build(term, input_shape=(1, 8, 8), seed=3).eval()
        folder = tmp_path / "exports" / name
        folder.mkdir(parents=True)
        (folder / "model.py").write_text(model_source(term, Info()), encoding="utf-8")
        (folder / "weights.safetensors").write_bytes(write_weights(model.state_dict()))
        with torch.inference_mode():
            expected[name] = model(PROBE)
    outputs = reloaded(tmp_path / "exports")
    assert sorted(outputs) == sorted(COPIED)
    assert [name for name in COPIED if not torch.equal(outputs[name], expected[name])] == []


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_copied_is_named(name: str, home: Path) -> None:
    """The error names the class, what it needs that cannot be copied, and why."""
    message, text = REFUSED[name]
    (home / "another_module.py").write_text("from torch import nn\n\nclass Base(nn.Module):\n    pass\n")
    with pytest.raises(ExportError, match=f"the class 'Own' cannot be copied into model.py: .*{message}"):
        copy_classes([own(home, f"refused_{name}", text)])


def test_classes_of_torch_are_imported(tmp_path: Path) -> None:
    """A class of torch, given as one's own, comes from the package that people know it from."""
    term = head(nn.op(torch.nn.Conv2d, in_channels=1, out_channels=3, kernel_size=3), nn.op(torch.nn.Softplus, beta=2))
    source = model_source(term, Info())
    assert "\nfrom torch.nn import Conv2d, Softplus, functional as F\n" in source
    model = nn.build(term, input_shape=(1, 8, 8), seed=0).eval()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "model.py").write_text(source)
    (tmp_path / "a" / "weights.safetensors").write_bytes(write_weights(model.state_dict()))
    with torch.inference_mode():
        assert torch.equal(reloaded(tmp_path)["a"], model(PROBE))


@pytest.mark.parametrize(
    ("one", "two", "message"),
    [
        ("A, B = 1, 2", "B = 3\nA = 1", "'[AB]'.*different definition"),
        ("def abs(x):\n    return x + 1\nA = B = 0", "A = B = 0", "'abs'.*Python's own"),
        ("from math import pi as A\nB = 1", "A = 2\nB = 1", "'A' is imported by one class and defined by another's"),
    ],
)
def test_modules_that_mean_different_things_by_a_name_are_refused(one: str, two: str, message: str, home: Path) -> None:
    """Two classes of two modules share one file only where every name means the same to both."""
    text = "from torch import nn\n{}\nclass {}(nn.Module):\n    def forward(self, x):\n        return abs(x * A) + B\n"
    (home / "module_one.py").write_text(text.format(one, "One"))
    (home / "module_two.py").write_text(text.format(two, "Two"))
    classes = [importlib.import_module("module_one").One, importlib.import_module("module_two").Two]
    with pytest.raises(ExportError, match=message):
        copy_classes(classes)


def test_the_check_of_an_export_has_no_access_to_the_classs_module(home: Path, tmp_path: Path) -> None:
    """A class that fetches its module by its name fails the check, though that module could be imported."""
    text = (
        "import importlib\nfrom torch import nn\n\n\ndef double(x):\n    return 2 * x\n\n\nclass Own(nn.Module):\n"
        "    def forward(self, x):\n        return importlib.import_module('fetches_itself').double(x)\n"
    )
    term = head(nn.op(own(home, "fetches_itself", text)))
    weights, _ = trained(term, Info())
    with pytest.raises(ExportError, match="fetches_itself is not available to an exported network"):
        export_network(term, weights, info=Info(), out=tmp_path / "out", card=card_of(weights), onnx=False)
