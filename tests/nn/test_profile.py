"""Sizes: counted from shapes, equal to what the built network has and to published figures."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from netwright import nn
from netwright.nn.spaces import nas_bench_201
from netwright.space.nodes import Node
from netwright.space.resolve import resolve

EDGES = ("0-1", "0-2", "1-2", "0-3", "1-3", "2-3")


def _profile(*parts: Node, shape: tuple[int, ...] = (3, 8, 8)) -> nn.Profile:
    return nn.profile(resolve(nn.seq(*parts), {}), input_shape=shape)


def test_small_network_is_counted_by_hand() -> None:
    """Every figure of a convolution, a norm and a linear layer."""
    profile = _profile(nn.conv(4), nn.batch_norm(), nn.global_pool(), nn.linear(2))
    assert profile == nn.Profile(
        params=3 * 4 * 9 + 4 + 8 + 4 * 2 + 2,
        trainable_params=130,
        macs=3 * 4 * 9 * 64 + 8,
        activation_bytes=4 * (256 + 256 + 4 + 2),
        depth=2,
        parameter_bytes=4 * (130 + 9),
        output_shape=(2,),
    )
    assert profile.training_memory_bytes(8) == 4 * (130 + 9) + 3 * 4 * 130 + 8 * 4 * 518


def test_profile_is_frozen() -> None:
    """A profile is a value."""
    with pytest.raises(FrozenInstanceError):
        _profile(nn.conv(4)).params = 1  # type: ignore[misc]


def test_depth_is_the_longest_chain() -> None:
    """Parallel branches count by the longest, shortcuts by the body."""
    assert (
        _profile(nn.conv(4), nn.residual(nn.seq(nn.conv(4), nn.conv(4))), nn.concat(nn.conv(1), nn.relu())).depth == 4
    )


@pytest.mark.parametrize("heads", [1, 4])
def test_attention_macs_are_the_formula(heads: int) -> None:
    """Four projections, and two products of positions by positions."""
    length, width = 6, 8
    expected = 4 * length * width**2 + 2 * length**2 * width
    assert _profile(nn.attention(heads), shape=(length, width)).macs == expected


@pytest.mark.parametrize("kind", [nn.lstm, nn.gru, nn.rnn])
def test_recurrent_macs_are_weights_times_steps(kind: object) -> None:
    """Each step uses each weight once; each direction and layer has its own."""
    made = kind(5, layers=2, bidirectional=True)  # type: ignore[operator]
    model = nn.build(resolve(made, {}), input_shape=(6, 4))
    weights = sum(p.numel() for p in model.parameters() if p.dim() == 2)
    profile = _profile(made, shape=(6, 4))
    assert (profile.macs, profile.params) == (6 * weights, sum(p.numel() for p in model.parameters()))


class Mixed(torch.nn.Module):
    """Uses everything that is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1, groups=1)
        self.up = torch.nn.ConvTranspose2d(8, 4, 2, 2)
        self.linear = torch.nn.Linear(4, 6)
        self.weight = torch.nn.Parameter(torch.ones(6, 5), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.up(self.conv(x)).mean((2, 3))
        return self.linear(x) @ self.weight


def test_own_class_is_counted_as_torch_does() -> None:
    """Parameters, frozen ones and multiply-accumulates of a class of one's own."""
    profile = _profile(nn.op(Mixed))
    model = Mixed()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(torch.zeros(1, 3, 8, 8))
    params = sum(p.numel() for p in model.parameters())
    assert profile.macs == counter.get_total_flops() // 2
    assert (profile.params, profile.trainable_params, profile.depth) == (params, params - 30, 4)


class Sequences(torch.nn.Module):
    """Attention and recurrence of one's own."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
        self.lstm = torch.nn.LSTM(8, 4, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(self.attention(x, x, x, need_weights=False)[0])[0]


def test_attention_and_recurrence_of_own_classes_are_counted() -> None:
    """The fused layers of torch count as the built-in operations do."""
    length = 6
    attention, lstm = 4 * length * 64 + 2 * length**2 * 8, length * 4 * (8 * 4 + 4 * 4)
    assert _profile(nn.op(Sequences), shape=(length, 8)).macs == attention + lstm


def test_nas_bench_201_has_the_published_sizes(shared_data: Path) -> None:
    """Parameters and multiply-accumulates of CIFAR-10 networks are those of the published table."""
    table = np.load(shared_data / "nasbench201" / "nasbench201.npz", allow_pickle=False)
    space = nas_bench_201()
    names = [str(name) for name in table["op_names"]]
    for row in (0, 11, 284, 6111, 15624, *np.random.default_rng(0).integers(0, 15625, 10)):
        ops = [names[code] for code in table["ops"][row]]
        arch = space.architecture({f"edge{edge}": op for edge, op in zip(EDGES, ops, strict=True)})
        profile = nn.profile(space.resolve(arch), input_shape=(3, 32, 32))
        assert math.isclose(profile.params / 1e6, table["cifar10__params_M"][row], abs_tol=1e-6)
        assert math.isclose(profile.macs / 1e6, table["cifar10__flops_M"][row], abs_tol=2e-5)  # it counts 10 biases


@pytest.mark.parametrize(("n3", "n1"), [(0, 0), (6, 0), (2, 3)])
def test_nas_bench_201_follows_its_formula(n3: int, n1: int) -> None:
    """Sizes grow with the numbers of 3 x 3 and 1 x 1 convolutions as published."""
    space = nas_bench_201()
    ops = ["nor_conv_3x3"] * n3 + ["nor_conv_1x1"] * n1 + ["skip_connect"] * (6 - n3 - n1)
    arch = space.architecture({f"edge{edge}": op for edge, op in zip(EDGES, ops, strict=True)})
    profile = nn.profile(space.resolve(arch), input_shape=(3, 32, 32))
    assert profile.params == 73_306 + 243_040 * n3 + 28_000 * n1
    assert profile.macs == 7_783_040 + 35_389_440 * n3 + 3_932_160 * n1
