"""PyTorch as it is: operation by operation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from netwright.evaluation.latency.base import Array, Prepared
from netwright.evaluation.latency.spec import LatencySpec

if TYPE_CHECKING:
    from torch import nn


@contextmanager
def prepare(model: nn.Module, examples: Array, spec: LatencySpec) -> Iterator[Prepared]:
    """Run the network itself; the number of torch's threads is put back afterwards."""
    import torch

    tensor = torch.from_numpy(examples[: spec.batch])

    def run() -> object:
        with torch.inference_mode():
            return model(tensor)

    def outputs(x: Array) -> Array:
        with torch.inference_mode():
            found = model(torch.from_numpy(x))
        first = found[0] if isinstance(found, (tuple, list)) else found
        return cast(Array, first.float().numpy())

    with torch_threads(spec.threads):
        yield Prepared(run, outputs)


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Set the number of torch's threads for the time of the block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
