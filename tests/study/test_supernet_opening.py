"""Which part of a space shares weights: what is trained first, what is chosen, and what then is searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netwright import nn
from netwright.cli.runs import open_study
from netwright.errors import SpecError
from netwright.evaluation.supernet_evaluator import SupernetEvaluator
from netwright.evaluation.trainer import TrainingEvaluator
from netwright.search import resume, search
from netwright.space import Node, SearchSpace, choice, integer
from netwright.spec import SearchSpec
from netwright.strategies.random import RandomSearch
from netwright.study.clock import Clock
from netwright.study.final_phase import FinalPhase
from netwright.study.opening import prepare
from netwright.study.setup import Parts
from netwright.study.supernet_opening import FEWEST_WITHIN, NO_TIME, OPENED, FirstThen, Opening
from netwright.tasks import load_task
from netwright.tasks.base import Reference
from netwright.tasks.learning import ClassifyingTask
from netwright.types import Architecture, Fidelity, Proposal, Trial, TrialState


def parts_of(tmp_path: Path, **options: object) -> Parts:
    """The parts of a search on shared weights, of digits; nothing is trained."""
    named = {"task": "image-classification", "data": "digits", "evaluator": "supernet", "budget": "60s", "workers": 2}
    _, parts = prepare(None, {**named, "out": str(tmp_path / "r"), **options}, Clock())
    return parts


def ended(
    opening: Opening, metrics: Sequence[dict[str, float]], state: TrialState = TrialState.FINISHED
) -> list[Trial]:
    """A history in which the first trainings ended, each with these numbers."""
    pairs = zip(opening.proposals, metrics, strict=True)
    return [Trial(n, p, n, state, found, "", 1.0) for n, (p, found) in enumerate(pairs)]


def opening_of(parts: Parts) -> Opening:
    assert parts.opening is not None
    return parts.opening


def test_hand_made_networks_are_trained_alike_and_the_best_holds_the_others(tmp_path: Path) -> None:
    """Only those with something within can be chosen, however good the others are."""
    opening = opening_of(parts_of(tmp_path))
    assert {p.origin.partition(":")[0] for p in opening.proposals} == {"reference", "portfolio"}
    (length,) = {p.fidelity.epochs for p in opening.proposals}
    assert 0.1 <= (length or 0.0) <= 3.0
    assert all(space.count() >= FEWEST_WITHIN for space in opening.families.values())
    alone = [p.architecture for p in opening.proposals if p.architecture not in opening.families]
    assert alone
    best = next(p.architecture for p in reversed(opening.proposals) if p.architecture in opening.families)
    scores = dict.fromkeys(alone, 0.99) | {best: 0.9}
    found = [{"accuracy": scores.get(p.architecture, 0.5)} for p in opening.proposals]
    history = ended(opening, found)
    assert opening.has_ended(history)
    assert not opening.has_ended(history[1:])
    assert opening.choose(history) == best
    following = opening.parts(history)
    assert following.opening is None
    assert following.sharing is not None
    assert following.sharing.largest == best
    assert following.sharing.phase.record.largest == best
    assert following.sharing.phase.record.settings.sampling == "largest-first"
    assert following.sharing.phase.space.count() == opening.families[best].count()
    assert "networks that lie within" in following.sharing.held
    proposed = [p.architecture for _ in range(12) for p in following.strategy.ask(2)]
    assert best in proposed
    assert all(opening.families[best].contains(architecture) for architecture in proposed)
    assert following.sharing.holds(best)


def test_where_all_of_them_failed_the_whole_space_shares_weights(tmp_path: Path) -> None:
    """A sandwich, as without a limit on time."""
    opening = opening_of(parts_of(tmp_path))
    following = opening.parts(ended(opening, [{} for _ in opening.proposals], TrialState.FAILED))
    assert following.sharing is not None
    assert following.sharing.largest is None
    assert all(following.sharing.holds(p.architecture) for p in opening.proposals)
    assert following.sharing.held == ""
    assert following.sharing.phase.record.settings.sampling == "sandwich"


def test_networks_over_a_limit_hold_nothing(tmp_path: Path) -> None:
    """Those that the limits refuse are made narrower, as in every search; what is searched keeps them."""
    opening = opening_of(parts_of(tmp_path, constraints=["params<=100k"]))
    history = ended(opening, [{"accuracy": 0.9, "params": 1e5 - n} for n in range(len(opening.proposals))])
    over = [replace(t, metrics={**t.metrics, "params": 2e5}) for t in history]
    assert opening.choose(history) in opening.families
    assert opening.choose(over) is None


@pytest.mark.parametrize("options", [{"budget": "40 trials"}, {"budget": "1s"}, {"budget": "90000h"}])
def test_without_a_time_with_too_little_and_with_plenty_all_of_the_space_is_shared(
    tmp_path: Path, options: dict[str, object]
) -> None:
    """There is nothing to decide, or no time to decide it."""
    parts = parts_of(tmp_path, **options)
    assert parts.opening is None
    assert parts.sharing is not None
    assert parts.sharing.largest is None


def elastic() -> SearchSpace:
    width = choice("width", [8, 16, 32, 64, 128, 256])
    kernel = choice("kernel", [1, 3, 5])
    deep = nn.repeat(integer("depth", 1, 8), lambda i: nn.conv_norm_act(width, kernel))
    return SearchSpace(nn.seq(nn.conv_norm_act(choice("stem", [8, 16, 32])), deep, nn.flatten(), nn.linear(10)))


def operations() -> SearchSpace:
    kinds = {"conv": nn.conv(64, 3), "pool": nn.seq(nn.conv(64, 1), nn.max_pool(3, stride=1)), "wide": nn.conv(64, 5)}
    deep = [nn.one_of(f"kind{i}", kinds) for i in range(6)]
    return SearchSpace(nn.seq(*deep, nn.flatten(), nn.linear(10)))


def test_of_a_space_without_hand_made_networks_random_ones_of_several_sizes_are_trained(tmp_path: Path) -> None:
    """A space of one's own; the small ones, within which there is little, cannot be chosen."""
    opening = opening_of(parts_of(tmp_path, space=elastic(), budget="30s"))
    assert {p.origin for p in opening.proposals} == {OPENED}
    assert 0 < len(opening.families) <= len(opening.proposals)


def test_a_space_of_operations_is_shared_whole(tmp_path: Path) -> None:
    """Nothing lies within one of its networks."""
    assert parts_of(tmp_path, space=operations(), budget="30s").opening is None


def test_the_first_ones_are_proposed_and_waited_for() -> None:
    """What follows learns of its own proposals alone, and is asked once all the first ones are told."""
    space = SearchSpace(training={"a": choice("a", list(range(20)))})
    told: list[int] = []

    class Inner(RandomSearch):
        def tell(self, trials: Sequence[Trial]) -> None:
            told.extend(t.id for t in trials)

    first = [Proposal(Architecture({"a": n}), Fidelity(1.0)) for n in range(3)]
    strategy = FirstThen(first, Inner(space, seed=0))
    assert [*strategy.ask(2), *strategy.ask(2)] == first
    assert list(strategy.ask(1)) == []
    trials = [Trial(n, p, 0, TrialState.FINISHED, {"accuracy": 0.5}, "", 1.0) for n, p in enumerate(first)]
    strategy.tell(trials[:2])
    assert list(strategy.ask(1)) == []
    strategy.tell(trials[2:])
    (proposal,) = strategy.ask(1)
    strategy.tell([Trial(3, proposal, 0, TrialState.FINISHED, {"accuracy": 0.5}, "", 1.0)])
    assert told == [3]
    alone = FirstThen(first, None)
    alone.ask(3)
    alone.tell(trials)
    assert list(alone.ask(1)) == []


def test_a_specification_decides_what_is_trained_first(tmp_path: Path) -> None:
    """A resume with another budget asks for the same trainings, and chooses the same network by them."""
    named = {"task": "image-classification", "data": "digits", "evaluator": "supernet", "budget": "60s", "workers": 2}
    spec = SearchSpec.from_options(**{**named, "out": str(tmp_path / "r")})
    before, after = (opening_of(prepare(spec, {}, Clock(), budget)[1]) for budget in (None, "2h"))
    assert before.proposals == after.proposals
    costs = [1e8 * (1 + 400 * (n % 2)) for n in range(len(before.proposals))]
    found = [{"accuracy": 0.5 + 0.01 * n, "loss": 0.5 - 0.02 * n, "train_cost": c} for n, c in enumerate(costs)]
    assert before.equal_time
    assert before.choose(ended(before, found)) == after.choose(ended(after, found))
    unfair = replace(before, equal_time=False).choose(ended(before, found))
    assert unfair != before.choose(ended(before, found))  # so that the figures could tell


def test_what_was_trained_for_another_reason_is_not_chosen(tmp_path: Path) -> None:
    """A training of the audit may be as long, and of the same network."""
    opening = opening_of(parts_of(tmp_path))
    history = ended(opening, [{"accuracy": 0.5} for _ in opening.proposals])
    best = next(t for t in history if t.architecture in opening.families)
    probe = replace(best, proposal=replace(best.proposal, origin="probe"), metrics={"accuracy": 0.99})
    assert opening.choose([probe]) is None
    assert not opening.has_ended([*history[1:], probe])


def test_time_may_leave_some_out(tmp_path: Path) -> None:
    """Then the best of those that ended is chosen."""
    opening = opening_of(parts_of(tmp_path))
    history = ended(opening, [{"accuracy": 0.5} for _ in opening.proposals])
    known = next(n for n, t in enumerate(history) if t.architecture in opening.families)
    short = opening.shortened(known + 1)
    assert short.has_ended(history[: known + 1])
    assert short.choose(history) == history[known].architecture


@pytest.mark.parametrize(
    "options", [{"budget": "60s, 40 trials"}, {"budget": "60s, 300 epochs"}, {"strategy": "an object"}]
)
def test_what_would_be_used_up_or_knows_the_whole_space_is_not_restricted(
    tmp_path: Path, options: dict[str, object]
) -> None:
    """A budget of trials or epochs, and a strategy that was made for all of the space."""
    if "strategy" in options:
        options = {"strategy": RandomSearch(load_task("image-classification", "digits").default_space(), seed=0)}
    elif "epochs" in str(options):
        with pytest.raises(SpecError, match="a time or a number of trials"):
            parts_of(tmp_path, **options)
        return
    assert parts_of(tmp_path, **options).opening is None


def test_too_little_time_for_shared_weights_is_noticed(tmp_path: Path) -> None:
    """Most of their part has to be left."""
    opening = opening_of(parts_of(tmp_path))
    sharing = opening.parts(ended(opening, [{"accuracy": 0.5} for _ in opening.proposals])).sharing
    assert sharing is not None
    assert not sharing.is_late(10.0, 60.0)
    assert sharing.is_late(25.0, 60.0)
    assert not sharing.is_late(25.0, None)


class Machine:
    """Remembers what last trainings it was given, and by what they would be made; each of them ends."""

    def __init__(self, trials: list[Trial]) -> None:
        self.trials = trials
        self.made: list[tuple[list[int], bool]] = []

    def __call__(self, evaluator: TrainingEvaluator, proposals: Sequence[Proposal]) -> None:
        self.made.append(([n for p in proposals for n in p.parents], isinstance(evaluator, SupernetEvaluator)))
        for proposal in proposals:
            metrics = {"accuracy": 0.95, "loss": 0.1, "params": 1.0, "epochs": 9.0, "train_time_s": 3.0}
            self.trials.append(Trial(100 + len(self.trials), proposal, 0, TrialState.FINISHED, metrics, "", 1.0))


def test_a_small_network_without_shared_weights_is_trained_from_nothing_at_last(tmp_path: Path) -> None:
    """Those of the front that have some go on from these; two at once are always trained alike."""
    named = {"task": "image-classification", "data": "digits", "evaluator": "supernet", "budget": "60s", "workers": 2}
    objectives = ["accuracy", "params"]
    settings, parts = prepare(None, {**named, "objectives": objectives, "out": str(tmp_path / "r")}, Clock())
    opening = opening_of(parts)
    best = next(p.architecture for p in reversed(opening.proposals) if p.architecture in opening.families)
    found = [{"accuracy": 0.9 if p.architecture == best else 0.5, "loss": 2.0} for p in opening.proposals]
    history = ended(opening, found)
    following = opening.parts(history)
    assert following.sharing is not None
    family = following.sharing.phase.space
    (outside, other, *_) = (t for t in history if not family.contains(t.architecture))
    trained = {"epochs": 0.2, "train_time_s": 0.5}
    small = replace(outside, metrics={"accuracy": 0.5, "loss": 2.0, "params": 5.0, **trained})
    beaten = replace(other, metrics={"accuracy": 0.4, "loss": 3.0, "params": 6.0, **trained})
    rng = np.random.default_rng(0)
    drawn = {family.sample(rng) for _ in range(8)}
    scores = [{"accuracy": 0.8, "loss": 1 - 0.1 * n, "params": 10.0 + n} for n in range(len(drawn))]
    scored = [Trial(50 + n, Proposal(a), 0, TrialState.FINISHED, scores[n], "", 1.0) for n, a in enumerate(drawn)]
    machine = Machine([small, beaten, *scored])
    assert following.plan is not None
    final = FinalPhase(following.plan, following, settings, Clock(60.0, spent_s=20.0), machine.trials)
    assert final.width == 2
    final.run(machine)
    assert ([small.id], False) in machine.made
    shared = sorted(n for ids, by_shared in machine.made if by_shared for n in ids)
    assert shared
    assert {*shared} <= {t.id for t in scored}
    assert sum(len(ids) for ids, _ in machine.made) == 1 + len(shared)
    (mixed, *rest) = final._groups([small, *scored[:3]])  # each of a kind, two at most
    assert [[t.id for t in mixed], *([t.id for t in group] for group in rest)] == [[small.id], [50, 51], [52]]


@pytest.mark.slow
@pytest.mark.parametrize("too_late", [False, True])
def test_first_trainings_that_take_too_long_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, too_late: bool
) -> None:
    """No further one begins; the best of those that ended holds the weights, or where no time is left none does."""
    monkeypatch.setattr("netwright.study.sitting.OPENED_UNTIL", 0.0)
    monkeypatch.setattr("netwright.study.supernet_parts.Sharing.is_late", lambda self, spent_s, time_s: too_late)
    named = {"task": "image-classification", "data": "digits", "evaluator": "supernet", "budget": "45s", "workers": 2}
    found = search(**named, out=str(tmp_path / "r"))
    with open_study(tmp_path / "r") as store:
        trials, cut = store.trials(), store.events("opening")
    made = [t for t in trials if t.proposal.origin.startswith(("reference", "portfolio"))]
    first = [t for t in made if t.fidelity.epochs is not None]  # others are scored with shared weights later
    assert [event.body for event in cut] == [len(first)]
    assert len(first) < len(opening_of(parts_of(tmp_path / "other", budget="45s")).proposals)
    assert (NO_TIME in found.notes) == too_late
    assert any("networks that lie within" in note for note in found.notes) != too_late
    assert any(t.fidelity.epochs is None for t in trials) != too_late
    again = resume(tmp_path / "r")
    assert again.notes == found.notes
    assert again.best == found.best


class Rows(ClassifyingTask):
    """Rows of a table, which cost less than the smallest image; hand-made networks are small beside random ones."""

    name, work = "rows", 60.0

    @classmethod
    def made(cls, *, by_hand: bool) -> Rows:
        part = np.zeros((64, 4), dtype=np.float32), np.arange(64) % 2
        task = cls(part, part, part, ("a", "b"))
        task.by_hand = by_hand
        return task

    def default_space(self) -> SearchSpace:
        def layer(place: int) -> Node:
            return nn.seq(nn.linear(choice(f"width{place}", [8, 16, 32, 64, 512, 1024])), nn.relu())

        return SearchSpace(nn.seq(nn.repeat(integer("depth", 1, 4), layer), nn.linear(2)))

    def references(self) -> tuple[Reference, ...]:
        decisions = {"depth": 4, **{f"width{place}": 64 for place in range(4)}}
        return (Reference("narrow", self.default_space().architecture(decisions)),) if self.by_hand else ()


@pytest.mark.long
def test_networks_that_are_larger_than_hand_made_ones_take_longer(tmp_path: Path) -> None:
    """Of what is no image, too: there is less time for all of the space than for those within the hand-made one."""
    opening = opening_of(parts_of(tmp_path, task=Rows.made(by_hand=True), data=None, budget="6s"))
    assert [p.origin for p in opening.proposals] == ["reference:narrow"]
    assert parts_of(tmp_path / "other", task=Rows.made(by_hand=False), data=None, budget="6s").opening is None
