"""torch.compile: operations fused and compiled by a C++ compiler, which takes from half a minute to minutes.

What torch keeps of compiled networks is forgotten afterwards, other compiled functions of the process included: they
are compiled again when they are next called.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from netwright.evaluation.latency.base import Array, Prepared, refused
from netwright.evaluation.latency.runtimes import torch_eager
from netwright.evaluation.latency.spec import LatencySpec

if TYPE_CHECKING:
    from torch import nn


@contextmanager
def prepare(model: nn.Module, examples: Array, spec: LatencySpec) -> Iterator[Prepared]:
    """Compile the network for the example's shape.

    Raises:
        CapabilityError: it cannot be compiled, such as without a C++ compiler.
    """
    import torch

    inductor: Any = importlib.import_module("torch._inductor.config")
    compiled: Any = torch.compile(model, dynamic=False)
    try:
        with torch_eager.prepare(compiled, examples, spec) as network:
            # one process compiles: no pool of workers is left behind in a process that trials are forked from
            with refused("the network does not compile"), inductor.patch(compile_threads=1):
                network.run()
            yield network
    finally:
        torch.compiler.reset()
