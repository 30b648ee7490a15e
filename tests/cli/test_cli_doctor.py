"""``netwright doctor`` and ``spaces``: what the machine has, what is missing, and what can be searched."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from cli_helpers import Answer

from netwright.cli import doctor, spaces
from netwright.space.expressions import Categorical

Cli = Callable[..., Answer]
ROOT = Path(__file__).parents[2]


def named(requirement: str) -> str:
    """The package of a requirement such as ``torch>=2.6``."""
    return re.split(r"[^\w-]", requirement)[0].lower()


def test_doctor_names_machine_and_packages(cli: Cli) -> None:
    """What is installed is listed with its version, and this machine works."""
    found = json.loads(cli("doctor", "--json").out)
    assert found["problems"] == []
    assert found["packages"]["torch"] is not None
    assert found["machine"]["cores"] == doctor.usable_cores()
    assert "cpu" in found["machine"]["devices"]
    answer = cli("doctor")
    assert answer.code == 0
    assert answer.lines[-1] == "netwright works here"


def test_doctor_says_what_a_missing_extra_would_give(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is not there is named, with what it is for and the command that installs it."""
    monkeypatch.setattr(doctor, "installed", lambda name: None if name == "onnxruntime" else "1.0")
    monkeypatch.setattr(doctor, "_torch", lambda: ({}, [], []))
    answer = cli("doctor")
    assert answer.code == 0
    assert "  onnxruntime      missing" in answer.lines
    gives = "model.onnx, its check, and latency in ONNX Runtime"
    assert f"missing extra onnx would give {gives}: pip install 'netwright[onnx]'" in answer.lines


def test_doctor_knows_all_that_netwright_can_be_installed_with() -> None:
    """The extras of pyproject.toml with their packages, and what is always needed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {
        extra: {named(package) for package in packages}
        for extra, packages in project["optional-dependencies"].items()
        if extra != "all"
    }
    assert {extra: set(packages) for extra, (packages, _) in doctor.EXTRAS.items()} == extras
    assert set(doctor.CORE) == {named(package) for package in project["dependencies"]}


def test_doctor_says_what_each_runtime_of_latency_needs(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime whose packages are there is ready; what the others need is named, a compiler and a command too."""
    monkeypatch.setattr(doctor, "installed", lambda name: None if name == "openvino" else "1.0")
    monkeypatch.setattr(doctor, "_torch", lambda: ({}, [], []))
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    lines = cli("doctor").lines
    start = lines.index("latency in") + 1
    assert [line.split(maxsplit=1) for line in lines[start : start + 6]] == [
        ["torch", "ready"],
        ["torch.compile", "needs a C++ compiler"],
        ["onnxruntime", "ready"],
        ["openvino", "needs the package openvino"],
        ["executorch", "ready"],
        ["device", "needs a command of yours: --latency-device-command"],
    ]


def test_doctor_fails_where_torch_is_missing_or_too_old(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a torch that works, the exit code is 1 and the reason is printed."""
    monkeypatch.setattr(doctor, "installed", lambda name: None if name == "torch" else "1.0")
    answer = cli("doctor")
    assert (answer.code, answer.lines[-1]) == (
        1,
        "problem: torch is not installed; see pytorch.org for the build of your machine",
    )
    monkeypatch.undo()
    import torch

    monkeypatch.setattr(torch, "__version__", "2.1.0+cpu")
    assert "problem: torch 2.1.0+cpu is older than 2.6; upgrade it" in cli("doctor").lines


def test_doctor_warns_of_little_memory_and_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is too small is said to be, before a search finds out."""
    monkeypatch.setattr(doctor, "_torch", lambda: ({}, [], []))
    monkeypatch.setattr(doctor, "_memory_bytes", lambda: 1 << 30)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: SimpleNamespace(free=1_000_000))
    assert doctor.examine().warnings == (
        "only 1.0M free on this disk; a run may not fit",
        "only 1.1G of memory; use --workers 1",
    )


def test_every_shipped_space_has_a_count() -> None:
    """What ``spaces`` lists is what ships: the default and the named ones, each counted and with choices."""
    shipped = spaces.shipped()
    assert {"default", "nas_bench_201"} <= set(shipped)
    assert spaces.count_text(shipped["nas_bench_201"].count()) == "15625"
    assert [name for name, space in shipped.items() if not space.choices] == []


def test_spaces_are_listed_and_described(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each shipped space has its count; one of them lists its choices; an unknown name lists the known."""

    def space(count: float) -> SimpleNamespace:
        choice = SimpleNamespace(domain=Categorical((1, 2)))
        return SimpleNamespace(count=lambda: count, choices={"width": choice})

    monkeypatch.setattr(spaces, "shipped", lambda: {"default": space(10**30), "cell": space(15_625)})
    assert cli("spaces").lines[:3] == [
        "space    architectures  choices",
        "default        1.0e+30        1",
        "cell             15625        1",
    ]
    assert cli("spaces", "cell").lines == [
        "cell: 15625 architectures",
        "  width  1, 2",
    ]
    answer = cli("spaces", "cel")
    assert answer.code == 2
    assert answer.err == "error: unknown space 'cel'; did you mean 'cell'? known: cell, default\n"
