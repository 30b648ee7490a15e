"""The ladder's rung of shared weights in a run: trained once, stored, told; refused, or done without, if it must be."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from shared_search import run

import netwright as nw
from netwright import nn
from netwright.errors import Interrupted, SearchError, SpaceError, SpecError, StoreError
from netwright.evaluation.ladder import SHARED
from netwright.evaluation.scored import Scored
from netwright.evaluation.shared_rung import SharedPlan
from netwright.storage import Store, StudyRecord
from netwright.study import shared_rung
from netwright.study.clock import Clock
from netwright.study.shared_rung import KIND, SharedRung, SharedScores, notes, stored
from netwright.study.supernet_phase import Ears
from netwright.tasks.learning import ClassifyingTask
from netwright.types import Architecture

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of fork beside threads, Python 3.12

SCRIPT = str(Path(__file__).with_name("shared_search.py"))
ROWS = (Scored(Architecture({"a": 1}), {SHARED: 0.5}, {"params": 3.0}, {}, "", 0.5),)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store.create(tmp_path / "study.db", StudyRecord("x", 0, "{}", "")) as made:
        yield made


def silent(signal: Callable[[], int | None] = lambda: None) -> Ears:
    return Ears(lambda text: None, signal)


def rung(trains: Callable[[Ears, float | None], None], folder: Path, until_s: float | None = None) -> SharedRung:
    """A rung whose training is a function."""
    phase = SimpleNamespace(run=trains, folder=folder)
    return SharedRung(SharedPlan(2.0, until_s, 16, None), phase)  # type: ignore[arg-type]


def test_what_shared_weights_say_is_stored_once(store: Store, tmp_path: Path) -> None:
    """And comes back as it was; after that nothing is trained any more."""
    trained: list[float | None] = []
    made = rung(lambda ears, ends_s: trained.append(ends_s), tmp_path / "s")
    made.train(store, silent(), Clock())
    assert (trained, stored(store)) == ([None], None)
    found = SharedScores(ROWS, origin="the weights")
    (tmp_path / "files").mkdir()
    for _ in range(2):
        made.keep(store, found, tmp_path / "files")
    assert (found, 1) == (stored(store), len(store.events(KIND)))
    assert not (tmp_path / "files").exists()
    made.train(store, silent(), Clock())
    assert len(trained) == 1
    assert made.score(store, [], tmp_path, 1, lambda: 0.0) == found


def test_the_training_has_an_end(store: Store, tmp_path: Path) -> None:
    """The planned second of the search, however much of it was spent in earlier sittings."""
    ends: list[float | None] = []
    made = rung(lambda ears, ends_s: ends.append(ends_s), tmp_path / "s", until_s=60.0)
    made.train(store, silent(), Clock(spent_s=20.0))
    assert ends[0] is not None
    assert 35.0 < ends[0] - time.monotonic() <= 40.0


def test_without_time_for_the_training_there_is_no_rung(store: Store, tmp_path: Path) -> None:
    """It is stored, so that a resume with more time is the same search; one that has begun goes on."""
    trained: list[float | None] = []
    made = rung(lambda ears, ends_s: trained.append(ends_s), tmp_path / "s", until_s=60.0)
    made.train(store, silent(), Clock(spent_s=58.0))
    assert trained == []
    found = stored(store)
    assert found is not None
    assert found.why_not == "only 2 s were left to train it"
    made.train(store, silent(), Clock())
    assert trained == []


@pytest.mark.parametrize("error", [SearchError("they diverged"), SpaceError("they diverged")])
def test_the_search_goes_on_where_the_training_fails(store: Store, tmp_path: Path, error: Exception) -> None:
    """Without the rung, and it says why, in the result, too."""

    def fails(ears: Ears, ends_s: float | None) -> None:
        raise error

    made = rung(fails, tmp_path / "s")
    made.train(store, silent(), Clock())
    assert notes(made, store, ()) == ["the ladder had no rung supernet: they diverged"]


def test_a_training_that_hangs_is_stopped(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From outside, some time after its end; a person's signal is something else."""
    monkeypatch.setattr(shared_rung, "OVERTIME_S", -1e6)

    def hangs(ears: Ears, ends_s: float | None) -> None:
        number = ears.signal()
        if number is not None:
            raise Interrupted(number)

    made = rung(hangs, tmp_path / "s", until_s=60.0)
    with pytest.raises(Interrupted):
        made.train(store, silent(lambda: 2), Clock())
    assert stored(store) is None
    made.train(store, silent(), Clock())
    assert notes(made, store, ()) == ["the ladder had no rung supernet: its training did not end in time"]


def test_weights_that_are_no_better_than_chance_score_nothing(store: Store, tmp_path: Path) -> None:
    """Which the training finds out on eight networks; it is stored, and told."""
    checked = {"accuracies": [0.1, 0.116], "chance": 0.12, "equal_pairs": 0}
    made = rung(lambda ears, ends_s: None, tmp_path / "s")
    made.phase.record = SimpleNamespace(trained={"checked": checked})  # type: ignore[assignment]
    found = made.score(store, [Architecture({"a": 1})], tmp_path, 1, lambda: 60.0)
    made.keep(store, found, tmp_path / "files")
    assert notes(made, store, ())[0].startswith(
        "the ladder had no rung supernet: no network is better than chance with"
    )


def test_a_search_without_the_rung_says_nothing_of_it(store: Store) -> None:
    assert notes(None, store, ()) == []


def test_scores_that_cannot_be_read_are_an_error(store: Store) -> None:
    store.append_event(KIND, {"scores": [{"architecture": "{}"}]})
    with pytest.raises(StoreError, match="what shared weights said cannot be read"):
        stored(store)


@pytest.mark.long
def test_a_search_ranks_networks_by_shared_weights(tmp_path: Path) -> None:
    """Trained in its folder, stored in its history, measured, and told in result and card."""
    told: list[str] = []
    result = run(tmp_path / "run", "search", budget="10 trials", listener=lambda status: told.append(status.message))
    assert any(line.startswith("supernet: trained for 2 epochs") for line in told)
    assert "ladder: 16 networks scored by supernet" in told
    with Store.open(tmp_path / "run" / "study.db", read_only=True) as store:
        found = stored(store)
        origins = [trial.proposal.origin for trial in store.trials()]
    assert found is not None
    assert len({row.values[SHARED] for row in found.scored}) > 1
    assert SHARED in origins
    card = json.loads((tmp_path / "run" / "best" / "card.json").read_text())
    ranked = f"16 networks were ranked by {found.origin}"
    assert ranked in result.notes
    assert ranked in card["remarks"]
    assert (tmp_path / "run" / "supernet" / "supernet.safetensors").is_file()
    assert result.verified


class Vary(torch.nn.Module):
    """A class whose weights cannot be shared: they have another number of axes."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones((1,) * dims))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight.sum()


def test_a_space_that_cannot_be_shared_is_refused_before_anything_begins(tmp_path: Path) -> None:
    """With the operation, and what to do."""
    root = nn.seq(nn.op(Vary, dims=nw.choice("dims", [1, 2])), nn.flatten(), nn.linear(10))
    with pytest.raises(SpaceError, match=r"^ladder: supernet: .*Vary.*; leave supernet out of the ladder") as caught:
        run(tmp_path / "run", "search", space=nw.SearchSpace(root))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_shared_weights_rank_by_accuracy_alone(tmp_path: Path) -> None:
    """With other objectives, or a strategy with rungs of its own, they are refused."""
    with pytest.raises(SpecError, match="ladder must be without supernet, which ranks by accuracy alone, got"):
        run(tmp_path / "run", "search", objectives=["accuracy", "params"])
    with pytest.raises(SpecError, match="ladder must be left out with the strategy hyperband"):
        run(tmp_path / "run", "search", strategy="hyperband")


@pytest.mark.slow
@pytest.mark.parametrize(("moment", "code"), [("training", -9), ("scoring", -9), ("interrupt", 130)])
def test_a_search_killed_while_weights_are_shared_is_the_same_search(tmp_path: Path, moment: str, code: int) -> None:
    """The same weights, the same scores and the same history, whenever it was killed."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run([sys.executable, SCRIPT, whole, "search"], check=True)
    killed = subprocess.run([sys.executable, SCRIPT, cut, "search", moment], check=False)
    assert killed.returncode == code
    with Store.open(cut / "study.db", read_only=True) as store:
        assert ([], None) == (store.trials(), stored(store))
    subprocess.run([sys.executable, SCRIPT, cut, "resume"], check=True)
    assert history(whole) == history(cut)


def history(run: Path) -> tuple[list[str], list[dict[str, float]], str]:
    """Trials, scores with shared weights, and which weights."""
    with Store.open(run / "study.db", read_only=True) as store:
        found = stored(store)
        assert found is not None
        return list(store.history()), [dict(row.values) for row in found.scored], found.origin


def test_the_rung_is_refused_for_what_it_cannot_rank(tmp_path: Path) -> None:
    """Words are no real numbers; the cure is another one than where a person gave several objectives."""

    class Words(ClassifyingTask):
        name, input_dtype = "words", "int64"

        def default_space(self) -> nw.SearchSpace:
            return nw.SearchSpace(nn.seq(nn.embedding(9, nw.choice("width", [4, 8])), nn.global_pool(), nn.linear(2)))

    part = np.arange(48).reshape(16, 3) % 9, np.arange(16) % 2
    task = Words(part, part, part, ("a", "b"))
    given = {"task": task, "ladder": "supernet,short,full", "budget": "30 trials", "out": str(tmp_path / "r")}
    with pytest.raises(SpecError, match=r"without supernet for the task words.*or search with --evaluator supernet"):
        nw.search(**given)
    assert not (tmp_path / "r").exists()
