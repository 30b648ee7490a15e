"""OpenVINO on the CPU, in float32 or quantised to 8 bits, from an ONNX file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from netwright.evaluation.latency.base import Array, Prepared, needing, refused
from netwright.evaluation.latency.int8 import onnx_of
from netwright.evaluation.latency.spec import LatencySpec

if TYPE_CHECKING:
    from torch import nn


@contextmanager
def prepare(model: nn.Module, examples: Array, spec: LatencySpec) -> Iterator[Prepared]:
    """Compile the exported network.

    Raises:
        MissingDependencyError: onnx or openvino is not installed.
        CapabilityError: the network does not export, or the runtime does not take it.
    """
    openvino = needing("openvino", "openvino", "latency in openvino")
    data = onnx_of(model, examples, spec)
    settings = {
        "INFERENCE_NUM_THREADS": spec.threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # where a processor has bf16 it is taken otherwise
    }
    with refused("openvino does not take the network"):
        core = openvino.Core()
        request = core.compile_model(core.read_model(data, b""), "CPU", settings).create_infer_request()
    example = np.ascontiguousarray(examples[: spec.batch])
    tensor = openvino.Tensor(example, shared_memory=True)
    request.set_input_tensor(tensor)

    def outputs(x: Array) -> Array:
        request.infer([x])
        found = np.array(request.get_output_tensor(0).data, dtype=np.float32)
        request.set_input_tensor(tensor)
        return found

    yield Prepared(request.infer, outputs)
