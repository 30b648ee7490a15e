"""Gives operations their meaning in torch: what every operation declared in `netwright.nn` carries."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netwright.space.terms import Term

if TYPE_CHECKING:
    from netwright.space import SearchSpace


@dataclass(frozen=True)
class TorchBackend:
    """Builds and writes networks with torch; torch is imported when something is built, not before."""

    def build(self, term: Term, *, input_shape: tuple[int, ...], seed: int, input_dtype: str) -> object:
        """Build a plain ``torch.nn.Module``; see `netwright.nn.build`."""
        from netwright.nn.building import build

        return build(term, input_shape=input_shape, seed=seed, input_dtype=input_dtype)

    def source(self, term: Term, *, input_shape: tuple[int, ...], input_dtype: str) -> str:
        """Write self-contained source; see `netwright.nn.source`."""
        from netwright.nn.writing import source

        return source(term, input_shape=input_shape, input_dtype=input_dtype)

    def supernet(self, space: SearchSpace, *, input_shape: tuple[int, ...], seed: int, input_dtype: str) -> object:
        """Make a supernet; see `netwright.supernet.Supernet`.

        It is imported by its name: supernets stand above this layer, and nothing here depends on them.
        """
        module = importlib.import_module("netwright.supernet")
        return module.Supernet(space, input_shape=input_shape, seed=seed, input_dtype=input_dtype)


TORCH = TorchBackend()
