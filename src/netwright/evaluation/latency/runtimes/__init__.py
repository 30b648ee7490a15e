"""The runtimes that latency is measured in, by name; one file each.

A further one is a function of `base.Prepare`'s kind and a line here and in `netwright.runtimes.RUNTIMES`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from types import MappingProxyType

from netwright.errors import MissingDependencyError
from netwright.evaluation.latency.base import Prepared, Runtime
from netwright.evaluation.latency.device import require_program
from netwright.evaluation.latency.runtimes import executorch, onnxruntime, openvino, torch_compile, torch_eager
from netwright.evaluation.latency.spec import LatencySpec
from netwright.runtimes import DEVICE, RuntimeName

LOCAL: Mapping[RuntimeName, Runtime] = MappingProxyType(
    {
        "torch": Runtime((), "", torch_eager.prepare),
        "torch.compile": Runtime((), "", torch_compile.prepare),
        "onnxruntime": Runtime(("onnx", "onnxruntime"), "onnx", onnxruntime.prepare),
        "openvino": Runtime(("onnx", "openvino"), "openvino", openvino.prepare),
        "executorch": Runtime(("executorch",), "executorch", executorch.prepare),
    }
)
"""All but a device elsewhere."""


def require_runtime(spec: LatencySpec) -> None:
    """Check, without importing any, that the packages or the program which a measurement needs are there.

    Raises:
        MissingDependencyError: a package is not installed; names it and the extra.
        SpecError: there is no such program.
    """
    needed = (
        [(name, LOCAL[spec.runtime].extra) for name in LOCAL[spec.runtime].packages] if spec.runtime in LOCAL else []
    )
    needed += [("onnx", "onnx")] if spec.runtime == DEVICE else []
    needed += [("onnx", "onnx"), ("onnxruntime", "onnx")] if spec.precision == "int8" else []
    for package, extra in needed:
        if importlib.util.find_spec(package) is None:
            raise MissingDependencyError(package, extra, f"latency in {spec.runtime}")
    if spec.runtime == DEVICE:
        require_program(spec.device_command)


__all__ = ["LOCAL", "Prepared", "Runtime", "require_runtime"]
