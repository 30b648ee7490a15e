"""ONNX Runtime on the CPU, in float32 or quantised to 8 bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from netwright.evaluation.latency.base import Array, Prepared, needing, refused
from netwright.evaluation.latency.int8 import onnx_of
from netwright.evaluation.latency.spec import LatencySpec

if TYPE_CHECKING:
    from torch import nn


@contextmanager
def prepare(model: nn.Module, examples: Array, spec: LatencySpec) -> Iterator[Prepared]:
    """Make a session of the exported network.

    Raises:
        MissingDependencyError: onnx or onnxruntime is not installed.
        CapabilityError: the network does not export, or the runtime does not take it.
    """
    onnxruntime = needing("onnxruntime", "onnx", "latency in onnxruntime")
    data = onnx_of(model, examples, spec)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = spec.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    with refused("onnxruntime does not take the network"):
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    feed = {name: examples[: spec.batch]}
    yield Prepared(lambda: session.run(None, feed), lambda x: cast(Array, session.run(None, {name: x})[0]))
