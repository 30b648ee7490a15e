"""Training shared weights: it learns, is the same however often it was interrupted, and comes back from a bad step."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from netwright import nn
from netwright.errors import SpecError, TrialError, UsageError
from netwright.evaluation import Recipe, TrainingEvaluator
from netwright.evaluation.batches import Batches, Images
from netwright.evaluation.checkpoints import Checkpoints, TrainingState
from netwright.evaluation.optimizers import Optimizer
from netwright.evaluation.supernet_evaluator import SupernetEvaluator, supernet_of
from netwright.evaluation.supernet_gradients import Lesson
from netwright.evaluation.supernet_losses import Divergence, divergence
from netwright.evaluation.supernet_training import Position, train_supernet
from netwright.evaluation.training import TrainingOptions
from netwright.nn.profiling import profile
from netwright.space import SearchSpace, choice, integer
from netwright.supernet import Supernet
from netwright.supernet.guided import BestUp, Progressive
from netwright.supernet.sampling import Fair, Sampler, Sandwich, Uniform
from netwright.tasks.augmentation import Augmentation
from netwright.tasks.image_classification import ImageClassification
from netwright.types import Constraint, Fidelity


@pytest.fixture(scope="module")
def task(bright_rows: tuple[np.ndarray, np.ndarray]) -> ImageClassification:
    return ImageClassification.from_arrays(bright_rows, layout="HWC")


def space() -> SearchSpace:
    """Width, kernel, depth and the kind of a layer."""
    width = choice("width", [4, 8, 16])
    kinds = {"conv": nn.conv_norm_act(width, choice("kernel", [1, 3, 5])), "pool": nn.max_pool(3, stride=1)}
    deep = nn.repeat(integer("depth", 1, 2), lambda i: nn.one_of(f"kind{i}", kinds))
    return SearchSpace(nn.seq(nn.conv_norm_act(width, stride=2), deep, nn.flatten(), nn.linear(4)))


def batches_of(task: ImageClassification, seed: int = 0) -> Batches:
    images = Images(*task.train(), task.scale)
    return Batches(images, batch_size=32, shards=2, augmentation=Augmentation(1, False), seed=seed)


def trained(task: ImageClassification, sampler: str = "sandwich", epochs: float = 4.0) -> Supernet:
    supernet = supernet_of(task, space())
    kinds: dict[str, type[Uniform | Fair | Sandwich]] = {
        "uniform": Uniform,
        "fair": Fair,
        "sandwich": Sandwich,
    }
    train_supernet(supernet, batches_of(task), Recipe(), kinds[sampler](supernet.networks), epochs=epochs)
    return supernet


@pytest.mark.long
@pytest.mark.parametrize("sampler", ["uniform", "fair", "sandwich"])
def test_networks_learn_without_a_training_of_their_own(
    task: ImageClassification, tmp_path: Path, sampler: str
) -> None:
    """On average far better than chance (.25), some nearly right; and different networks give different answers."""
    supernet = trained(task, sampler, epochs=16.0)
    evaluator = SupernetEvaluator(task, supernet, work_dir=tmp_path)
    rng = np.random.default_rng(1)
    found = [evaluator(space().sample(rng), fidelity=Fidelity(), seed=0) for _ in range(8)]
    assert np.mean([metrics["accuracy"] for metrics in found]) > 0.5
    assert max(metrics["accuracy"] for metrics in found) > 0.8
    assert len({metrics["loss"] for metrics in found}) > 4
    assert all(metrics["epochs"] == 0 for metrics in found)


def test_an_evaluator_checks_limits_and_scores_a_network_as_it_is_taken_out(
    task: ImageClassification, tmp_path: Path
) -> None:
    """Its number is that of the extracted network whose norms saw the same images; again it is the same."""
    supernet = trained(task, epochs=1.0)
    evaluator = SupernetEvaluator(task, supernet, work_dir=tmp_path, constraints=[Constraint.parse("params<=1e9")])
    assert isinstance(evaluator, TrainingEvaluator)
    arch = space().sample(np.random.default_rng(3))
    first, again = (evaluator(arch, fidelity=Fidelity(), seed=seed) for seed in (0, 5))
    assert first == again
    from netwright.evaluation.training import evaluate, recalibrate

    plain = supernet.extract(arch).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    recalibrate(plain, evaluator._batches(Recipe(), Fidelity(epochs=1.0), 0))
    scores = evaluate(plain, Images(*task.validation(), task.scale))
    assert (scores["accuracy"], scores["loss"]) == (first["accuracy"], first["loss"])


class AccuracyAlone(ImageClassification):
    """A person's own, whose scores are without a loss."""

    def scores(self, answers):  # type: ignore[no-untyped-def]
        return {"accuracy": super().scores(answers)["accuracy"]}


def test_a_task_that_scores_no_loss_is_given_one(tmp_path: Path) -> None:
    """Shared weights are compared by it: the task's own loss, as a mean over all images that are shown."""
    x = np.random.default_rng(0).integers(0, 255, (600, 8, 8, 1)).astype(np.uint8)
    own, plain = (c.from_arrays((x, np.arange(600) % 4), layout="HWC") for c in (AccuracyAlone, ImageClassification))
    supernet = supernet_of(plain, space(), seed=0)
    arch = space().sample(np.random.default_rng(3))
    found, told = (
        SupernetEvaluator(task, supernet, work_dir=tmp_path / task.__class__.__name__)(
            arch, fidelity=Fidelity(), seed=0
        )
        for task in (own, plain)
    )
    assert found["accuracy"] == told["accuracy"]
    assert found["loss"] == pytest.approx(told["loss"], rel=1e-5)


def test_networks_that_are_taught_learn_from_labels_in_part() -> None:
    """The loss of a taught network is the weighted mean of both; that of the first one is of labels alone."""
    logits, y = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]]), torch.tensor([0, 2])
    teacher = torch.softmax(torch.tensor([[0.0, 1.0, 0.0], [3.0, 0.0, 0.0]]), dim=1)
    taught, told = Lesson().loss(logits, y, teacher), Lesson().loss(logits, y, None)
    assert told == torch.nn.functional.cross_entropy(logits, y)
    assert taught == divergence("kl", logits, teacher)
    assert torch.isclose(Lesson(labels=0.25).loss(logits, y, teacher), 0.25 * told + 0.75 * taught)


def test_an_interrupted_training_ends_with_the_same_bits(task: ImageClassification, tmp_path: Path) -> None:
    """Killed at any step and begun again, by another object: the weights are those of a training that was not."""

    class Killed(Exception):
        pass

    class Killing:
        """A sampler that dies once at a step."""

        def __init__(self, inner: Sampler, at: int) -> None:
            self.inner, self.at = inner, at

        def __call__(self, step: int):  # type: ignore[no-untyped-def]
            if step == self.at:
                raise Killed
            return self.inner(step)

    whole = supernet_of(task, space())
    train_supernet(whole, batches_of(task), Recipe(), Uniform(whole.networks), epochs=2.0)
    checkpoints = Checkpoints(tmp_path, "supernet", "the same", "2")
    options = TrainingOptions(checkpoints, checkpoint_every_s=0.0)
    for at in (7, 19, 10**9):
        supernet = supernet_of(task, space())
        sampler = Killing(Uniform(supernet.networks), at)
        try:
            train_supernet(supernet, batches_of(task), Recipe(), sampler, epochs=2.0, options=options)
        except Killed:
            continue
    state = whole.state_dict()
    assert all(torch.equal(state[key], tensor) for key, tensor in supernet.state_dict().items())
    assert state.keys() == supernet.state_dict().keys()


@pytest.mark.parametrize("divergence", ["kl", "alpha"])
def test_processes_that_share_a_step_reach_the_same_bits(task: ImageClassification, divergence: Divergence) -> None:
    """Two processes as one, also where the supernet grows, and where the better of some networks is looked for."""
    found = []
    for processes in (1, 2):
        supernet = supernet_of(task, space())
        options = TrainingOptions(processes=processes)
        for sampler in (Progressive(supernet.networks, 10), BestUp(supernet.networks)):
            train_supernet(
                supernet,
                batches_of(task),
                Recipe(),
                sampler,
                epochs=0.7,
                divergence=divergence,
                options=options,
            )
        found.append(supernet.state_dict())
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][key], tensor) for key, tensor in found[1].items())


def test_a_training_stops_where_a_listener_says_so_and_goes_on(task: ImageClassification, tmp_path: Path) -> None:
    """With a checkpoint, so that no step is made twice; the end is that of a training that was not stopped."""
    checkpoints = Checkpoints(tmp_path, "supernet", "the same", "1")
    told: list[int] = []

    def stop(position: Position) -> bool:
        told.append(position.step)
        return position.step == 5

    supernets = [supernet_of(task, space()) for _ in range(3)]
    for supernet, options in zip(
        supernets, [None, TrainingOptions(checkpoints), TrainingOptions(checkpoints)], strict=True
    ):
        train_supernet(
            supernet,
            batches_of(task),
            Recipe(),
            Sandwich(supernet.networks),
            epochs=1.0,
            options=options,
            listener=stop if options is not None else lambda position: False,
        )
    assert told[:6] == [1, 2, 3, 4, 5, 6]
    state = supernets[0].state_dict()
    assert all(torch.equal(state[key], tensor) for key, tensor in supernets[2].state_dict().items())
    assert not all(torch.equal(state[key], tensor) for key, tensor in supernets[1].state_dict().items())


def poisoned_steps(monkeypatch: pytest.MonkeyPatch, *steps: int) -> list[int]:
    """Let the batches of these steps hold NaN, each once; more may be added."""
    shard, poisoned = Batches.shard, list(steps)

    def poison(self: Batches, step: int, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = shard(self, step, number)
        if step in poisoned:
            poisoned.remove(step)
            return x * float("nan"), y
        return x, y

    monkeypatch.setattr(Batches, "shard", poison)
    return poisoned


def test_a_loss_that_is_not_finite_goes_back_once_then_stops(
    task: ImageClassification, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The first time the rate falls and the training ends; where it happens again there is a clear end."""
    supernet = supernet_of(task, space())
    batches, poisoned = batches_of(task), poisoned_steps(monkeypatch, 5)
    train_supernet(supernet, batches, Recipe(), Uniform(supernet.networks), epochs=1.0)
    assert "back to step 0, at 0.3 of the rate" in caplog.text
    assert all(torch.isfinite(tensor).all() for tensor in supernet.parameters())
    poisoned += [3, 5]
    with pytest.raises(TrialError, match=r"diverged twice: the loss is nan at step 5; look for values"):
        train_supernet(supernet, batches, Recipe(), Uniform(supernet.networks), epochs=1.0)


def test_a_loss_that_is_not_finite_after_the_tensors_have_grown_goes_back_all_the_same(
    task: ImageClassification, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What the survey did not see is learned of in step 0, is forgotten, and is learned of again."""
    smallest = space().architecture({"width": 4, "depth": 1, "kind0": "conv", "kernel": 1})
    monkeypatch.setattr("netwright.supernet.supernet._survey", lambda space, rng: [smallest])
    supernet = supernet_of(task, space())
    surveyed = {key: tuple(tensor.shape) for key, tensor in supernet.state_dict().items()}
    poisoned_steps(monkeypatch, 5)
    train_supernet(supernet, batches_of(task), Recipe(), Sandwich(supernet.networks), epochs=1.0)
    assert "back to step 0, at 0.3 of the rate" in caplog.text
    assert {key: tuple(tensor.shape) for key, tensor in supernet.state_dict().items()} != surveyed
    assert all(torch.isfinite(tensor).all() for tensor in supernet.parameters())


def test_weights_that_are_not_finite_are_never_kept(
    task: ImageClassification, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A finite loss may have gradients that are not: neither in a checkpoint nor at the end are they taken."""
    step, poisoned, saved = Optimizer.step, [7, 11], list[bool]()

    def poison(self: Optimizer, number: int, factor: float) -> None:
        step(self, number, factor)
        if number in poisoned:
            poisoned.remove(number)
            with torch.no_grad():
                self.params[0].tensor[:] = torch.nan

    def save(self: Checkpoints, state: TrainingState) -> None:
        saved.append(all(bool(torch.isfinite(t).all()) for t in state.tensors.values()))

    monkeypatch.setattr(Optimizer, "step", poison)
    monkeypatch.setattr(Checkpoints, "save", save)
    options = TrainingOptions(Checkpoints(tmp_path, "supernet", "the same", "1"), checkpoint_every_s=0.0)
    supernet = supernet_of(task, space())
    poisoned.remove(11)
    train_supernet(supernet, batches_of(task), Recipe(), Uniform(supernet.networks), epochs=1.0, options=options)
    assert "a weight is not finite at step 8: back to step 0" in caplog.text
    assert len(saved) > 10
    assert all(saved)
    supernet = supernet_of(task, space())
    poisoned += [batches_of(task).steps_per_epoch - 1]  # the last one
    trained = train_supernet(supernet, batches_of(task), Recipe(), Uniform(supernet.networks), epochs=1.0)
    assert trained.steps == batches_of(task).steps_per_epoch
    assert all(torch.isfinite(tensor).all() for tensor in supernet.parameters())


def test_embeddings_and_last_layers_are_trained_as_those_of_a_plain_network(
    task: ImageClassification, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under ``muon-all``: a rule knows a parameter by what it is in a network, shared or not."""
    taken = list[dict[str, set[int]]]()
    made = Optimizer.__init__

    def note(self: Optimizer, model: torch.nn.Module, *rest: object) -> None:
        made(self, model, *rest)  # type: ignore[arg-type]
        rules = dict[str, set[int]]()
        for how in self.params:
            rule = "muon" if how.rule is None else how.rule.__name__
            rules.setdefault(rule, set()).add(how.tensor.numel())
        taken.append(rules)

    monkeypatch.setattr(Optimizer, "__init__", note)
    hidden = nn.seq(nn.flatten(), nn.linear(choice("width", [24, 40])), nn.relu(), nn.linear(4))
    supernet = supernet_of(task, SearchSpace(hidden))
    recipe = Recipe(optimizer="muon-all")
    train_supernet(supernet, batches_of(task), recipe, Uniform(supernet.networks), epochs=0.1)
    largest = supernet.networks.make(supernet.space.architecture({"width": 40})).model
    Optimizer(largest, recipe)
    assert taken[0] == taken[-1] == {"muon": {64 * 40}, "adam": {40, 40 * 4, 4}}


def test_a_supernet_forgets_what_it_learned_since_a_state() -> None:
    """Places and sizes are those of the state again."""
    supernet = Supernet(space(), input_shape=(1, 8, 8))
    state = {key: tensor.clone() for key, tensor in supernet.state_dict().items()}
    first, second, *others = state
    smaller = {second: state[second][:1], **{key: state[key] for key in others}}
    assert first not in smaller
    supernet.go_back(smaller)
    assert {key: tuple(t.shape) for key, t in supernet.state_dict().items()} == {
        key: tuple(t.shape) for key, t in smaller.items()
    }


def test_helpers_make_the_networks_of_the_next_step_while_they_would_wait(task: ImageClassification) -> None:
    """Which changes no bit, also where they are foreseen wrongly."""
    states = []
    for processes, sampler in ((1, Uniform), (2, Uniform), (2, Sandwich), (1, Sandwich)):
        supernet = supernet_of(task, space())
        options = TrainingOptions(processes=processes)
        sampled = sampler(supernet.networks)
        train_supernet(supernet, batches_of(task), Recipe(), sampled, epochs=1.0, options=options)
        states.append(supernet.state_dict())
    for one, two in ((states[0], states[1]), (states[2], states[3])):
        assert all(torch.equal(one[key], two[key]) for key in one)


def test_samplers_draw_what_they_say() -> None:
    """A function of seed and step; a sandwich has the two ends outside."""
    supernet = Supernet(space(), input_shape=(1, 8, 8))
    for make in (Uniform, Fair, Sandwich):
        one, two = make(supernet.networks, 3), make(supernet.networks, 3)
        assert [one(step) for step in range(9)] == [two(step) for step in reversed(range(9))][::-1]
        assert any(make(supernet.networks, 4)(step) != one(step) for step in range(9))
    sandwich = Sandwich(supernet.networks)
    macs = [profile(supernet.networks.term(a), input_shape=(1, 8, 8)).macs for a in sandwich(0)]
    assert len(macs) == 4
    drawn = [
        profile(space().resolve(space().sample(np.random.default_rng(s))), input_shape=(1, 8, 8)).macs
        for s in range(200)
    ]
    assert macs[0] >= max(drawn)
    assert macs[-1] <= min(drawn)


def test_fair_sampling_uses_each_value_once_before_one_is_used_again() -> None:
    """Of choices that all networks have exactly; of nested ones as often as the others in a cycle, give or take one."""
    networks = Supernet(space(), input_shape=(1, 8, 8)).networks
    fair = Fair(networks)
    drawn = [fair(step)[0] for step in range(24)]  # a cycle: eight times the three widths
    for begin in range(0, 24, 3):
        assert {a["width"] for a in drawn[begin : begin + 3]} == {4, 8, 16}
    for begin in range(0, 24, 2):
        assert {a["depth"] for a in drawn[begin : begin + 2]} == {1, 2}
        assert {a["kind0"] for a in drawn[begin : begin + 2]} == {"conv", "pool"}
    for name in ("kind1", "kernel"):
        counts = Counter(a[name] for a in drawn if name in a)
        assert max(counts.values()) - min(counts.values()) <= 1
    assert [fair(step)[0] for step in (30, 7, 25)] == [Fair(networks)(step)[0] for step in (30, 7, 25)]
    assert Fair(networks, cycle=7)(3) == Fair(networks, cycle=7)(3)


def test_fair_sampling_knows_all_numbers_of_a_range() -> None:
    """Each depth once in five steps; of a range that is too long to count any."""
    deep = nn.repeat(integer("depth", 1, 5), lambda i: nn.linear(4))
    networks = Supernet(SearchSpace(nn.seq(deep, nn.linear(2))), input_shape=(3,)).networks
    fair = Fair(networks)
    assert {fair(step)[0]["depth"] for step in range(5)} == {1, 2, 3, 4, 5}
    wide = SearchSpace(nn.seq(nn.linear(integer("width", 1, 2000)), nn.linear(2)))
    fair = Fair(Supernet(wide, input_shape=(3,)).networks)
    assert len({fair(step)[0]["width"] for step in range(20)}) > 15


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (Fair, {"cycle": 0}, "cycle must be >= 1, got 0"),
        (Sandwich, {"num_random": -1}, "num_random must be >= 0, got -1"),
    ],
)
def test_samplers_refuse_what_cannot_be(make: type[Fair | Sandwich], options: dict[str, int], message: str) -> None:
    """The error says what is allowed."""
    networks = Supernet(space(), input_shape=(1, 8, 8)).networks
    with pytest.raises(UsageError, match=message):
        make(networks, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_a_rate_that_learns_nothing_is_refused(task: ImageClassification, tmp_path: Path, rate: float) -> None:
    """Of the training that goes on from shared weights."""
    with pytest.raises(SpecError, match="tuning_rate must be > 0"):
        SupernetEvaluator(task, supernet_of(task, space(), seed=0), work_dir=tmp_path, tuning_rate=rate)
