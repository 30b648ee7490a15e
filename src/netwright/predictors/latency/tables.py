"""What was measured on a device: latencies by architecture, checked. Knows no space and no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netwright.errors import DataError, wrong
from netwright.types import Architecture


@dataclass(frozen=True, slots=True)
class LatencyTable:
    """Latencies measured on one device, all in the same unit and with the same batch.

    Args:
        device: its name.
        architectures: at least one; one that was measured again stands there again.
        latencies_ms: of each, finite and > 0.

    Raises:
        DataError: there is none, there is not one latency an architecture, or one is no positive number.

    Example:
        >>> LatencyTable("phone", (Architecture({"width": 8}), Architecture({"width": 16})), (1.5, 2.5)).values
        array([1.5, 2.5])
    """

    device: str
    architectures: tuple[Architecture, ...]
    latencies_ms: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.architectures) != len(self.latencies_ms):
            got = f"{len(self.latencies_ms)} for {len(self.architectures)} architectures"
            raise DataError(wrong(f"latencies of {self.device!r}", got, "one for each architecture"))
        if not self.architectures:
            cure = "measure the architectures that choose_to_measure names"
            raise DataError(wrong(f"latencies of {self.device!r}", 0, "at least one", cure))
        values = self.values
        bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if len(bad):
            what = f"latency of {self.device!r}, architecture {bad[0]} ({self.architectures[bad[0]].to_json()})"
            cure = "measure it again or leave it out"
            raise DataError(wrong(what, float(values[bad[0]]), "a finite number of ms > 0", cure))

    @classmethod
    def of(cls, device: str, architectures: Sequence[Architecture], latencies_ms: Sequence[float]) -> LatencyTable:
        """The table of any sequences, arrays among them."""
        return cls(device, tuple(architectures), tuple(float(value) for value in latencies_ms))

    @property
    def values(self) -> np.ndarray:
        """The latencies in ms, shape (n,)."""
        return np.array(self.latencies_ms, dtype=np.float64)
