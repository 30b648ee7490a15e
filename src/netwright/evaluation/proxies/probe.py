"""A network at its first weights, and what passes over one batch show of it.

Proxies ask a probe for what they need; each pass is made when it is first asked for and shared by all who ask. How a
network is looked at is fixed here, since scores depend on it: weights as the network was built with, one batch in
float32, everything in evaluation mode (no dropout, no dropped paths, no auxiliary heads) but BatchNorm, which uses the
statistics of the batch as it does in training. Knows no proxy.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Self

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from netwright.errors import CapabilityError, wrong
from netwright.evaluation.proxies.recording import BATCH_NORMS, Output, ReluCodes, recorded_outputs


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


@dataclass(frozen=True, slots=True)
class _Forward:
    """The pass that others go back through."""

    inputs: Tensor
    outputs: Tensor
    layers: list[Output]
    agreement: Tensor
    num_relus: int


class Probe(AbstractContextManager["Probe"]):
    """Passes over a network. Use it in a ``with`` block: at its end the network is as it was.

    Left as found: weights and their gradients, buffers, modes, hooks, and torch's global random state.

    Args:
        model: with its first weights.
        inputs: one batch, shape (batch, ...), float32 or whole numbers (tokens).
        labels: classes, shape (batch,); None where there are none, or for label-free use.
        seed: of everything that a proxy draws, >= 0.

    Raises:
        CapabilityError: the batch is empty, or inputs and labels differ in number.
    """

    def __init__(self, model: nn.Module, inputs: Tensor, labels: Tensor | None = None, *, seed: int = 0) -> None:
        if not len(inputs) or (labels is not None and len(labels) != len(inputs)):
            got = f"{len(inputs)} inputs, {None if labels is None else len(labels)} labels"
            raise CapabilityError(wrong("batch", got, "at least one input, and a label for each or none"))
        self.model, self.inputs, self.labels, self.seed = model, inputs, labels, seed
        self._training: dict[nn.Module, bool] = {}
        self._buffers: list[tuple[nn.Module, str, Tensor, Tensor]] = []
        self._grad = ExitStack()  # gradients are on within, whatever the caller's mode

    def __enter__(self) -> Self:
        self._training = {module: module.training for module in self.model.modules()}
        self._buffers = [
            (module, name, buffer, buffer.detach().clone())
            for module in self._training
            for name, buffer in module.named_buffers(recurse=False)
        ]
        for module in self._training:
            module.training = isinstance(module, BATCH_NORMS)
        self._grad.enter_context(torch.inference_mode(False))
        self._grad.enter_context(torch.enable_grad())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._grad.close()
        for name in PASSES & self.__dict__.keys():  # frees their graphs
            del self.__dict__[name]
        with torch.no_grad():
            for owner, name, buffer, was in self._buffers:
                setattr(owner, name, buffer.copy_(was))
        for module, training in self._training.items():
            module.training = training

    @cached_property
    def weights(self) -> dict[str, nn.Parameter]:
        """Trained parameters of at least two dimensions, by name: weights, not biases and not scales of norms."""
        return {n: p for n, p in self.model.named_parameters() if p.requires_grad and p.ndim >= 2}

    @cached_property
    def num_relus(self) -> int:
        """How many activations that are ReLUs a pass meets, as modules or as functions."""
        return self._forward.num_relus

    @cached_property
    def agreement(self) -> Tensor:
        """Number of ReLU units that agree on two examples whether they are active, shape (batch, batch), float64."""
        return self._forward.agreement

    @property
    def outputs(self) -> Tensor:
        """What the network gives for the batch, shape (batch, outputs), with its graph: keep it when going back."""
        return self._forward.outputs

    @cached_property
    def logits(self) -> Tensor:
        """What the network gives for the batch, shape (batch, outputs), without a graph."""
        return self._forward.outputs.detach()

    @cached_property
    def loss(self) -> Tensor:
        """Cross entropy on the batch, a mean over examples, with its graph: keep it when going back.

        Raises:
            CapabilityError: there are no labels, or one that the network has no output for.
        """
        if self.labels is None:
            raise CapabilityError("a loss needs labels; this data has none")
        classes = self.outputs.shape[1]
        if self.labels.ndim != 1 or not 0 <= int(self.labels.min()) <= int(self.labels.max()) < classes:
            got = f"{tuple(self.labels.shape)} from {int(self.labels.min())} to {int(self.labels.max())}"
            raise CapabilityError(wrong("labels", got, f"one class in [0, {classes}) an example"))
        return F.cross_entropy(self.outputs, self.labels)

    @property
    def layer_outputs(self) -> list[Output]:
        """Outputs of layers with weights, with their graph, in the order of the pass; they need no labels."""
        return self._forward.layers

    @property
    def layers(self) -> list[Layer]:
        """Outputs of layers with weights, and the gradients of the loss by them, in the order of the pass."""
        return self._backward[1]

    @property
    def gradients(self) -> dict[str, Tensor]:
        """Gradients of the cross entropy on the batch by `weights`; zeros where it does not depend on one.

        Raises:
            CapabilityError: there are no labels, or one that the network has no output for.
        """
        return self._backward[0]

    @cached_property
    def input_gradients(self) -> Tensor:
        """Gradients of the sum of the outputs by the inputs, shape (batch, values of an input).

        Where nobody has made the pass that others share, one is made in which parameters have no gradients and nothing
        is noted: it takes half the time.

        Raises:
            CapabilityError: inputs are whole numbers.
        """
        if not self.inputs.is_floating_point():
            raise CapabilityError("gradients by the inputs need inputs that are real numbers, not tokens")
        if "_forward" in self.__dict__:
            inputs, outputs = self._forward.inputs, self.outputs
        else:
            inputs = self.inputs.detach().clone().requires_grad_(True)
            fixed = {name: parameter.detach() for name, parameter in self.model.named_parameters()}
            outputs = self.forward(inputs.clone(), fixed)  # a copy, which the network may change in place
        return gradients_of(outputs.sum(), [inputs])[0].flatten(1)

    def generator(self) -> torch.Generator:
        """A new source of randomness on the processor, the same each time."""
        return torch.Generator().manual_seed(self.seed)

    def forward(self, inputs: Tensor, tensors: Mapping[str, Tensor] | None = None) -> Tensor:
        """The network's outputs for other inputs, as rows, shape (batch, values of an output), with their graph.

        Args:
            inputs: a batch like the probe's.
            tensors: parameters and buffers to use instead of the network's own, by name.

        Raises:
            CapabilityError: the network does not give one row of numbers an example, or cannot be run on one example.
        """
        with self.steady():
            try:
                found = functional_call(self.model, dict(tensors), (inputs,)) if tensors else self.model(inputs)
            except ValueError as error:
                if len(inputs) > 1:
                    raise
                raise CapabilityError(f"the network cannot be run on a batch of a single example: {error}") from error
        return _rows(found, len(inputs))

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Within it the network draws the same each time, and only operations are used that go back twice."""
        device = self.inputs.device
        with ExitStack() as stack:
            stack.enter_context(torch.random.fork_rng([device] if device.type == "cuda" else []))
            torch.default_generator.manual_seed(self.seed)
            if device.type == "cuda":
                torch.cuda.manual_seed(self.seed)
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            if any(isinstance(module, nn.RNNBase) for module in self._training):
                stack.enter_context(warnings.catch_warnings(action="ignore"))  # the next line sets more than it is told
                stack.enter_context(torch.backends.mkldnn.flags(enabled=False))
                stack.enter_context(torch.backends.cudnn.flags(enabled=False))
            yield

    @cached_property
    def _forward(self) -> _Forward:
        inputs = self.inputs.detach().clone()
        if inputs.is_floating_point():
            inputs.requires_grad_(True)
        with recorded_outputs(self.model) as layers, ReluCodes(len(inputs)) as codes:
            outputs = self.forward(inputs.clone())  # a copy, which the network may change in place
        return _Forward(inputs, outputs, layers, codes.agreement, codes.count)

    @cached_property
    def _backward(self) -> tuple[dict[str, Tensor], list[Layer]]:
        names, layers = list(self.weights), self._forward.layers
        found = gradients_of(self.loss, [*self.weights.values(), *(layer.value for layer in layers)])
        shown = zip(layers, found[len(names) :], strict=True)
        return (
            dict(zip(names, found[: len(names)], strict=True)),
            [Layer(layer.name, layer.value.detach(), gradient) for layer, gradient in shown],
        )


PASSES = frozenset(name for name, value in vars(Probe).items() if isinstance(value, cached_property))


def gradients_of(value: Tensor, wanted: Sequence[Tensor], *, create_graph: bool = False) -> list[Tensor]:
    """Gradients of a number by tensors; zeros where it does not depend on one. The graph is kept.

    Args:
        value: a number, shape ().
        wanted: leaves or parts of its graph.
        create_graph: whether gradients can be differentiated again.
    """
    if not value.requires_grad or not wanted:
        return [torch.zeros_like(w) for w in wanted]
    found = torch.autograd.grad(value, wanted, retain_graph=True, create_graph=create_graph, allow_unused=True)
    return [torch.zeros_like(w) if g is None else g for w, g in zip(wanted, found, strict=True)]


def _rows(output: object, batch: int) -> Tensor:
    if not isinstance(output, Tensor) or not output.is_floating_point():
        raise CapabilityError(f"proxies need networks that give one tensor of numbers, got {type(output).__name__}")
    if output.ndim < 1 or len(output) != batch:
        raise CapabilityError(f"proxies need an output an example, got shape {tuple(output.shape)} for {batch}")
    return output.flatten(1) if output.ndim > 1 else output[:, None]
