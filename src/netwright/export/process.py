"""Runs an exported network in a process of its own, in a private folder, without netwright."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from netwright.errors import ExportError
from netwright.temporary import temporary_folder

Array = npt.NDArray[np.generic]

TIMEOUT_S = 600.0
"""Seconds without progress after which a network is taken to hang."""

_PROGRESS = "progress"


@dataclass(frozen=True, slots=True)
class Run:
    """What to run.

    Args:
        files: content by name: ``model.py``, ``weights.safetensors`` and, to run it, ``model.onnx``.
        inputs: arrays by key; ``probe`` is network input, others are stored values.
        batch: inputs of the probe at once; examples are run in larger parts.
        threads: of the runtimes.
        export: exporter to write model.onnx with first, ``trace`` or ``dynamo``; empty for none.
        timeout_s: seconds without progress, such as another batch done, after which it is killed: a limit against
            hangs, whatever the number of examples.
        blocked: packages that must not be imported either: those whose classes were copied.
        targets: of the inputs of the same key; where ``model.py`` has a function ``compact``, it makes of outputs and
            targets what is given back instead of the outputs.
    """

    files: Mapping[str, bytes]
    inputs: Mapping[str, Array]
    batch: int
    threads: int
    export: str = ""
    timeout_s: float = TIMEOUT_S
    blocked: tuple[str, ...] = ()
    targets: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gave.

    Args:
        outputs: float64 arrays by (runtime, key).
        params: number of parameters.
        class_names: as in model.py.
        versions: of what ran.
        onnx: the file written, if one was to be.
        opset: of that file.
    """

    outputs: Mapping[tuple[str, str], Array]
    params: int
    class_names: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    onnx: bytes | None = None
    opset: int | None = None


def run_isolated(run: Run) -> Outcome:
    """Run ``model.py`` and ``model.onnx``.

    Raises:
        ExportError: the process failed; with the last lines it wrote.
    """
    with temporary_folder() as folder:
        for file, content in run.files.items():
            (folder / file).write_bytes(content)
        for key, array in run.inputs.items():
            np.save(folder / f"{key}.npy", array, allow_pickle=False)
        for key, array in run.targets.items():
            np.save(folder / f"{key}-targets.npy", array, allow_pickle=False)
        with_onnx = bool(run.export) or "model.onnx" in run.files
        request = {
            "inputs": {key: f"{key}.npy" for key in run.inputs},
            "targets": {key: f"{key}-targets.npy" for key in run.targets},
            "batch": run.batch,
            "threads": run.threads,
            "path": [entry for entry in sys.path if Path(entry).is_absolute()],
            "export": run.export,
            "onnx": with_onnx,
            "blocked": run.blocked,
            "result": "result.json",
            "progress": _PROGRESS,
        }
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        _run(folder, run.timeout_s)
        return _read(folder, run)


def _run(folder: Path, timeout_s: float) -> None:
    command = [sys.executable, "-I", "-B", str(Path(__file__).with_name("isolated.py")), "request.json"]
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            code = wait(process, folder / _PROGRESS, timeout_s)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if code != 0:
        last = (folder / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
        how = f"made no progress for {timeout_s:g} s" if code is None else f"failed with exit code {code}"
        raise ExportError(f"running the exported network {how}: {' | '.join(last)[-600:]}")


def wait(process: subprocess.Popen[bytes], progress: Path, timeout_s: float) -> int | None:
    """The exit code of a process; None where its file of progress did not change in all of such a time."""
    before = -1
    while True:
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            now = progress.stat().st_mtime_ns if progress.exists() else -1
            if now == before:
                return None
            before = now


def _read(folder: Path, run: Run) -> Outcome:
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        keys = [("torch", key) for key in run.inputs]
        if run.export or "model.onnx" in run.files:
            keys += [("onnxruntime", key) for key in (*run.inputs, "alone")]
        outputs = {(rt, key): np.load(folder / f"{rt}-{key}.npy", allow_pickle=False) for rt, key in keys}
        return Outcome(
            outputs=outputs,
            params=int(result["params"]),
            class_names=tuple(str(name) for name in result["class_names"]),
            versions=tuple(sorted((str(k), str(v)) for k, v in result["versions"].items())),
            onnx=(folder / "model.onnx").read_bytes() if run.export else None,
            opset=result.get("opset"),
        )
    except (OSError, ValueError, KeyError) as error:
        raise ExportError(f"running the exported network left no result: {error!r}") from error
