"""Tests of what the history consists of and how its parts are written."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_helpers import STUDY, make_trial

from netwright.errors import StudyMismatchError
from netwright.storage import StudyRecord
from netwright.storage.records import decode_number, decode_proposal, encode_number, encode_proposal, history_line
from netwright.types import Architecture, Objective, Proposal

BITS = settings(deadline=None, derandomize=True, max_examples=100)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists, max_leaves=5
)


@BITS
@given(st.integers(0, 2**64 - 1))
def test_a_number_keeps_its_bits_through_strict_json(bits: int) -> None:
    """Every float, NaN with any payload and both zeros included, comes back bit for bit from JSON without NaN."""
    number = struct.unpack(">d", struct.pack(">Q", bits))[0]
    text = json.dumps(encode_number(number), allow_nan=False)
    assert struct.pack(">d", decode_number(json.loads(text))) == struct.pack(">d", number)


@BITS
@given(st.dictionaries(st.text(), VALUES, max_size=5), st.lists(st.integers(0, 99)), st.text())
def test_a_proposal_comes_back_equal(decisions: dict[str, object], parents: list[int], origin: str) -> None:
    """Any decisions, parents and origin survive the ASCII text of a proposal."""
    proposal = Proposal(Architecture(decisions), parents=tuple(parents), origin=origin)
    text = encode_proposal(proposal)
    assert (decode_proposal(text), text.isascii()) == (proposal, True)


def test_a_history_line_holds_what_must_be_equal_and_nothing_else() -> None:
    """Times, durations, attempts and errors do not show in the canonical history; a changed metric bit does."""
    trial = make_trial(0)
    other_run = replace(
        trial, metrics={**trial.metrics, "latency_ms": 9.0, "train_s": 1.0}, duration_s=77.0, attempts=2
    )
    changed = replace(trial, metrics={**trial.metrics, "accuracy": trial.metrics["accuracy"] * (1 + 2**-52)})
    assert history_line(other_run) == history_line(trial)
    assert history_line(changed) != history_line(trial)
    assert sorted(json.loads(history_line(trial))) == [
        "architecture", "fidelity", "id", "metrics", "parents", "seed", "state",
    ]  # fmt: skip


def test_a_study_comes_back_equal_from_json() -> None:
    """A study record survives JSON with its objectives and constraints."""
    assert StudyRecord.from_dict(json.loads(json.dumps(STUDY.to_dict()))) == STUDY


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", 4),
        ("space_fingerprint", "x"),
        ("data_fingerprint", "x"),
        ("code_fingerprint", "x"),
        ("objectives", (Objective("accuracy", "min"),)),
        ("constraints", ()),
    ],
)
def test_another_study_is_refused_by_the_field_that_differs(field: str, value: object) -> None:
    """A changed seed, space, data, code, objective or constraint is named; name, version and spec may change."""
    STUDY.require_same(replace(STUDY, name="new", version="9", spec="{}"))
    with pytest.raises(StudyMismatchError, match=f"another {field}"):
        STUDY.require_same(replace(STUDY, **{field: value}))
