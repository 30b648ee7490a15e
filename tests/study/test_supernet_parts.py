"""A search on shared weights, without training: what is compared, what is told, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from netwright import nn
from netwright.errors import SpaceError, SpecError, StudyMismatchError
from netwright.evaluation import Recipe
from netwright.evaluation.supernet_evaluator import SupernetEvaluator
from netwright.evaluation.supernet_settings import SupernetSettings
from netwright.space import Node, SearchSpace, choice
from netwright.spec import SearchSpec
from netwright.strategies.random import RandomSearch
from netwright.study.clock import Clock
from netwright.study.finals import compare, pareto_front
from netwright.study.opening import prepare
from netwright.study.remarks import NOT_COMPARED, notes_of
from netwright.study.rung_audit import PROBE, rung_agreements
from netwright.study.supernet_audit import Audited, draw_audited, score_the_same, supernet_agreement
from netwright.study.supernet_parts import LOSS, front_finalists, shared_objectives
from netwright.study.supernet_record import RECORD, SupernetRecord, read_finished, read_record
from netwright.study.supernet_use import new_training
from netwright.tasks import load_task
from netwright.tasks.image_classification import ImageClassification
from netwright.tasks.learning import ClassifyingTask, LearningTask
from netwright.tasks.losses import Answers
from netwright.types import Architecture, Budget, Fidelity, Objective, Proposal, Trial, TrialState

ACCURACY = Objective("accuracy", "max")


def space() -> SearchSpace:
    return SearchSpace(training={"a": choice("a", list(range(20))), "b": choice("b", list(range(20)))})


def trial(number: int, accuracy: float, epochs: float | None = None, origin: str = PROBE) -> Trial:
    architecture = Architecture({"a": number % 10, "b": 0})
    proposal = Proposal(architecture, Fidelity(epochs), (), origin)
    metrics = {"accuracy": accuracy, "params": float(number % 10)}
    return Trial(number, proposal, 0, TrialState.FINISHED, metrics, "", 1.0)


def record() -> SupernetRecord:
    return SupernetRecord("image-classification", "digits", "default", 0, SupernetSettings(), "aa", "bb")


def test_networks_are_compared_before_the_strategy_proposes() -> None:
    """Each is scored, then trained; the strategy learns from scores with shared weights, its own and these."""
    told: list[Trial] = []

    class Inner(RandomSearch):
        def tell(self, trials) -> None:  # type: ignore[no-untyped-def]
            told.extend(trials)

    networks = draw_audited(space(), seed=0, count=3)
    strategy = Audited(Inner(space(), seed=0), networks, Fidelity(2.0))
    asked = [proposal for _ in range(4) for proposal in strategy.ask(2)]
    assert [p.architecture for p in asked[:6]] == networks * 2
    assert [p.fidelity.epochs for p in asked[:6]] == [None, None, None, 2.0, 2.0, 2.0]
    assert {p.origin for p in asked[:6]} == {PROBE}
    assert {p.origin for p in asked[6:]} != {PROBE}
    strategy.tell([trial(0, 0.5), trial(1, 0.6, epochs=2.0)])
    assert [t.id for t in told] == [0]


def test_compared_are_different_networks_that_are_admitted() -> None:
    """The same for a seed; of a space that has few, those."""
    limited = space().limited(lambda a: a["a"] == 3)
    found = draw_audited(limited, seed=1, count=5)
    assert len(set(found)) == 5
    assert all(a["a"] == 3 for a in found)
    assert found == draw_audited(limited, seed=1, count=5)
    assert len(draw_audited(SearchSpace(training={"a": choice("a", [1, 2])}), seed=0)) == 2


def test_the_comparison_is_that_of_the_two_rankings() -> None:
    """Tau of shared weights against trainings from nothing; final trainings do not count, nor do too few networks."""
    shared = [trial(n, 0.1 * n) for n in range(6)]
    trained = [trial(10 + n, 0.5 + 0.01 * n, epochs=3.0) for n in range(6)]
    (found,) = supernet_agreement([*shared, *trained], ACCURACY)
    assert (found.low, found.high, found.num, found.num_random) == ("supernet", Fidelity(3.0), 6, 6)
    assert found.tau == pytest.approx(1.0)
    assert str(found).startswith("the supernet against 3 epochs: rank correlation 1.00 (90 %:")
    upside_down = [trial(10 + n, 0.5 - 0.01 * n, epochs=3.0) for n in range(6)]
    assert supernet_agreement([*shared, *upside_down], ACCURACY)[0].tau == pytest.approx(-1.0)
    assert (
        supernet_agreement(
            [*shared, *(replace(t, proposal=replace(t.proposal, origin="final")) for t in trained)], ACCURACY
        )
        == ()
    )
    assert supernet_agreement([*shared, *trained[:3]], ACCURACY) == ()


def test_shared_weights_are_no_length_of_training() -> None:
    """What was scored with them is not compared with trainings as a shorter or longer one."""
    shared = [replace(t, metrics={**t.metrics, "epochs": 0.0}) for t in (trial(n, 0.1 * n) for n in range(6))]
    short, long = ([trial(10 * k + n, 0.1 * n, epochs=float(k)) for n in range(6)] for k in (1, 3))
    (found,) = rung_agreements([*shared, *short, *long], ACCURACY)
    assert (found.low, found.high) == (Fidelity(1.0), Fidelity(3.0))


def test_shared_weights_are_compared_by_loss_where_classes_are_wanted() -> None:
    """Not where a person names the loss, too, nor in the place of another metric, nor for a task without classes."""
    size, balanced = Objective("params", "min"), Objective("balanced_accuracy", "max")
    digits = load_task("image-classification", "digits")
    assert shared_objectives((ACCURACY, size), digits) == (LOSS, size)
    for kept in ((size, ACCURACY, LOSS), (balanced,), (LOSS, size)):
        assert shared_objectives(kept, digits) == kept

    class Counts:
        classifies = False

    assert shared_objectives((ACCURACY,), Counts()) == (ACCURACY,)  # type: ignore[arg-type]


def test_the_comparison_ranks_shared_weights_by_what_the_search_does() -> None:
    """By loss against the accuracy of trainings: the sign of each is its own."""
    shared = [replace(t, metrics={**t.metrics, "loss": 2.0 - 0.1 * t.id}) for t in (trial(n, 0.5) for n in range(6))]
    trained = [trial(10 + n, 0.5 + 0.01 * n, epochs=3.0) for n in range(6)]
    (found,) = supernet_agreement([*shared, *trained], ACCURACY, LOSS)
    assert found.tau == pytest.approx(1.0)
    assert supernet_agreement([*(trial(n, 0.5) for n in range(6)), *trained], ACCURACY, LOSS) == ()


def test_finalists_are_spread_over_the_front() -> None:
    """From the best by the first objective to the best by the second; all of a small front, none that is beaten."""
    size = Objective("params", "min")
    trials = [trial(n, 0.5 + 0.05 * n) for n in range(9)]
    beaten = replace(trial(9, 0.1), metrics={"accuracy": 0.1, "params": 99.0})
    found = front_finalists([*trials, beaten], (ACCURACY, size), 3)
    assert [t.id for t in found] == [8, 4, 0]
    assert [t.id for t in front_finalists(trials[:2], (ACCURACY, size), 3)] == [1, 0]


def test_a_network_that_is_faster_than_all_with_shared_weights_is_a_finalist() -> None:
    """However little it was trained by itself; not where it is beaten, nor in the place of its own shared score."""
    size = Objective("params", "min")
    trials = [trial(n, 0.5 + 0.05 * n) for n in range(3, 9)]
    fast, faster = trial(12, 0.3, epochs=0.2, origin="reference:a"), trial(11, 0.2, epochs=0.2, origin="reference:b")
    beaten = replace(trial(10, 0.1, epochs=0.2), metrics={"accuracy": 0.1, "params": 99.0})
    again = trial(14, 0.99, epochs=0.2, origin="reference:c")  # the network of trial 4
    found = front_finalists([fast, beaten, *trials, again, faster], (ACCURACY, size), 4)
    assert [t.id for t in found] == [8, 3, 12, 11]
    many = [trial(20 + n, 0.01 * n, epochs=0.2, origin="reference:d") for n in range(3)]
    assert [t.id for t in front_finalists([*trials, *many], (ACCURACY, size), 4)] == [8, 3, 22, 20]


def test_one_is_told_where_all_score_the_same() -> None:
    """With shared weights; a training from nothing says nothing of that."""
    same = [trial(n, 0.25) for n in range(5)]
    assert "all 5 networks have the same accuracy (0.2500) with shared weights" in score_the_same(same, ACCURACY)
    assert score_the_same([*same, trial(7, 0.5)], ACCURACY) == ""
    assert score_the_same(same[:4], ACCURACY) == ""
    assert score_the_same([*same[:4], trial(9, 0.25, epochs=2.0)], ACCURACY) == ""


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    """And says where weights come from."""
    written = replace(record().with_versions(), finished=True, trained={"digest": "abcdef", "epochs": 3.0})
    written.write(tmp_path)
    assert read_record(tmp_path) == written
    assert written.origin.endswith("(sandwich sampling, the first one teaches (kl), 3 epochs; digest abcdef)")
    with pytest.raises(SpecError, match=r"supernet\.safetensors is missing; train the supernet again"):
        read_finished(tmp_path)
    record().write(tmp_path)
    with pytest.raises(SpecError, match="is not finished; start it again with the same command"):
        read_finished(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "seed was 0 when the training in .* began, and is 1 now"),
        ({"space_fingerprint": "x"}, "space was 'aa' when"),
        ({"data_fingerprint": "x"}, "data was 'bb' when"),
        ({"settings": SupernetSettings(sampling="fair")}, "sampling was 'sandwich' when .* and is 'fair' now"),
    ],
)
def test_another_training_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    """The field is named, with both values."""
    with pytest.raises(StudyMismatchError, match=message):
        record().require_same(replace(record(), **change), tmp_path)  # type: ignore[arg-type]


def test_a_record_of_anything_else_is_refused(tmp_path: Path) -> None:
    """Torn, foreign, with other keys or values of another type; never a traceback."""
    with pytest.raises(SpecError, match="holds no supernet: No such file"):
        read_record(tmp_path)
    record().write(tmp_path)
    whole = (tmp_path / RECORD).read_text()
    values = json.loads(whole)
    bad = [
        whole[: len(whole) // 2],
        "[]",
        "{}",
        json.dumps({**values, "more": 1}),
        json.dumps({**values, "seed": "0"}),
        json.dumps({**values, "settings": {"sampling": "fair"}}),
        json.dumps({**values, "settings": {**values["settings"], "recipe": {"speed": 1}}}),
        json.dumps({**values, "settings": {**values["settings"], "sampling": ["fair"]}}),
        "[" * 100_000,
    ]
    for text in bad:
        (tmp_path / RECORD).write_text(text)
        with pytest.raises(SpecError, match=r"supernet\.json: is no record of a supernet"):
            read_record(tmp_path)


@pytest.mark.long
def test_shared_weights_are_trained_by_the_recipe_of_the_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a search, of a ladder, and of a training that a person asks for."""
    monkeypatch.setattr(ImageClassification, "recipe", lambda self: {"optimizer": "adamw", "clip_norm": 2.0})
    wanted = Recipe(optimizer="adamw", clip_norm=2.0)
    named = {"task": "image-classification", "data": "digits", "workers": 2}
    shared = {**named, "evaluator": "supernet", "budget": "30 trials", "out": str(tmp_path / "a")}
    rung = {**named, "ladder": "proxies,predictor,supernet,short,long,full", "budget": "30m"}
    _, parts = prepare(None, shared, Clock())
    assert parts.sharing is not None
    assert parts.sharing.phase.record.settings.recipe == wanted
    _, parts = prepare(None, {**rung, "out": str(tmp_path / "b")}, Clock())
    assert parts.shared_rung is not None
    assert parts.shared_rung.phase.record.settings.recipe == wanted
    spec = SearchSpec.from_options(**named, budget="1 trials", out=str(tmp_path / "c"))
    assert new_training(spec, epochs=1.0, budget=None, options={}).phase.record.settings.recipe == wanted


def test_weights_of_a_file_are_refused_where_weights_are_shared(tmp_path: Path) -> None:
    """They would be of no use, silently."""
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(3, dtype=np.float32)}, tmp_path / "w.safetensors")
    named = {"task": "image-classification", "data": "digits", "out": str(tmp_path / "r")}
    options = {**named, "task_options": {"pretrained": str(tmp_path / "w.safetensors")}, "budget": "30 trials"}
    for how in ({"evaluator": "supernet"}, {"ladder": "proxies,predictor,supernet,short,long,full", "budget": "30m"}):
        with pytest.raises(SpecError, match="pretrained must be left out where networks share weights"):
            prepare(None, {**options, **how}, Clock())
    with pytest.raises(SpecError, match="pretrained must be left out"):
        new_training(SearchSpec.from_options(**options), epochs=1.0, budget=None, options={})
    assert not (tmp_path / "r").exists()


def test_a_network_that_was_trained_and_scored_with_shared_weights_stands_for_its_better_number() -> None:
    """Else the most thorough trial counts, even where a shorter one was luckier."""
    size = Objective("params", "min")
    own, shared, final = trial(4, 0.5, epochs=3.0), trial(4, 0.6), trial(4, 0.7, epochs=9.0, origin="final")
    for known, best in (([own, shared], shared), ([shared, own], shared), ([own, final, shared], final)):
        assert pareto_front(known, (ACCURACY, size)) == (best,)
    lucky = trial(4, 0.9, epochs=1.0)
    assert pareto_front([lucky, own], (ACCURACY, size)) == (own,)


def test_a_score_with_shared_weights_is_not_compared_with_an_epoch_of_training() -> None:
    """Both cost as much by their fidelity."""
    best, reference = trial(3, 0.6), trial(5, 0.5, epochs=1.0, origin="reference:a")
    assert compare(best, [best, reference], ACCURACY) == ()
    scored = trial(5, 0.4, origin="reference:a")
    (row,) = compare(best, [best, reference, scored], ACCURACY)
    assert (row.reference, row.found) == (0.4, 0.6)


def test_what_is_too_entangled_to_be_counted_is_named_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A result is not lost for the lack of a number."""

    def entangled(*_: object) -> float:
        raise SpaceError("the space entangles too many choices to be counted")

    monkeypatch.setattr("netwright.study.supernet_parts.num_within", entangled)
    named = {"task": "image-classification", "data": "digits", "evaluator": "supernet", "budget": "30 trials"}
    _, parts = prepare(None, {**named, "out": str(tmp_path / "r")}, Clock())
    assert parts.sharing is not None
    held = replace(parts.sharing, largest=parts.space.sample(np.random.default_rng(0))).held
    assert "shared weights hold the networks that lie within" in held


class Values(LearningTask):
    """Numbers from numbers; which epochs rank badly, and after which little is gained, is said by attributes."""

    name, objective, directions = "values", Objective("rmse", "min"), {"rmse": "min"}
    least_epochs: float | None = None  # of a task it is a property, which cannot be set

    @classmethod
    def made(cls, *, least: float | None = None, full: float | None = None) -> Values:
        part = np.zeros((64, 3), dtype=np.float32), np.zeros((64, 1), dtype=np.float32)
        task = cls(part, part, part)
        task.least_epochs, task.full_epochs = least, full
        return task

    def default_space(self) -> SearchSpace:
        width = choice("width", [4, 8, 16, 32])
        return SearchSpace(nn.seq(nn.repeat("depth", lambda _: nn.linear(width), 1, 4), nn.linear(1)))

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor, label_smoothing: float = 0.0) -> torch.Tensor:
        return (outputs - targets).square().mean()

    def scores(self, answers: Answers) -> dict[str, float]:
        errors = torch.cat([(outputs - targets).square().flatten() for outputs, targets in answers])
        return {"rmse": float(errors.mean().sqrt()), "loss": float(errors.mean())}


class Classes(ClassifyingTask):
    """Many vectors of two classes."""

    name = "vectors"

    @classmethod
    def made(cls) -> Classes:
        part = np.zeros((20_000, 6), dtype=np.float32), np.arange(20_000) % 2
        return cls(part, part, part, ("a", "b"))

    def default_space(self) -> SearchSpace:
        def layer(place: int) -> Node:
            return nn.seq(nn.linear(choice(f"width{place}", [8, 16, 32, 64, 128])), nn.relu())

        return SearchSpace(nn.seq(nn.repeat("depth", layer, 1, 8), nn.linear(2)))


@pytest.mark.long
def test_options_of_what_classes_alone_can_teach_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a search, by an evaluator, and by a training; without them nothing is distilled."""
    task = Values.made()
    says = "must be left out for the task values: networks teach each other classes only"
    given = {"task": task, "evaluator": "supernet", "budget": "30 trials", "out": str(tmp_path / "r")}
    with pytest.raises(SpecError, match=f"teacher {says}"):
        prepare(None, {**given, "teacher": True}, Clock())
    file = tmp_path / "w.safetensors"
    with pytest.raises(SpecError, match=f"teacher {says}"):
        SupernetEvaluator(task, file, work_dir=tmp_path, space=task.default_space(), teacher=True)
    monkeypatch.setattr("netwright.study.supernet_use.load_task", lambda *_, **__: task)
    spec = SearchSpec.from_options(
        task="image-classification", data="digits", budget="1 trials", out=str(tmp_path / "t")
    )
    for option in ({"distil": True}, {"divergence": "alpha"}, {"labels": 0.5}):
        with pytest.raises(SpecError, match=f"{next(iter(option))} {says}"):
            new_training(spec, epochs=1.0, budget=None, options=option)
    assert not new_training(spec, epochs=1.0, budget=None, options={}).phase.record.settings.distil
    assert not new_training(spec, epochs=1.0, budget=None, options={"distil": False}).phase.record.settings.distil


def test_without_epochs_shared_weights_are_trained_by_what_the_task_calls_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four times as long at most, as in a search."""
    monkeypatch.setattr("netwright.study.supernet_use.load_task", lambda *_, **__: Values.made(full=200.0))
    spec = SearchSpec.from_options(
        task="image-classification", data="digits", budget="1 trials", out=str(tmp_path / "t")
    )
    training = new_training(spec, epochs=None, budget=Budget.parse("10m"), options={})
    assert training.phase.record.settings.epochs == 800.0


@pytest.mark.long
@pytest.mark.parametrize(("least", "count", "epochs"), [(None, 8, pytest.approx(9.8, abs=0.1)), (15.0, 5, 15.0)])
def test_trainings_to_compare_with_are_not_shorter_than_what_ranks(
    tmp_path: Path, least: float | None, count: int, epochs: object
) -> None:
    """There are fewer of them instead, and none where there is time for less than four."""
    given = {"evaluator": "supernet", "budget": "60s", "strategy": "random"}
    _, parts = prepare(None, {**given, "task": Values.made(least=least), "out": str(tmp_path / "r")}, Clock())
    lengths = [p.fidelity.epochs for p in parts.strategy.ask(2 * count) if p.fidelity.epochs is not None]
    assert len(lengths) == count
    assert lengths == [epochs] * count
    _, parts = prepare(None, {**given, "task": Values.made(least=30.0), "out": str(tmp_path / "s")}, Clock())
    assert parts.sharing is not None
    assert "the budget is too small for it" in parts.sharing.note
    assert all(p.fidelity.epochs is None for p in parts.strategy.ask(8))


@pytest.mark.long
def test_one_is_told_where_nothing_could_be_compared(tmp_path: Path) -> None:
    """Though it was planned: too few trainings ended, or all came out the same."""
    given = {"task": Values.made(), "evaluator": "supernet", "budget": "60s", "out": str(tmp_path / "r")}
    settings, parts = prepare(None, given, Clock())
    networks = draw_audited(parts.space, 0, 6)
    scored = [
        Trial(n, Proposal(a, Fidelity(), (), PROBE), 0, TrialState.FINISHED, {"rmse": 1.0 + n, "epochs": 0.0}, "", 1.0)
        for n, a in enumerate(networks)
    ]
    alike = [
        replace(t, id=9 + t.id, proposal=replace(t.proposal, fidelity=Fidelity(2.0)), metrics={"rmse": 1.0})
        for t in scored
    ]
    for trials in (scored, [*scored, *alike], [*scored, *alike[:2]]):
        assert NOT_COMPARED in notes_of(scored[0], trials, parts, settings.budget)
    told = [replace(t, metrics={"rmse": 1.0 + t.id}) for t in alike]
    assert NOT_COMPARED not in notes_of(scored[0], [*scored, *told], parts, settings.budget)


@pytest.mark.long
def test_first_trainings_are_compared_at_equal_time_where_that_was_measured(tmp_path: Path) -> None:
    """Of images; what an example of another kind costs is not told by multiply-accumulates."""
    given = {"task": Classes.made(), "evaluator": "supernet", "budget": "300s", "out": str(tmp_path / "r")}
    _, parts = prepare(None, given, Clock())
    assert parts.opening is not None
    assert parts.opening.plan.equal_time
    assert not parts.opening.equal_time
