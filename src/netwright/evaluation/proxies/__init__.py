"""Zero-cost proxies: scores of untrained networks, larger is better, from a few passes over one batch.

A proxy is one file with a constant ``PROXY`` (or ``PROXIES``, several that belong together); it is known once its
module stands in `MODULES` below. Which of them say anything on a person's data is measured, not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import process_time
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING

from netwright.errors import CapabilityError, SpecError, unknown
from netwright.evaluation.proxies import (
    az_nas,
    epe_nas,
    fisher,
    grad_norm,
    grasp,
    jacob_cov,
    l2,
    naswot,
    plain,
    sizes,
    snip,
    swap,
    synflow,
    vkdnw,
    zen,
    zico,
)
from netwright.evaluation.proxies.base import Need, Proxy
from netwright.evaluation.proxies.probe import Probe

if TYPE_CHECKING:
    from torch import Tensor, nn

MODULES: tuple[ModuleType, ...] = (
    sizes,
    grad_norm,
    plain,
    l2,
    snip,
    grasp,
    fisher,
    synflow,
    jacob_cov,
    naswot,
    epe_nas,
    zen,
    zico,
    swap,
    az_nas,
    vkdnw,
)


def _collect(modules: Sequence[ModuleType]) -> Mapping[str, Proxy]:
    found = [proxy for module in modules for proxy in getattr(module, "PROXIES", None) or (module.PROXY,)]
    return MappingProxyType({proxy.name: proxy for proxy in found})


PROXIES = _collect(MODULES)
"""Every proxy by its name."""


@dataclass(frozen=True, slots=True)
class ProxyScores:
    """What proxies say of a network.

    Args:
        values: score by name, larger is thought to be better; NaN and infinity are possible, and rank last.
        unusable: why a proxy is not for this network or this data, by name.
        time_s: processor seconds of all of them together.
    """

    values: Mapping[str, float]
    unusable: Mapping[str, str]
    time_s: float


def proxy_names() -> tuple[str, ...]:
    """Names of all proxies, in the order in which tables show them."""
    return tuple(PROXIES)


def score(model: nn.Module, inputs: Tensor, labels: Tensor | None, names: Sequence[str], seed: int = 0) -> ProxyScores:
    """Score a network by proxies, which share passes; afterwards the network is as it was.

    Args:
        model: with its first weights.
        inputs: one batch, shape (batch, ...), float32 or whole numbers (tokens), on the device of the network.
        labels: classes, shape (batch,), or None.
        names: of proxies.
        seed: of what they draw, >= 0.

    Returns:
        A score or a reason for every name.

    Raises:
        SpecError: there is no such proxy.
        CapabilityError: the batch is empty, or inputs and labels differ in number.
    """
    for name in names:
        if name not in PROXIES:
            raise SpecError(unknown("proxy", name, PROXIES))
    begin_s = process_time()
    values: dict[str, float] = {}
    unusable: dict[str, str] = {}
    with Probe(model, inputs, labels, seed=seed) as probe:
        for name in dict.fromkeys(names):
            try:
                reason = PROXIES[name].why_not(probe)
                if reason is None:
                    values[name] = float(PROXIES[name].score(probe))
                    continue
            except CapabilityError as error:
                reason = f"{name} is not for this network: {error}"
            unusable[name] = reason
    return ProxyScores(values, unusable, process_time() - begin_s)


__all__ = ["PROXIES", "Need", "Probe", "Proxy", "ProxyScores", "proxy_names", "score"]
