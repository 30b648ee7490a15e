"""Counts the multiply-accumulates of a module by watching the torch functions it calls during one run.

Used for classes of one's own only; what the built-in operations need is known from their shapes.
``torch.utils.flop_counter`` counts more kinds of code, but its first use takes seconds in every process. Needs torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import cast

import torch
from torch.overrides import TorchFunctionMode

Args = Sequence[object]
Options = Mapping[str, object]


class MacCounter(TorchFunctionMode):
    """While active, adds up in ``macs`` what convolutions, products, attention and recurrent layers need."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_function__(
        self, func: Callable[..., object], types: Sequence[type], args: Args = (), kwargs: Options | None = None
    ) -> object:
        out = func(*args, **(kwargs or {}))
        rule = _RULES.get(getattr(func, "__name__", ""))
        if rule is not None:
            self.macs += rule(args, kwargs or {}, out)
        return out


def _tensor(args: Args, options: Options, place: int, name: str) -> torch.Tensor:
    return cast("torch.Tensor", args[place] if len(args) > place else options[name])


def _conv(args: Args, options: Options, out: object) -> int:
    weight = _tensor(args, options, 1, "weight")
    return cast("torch.Tensor", out).numel() * math.prod(weight.shape[1:])


def _transposed(args: Args, options: Options, out: object) -> int:
    weight = _tensor(args, options, 1, "weight")
    return _tensor(args, options, 0, "input").numel() * math.prod(weight.shape[1:])


def _linear(args: Args, options: Options, out: object) -> int:
    return cast("torch.Tensor", out).numel() * _tensor(args, options, 1, "weight").shape[-1]


def _product(args: Args, options: Options, out: object) -> int:
    return cast("torch.Tensor", out).numel() * _tensor(args, options, 0, "input").shape[-1]


def _added_product(args: Args, options: Options, out: object) -> int:
    return cast("torch.Tensor", out).numel() * _tensor(args, options, 1, "mat1").shape[-1]


def _attention(args: Args, options: Options, out: object) -> int:
    query, key = _tensor(args, options, 0, "query"), _tensor(args, options, 1, "key")
    return (query.numel() + cast("torch.Tensor", out).numel()) * key.shape[-2]


def _attention_with_weights(args: Args, options: Options, out: object) -> int:
    """``nn.MultiheadAttention``: (positions, batch, features) whatever its own layout is."""
    length, batch, features = _tensor(args, options, 0, "query").shape
    return batch * (4 * length * features**2 + 2 * length**2 * features)


def _recurrent(args: Args, options: Options, out: object) -> int:
    data = cast("torch.Tensor", args[0])
    weights = next(a for a in args[1:] if isinstance(a, (list, tuple)) and any(w.dim() == 2 for w in a))
    steps = data.numel() // data.shape[-1]
    return steps * int(sum(w.numel() for w in weights if w.dim() == 2))


_RULES: Mapping[str, Callable[[Args, Options, object], int]] = MappingProxyType(
    {
        **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _conv),
        **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _transposed),
        "linear": _linear,
        **dict.fromkeys(("matmul", "__matmul__", "mm", "bmm"), _product),
        **dict.fromkeys(("addmm", "baddbmm"), _added_product),
        "scaled_dot_product_attention": _attention,
        "multi_head_attention_forward": _attention_with_weights,
        **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), _recurrent),
    }
)
