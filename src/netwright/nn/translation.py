"""Declarations of encoder-decoder networks. Every argument may be a choice or an expression; no torch is imported."""

from __future__ import annotations

from netwright.nn.arguments import Size, Word, make_op, node, number, size, word
from netwright.nn.emitters.basics import ACTIVATIONS
from netwright.nn.emitters.translation import MIXERS
from netwright.space.expressions import Expr
from netwright.space.nodes import Node, Op


def encoder_layer(
    hidden: Size,
    *,
    mixer: Word = "attention",
    heads: Size = 4,
    kernel: Size = 3,
    activation: Word = "relu",
    dropout: Expr | float = 0.0,
) -> Op:
    """Declare a layer of an encoder: positions are mixed, then each goes through two linear layers; pre-norm.

    Args:
        hidden: features between the two linear layers.
        mixer: ``attention``; ``convolution`` (a gate, a depthwise convolution, a linear layer); or ``recurrent`` (a
            GRU in each direction, with half of the features each).
        heads: of attention; must divide the features.
        kernel: of the convolution; odd.
        activation: as of `netwright.nn.activation`.
        dropout: of what each half adds.

    References:
        Vaswani et al. (2017), Attention Is All You Need; norms as in Xiong et al. (2020). Wu et al. (2019), Pay Less
        Attention with Lightweight and Dynamic Convolutions, section 3; our channels share no weights.
    """
    return make_op("encoder_layer", _layer(hidden, mixer, heads, kernel, activation, dropout))


def decoder_layer(
    hidden: Size,
    *,
    links: Size = (1,),
    mixer: Word = "attention",
    heads: Size = 4,
    cross_heads: Size = 4,
    kernel: Size = 3,
    activation: Word = "relu",
    dropout: Expr | float = 0.0,
) -> Op:
    """Declare a layer of a decoder: as `encoder_layer`, but no position sees a later one, and it attends to a source.

    Args:
        hidden: as of `encoder_layer`.
        links: which layers of the encoder are attended to, counted from the last, 1; what several give stands side by
            side. Beyond the first layer, that is meant.
        mixer: as of `encoder_layer`; ``recurrent`` is one GRU.
        heads: of attention to the target.
        cross_heads: of attention to the source; must divide the features.
        kernel: of the convolution; odd.
        activation: as of `netwright.nn.activation`.
        dropout: of what each part adds.

    References:
        Wang et al. (2020), HAT: Hardware-Aware Transformers for Efficient Natural Language Processing, section 3.1
        (arbitrary encoder-decoder attention). There one to three of the last layers in a row are attended to, here any.
    """
    args = {"links": size("links", links), **_layer(hidden, mixer, heads, kernel, activation, dropout)}
    return make_op("decoder_layer", {**args, "cross_heads": size("cross_heads", cross_heads)})


def encoder_decoder(
    encoder: Node,
    decoder: Node,
    *,
    source_length: int,
    source_tokens: int,
    target_tokens: int,
    source_features: Size,
    target_features: Size,
    dropout: Expr | float = 0.0,
) -> Op:
    """Declare a network from a row of tokens to logits of each token of a target, (T, target_tokens).

    A row holds ``source_length`` tokens of the source, then those of the target one place to the right. Token 0 is
    padding at the end, 1 stands before the target, 2 ends source and target. Source and target have learned positions;
    logits are products with the target's embedding. The module can also give one token after the other, with what
    earlier ones left in its layers (``begin``, ``step``), and search for the likeliest target (``translate``).

    Args:
        encoder: an `encoder_layer`, or several in ``seq`` or ``repeat``.
        decoder: a `decoder_layer`, or several.
        source_length: tokens of the source in a row.
        source_tokens: size of its vocabulary.
        target_tokens: size of the target's.
        source_features: of each position in the encoder.
        target_features: of each position in the decoder.
        dropout: of embeddings.

    References:
        Vaswani et al. (2017), Attention Is All You Need; shared weights of embedding and output: Press and Wolf (2017).
    """
    return make_op(
        "encoder_decoder",
        {
            "source_length": size("source_length", source_length),
            "source_tokens": size("source_tokens", source_tokens, minimum=3),
            "target_tokens": size("target_tokens", target_tokens, minimum=3),
            "source_features": size("source_features", source_features),
            "target_features": size("target_features", target_features),
            "dropout": number("dropout", dropout, 0.0, 0.99),
        },
        node("encoder", encoder),
        node("decoder", decoder),
    )


def _layer(
    hidden: Size, mixer: Word, heads: Size, kernel: Size, activation: Word, dropout: Expr | float
) -> dict[str, object]:
    return {
        "hidden": size("hidden", hidden),
        "mixer": word("mixer", mixer, MIXERS),
        "heads": size("heads", heads),
        "kernel": size("kernel", kernel),
        "activation": word("activation", activation, ACTIVATIONS),
        "dropout": number("dropout", dropout, 0.0, 0.99),
    }
