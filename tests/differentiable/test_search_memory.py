"""A search that needs too much memory is refused before it takes it; devices do not mix; deadlines are kept."""

from __future__ import annotations

import time

import pytest
import torch

from netwright import nn
from netwright.errors import SpaceError, UsageError
from netwright.nn.spaces import nas_bench_201
from netwright.space import SearchSpace, choice
from netwright.supernet.differentiable import (
    METHODS,
    AlarmOptions,
    ControllerOptions,
    Mixing,
    Options,
    RelaxedNetwork,
    Searched,
    darts,
    enas,
    gdas,
    memory,
    pc_darts,
)  # fmt: skip

QUIET = AlarmOptions(free_share=1, same_share=1)


def space() -> SearchSpace:
    return nas_bench_201((3, 8, 8), 2, channels=8, num_cells=1)


def batches(size: int, count: int = 2) -> list[tuple[torch.Tensor, torch.Tensor]]:
    source = torch.Generator().manual_seed(0)
    return [(torch.rand(size, 3, 8, 8, generator=source), torch.arange(size) % 2) for _ in range(count)]


def needed(method: object, size: int, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What a search says that it needs: of weights, and of a step."""
    told: list[float] = []
    monkeypatch.setattr(memory, "require", lambda num_bytes, most, what: told.append(num_bytes))
    options = Options(epochs=1, memory_bytes=1, alarm=QUIET)
    method(space(), batches(size), batches(size), options)  # type: ignore[operator]
    return told


def test_memory_is_known_before_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It grows with the batch, is what a step keeps, and is less where a part of the networks or channels is run."""
    shapes, small = needed(darts, 8, monkeypatch)
    _, large = needed(darts, 32, monkeypatch)
    network = RelaxedNetwork(space(), input_shape=(3, 8, 8))
    assert shapes == memory.COPIES * 4 * sum(w.numel() for w in network.weights())
    mix = Mixing({n: torch.full((len(v),), 1 / len(v), requires_grad=True) for n, v in network.universe.values.items()})
    kept = memory.kept_bytes(lambda: network(batches(32)[0][0], mix), list(network.weights()))
    assert large - shapes == pytest.approx(kept, rel=0.03)
    assert large - small == pytest.approx(3 * (needed(darts, 16, monkeypatch)[1] - small), rel=0.02)
    assert needed(gdas, 32, monkeypatch)[1] < 0.8 * large
    assert needed(pc_darts, 32, monkeypatch)[1] < 0.6 * large


def test_what_is_kept_is_counted_once() -> None:
    """A tensor that several operations keep is one; those that are there in any case are none."""
    x = torch.rand(100)
    w = torch.rand(100, requires_grad=True)
    assert memory.kept_bytes(lambda: torch.sum(x * w), [w]) == 400
    assert memory.kept_bytes(lambda: torch.sum((x * w) + (x * w)), [w]) == 400
    assert memory.kept_bytes(lambda: torch.sum(x * w), [w, x]) == 0


def test_too_little_memory_is_refused_with_the_remedy() -> None:
    """First of the weights, then of a step with its batch."""
    with pytest.raises(SpaceError, match=r"memory of the relaxed network must be <= .* MiB, got 'at least .*smaller b"):
        darts(space(), batches(8), batches(8), Options(epochs=1, memory_bytes=10_000))
    with pytest.raises(SpaceError, match=r"memory of darts, order 1 with batches of 256 .*give smaller batches.*gdas"):
        darts(space(), batches(256), batches(8), Options(epochs=1, memory_bytes=4_000_000))
    with pytest.raises(UsageError, match="memory_bytes must be a whole number >= 1"):
        Options(memory_bytes=0)


@pytest.mark.parametrize("name", ["darts", "gdas"])
def test_the_estimate_changes_nothing(name: str) -> None:
    """The same bits with and without it."""
    found = [
        METHODS[name](space(), batches(8), batches(8), Options(epochs=1, memory_bytes=most, alarm=QUIET))
        for most in (None, 10**12)
    ]
    assert found[0].weights == found[1].weights
    assert all(isinstance(f, Searched) for f in found)
    states = [f.network.state_dict() for f in found if isinstance(f, Searched)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_all_tensors_of_a_mixture_are_where_its_weights_are() -> None:
    """On a device without memory an operation with a tensor of the CPU would fail."""
    width, kernel = choice("width", [4, 8]), choice("kernel", [1, 3])
    kinds = {"conv": nn.seq(nn.conv(width, kernel), nn.batch_norm(), nn.relu()), "skip": nn.conv(width, 1)}
    body = nn.seq(nn.conv(width, 3), nn.one_of("op", kinds), nn.residual(nn.conv(width, 3)), nn.global_pool())
    searched = SearchSpace(nn.seq(body, nn.linear(2)))
    network = RelaxedNetwork(searched, input_shape=(3, 8, 8)).to("meta")
    weights = {n: torch.ones(len(v), device="meta", requires_grad=True) for n, v in network.universe.values.items()}
    mix = Mixing(weights)
    out = network(torch.zeros(2, 3, 8, 8, device="meta"), mix)
    assert (out.device.type, out.shape) == ("meta", (2, 2))
    assert network.parts(mix).device.type == "meta"
    torch.autograd.backward(out.sum() + network.parts(mix).sum())
    assert all(w.grad is not None for w in weights.values())


@pytest.mark.parametrize("name", ["darts", "enas"])
@pytest.mark.long
def test_a_search_ends_at_its_deadline(name: str) -> None:
    """With the first step where it has passed, and with an architecture; not before where it is far."""
    late = Options(epochs=3, deadline_s=time.monotonic() - 1.0, alarm=QUIET)
    found = METHODS[name](space(), batches(8, 3), batches(8), late)
    assert len(found.history) == 1
    assert space().contains(found.architecture)
    soon = Options(epochs=2, deadline_s=time.monotonic() + 1000.0, alarm=QUIET)
    assert len(METHODS[name](space(), batches(8, 1), batches(8), soon).history) == 2


def test_the_curvature_needs_memory_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is that of all mixed, with the graph of the gradient; also where the steps run a path."""
    found = {}
    for every in (0, 1):
        told: list[float] = []
        monkeypatch.setattr(memory, "require", lambda num_bytes, most, what, told=told: told.append(num_bytes))
        options = Options(epochs=1, memory_bytes=1, alarm=AlarmOptions(1, 1, curvature_every=every, iterations=1))
        gdas(space(), batches(8, 1), batches(8, 1), options)
        found[every] = told[1] - told[0]  # without the weights
    assert found[1] > 2 * found[0]


def test_enas_counts_what_its_steps_keep() -> None:
    """A step of a large network on a batch, besides the weights; the remedy is not to take ENAS."""
    found = (
        r"memory of enas with batches of 256 must be <= .*; give smaller batches, make the widest choices smaller, or"
    )
    with pytest.raises(SpaceError, match=found):
        METHODS["enas"](space(), batches(256), batches(8), Options(epochs=1, memory_bytes=4_000_000))


@pytest.mark.long
def test_the_estimate_changes_nothing_of_enas() -> None:
    """The same bits with and without it."""
    few = ControllerOptions(draws=1, derived=2, judged_on=1)
    found = [
        enas(space(), batches(8), batches(8), Options(epochs=1, memory_bytes=most, alarm=QUIET), controller=few)
        for most in (None, 10**12)
    ]
    assert found[0].scores == found[1].scores
    states = [f.supernet.state_dict() for f in found]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
