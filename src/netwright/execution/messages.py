"""Messages between the driver, the warm parent and a trial: a length, then JSON. No pickle.

Knows nothing of what the messages say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import cast

from netwright.evaluation.base import Parent
from netwright.types import Architecture, Fidelity, Json

MAX_BYTES = 4 << 20
_HEAD = 4

Message = dict[str, Json]


def pack(message: Message) -> bytes:
    """Write a message: 4 bytes of length, big end first, then ASCII JSON."""
    body = json.dumps(message).encode("ascii")
    return len(body).to_bytes(_HEAD, "big") + body


def parent_message(parent: Parent) -> Json:
    """A parent as JSON.

    Example:
        >>> parent = Parent(Architecture({"w": 1}), Fidelity(2.0), 3, 4.0)
        >>> read_parent(parent_message(parent)) == parent
        True
    """
    fidelity = parent.fidelity
    return [parent.architecture.to_json(), fidelity.epochs, fidelity.data_share, parent.seed, parent.epochs]


def read_parent(told: Json) -> Parent | None:
    """Read what `parent_message` gave; None of None."""
    if not isinstance(told, list):
        return None
    text, epochs, share, seed, before = told
    fidelity = Fidelity(cast("float | None", epochs), cast(float, share))
    return Parent(Architecture.from_json(cast(str, text)), fidelity, cast(int, seed), cast(float, before))


class Inbox:
    """Puts messages together from the pieces a pipe or socket hands out.

    Example:
        >>> inbox = Inbox()
        >>> inbox.feed(pack({"a": 1})[:5]), list(inbox)
        (None, [])
        >>> inbox.feed(pack({"a": 1})[5:]), list(inbox)
        (None, [{'a': 1}])
    """

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, piece: bytes) -> None:
        """Add bytes as they came."""
        self._data += piece

    def __iter__(self) -> Iterator[Message]:
        """Take out the messages that are whole.

        Raises:
            ValueError: what came is no message (too long, or no JSON object).
        """
        while len(self._data) >= _HEAD:
            size = int.from_bytes(self._data[:_HEAD], "big")
            if size > MAX_BYTES:
                raise ValueError(f"a message of {size} bytes; at most {MAX_BYTES} are allowed")
            if len(self._data) < _HEAD + size:
                return
            try:
                message = json.loads(self._data[_HEAD : _HEAD + size])
            except RecursionError as error:
                raise ValueError("a message of too many brackets") from error
            del self._data[: _HEAD + size]
            if not isinstance(message, dict):
                raise ValueError("a message that is no JSON object")
            yield message
