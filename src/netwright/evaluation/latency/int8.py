"""A network quantised to 8 bits after training: ONNX with ranges measured on examples, as ONNX Runtime writes it.

Weights are signed, one scale a channel, in 7 of the 8 bits: processors without VNNI add pairs of products in 16 bits,
which 8 bits overflow. Activations are unsigned, between the least and the greatest value that the examples gave.

References:
    Jacob, Kligys, Chen, Zhu, Tang, Howard, Adam, Kalenichenko (2018), Quantization and Training of Neural Networks
    for Efficient Integer-Arithmetic-Only Inference: the affine scheme of section 2.1. Ours quantises after training
    and per channel, without the training of section 3.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netwright.evaluation.latency.base import Array, needing, refused
from netwright.evaluation.latency.onnx_file import to_onnx
from netwright.evaluation.latency.spec import LatencySpec
from netwright.temporary import temporary_folder

if TYPE_CHECKING:
    from torch import nn

MOST_EXAMPLES = 256
"""That ranges are measured on; more hardly change them."""


def calibration_rows(count: int) -> NDArray[np.int64]:
    """Which of so many training images ranges are measured on: at most 256 at random, always the same."""
    return np.random.default_rng(0).permutation(count)[:MOST_EXAMPLES]


def onnx_of(model: nn.Module, examples: Array, spec: LatencySpec) -> bytes:
    """The ONNX file that a runtime is to measure, for ``spec.batch`` inputs at once, in ``spec.precision``.

    Args:
        model: in evaluation mode.
        examples: (N >= batch, *input shape).
        spec: batch and precision.

    Raises:
        MissingDependencyError: a package is not installed.
        CapabilityError: the network cannot be exported or quantised.
    """
    data = to_onnx(model, examples[: spec.batch])
    return quantise(data, examples, spec.batch) if spec.precision == "int8" else data


def quantise(data: bytes, examples: Array, batch: int) -> bytes:
    """Quantise an ONNX file.

    Args:
        data: a file for inputs of one shape.
        examples: (N >= 1, *input shape); the first 256 are used.
        batch: of that shape.

    Raises:
        MissingDependencyError: onnx or onnxruntime is not installed.
        CapabilityError: onnxruntime cannot quantise the network.
    """
    onnx = needing("onnx", "onnx", "int8")
    tools = needing("onnxruntime.quantization", "onnx", "int8")
    shapes = needing("onnxruntime.quantization.shape_inference", "onnx", "int8")
    model = onnx.load_model_from_string(data)
    name = model.graph.input[0].name
    with temporary_folder() as folder, refused("onnxruntime does not quantise the network"), _quiet():
        # folds batch norm into convolutions; the symbolic inference of shapes is for files of any batch
        shapes.quant_pre_process(model, folder / "simple.onnx", skip_symbolic_shape=True)
        tools.quantize_static(
            folder / "simple.onnx",
            folder / "int8.onnx",
            _reader(tools.CalibrationDataReader, name, examples[:MOST_EXAMPLES], batch),
            quant_format=tools.QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=tools.QuantType.QUInt8,
            weight_type=tools.QuantType.QInt8,
        )
        return (folder / "int8.onnx").read_bytes()


def batches(examples: Array, batch: int) -> Iterator[Array]:
    """Examples in batches of one size; the last is filled up with the first ones.

    Example:
        >>> [b.tolist() for b in batches(np.arange(3, dtype=np.float32), 2)]
        [[0.0, 1.0], [2.0, 0.0]]
    """
    for start in range(0, len(examples), batch):
        yield np.ascontiguousarray(np.take(examples, range(start, start + batch), axis=0, mode="wrap"))


def _reader(base: type, name: str, examples: Array, batch: int) -> object:
    """What gives onnxruntime one batch after the other; it has to be of its own class."""
    feeds = iter([{name: part} for part in batches(examples, batch)])
    return type("Reader", (base,), {"get_next": lambda _: next(feeds, None)})()


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back advice that is meant for those who call the quantiser themselves."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)
