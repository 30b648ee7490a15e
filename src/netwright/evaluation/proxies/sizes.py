"""Sizes as scores: the baselines that every other proxy has to be better than.

They are read from the network itself, so that they are there for networks of one's own too; of an architecture of a
search space, `netwright.nn.profiling` knows them without building it.

References:
    A. Krishnakumar et al., 2022, "NAS-Bench-Suite-Zero", which shows that few proxies do better on every task.
"""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from netwright.evaluation.proxies.base import Proxy
from netwright.evaluation.proxies.probe import Probe
from netwright.evaluation.proxies.recording import without_norms

Node = torch.autograd.graph.Node


def params(probe: Probe) -> float:
    """Number of trained parameters.

    Args:
        probe: of any network.
    """
    return float(sum(p.numel() for p in probe.model.parameters() if p.requires_grad))


def macs(probe: Probe) -> float:
    """Multiply-accumulates of convolutions and matrix products for one example, counted as they are done.

    Args:
        probe: of any network.
    """
    with without_norms(probe.model), FlopCounterMode(display=False) as counter:
        probe.forward(probe.inputs[:1])
    return float(counter.get_total_flops()) / 2


def depth(probe: Probe) -> float:
    """Longest chain of layers that hold weights of two dimensions or more, by torch's graph.

    Args:
        probe: of any network.
    """
    layers = {output.value.grad_fn for output in probe.layer_outputs}
    found: dict[Node | None, int] = {None: 0}
    waiting = [probe.outputs.grad_fn]
    while waiting:
        node = waiting[-1]
        before = [parent for parent, _ in node.next_functions] if node is not None else []
        unknown = [parent for parent in before if parent not in found]
        if unknown:
            waiting += unknown
            continue
        waiting.pop()
        found.setdefault(node, max((found[parent] for parent in before), default=0) + (node in layers))
    return float(found[probe.outputs.grad_fn])


PROXIES = (Proxy("params", params), Proxy("macs", macs), Proxy("depth", depth))
