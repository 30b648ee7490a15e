"""Networks of a run on other data: what is carried, what begins with weights, and how two runs are compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import netwright as nw
from netwright import nn
from netwright.errors import SpecError, StudyMismatchError, UsageError
from netwright.evaluation.beginning import begin_with
from netwright.evaluation.trainer import TrainingEvaluator
from netwright.nn.building import learned_state
from netwright.search import export
from netwright.space import SearchSpace
from netwright.spec import SearchSpec
from netwright.storage import Store
from netwright.study import transfer as module
from netwright.study.clock import Clock
from netwright.study.opening import prepare, record_of
from netwright.study.transfer import front_of, likeness, transfer
from netwright.tasks import load_task
from netwright.tasks.numbering import numbered_weights, numbering_of
from netwright.types import Architecture, Fidelity, Proposal, Trial, TrialState

SPACE = """
import netwright as nw
from netwright import nn


def space(input_shape, num_classes):
    width = nw.choice("width", [4, 6, 8])
    return nw.SearchSpace(nn.seq(nn.conv_norm_act(width, kernel=3), nn.global_pool(), nn.linear(num_classes)))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on digits, and inverted digits of four classes."""
    folder = tmp_path_factory.mktemp("transfer")
    (folder / "s.py").write_text(SPACE, encoding="utf-8")
    from sklearn.datasets import load_digits

    digits = load_digits()
    rows = digits.target < 4
    x, y = (16 - digits.images[rows]).astype(np.uint8), digits.target[rows]
    np.savez(folder / "other.npz", x_train=x[:500], y_train=y[:500], x_test=x[500:], y_test=y[500:])
    nw.search(
        task="image-classification",
        data="digits",
        space=f"{folder / 's.py'}:space",
        budget="5 trials",
        max_epochs=1,
        ladder="none",
        out=folder / "run",
    )
    return folder


@pytest.mark.long
def test_the_front_is_carried_with_its_weights_and_compared(made: Path) -> None:
    """Both searches are there, the carried one has no other networks, and a second call goes on."""
    arms = transfer(made / "run", str(made / "other.npz"), made / "there", budget="3 trials", most=2)
    carried, nothing = arms
    known = {t.architecture for t in front_of(made / "run", 2)[1]}
    with Store.open(made / "there" / "transferred" / "study.db", read_only=True) as store:
        assert {trial.architecture for trial in store.trials()} == known
    assert 0.3 < carried.share < 1  # all but the layer of the classes
    assert nothing.share == 0
    assert carried.result.verified
    told = json.loads((made / "there" / "transfer.json").read_text(encoding="utf-8"))
    assert [arm["arm"] for arm in told["arms"]] == ["transferred", "from-nothing"]
    again = transfer(made / "run", str(made / "other.npz"), made / "there", budget="3 trials", most=2)
    assert [arm.validation for arm in again] == [arm.validation for arm in arms]
    same = likeness(made / "run", made / "run")
    assert same.tau == 1 or same.count < 4
    other = likeness(made / "run", made / "there" / "transferred")
    assert 1 <= other.count <= 2
    assert np.isnan(other.tau)
    with pytest.raises(SpecError, match=r"transferred was begun by netwright transfer.*give that command again"):
        nw.resume(made / "there" / "transferred")
    best = carried.result.best.id
    export(made / "there" / "transferred", best, made / "exported")
    assert (made / "exported" / "model.py").is_file()
    with pytest.raises(StudyMismatchError, match=r"workers was 1 .*give the options of the command that began it"):
        transfer(made / "run", str(made / "other.npz"), made / "there", budget="4 trials", most=2, workers=2)
    with pytest.raises(StudyMismatchError, match="transferred was begun with other networks or other weights"):
        transfer(made / "run", str(made / "other.npz"), made / "there", budget="3 trials", most=1)


def test_what_cannot_be_carried_is_refused(made: Path, tmp_path: Path) -> None:
    """No networks asked for, and a run without a finished trial of a task."""
    with pytest.raises(SpecError, match="networks must be >= 1"):
        transfer(made / "run", "digits", tmp_path, budget="3 trials", most=0)
    space = nw.SearchSpace(training={"x": nw.integer("x", 0, 3)})
    nw.search(
        space=space,
        evaluator=lambda arch, *, fidelity, seed: {"accuracy": arch["x"] / 3},
        budget="2 trials",
        out=tmp_path / "own",
    )
    with pytest.raises(SpecError, match="evaluator of its own"):
        front_of(tmp_path / "own")


def space_of(count: int) -> SearchSpace:
    return SearchSpace(nn.seq(nn.conv(4), nn.batch_norm(), nn.global_pool(), nn.linear(count)))


def test_weights_are_taken_by_name_and_shape_and_damage_is_nothing(tmp_path: Path) -> None:
    """Equal shapes are copied bit for bit, others and NaN are not, and a torn file gives a share of 0."""
    networks = [
        nn.build(
            SearchSpace(nn.seq(nn.conv(4), nn.batch_norm(), nn.global_pool(), nn.linear(count))).resolve(
                Architecture({})
            ),
            input_shape=(1, 8, 8),
            seed=seed,
        )
        for seed, count in ((0, 10), (1, 4))
    ]
    theirs, mine = networks
    save_file(theirs.state_dict(), tmp_path / "w.safetensors")
    before = {name: tensor.clone() for name, tensor in mine.state_dict().items()}
    share = begin_with(mine, tmp_path / "w.safetensors")
    after, given = mine.state_dict(), load_file(tmp_path / "w.safetensors")
    same = [name for name in after if name in given and given[name].shape == after[name].shape]
    assert same
    assert all(torch.equal(after[name], given[name]) for name in same)
    assert all(torch.equal(after[name], before[name]) for name in after if name not in same)
    assert 0 < share < 1
    spoilt = {name: tensor * float("nan") if tensor.is_floating_point() else tensor for name, tensor in given.items()}
    save_file(spoilt, tmp_path / "nan.safetensors")
    assert begin_with(mine, tmp_path / "nan.safetensors") == 0
    (tmp_path / "torn.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes()[:-9])
    assert begin_with(mine, tmp_path / "torn.safetensors") == 0
    assert begin_with(mine, tmp_path / "absent.safetensors") == 0


class _Made(Exception):
    """What would be searched."""


def would_search(monkeypatch: pytest.MonkeyPatch, *args: Any, **options: Any) -> Any:
    """Parts of the search with what is carried over, which is not made."""

    def caught(settings: object, parts: object, clock: object, listener: object) -> None:
        raise _Made(parts)

    monkeypatch.setattr(module, "start_prepared", caught)
    with pytest.raises(_Made) as found:
        transfer(*args, **options)
    return found.value.args[0]


@pytest.mark.long
def test_what_is_carried_is_all_that_is_tried(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the run took networks from a pool: there is no ladder."""
    spec, chosen = front_of(made / "run", 2)
    for ladder in ("default", "proxies,predictor,short,full"):
        climbing = spec.model_copy(update={"ladder": ladder})
        monkeypatch.setattr(module, "front_of", lambda run, most, found=climbing: (found, chosen))
        parts = would_search(monkeypatch, made / "run", str(made / "other.npz"), tmp_path, budget="10m")
        assert parts.ladder is None


@pytest.mark.long
def test_no_weights_where_the_same_data_is_split_anew(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were trained on what is validated on; with the same seed, or other data, they are taken."""
    here: dict[str, Any] = {"budget": "3 trials", "most": 2}
    again = would_search(monkeypatch, made / "run", "digits", tmp_path, **here)
    assert len(again.evaluator.beginnings) == 2
    other = would_search(monkeypatch, made / "run", str(made / "other.npz"), tmp_path, **here, seed=1)
    assert len(other.evaluator.beginnings) == 2
    for options in ({"seed": 1}, {"task_options": {"validation_share": 0.3}}):
        anew = would_search(monkeypatch, made / "run", "digits", tmp_path, **here, **options)
        assert anew.evaluator.beginnings == {}
        assert "0 with their weights; this is its data in other parts, of which the weights may" in anew.searched_by


@pytest.mark.long
def test_other_data_has_options_of_its_own(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are not named are the run's, which the data may not know; an empty text takes one of them back."""
    spec, chosen = front_of(made / "run", 2)
    asked = spec.model_copy(update={"task_options": {"validation_share": 0.2, "test_share": 0.25}})
    monkeypatch.setattr(module, "front_of", lambda run, most: (asked, chosen))
    found = would_search(
        monkeypatch, made / "run", "digits", tmp_path, budget="3 trials", task_options={"validation_share": 0.3}
    )
    assert found.task_options == {"validation_share": 0.3, "test_share": 0.25}
    found = would_search(
        monkeypatch, made / "run", "digits", tmp_path, budget="3 trials", task_options={"validation_share": ""}
    )
    assert found.task_options == {"test_share": 0.25}
    with pytest.raises(UsageError, match="unknown option of the task"):
        transfer(made / "run", "digits", tmp_path, budget="3 trials", task_options={"target": "x"})


@pytest.mark.parametrize(("strategy", "kept"), [("evolution", "evolution"), ("transfer", "auto"), ("asha", "asha")])
def test_the_search_from_nothing_has_the_strategy_of_the_run(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str, kept: str
) -> None:
    """But for one that needs earlier studies; a teacher, which shared weights need, is left out."""
    spec, chosen = front_of(made / "run", 2)
    asked = spec.model_copy(update={"strategy": strategy, "evaluator": "supernet", "teacher": True})
    monkeypatch.setattr(module, "front_of", lambda run, most: (asked, chosen))
    monkeypatch.setattr(module, "_carry", lambda *args: None)
    monkeypatch.setattr(module.Arm, "of", lambda name, result: None)
    begun: list[Any] = []

    def started(found: Any, options: object, listener: object) -> None:
        begun.append(found)
        raise _Made

    monkeypatch.setattr(module, "start", started)
    with pytest.raises(_Made):
        transfer(made / "run", "digits", tmp_path, budget="3 trials")
    assert [(s.strategy, s.evaluator, s.teacher) for s in begun] == [(kept, "training", False)]


def test_the_next_best_take_the_places_of_those_that_do_not_exist_there() -> None:
    """As many are carried over as are asked for, if there are so many; a network once, by the better trial."""
    space = SearchSpace(nn.seq(nn.conv(nw.choice("width", [4, 6, 8])), nn.global_pool(), nn.linear(3)))
    pairs = [(16, 0), (6, 1), (6, 2), (32, 0), (4, 0), (8, 0)]
    ordered = [
        Trial(number, Proposal(Architecture({"width": width, "elsewhere": other})), 0, TrialState.FINISHED)
        for number, (width, other) in enumerate(pairs)
    ]
    found = module._first_that_exist(Path("run"), ordered, space, 2, seed=0)
    assert {architecture["width"]: trial.id for architecture, trial in found.items()} == {6: 1, 4: 4}
    small = space.limited(lambda architecture: architecture["width"] < 6)
    found = module._first_that_exist(Path("run"), ordered, small, 2, seed=0)
    assert {architecture["width"]: trial.id for architecture, trial in found.items()} == {4: 4}
    with pytest.raises(SpecError, match="none of the 2 networks of run exists in the space of this data and keeps"):
        module._first_that_exist(Path("run"), ordered[1:3], small, 2, seed=0)
    with pytest.raises(SpecError, match="none of the 1 networks of run exists"):
        module._first_that_exist(Path("run"), ordered[:1], space, 2, seed=0)


def test_the_place_is_that_of_the_best_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """None where the second did not train it, however good the best of both is."""
    ones = {Architecture({"n": n}): float(n) for n in range(8)}
    others = {Architecture({"n": n}): float(n) for n in range(3, 8)}
    both = {**others, Architecture({"n": 0}): 5.5}
    values = {"one": ones, "other": others, "both": both}
    monkeypatch.setattr(module, "_values", lambda run: values[run.name])
    assert likeness(Path("one"), Path("other")).place == 0
    assert likeness(Path("one"), Path("both")).place == 4
    assert likeness(Path("other"), Path("one")).place == 4


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A run on texts, whose weights are there, and two other tables: of other words, and of other classes."""
    pytest.importorskip("tokenizers")
    for file, words, classes in (
        ("here", "good fine bad poor", "yes no"),
        ("words", "good nice bad awful", "yes no"),
        ("classes", "good fine bad poor", "con pro"),
    ):
        first, second, third, fourth = words.split()
        yes, no = classes.split()
        said = ((first, yes), (second, yes), (third, no), (fourth, no))
        things = ("film", "book", "play", "song", "story", "tale", "plot", "end")
        rows = [f"a {word} {thing},{label}" for word, label in said for thing in things]
        (tmp_path / f"{file}.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "t.py").write_text(TEXT_SPACE, encoding="utf-8")
    spec = SearchSpec.from_options(
        task="text-classification",
        data=str(tmp_path / "here.csv"),
        task_options={"vocabulary": 275},
        space=f"{tmp_path / 't.py'}:space",
        budget="2 trials",
        max_epochs=1,
        ladder="none",
        out=str(tmp_path / "run"),
    )
    settings, parts = prepare(spec, {}, Clock())
    (tmp_path / "run").mkdir()
    trial = Trial(0, Proposal(Architecture({"width": 8}), Fidelity(1.0)), 3, TrialState.FINISHED, {"accuracy": 0.5})
    with Store.create(tmp_path / "run" / "study.db", record_of(settings, parts)) as store:
        store.commit(trial)
    evaluator = parts.evaluator
    assert isinstance(evaluator, TrainingEvaluator)
    path = evaluator.weights_path(trial.architecture, trial.fidelity, trial.seed)
    path.parent.mkdir(parents=True)
    save_file(learned_state(built(evaluator, trial.architecture, seed=5)), path)
    return tmp_path


TEXT_SPACE = """
import netwright as nw
from netwright import nn

space = nw.SearchSpace(
    nn.seq(nn.embedding(275, nw.choice("width", [8, 12])), nn.layer_norm(), nn.global_pool(), nn.linear(2))
)
"""


def built(evaluator: TrainingEvaluator, architecture: Architecture, seed: int) -> torch.nn.Module:
    term = evaluator.task.network(evaluator.space, architecture)
    return nn.build(term, input_shape=evaluator.task.input_shape, input_dtype="int64", seed=seed)


@pytest.mark.parametrize("other", ["words", "classes"])
def test_tokens_and_classes_are_carried_by_what_they_are(
    texts: Path, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row of a token that both have is the run's; of another token or class it is as fresh as without weights."""
    data = str(texts / f"{other}.csv")
    parts = would_search(monkeypatch, texts / "run", data, texts / "there", budget="3 trials", most=1)
    evaluator = parts.evaluator
    (architecture,) = evaluator.beginnings
    fresh, model = (built(evaluator, architecture, seed=0) for _ in range(2))
    share = begin_with(model, evaluator.beginnings[architecture], evaluator._numbered(model))
    theirs = load_file(evaluator.beginnings[architecture])
    known = numbering_of(load_task("text-classification", texts / "here.csv", vocabulary=275))
    here = numbering_of(evaluator.task)
    num_taken, has_new = 0, {}
    for name, role in numbered_weights(model, here).items():
        rows = [known[role].index(x) if x in known[role] else None for x in here[role]]
        has_new[role] = None in rows
        for number, row in enumerate(rows):
            expected = dict(fresh.named_parameters())[name][number] if row is None else theirs[name][row]
            assert torch.equal(dict(model.named_parameters())[name][number], expected), (name, number, row)
            num_taken += 0 if row is None else expected.numel()
    assert has_new == {"inputs": other == "words", "outputs": other == "classes"}
    others = sum(theirs[name].numel() for name in theirs if name not in numbered_weights(model, here))
    assert share == pytest.approx((num_taken + others) / sum(p.numel() for p in model.parameters()))


def test_what_tokens_were_is_not_guessed(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the data of the run is gone, they begin anew, and that is told."""
    (texts / "here.csv").unlink()
    data = str(texts / "words.csv")
    parts = would_search(monkeypatch, texts / "run", data, texts / "there", budget="3 trials", most=1)
    assert "1 with their weights; its data is not there as it was, so that what tokens" in parts.searched_by
    assert parts.evaluator.numbering == {}
    assert parts.carried


def test_another_vocabulary_takes_no_weights_away(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's own data in the same parts holds out nothing that was learned; in other ones it does."""
    here: dict[str, Any] = {"budget": "3 trials", "most": 1, "task_options": {"most_tokens": 5}}
    parts = would_search(monkeypatch, texts / "run", str(texts / "here.csv"), texts / "there", **here)
    assert len(parts.evaluator.beginnings) == 1
    parts = would_search(monkeypatch, texts / "run", str(texts / "here.csv"), texts / "there", **here, seed=1)
    assert parts.evaluator.beginnings == {}
