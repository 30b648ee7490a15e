"""AZ-NAS: how rich the blocks' outputs are, whether they become richer, and whether gradients keep their size.

References:
    J. Lee and B. Ham, 2024, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search", section 3.1:
    expressivity is equation 4 summed over blocks, progressivity equation 5, trainability equation 11. Its fourth score,
    the complexity, is ``macs``. Differences: at most 16 examples; weights as the network was built with, where the
    authors' code draws them from He's normal distribution; blocks without any weights between ones with weights count;
    a block that gives what it gets counts `UNCHANGED` in trainability, where the authors' code makes the network the
    worst, whatever its other blocks do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netwright.errors import CapabilityError
from netwright.evaluation.proxies.base import Need, Proxy
from netwright.evaluation.proxies.probe import Probe, gradients_of

MOST_EXAMPLES = 16
CHAINS = (nn.Sequential, nn.ModuleList, nn.TransformerEncoder)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_KEPT = "az_nas.blocks"

UNCHANGED = -1.0
"""What a block that gives what it gets counts in trainability. Its gradients keep their size, which would be 0, the
best: but a block that does nothing is no reason to like a network. As bad as making gradients 2.6 times as large."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """What the blocks of a network gave in one pass.

    Args:
        outputs: with their graph, first to last, shape (batch, channels, ...) or (batch, ..., channels).
        channel: which dimension is that of the channels, 1 or -1.
    """

    outputs: tuple[Tensor, ...]
    channel: int = 1

    def richness(self) -> list[float]:
        """Of each output the entropy of the shares of its principal components, in nats; NaN of a constant one."""
        return [_entropy(self.rows(output.detach())) for output in self.outputs]

    def rows(self, output: Tensor) -> Tensor:
        """An output, or a gradient by it, as rows of channels, one a position of an example."""
        return output.movedim(self.channel, -1).flatten(0, -2)


def expressivity(probe: Probe) -> float:
    """Sum over blocks of the entropy of their outputs' principal components.

    Args:
        probe: of a network that is a chain of at least two blocks.

    Raises:
        CapabilityError: it is none.
    """
    return sum(blocks(probe).richness())


def progressivity(probe: Probe) -> float:
    """Smallest growth of that entropy from one block to the next.

    Args:
        probe: of a network that is a chain of at least two blocks.

    Raises:
        CapabilityError: it is none.
    """
    told = blocks(probe).richness()
    growths = [after - before for before, after in pairwise(told)]
    return math.nan if any(math.isnan(growth) for growth in growths) else min(growths)


def trainability(probe: Probe) -> float:
    """How near 1 the largest singular values of the blocks' backward maps are: 0 is the best.

    Args:
        probe: of a network that is a chain of at least two blocks.

    Raises:
        CapabilityError: it is none.
    """
    found, generator = blocks(probe), probe.generator()
    told = [_keeps_size(found, before, after, generator) for before, after in pairwise(found.outputs)]
    counted = [value for value in told if value is not None]
    return sum(counted) / len(counted) if counted else math.nan


def blocks(probe: Probe) -> Blocks:
    """The pass that the three scores share: the outputs of the blocks for at most 16 examples.

    Args:
        probe: of any network.

    Raises:
        CapabilityError: the network is no chain of at least two blocks that give features.
    """
    kept = vars(probe).get(_KEPT)  # with the probe, as its own passes are
    if not isinstance(kept, Blocks):
        vars(probe)[_KEPT] = kept = _pass(probe)
    return kept


def _pass(probe: Probe) -> Blocks:
    found: list[Tensor] = []

    def note(_module: nn.Module, _args: object, output: object) -> object:
        if not isinstance(output, Tensor) or not output.requires_grad:
            return output
        found.append(output)
        return output.clone()  # what comes next may change its input in place

    inputs = probe.inputs[:MOST_EXAMPLES]
    handles = [module.register_forward_hook(note) for module in _chain(probe.model)]
    try:
        probe.forward(inputs)
    finally:
        for handle in handles:
            handle.remove()
    convolutional = any(isinstance(module, CONVOLUTIONS) for module in probe.model.modules())
    shown = [value for value in found if value.ndim >= 3 and len(value) == len(inputs)]
    if len(shown) < 2:
        raise CapabilityError("it is not a chain of at least two blocks whose outputs are feature maps or sequences")
    return Blocks(tuple(shown), 1 if convolutional else -1)


def _chain(model: nn.Module) -> list[nn.Module]:
    """The blocks, first to last, from the first that has weights."""
    found = list(_parts(model))
    first = next((place for place, part in enumerate(found) if _has_weights(part)), len(found))
    return found[first:]


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    """A chain of chains is unrolled; of plain layers those with weights count, of other classes all."""
    for child in module.children():
        if isinstance(child, CHAINS) and any(list(part.children()) for part in child.children()):
            yield from _parts(child)
        elif _has_weights(child) or not type(child).__module__.startswith("torch."):
            yield child


def _has_weights(module: nn.Module) -> bool:
    return any(p.ndim >= 2 for p in module.parameters())


def _entropy(rows: Tensor) -> float:
    rows = rows.double()
    rows = rows - rows.mean(dim=0)
    values = torch.linalg.eigvalsh(rows.T @ rows / len(rows)).clamp_min(0)
    if not float(values.sum()) > 0:
        return math.nan
    shares = values / values.sum()
    return float(-(shares * torch.log(shares + 1e-8)).sum())


def _keeps_size(found: Blocks, before: Tensor, after: Tensor, generator: torch.Generator) -> float | None:
    """2 - s - 1 / s, s being the largest singular value; None of a block that cannot be compared."""
    signs = torch.randint(0, 2, after.shape, generator=generator).mul_(2).sub_(1).to(after)
    gradient = gradients_of((after * signs).sum(), [before])[0]
    if gradient.shape == signs.shape and torch.equal(gradient, signs):
        return UNCHANGED
    small = _at_positions_of(gradient, signs)
    if small is None:
        return None
    rows_in, rows_out = found.rows(small), found.rows(signs)
    if len(rows_in) != len(rows_out):
        return None
    largest = float(torch.linalg.matrix_norm(rows_in.T @ rows_out / len(rows_out), 2))
    return 2 - largest - 1 / (largest + 1e-6)


def _at_positions_of(gradient: Tensor, signs: Tensor) -> Tensor | None:
    """The gradient with as many positions as the output; those that fall together become channels."""
    if gradient.ndim != 4 or gradient.shape[2:] == signs.shape[2:]:
        return gradient
    stride = gradient.shape[-1] // signs.shape[-1]
    if gradient.shape[2:] != tuple(stride * extent for extent in signs.shape[2:]):
        return None
    return F.pixel_unshuffle(gradient, stride)


_PAPER = "Lee and Ham, 2024"
_NEEDS = frozenset({Need.WEIGHTS, Need.SEVERAL})
PROXIES = (
    Proxy("expressivity", expressivity, _NEEDS, _PAPER),
    Proxy("progressivity", progressivity, _NEEDS, _PAPER),
    Proxy("trainability", trainability, _NEEDS, _PAPER),
)
