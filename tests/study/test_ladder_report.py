"""What a search tells of its ladder: remarks once, and what rungs are worth, kept in the run and shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import netwright as nw
from netwright.cli.main import run as command
from netwright.evaluation.scored import Scored
from netwright.space import SearchSpace
from netwright.storage import Store, StudyRecord
from netwright.strategies import RandomSearch
from netwright.study.ladder_report import LADDER, LadderReport, stored_agreements
from netwright.study.ladder_screen import Screen
from netwright.study.ladder_strategy import Ladder
from netwright.study.scoring_phase import SCORED
from netwright.types import Architecture, Fidelity, Trial, TrialState


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "study.db", StudyRecord("x", 0, "{}", ""))


def searched(num: int) -> Ladder:
    """A ladder after a search with proxies and two lengths of training."""
    space = SearchSpace(training={"good": nw.integer("good", 0, 400)})
    first = [space.sample(np.random.default_rng(n)) for n in range(12)]
    screen = Screen(space, tried=first, num_to_score=30, cost_ratio=3.0)
    screen.fill([Scored(a, {"p": float(int(a["good"]))}, {"params": 1.0}, {}) for a in screen.to_score])
    ladder = Ladder(lambda: RandomSearch(space, initial=first), [Fidelity(1.0), Fidelity(3.0)], screen=screen)
    for number in range(num):
        (proposal,) = ladder.ask(1)
        metrics = {"accuracy": int(proposal.architecture["good"]) / 500, "params": 1.0}
        ladder.tell([Trial(number, proposal, 0, TrialState.FINISHED, metrics)])
    return ladder


def test_what_rungs_are_worth_is_kept_and_read_again(store: Store) -> None:
    """Correlations, intervals and shares, the last state only; again only where it changed."""
    ladder = searched(60)
    report = LadderReport(ladder, store, lambda text: None)
    report.keep()
    report.keep()
    assert 1 == len(store.events(LADDER))
    found = stored_agreements(store.events())
    assert [str(a) for a in ladder.agreements] == [str(a) for a in found]
    assert ["the proxies against 1 epochs", "the predictor against 1 epochs", "1 epochs against 3 epochs"] == [
        str(a).partition(":")[0] for a in found
    ]
    store.close()


def test_remarks_are_told_once(store: Store) -> None:
    """What a replay finds out again was told before."""
    ladder, told = searched(3), list[str]()
    ladder.remarks += ["old"]
    report = LadderReport(ladder, store, told.append)
    report.skip()
    ladder.remarks += ["new"]
    report.tell_new()
    report.tell_new()
    assert ["new"] == told
    store.close()


def test_what_learning_curves_saved_is_told(store: Store) -> None:
    """At the end of a search, and kept; nothing where they saved nothing."""
    ladder, told = searched(40), list[str]()
    report = LadderReport(ladder, store, told.append)
    report.tell_saved()
    assert [] == told
    ladder.stopped[Architecture({"good": 1}), Fidelity(1.0)] = None
    ladder.epochs_saved = 2.0
    report.tell_saved()
    report.keep()
    assert ["ladder: 1 not trained longer, since their learning curves stay below the best: 2 epochs saved"] == told
    body = store.events(LADDER)[-1].body
    assert isinstance(body, dict)
    assert {"networks": 1, "epochs_saved": 2.0} == body["stopped"]
    store.close()


def test_show_tells_what_rungs_are_worth(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With intervals, in words and as JSON; the scores of the pool are not printed."""
    ladder = searched(60)
    LadderReport(ladder, store, lambda text: None).keep()
    store.append_event(SCORED, [])
    store.close()
    assert 0 == command(["show", str(tmp_path)])
    out = capsys.readouterr().out
    for agreement in ladder.agreements:
        assert str(agreement) in out
    assert "(90 %: " in out
    assert "other events" not in out
    assert 0 == command(["show", str(tmp_path), "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert [a.to_dict() for a in ladder.agreements] == shown["rungs"]


@pytest.mark.parametrize("body", [None, [], {}, {"rungs": None}, {"rungs": [{"low": 1.0}]}])
def test_what_another_version_kept_is_not_told(store: Store, body: object) -> None:
    """Whatever it is: `show` goes by the trials then."""
    store.append_event(LADDER, body)  # type: ignore[arg-type]
    assert () == stored_agreements(store.events())
    store.close()
