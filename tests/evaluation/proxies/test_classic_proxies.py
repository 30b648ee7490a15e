"""Each classic proxy gives on tiny networks what its formula gives by hand, and keeps what it has to keep."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netwright.evaluation.proxies import PROXIES, Probe, score
from netwright.evaluation.proxies.synflow import flows

X = torch.tensor([[1.0, 2.0], [-1.0, 0.5], [0.0, 3.0]])
Y = torch.tensor([0, 1, 1])
WEIGHT = torch.tensor([[0.5, -0.25], [-1.0, 2.0]])


def linear(weight: Tensor = WEIGHT) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer


def value(name: str, model: nn.Module, inputs: Tensor = X, labels: Tensor | None = Y, seed: int = 0) -> float:
    found = score(model, inputs, labels, [name], seed)
    assert found.unusable == {}
    return found.values[name]


def by_hand() -> tuple[Tensor, Tensor, Tensor]:
    """Gradient of the mean cross entropy by the outputs and by `WEIGHT`, and the probabilities."""
    probabilities = (X @ WEIGHT.T).softmax(1)
    by_outputs = (probabilities - F.one_hot(Y, 2)) / len(X)
    return by_outputs, by_outputs.T @ X, probabilities


def images(seed: int = 0, count: int = 8) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, 6, 6, generator=generator), torch.arange(count) % 4


def convolutional(seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 5, 3, padding=1, bias=False),
            nn.BatchNorm2d(5),
            nn.ReLU(inplace=True),
            nn.Conv2d(5, 7, 3, bias=False),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(7, 4, bias=False),
        )


def test_grad_norm_is_the_norm_of_the_gradient() -> None:
    """Of one linear layer it is the norm of its gradient."""
    assert value("grad_norm", linear()) == pytest.approx(float(by_hand()[1].norm()), rel=1e-5)


def test_plain_keeps_signs_and_snip_does_not() -> None:
    """Both sum weight times gradient."""
    product = WEIGHT * by_hand()[1]
    assert value("plain", linear()) == pytest.approx(float(product.sum()), rel=1e-5)
    assert value("snip", linear()) == pytest.approx(float(product.abs().sum()), rel=1e-5)


def test_l2_sums_the_norms_of_layers() -> None:
    """Two layers of norms 5 and 13 score 18, whatever the biases."""
    model = nn.Sequential(linear(torch.tensor([[3.0, 4.0]])), nn.Linear(1, 2))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[5.0], [12.0]]))
    assert value("l2", model) == pytest.approx(18.0)


def test_grasp_is_by_the_exact_hessian() -> None:
    """Of one linear layer the Hessian of the cross entropy is known."""
    _, gradient, probabilities = by_hand()
    hessian = torch.zeros(4, 4)
    for x, p in zip(X, probabilities, strict=True):
        hessian += torch.kron(torch.diag(p) - torch.outer(p, p), torch.outer(x, x)) / len(X)
    expected = -float(WEIGHT.flatten() @ hessian @ gradient.flatten())
    assert value("grasp", linear()) == pytest.approx(expected, rel=1e-4)


def test_fisher_of_a_linear_layer() -> None:
    """Half the mean over examples of the squared activation times gradient, summed over channels."""
    product = (X @ WEIGHT.T) * by_hand()[0]
    assert value("fisher", linear()) == pytest.approx(float(product.square().mean(0).sum() / 2), rel=1e-5)


@pytest.mark.parametrize("in_place", [True, False])
def test_fisher_sums_over_positions_before_it_squares_and_sees_outputs_before_a_relu(in_place: bool) -> None:
    """A convolution's maps count as one value a channel, also where a ReLU overwrites them."""
    inputs, labels = images()
    conv, act = nn.Conv2d(3, 4, 3), nn.ReLU(inplace=in_place)
    maps = conv(inputs).detach().requires_grad_()
    loss = F.cross_entropy(maps.relu().flatten(2).mean(2), labels)
    (gradient,) = torch.autograd.grad(loss, maps)
    expected = float((maps.detach() * gradient).sum((2, 3)).square().mean(0).sum() / 2)
    model = nn.Sequential(conv, act, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert value("fisher", model, inputs, labels) == pytest.approx(expected, rel=1e-4)


def test_fisher_of_a_sequence_has_channels_last() -> None:
    """A linear layer on (batch, positions, features) sums over positions."""
    inputs = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0))

    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean(1)

    outputs = (inputs @ WEIGHT.T).requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(outputs.mean(1), Y), outputs)
    expected = float((outputs.detach() * gradient).sum(1).square().mean(0).sum() / 2)
    assert value("fisher", nn.Sequential(linear(), Mean()), inputs) == pytest.approx(expected, rel=1e-5)


def test_synflow_sums_over_paths() -> None:
    """Each layer of a chain of linear layers carries the sum over paths of the product of sizes of weights."""
    model = nn.Sequential(linear(), nn.ReLU(), linear(torch.tensor([[2.0, -3.0]])))
    paths = float(torch.tensor([2.0, 3.0]) @ WEIGHT.abs() @ torch.ones(2))
    assert value("synflow", model) == pytest.approx(math.log(2 * paths))


def test_synflow_is_conserved_from_layer_to_layer() -> None:
    """Without biases, all layers between which everything passes carry the same flow."""
    inputs, _ = images()
    with Probe(convolutional(), inputs) as probe:
        by_layer = [float(flow.sum()) for flow in flows(probe).values()]
    assert by_layer == pytest.approx([by_layer[0]] * 3)


def test_synflow_knows_no_data_and_no_signs() -> None:
    """Other images, and other signs of weights, give the same."""
    (one, _), (other, _) = images(0), images(1)
    model, flipped = convolutional(), convolutional()
    with torch.no_grad():
        flipped[0].weight.neg_()
    assert value("synflow", model, one, None) == value("synflow", model, other, None)
    assert value("synflow", model, one, None) == value("synflow", flipped, one, None)


def test_synflow_does_not_overflow() -> None:
    """A chain whose flow is beyond float32 has a finite score."""
    layers = [linear(torch.full((20, 20), 10.0)) for _ in range(30)]
    expected = math.log(30) + 30 * math.log(200) + math.log(20)
    assert value("synflow", nn.Sequential(*layers), torch.ones(1, 20), None) == pytest.approx(expected)


def test_a_network_through_which_nothing_flows_ranks_last() -> None:
    """Weights of zero give minus infinity."""
    assert value("synflow", linear(torch.zeros(2, 2))) == -math.inf


def test_naswot_counts_units_that_agree() -> None:
    """Codes 11, 00 and 01 agree in 0, 1 and 1 units; the determinant is that of the matrix of agreements."""
    inputs = torch.tensor([[1.0, 1.0], [-1.0, -1.0], [-1.0, 1.0]])
    model = nn.Sequential(linear(torch.eye(2)), nn.ReLU())
    expected = np.linalg.slogdet(np.array([[2.0, 0, 1], [0, 2, 1], [1, 1, 2]]))[1]
    assert value("naswot", model, inputs) == pytest.approx(expected)


@pytest.mark.parametrize(
    "relu", [F.relu, torch.relu, Tensor.relu, F.relu6, lambda x: F.relu(input=x), lambda x: F.relu(x, inplace=True)]
)
def test_naswot_sees_relus_that_are_functions(relu: object) -> None:
    """However a class of one's own calls it, a ReLU is seen once."""

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = linear()

        def forward(self, x: Tensor) -> Tensor:
            assert callable(relu)
            found = relu(self.layer(x))
            assert isinstance(found, Tensor)
            return found

    assert value("naswot", Own()) == value("naswot", nn.Sequential(linear(), nn.ReLU()))


@pytest.mark.parametrize("name", ["naswot", "jacob_cov", "epe_nas"])
def test_the_order_of_examples_does_not_matter(name: str) -> None:
    """A batch in another order has the same score."""
    inputs, labels = images()
    order = torch.tensor([3, 1, 7, 0, 6, 2, 5, 4])
    expected = value(name, convolutional(), inputs, labels)
    assert value(name, convolutional(), inputs[order], labels[order]) == pytest.approx(expected, rel=1e-3)


def test_naswot_of_two_equal_examples_ranks_last() -> None:
    """Examples that no unit tells apart make the matrix singular."""
    assert value("naswot", nn.Sequential(linear(), nn.ReLU()), torch.cat([X, X]), torch.cat([Y, Y])) < -20


def jacobian(model: nn.Module, inputs: Tensor) -> np.ndarray:
    """Gradients of the summed outputs by the inputs, in training mode, as the papers' codes make them."""
    given = inputs.clone().requires_grad_()
    (found,) = torch.autograd.grad(model.train()(given).sum(), given)
    return found.flatten(1).double().numpy()


def test_jacob_cov_is_of_the_correlations_of_slopes() -> None:
    """The same as with numpy's correlations and eigenvalues."""
    inputs, labels = images()
    values = np.linalg.eigvalsh(np.corrcoef(jacobian(convolutional(), inputs)))
    expected = -np.sum(np.log(values + 1e-5) + 1 / (values + 1e-5))
    assert value("jacob_cov", convolutional(), inputs, labels) == pytest.approx(expected, rel=1e-3)


def test_a_linear_network_has_the_worst_jacob_cov() -> None:
    """All slopes of it are the same: one eigenvalue is n, the others are zero."""
    expected = -(math.log(3 + 1e-5) + 1 / (3 + 1e-5) + 2 * (math.log(1e-5) + 1e5))
    assert value("jacob_cov", linear()) == pytest.approx(expected)


def test_epe_nas_is_by_class() -> None:
    """The same as with numpy's correlations within each class."""
    inputs, labels = images()
    found = jacobian(convolutional(), inputs)
    expected = sum(abs(np.log(np.abs(np.corrcoef(found[labels.numpy() == label])) + 1e-5).sum()) for label in range(4))
    assert value("epe_nas", convolutional(), inputs, labels) == pytest.approx(expected, rel=1e-4)


def test_epe_nas_with_many_classes_compares_classes() -> None:
    """With more than 100 outputs it is the mean over classes of differences to later ones."""
    model = nn.Sequential(nn.Linear(4, 20), nn.ReLU(), nn.Linear(20, 101))
    inputs = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([5, 5, 5, 100, 100, 7])
    found = jacobian(model, inputs)
    sums = [np.log(np.abs(np.corrcoef(found[rows])) + 1e-5).sum() / len(found[rows]) for rows in (slice(0, 3), [3, 4])]
    assert value("epe_nas", model, inputs, labels) == pytest.approx(abs(sums[0] - sums[1]) / 2, rel=1e-4)


def test_zen_of_a_linear_layer_is_the_size_of_the_change() -> None:
    """Each output moves by 0.01 times a sum of products of Gaussians, on average 0.01 E|g| sqrt(width); they add up."""
    wide = nn.Linear(400, 300)
    expected = math.log(300 * 0.01 * math.sqrt(2 / math.pi) * math.sqrt(400))
    assert value("zen", wide, torch.zeros(50, 400), None) == pytest.approx(expected, abs=0.03)


def test_zen_gives_back_the_scale_that_a_norm_takes() -> None:
    """A BatchNorm after the last layer changes nothing: what it divides by is added again."""
    plain, normed = nn.Linear(400, 300), nn.Sequential(nn.Linear(400, 300), nn.BatchNorm1d(300))
    inputs = torch.zeros(50, 400)
    assert value("zen", normed, inputs, None) == pytest.approx(value("zen", plain, inputs, None), abs=0.01)


def test_zen_of_a_network_with_a_branch_that_nothing_reaches() -> None:
    """A norm that only ever sees zeros takes no scale away: the score is that of the network without the branch."""

    class Branched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.norm = nn.Linear(12, 8, bias=False), nn.BatchNorm1d(12)

        def forward(self, x: Tensor) -> Tensor:
            return self.body(x + self.norm(torch.zeros_like(x)))

    inputs = torch.zeros(6, 12)
    alone = value("zen", Branched().body, inputs, None)
    assert value("zen", Branched(), inputs, None) == pytest.approx(alone, abs=1e-5)


def test_zen_knows_no_weights_and_no_data() -> None:
    """It draws both; another seed draws others."""
    (one, _), (other, _) = images(0), images(1)
    expected = value("zen", convolutional(0), one, None, seed=3)
    assert value("zen", convolutional(1), other, None, seed=3) == expected
    assert value("zen", convolutional(0), one, None, seed=4) != expected


@pytest.mark.long
def test_sizes_of_a_convolutional_network() -> None:
    """Parameters, multiply-accumulates and depth are what is counted by hand."""
    inputs, _ = images()
    names = ["params", "macs", "depth"]
    found = score(convolutional(), inputs, None, names).values
    macs = 3 * 5 * 9 * 36 + 5 * 7 * 9 * 16 + 7 * 4
    assert found == {"params": 3 * 5 * 9 + 10 + 5 * 7 * 9 + 28, "macs": macs, "depth": 3}


def test_depth_is_of_the_longest_branch() -> None:
    """A residual connection around two layers adds two."""

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(linear(), nn.ReLU(), linear())

        def forward(self, x: Tensor) -> Tensor:
            return x + self.body(x)

    assert value("depth", nn.Sequential(Residual(), linear(), Residual()), X) == 5


def test_every_proxy_says_where_it_is_from_or_is_a_size() -> None:
    """A table can name the paper of each."""
    assert [name for name, proxy in PROXIES.items() if not proxy.paper] == ["params", "macs", "depth"]
