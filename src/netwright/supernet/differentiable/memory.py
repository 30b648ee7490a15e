"""How much memory a differentiable search will take, told before it is taken.

Weights are known by their shapes before one of them is made. What a step keeps for its backward pass is counted on two
examples, and is that many times as much for a batch. Knows no methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from netwright.errors import SpaceError, wrong

COPIES = 3
"""Weights, gradients, and the momentum of each."""

EXAMPLES = 2
"""On which a step is tried: norms need two."""


CURE = (
    "give smaller batches, make the widest choices smaller, take gdas, pc-darts or enas, which run a part of the "
    "networks at a time, or allow more memory"
)


def require(num_bytes: float, most: int | None, what: str, cure: str = CURE) -> None:
    """Refuse a search that needs more memory than there is.

    Args:
        num_bytes: that are needed, at least.
        most: that may be taken; None for any.
        what: needs it.
        cure: what to do about it.

    Raises:
        SpaceError: it is more.
    """
    if most is not None and num_bytes > most:
        got, allowed = f"at least {num_bytes / 2**20:.4g} MiB", f"<= {most / 2**20:.4g} MiB"
        raise SpaceError(wrong(f"memory of {what}", got, allowed, cure))


def of_batch(kept: Callable[[int], int], size: int) -> float:
    """Bytes that a step keeps on a batch, told from steps on few examples.

    Args:
        kept: what it keeps on so many examples.
        size: of the batch.

    Example:
        >>> of_batch(lambda count: 100 + 7 * count, 64)
        548.0
    """
    few, more = kept(EXAMPLES), kept(2 * EXAMPLES)
    return few + (size / EXAMPLES - 1) * (more - few)


def kept_bytes(step: Callable[[], object], without: Iterable[Tensor]) -> int:
    """Bytes that a computation keeps for its backward pass, each storage once.

    Args:
        step: the computation.
        without: tensors that are there in any case, such as weights.
    """
    known = {_storage(tensor) for tensor in without}
    sizes: dict[int, int] = {}
    held: list[Tensor] = []  # so that no storage is given out twice

    def pack(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in known:
            sizes[_storage(tensor)] = tensor.untyped_storage().nbytes()
            held.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        step()
    return sum(sizes.values())


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
