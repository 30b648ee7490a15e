"""Subnets are the stand-alone networks bit for bit in the default spaces of tasks that are no images, too."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from supernet_helpers import buildable, unequal

from netwright.space import SearchSpace
from netwright.supernet import Supernet
from netwright.tasks.detection.space import detection_space
from netwright.tasks.series.spaces import classification_space, forecasting_space
from netwright.tasks.speech_recognition.spaces import speech_space
from netwright.tasks.tabular.spaces import tabular_space
from netwright.tasks.text_spaces import class_space, language_space
from netwright.tasks.translation.spaces import translation_space


def tokens(padded: int) -> torch.Tensor:
    """Rows of eight tokens, of which some end with padding."""
    found = torch.randint(1, 11, (4, 8))
    found[:, 8 - padded :] = 0
    return found


def rows() -> torch.Tensor:
    """Three numbers and two categories, as they are stored."""
    return torch.cat([torch.randn(4, 3), torch.randint(0, 2, (4, 2)).float()], dim=1)


SPACES: dict[str, tuple[Callable[[], SearchSpace], Callable[[], torch.Tensor]]] = {
    "language": (lambda: language_space(11), lambda: tokens(0)),
    "texts": (lambda: class_space(11, 3), lambda: tokens(2)),
    "series": (lambda: classification_space((2, 16), 3), lambda: torch.randn(4, 2, 16)),
    "forecasts": (lambda: forecasting_space((2, 16), 1, 4), lambda: torch.randn(4, 2, 16)),
    "classes of rows": (lambda: tabular_space(3, (4, 2), 3, classes=True), rows),
    "rows with intervals": (
        lambda: tabular_space(3, (4, 2), 3, classes=True, intervals=(5, 3)),
        lambda: torch.cat([rows(), torch.randint(0, 3, (4, 2)).float()], dim=1),
    ),
    "detectors": (lambda: detection_space((3, 64, 96), 3), lambda: torch.rand(4, 3, 64, 96)),
    "speech": (lambda: speech_space((16, 24), 2, 5), lambda: torch.randn(4, 16, 24)),
    "translation": (lambda: translation_space(3, 11, 11), lambda: tokens(2)),
    "values of rows": (lambda: tabular_space(3, (4, 2), 1, classes=False), rows),
}


def compared(name: str, count: int) -> int:
    """How many subnets were compared; all were equal."""
    make, examples = SPACES[name]
    x = examples()
    dtype = str(x.dtype).removeprefix("torch.")
    supernet = Supernet(make(), input_shape=tuple(x.shape[1:]), input_dtype=dtype)
    for architecture in buildable(supernet, count):
        assert unequal(supernet, architecture, x, lambda out: out.square().mean()) == [], architecture
    assert all(torch.isfinite(weight).all() for weight in supernet.parameters())
    return count


COSTLY = ("detectors", "speech", "translation")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if name in COSTLY else name for name in sorted(SPACES)]
)
@pytest.mark.parametrize("count", [3, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_a_subnet_equals_the_network_that_is_taken_out(name: str, count: int) -> None:
    """Outputs and the weights after a step are the same bits (T17)."""
    assert compared(name, count) == count
