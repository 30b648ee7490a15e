"""Names of what latency is measured in. Knows no runtime, so that options can be checked without loading one."""

from __future__ import annotations

from typing import Literal

RuntimeName = Literal["torch", "torch.compile", "onnxruntime", "openvino", "executorch", "device"]
Precision = Literal["float32", "int8"]

DEVICE: RuntimeName = "device"
"""The runtime that is a command of the user's, for a device elsewhere."""

RUNTIMES: tuple[RuntimeName, ...] = ("torch", "torch.compile", "onnxruntime", "openvino", "executorch", DEVICE)
PRECISIONS: tuple[Precision, ...] = ("float32", "int8")
INT8_RUNTIMES: tuple[RuntimeName, ...] = ("onnxruntime", "openvino", DEVICE)
"""What runs a network quantised to 8 bits: all that run an ONNX file."""
