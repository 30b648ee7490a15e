"""How a tensor of a smaller layer lies in that of a larger one at the same place.

Of channels and features the first are taken, of a kernel the middle, of stacked gates (and of query, key and value) the
first of each. Knows tensors and places only.

References:
    Yu, Yang, Xu, Yang, Huang (2019), Slimmable Neural Networks (the first channels).
    Cai, Gan, Wang, Zhang, Han (2020), Once-for-All, section 3.2 (the middle of a kernel; without its transformation
    matrices, so that a subnet is a slice and nothing else).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netwright.errors import BuildError
from netwright.nn.places import Place

if TYPE_CHECKING:
    import torch

Shape = tuple[int, ...]

_GATES = {
    "LSTM": 4,
    "GRU": 3,
    **dict.fromkeys(("SelfAttention", "SourceAttention", "TargetAttention"), 3),
    **dict.fromkeys(("CrossAttention", "SourceConvolution", "TargetConvolution"), 2),
}
_STACKED = ("weight_ih_", "weight_hh_", "bias_ih_", "bias_hh_", "query_key_value.", "key_value.", "value_gate.")


def stacked(place: Place) -> int:
    """How many matrices of its own a tensor is, one above the other: an LSTM's gates are four.

    Example:
        >>> stacked(Place("net.0:recurrent", "LSTM", "bias_hh_l0")), stacked(Place("net.1:linear", "Linear", "weight"))
        (4, 1)
    """
    return _GATES.get(place.kind, 1) if place.name.startswith(_STACKED) else 1


def take(full: torch.Tensor, shape: Shape, place: Place) -> torch.Tensor:
    """The part of a tensor that a smaller layer has: a view, but a copy where matrices are stacked.

    Args:
        full: of the larger layer.
        shape: of the smaller layer's tensor.
        place: of both.

    Raises:
        BuildError: it is no part of it.
    """
    if tuple(full.shape) == tuple(shape):
        return full
    part = _part(full, shape, place)
    return part.flatten(0, 1) if stacked(place) > 1 else part


def put(full: torch.Tensor, values: torch.Tensor, place: Place) -> None:
    """Write a smaller layer's tensor into the part of a larger one that it is.

    Args:
        full: of the larger layer, contiguous.
        values: of the smaller one.
        place: of both.

    Raises:
        BuildError: it is no part of it.
    """
    count = stacked(place)
    _part(full, tuple(values.shape), place).copy_(values.reshape(count, -1, *values.shape[1:]) if count > 1 else values)


def _part(full: torch.Tensor, shape: Shape, place: Place) -> torch.Tensor:
    """The part as a view, in which stacked matrices have a dimension of their own."""
    count, wanted = stacked(place), shape
    if count > 1:
        full, wanted = full.reshape(count, -1, *full.shape[1:]), (count, shape[0] // count, *shape[1:])
    if len(wanted) != full.dim() or any(size > whole for size, whole in zip(wanted, full.shape, strict=True)):
        raise BuildError(f"{place}: shape {shape} is no part of {tuple(full.shape)}")
    is_kernel = place.name.endswith("weight") if place.kind.startswith("Conv") else place.name == "conv.weight"
    for dim, (size, whole) in enumerate(zip(wanted, tuple(full.shape), strict=True)):
        if size != whole:
            full = full.narrow(dim, (whole - size) // 2 if is_kernel and dim >= 2 else 0, size)
    return full


def largest(shapes: Sequence[Shape], place: Place) -> Shape:
    """The smallest shape of which all these are parts.

    Raises:
        BuildError: they have different numbers of dimensions, so that one layer cannot be them all.
    """
    odd = next((shape for shape in shapes if len(shape) != len(shapes[0])), None)
    if odd is not None:
        cure = "declare them as branches of nn.one_of, which have weights of their own"
        raise BuildError(f"{place} has shapes of different dimensions, {shapes[0]} and {odd}; {cure}")
    return tuple(max(sizes) for sizes in zip(*shapes, strict=True))
