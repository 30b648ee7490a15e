"""Many architectures are scored in processes of their own: crashes, hangs and the clock cost one score each."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from netwright import nn
from netwright.evaluation.scored import Scored
from netwright.evaluation.scoring import ProxyScorer, sample_architectures
from netwright.space import SearchSpace, choice, integer
from netwright.strategies import BayesianOptimization
from netwright.study import isolated_scores as module
from netwright.study.isolated_scores import IsolatedScores, Listener, ScoreFiles
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Architecture, Fidelity

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of fork beside threads, Python 3.12


@dataclass
class Found:
    values: Mapping[str, float]
    unusable: Mapping[str, str] = field(default_factory=dict)


class Measure:
    """Counts weights, and does to the process what it is told to, by the width of the network."""

    def __init__(self, wrongs: Mapping[int, str] | None = None) -> None:
        self.wrongs = dict(wrongs or {})

    def __call__(
        self, model: torch.nn.Module, inputs: torch.Tensor, labels: torch.Tensor, names: Sequence[str], seed: int
    ) -> Found:
        width = next(p.shape[0] for p in model.parameters())
        wrong = self.wrongs.get(width, "")
        if wrong == "dies":
            os._exit(9)
        if wrong == "hangs":
            time.sleep(600)
        if wrong == "raises":
            raise ValueError("not this one")
        infinite = {"infinite": math.inf} if "infinite" in names else {}
        return Found({"width": float(width), **infinite}, {"odd": "odd is not for this network: why"})


@pytest.fixture(scope="module")
def task() -> ImageClassification:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (60, 8, 8, 1)).astype(np.uint8)
    return ImageClassification.from_arrays((images, np.arange(60) % 3), layout="HWC")


def space() -> SearchSpace:
    return SearchSpace(nn.seq(nn.conv(choice("width", [4, 6, 8, 10])), nn.global_pool(), nn.linear(3)))


def scorer(task: ImageClassification, measure: Measure, *names: str) -> ProxyScorer:
    return ProxyScorer(task, space(), names or ("width",), batch_size=6, measure=measure)


def score_many(
    scores: ProxyScorer,
    architectures: Sequence[Architecture],
    folder: Path,
    *,
    workers: int = 1,
    time_s: float | None = None,
    listener: Listener | None = None,
) -> list[Scored]:
    with IsolatedScores(scores, folder, workers=workers) as isolated:
        return isolated.many(architectures, time_s=time_s, listener=listener)


ALL = [Architecture({"width": width}) for width in (10, 4, 8, 6)]


@pytest.mark.parametrize("workers", [1, 2])
def test_scores_come_in_the_order_that_was_asked_for(task: ImageClassification, tmp_path: Path, workers: int) -> None:
    """However many processes there are; what is no number travels, too, with its reason."""
    told: list[tuple[int, int]] = []
    found = score_many(
        scorer(task, Measure(), "width", "infinite", "odd"),
        ALL,
        tmp_path,
        workers=workers,
        listener=lambda done, total: told.append((done, total)),
    )
    assert ALL == [scored.architecture for scored in found]
    assert [10.0, 4.0, 8.0, 6.0] == [scored.values["width"] for scored in found]
    assert (math.inf, True) == (found[0].values["infinite"], math.isnan(found[0].values["odd"]))
    assert {"odd": "odd is not for this network: why"} == dict(found[0].unusable)
    assert [(1, 4), (2, 4), (3, 4), (4, 4)] == told


def test_a_network_that_ends_its_process_or_raises_costs_its_score_alone(
    task: ImageClassification, tmp_path: Path
) -> None:
    """Each has its reason; the others are scored."""
    found = score_many(scorer(task, Measure({4: "dies", 8: "raises"})), ALL, tmp_path)
    assert [10.0, 6.0] == [scored.values["width"] for scored in found if not scored.error]
    died, raised = (scored for scored in found if scored.error)
    assert (True, "ValueError: not this one") == (math.isnan(died.values["width"]), raised.error)
    assert "9" in died.error
    assert raised.sizes["params"] > 0


def test_a_network_that_hangs_is_given_up(
    task: ImageClassification, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while."""
    monkeypatch.setattr(module, "LONGEST_S", 3.0)
    found = score_many(scorer(task, Measure({4: "hangs"})), ALL[:2], tmp_path, workers=2)
    assert 10.0 == found[0].values["width"]
    assert "time" in found[1].error


def test_the_clock_ends_the_scoring(task: ImageClassification, tmp_path: Path) -> None:
    """What was scored by then is given."""
    begin_s = time.monotonic()
    found = score_many(scorer(task, Measure({4: "hangs"})), ALL, tmp_path, time_s=4.0)
    assert time.monotonic() - begin_s < 20
    assert [ALL[0]] == [scored.architecture for scored in found]


def test_scores_that_are_kept_are_not_made_again(task: ImageClassification, tmp_path: Path) -> None:
    """Those of other conditions are; a torn file is made again."""
    score_many(scorer(task, Measure()), ALL[:2], tmp_path)
    files = ScoreFiles(scorer(task, Measure()), tmp_path)
    kept = files.read(ALL[0])
    assert kept is not None
    again = score_many(scorer(task, Measure({10: "raises", 4: "raises"})), ALL, tmp_path)
    assert ["", "", "", ""] == [scored.error for scored in again]
    assert kept == again[0]
    other = score_many(scorer(task, Measure({10: "raises"}), "width", "odd"), ALL[:1], tmp_path)
    assert "ValueError: not this one" == other[0].error
    (path,) = tmp_path.glob(f"{scorer(task, Measure()).conditions.digest}/{ALL[0].id}.json")
    for torn in ("", "[]", path.read_text(encoding="utf-8")[:40]):
        path.write_text(torn, encoding="utf-8")
        assert files.read(ALL[0]) is None


def test_files_are_whole_or_not_there(task: ImageClassification, tmp_path: Path) -> None:
    """Nothing else is left in the folder."""
    files = ScoreFiles(scorer(task, Measure()), tmp_path)
    assert files.read(ALL[0]) is None
    assert {"time_s"} == set(files(ALL[0], fidelity=Fidelity(), seed=0))
    assert [f"{ALL[0].id}.json"] == [path.name for path in tmp_path.glob("*/*")]


SCRIPT = """
import sys, tempfile, pathlib
from netwright.evaluation.scoring import ProxyScorer, sample_architectures
from netwright.study.isolated_scores import IsolatedScores
from netwright.tasks import load_task
task = load_task("image-classification", "digits")
class Measure:
    def __call__(self, model, inputs, labels, names, seed):
        class Found:
            values, unusable = {"a": float(inputs.sum())}, {}
        return Found
space = task.default_space()
scorer = ProxyScorer(task, space, ["a"], measure=Measure())
with IsolatedScores(scorer, pathlib.Path(tempfile.mkdtemp())) as scores:
    found = scores.many(sample_architectures(space, 2, 0))
assert [s.error for s in found] == ["", ""], found
assert "torch" not in sys.modules
"""


def test_the_process_that_asks_runs_no_torch(tmp_path: Path) -> None:
    """It does not even import it: trials can be forked from it afterwards."""
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert (0, "") == (ended.returncode, ended.stderr[-500:])


def test_samples_of_the_space_can_be_scored(task: ImageClassification, tmp_path: Path) -> None:
    """Without an architecture there is nothing to do."""
    drawn = sample_architectures(space(), 3, 0)
    assert 3 == len(score_many(scorer(task, Measure()), drawn, tmp_path))
    assert [] == score_many(scorer(task, Measure()), [], tmp_path)


def test_a_strategy_asks_one_after_the_other(task: ImageClassification, tmp_path: Path) -> None:
    """The same processes score each, until they are closed; what was scored is known without them."""
    scores = IsolatedScores(scorer(task, Measure({8: "dies"})), tmp_path)
    assert [10.0, 4.0] == [scores(arch)["width"] for arch in ALL[:2]]
    assert math.isnan(scores(ALL[2])["width"])
    scores.close()
    scores.close()
    assert 10.0 == scores(ALL[0])["width"]
    assert 6.0 == scores(ALL[3])["width"]
    scores.close()


@pytest.mark.long
def test_a_search_guided_by_scores_made_elsewhere_is_that_of_scores_made_here(
    task: ImageClassification, tmp_path: Path
) -> None:
    """The proposals are the same, and again after a restart with the scores that were kept."""
    wide = SearchSpace(nn.seq(nn.conv(integer("width", 2, 40)), nn.global_pool(), nn.linear(3)))
    here = ProxyScorer(task, wide, ["width"], batch_size=6, measure=Measure())
    expected = [p.architecture for p in BayesianOptimization(wide, seed=3, scores=here).ask(4)]
    for _ in range(2):
        elsewhere = ProxyScorer(task, wide, ["width"], batch_size=6, measure=Measure())
        with IsolatedScores(elsewhere, tmp_path, workers=2) as scores:
            strategy = BayesianOptimization(wide, seed=3, scores=scores)
            assert expected == [p.architecture for p in strategy.ask(4)]
    assert Architecture({"width": 40}) == expected[0]
