"""A network at its first weights, and what passes over one batch show of it.

Proxies ask a probe for what they need; each pass is made when it is first asked for and shared by all who ask. How a
network is looked at is fixed here, since scores depend on it: weights as the network was built with, one batch in
float32, BatchNorm on the statistics of the batch, dropout off. Knows no proxy.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from netwright.errors import CapabilityError, wrong

RELU = frozenset({F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, F.relu6})
"""Functions that are piecewise linear with a bend at zero, under all their names; modules call them."""

OFF = (nn.modules.dropout._DropoutNd, nn.MultiheadAttention)


@dataclass(frozen=True, slots=True)
class Layer:
    """What a layer with weights gave in the pass with a loss.

    Args:
        name: of the module.
        output: shape (batch, ...).
        gradient: of the loss by the output, of the same shape.
    """

    name: str
    output: Tensor
    gradient: Tensor


class Probe(AbstractContextManager["Probe"]):
    """Passes over a network. Use it in a ``with`` block: at its end the network is as it was.

    Args:
        model: with its first weights.
        inputs: one batch, shape (batch, ...), float32 or whole numbers (tokens).
        labels: classes, shape (batch,); None where there are none, or for label-free use.
        seed: of everything that a proxy draws, >= 0.

    Raises:
        CapabilityError: the batch is empty, or the network does not give one row of numbers an example.
    """

    def __init__(self, model: nn.Module, inputs: Tensor, labels: Tensor | None = None, *, seed: int = 0) -> None:
        if not len(inputs) or (labels is not None and len(labels) != len(inputs)):
            got = f"{len(inputs)} inputs, {None if labels is None else len(labels)} labels"
            raise CapabilityError(wrong("batch", got, "at least one input, and a label for each or none"))
        self.model, self.inputs, self.labels, self.seed = model, inputs, labels, seed
        self._training = {module: module.training for module in model.modules()}
        self._buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        self._frozen = [p for p in model.parameters() if not p.requires_grad]
        model.train()
        for module in model.modules():
            if isinstance(module, OFF) or type(module).__name__ == "DropPath":
                module.eval()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__dict__ = {name: value for name, value in self.__dict__.items() if name not in PASSES}  # frees graphs
        self.model.zero_grad(set_to_none=True)
        with torch.no_grad():
            for name, buffer in self.model.named_buffers():
                buffer.copy_(self._buffers[name])
        for module, was in self._training.items():
            module.training = was

    @cached_property
    def weights(self) -> dict[str, nn.Parameter]:
        """Trained parameters of at least two dimensions, by name: weights, not biases and not scales of norms."""
        return {n: p for n, p in self.model.named_parameters() if p.requires_grad and p.ndim >= 2}

    @cached_property
    def num_relus(self) -> int:
        """How many activations that are ReLUs a pass meets, as modules or as functions."""
        return self._forward.num_relus

    @cached_property
    def logits(self) -> Tensor:
        """What the network gives for the batch, shape (batch, outputs), without a graph."""
        return self._forward.logits.detach()

    @cached_property
    def agreement(self) -> Tensor:
        """Number of ReLU units that agree on two examples whether they are active, shape (batch, batch), float64."""
        return self._forward.agreement

    @cached_property
    def layers(self) -> list[Layer]:
        """Outputs of layers with weights, and the gradients of the loss by them, in the order of the pass."""
        return self._backward[1]

    @cached_property
    def gradients(self) -> dict[str, Tensor]:
        """Gradients of the cross entropy on the batch by `weights`; zeros where it does not depend on one.

        Raises:
            CapabilityError: there are no labels.
        """
        return self._backward[0]

    @cached_property
    def input_gradients(self) -> Tensor:
        """Gradients of the sum of the outputs by the inputs, shape (batch, values of an input).

        Raises:
            CapabilityError: inputs are whole numbers.
        """
        if not self.inputs.is_floating_point():
            raise CapabilityError("gradients by the inputs need inputs that are real numbers, not tokens")
        inputs = self._forward.inputs
        (found,) = torch.autograd.grad(self._forward.logits.sum(), inputs, retain_graph=True, allow_unused=True)
        return (torch.zeros_like(inputs) if found is None else found).flatten(1)

    def block_names(self) -> list[str]:
        """Names of the blocks that the network is a chain of, first to last.

        A chain of chains is unrolled; a block is what is no chain (a cell, a residual) or a chain of plain layers only
        (convolution, norm, activation), and has weights.
        """
        return list(_blocks(self.model, ""))

    def generator(self) -> torch.Generator:
        """A new source of randomness, the same each time."""
        return torch.Generator().manual_seed(self.seed)

    def forward(self, inputs: Tensor) -> Tensor:
        """The network's outputs for other inputs, as rows, shape (batch, values of an output)."""
        return _rows(self.model(inputs))

    @cached_property
    def _forward(self) -> _Forward:
        inputs = self.inputs.detach().clone()
        if inputs.is_floating_point():
            inputs.requires_grad_(True)
        outputs: list[tuple[str, Tensor]] = []
        with _recorded_outputs(self.model, outputs), _ReluCodes(len(inputs)) as codes:
            logits = self.forward(inputs)
        return _Forward(inputs, logits, outputs, codes.agreement, codes.count)

    @cached_property
    def _backward(self) -> tuple[dict[str, Tensor], list[Layer]]:
        if self.labels is None:
            raise CapabilityError("a loss needs labels; this data has none")
        forward, names = self._forward, list(self.weights)
        loss = F.cross_entropy(forward.logits, self.labels)
        wanted = [*self.weights.values(), *(output for _, output in forward.outputs)]
        found = torch.autograd.grad(loss, wanted, retain_graph=True, allow_unused=True)
        given = [torch.zeros_like(w) if g is None else g for w, g in zip(wanted, found, strict=True)]
        layers = zip(forward.outputs, given[len(names) :], strict=True)
        return (
            dict(zip(names, given[: len(names)], strict=True)),
            [Layer(name, output.detach(), gradient) for (name, output), gradient in layers],
        )


@dataclass(frozen=True, slots=True)
class _Forward:
    """The pass that others go back through."""

    inputs: Tensor
    logits: Tensor
    outputs: list[tuple[str, Tensor]]
    agreement: Tensor
    num_relus: int


PASSES = frozenset(name for name, value in vars(Probe).items() if isinstance(value, cached_property))


class _ReluCodes(TorchFunctionMode):
    """Counts, for each two examples, the ReLU units that are active on both or on neither."""

    def __init__(self, batch: int) -> None:
        super().__init__()
        self.agreement = torch.zeros(batch, batch, dtype=torch.float64)
        self.count = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # torch's protocol
        if func in RELU and len(args[0]) == len(self.agreement):
            with torch._C.DisableTorchFunction():
                active = (args[0].detach() > 0).flatten(1).float()
                both = active @ active.T + (1 - active) @ (1 - active).T
            self.agreement += both.double().cpu()
            self.count += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def _recorded_outputs(model: nn.Module, outputs: list[tuple[str, Tensor]]) -> Iterator[None]:
    """Note what each plain layer with weights gives."""
    handles = []
    for name, module in model.named_modules():
        if any(p.requires_grad and p.ndim >= 2 for p in module.parameters(recurse=False)):

            def note(_module: nn.Module, _args: object, output: object, name: str = name) -> None:
                if isinstance(output, Tensor) and output.requires_grad:
                    outputs.append((name, output))

            handles.append(module.register_forward_hook(note))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _blocks(module: nn.Module, name: str) -> Iterator[str]:
    for child_name, child in module.named_children():
        path = f"{name}.{child_name}" if name else child_name
        if isinstance(child, nn.Sequential) and any(list(part.children()) for part in child):
            yield from _blocks(child, path)
        elif any(p.ndim >= 2 for p in child.parameters()):
            yield path


def _rows(output: object) -> Tensor:
    if not isinstance(output, Tensor) or output.ndim < 1 or not output.is_floating_point():
        raise CapabilityError(f"proxies need networks that give one tensor of numbers, got {type(output).__name__}")
    return output.flatten(1) if output.ndim > 1 else output[:, None]
