"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data: NETWRIGHT_TEST_DATA, or ../shared/data beside the checkout; skips where there is none."""
    folder = Path(os.environ.get("NETWRIGHT_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not a folder; set NETWRIGHT_TEST_DATA")
    return folder


@pytest.fixture(scope="module")
def bright_rows() -> tuple[np.ndarray, np.ndarray]:
    """Four classes of 8 x 8 images, and their numbers: a bright row in one of four places, in noise."""
    rng = np.random.default_rng(0)
    y = np.arange(480) % 4
    x = rng.integers(0, 160, (480, 8, 8, 1))
    x[np.arange(480), 2 * y] += 80
    return x.astype(np.uint8), y
