"""Weights from a file that a training begins with: what has the same name and the same shape is taken.

A network that is built stands behind the normalisation of its data, so that its names begin with a prefix; the file may
be that of the bare network, or of an exported one. Knows neither tasks nor strategies.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from netwright.errors import DataError, shorten

if TYPE_CHECKING:
    from torch import Tensor, nn

_log = logging.getLogger(__name__)

SHARE = "pretrained_share"
"""Metric: part of a network's numbers that came from the file."""

_STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True, slots=True)
class Rows:
    """What the rows of a weight stand for, where that is numbered anew in other data.

    Args:
        here: for each row of the model's weight, such as a token's text.
        there: for each row of the file's weight; None where that is not known.
    """

    here: Sequence[Hashable]
    there: Sequence[Hashable] | None

    def common(self) -> tuple[list[int], list[int]]:
        """Numbers of rows here, and of those there that stand for the same.

        Example:
            >>> Rows("abc", "cxa").common()
            ([0, 2], [2, 0])
        """
        place: dict[Hashable, int] = {}
        for row, meaning in enumerate(self.there or ()):
            place.setdefault(meaning, row)
        ours = [row for row, meaning in enumerate(self.here) if meaning in place]
        return ours, [place[self.here[row]] for row in ours]


@dataclass(frozen=True, slots=True)
class _Taken:
    """Numbers for a weight: for all of it, or for some rows."""

    values: Tensor
    rows: list[int] | None = None


def begin_with_file(model: nn.Module, path: Path, numbered: Mapping[str, Rows] = MappingProxyType({})) -> float:
    """Give a model the weights of a file, where names and shapes agree.

    Args:
        model: changed in place; parameters, and statistics of norms.
        path: a safetensors file. Names are compared as they are, and behind each prefix that names of the model have;
            the prefix is taken behind which most numbers agree.
        numbered: by the model's names, weights of which a row is taken from the one that stands for the same, however
            many there are; rows without a counterpart stay as they are.

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
    agreeing = (_agreeing(own, theirs, prefix, numbered) for prefix in _prefixes(own))
    found = max(agreeing, key=lambda some: _numbers(taken.values for taken in some.values()))
    with torch.no_grad():
        for name, taken in found.items():
            if taken.rows is None:
                own[name].copy_(taken.values)
            else:
                own[name][taken.rows] = taken.values.to(own[name])
    share = _numbers(taken.values for taken in found.values()) / max(1, _numbers(own.values()))
    _log.log(logging.INFO if found else logging.WARNING, "%.1f %% of the weights are from %s", 100 * share, path.name)
    return share


def _agreeing(
    own: Mapping[str, Tensor], theirs: Mapping[str, Tensor], prefix: str, numbered: Mapping[str, Rows]
) -> dict[str, _Taken]:
    """What of their tensors, by our names, fits behind a prefix and is finite."""
    found = {}
    for name in own:
        other = theirs.get(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if other is None or not bool(other.isfinite().all()):
            continue
        if name in numbered:
            taken = _same_rows(own[name], other, numbered[name])
        else:
            taken = _Taken(other) if other.shape == own[name].shape else None
        if taken is not None:
            found[name] = taken
    return found


def _same_rows(own: Tensor, other: Tensor, rows: Rows) -> _Taken | None:
    """The rows that stand for the same; None where there is none, or where they are not what they are said to be."""
    if other.shape[1:] != own.shape[1:] or (len(own), len(other)) != (len(rows.here), len(rows.there or ())):
        return None
    ours, others = rows.common()
    return _Taken(other[others], ours) if ours else None


def _prefixes(own: Mapping[str, Tensor]) -> list[str]:
    """The empty one first, then all beginnings of names up to a dot."""
    cuts = ([*name.split(".")][:-1] for name in own)
    return ["", *dict.fromkeys(".".join(parts[: i + 1]) + "." for parts in cuts for i in range(len(parts)))]


def _numbers(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)
