"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data: NETWRIGHT_TEST_DATA, or ../shared/data beside the checkout; skips where there is none."""
    folder = Path(os.environ.get("NETWRIGHT_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not a folder; set NETWRIGHT_TEST_DATA")
    return folder
