"""A program of its own that runs an exported network where netwright cannot be imported.

It is started as ``python -I isolated.py REQUEST.json`` in a private folder, and writes what it found there. It uses
the standard library, torch, numpy and, for ONNX, onnxruntime; nothing of netwright, whose import it blocks (and that
of safetensors, so that ``model.py`` has to read its weights by itself).

The request holds ``inputs`` (key to ``.npy`` file; ``probe`` is network input, all others are stored values that go
through the model's ``prepare``), ``targets`` of some (for the model's ``compact``), ``batch``, ``threads``, ``path``
(where else packages lie), ``export`` (by which exporter model.onnx is to be written first; empty for none), ``onnx``
(whether to run model.onnx), ``blocked`` (further packages not to be imported), ``progress`` (a file that is touched
whenever a part of the inputs is done, so that a long run differs from one that hangs) and ``result``. A model whose
answers cost the same however many are asked for says ``AT_ONCE``. The outputs are written as ``RUNTIME-KEY.npy``;
``alone`` is the probe, one input at a time.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import platform
import sys
import warnings
from collections.abc import Collection, Iterator
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

    Outputs = dict[str, npt.NDArray[Any]]

BLOCKED = ("netwright", "safetensors")
_MOST_AT_ONCE = 64  # 4 take up to three times as long, 256 no longer fit the caches of a processor
_MOST_VALUES = 1 << 20  # of the examples in one batch, so that large ones fit, too


class Block(MetaPathFinder):
    """Refuses to import packages that an exported network must do without."""

    def __init__(self, packages: Collection[str]) -> None:
        self.packages = packages

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Refuse the blocked ones, leave all others to the usual finders."""
        if fullname.split(".", maxsplit=1)[0] in self.packages:
            raise ImportError(f"{fullname} is not available to an exported network", name=fullname)


def main(request_file: str) -> None:
    """Do what the request says, and write ``result``."""
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    sys.meta_path.insert(0, Block({*BLOCKED, *request["blocked"]}))
    sys.path.extend(request["path"])
    import torch

    torch.set_num_threads(request["threads"])
    module = _import_model()
    model = module.load(".")
    batch = max(request["batch"], getattr(module, "AT_ONCE", 0))
    progress = Path(request["progress"])
    inputs = {key: _Inputs(key, file, batch, module, progress) for key, file in request["inputs"].items()}
    result: dict[str, Any] = {
        "params": sum(p.numel() for p in model.parameters()),
        "class_names": list(module.CLASS_NAMES),
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
    }
    kept = _Kept(module, {key: _read(file) for key, file in request["targets"].items()})
    _save("torch", _run_torch(model, inputs, kept))
    if request["export"]:
        result["opset"] = export_onnx(model, _read(request["inputs"]["probe"]), dynamo=request["export"] == "dynamo")
        if hasattr(module, "finish_onnx"):
            module.finish_onnx("model.onnx")
    if request["onnx"]:
        import onnxruntime

        result["versions"]["onnxruntime"] = onnxruntime.__version__
        _save("onnxruntime", _run_onnx(inputs, request["threads"], kept))
    Path(request["result"]).write_text(json.dumps(result), encoding="utf-8")


def export_onnx(model: torch.nn.Module, example: torch.Tensor, *, dynamo: bool) -> int:
    """Write ``model.onnx``, one file, with a batch of any size; return its opset."""
    import onnx
    import torch

    logging.disable(logging.WARNING)
    names: dict[str, Any] = {"input_names": ["input"], "output_names": ["output"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            batch = {0: torch.export.Dim("batch", min=1)}
            torch.onnx.export(
                model, (example,), "model.onnx", dynamo=True, dynamic_shapes=(batch,), external_data=False, **names
            )
        else:
            axes = {"input": {0: "batch"}, "output": {0: "batch"}}
            torch.onnx.export(model, (example,), "model.onnx", dynamo=False, dynamic_axes=axes, **names)
    written = onnx.load_model("model.onnx", load_external_data=False)
    return int(next(entry.version for entry in written.opset_import if entry.domain in ("", "ai.onnx")))


def _import_model() -> ModuleType:
    spec = importlib.util.spec_from_file_location("model", "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["model"] = module
    spec.loader.exec_module(module)
    return module


def _read(file: str) -> torch.Tensor:
    import numpy as np
    import torch

    return torch.from_numpy(np.load(file, allow_pickle=False))


class _Inputs:
    """Inputs as they are stored, made the network's a part at a time: as float32 they may be more than memory.

    Args:
        key: ``probe`` for what is network input already; it is run in as large parts as when its outputs were
            recorded, examples in larger ones.
        file: of the array.
        batch: inputs at once, at least.
        module: ``model.py``.
        progress: is touched when a part is done.
    """

    def __init__(self, key: str, file: str, batch: int, module: ModuleType, progress: Path) -> None:
        import numpy as np

        self.progress = progress
        self.stored = np.load(file, mmap_mode="r", allow_pickle=False)
        self.prepare = None if key == "probe" else module.prepare
        fit = _MOST_VALUES * len(self.stored) // max(1, self.stored.size)
        self.step = batch if key == "probe" else max(batch, min(_MOST_AT_ONCE, fit))

    def parts(self, step: int = 0) -> Iterator[tuple[int, torch.Tensor]]:
        """The parts that a runtime gets at once, each with the number of its first input."""
        import numpy as np
        import torch

        step = step or self.step
        for start in range(0, len(self.stored), step):
            part = torch.from_numpy(np.array(self.stored[start : start + step]))
            yield start, part if self.prepare is None else self.prepare(part)
            self.progress.touch()


class _Kept:
    """What is kept of outputs: all, or what the model's ``compact`` makes of them and of targets.

    Args:
        module: ``model.py``.
        targets: by key of the inputs.
    """

    def __init__(self, module: ModuleType, targets: dict[str, torch.Tensor]) -> None:
        self.compact = getattr(module, "compact", None)
        self.targets = targets if self.compact is not None else {}

    def of(self, key: str, outputs: torch.Tensor, start: int) -> torch.Tensor:
        """Of the outputs of the inputs from ``start`` on."""
        if self.compact is None or key not in self.targets:
            return outputs
        kept: torch.Tensor = self.compact(outputs, self.targets[key][start : start + len(outputs)])
        return kept


def _run_torch(model: torch.nn.Module, inputs: dict[str, _Inputs], kept: _Kept) -> Outputs:
    import torch

    with torch.inference_mode():
        return {
            key: torch.cat([kept.of(key, model(part), start) for start, part in x.parts()]).to(torch.float64).numpy()
            for key, x in inputs.items()
        }


def _run_onnx(inputs: dict[str, _Inputs], threads: int, kept: _Kept) -> Outputs:
    import numpy as np
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    model = Path("model.onnx").read_bytes()  # by its bytes, so that no other file can be drawn in
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(session.run(None, {name: x.numpy()})[0])

    outputs = {
        key: torch.cat([kept.of(key, run(part), start) for start, part in x.parts()]).numpy()
        for key, x in inputs.items()
    }
    outputs["alone"] = np.concatenate([run(one).numpy() for _, one in inputs["probe"].parts(1)])
    return outputs


def _save(runtime: str, outputs: Outputs) -> None:
    import numpy as np

    for name, array in outputs.items():
        np.save(f"{runtime}-{name}.npy", array.astype("<f8"), allow_pickle=False)


if __name__ == "__main__":
    main(sys.argv[1])
