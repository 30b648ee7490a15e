"""What is said of two declarations, and of two architectures, that differ."""

from __future__ import annotations

import json

import pytest
from declared import op, seq

from netwright.space import Expr, Op, Repeat, SearchSpace, choice, difference_of_spaces, integer, real


def small(values: list[int], *, limit: int = 3, kind: str = "conv", rate: object = 0.1) -> SearchSpace:
    width = choice("width", values)  # type: ignore[arg-type]
    rules: list[Expr] = [width + integer("depth", 1, 3) <= limit]
    body = seq(op(kind, width=width), Repeat(integer("depth", 1, 3), (Op("a"),) * 3))
    return SearchSpace(body, constraints=rules, training={"rate": rate})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (small([1, 2]), None),
        (small([1, 3]), r'choice \'width\' changed from {"values":\[1,2\]} to {"values":\[1,3\]}'),
        (small([1, 2], limit=4), "constraints changed from"),
        (small([1, 2], kind="pool"), 'the network changed: .*"conv".* became .*"pool"'),
        (small([1, 2], rate=0.2), "training argument 'rate' changed from 0.1 to 0.2"),
        (small([1, 2], rate=real("r", 0.0, 1.0)), "choice 'r' is new; training argument 'rate' changed"),
    ],
)
def test_difference_of_spaces_says_what_changed(other: SearchSpace, message: str | None) -> None:
    """Equal declarations have one fingerprint; of different ones the changed part is named."""
    old = small([1, 2])
    described = json.loads(json.dumps(other.describe()))
    text = difference_of_spaces(old.describe(), described)
    assert (old.fingerprint() == other.fingerprint()) is (message is None)
    if message is None:
        assert text is None
    else:
        with pytest.raises(ValueError, match=message):
            raise ValueError(text)


def test_difference_of_architectures(space: SearchSpace) -> None:
    """Changed, lost and new decisions, for people and as JSON."""
    a = space.architecture({"op": "conv", "width": 16, "kernel": 5, "epochs": 2})
    b = space.architecture({"op": "skip", "epochs": 3})
    found = space.difference(a, b)
    assert str(found) == '~ epochs: 2 -> 3\n~ op: "conv" -> "skip"\n- kernel: 5\n- width: 16'
    expected = {"changed": {"epochs": [2, 3], "op": ["conv", "skip"]}, "only_first": {"kernel": 5, "width": 16}}
    assert json.loads(json.dumps(found.to_dict())) == {**expected, "only_second": {}}
    assert str(space.difference(a, a)) == "no difference"
    assert len(space.difference(a, a)) == 0
