"""A look into an ONNX file before any runtime loads it: it must hold all its data itself."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING

from netwright.errors import ExportError, MissingDependencyError, shorten

if TYPE_CHECKING:
    import onnx

PACKAGES = ("onnx", "onnxruntime")


def missing_package(also: tuple[str, ...] = ()) -> MissingDependencyError | None:
    """The error that names the first package ONNX files need and that is not installed; None if all are."""
    for package in (*PACKAGES, *also):
        if importlib.util.find_spec(package) is None:
            return MissingDependencyError(package, "onnx", "an ONNX file")
    return None


def check_onnx(data: bytes) -> None:
    """Refuse a file that is no ONNX model or refers to data in other files.

    Raises:
        ExportError: says what is wrong, and names the reference.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # has no stubs

    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise ExportError(f"model.onnx is no ONNX file ({error})") from error
    if not model.graph.node or not model.opset_import:
        raise ExportError("model.onnx is no ONNX file: it has no operations")
    for tensor in _tensors(model):
        if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
            location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
            raise ExportError(
                f"model.onnx keeps the data of {shorten(tensor.name)} in another file ({shorten(location)}); "
                "an export is one file: give the one that was exported"
            )


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    yield from _graph_tensors(model.graph)
    for function in model.functions:
        yield from _node_tensors(function.node)
    for training in model.training_info:
        yield from _graph_tensors(training.initialization)
        yield from _graph_tensors(training.algorithm)


def _graph_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _node_tensors(graph.node)


def _node_tensors(nodes: object) -> Iterator[onnx.TensorProto]:
    for node in nodes:  # type: ignore[attr-defined]  # a repeated field of NodeProto
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            if attribute.HasField("g"):
                yield from _graph_tensors(attribute.g)
            for graph in attribute.graphs:
                yield from _graph_tensors(graph)
