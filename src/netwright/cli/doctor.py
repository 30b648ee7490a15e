"""``netwright doctor``: what the machine has, what is installed, and what is missing for what."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from netwright.cli.codes import DIFFERENT
from netwright.cli.text import clean, json_line
from netwright.machine_memory import memory_bytes
from netwright.readable import number

EXTRAS = {
    "vision": (("pillow", "scikit-learn"), "images (jpg, png), the embedded digits, scores of image-multilabel"),
    "detection": (("pillow", "faster-coco-eval"), "the task object-detection: image files, and its scores"),
    "speech": (("jiwer", "soundfile", "tokenizers"), "the task speech-recognition: its scores, flac files, subwords"),
    "text": (("tokenizers", "sacrebleu"), "the tasks translation, text-classification, language-model: subwords, BLEU"),
    "tables": (("pyarrow", "scikit-learn"), "tasks on tables: their scores, the forest beside networks, Parquet files"),
    "graphs": (("scikit-learn",), "the task node-classification: its scores"),
    "predictors": (("scikit-learn",), "the strategy boosted-trees, and predictors that are trees"),
    "pareto": (("moocore",), "the hypervolume, where strategies are compared by several objectives"),
    "bridges": (("optuna", "nevergrad"), "the strategies optuna and nevergrad"),
    "onnx": (("onnx", "onnxscript", "onnxruntime"), "model.onnx, its check, and latency in ONNX Runtime"),
    "openvino": (("onnx", "openvino"), "latency in OpenVINO"),
    "executorch": (("executorch",), "latency in ExecuTorch"),
}
"""What each extra of pyproject.toml installs, and what for."""

CORE = ("numpy", "scipy", "torch", "sqlalchemy", "pydantic", "pyyaml", "rich", "safetensors", "typer")
OLDEST_TORCH = (2, 6)
LITTLE_DISK_BYTES = 1 << 30
LITTLE_MEMORY_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class Report:
    """What was found.

    Args:
        machine: facts by name.
        packages: version of each package, None where it is missing.
        extras: what a missing extra would give, by its name.
        runtimes: what latency is measured in, and what each needs that is missing; empty where it is there.
        warnings: what works badly.
        problems: what does not work at all.
    """

    machine: dict[str, object]
    packages: dict[str, str | None]
    extras: dict[str, str]
    runtimes: dict[str, str]
    warnings: tuple[str, ...]
    problems: tuple[str, ...]


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> int:
    """Say what this machine has and what is missing. Exit code 1 if netwright cannot work here."""
    report = examine()
    if as_json:
        print(json_line(asdict(report)))
    else:
        _print(report)
    return DIFFERENT if report.problems else 0


def examine() -> Report:
    """Look at the machine and the installation; imports torch."""
    packages = {name: installed(name) for name in (*CORE, *(p for names, _ in EXTRAS.values() for p in names))}
    missing = {
        extra: f"{gives}: pip install 'netwright[{extra}]'"
        for extra, (names, gives) in EXTRAS.items()
        if any(packages[name] is None for name in names)
    }
    machine, warnings, problems = _machine()
    if packages["torch"] is None:
        problems.append("torch is not installed; see pytorch.org for the build of your machine")
    else:
        facts, more, broken = _torch()
        machine |= facts
        warnings += more
        problems += broken
    return Report(machine, packages, missing, _runtimes(packages), tuple(warnings), tuple(problems))


def installed(package: str) -> str | None:
    """Version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _runtimes(packages: dict[str, str | None]) -> dict[str, str]:
    """What each runtime that latency is measured in still needs."""
    from netwright.evaluation.latency import DEVICE, RUNTIMES
    from netwright.evaluation.latency.runtimes import LOCAL

    found = {}
    for name in RUNTIMES:
        needed = LOCAL[name].packages if name in LOCAL else ("onnx",)
        lacking = [f"the package {package}" for package in needed if packages[package] is None]
        if name == "torch.compile" and not any(map(shutil.which, (os.environ.get("CXX") or "c++", "g++", "clang++"))):
            lacking.append("a C++ compiler")
        if name == DEVICE and not lacking:
            lacking.append("a command of yours: --latency-device-command")
        found[str(name)] = " and ".join(lacking)
    return found


def usable_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _machine() -> tuple[dict[str, object], list[str], list[str]]:
    memory_bytes = _memory_bytes()
    disk_bytes = shutil.disk_usage(Path.cwd()).free
    facts: dict[str, object] = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": usable_cores(),
        "memory_bytes": memory_bytes,
        "disk_free_bytes": disk_bytes,
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
    }
    warnings = []
    if disk_bytes < LITTLE_DISK_BYTES:
        warnings.append(f"only {number('free_bytes', disk_bytes)} free on this disk; a run may not fit")
    if memory_bytes is not None and memory_bytes < LITTLE_MEMORY_BYTES:
        warnings.append(f"only {number('memory_bytes', memory_bytes)} of memory; use --workers 1")
    problems = [] if hasattr(os, "fork") else ["trials run in forked processes, which this system does not have"]
    return facts, warnings, problems


def _memory_bytes() -> int | None:
    try:
        return memory_bytes()
    except (AttributeError, ValueError, OSError):
        return None


def _torch() -> tuple[dict[str, object], list[str], list[str]]:
    try:
        import torch
    except (ImportError, OSError) as error:
        return {}, [], [f"torch is installed and does not import: {error}"]
    devices = ["cpu"]
    devices += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    devices += ["mps"] if torch.backends.mps.is_available() else []
    facts: dict[str, object] = {
        "devices": devices,
        "torch_threads": torch.get_num_threads(),
        "blas": "mkl" if torch.backends.mkl.is_available() else "other",  # type: ignore[no-untyped-call]
    }
    found = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    oldest = ".".join(map(str, OLDEST_TORCH))
    problems = [] if found >= OLDEST_TORCH else [f"torch {torch.__version__} is older than {oldest}; upgrade it"]
    warnings = [
        f"{name} is installed and does not import beside this torch; netwright does not need it: pip uninstall {name}"
        for name in ("torchvision", "torchaudio")
        if installed(name) is not None and not _imports(name)
    ]
    return facts, warnings, problems


def _imports(name: str) -> bool:
    """Whether a package imports; tried in a process of its own, since a bad one may crash."""
    import subprocess

    done = subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True, check=False)
    return done.returncode == 0


def _print(report: Report) -> None:
    print("machine")
    for name, value in report.machine.items():
        shown = number(name, value) if isinstance(value, int) else value
        print(f"  {name:16} {clean(', '.join(shown) if isinstance(shown, list) else shown)}")
    print("packages")
    for name, found in report.packages.items():
        print(f"  {name:16} {clean(found or 'missing')}")
    print("latency in")
    for name, needed in report.runtimes.items():
        print(f"  {name:16} {f'needs {needed}' if needed else 'ready'}")
    for extra, gives in report.extras.items():
        print(f"missing extra {extra} would give {gives}")
    for line in report.warnings:
        print(f"warning: {clean(line)}")
    for line in report.problems:
        print(f"problem: {clean(line)}")
    if not report.problems:
        print("netwright works here")
