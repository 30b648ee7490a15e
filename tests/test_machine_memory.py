"""What is known of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from netwright import machine_memory


@pytest.mark.parametrize(
    ("text", "expected"), [("1048576\n", 1 << 20), ("max\n", None), (None, None), ("9223372036854771712\n", None)]
)
def test_memory_is_what_a_container_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, expected: int | None
) -> None:
    """A limit below the machine's memory counts; none, no file, or one above it does not."""
    monkeypatch.setattr(machine_memory, "_CONTAINER_LIMITS", ())
    whole = machine_memory.memory_bytes()
    file = tmp_path / "memory.max"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(machine_memory, "_CONTAINER_LIMITS", (file,))
    assert machine_memory.memory_bytes() == (expected or whole)
