"""Scores of the rungs that train nothing: usable ones, missing ones, and what a predictor is told of them."""

from __future__ import annotations

import math

from ladder_cases import scored, sizes, space, tried

from netwright.evaluation.scored import Scored
from netwright.study.pool_scores import PoolScores


def test_two_rungs_have_scores_of_their_own() -> None:
    """What one says is not what the other says; together they are told, or one alone."""
    nets = tried(20)
    scores = PoolScores()
    told, why_not = scores.fill("proxies", scored(nets, lambda a: float(int(a["good"]))))
    assert (told, why_not) == ("20 networks scored by proxy", "")
    rows = [Scored(a, {"supernet": -float(int(a["good"]))}, sizes(a), {}) for a in nets[:16]]
    assert scores.fill("supernet", rows) == ("16 networks scored by supernet", "")
    first, second = scores.worth("proxies"), scores.worth("supernet")
    best = max(nets[:16], key=lambda a: int(a["good"]))
    assert first[best] == max(first[a] for a in nets[:16])
    assert second[best] == min(second.values())
    both, alone = scores.named(["proxies", "supernet"]), scores.named(["supernet"])
    assert set(both(nets[0])) == {"proxy", "supernet", "params", "macs", "depth"}
    assert set(alone(nets[0])) == {"supernet", "params", "macs", "depth"}
    assert math.isnan(both(nets[19])["supernet"])
    assert both(nets[19])["proxy"] == int(nets[19]["good"])


def test_what_cannot_be_used_says_why() -> None:
    """Too few, or no number; then nothing is taken."""
    scores, nets = PoolScores(), tried(20)
    assert scores.fill("proxies", []) == ("", "only 0 were scored in time")
    assert scores.fill("proxies", scored(nets[:3], lambda a: 1.0)) == ("", "only 3 were scored in time")
    assert scores.fill("proxies", scored(nets, lambda a: math.nan)) == ("", "no network has a score")
    assert scores.worth("proxies") == {}
    assert len({space().canonical_id(a) for a in nets}) > 10
