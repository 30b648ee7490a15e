"""Weights from a file that a training begins with: what has the same name and the same shape is taken.

A network that is built stands behind the normalisation of its data, so that its names begin with a prefix; the file may
be that of the bare network, or of an exported one. Knows neither tasks nor strategies.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.errors import DataError, shorten

if TYPE_CHECKING:
    from torch import Tensor, nn

_log = logging.getLogger(__name__)

SHARE = "pretrained_share"
"""Metric: part of a network's numbers that came from the file."""

_STATISTICS = ("running_mean", "running_var")


def begin_with_file(model: nn.Module, path: Path) -> float:
    """Give a model the weights of a file, where names and shapes agree.

    Args:
        model: changed in place; parameters, and statistics of norms.
        path: a safetensors file. Names are compared as they are, and behind each prefix that names of the model have;
            the prefix is taken behind which most numbers agree.

    Returns:
        Part of the model's numbers that were taken.

    Raises:
        DataError: the file cannot be read.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        theirs = load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise DataError(f"pretrained: cannot read {shorten(str(path))}: {error}; give another file") from error
    own = {n: t for n, t in model.state_dict().items() if n.endswith(_STATISTICS)} | dict(model.named_parameters())
    found = max((_agreeing(own, theirs, prefix) for prefix in _prefixes(own)), key=_numbers)
    with torch.no_grad():
        for name, tensor in found.items():
            own[name].copy_(tensor)
    share = _numbers(found) / max(1, _numbers(own))
    _log.log(logging.INFO if found else logging.WARNING, "%.1f %% of the weights are from %s", 100 * share, path.name)
    return share


def _agreeing(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those of their tensors, by our names, that fit behind a prefix and are finite."""
    pairs = ((name, theirs.get(name.removeprefix(prefix))) for name in own if name.startswith(prefix))
    return {
        name: other
        for name, other in pairs
        if other is not None and other.shape == own[name].shape and bool(other.isfinite().all())
    }


def _prefixes(own: Mapping[str, Tensor]) -> list[str]:
    """The empty one first, then all beginnings of names up to a dot."""
    cuts = ([*name.split(".")][:-1] for name in own)
    return ["", *dict.fromkeys(".".join(parts[: i + 1]) + "." for parts in cuts for i in range(len(parts)))]


def _numbers(tensors: Mapping[str, Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors.values())
