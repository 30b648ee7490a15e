"""Tests of the log of bounded size."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.execution.logs import CappedLog


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.lists(st.binary(max_size=40)), st.integers(0, 60))
def test_the_first_and_the_last_are_kept(pieces: list[bytes], limit: int) -> None:
    """All is kept up to the limit; beyond it the first half and the last, and the gap is counted."""
    log = CappedLog(limit)
    for piece in pieces:
        log.feed(piece)
    data = b"".join(pieces)
    head, tail = data[: limit // 2], data[limit // 2 :][-(limit - limit // 2) :] if limit else b""
    gap = len(data) - limit
    expected = data if gap <= 0 else head + f"\n... {gap} bytes left out ...\n".encode() + tail
    assert log.content == expected


def test_a_log_file_is_for_its_owner_alone_and_only_where_there_is_output(tmp_path: Path) -> None:
    """A silent trial leaves no file; a later attempt replaces the file of an earlier one."""
    log = CappedLog(100)
    log.save(tmp_path / "a.log")
    assert list(tmp_path.iterdir()) == []
    for text in (b"a long first attempt", b"second"):
        log = CappedLog(100)
        log.feed(text)
        log.save(tmp_path / "a.log")
    assert (tmp_path / "a.log").read_bytes() == b"second"
    assert (tmp_path / "a.log").stat().st_mode & 0o777 == 0o600
