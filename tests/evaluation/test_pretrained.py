"""Trainings that begin with the weights of a file: names and shapes that agree, behind any prefix."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import netwright as nw
from netwright import nn as nwnn
from netwright.errors import DataError
from netwright.evaluation.pretrained import SHARE, Rows, begin_with_file
from netwright.evaluation.trainer import TrainingEvaluator
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Fidelity


class Small(nn.Module):
    """A network of one's own, of some width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3)
        self.second = nn.Conv2d(8, width, 3)
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of images (N, 1, 8, 8)."""
        return self.head(self.second(self.first(x).relu()).relu().mean((2, 3)))


def saved(path: Path, width: int = 16) -> tuple[Small, Path]:
    torch.manual_seed(1)
    network = Small(width)
    save_file(network.state_dict(), path)
    return network, path


def test_weights_are_taken_where_names_and_shapes_agree(tmp_path: Path) -> None:
    """What fits is equal afterwards, what has another shape stays; the share counts numbers, behind a prefix, too."""
    theirs, path = saved(tmp_path / "w.safetensors")
    same, wider = nn.Sequential(nn.Identity(), Small(16)), Small(24)
    before = wider.head.weight.detach().clone()
    assert begin_with_file(same, path) == 1.0
    assert torch.equal(same[1].head.weight, theirs.head.weight)
    share = begin_with_file(wider, path)
    assert torch.equal(wider.first.weight, theirs.first.weight)
    assert torch.equal(wider.head.weight, before)
    numbers = sum(p.numel() for p in wider.parameters())
    assert share == pytest.approx((8 * 9 + 8 + 10) / numbers)


def test_what_cannot_be_read_or_is_not_finite_is_not_taken(tmp_path: Path) -> None:
    """A file that broke since the search began is an error; a tensor with NaN is left out."""
    network = Small(16)
    save_file({**network.state_dict(), "first.bias": torch.full((8,), torch.nan)}, tmp_path / "n.safetensors")
    share = begin_with_file(network, tmp_path / "n.safetensors")
    assert 0 < share < 1
    (tmp_path / "n.safetensors").write_bytes(b"broken")
    with pytest.raises(DataError, match="pretrained: cannot read"):
        begin_with_file(network, tmp_path / "n.safetensors")


def test_each_training_of_a_search_begins_with_the_file(tmp_path: Path) -> None:
    """The share stands in the metrics of every network of one's own space; the fingerprint knows the file."""
    _, path = saved(tmp_path / "w.safetensors")
    plain, task = ImageClassification.load("digits"), ImageClassification.load("digits", pretrained=path)
    assert plain.fingerprint() != task.fingerprint()
    space = nw.SearchSpace(nwnn.op(Small, width=nw.choice("width", [16, 24])))
    evaluator = TrainingEvaluator(task, space, work_dir=tmp_path)
    shares = [
        evaluator(space.architecture({"width": width}), fidelity=Fidelity(epochs=0.02), seed=0)[SHARE]
        for width in (16, 24)
    ]
    assert shares[0] == 1.0
    assert 0 < shares[1] < 0.1


class Reader(nn.Module):
    """A network of tokens and classes."""

    def __init__(self, tokens: int, classes: int) -> None:
        super().__init__()
        self.table = nn.Embedding(tokens, 4)
        self.body = nn.Linear(4, 4)
        self.head = nn.Linear(4, classes)


def test_rows_are_taken_by_what_they_stand_for(tmp_path: Path) -> None:
    """Whatever their number is here and there; what has no counterpart stays, and does not count as taken."""
    torch.manual_seed(0)
    theirs, ours = Reader(4, 2), Reader(5, 2)
    save_file(theirs.state_dict(), tmp_path / "r.safetensors")
    fresh = {name: tensor.detach().clone() for name, tensor in ours.state_dict().items()}
    rows = {
        "table.weight": Rows(["a", "b", "c", "d", "e"], ["x", "c", "a", "y"]),
        "head.weight": Rows(["ham", "spam"], ["spam", "eggs"]),
        "head.bias": Rows(["ham", "spam"], ["spam", "eggs"]),
    }
    share = begin_with_file(ours, tmp_path / "r.safetensors", rows)
    expected = fresh["table.weight"].clone()
    expected[[0, 2]] = theirs.table.weight[[2, 1]].detach()
    assert torch.equal(ours.table.weight, expected)
    assert torch.equal(ours.body.weight, theirs.body.weight)
    assert torch.equal(ours.head.weight[1], theirs.head.weight[0])
    assert torch.equal(ours.head.weight[0], fresh["head.weight"][0])
    taken = 2 * 4 + (16 + 4) + (4 + 1)
    assert share == pytest.approx(taken / sum(p.numel() for p in ours.parameters()))


@pytest.mark.parametrize("there", [None, ["a"], ["x", "y", "z"]])
def test_rows_of_which_nothing_is_known_begin_anew(tmp_path: Path, there: list[str] | None) -> None:
    """So do those of a file that has not as many as it should, and those without anything in common."""
    torch.manual_seed(0)
    theirs, ours = Reader(3, 2), Reader(3, 2)
    save_file(theirs.state_dict(), tmp_path / "r.safetensors")
    fresh = ours.table.weight.detach().clone()
    begin_with_file(ours, tmp_path / "r.safetensors", {"table.weight": Rows(["a", "b", "c"], there)})
    assert torch.equal(ours.table.weight, fresh)
    assert torch.equal(ours.head.weight, theirs.head.weight)
