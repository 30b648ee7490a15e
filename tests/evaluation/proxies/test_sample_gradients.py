"""Gradients for each example by one weight of every layer."""

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from netwright.errors import CapabilityError
from netwright.evaluation.proxies.probe import Probe, gradients_of
from netwright.evaluation.proxies.sample_gradients import fisher_gradients, recorded_uses

LAYERS = {
    "linear": (nn.Linear(6, 4), (6,)),
    "linear on sequences": (nn.Linear(6, 4), (5, 6)),
    "padded": (nn.Conv2d(2, 4, 3, padding=1), (2, 7, 6)),
    "strided": (nn.Conv2d(2, 4, 3, stride=2, padding=1), (2, 8, 7)),
    "dilated": (nn.Conv2d(2, 4, (3, 5), dilation=(2, 1), padding=(0, 2)), (2, 9, 8)),
    "same": (nn.Conv2d(2, 4, (5, 3), padding="same"), (2, 6, 6)),
    "valid": (nn.Conv1d(2, 4, 4, padding="valid"), (2, 9)),
    "depthwise": (nn.Conv2d(4, 4, 3, groups=4, padding=1), (4, 5, 5)),
    "volume": (nn.Conv3d(2, 3, 3, padding=1), (2, 3, 4, 5)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_those_of_autograd(name: str) -> None:
    """For each example the gradient by the weight [0, 0, centre] is what autograd gives for that example alone."""
    layer, shape = LAYERS[name]
    inputs = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    centre = (0, 0, *(extent // 2 for extent in layer.weight.shape[2:]))
    with recorded_uses(layer, len(inputs)) as uses:
        output = layer(inputs)
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(1))
    by_output = gradients_of((output * weights).sum(), [uses[0].output])[0]
    expected = [
        torch.autograd.grad((layer(inputs[i : i + 1]) * weights[i : i + 1]).sum(), layer.weight)[0][centre]
        for i in range(len(inputs))
    ]
    torch.testing.assert_close(torch.stack(expected), uses[0].gradient(by_output), rtol=1e-4, atol=1e-5)


def test_mean_outer_product_is_the_fisher_information() -> None:
    """Over many draws the mean of g g^T nears the Fisher information of the chosen weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))
    inputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    with Probe(network, inputs) as probe:
        rows = fisher_gradients(probe, 4, 5000)

    def logits(chosen: Tensor, example: Tensor) -> Tensor:
        weights = {name: value.detach().clone() for name, value in network.named_parameters()}
        for place, name in enumerate(("0.weight", "2.weight")):
            change = torch.zeros_like(weights[name])
            change[0, 0] = 1.0
            weights[name] = weights[name] + (chosen[place] - weights[name][0, 0]) * change
        return functional_call(network, weights, (example[None],))[0]

    chosen = torch.stack([network[0].weight[0, 0], network[2].weight[0, 0]]).detach()
    expected = torch.zeros(2, 2)
    for example in inputs:
        slopes = torch.autograd.functional.jacobian(lambda c, e=example: logits(c, e), chosen)
        shares = logits(chosen, example).softmax(0).detach()
        expected += slopes.T @ (torch.diag(shares) - torch.outer(shares, shares)) @ slopes / len(inputs)
    torch.testing.assert_close(expected, (rows.T @ rows / len(rows)).float(), rtol=0.1, atol=0.005)


def test_network_without_layers() -> None:
    """A network without convolutions and linear layers is named as such."""
    network = nn.Sequential(nn.Flatten(), nn.ReLU())
    with (
        Probe(network, torch.ones(2, 3)) as probe,
        pytest.raises(CapabilityError, match="no convolution and no linear"),
    ):
        fisher_gradients(probe, 2, 1)
