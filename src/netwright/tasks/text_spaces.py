"""Default search spaces of language models and of classes of texts, with the hand-made networks they contain.

Knows neither data nor training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

from netwright import nn
from netwright.space import SearchSpace, choice, integer
from netwright.space.nodes import Node
from netwright.tasks.base import Reference
from netwright.tasks.narrowing import admitted
from netwright.types import Architecture, Value

LANGUAGE_WIDTHS = (64, 96, 128, 192, 256)
CLASS_WIDTHS = (32, 64, 96, 128)
MOST_LAYERS = 6
TOKEN_STD = 0.05
"""Standard deviation of vectors of tokens at first: a rare token is moved away from where it was drawn in few steps."""


def language_space(num_tokens: int) -> SearchSpace:
    """Decoders of one to six layers, each a causal transformer block or a GRU with a feed-forward part.

    Elastic: depth, features, heads, feed-forward size and mixer of each layer.

    Args:
        num_tokens: size of the vocabulary.

    Example:
        >>> language_space(65).count() > 10**7
        True
    """
    width, dropout = choice("features", LANGUAGE_WIDTHS), choice("dropout", [0.1, 0.2, 0.3])

    def layer(place: int) -> Node:
        expand = choice(f"layer{place}.expand", [2, 3, 4])
        heads = choice(f"layer{place}.heads", [2, 4, 8])
        recurrent = nn.seq(
            nn.residual(nn.seq(nn.layer_norm(), nn.gru(width))),
            nn.residual(nn.seq(nn.layer_norm(), nn.linear(width * expand), nn.gelu(), nn.linear(width))),
        )
        block = nn.transformer_block(heads, expand, causal=True, dropout=dropout)
        return nn.one_of(f"layer{place}.mixer", {"attention": block, "recurrent": recurrent})

    return SearchSpace(
        nn.seq(
            nn.embedding(num_tokens, width, std=TOKEN_STD),
            nn.positional_embedding(),
            nn.dropout(dropout),
            nn.repeat(integer("depth", 1, MOST_LAYERS), layer),
            nn.layer_norm(),
            nn.linear(num_tokens),
        )
    )


_LANGUAGE: Mapping[str, dict[str, Any]] = {
    "transformer": {"depth": 4, "features": 128, "mixer": "attention"},
    "transformer-large": {"depth": 4, "features": 256, "mixer": "attention"},
    "recurrent": {"depth": 2, "features": 192, "mixer": "recurrent"},
}


def _language(space: SearchSpace, depth: int, features: int, mixer: str) -> Architecture:
    decisions: dict[str, Value] = {"depth": depth, "features": features, "dropout": 0.2}
    for place in range(depth):
        decisions |= {f"layer{place}.mixer": mixer, f"layer{place}.heads": 4, f"layer{place}.expand": 4}
    return space.architecture(decisions, drop_inactive=True)


def language_references(space: SearchSpace) -> tuple[Reference, ...]:
    """A small GPT-like decoder in two sizes, and a GRU.

    References:
        Radford et al. (2019), Language Models are Unsupervised Multitask Learners; Cho et al. (2014).
    """
    return tuple(Reference(name, _language(space, **design)) for name, design in _LANGUAGE.items())


def narrowed_language(space: SearchSpace, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
    """Those of the references that are not admitted, made smaller until they are."""

    def smaller(name: str) -> Iterator[tuple[str, Architecture]]:
        design = _LANGUAGE[name]
        for depth, features in product(range(design["depth"], 0, -1), reversed(LANGUAGE_WIDTHS)):
            if features <= design["features"]:
                yield f"{depth}x{features}", _language(space, depth, features, design["mixer"])

    return admitted({name: _language(space, **design) for name, design in _LANGUAGE.items()}, smaller, admits)


def class_space(num_tokens: int, num_classes: int) -> SearchSpace:
    """Networks from tokens to one class a text: layers of convolution, recurrence or attention, pooled.

    Padding behind a text changes nothing: it is left out of attention, recurrence and pooling, and zero elsewhere.

    Args:
        num_tokens: size of the vocabulary.
        num_classes: C >= 2.
    """
    width, dropout = choice("features", CLASS_WIDTHS), choice("dropout", [0.0, 0.2, 0.4])

    def layer(place: int) -> Node:
        name = f"layer{place}"
        conv = nn.seq(
            nn.layer_norm(),
            nn.to_channels(),
            nn.conv1d(width, kernel=choice(f"{name}.kernel", [3, 5, 7])),
            nn.relu(),
            nn.to_sequence(),
        )
        recurrent = nn.seq(nn.layer_norm(), nn.gru(width // 2, bidirectional=True))
        return nn.one_of(
            f"{name}.mixer",
            {
                "convolution": nn.residual(conv),
                "recurrent": nn.residual(recurrent),
                "attention": nn.transformer_block(choice(f"{name}.heads", [2, 4]), 2.0),
            },
        )

    return SearchSpace(
        nn.seq(
            nn.embedding(num_tokens, width, padding=True, std=TOKEN_STD),
            nn.optional("positions", nn.positional_embedding()),
            nn.dropout(dropout),
            nn.repeat(integer("depth", 0, 4), layer),
            nn.layer_norm(),
            nn.global_pool(choice("pool", ["avg", "max"])),
            nn.dropout(dropout),
            nn.linear(num_classes),
        )
    )


_CLASSES: Mapping[str, dict[str, Any]] = {
    "bag-of-words": {"depth": 0, "features": 64, "mixer": "convolution", "pool": "avg"},
    "convolutional": {"depth": 1, "features": 128, "mixer": "convolution", "pool": "max"},
    "recurrent": {"depth": 1, "features": 64, "mixer": "recurrent", "pool": "max"},
    "transformer": {"depth": 2, "features": 64, "mixer": "attention", "pool": "avg"},
}


def class_references(space: SearchSpace) -> tuple[Reference, ...]:
    """A mean of embeddings, a convolutional, a recurrent and a small transformer network.

    References:
        Joulin et al. (2017), Bag of Tricks for Efficient Text Classification; Kim (2014), Convolutional Neural Networks
        for Sentence Classification.
    """
    return tuple(Reference(name, _classes(space, **design)) for name, design in _CLASSES.items())


def narrowed_classes(space: SearchSpace, admits: Callable[[Architecture], bool]) -> tuple[Reference, ...]:
    """Those of the references that are not admitted, with fewer features until they are."""

    def smaller(name: str) -> Iterator[tuple[str, Architecture]]:
        design = _CLASSES[name]
        for features in reversed([width for width in CLASS_WIDTHS if width < design["features"]]):
            yield f"{features}", _classes(space, **{**design, "features": features})

    return admitted({name: _classes(space, **design) for name, design in _CLASSES.items()}, smaller, admits)


def _classes(space: SearchSpace, depth: int, features: int, mixer: str, pool: str) -> Architecture:
    decisions: dict[str, Value] = {"depth": depth, "features": features, "pool": pool, "dropout": 0.2}
    decisions["positions"] = mixer == "attention"
    for place in range(depth):
        decisions |= {f"layer{place}.mixer": mixer, f"layer{place}.kernel": 3, f"layer{place}.heads": 2}
    return space.architecture(decisions, drop_inactive=True)
