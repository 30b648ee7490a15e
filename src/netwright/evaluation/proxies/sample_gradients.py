"""Gradients of a network's outputs for each example of a batch, by one weight of every layer.

One pass forward; then, for each draw, one pass back to the layers' outputs only: no gradient of a whole weight is
made. With BatchNorm a weight also acts on an example through the statistics of the batch; what is told of an example is
the part of the gradient that goes through its own outputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netwright.errors import CapabilityError
from netwright.evaluation.proxies.probe import Probe, gradients_of

Layer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a layer in a pass.

    Args:
        factor: what the layer's weight [0, 0, centre] is multiplied by, shape (batch, positions).
        output: with its graph, shape (batch, ...).
        channel_last: whether channels are the last dimension of the output, else the second.
    """

    factor: Tensor
    output: Tensor
    channel_last: bool

    def gradient(self, by_output: Tensor) -> Tensor:
        """By that weight, for each example, shape (batch,).

        Args:
            by_output: gradient by the output, of its shape.
        """
        channel = by_output[..., 0] if self.channel_last else by_output[:, 0]
        return (channel.reshape(self.factor.shape) * self.factor).sum(dim=1)


def fisher_gradients(probe: Probe, most_examples: int, draws: int) -> Tensor:
    """Rows g whose mean of g g^T is the Fisher information of one weight a layer, in expectation.

    Outputs are weighted by draws from a normal distribution with the covariance of a label that the network itself
    gives the example; the outer products of the true gradients by labels have the same mean. Needs no labels.

    Args:
        probe: of a network with convolutions or linear layers.
        most_examples: of the batch, >= 1.
        draws: for each example, >= 1.

    Returns:
        Shape (draws * examples, layers), float64.

    Raises:
        CapabilityError: the network has no such layer.
    """
    inputs = probe.inputs[:most_examples]
    with recorded_uses(probe.model, len(inputs)) as uses:
        logits = probe.forward(inputs)
    if not uses:
        raise CapabilityError("it has no convolution and no linear layer")
    generator, rows = probe.generator(), []
    for _ in range(draws):
        weights = _like_labels(logits.detach(), generator)
        by_outputs = gradients_of((logits * weights).sum(), [use.output for use in uses])
        columns = [use.gradient(g).detach() for use, g in zip(uses, by_outputs, strict=True)]
        rows.append(torch.stack(columns, dim=1).double())
    return torch.cat(rows)


@contextmanager
def recorded_uses(model: nn.Module, batch: int) -> Iterator[list[Use]]:
    """Within it, each use of a convolution or linear layer is noted.

    Args:
        model: any network; afterwards it has the hooks it had.
        batch: examples in the pass.
    """
    uses: list[Use] = []

    def note(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        if not args or len(output) != batch or output.ndim < 2 or not output.requires_grad:
            return output
        assert isinstance(module, LAYERS)
        uses.append(Use(_factor(module, args[0].detach()), output, isinstance(module, nn.Linear)))
        return output.clone()  # what comes next may change its input in place

    handles = [module.register_forward_hook(note) for module in model.modules() if isinstance(module, LAYERS)]
    try:
        yield uses
    finally:
        for handle in handles:
            handle.remove()


def _factor(module: Layer, inputs: Tensor) -> Tensor:
    """The inputs that the weight [0, 0, centre] of a layer meets, shape (batch, positions of the output)."""
    if isinstance(module, nn.Linear):
        return inputs[..., 0].reshape(len(inputs), -1)
    padded = F.pad(inputs[:, :1], _padding(module))
    shape = zip(padded.shape[2:], module.kernel_size, module.stride, module.dilation, strict=True)
    index: list[slice] = []
    for extent, kernel, stride, dilation in shape:
        positions = (extent - dilation * (kernel - 1) - 1) // stride + 1
        centre = dilation * (kernel // 2)
        index.append(slice(centre, centre + stride * (positions - 1) + 1, stride))
    return padded[:, 0][(slice(None), *index)].flatten(1)


def _padding(module: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> list[int]:
    """What is added before and after each dimension, the last dimension first, as ``F.pad`` takes it."""
    if module.padding == "valid":
        return [0] * (2 * len(module.kernel_size))
    sizes = zip(module.kernel_size, module.dilation, strict=True)
    if module.padding == "same":
        totals = [dilation * (kernel - 1) for kernel, dilation in sizes]
        return [part for total in reversed(totals) for part in (total // 2, total - total // 2)]
    assert not isinstance(module.padding, str)
    return [extent for extent in reversed(module.padding) for _ in range(2)]


def _like_labels(logits: Tensor, generator: torch.Generator) -> Tensor:
    """Normal draws with the covariance diag(p) - p p^T of a label, p being the softmax, shape of the logits."""
    shares = logits.softmax(dim=1)
    draws = torch.randn(logits.shape, generator=generator).to(logits) * shares.sqrt()
    return draws - shares * draws.sum(dim=1, keepdim=True)
