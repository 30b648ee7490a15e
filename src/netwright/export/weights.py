"""Weights as safetensors: written from tensors, and checked before anything is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.errors import ExportError, shorten

if TYPE_CHECKING:
    import torch


def write_weights(weights: Mapping[str, torch.Tensor]) -> bytes:
    """Bytes of a safetensors file, the same for the same tensors; tied tensors are written twice.

    Raises:
        ExportError: a value is no tensor, or has NaN or infinite elements.
    """
    from safetensors.torch import save

    _refuse_bad(weights)
    return save({name: weights[name].detach().cpu().contiguous().clone() for name in sorted(weights)})


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read and check a safetensors file; nothing in it is run.

    Raises:
        ExportError: as `check_weights`, or the file cannot be read.
    """
    try:
        return check_weights(path.read_bytes(), str(path))
    except OSError as error:
        raise ExportError(f"weights cannot be read: {error}; name a safetensors file") from error


def check_weights(data: bytes, where: str = "weights.safetensors") -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file.

    Raises:
        ExportError: it is no safetensors file, its tensors do not fit into it, or have NaN or infinite elements.
    """
    from netwright.export import runtime

    try:
        weights = runtime.parse_weights(data, where)
    except ValueError as error:
        raise ExportError(f"{error}; give the file that was exported, unchanged") from error
    _refuse_bad(weights)
    return weights


def _refuse_bad(weights: Mapping[str, torch.Tensor]) -> None:
    import torch

    for name, tensor in weights.items():
        if not isinstance(tensor, torch.Tensor):
            raise ExportError(f"weights[{shorten(name)}] must be a tensor, got {shorten(tensor)}")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            bad = int((~torch.isfinite(tensor)).sum())
            raise ExportError(
                f"weights[{shorten(name)}] has {bad} NaN or infinite of {tensor.numel()} elements; "
                "its training diverged: export another trial"
            )
