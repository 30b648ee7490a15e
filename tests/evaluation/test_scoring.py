"""Scores of architectures on a task: the same for the same, on one fixed batch, with every failure counted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

import netwright.evaluation.proxies as proxies
from netwright import nn
from netwright.errors import SpecError
from netwright.evaluation.score_table import ScoreTable
from netwright.evaluation.scored import SIZES, Scored
from netwright.evaluation.scoring import ProxyScorer, balanced, sample_architectures
from netwright.nn.building import build
from netwright.predictors.score_ranks import ScoreRanks
from netwright.space import SearchSpace, choice
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Architecture

ARCH = Architecture({"width": 8})


@dataclass
class Found:
    values: Mapping[str, float]
    unusable: Mapping[str, str] = field(default_factory=dict)


class Recorder:
    """A stand-in for the proxies that remembers what it was given, and scores by the first weights."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[tuple[torch.Tensor, torch.Tensor, list[str], int, float]] = []
        self.error = error

    def __call__(
        self, model: torch.nn.Module, inputs: torch.Tensor, labels: torch.Tensor, names: Sequence[str], seed: int
    ) -> Found:
        weights = sum(float(p.detach().abs().sum()) for p in model.parameters())
        self.calls.append((inputs, labels, list(names), seed, weights))
        if self.error is not None:
            raise self.error
        return Found({name: weights for name in names if name != "odd"}, {"odd": "odd is not for this network: why"})


@pytest.fixture(scope="module")
def task() -> ImageClassification:
    """Four classes of 8 x 8 images; one of them is rare."""
    rng = np.random.default_rng(0)
    y = np.array([*np.arange(300) % 3, *[3] * 20])
    return ImageClassification.from_arrays((rng.integers(0, 255, (320, 8, 8, 1)).astype(np.uint8), y), layout="HWC")


def space() -> SearchSpace:
    width, kernel = choice("width", [4, 8, 16]), choice("kernel", [3, 5])
    return SearchSpace(nn.seq(nn.conv_norm_act(width, kernel=kernel, stride=2), nn.flatten(), nn.linear(4)))


def scorer(task: ImageClassification, measure: Recorder, *names: str, **options: int) -> ProxyScorer:
    return ProxyScorer(task, space(), names or ("a", "odd"), measure=measure, **options)


def drawn() -> list[Architecture]:
    return sample_architectures(space(), 6, 0)


def test_networks_are_looked_at_with_one_balanced_batch_as_they_are_trained(task: ImageClassification) -> None:
    """As many images of each class, float32 in [0, 1], the same for every network, weights of the same seed."""
    measure = Recorder()
    scores = scorer(task, measure, batch_size=32, seed=5)
    for architecture in drawn()[:2]:
        scores(architecture)
    (inputs, labels, names, seed, weights), again = measure.calls
    assert (torch.float32, (32, 1, 8, 8)) == (inputs.dtype, tuple(inputs.shape))
    assert [8, 8, 8, 8] == torch.bincount(labels).tolist()
    assert 0.0 <= float(inputs.min()) < float(inputs.max()) <= 1.0
    assert (["a", "odd"], 5) == (names, seed)
    assert torch.equal(inputs, again[0])
    network = build(task.network(space(), drawn()[0]), input_shape=task.input_shape, seed=5)
    assert sum(float(p.detach().abs().sum()) for p in network.parameters()) == weights


def test_the_images_of_the_batch_are_training_images(task: ImageClassification) -> None:
    """Validation images are never looked at."""
    measure = Recorder()
    scorer(task, measure, batch_size=40)(drawn()[0])
    known = {image.tobytes() for image in task.train()[0]}
    inputs = (measure.calls[0][0] * task.scale).round().to(torch.uint8).contiguous().numpy()
    assert all(np.ascontiguousarray(image).tobytes() in known for image in inputs)


def test_scores_are_the_same_in_every_scorer_and_each_is_made_once(task: ImageClassification) -> None:
    """Whatever was scored before, and whatever torch's own random state is."""
    measure = Recorder()
    first = scorer(task, measure)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    told = [dict(first(architecture)) for architecture in drawn()]
    assert torch.equal(before, torch.get_rng_state())
    second = scorer(task, Recorder())
    for architecture, known in reversed(list(zip(drawn(), told, strict=True))):
        assert known["a"] == second(architecture)["a"]
        assert known == pytest.approx(dict(first(architecture)), nan_ok=True)
    assert len(drawn()) == len(measure.calls)
    assert told[0]["a"] != scorer(task, Recorder(), seed=1)(drawn()[0])["a"]


def test_a_proxy_that_is_not_for_a_network_scores_nan_and_says_why(task: ImageClassification) -> None:
    """The others go on; sizes are known in any case."""
    found = scorer(task, Recorder(), "odd", "a", "params").score(Architecture({"kernel": 3, "width": 4}))
    assert ["odd", "a", "params"] == list(found.values)
    assert math.isnan(found.values["odd"])
    assert {"odd": "odd is not for this network: why"} == dict(found.unusable)
    assert found.values["params"] == found.sizes["params"] == 4 * 9 + 2 * 4 + (4 * 16 * 4 + 4)
    assert ("", True) == (found.error, found.time_s > 0)


def test_a_network_that_cannot_run_scores_nan_and_is_counted_with_the_reason(task: ImageClassification) -> None:
    """Whatever it raises; its sizes, which need no run, are told."""
    scores = scorer(task, Recorder(ValueError("bad\nthings")))
    told = [dict(scores(architecture)) for architecture in drawn()]
    assert all(math.isnan(value) for values in told for value in values.values())
    assert Counter({"ValueError: bad\\nthings": len(drawn())}) == scores.reasons
    assert scores.score(drawn()[0]).sizes["params"] > 0


def test_a_network_that_cannot_be_built_scores_nan(task: ImageClassification) -> None:
    """Here a kernel larger than the image."""
    wrong = SearchSpace(nn.seq(nn.conv(4, kernel=choice("kernel", [3, 99]), padding=0), nn.global_pool(), nn.linear(4)))
    scores = ProxyScorer(task, wrong, ["a"], measure=Recorder())
    assert not math.isnan(scores(Architecture({"kernel": 3}))["a"])
    found = scores.score(Architecture({"kernel": 99}))
    assert math.isnan(found.values["a"])
    assert "BuildError" in found.error
    assert all(math.isnan(size) for size in found.sizes.values())


def test_strategies_can_rank_by_it(task: ImageClassification) -> None:
    """It is what `ScoreRanks` takes for scores, failures included."""
    ranks = ScoreRanks(space(), scorer(task, Recorder(), "a", "odd"), np.random.default_rng(0))
    best = max(drawn(), key=lambda a: scorer(task, Recorder(), "a")(a)["a"])
    assert best == ranks.reference[0]
    assert 0.5 == ranks.shares(best)[1]


def test_conditions_tell_scores_apart_that_cannot_be_compared(task: ImageClassification) -> None:
    """Another batch, seed or proxy makes other conditions; the batch is no larger than the training part."""
    one = scorer(task, Recorder())
    assert one.conditions == scorer(task, Recorder()).conditions
    others = [scorer(task, Recorder(), seed=1), scorer(task, Recorder(), batch_size=8), scorer(task, Recorder(), "a")]
    assert 4 == len({one.conditions.digest, *(other.conditions.digest for other in others)})
    everything = scorer(task, Recorder(), batch_size=60_000).conditions
    assert (len(task.train()[1]), 4, "float32") == (everything.examples, everything.classes, everything.dtype)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number in"),
        ({"batch_size": True}, "batch_size must be a whole number in"),
        ({"seed": -1}, "seed must be a whole number in"),
    ],
)
def test_wrong_options_are_refused(task: ImageClassification, options: dict[str, int], message: str) -> None:
    """Before anything is scored."""
    with pytest.raises(SpecError, match=message):
        scorer(task, Recorder(), **options)


def test_a_batch_of_fewer_images_than_classes_has_different_classes() -> None:
    """And one of all images has all."""
    labels = np.repeat(np.arange(10), 5)
    few = balanced(labels, 4, np.random.default_rng(0))
    assert 4 == len(set(labels[few].tolist()))
    assert list(range(50)) == sorted(balanced(labels, 50, np.random.default_rng(0)).tolist())
    assert few.tolist() != balanced(labels, 4, np.random.default_rng(1)).tolist()


def test_a_small_space_is_drawn_whole() -> None:
    """Each network once, the same for the same seed, and no endless search for more."""
    assert 6 == len(set(drawn()))
    assert drawn() == sample_architectures(space(), 1000, 0)
    with pytest.raises(SpecError, match="sample must be a whole number in"):
        sample_architectures(space(), 0, 0)


def test_scores_survive_json() -> None:
    """NaN and infinities included; anything else is refused."""
    scored = Scored(ARCH, {"a": math.inf, "b": -math.inf, "c": 0.1}, {"params": 3.0}, {"d": "why"}, "E: x", 0.5)
    assert scored == Scored.from_dict(scored.to_dict())
    assert math.isnan(Scored.from_dict(Scored.failed(ARCH, ["a"], "E").to_dict()).values["a"])
    for broken in ({}, {**scored.to_dict(), "values": 3}, {**scored.to_dict(), "architecture": "x"}):
        with pytest.raises(ValueError, match=r"scores"):
            Scored.from_dict(broken)  # type: ignore[arg-type]


def table() -> ScoreTable:
    """Of twenty networks: one score is size, one its opposite, one noise, one always the same, one mostly fails."""
    rng = np.random.default_rng(0)
    rows = []
    for width in range(20):
        values = {"size": width**3, "small": -width, "noise": float(rng.normal()), "same": 1.0, "odd": math.nan}
        if width == 7:
            values["odd"] = math.inf
        sizes = {"params": float(width), "macs": float(width * 10), "depth": 2.0}
        error = "E: bad" if width == 3 else ""
        rows.append(Scored(Architecture({"w": width}), values, sizes, {"odd": "no ReLU"}, error, 0.1))
    return ScoreTable(["size", "small", "noise", "same", "odd"], rows)


def test_a_table_says_which_score_repeats_size() -> None:
    """Over all architectures, and within the best ones by the score itself."""
    told = {name: table().summary(name) for name in ("size", "small", "noise")}
    assert [1.0, 1.0, True] == [
        told["size"].explained_by_size,
        told["small"].explained_by_size,
        told["noise"].explained_by_size < 0.3,
    ]
    assert (1.0, -1.0) == (told["size"].with_size["params"], told["small"].with_size["macs"])
    assert math.isnan(told["size"].with_size["depth"])
    assert (19, 0) == (told["size"].best, told["small"].best)
    assert -1.0 == table().correlation("size", "small")
    low, high = table().interval("noise", "params")
    assert low < table().correlation("noise", "params") < high


def test_the_best_tenth_is_looked_at_where_it_is_large_enough() -> None:
    """A score that repeats size but among the best ones, where it runs against it."""
    for count, expected in ((100, -1.0), (90, math.nan)):
        tenth = count - count // 10
        scores = [float(w) if w < tenth else 2.0 * count - w for w in range(count)]
        rows = [
            Scored(Architecture({"w": w}), {"a": score}, {"params": float(w), "macs": 1.0, "depth": 1.0}, {})
            for w, score in enumerate(scores)
        ]
        found = ScoreTable(["a"], rows).summary("a")
        assert found.top_with_params == pytest.approx(expected, nan_ok=True)
        assert 0.9 < found.with_size["params"] < 1.0


def test_a_table_counts_what_failed() -> None:
    """A score that is infinite or not a number is not finite, and constant ones are no use to an ensemble."""
    odd = table().summary("odd")
    assert (20, {"no ReLU": 20}, None) == (odd.num_not_finite, odd.reasons, odd.best)
    assert table().summary("same").best is None
    assert ("size", "small", "noise") == table().usable
    assert Counter({"E: bad": 1}) == table().errors
    assert 0.1 == pytest.approx(table().time_s)


def test_the_proxies_of_the_package_score_what_was_built(task: ImageClassification) -> None:
    """By name, all of them; sizes are those that are counted without building."""
    scores = ProxyScorer(task, space(), ["all"], batch_size=16)
    assert {*proxies.proxy_names(), *SIZES} == set(scores.names)
    found = scores.score(drawn()[0])
    assert "" == found.error
    assert {name for name, value in found.values.items() if math.isnan(value)} >= set(found.unusable)
    assert found.sizes == {name: found.values[name] for name in SIZES}
    named = ProxyScorer(task, space(), ["synflow", "naswot"], batch_size=16)
    assert {name: found.values[name] for name in ("synflow", "naswot")} == pytest.approx(dict(named(drawn()[0])))
    assert all(math.isfinite(value) for value in named(drawn()[0]).values())


@pytest.mark.parametrize("names", [["naswott"], ["naswot", "naswot"], []])
def test_unknown_doubled_and_no_proxies_are_refused(task: ImageClassification, names: list[str]) -> None:
    """Before anything is built."""
    with pytest.raises(SpecError, match=r"did you mean 'naswot'\?|proxies must be names, each once"):
        ProxyScorer(task, space(), names)
