"""Time and signals of one sitting of a search: how much is spent, when to stop, and whether a person asked to."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from netwright.errors import Interrupted

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Clock:
    """Wall seconds spent and left.

    Args:
        limit_s: of all sittings together; None for no limit.
        spent_s: in earlier sittings.
    """

    def __init__(self, limit_s: float | None = None, spent_s: float = 0.0) -> None:
        self._start_s = time.monotonic() - spent_s
        self.limit_s = limit_s

    @property
    def elapsed_s(self) -> float:
        """Spent so far."""
        return time.monotonic() - self._start_s

    @property
    def remaining_s(self) -> float | None:
        """Left, at least 0; None without a limit."""
        return None if self.limit_s is None else max(0.0, self.limit_s - self.elapsed_s)

    def deadline_s(self, reserve_s: float = 0.0) -> float | None:
        """The reading of ``time.monotonic()`` at which all but ``reserve_s`` is spent; None without a limit."""
        return None if self.limit_s is None else self._start_s + self.limit_s - reserve_s


class StopRequest:
    """Whether a signal asked to stop. Once: what runs is finished and stored. Twice: at once."""

    def __init__(self) -> None:
        self.signal_number: int | None = None

    def __call__(self) -> bool:
        return self.signal_number is not None

    def raise_if_asked(self) -> None:
        """Raise `Interrupted` where a signal came."""
        if self.signal_number is not None:
            raise Interrupted(self.signal_number)

    @contextmanager
    def listening(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Listen to signals within the block; only possible in the main thread, elsewhere nothing is done."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def receive(number: int, frame: FrameType | None) -> None:
            if self.signal_number is not None:
                raise Interrupted(number)
            self.signal_number = number
            tell("stopping: what runs is finished first; once more to stop at once")

        before = {number: signal.signal(number, receive) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
