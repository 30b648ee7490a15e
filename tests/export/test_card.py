"""The card: a round trip, and clean errors for whatever is no card."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import SpecError
from netwright.export import Ancestor, Card, Check, Compared, Comparison, Latency, Limit
from netwright.export.card import Export, FileRecord, InputRecord, Probe
from netwright.types import Constraint, Objective

FULL = Card(
    task="image-classification",
    metrics={"test_accuracy": 0.9375, "params": 78_000.0, "latency_ms": 0.4},
    architecture={"width": 16, "kernels": [3, [5, "a"]], "skip": True, "rate": 0.1, "none": None},
    class_names=("a", "\u00e9\n\x00"),
    constraints=(Limit.of(Constraint.parse("params<=200k"), {"params": 78_000.0}), Limit("x", ">=", 1.0, None, None)),
    latency=Latency("onnxruntime 1.18", 1, 2, "x86", 0.4, 0.5),
    reference=Compared.of("resnet", {"accuracy": 0.92}, {"accuracy": 0.93}, Objective("accuracy", "max")),
    seed=7,
    trial=12,
    lineage=(Ancestor(12, (3, 4), "crossover"), Ancestor(3)),
    data="0123",
    versions={"torch": "2.13"},
    export=Export(
        InputRecord((1, 8, 8), "float32", 16.0, (0.3,), (0.4,)),
        {"model.py": FileRecord("ab", 3)},
        Probe(0, 4, 2, 1, (4, 2), "cd", (0.1, -0.2)),
        opset=18,
    ),
    check=Check(True, (Comparison("torch", 4, 0.0, 1e-5, True),), versions=(("torch", "2.13"),)),
)


def test_a_card_is_equal_after_a_round_trip() -> None:
    """Everything comes back, types and order included."""
    assert Card.from_json(FULL.to_json()) == FULL
    assert Card.from_json(FULL.to_json()).to_json() == FULL.to_json()


def test_the_card_has_the_promised_keys() -> None:
    """People and scripts find metrics, constraints, architecture, reference and check under these names."""
    card = json.loads(FULL.to_json())
    assert card["metrics"]["test_accuracy"] == 0.9375
    assert card["constraints"][0] == {
        "metric": "params",
        "relation": "<=",
        "bound": 2e5,
        "value": 78000.0,
        "holds": True,
    }
    assert card["architecture"]["kernels"] == [3, [5, "a"]]
    assert card["reference"]["beaten"] is True
    assert card["check"]["passed"] is True


@pytest.mark.parametrize(
    ("constraint", "metrics", "holds"),
    [("a<=1", {"a": 1.0}, True), ("a<=1", {"a": 1.5}, False), ("a>=1", {"a": 0.5}, False), ("a>=1", {}, None)],
)
def test_a_limit_says_whether_it_holds(constraint: str, metrics: dict[str, float], holds: bool | None) -> None:
    """Both relations, the bound included; None where nothing was measured."""
    assert Limit.of(Constraint.parse(constraint), metrics).holds is holds


@pytest.mark.parametrize(
    ("direction", "found", "beaten"), [("max", 0.9, False), ("min", 0.9, True), ("max", 1.0, False)]
)
def test_a_reference_that_was_not_beaten_is_said_to_be(direction: str, found: float, beaten: bool) -> None:
    """The margin is positive only where the found network is better, in the objective's direction."""
    objective = Objective("m", direction)  # type: ignore[arg-type]
    compared = Compared.of("r", {"m": 1.0}, {"m": found}, objective)
    assert (compared.beaten, compared.margin > 0) == (beaten, beaten)


@pytest.mark.parametrize("direction", ["max", "min"])
def test_an_equal_reference_has_the_margin_zero(direction: str) -> None:
    """No card shows -0.0, whichever direction is better."""
    compared = Compared.of("r", {"m": 0.9}, {"m": 0.9}, Objective("m", direction))  # type: ignore[arg-type]
    assert str(compared.margin) == "0.0"


def changed(path: str, value: object) -> str:
    card = json.loads(FULL.to_json())
    *parents, last = path.split("/")
    inner = card
    for name in parents:
        inner = inner[int(name) if name.isdigit() else name]
    inner[last] = value
    return json.dumps(card)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid JSON"),
        ("[]", "got \\[\\]"),
        ("[" * 100_000, "Invalid JSON"),
        ("\x80\x04\x95", "Invalid JSON"),
        (changed("unknown", 1), "'unknown': Unexpected keyword argument, got 1"),
        (changed("metrics/test_accuracy", "0.9"), "metrics.test_accuracy"),
        (changed("metrics/test_accuracy", math.nan), "metrics.test_accuracy.*finite"),
        (changed("metrics/test_accuracy", math.inf), "metrics.test_accuracy.*finite"),
        (changed("architecture/width", {"a": 1}), "architecture.width"),
        (changed("architecture/kernels", [{"a": 1}]), "must be a JSON scalar or a list"),
        (changed("export/files/..~1secret", {"sha256": "", "size_bytes": 1}).replace("~1", "/"), "../secret"),
        (changed("export/files/model.py", {"sha256": 3, "size_bytes": 1}), "sha256"),
        (changed("export/input/shape", ["1"]), "shape"),
        (changed("check/passed", "yes"), "passed"),
        (changed("format", "netwright-card-9"), "format"),
    ],
)
def test_what_is_no_card_is_a_clean_error(text: str, message: str) -> None:
    """Foreign and tampered cards end in one line that names the key; nothing of them is used."""
    with pytest.raises(SpecError, match=message) as caught:
        Card.from_json(text)
    assert len(str(caught.value)) < 600


def test_a_card_with_a_number_that_is_none_cannot_be_made() -> None:
    """NaN metrics are refused where they come up, not when the card is read."""
    with pytest.raises(SpecError, match=r"metrics\['loss'\] must be finite, got nan"):
        replace(FULL, metrics={"loss": math.nan})


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: FULL.to_json()[:500] + t))
def test_any_bytes_are_a_card_or_a_clean_error(text: bytes | str) -> None:
    """No input gives another exception."""
    with pytest.raises(SpecError):
        Card.from_json(text)
