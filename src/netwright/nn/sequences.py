"""Declarations of layers on sequences and tokens, as those of `netwright.nn.layers`. Imports no torch."""

from __future__ import annotations

from netwright.nn.arguments import Flag, Size, Word, flag, make_op, number, size, word
from netwright.nn.emitters.basics import ACTIVATIONS
from netwright.space.expressions import Expr
from netwright.space.nodes import Op


def embedding(num_embeddings: Size, features: Size, *, padding: Flag = False, std: Expr | float = 1.0) -> Op:
    """Declare a vector for each token of an input of whole numbers (L,), built with ``input_dtype='int64'``.

    Args:
        num_embeddings: tokens.
        features: of each vector.
        padding: whether token 0 behind a sequence is padding: its vectors are zeros and stay zeros, and attention,
            recurrent layers and pooling after it leave them out, like whatever else becomes all zeros, see
            `netwright.nn.emitters.padding`.
        std: standard deviation of the vectors at first; torch's is 1, with which rare tokens stay what they were drawn.
    """
    args = {"num_embeddings": size("num_embeddings", num_embeddings), "features": size("features", features)}
    args |= {} if padding is False else {"padding": flag("padding", padding)}
    return make_op("embedding", args if std == 1.0 else {**args, "std": number("std", std, 0.0, 10.0)})


def positional_embedding() -> Op:
    """Declare adding a learned vector for each position of a sequence (L, D).

    References:
        Dosovitskiy et al. (2021), An Image is Worth 16x16 Words, section 3.1.
    """
    return make_op("positional_embedding", {})


def attention(heads: Size = 4, *, causal: Flag = False, dropout: Expr | float = 0.0) -> Op:
    """Declare multi-head self-attention over a sequence (L, D); ``heads`` must divide D.

    References:
        Vaswani et al. (2017), Attention Is All You Need, section 3.2.
    """
    return make_op(
        "attention",
        {
            "heads": size("heads", heads),
            "causal": flag("causal", causal),
            "dropout": number("dropout", dropout, 0.0, 0.99),
        },
    )


def transformer_block(
    heads: Size = 4,
    expand: Expr | float = 4.0,
    *,
    causal: Flag = False,
    activation: Word = "gelu",
    norm: Word = "layer",
    dropout: Expr | float = 0.0,
    drop_path: Expr | float = 0.0,
) -> Op:
    """Declare attention and a two-layer network, each residual with its norm before it (pre-norm).

    Args:
        heads: must divide the features.
        expand: hidden features of the two-layer network, relative to D.
        causal: whether a position sees only those before it.
        activation: as of `activation`.
        norm: ``layer``, ``rms`` or ``none``.
        dropout: in attention and in the two-layer network.
        drop_path: probability of leaving out each half.

    References:
        Vaswani et al. (2017), Attention Is All You Need; the norms stand as in Xiong et al. (2020), On Layer
        Normalization in the Transformer Architecture.
    """
    return make_op(
        "transformer_block",
        {
            "heads": size("heads", heads),
            "expand": number("expand", expand, 0.01, 64.0),
            "causal": flag("causal", causal),
            "activation": word("activation", activation, ACTIVATIONS),
            "norm": word("norm", norm, ("layer", "rms", "none")),
            "dropout": number("dropout", dropout, 0.0, 0.99),
            "drop_path": number("drop_path", drop_path, 0.0, 0.99),
        },
    )


def lstm(features: Size, layers: Size = 1, *, bidirectional: Flag = False, returns: Word = "sequence") -> Op:
    """Declare a long short-term memory over a sequence (L, D).

    Args:
        features: hidden features of each direction.
        layers: stacked layers.
        bidirectional: whether it also runs backwards; gives twice the features.
        returns: ``sequence`` (L, features), or ``last`` (features,): the last output of each direction.

    References:
        Hochreiter and Schmidhuber (1997), Long Short-Term Memory; as torch has it, with a forget gate.
    """
    return _recurrent("lstm", features, layers, bidirectional, returns)


def gru(features: Size, layers: Size = 1, *, bidirectional: Flag = False, returns: Word = "sequence") -> Op:
    """Declare gated recurrent units over a sequence (L, D); arguments as of `lstm`.

    References:
        Cho et al. (2014), Learning Phrase Representations using RNN Encoder-Decoder; as torch has it (the reset gate
        after the product).
    """
    return _recurrent("gru", features, layers, bidirectional, returns)


def rnn(features: Size, layers: Size = 1, *, bidirectional: Flag = False, returns: Word = "sequence") -> Op:
    """Declare a plain recurrent layer over a sequence (L, D); arguments as of `lstm`."""
    return _recurrent("rnn", features, layers, bidirectional, returns)


def _recurrent(kind: str, features: Size, layers: Size, bidirectional: Flag, returns: Word) -> Op:
    return make_op(
        kind,
        {
            "features": size("features", features),
            "layers": size("layers", layers),
            "bidirectional": flag("bidirectional", bidirectional),
            "returns": word("returns", returns, ("sequence", "last")),
        },
    )
