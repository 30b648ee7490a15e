"""Differentiable architecture search: all architectures of a space in one network, chosen by gradients; and ENAS.

relaxed.py    the network of all architectures     darts.py, gdas.py, pc_darts.py, drnas.py, beta_darts.py   the methods
enas.py       a controller on shared weights       derive.py     from weights to an architecture
alarm.py      whether a search collapses           measured.py   limits that are measured, such as latency
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from netwright.space import SearchSpace
from netwright.supernet.differentiable.alarm import Alarm, CollapseAlarm, Signs
from netwright.supernet.differentiable.beta_darts import beta_darts
from netwright.supernet.differentiable.darts import darts
from netwright.supernet.differentiable.derive import derive
from netwright.supernet.differentiable.drnas import drnas
from netwright.supernet.differentiable.enas import ControllerOptions, enas
from netwright.supernet.differentiable.examples import Batches
from netwright.supernet.differentiable.gdas import gdas
from netwright.supernet.differentiable.mixing import Mixing
from netwright.supernet.differentiable.options import AlarmOptions, Options, Penalty
from netwright.supernet.differentiable.pc_darts import pc_darts
from netwright.supernet.differentiable.relaxed import RelaxedNetwork
from netwright.supernet.differentiable.result import EpochRecord, Found, Sampled, Searched


class Method(Protocol):
    """A search method on weights that all architectures share."""

    def __call__(self, space: SearchSpace, train: Batches, valid: Batches, options: Options | None = None) -> Found:
        """Search a space with batches for the weights and others for the architecture."""


METHODS: Mapping[str, Method] = MappingProxyType(
    {"beta-darts": beta_darts, "darts": darts, "drnas": drnas, "enas": enas, "gdas": gdas, "pc-darts": pc_darts}
)
"""The methods by name."""

__all__ = [
    "METHODS",
    "Alarm",
    "AlarmOptions",
    "Batches",
    "CollapseAlarm",
    "ControllerOptions",
    "EpochRecord",
    "Found",
    "Method",
    "Mixing",
    "Options",
    "Penalty",
    "RelaxedNetwork",
    "Sampled",
    "Searched",
    "Signs",
    "beta_darts",
    "darts",
    "derive",
    "drnas",
    "enas",
    "gdas",
    "pc_darts",
]
