"""Zen: how strongly a network with Gaussian weights answers to small changes of Gaussian inputs.

References:
    M. Lin et al., 2021, "Zen-NAS: A Zero-Shot NAS for High-Performance Image Recognition", algorithm 1: weights and
    inputs are drawn from N(0, 1); the logarithm of the mean change of the last features, for a change of the inputs by
    0.01 times N(0, 1), plus for each BatchNorm the logarithm of the root of the mean variance that it divides by.
    Deviations: drawn once, not 32 times; the change is the sum of the absolute ones of an example, as in the authors'
    code, not their norm; residual connections stay, since not every network has one to take out (the published
    correlations on cell spaces leave them too); LayerNorm and GroupNorm count like BatchNorm, so that the scale they
    take away is not lost; a norm whose input never varies counts nothing; the last features are those of the last layer
    before pooling that gives a value at more than one position, or else the outputs. Labels and data are not used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from netwright.evaluation.proxies.base import Need, Proxy
from netwright.evaluation.proxies.probe import Probe
from netwright.evaluation.proxies.recording import BATCH_NORMS

CHANGE = 0.01
NORMS = (*BATCH_NORMS, nn.LayerNorm, nn.GroupNorm)
POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)


def zen(probe: Probe) -> float:
    """Logarithm of the mean change of the last features, rescaled by what norms took away.

    Args:
        probe: with inputs that are real numbers; of them only the shape is used.
    """
    generator = probe.generator()
    tensors = _gaussian(probe.model, generator)
    inputs = torch.randn(probe.inputs.shape, generator=generator).to(probe.inputs.device)
    moved = inputs + CHANGE * torch.randn(inputs.shape, generator=generator).to(inputs.device)
    with _variances(probe.model) as variances:
        before = _features(probe, inputs, tensors)
    change = (_features(probe, moved, tensors) - before).abs().flatten(1).sum(1).mean()
    return float(change.double().log() + sum(variance.double().log() / 2 for variance in variances))


def _gaussian(model: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    """Weights from N(0, 1); scales of norms 1, biases 0."""
    found: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        if parameter.ndim >= 2:
            drawn = torch.randn(parameter.shape, generator=generator)
            found[name] = drawn.to(parameter.device)
        else:
            value = torch.ones_like if name.endswith("weight") else torch.zeros_like
            found[name] = value(parameter).detach()
    return found


def _features(probe: Probe, inputs: Tensor, tensors: dict[str, Tensor]) -> Tensor:
    """The last map of features (batch, channels, positions ...) or sequence, or the outputs."""
    last: list[Tensor] = []

    def note(_module: nn.Module, _args: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim >= max(3, inputs.ndim) and _positions(output.shape) > 1:
            last[:] = [output]

    leaves = [m for m in probe.model.modules() if not list(m.children()) and not isinstance(m, POOLS)]
    with ExitStack() as stack:
        for leaf in leaves:
            stack.callback(leaf.register_forward_hook(note).remove)
        outputs = probe.forward(inputs, tensors)
    return (last[0] if last else outputs).detach()


def _positions(shape: Sequence[int]) -> int:
    """Positions of a map; of a sequence (batch, positions, features), its length."""
    return shape[1] if len(shape) == 3 else int(torch.Size(shape[2:]).numel())


@contextmanager
def _variances(model: nn.Module) -> Iterator[list[Tensor]]:
    """Within it, each norm whose input varies notes the mean of the variances that it divides by."""
    found: list[Tensor] = []

    def note(norm: nn.Module, args: tuple[Tensor, ...]) -> None:
        value = args[0].detach()
        if isinstance(norm, nn.LayerNorm):
            dims = list(range(value.ndim - len(norm.normalized_shape), value.ndim))
        elif isinstance(norm, nn.GroupNorm):
            value, dims = value.reshape(len(value), norm.num_groups, -1), [2]
        else:
            dims = [dim for dim in range(value.ndim) if dim != 1]
        variance = value.var(dims, correction=0).mean()
        if variance > 0:  # of a branch that nothing reaches, a norm takes no scale away
            found.append(variance)

    with ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, NORMS):
                stack.callback(module.register_forward_pre_hook(note).remove)
        yield found


PROXY = Proxy("zen", zen, frozenset({Need.WEIGHTS, Need.REAL_INPUTS}), "Lin et al., 2021")
