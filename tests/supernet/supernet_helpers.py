"""Subnets beside the networks that are taken out, for tests of supernets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from netwright.errors import BuildError
from netwright.supernet import Supernet
from netwright.types import Architecture


def buildable(supernet: Supernet, count: int, seed: int = 1) -> list[Architecture]:
    """Random architectures whose networks can be built."""
    rng, found = np.random.default_rng(seed), list[Architecture]()
    for _ in range(50 * count):
        architecture = supernet.space.sample(rng)
        try:
            supernet.networks(architecture)
        except BuildError:
            continue
        found.append(architecture)
        if len(found) == count:
            break
    assert len(found) == count
    return found


def unequal(
    supernet: Supernet, architecture: Architecture, x: torch.Tensor, loss: Callable[[torch.Tensor], torch.Tensor]
) -> list[str]:
    """What differs between a subnet and the network that was taken out: outputs, and weights after a step."""
    plain, subnet = supernet.extract(architecture), supernet.subnet(architecture)
    subnet.model.load_state_dict(plain.state_dict())  # the statistics of its norms; its weights are not used
    for model in (plain, subnet.model):
        model.train()
    rule = {"lr": 1e-3, "momentum": 0.9, "weight_decay": 1e-2}
    outputs = []
    for forward, parameters in ((plain, list(plain.parameters())), (subnet, supernet.parameters())):
        optimiser = torch.optim.SGD(parameters, **rule)
        optimiser.zero_grad()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            out = forward(x)
        loss(out).backward()
        optimiser.step()
        outputs.append(out)
    names = [name for name, own in plain.named_parameters() if not torch.equal(own, subnet.weight(name))]
    return names if torch.equal(*outputs) else ["outputs", *names]
