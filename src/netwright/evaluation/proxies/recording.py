"""What is noted while a network runs: ReLU units that are active, and outputs of layers with weights.

Neither changes what the network computes. Knows no proxy and no loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

RELU: frozenset[Callable[..., Tensor]] = frozenset(
    {F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, F.relu6}
)
"""Functions that are piecewise linear with a bend at zero, under all their names; modules call them."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a layer with weights gave.

    Args:
        name: of the module.
        value: with its graph, shape (batch, ...), as no later operation changes it.
    """

    name: str
    value: Tensor


class ReluCodes(TorchFunctionMode):
    """Counts, for each two examples, the ReLU units that are active on both or on neither.

    ReLUs inside one fused operation (``nn.RNN(nonlinearity="relu")``) are not seen.

    Args:
        batch: examples in the pass. What has another first dimension is not counted.
    """

    def __init__(self, batch: int) -> None:
        super().__init__()
        self.agreement = torch.zeros(batch, batch, dtype=torch.float64)
        self.count = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # torch's protocol
        kwargs = kwargs or {}
        if func in RELU:
            self._note(args[0] if args else kwargs["input"])
        return func(*args, **kwargs)

    def _note(self, value: Tensor) -> None:
        if value.ndim < 2 or len(value) != len(self.agreement):
            return
        active = (value.detach() > 0).flatten(1).float()
        both = (active @ active.T).cpu().double()  # units that are active on both
        counts = both.diagonal()
        self.agreement += 2 * both - counts - counts[:, None] + active.shape[1]  # and those that are on neither
        self.count += 1


def has_own_weights(module: nn.Module) -> bool:
    """Whether a module itself, not one inside it, has trained weights of two dimensions or more."""
    return any(p.requires_grad and p.ndim >= 2 for p in module.parameters(recurse=False))


@contextmanager
def recorded_outputs(model: nn.Module) -> Iterator[list[Output]]:
    """Within it, each layer with weights notes what it gives; of several tensors, the first.

    Args:
        model: any network; afterwards it has the hooks it had.

    Yields:
        The outputs, in the order of the pass.
    """
    outputs: list[Output] = []
    handles = []
    for name, module in model.named_modules():
        if has_own_weights(module):

            def note(_module: nn.Module, _args: object, output: object, name: str = name) -> object:
                value = output[0] if isinstance(output, tuple) and output else output
                if not isinstance(value, Tensor) or not value.requires_grad:
                    return output
                outputs.append(Output(name, value))
                copy = value.clone()  # what comes next may change its input in place
                return (copy, *output[1:]) if type(output) is tuple else copy if value is output else output

            handles.append(module.register_forward_hook(note))
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def without_norms(model: nn.Module) -> Iterator[None]:
    """Within it, layers that normalise give what they get.

    Args:
        model: any network; afterwards it has the hooks it had.
    """
    kinds = (*BATCH_NORMS, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm)
    norms = {module: module.training for module in model.modules() if isinstance(module, kinds)}
    handles = [norm.register_forward_hook(lambda _norm, args, output: args[0] if args else output) for norm in norms]
    try:
        for norm in norms:
            norm.training = False  # one example has no statistics
        yield
    finally:
        for handle in handles:
            handle.remove()
        for norm, training in norms.items():
            norm.training = training


BATCH_NORMS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
)
"""Layers whose statistics are those of the batch in training, and kept ones otherwise."""
