"""8 bits: the latency and the accuracy of a quantised network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from netwright.errors import CapabilityError, SpecError
from netwright.evaluation.latency import Accuracy, LatencySpec, RuntimeName, measure_accuracy, measure_latency
from netwright.evaluation.latency.int8 import onnx_of, quantise

ORT8 = LatencySpec(runtime="onnxruntime", precision="int8", budget_s=0.2)


@pytest.fixture
def onnx() -> object:
    """The package onnx; skips without it or without onnxruntime."""
    pytest.importorskip("onnxruntime")
    return pytest.importorskip("onnx")


def stripes() -> tuple[np.ndarray, np.ndarray]:
    """Images (60, 1, 8, 8) of horizontal and of vertical stripes, and which."""
    rng = np.random.default_rng(0)
    wave = np.broadcast_to(np.sin(np.arange(8.0) * 2), (8, 8))
    labels = np.arange(60) % 2
    images = np.stack([wave if label else wave.T for label in labels])[:, None] + 0.1 * rng.normal(size=(60, 1, 8, 8))
    return images.astype(np.float32), labels


def template_network() -> nn.Module:
    """Tells the stripes apart by their templates."""
    wave = torch.sin(torch.arange(8.0) * 2).expand(8, 8)
    model = nn.Sequential(nn.Conv2d(1, 2, 8), nn.ReLU(), nn.Flatten())
    with torch.no_grad():
        model[0].weight.copy_(torch.stack([wave.T, wave])[:, None])
        model[0].bias.zero_()
    return model.eval()


def test_weights_are_8_bits(onnx: object) -> None:
    """The quantised file has int8 weights, a scale a channel, and takes the same input."""
    images, _ = stripes()
    data = onnx_of(template_network(), images, ORT8)
    model = onnx.load_model_from_string(data)  # type: ignore[attr-defined]
    kinds = {tensor.data_type for tensor in model.graph.initializer if len(tensor.dims) == 4}
    assert kinds == {onnx.TensorProto.INT8}  # type: ignore[attr-defined]
    scales = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer if "weight_scale" in tensor.name}
    assert list(scales.values()) == [[2]]


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_quantised_network_is_measured(onnx: object, runtime: RuntimeName) -> None:
    """Its latency says int8, and on easy images it is as right as the network."""
    pytest.importorskip(runtime)
    images, labels = stripes()
    spec = LatencySpec(runtime=runtime, precision="int8", budget_s=0.2, batch=2)
    found = measure_latency(template_network(), (1, 8, 8), spec, examples=images)
    assert found.median_ms > 0
    assert f"{runtime} int8" in str(found)
    assert measure_accuracy(template_network(), images, labels, spec, calibration=images) == Accuracy(60, 60)


def test_accuracy_is_that_of_the_runtime(onnx: object) -> None:
    """Right answers are counted over a last batch that is not full; wrong labels are not right."""
    images, labels = stripes()
    spec = LatencySpec(runtime="torch")
    assert measure_accuracy(template_network(), images[:33], labels[:33], spec, calibration=images) == Accuracy(33, 33)
    assert measure_accuracy(template_network(), images, 1 - labels, spec, calibration=images) == Accuracy(0, 60)


def test_ranges_of_other_images_spoil_the_answers(onnx: object) -> None:
    """Ranges measured on images a thousand times as bright leave no levels: the accuracy of int8 is measured."""
    images, labels = stripes()
    found = measure_accuracy(template_network(), images, labels, ORT8, calibration=images * 1000)
    assert found.correct < 60


def test_the_interval_of_an_accuracy() -> None:
    """All right of ten is not certain to be all right of all."""
    low, high = Accuracy(10, 10).interval
    assert (round(low, 3), round(high, 3)) == (0.722, 1.0)


@pytest.mark.parametrize("count", [0, 3])
def test_labels_must_fit(count: int) -> None:
    """One label for each image, and some images."""
    with pytest.raises(SpecError, match="labels must be one for each of >= 1 images"):
        measure_accuracy(
            nn.Flatten(),
            np.zeros((count, 2), np.float32),
            np.zeros(4, int),
            LatencySpec(),
            calibration=np.zeros((1, 2), np.float32),
        )


def test_what_cannot_be_quantised_says_so(onnx: object) -> None:
    """A file that is no model is refused in our words."""
    with pytest.raises(CapabilityError, match="onnxruntime does not quantise the network: "):
        quantise(
            onnx.ModelProto(
                graph=onnx.GraphProto(input=[onnx.ValueInfoProto(name="x")], node=[onnx.NodeProto(op_type="Nonsense")])
            ).SerializeToString(),
            np.zeros((1, 2), np.float32),
            1,
        )  # type: ignore[attr-defined]
