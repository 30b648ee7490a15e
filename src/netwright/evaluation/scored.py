"""What is known of an architecture before it is trained, and under which conditions it was found out. Plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from netwright.errors import NetwrightError, wrong
from netwright.types import Architecture, Json, canonical_json, digest

SIZES = ("params", "macs", "depth")
"""Baselines that every score is compared with; they are known without building a network."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What is known of an architecture without training it.

    Args:
        architecture: which.
        values: score by name, larger is thought to be better; NaN where there is none.
        sizes: params, macs and depth; NaN where the network cannot be made.
        unusable: why a proxy is not for this network, by name.
        error: why the network could not be built or run; empty where it could.
        time_s: processor seconds of building and scoring it.
    """

    architecture: Architecture
    values: Mapping[str, float]
    sizes: Mapping[str, float]
    unusable: Mapping[str, str]
    error: str = ""
    time_s: float = 0.0

    @classmethod
    def failed(cls, architecture: Architecture, names: Sequence[str], error: str, time_s: float = 0.0) -> Scored:
        """Of an architecture of which nothing could be found out."""
        nothing = dict.fromkeys(names, math.nan)
        return cls(architecture, nothing, dict.fromkeys(SIZES, math.nan), {}, error, time_s)

    def to_dict(self) -> dict[str, Json]:
        """As JSON; numbers that JSON does not have are written as text."""
        return {
            "architecture": self.architecture.to_json(),
            "values": {name: _json(value) for name, value in self.values.items()},
            "sizes": {name: _json(value) for name, value in self.sizes.items()},
            "unusable": dict(self.unusable),
            "error": self.error,
            "time_s": self.time_s,
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Json]) -> Scored:
        """Read what `to_dict` gave.

        Raises:
            ValueError: it is something else.

        Example:
            >>> scored = Scored(Architecture({"width": 8}), {"naswot": math.inf}, {"params": 10.0}, {})
            >>> Scored.from_dict(scored.to_dict()) == scored
            True
        """
        try:
            return cls(
                Architecture.from_json(str(given["architecture"])),
                _numbers(given["values"]),
                _numbers(given["sizes"]),
                {name: str(reason) for name, reason in _mapping(given["unusable"]).items()},
                str(given["error"]),
                float(str(given["time_s"])),
            )
        except (KeyError, NetwrightError) as error:
            raise ValueError(f"not the scores of an architecture: {error}") from error


@dataclass(frozen=True, slots=True)
class Conditions:
    """How networks are looked at: scores made under other conditions cannot be compared with these.

    Args:
        proxies: names of the scores.
        seed: of the first weights, of the choice of the batch, and of what proxies draw.
        examples: training images in the batch.
        classes: how many classes they are of.
        data: fingerprint of the task.
        space: fingerprint of the search space.
        torch: version.
        initialisation: of the weights.
        batch: how the batch is chosen and prepared.
        dtype: of weights and inputs.
        batch_norm: which statistics it uses.
    """

    proxies: tuple[str, ...]
    seed: int
    examples: int
    classes: int
    data: str
    space: str
    torch: str
    initialisation: str = "as each layer is built; every network from the same seed"
    batch: str = "training images, as many of each class as can be; scaled as for training, not augmented"
    dtype: str = "float32"
    batch_norm: str = "statistics of the batch; dropout off"

    @property
    def digest(self) -> str:
        """By which scores that were kept are known to be made under the same conditions."""
        return digest(canonical_json(asdict(self)))


class Scorer(Protocol):
    """What says something of architectures without training them; `ProxyScorer` is one."""

    @property
    def names(self) -> Sequence[str]: ...
    @property
    def conditions(self) -> Conditions: ...
    def prepare(self) -> None: ...
    def score(self, architecture: Architecture, /) -> Scored: ...


def _json(value: float) -> Json:
    return value if math.isfinite(value) else str(value)


def _mapping(value: Json) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise ValueError(wrong("a part of the scores", value, "a JSON object"))
    return value


def _numbers(value: Json) -> dict[str, float]:
    return {name: float(str(number)) for name, number in _mapping(value).items()}
