"""ExecuTorch, PyTorch's runtime for phones and boards, with XNNPACK on the CPU.

Importing and lowering take tens of seconds. The number of its threads is that of the process, and stays as it is set.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from netwright.evaluation.latency.base import Array, Prepared, needing, refused
from netwright.evaluation.latency.spec import LatencySpec

if TYPE_CHECKING:
    from torch import nn


@contextmanager
def prepare(model: nn.Module, examples: Array, spec: LatencySpec) -> Iterator[Prepared]:
    """Lower the network to XNNPACK and load the program.

    Raises:
        MissingDependencyError: executorch is not installed.
        CapabilityError: the network cannot be exported or lowered, such as one whose control flow depends on data.
    """
    import torch

    tensor = torch.from_numpy(examples[: spec.batch])
    with _quiet():
        program = _lower(model, tensor)
        runtime = _import("executorch.runtime")
        with refused("executorch does not load the network"):
            bindings = _import("executorch.extension.pybindings.portable_lib")
            bindings._unsafe_reset_threadpool(spec.threads)  # noqa: SLF001 - the only way; none runs meanwhile
            loaded = runtime.Runtime.get().load_program(program)  # which the method needs to stay alive
            method = loaded.load_method("forward")
    yield Prepared(
        lambda: method.execute([tensor]),
        lambda x: cast(Array, method.execute([torch.from_numpy(x)])[0].float().numpy().copy()),
    )
    del loaded


def _lower(model: nn.Module, tensor: Any) -> bytes:
    import torch

    exir = _import("executorch.exir")
    xnnpack = _import("executorch.backends.xnnpack.partition.xnnpack_partitioner")
    with refused("the network does not lower to executorch"):
        with torch.no_grad():
            exported = torch.export.export(model, (tensor,))
        edge = exir.to_edge_transform_and_lower(exported, partitioner=[xnnpack.XnnpackPartitioner()])
        return bytes(edge.to_executorch().buffer)


def _import(name: str) -> Any:
    return needing(name, "executorch", "latency in executorch")


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what the packages say about each other; the level of logging is put back."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
