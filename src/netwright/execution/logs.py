"""A log of bounded size: the first half of what is written and the last; whatever lies between is counted only."""

from __future__ import annotations

from pathlib import Path

_SHOWN = 20_000


class CappedLog:
    """Keeps at most ``max_bytes`` of what is fed to it.

    Args:
        max_bytes: kept in all.
    """

    def __init__(self, max_bytes: int) -> None:
        self._head_size = max_bytes // 2
        self._tail_size = max_bytes - self._head_size
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def feed(self, data: bytes) -> None:
        """Add output."""
        room = self._head_size - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        excess = len(self._tail) - self._tail_size
        if excess > 0:
            del self._tail[:excess]
            self._dropped += excess

    @property
    def content(self) -> bytes:
        """What is kept."""
        gap = f"\n... {self._dropped} bytes left out ...\n".encode() if self._dropped else b""
        return bytes(self._head) + gap + bytes(self._tail)

    @property
    def last_lines(self) -> str:
        """The end of it as text, for an error message."""
        return self.content[-_SHOWN:].decode("utf-8", "replace").strip()

    def save(self, path: Path) -> None:
        """Write a file that its owner alone may read; no file where nothing was written.

        Raises:
            OSError: it cannot be written.
        """
        if self.content:
            path.touch(mode=0o600)
            path.write_bytes(self.content)
