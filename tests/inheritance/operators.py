"""Random networks on which an operator of a morphism is tried: each has one choice; its second value is the larger."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from netwright import nn
from netwright.nn.networks import Networks
from netwright.space import SearchSpace, choice, integer
from netwright.space.declarations import equal
from netwright.space.expressions import Expr
from netwright.space.nodes import Node

SHAPE = (2, 6, 6)
ACTIVATIONS = ("relu", "relu6", "leaky_relu", "silu", "gelu", "hardswish", "tanh", "elu")

Size = Expr | int


def pick(rng: np.random.Generator, values: tuple) -> object:  # type: ignore[type-arg]
    """One of some values."""
    return values[rng.integers(len(values))]


def block(
    rng: np.random.Generator, width: Size, kernel: Size = 3, expand: Expr | float = 2, norm: str = "batch"
) -> Node:
    """A random block of some width."""
    activation = str(pick(rng, ACTIVATIONS))
    kinds = [
        nn.conv_norm_act(width, kernel, norm=norm, activation=activation),
        nn.seq(nn.separable_conv(width, kernel), nn.batch_norm(), nn.activation(activation)),
        nn.mbconv(width, kernel, expand=expand, se=int(rng.integers(3)), activation=activation),
        nn.residual(
            nn.seq(
                nn.conv_norm_act(width, kernel, activation=activation),
                nn.conv_norm_act(width, 1, activation="identity"),
            )
        ),
        nn.concat(nn.conv(width, kernel), nn.max_pool(3, 1)),
        nn.add(nn.conv(width, kernel), nn.seq(nn.conv(width, 1), nn.activation(activation))),
        nn.seq(nn.conv(width, 1), nn.depthwise_conv(kernel, multiplier=2), nn.squeeze_excite(2)),
    ]
    return kinds[rng.integers(len(kinds))]


def network(rng: np.random.Generator, *parts: Node) -> Node:
    """The parts among random blocks, with a head.

    Their widths are none that a part has: a block whose ends happen to be alike has a skip, which a wider one loses.
    """
    before, after = ([block(rng, int(pick(rng, (3, 7)))) for _ in range(rng.integers(2))] for _ in range(2))
    pool = nn.global_pool(str(pick(rng, ("avg", "max"))))
    head = pool if rng.random() < 0.7 else nn.seq(nn.max_pool(2), nn.flatten())
    return nn.seq(*before, *parts, *after, head, nn.linear(4))


def widen(rng: np.random.Generator) -> Node:
    """A layer has more channels; norms over all of them need a multiple."""
    norm = str(pick(rng, ("batch", "batch", "none", "group", "layer", "rms")))
    small = 8
    large = int(rng.integers(2, 4)) * small if norm in ("group", "layer", "rms") else int(rng.integers(9, 20))
    width = choice("x", [small, large])
    if rng.random() < 0.1:  # a skip that becomes a projection
        return network(rng, nn.conv(8), nn.residual(nn.conv_norm_act(width)), nn.conv(5))
    if rng.random() < 0.25:
        kind = (nn.lstm, nn.gru, nn.rnn)[rng.integers(3)]
        layer = kind(width, int(rng.integers(1, 3)), bidirectional=bool(rng.random() < 0.5))
        return network(rng, nn.over_positions(nn.seq(layer, nn.linear(4))))
    if norm in ("group", "layer", "rms"):
        return network(rng, nn.conv_norm_act(width, norm=norm), nn.conv(5))
    return network(rng, block(rng, width, norm=norm), nn.conv_norm_act(width, 1), nn.depthwise_conv(3))


def deepen(rng: np.random.Generator) -> Node:
    """A block more: one behind a ReLU, or one with a shortcut."""
    shortcut = nn.residual(
        nn.seq(nn.conv_norm_act(6, activation=str(pick(rng, ACTIVATIONS))), nn.conv_norm_act(6, activation="identity")),
        activation=str(pick(rng, ("identity", "relu"))),
    )
    kinds = (
        nn.conv_norm_act(6, int(rng.integers(1, 5))),
        nn.seq(nn.depthwise_conv(3), nn.batch_norm(), nn.conv(6, 1), nn.relu()),
        nn.seq(nn.conv(12, groups=2), nn.relu()),
        shortcut,
        nn.mbconv(6, expand=2, activation=str(pick(rng, ACTIVATIONS))),
        nn.over_positions(nn.transformer_block(2)),
        nn.concat(nn.identity(), nn.conv_norm_act(3)),
    )
    kind = kinds[rng.integers(len(kinds))]
    depth = integer("x", 1, 2)
    return network(rng, nn.conv_norm_act(6), nn.repeat(depth, lambda i: nn.optional(depth > i, kind), 1, 2))


def kernel(rng: np.random.Generator) -> Node:
    """A larger kernel, or a smaller dilation of a larger one."""
    small, large = ((1, 3), (3, 5), (1, 5), (2, 3), (1, 2), (3, 7))[rng.integers(6)]
    if rng.random() < 0.2:
        kind = choice("x", ["dilated", "dense"])
        return network(rng, nn.one_of(kind, {"dilated": nn.conv(5, 3, dilation=2), "dense": nn.conv(5, 5)}))
    return network(rng, block(rng, 6, choice("x", [small, large])))


def heads(rng: np.random.Generator) -> Node:
    """More heads, of the same or of a larger width."""
    factor = int(rng.integers(2, 4))
    if rng.random() < 0.5:
        count, width = choice("x", [2, 2 * factor]), 3
        features: Expr | int = count * width
    else:
        features, count = choice("x", [6, 6 * factor]), 2  # type: ignore[assignment]
    body = nn.attention(count) if rng.random() < 0.5 else nn.transformer_block(count, expand=2)
    return nn.seq(nn.patch_embedding(features, 2), nn.positional_embedding(), body, nn.global_pool(), nn.linear(4))


def expansion(rng: np.random.Generator) -> Node:
    """A block is wider inside."""
    small, large = ((2, 3), (2, 4), (1.5, 2))[rng.integers(3)]
    expand = choice("x", [small, large])
    if rng.random() < 0.3:
        return network(rng, nn.over_positions(nn.seq(nn.linear(8), nn.transformer_block(2, expand=expand))))
    activation = str(pick(rng, ACTIVATIONS))
    return network(rng, nn.mbconv(6, 3, expand=expand, se=int(rng.integers(3)), activation=activation))


def skip(rng: np.random.Generator) -> Node:
    """What comes in is passed on beside what an operation gives."""
    operation = block(rng, 5)
    return network(rng, nn.one_of("x", {"plain": operation, "dense": nn.concat(nn.identity(), operation)}), nn.conv(4))


def branch(rng: np.random.Generator) -> Node:
    """A branch more in a sum; an operation of a cell in place of none; a gate."""
    lively = ("identity", "silu", "gelu", "leaky_relu", "tanh")
    new = nn.seq(nn.relu(), nn.conv_norm_act(6, 3, activation=str(pick(rng, lively))))
    old = nn.conv(6, 1)
    form = rng.integers(4)
    if form == 0:
        part: Node = nn.one_of("x", {"one": old, "two": nn.add(old, new)})
    elif form == 1:
        edges = (nn.edge(0, old), nn.edge(0, nn.one_of("x", {"none": nn.conv(6, 1), "some": nn.conv(6, 3)})))
        part = nn.cell(
            nn.cell_node(*edges), nn.cell_node(nn.edge(0, nn.conv(6)), nn.edge(1, nn.relu())), output="concat"
        )
    elif form == 2:
        extra = choice("x", ["none", "some"])
        part = nn.cell(
            nn.cell_node(nn.edge(0, old)), nn.cell_node(nn.edge(1), nn.edge(0, new, present=equal(extra, "some")))
        )
    else:
        part = nn.seq(old, nn.batch_norm(), nn.optional(choice("x", [False, True]), nn.squeeze_excite(2)))
    return network(rng, part)


def groups(rng: np.random.Generator) -> Node:
    """Fewer groups."""
    few, many = ((4, 2), (4, 1), (2, 1))[rng.integers(3)]
    count = choice("x", [few, many])
    return network(rng, nn.conv(8, 1), nn.conv(int(rng.integers(1, 4)) * 4, 3, groups=count))


OPERATORS: Mapping[str, Callable[[np.random.Generator], Node]] = {
    made.__name__: made for made in (widen, deepen, kernel, heads, expansion, skip, branch, groups)
}


def random_pair(operator: str, seed: int) -> tuple[Networks, list]:  # type: ignore[type-arg]
    """A space of two architectures: its networks, the smaller and the larger."""
    rng = np.random.default_rng([seed, sorted(OPERATORS).index(operator)])
    space = SearchSpace(OPERATORS[operator](rng))
    networks = Networks(space, input_shape=SHAPE, seed=seed)
    return networks, list(space.enumerate())


def trained_like(model: torch.nn.Module, shape: tuple[int, ...], seed: int = 0) -> torch.nn.Module:
    """A model in float64 whose biases, norms and statistics are no longer those of an initialisation."""
    source = torch.Generator().manual_seed(seed)
    model = model.double()
    for name, values in model.named_parameters():
        if values.dim() == 1:
            drawn = torch.rand(values.shape, generator=source, dtype=values.dtype)
            values.data.copy_(drawn + 0.5 if name.endswith("weight") else 0.4 * drawn - 0.2)
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = None
    model.train()
    with torch.no_grad():
        model(examples(shape, 8, seed))
    return model.eval()


def examples(shape: tuple[int, ...], count: int = 4, seed: int = 0) -> torch.Tensor:
    """Random inputs in float64."""
    return torch.randn((count, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
