"""One network in several runtimes, side by side: one that cannot run it is named, and the others go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netwright.errors import CapabilityError, MissingDependencyError, TrialError
from netwright.evaluation.latency.base import Array
from netwright.evaluation.latency.measure import Latency, measure_latency
from netwright.evaluation.latency.spec import LatencySpec

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Unavailable:
    """What could not be measured.

    Args:
        spec: what was to be.
        reason: why not, and what to do about it.
        missing: whether it is for a package that is not installed.
    """

    spec: LatencySpec
    reason: str
    missing: bool = False


def measure_several(
    model: nn.Module, input_shape: tuple[int, ...], specs: Sequence[LatencySpec], *, examples: Array | None = None
) -> Iterator[Latency | Unavailable]:
    """Measure a network in one runtime after the other.

    Args:
        model: on the CPU; is put into evaluation mode.
        input_shape: of one example.
        specs: what to measure.
        examples: see `measure_latency`.

    Yields:
        One result for each spec, as soon as it is there.
    """
    for spec in specs:
        try:
            yield measure_latency(model, input_shape, spec, examples=examples)
        except MissingDependencyError as error:
            yield Unavailable(spec, str(error), missing=True)
        except (CapabilityError, TrialError) as error:
            yield Unavailable(spec, str(error))
