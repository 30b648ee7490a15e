"""SWAP: how many different patterns ReLU units show over a batch.

References:
    Y. Peng et al., 2024, "SWAP-NAS: Sample-Wise Activation Patterns for Ultra-fast NAS", definitions 3.2
    and 3.3 (equation 4): the number of distinct columns of the binary matrix (examples x units). Not regularised by the
    number of parameters (equations 5 and 6), whose centre and width there are tuned for each space. Units of one pass
    in the batch's order.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from netwright.evaluation.proxies.base import Need, Proxy
from netwright.evaluation.proxies.probe import Probe
from netwright.evaluation.proxies.recording import RELU

MOST_EXAMPLES = 32
"""A pattern is a whole number of so many bits. Of 16 there are only 65,536, fewer than units of a large network."""


class Patterns(TorchFunctionMode):
    """Notes the pattern of every ReLU unit within a pass.

    Args:
        batch: examples in the pass, in [1, 62]. What has another first dimension is not noted.

    Attributes:
        found: patterns, each as a whole number whose bit i says whether the unit is active on example i.
    """

    def __init__(self, batch: int) -> None:
        super().__init__()
        self.batch = batch
        self.found: list[Tensor] = []

    def __torch_function__(  # type: ignore[no-untyped-def]  # torch's protocol
        self, func: Callable[..., Tensor], types, args=(), kwargs=None
    ):
        kwargs = kwargs or {}
        if func in RELU:
            value = args[0] if args else kwargs["input"]
            if value.ndim > 1 and len(value) == self.batch:
                self.found.append(self._pattern(value))
        return func(*args, **kwargs)

    def _pattern(self, value: Tensor) -> Tensor:
        pattern = torch.zeros(value[0].numel(), dtype=torch.int64, device=value.device)
        for bit, row in enumerate((value.detach() > 0).flatten(1)):
            pattern |= row.to(torch.int64) << bit
        return _distinct(pattern)  # a layer's repeats are dropped at once: they are most of the memory


def swap(probe: Probe) -> float:
    """Number of distinct patterns of ReLU units over at most 32 examples.

    Args:
        probe: of a network with ReLUs, with at least two examples.
    """
    inputs = probe.inputs[:MOST_EXAMPLES]
    with Patterns(len(inputs)) as patterns, torch.no_grad():
        probe.forward(inputs)
    return float(len(_distinct(torch.cat(patterns.found)))) if patterns.found else 0.0


def _distinct(values: Tensor) -> Tensor:
    ordered = values.sort().values
    new = torch.ones(len(ordered), dtype=torch.bool, device=ordered.device)
    new[1:] = ordered[1:] != ordered[:-1]
    return ordered[new]


PROXY = Proxy("swap", swap, frozenset({Need.RELU, Need.SEVERAL}), "Peng et al., 2024")
