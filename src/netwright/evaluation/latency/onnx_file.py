"""A network as an ONNX file for inputs of one shape. Knows no runtime."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from netwright.evaluation.latency.base import needing, refused

if TYPE_CHECKING:
    from torch import nn


def to_onnx(model: nn.Module, example: NDArray[np.float32]) -> bytes:
    """Export a network by tracing it.

    Where the flow of control depends on data, the file does what the network does on this example.

    Args:
        model: in evaluation mode.
        example: (batch, *input shape); the file takes inputs of this shape alone.

    Raises:
        MissingDependencyError: the package onnx is not installed.
        CapabilityError: the network cannot be written in ONNX.
    """
    needing("onnx", "onnx", "an ONNX file")
    import torch

    buffer = io.BytesIO()
    exporter: Any = torch.onnx.export
    with refused("the network does not export to ONNX"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own future
        exporter(model, (torch.from_numpy(example),), buffer, dynamo=False)
    return buffer.getvalue()
