"""What is known to be wrong before a search begins: devices, training values, networks of a space of one's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

import netwright as nw
from netwright import nn
from netwright.errors import CapabilityError, SpecError
from netwright.evaluation.recipe import Recipe
from netwright.space import Node
from netwright.study.preflight import require_device, require_networks, require_training


class Exiting(torch.nn.Module):
    """Takes the process with it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        os._exit(3)


class Fussy(torch.nn.Module):
    """Can only be made with 1."""

    def __init__(self, size: int) -> None:
        super().__init__()
        if size != 1:
            raise ValueError(f"size {size}")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Inference(torch.nn.Module):
    """Runs in evaluation mode only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            raise RuntimeError("made for inference")
        return x


class Clamp(torch.nn.Module):
    """Has the name of nothing else."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.clamp(0, 1)


@pytest.fixture(scope="module")
def task() -> nw.ImageClassification:
    pytest.importorskip("sklearn")
    return nw.ImageClassification.load("digits")


def space(*parts: Node, training: Mapping[str, object] | None = None) -> nw.SearchSpace:
    return nw.SearchSpace(nn.seq(nn.conv(4), *parts), training=training)  # type: ignore[arg-type]


HEAD = (nn.global_pool(), nn.linear(10))


@pytest.mark.parametrize(
    ("device", "found"),
    [("cuda", "cpu"), ("cuda:1", "cpu, cuda:0"), ("mps", "cpu"), ("cpu", None), ("cuda", None), ("cuda:0", None)],
)
def test_a_device_must_be_there(monkeypatch: pytest.MonkeyPatch, device: str, found: str | None) -> None:
    """What is missing is refused, with what there is."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0 if found == "cpu" else 1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    if found is None:
        require_device(device)
        return
    with pytest.raises(SpecError, match=rf"^device must be one that torch .* \({found}\), got '{device}'; use cpu"):
        require_device(device)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"learning_rate": nw.choice("a", [0.01, 500.0])}, r"'learning_rate' can be 500.0, but learning_rate must be"),
        ({"lr": nw.real("a", 1e-3, 1e3, log=True)}, r"'lr' can be 1000.0, but learning_rate must be a number in"),
        ({"momentum": nw.choice("a", [0.1, 0.6]) * 2}, r"'momentum' can be 1.2, but momentum must be"),
        ({"batch_size": nw.integer("a", 0, 10**6)}, r"'batch_size' can be 0, but batch_size must be"),
        ({"optimizer": nw.choice("a", ["sgd", "adamx"])}, r"'optimizer' can be 'adamx', but unknown optimizer 'adamx'"),
        ({"flip": nw.choice("a", [True, "yes"])}, r"'flip' can be 'yes', but flip must be True, False or None"),
        ({"weight_decay": -1.0}, r"'weight_decay' can be -1.0, but weight_decay must be"),
        ({"nothing": 1}, r"unknown training value 'nothing'"),
    ],
)
def test_training_values_must_be_a_recipes(training: Mapping[str, object], message: str) -> None:
    """A value that any architecture can have is refused, however seldom it is drawn."""
    with pytest.raises(SpecError, match=message):
        require_training(space(*HEAD, training=training), Recipe())


def test_training_values_that_constraints_exclude_are_no_matter() -> None:
    """A choice may have values that no architecture has."""
    rate, big = nw.choice("rate", [0.01, 500.0]), nw.flag("big")
    root = nn.seq(nn.one_of(big, {True: nn.conv(4), False: nn.conv(8)}), *HEAD)
    loose = nw.SearchSpace(root, training={"learning_rate": rate}, constraints=[nw.implies(big, rate < 1)])
    tight = nw.SearchSpace(root, training={"learning_rate": rate}, constraints=[nw.implies(big, rate < 1), rate < 2])
    require_training(tight, Recipe())
    with pytest.raises(SpecError, match=r"can be 500.0"):
        require_training(loose, Recipe())


def _local() -> type[torch.nn.Module]:
    class Local(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    return Local


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([nn.flatten(), nn.linear(7)], r"^S: the network of \{\} gives 7 outputs for an image, but the data has 10"),
        (
            [nn.conv(10)],
            r"^S: the network of \{\} gives outputs of shape \(10, 8, 8\) for an image, but the data has 10",
        ),
        (
            [nn.op(_local()), *HEAD],
            r"^S: the class '_local.<locals>.Local' cannot be copied into model.py: .*top level",
        ),
        ([nn.op(Exiting), *HEAD], r"^S: it cannot be made; \{\} gives .*; mend the space"),
        (
            [nn.op(Fussy, size=nw.choice("size", [2, 3])), *HEAD],
            r"^S: none of 2 networks that were drawn can be made; \{'size': [23]\} gives .*ValueError: size [23]",
        ),
    ],
)
def test_networks_must_fit_the_task(task: nw.ImageClassification, parts: list[Node], message: str) -> None:
    """Outputs, classes that cannot be exported, and spaces in which nothing can be made are named."""
    with pytest.raises(CapabilityError, match=message):
        require_networks(task, space(*parts), "S")


def test_a_space_without_networks_fits_no_task(task: nw.ImageClassification) -> None:
    """Training choices alone are no space for a task."""
    with pytest.raises(
        CapabilityError, match=r"^S has training choices only, but a task needs networks; give it a root"
    ):
        require_networks(task, nw.SearchSpace(training={"learning_rate": nw.real("a", 0.01, 0.1)}), "S")


@pytest.mark.parametrize(
    "parts",
    [
        HEAD,
        [nn.op(Clamp), *HEAD],
        [nn.op(Fussy, size=nw.integer("size", 1, 2)), *HEAD],
        [nn.global_pool(), nn.linear(nw.choice("width", [8, 10**10])), nn.linear(10)],
    ],
)
def test_a_space_that_can_be_searched_is_accepted(task: nw.ImageClassification, parts: list[Node]) -> None:
    """Own classes, and architectures here and there that cannot be made, are no reason to refuse a space."""
    require_networks(task, space(*parts), "S")


@pytest.mark.long
def test_what_runs_in_evaluation_mode_only_is_scored_but_not_trained(task: nw.ImageClassification) -> None:
    """It is refused where it would be trained, unless other networks of the space can be."""
    only = space(nn.op(Inference), *HEAD)
    require_networks(task, only, "S", trained=False)
    with pytest.raises(CapabilityError, match=r"^S: each of 1 networks .* evaluation mode only, and a search trains"):
        require_networks(task, only, "S")
    require_networks(task, space(nn.optional("inference", nn.op(Inference)), *HEAD), "S")


def test_an_object_that_is_no_space_is_refused(task: nw.ImageClassification, tmp_path: Path) -> None:
    """Found before a folder is made."""
    with pytest.raises(CapabilityError, match="space must be a SearchSpace"):
        nw.search(task=task, space=[1, 2], out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
