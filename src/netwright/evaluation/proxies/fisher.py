"""Fisher: how much the loss would change if single channels were taken away.

References:
    J. Turner et al., 2020, "BlockSwap: Fisher-guided Block Substitution for Network Compression on a Budget"
    (its Fisher potential); M. Abdelfattah et al., 2021, "Zero-Cost Proxies for Lightweight NAS", section 3.2:
    for each channel of a layer's output, half the mean over examples of the squared sum over positions of activation
    times gradient; summed over channels and layers.
    Layers are all that hold weights of two dimensions or more (recurrent layers and attention too), and gradients are
    those of the mean loss, as in the second paper's code, so that scores depend on the size of the batch. Of a layer
    that gives several tensors the first is looked at: a recurrent layer of which only the last state is used adds 0.
"""

from __future__ import annotations

from torch import Tensor, nn

from netwright.evaluation.proxies.base import Need, Proxy
from netwright.evaluation.proxies.probe import Layer, Probe

CHANNELS_FIRST = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)


def fisher(probe: Probe) -> float:
    """Sum over layers and channels of the loss of taking a channel away, to second order.

    Args:
        probe: with labels.
    """
    return sum(_of_layer(layer, probe.model) for layer in probe.layers)


def _of_layer(layer: Layer, model: nn.Module) -> float:
    channels = 1 if isinstance(model.get_submodule(layer.name), CHANNELS_FIRST) else -1
    by_channel: Tensor = (layer.output * layer.gradient).movedim(channels, -1)
    summed = by_channel.flatten(1, -2).sum(1) if by_channel.ndim > 2 else by_channel
    return float(summed.square().mean(0).sum() / 2)


PROXY = Proxy("fisher", fisher, frozenset({Need.LABELS, Need.WEIGHTS}), "Turner et al., 2020")
