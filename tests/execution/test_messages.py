"""Tests of messages between processes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.execution.messages import MAX_BYTES, Inbox, Message, pack

MESSAGES = st.lists(st.dictionaries(st.text(), st.none() | st.integers() | st.floats(allow_nan=False) | st.text()))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(MESSAGES, st.integers(1, 9))
def test_messages_arrive_whole_and_in_order_however_they_are_cut(messages: list[Message], piece: int) -> None:
    """Whatever the pieces a pipe hands out, the same messages come out."""
    data = b"".join(map(pack, messages))
    inbox = Inbox()
    found: list[Message] = []
    for at in range(0, len(data), piece):
        inbox.feed(data[at : at + piece])
        found += inbox
    assert found == messages


@pytest.mark.parametrize(
    "data", [(MAX_BYTES + 1).to_bytes(4, "big"), b"\0\0\0\2[]", b"\0\0\0\1{", b"fake result line\n"]
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    """Too long, no object, no JSON, or plain text: an error at once instead of memory without end."""
    inbox = Inbox()
    inbox.feed(data)
    with pytest.raises(ValueError, match=r"message|JSON|property name|Expecting"):
        list(inbox)
