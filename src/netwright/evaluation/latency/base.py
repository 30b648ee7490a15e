"""What a runtime is: a network goes in, something that can be run and timed comes out. Knows no runtime."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from netwright.errors import CapabilityError, MissingDependencyError, NetwrightError, one_line
from netwright.evaluation.latency.spec import LatencySpec

if TYPE_CHECKING:
    from torch import nn

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A network made ready in a runtime, for inputs of one shape.

    Args:
        run: pass the example through the network once.
        outputs: pass another input (batch, *input shape) of the example's shape, and return the first output.
    """

    run: Callable[[], object]
    outputs: Callable[[Array], Array]


Prepare = Callable[["nn.Module", Array, LatencySpec], AbstractContextManager[Prepared]]
"""Makes a network ready: (network in evaluation mode, examples (N >= batch, *input shape), spec). The first ``batch``
examples are what is run; the others are there to choose the ranges of 8-bit numbers by."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """One way of running a network.

    Args:
        packages: that must be installed, beside torch.
        extra: of netwright's installation, which brings them.
        prepare: makes a network ready.
    """

    packages: tuple[str, ...]
    extra: str
    prepare: Prepare


@contextmanager
def refused(what: str) -> Iterator[None]:
    """Turn what a runtime raises, while it makes a network ready, into an error of ours.

    Raises:
        CapabilityError: ``what``, with the first line of the cause.
    """
    try:
        yield
    except (NetwrightError, MemoryError):
        raise
    except Exception as error:  # what compilers of many makers raise has no common class
        cause = next(iter(str(error).strip().splitlines()), "")
        raise CapabilityError(f"{what}: {type(error).__name__}: {one_line(cause)[:400]}") from error


def needing(package: str, extra: str, purpose: str) -> Any:
    """Import an optional package.

    Raises:
        MissingDependencyError: it is not installed, or a package that it needs is not.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingDependencyError(error.name or package, extra, purpose) from error
