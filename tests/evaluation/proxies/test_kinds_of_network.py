"""Proxies on every kind of network: a number, or a reason that says what is missing."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from netwright.evaluation.proxies import ProxyScores, score

SIZES = ("params", "macs", "depth")
SLOPES = ("grad_norm", "plain", "snip", "grasp", "fisher", "jacob_cov", "epe_nas")
CLASSIC = (*SIZES, *SLOPES, "l2", "synflow", "naswot", "zen")
LABELS = torch.arange(8) % 4
VECTORS = torch.randn(8, 5, 6, generator=torch.Generator().manual_seed(0))
TOKENS = torch.randint(0, 11, (8, 5), generator=torch.Generator().manual_seed(0))
IMAGES = torch.randn(8, 3, 6, 6, generator=torch.Generator().manual_seed(0))


class Recurrent(nn.Module):
    """A recurrent network with dropout between its two layers."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.layer = kind(6, 10, batch_first=True, num_layers=2, dropout=0.3)
        self.head = nn.Linear(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x)[0][:, -1])


class Transformer(nn.Module):
    """An encoder with dropout, over vectors or tokens."""

    def __init__(self, activation: str, tokens: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 16) if tokens else nn.Linear(6, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation=activation)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(self.embedding(x)).mean(1))


class Own(nn.Module):
    """A class with weights of its own and control flow that depends on the data."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(30, 64))
        self.other = nn.Parameter(torch.randn(30, 64))
        self.head = nn.Linear(64, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        steps = 2 if bool(x.sum() > 0) else 3
        for _ in range(steps):
            x = x * 0.5
        return self.head(torch.relu(x @ (self.first if steps == 2 else self.other)))


class OnlyEvaluates(nn.Module):
    """Works in evaluation mode only."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(30, 64)
        self.head = nn.Linear(64, 4)

    def train(self, mode: bool = True) -> nn.Module:
        if mode:
            raise RuntimeError("cannot be trained")
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            raise RuntimeError("cannot be trained")
        return self.head(torch.relu(self.body(x.flatten(1))))


def all_of(model: nn.Module, inputs: Tensor, labels: Tensor | None = LABELS) -> ProxyScores:
    return score(model, inputs, labels, CLASSIC)


def without_score(model: nn.Module, inputs: Tensor, labels: Tensor | None = LABELS) -> set[str]:
    found = all_of(model, inputs, labels)
    assert set(found.values) | set(found.unusable) == set(CLASSIC)
    assert [name for name, number in found.values.items() if not math.isfinite(number)] == []
    return set(found.unusable)


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_recurrent_networks_have_all_but_relu_scores(kind: type[nn.RNNBase]) -> None:
    """Second derivatives too, which fused kernels do not have."""
    assert without_score(Recurrent(kind), VECTORS) == {"naswot"}


@pytest.mark.parametrize(
    ("activation", "tokens", "missing"),
    [
        ("relu", False, set()),
        ("gelu", False, {"naswot"}),
        ("relu", True, {"jacob_cov", "epe_nas", "zen"}),
        ("gelu", True, {"naswot", "jacob_cov", "epe_nas", "zen"}),
    ],
)
def test_transformers(activation: str, tokens: bool, missing: set[str]) -> None:
    """Tokens have no gradients; GELU has no codes."""
    assert without_score(Transformer(activation, tokens), TOKENS if tokens else VECTORS) == missing


def test_classes_of_ones_own_with_control_flow_by_the_data() -> None:
    """Weights that a batch does not use count as zero."""
    assert without_score(Own(), VECTORS) == set()
    assert without_score(Own(), -VECTORS) == set()


def test_a_network_that_only_evaluates() -> None:
    """It is never put into training mode."""
    assert without_score(OnlyEvaluates().eval(), VECTORS) == set()


def test_a_network_without_weights() -> None:
    """Only sizes are left, and what looks at slopes: those of an identity do not vary, which is NaN."""
    found = all_of(nn.Flatten(), IMAGES)
    assert {name: found.values[name] for name in SIZES} == {"params": 0, "macs": 0, "depth": 0}
    assert math.isnan(found.values["jacob_cov"])
    assert found.unusable["snip"] == "snip is not for this network: the network has no weights that are trained"


def test_frozen_weights_do_not_count() -> None:
    """Nor are they changed or thawed."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(30, 8), nn.ReLU(), nn.Linear(8, 4))
    model[1].requires_grad_(False)
    found = all_of(model, VECTORS)
    assert (found.values["params"], found.values["l2"]) == (36, pytest.approx(float(model[3].weight.detach().norm())))
    assert not model[1].weight.requires_grad


def small(norm: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(30, 64), norm, nn.ReLU(), nn.Linear(64, 4))


def test_a_batch_of_one() -> None:
    """What compares examples says so; the rest is scored."""
    expected = {"jacob_cov", "naswot", "epe_nas"}
    assert without_score(small(nn.Identity()), VECTORS[:1], LABELS[:1]) == expected


def test_a_batch_of_one_that_batch_norm_cannot_take() -> None:
    """The reason is the network's, and named; what needs no such pass is scored."""
    found = all_of(small(nn.BatchNorm1d(64)), VECTORS[:1], LABELS[:1])
    assert {"params", "macs", "l2", "synflow"} <= set(found.values)
    assert "cannot be run on a batch of a single example" in found.unusable["snip"]


def test_no_labels() -> None:
    """Half of the proxies need none."""
    assert without_score(small(nn.Identity()), VECTORS, None) == {
        "grad_norm",
        "plain",
        "snip",
        "grasp",
        "fisher",
        "epe_nas",
    }


@pytest.mark.parametrize("labels", [LABELS + 1, LABELS - 1, LABELS[:, None]])
def test_labels_that_the_network_has_no_output_for(labels: Tensor) -> None:
    """It is said, rather than an index error or a loss that ignores some."""
    assert (
        "labels must be one class in [0, 4)" in score(small(nn.Identity()), VECTORS, labels, ["snip"]).unusable["snip"]
    )


def test_no_class_twice() -> None:
    """EPE-NAS compares within classes."""
    found = score(small(nn.Identity()), VECTORS[:4], LABELS[:4], ["epe_nas"])
    assert "no class has two examples" in found.unusable["epe_nas"]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_none_are_given_as_they_are(bad: float) -> None:
    """A network that computes NaN raises nothing, and scores nothing that a finite score could be taken for."""
    found = all_of(small(nn.BatchNorm1d(64)), torch.full_like(VECTORS, bad))
    assert [name for name in SLOPES if math.isfinite(found.values[name])] == []
    assert math.isfinite(found.values["l2"])


@pytest.mark.parametrize("output", [lambda x: (x, x), lambda x: x.mean(), lambda x: x[:2], lambda x: x.argmax(1)])
def test_networks_that_give_something_else(output: object) -> None:
    """Not one tensor with a row of numbers an example: every proxy that looks at it says so."""

    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(30, 4)

        def forward(self, x: Tensor) -> object:
            assert callable(output)
            return output(self.head(x.flatten(1)))

    found = all_of(Odd(), VECTORS)
    assert set(found.values) <= {"params", "l2", "macs", "synflow"}
    assert "proxies need" in found.unusable["snip"]


def test_an_operation_without_second_derivative_takes_only_grasp_away() -> None:
    """The others go on."""

    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
            return x * 2

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
            return grad * 2

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(30, 4)

        def forward(self, x: Tensor) -> Tensor:
            return Once.apply(torch.relu(self.head(x.flatten(1))))

    found = all_of(Own(), VECTORS)
    assert set(found.unusable) == {"grasp"}
    assert "can be derived once only" in found.unusable["grasp"]
