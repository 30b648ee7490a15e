"""What is measured, such as latency: a model to search with that is told when it is poor, and a hard check after."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import netwright as nw
from netwright import nn
from netwright.errors import BuildError, SearchError, UsageError
from netwright.evaluation.differentiable_job import Derived, DifferentiableJob
from netwright.evaluation.trainer import TrainingEvaluator
from netwright.nn.spaces import nas_bench_201
from netwright.space import SearchSpace
from netwright.supernet.differentiable import AlarmOptions, Mixing, Options, Penalty, RelaxedNetwork, darts
from netwright.supernet.differentiable.measured import MOST_CHECKED, MeasuredCost, fit, kept
from netwright.types import Architecture, Constraint, Fidelity

QUIET = AlarmOptions(free_share=1, same_share=1)


def space() -> SearchSpace:
    """Three choices between a convolution and nothing."""
    kinds = {"conv": nn.conv(4, 3), "point": nn.conv(4, 1), "skip": nn.identity()}
    return SearchSpace(
        nn.seq(nn.conv(4, 1), *(nn.one_of(f"op{i}", kinds) for i in range(3)), nn.global_pool(), nn.linear(2))
    )


def batches(seed: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    source = torch.Generator().manual_seed(seed)
    return [(torch.rand(8, 1, 6, 6, generator=source), torch.arange(8) % 2) for _ in range(4)]


def latency(architecture: Architecture) -> float:
    """Milliseconds, as a machine might take."""
    return 1.0 + sum({"conv": 2.0, "point": 0.5, "skip": 0.0}[str(value)] for value in architecture.values())


def test_the_parts_of_an_architecture_are_those_of_its_network() -> None:
    """Parameters, multiply-accumulates and values of a mixture with weights 1 and 0 are those of the plain one."""
    searched = nas_bench_201((3, 8, 8), 4, channels=4, num_cells=1)
    network = RelaxedNetwork(searched, input_shape=(3, 8, 8))
    rng = np.random.default_rng(0)
    for _ in range(4):
        architecture = searched.sample(rng)
        profile = network.networks.profile(architecture)
        params, macs, values, operations = network.count(architecture)
        assert (params, macs) == pytest.approx((profile.params, profile.macs))
        assert 0 < values <= profile.activation_bytes / 4
        assert operations >= 1


def test_a_line_is_found_and_its_error_is_that_of_networks_it_was_not_fitted_to() -> None:
    """Exact costs give no error; costs that have nothing to do with the parts give a large one, which is told."""
    rng = np.random.default_rng(0)
    parts = rng.uniform(1, 100, (12, 4))
    model = fit(parts, 3.0 + parts @ np.array([0.1, 0.0, 0.02, 0.5]))
    assert model.base == pytest.approx(3.0)
    assert model.per == pytest.approx((0.1, 0.0, 0.02, 0.5))
    assert model.error == pytest.approx(0.0, abs=1e-6)
    assert fit(parts, rng.uniform(1, 30, 12)).error > 0.3
    assert all(x >= 0 for x in fit(parts, 300.0 - parts.sum(axis=1) / 2).per)


def test_a_poor_model_is_told() -> None:
    network = RelaxedNetwork(space(), input_shape=(1, 6, 6))
    good = MeasuredCost("latency_ms", latency, network.count, space(), 12, 0)
    assert good.remark() == ""
    noise = np.random.default_rng(0)
    poor = MeasuredCost("latency_ms", lambda _: float(noise.uniform(0.1, 9.0)), network.count, space(), 12, 0)
    assert "searched with a poor guess: its model is wrong by" in poor.remark()


def test_only_networks_that_can_be_built_are_measured() -> None:
    def cannot(architecture: Architecture) -> float:
        raise BuildError("no")

    with pytest.raises(SearchError, match="latency_ms could be measured of 0 of 60 random networks"):
        MeasuredCost("latency_ms", cannot, lambda _: np.zeros(4), space(), 3, 0)


def test_latency_pulls_and_what_is_found_keeps_the_limit_by_measurement() -> None:
    """The expected latency falls; every measured architecture is known; a limit that cannot be kept says so."""
    plain = darts(space(), batches(0), batches(1), Options(epochs=5, arch_learning_rate=0.2, alarm=QUIET))
    penalty = Penalty("latency_ms", 2.0, 20.0, measure=latency, measurements=12)
    options = Options(epochs=5, arch_learning_rate=0.2, alarm=QUIET, penalty=penalty)
    pulled = darts(space(), batches(0), batches(1), options)

    def expected(found: object) -> float:
        weights = {name: torch.tensor(own) for name, own in found.weights.items()}  # type: ignore[attr-defined]
        parts = pulled.network.parts(Mixing(weights)).tolist()
        return pulled.costs["latency_ms"].model.of(np.array(parts))

    assert expected(pulled) < expected(plain)
    limits = (Constraint.parse("latency_ms<=2.1"),)
    found = darts(space(), batches(0), batches(1), replace(options, epochs=1, limits=limits))
    assert latency(found.architecture) <= 2.1
    with pytest.raises(SearchError, match=r"latency_ms<=0\.5"):
        darts(space(), batches(0), batches(1), replace(options, epochs=1, limits=(Constraint.parse("latency_ms<=.5"),)))


def test_several_penalties_add_up() -> None:
    """Size and latency at once; what is wrong with one is said."""
    both = (Penalty("params", 100.0), Penalty("macs", 100.0, 2.0))
    assert Options(penalty=both).penalties == both
    assert Options(penalty=both[0]).penalties == both[:1]
    assert Options().penalties == ()
    with pytest.raises(UsageError, match="measure must be absent with a table"):
        Penalty("ms", 1.0, table={"a": {"b": 1.0}}, measure=latency)
    with pytest.raises(UsageError, match="measurements must be a whole number >= 2"):
        Penalty("ms", 1.0, measure=latency, measurements=1)


class Told:
    """A cost whose model believes half of what is measured."""

    def __init__(self) -> None:
        self.asked = 0

    def measured(self, architecture: Architecture) -> float:
        self.asked += 1
        return float(architecture["n"])  # type: ignore[arg-type]

    def predicted(self, architecture: Architecture) -> float:
        return float(architecture["n"]) / 2  # type: ignore[arg-type]


def test_where_the_model_errs_it_is_believed_less() -> None:
    """Bounds on the model are tightened until a measured network keeps the limit, a few times at most."""
    cost = Told()

    def derive(limits: tuple[Constraint, ...]) -> Architecture:
        return Architecture({"n": int(2 * limits[0].bound)})

    limit = Constraint("ms", "<=", 10.0)
    assert kept((limit,), {"ms": cost}, derive)["n"] <= 10  # type: ignore[dict-item, operator]
    assert cost.asked <= 3
    stubborn = Told()
    with pytest.raises(SearchError, match=f"none of {MOST_CHECKED} architectures that were measured keeps ms<=10"):
        kept((limit,), {"ms": stubborn}, lambda _: Architecture({"n": 30}))  # type: ignore[dict-item]
    assert kept((Constraint("ms", ">=", 10.0),), {"ms": Told()}, at_least)["n"] >= 10  # type: ignore[dict-item, operator]


def at_least(limits: tuple[Constraint, ...]) -> Architecture:
    return Architecture({"n": math.ceil(limits[0].bound * 0.8)})


@pytest.mark.parametrize("method", ["darts", "enas"])
def test_a_limit_on_latency_holds_for_what_a_task_search_finds(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job measures a few networks of the task, and the networks in its file keep the limit."""
    images = np.random.default_rng(0).integers(0, 255, (80, 6, 6, 1), dtype=np.uint8)
    labels = np.arange(80) % 2
    path = tmp_path / "data.npz"
    np.savez(path, x_train=images[:60], y_train=labels[:60], x_test=images[60:], y_test=labels[60:])
    task = nw.ImageClassification.load(path)
    counted: list[int] = []

    def measured(self: object, model: torch.nn.Module) -> dict[str, float]:
        wide = sum(isinstance(m, torch.nn.Conv2d) and m.kernel_size == (3, 3) for m in model.modules())
        counted.append(wide)
        return {"latency_ms": 1.0 + wide}

    monkeypatch.setattr(TrainingEvaluator, "measure_latencies", measured)
    limits = (Constraint.parse("latency_ms<=2"), Constraint.parse("params<=400"))
    evaluator = TrainingEvaluator(task, space(), work_dir=tmp_path, constraints=limits)
    job = DifferentiableJob(evaluator, space(), method, path=tmp_path / "differentiable.json", budget_s=None)
    job(Architecture({}), fidelity=Fidelity(), seed=0)
    found = Derived.read(job.path)
    assert all(list(a.values()).count("conv") <= 1 for a in found.architectures)
    assert len(counted) >= 8


@pytest.mark.parametrize("cost", [0.0, math.nan, math.inf, -1.0])
def test_what_is_no_cost_is_refused(cost: float) -> None:
    """By name, before a line is fitted through it."""
    with pytest.raises(UsageError, match=rf"measured latency_ms must be > 0 and finite, got {cost}; let measure="):
        MeasuredCost("latency_ms", lambda _: cost, lambda _: np.ones(4), space(), 3, 0)
