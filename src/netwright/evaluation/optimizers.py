"""Optimisers of the training recipe, with their state as named tensors.

`torch.optim` is not used: its first use imports torch's compiler, which costs seconds and 85 MB in every process, and
its state is numbered, not named. Norms, biases and other vectors are never decayed. Knows no data, loss or schedule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from netwright.evaluation.orthogonal import OrthogonaliseAll, orthogonalise_all
from netwright.evaluation.recipe import Recipe

_ADAM_BETAS = (0.9, 0.99)
_ADAM_EPSILON = 1e-8


@dataclass(frozen=True, slots=True)
class Update:
    """What an update rule needs besides parameter and gradient.

    Args:
        learning_rate: at this step.
        momentum: in [0, 1).
        step: number of the step, from 0.
    """

    learning_rate: float
    momentum: float
    step: int


Moments = Callable[[str], Tensor]
"""Gives the moment of that name of a parameter, zeros at first."""


def muon(p: Tensor, direction: Tensor, update: Update) -> None:
    """Go in a direction that is orthogonalised already; a convolution is seen as a matrix of out x rest.

    References:
        Jordan et al. (2024), *Muon: an optimizer for hidden layers in neural networks*; we deviate as `orthogonalise`
        says.
    """
    rows = p.shape[0]
    scale = math.sqrt(max(1.0, rows * rows / p.numel()))
    p.add_(direction, alpha=-update.learning_rate * scale)


def sgd(p: Tensor, gradient: Tensor, moments: Moments, update: Update) -> None:
    """Nesterov momentum in the form of Sutskever et al. (2013), as torch writes it."""
    p.add_(_nesterov(gradient, moments, update), alpha=-update.learning_rate)


def _nesterov(gradient: Tensor, moments: Moments, update: Update) -> Tensor:
    momentum = moments("momentum").mul_(update.momentum).add_(gradient)
    return gradient.add(momentum, alpha=update.momentum)


def adam(p: Tensor, gradient: Tensor, moments: Moments, update: Update) -> None:
    """Kingma and Ba (2015), algorithm 1, with betas 0.9 and 0.99: trainings are short."""
    first, second = _ADAM_BETAS
    mean = moments("mean").lerp_(gradient, 1 - first)
    square = moments("square").mul_(second).addcmul_(gradient, gradient, value=1 - second)
    spread = (square / (1 - second ** (update.step + 1))).sqrt_().add_(_ADAM_EPSILON)
    p.addcdiv_(mean, spread, value=-update.learning_rate / (1 - first ** (update.step + 1)))


@dataclass(frozen=True, slots=True)
class _Trained:
    """A parameter, and how it is trained."""

    name: str
    tensor: nn.Parameter
    rule: Callable[[Tensor, Tensor, Moments, Update], None] | None  # None for Muon
    learning_rate: float
    weight_decay: float
    coupled: bool = False  # whether the decay is a part of the gradient


class Optimizer:
    """Updates the parameters of a model as a recipe says.

    Args:
        model: its parameters that need gradients are trained.
        recipe: which rule, learning rates, momentum and decoupled weight decay (Loshchilov and Hutter 2019).
        outer: names of the parameters at an end of the network; those that `outer_names` finds if not given.
    """

    def __init__(self, model: nn.Module, recipe: Recipe, outer: Collection[str] | None = None) -> None:
        self.momentum = recipe.momentum
        self.state: dict[str, Tensor] = {}
        outer = outer_names(model) if outer is None else outer
        self.params = tuple(
            _how(name, p, recipe, name in outer) for name, p in model.named_parameters() if p.requires_grad
        )

    @torch.no_grad()
    def step(self, number: int, factor: float, orthogonalised: OrthogonaliseAll = orthogonalise_all) -> None:
        """Update every parameter that has a gradient.

        Args:
            number: of the step, from 0.
            factor: what the learning rates are multiplied with.
            orthogonalised: what orthogonalises the directions of Muon, all of a step at once.
        """
        hidden: list[tuple[nn.Parameter, Update, Tensor]] = []
        for how in self.params:
            p, gradient = how.tensor, how.tensor.grad
            if gradient is None:
                continue
            update = Update(how.learning_rate * factor, self.momentum, number)
            if how.weight_decay and how.coupled:
                gradient = gradient.add(p, alpha=how.weight_decay)
            elif how.weight_decay:
                p.mul_(1 - update.learning_rate * how.weight_decay)
            if how.rule is None:
                hidden.append((p, update, _nesterov(gradient, self._moments(how), update)))
            else:
                how.rule(p, gradient, self._moments(how), update)
        directions = orthogonalised([direction for _, _, direction in hidden])
        for (p, update, _), direction in zip(hidden, directions, strict=True):
            muon(p, direction, update)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Put back a copy of `state`."""
        shapes = {how.name: how.tensor for how in self.params}
        for key, value in state.items():
            self.state[key] = torch.empty_like(shapes[key.partition("/")[2]]).copy_(value).detach()

    def _moments(self, how: _Trained) -> Moments:
        def moment(kind: str) -> Tensor:
            key = f"{kind}/{how.name}"
            if key not in self.state:
                self.state[key] = torch.zeros_like(how.tensor)
            return self.state[key]

        return moment


def outer_names(model: nn.Module) -> set[str]:
    """Names of embeddings and of the last linear layer, which are better off with Adam (Jordan et al.).

    An encoder-decoder network gives its answers with an embedding, so that its last linear layer is a hidden one.
    """
    named = dict(model.named_modules())
    linear = [name for name, module in named.items() if isinstance(module, nn.Linear)]
    tables = [n for n, m in named.items() if isinstance(m, nn.Embedding) or type(m).__name__ == "PositionalEmbedding"]
    tied = any(type(module).__name__ == "EncoderDecoder" for module in named.values())
    ends = (*tables, *([] if tied else linear[-1:]))
    return {f"{name}.{inner}" for name in ends for inner, _ in named[name].named_parameters()}


def _how(name: str, p: nn.Parameter, recipe: Recipe, outer: bool) -> _Trained:
    """Matrices and convolutions by the recipe's rule, vectors by Adam or, under SGD, by SGD; neither decays vectors.

    Plain Muon trains convolutions only: in networks of images linear layers are the last one. ``muon-all`` trains all
    matrices that are not at an end of the network (`outer_names`).
    """
    if recipe.optimizer in ("muon", "muon-all"):
        hidden = p.ndim > 2 or (recipe.optimizer == "muon-all" and p.ndim == 2 and not outer)
        decay = recipe.weight_decay if hidden else 0.0
        rate = recipe.learning_rate if hidden else recipe.side_learning_rate
        return _Trained(name, p, None if hidden else adam, rate, decay)
    rule = sgd if recipe.optimizer == "sgd" else adam
    if p.ndim > 1:
        return _Trained(name, p, rule, recipe.learning_rate, recipe.weight_decay, recipe.optimizer == "adam")
    return _Trained(name, p, rule, recipe.side_learning_rate, 0.0)
