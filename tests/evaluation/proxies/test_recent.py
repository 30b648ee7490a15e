"""The recent zero-cost proxies: ZiCo, SWAP, AZ-NAS' three, VKDNW."""

import math

import pytest
import torch
from torch import Tensor, nn

from netwright.errors import CapabilityError
from netwright.evaluation.proxies import az_nas, swap, vkdnw, zico
from netwright.evaluation.proxies.base import Proxy
from netwright.evaluation.proxies.probe import Probe

ALL = (*az_nas.PROXIES, swap.PROXY, vkdnw.PROXY, zico.PROXY)


def _data(count: int = 8) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, 8, 8, generator=generator), torch.arange(count) % 4


def _unit(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )


def _network(*blocks: nn.Module) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        body = blocks or (_unit(3, 8), _unit(8, 8), _unit(8, 16, 2))
        width = 16 if not blocks else 8
        return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 4))


def _score(proxy: Proxy, network: nn.Module, count: int = 8) -> float:
    with Probe(network, *_data(count)) as probe:
        return proxy.score(probe)


@pytest.mark.parametrize("proxy", ALL, ids=lambda proxy: proxy.name)
def test_finite_and_repeatable(proxy: Proxy) -> None:
    """Each gives the same finite number each time, and leaves weights, buffers and hooks as they were."""
    network = _network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    told = [_score(proxy, network) for _ in range(2)]
    assert math.isfinite(told[0])
    assert told[0] == told[1]
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("proxy", ALL, ids=lambda proxy: proxy.name)
def test_torch_randomness_is_left(proxy: Proxy) -> None:
    """None of them touches torch's global random state."""
    before = torch.get_rng_state()
    _score(proxy, _network())
    assert torch.equal(before, torch.get_rng_state())


def test_zico_of_a_linear_layer() -> None:
    """ZiCo is the log of the sum of mean |gradient| / standard deviation over two halves of the batch."""
    layer = nn.Linear(2, 2, bias=False)
    inputs, labels = torch.tensor([[1.0, 2.0], [-1.0, 0.5], [2.0, 1.0], [0.3, 0.7]]), torch.tensor([0, 1, 1, 0])
    halves = []
    for part in (slice(0, 2), slice(2, 4)):
        loss = nn.functional.cross_entropy(layer(inputs[part]), labels[part])
        halves.append(torch.autograd.grad(loss, layer.weight)[0])
    stacked = torch.stack(halves)
    expected = math.log(float((stacked.abs().mean(0) / stacked.std(0, correction=0)).sum()))
    with Probe(layer, inputs, labels) as probe:
        assert expected == pytest.approx(zico.zico(probe), rel=1e-5)


def test_swap_counts_patterns() -> None:
    """SWAP counts the different patterns of units over the batch."""
    layer = nn.Linear(1, 5, bias=False)
    layer.weight.data = torch.tensor([[1.0], [2.0], [-1.0], [-3.0], [0.0]])
    with Probe(nn.Sequential(layer, nn.ReLU()), torch.tensor([[1.0], [-1.0], [2.0]])) as probe:
        assert swap.swap(probe) == 3.0  # active on positive inputs, on negative ones, never


def test_swap_needs_relu() -> None:
    """Of a network without ReLU, SWAP says so."""
    with Probe(nn.Sequential(nn.Linear(2, 2), nn.GELU()), torch.ones(3, 2)) as probe:
        assert swap.PROXY.why_not(probe) == "swap is not for this network: the network has no ReLU"


def test_expressivity_of_independent_channels() -> None:
    """The entropy of equal principal components is the log of their number, and of one component it is zero."""
    output = torch.randn(64, 4, 64, generator=torch.Generator().manual_seed(0))
    equal, one = az_nas.Blocks((output, output[:, :1].expand(-1, 4, -1))).richness()
    assert math.log(4) == pytest.approx(equal, abs=0.01)
    assert pytest.approx(one, abs=1e-5) == 0.0


def test_progressivity_is_the_smallest_growth() -> None:
    """Progressivity is the smallest difference of successive entropies, and the sum of entropies is expressivity."""
    with Probe(_network(), *_data()) as probe:
        told = az_nas.blocks(probe).richness()
        assert len(told) == 3
        assert min(told[1] - told[0], told[2] - told[1]) == az_nas.progressivity(probe)
        assert sum(told) == az_nas.expressivity(probe)


def test_trainability_of_a_map_that_keeps_size() -> None:
    """A block whose backward map has the largest singular value 1 scores nearly 0; a shrinking one scores less."""
    told = []
    for scale in (1.0, 0.1):
        block = nn.Conv2d(8, 8, 1, bias=False)
        block.weight.data = scale * torch.eye(8).flip(0)[:, :, None, None]
        told.append(_score(az_nas.PROXIES[2], _network(_unit(3, 8), block)))
    assert pytest.approx(told[0], abs=0.2) == 0.0
    assert told[1] < -5


def test_identities_are_no_trainable_blocks() -> None:
    """A block that gives what it gets counts as a bad one, not as the best, and not as the end of the network."""

    class Own(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    first, second = _unit(3, 8), nn.Conv2d(8, 8, 1)
    without = _score(az_nas.PROXIES[2], _network(first, second))
    identity = _score(az_nas.PROXIES[2], _network(first, second, Own()))
    assert pytest.approx((without + az_nas.UNCHANGED) / 2, abs=1e-6) == identity


def test_networks_that_are_no_chain() -> None:
    """Of a network without two blocks of features, AZ-NAS' scores say so."""
    with (
        Probe(nn.Linear(3, 2), torch.ones(4, 3)) as probe,
        pytest.raises(CapabilityError, match="not a chain of at least two blocks"),
    ):
        az_nas.expressivity(probe)


def test_transformers() -> None:
    """Sequences have their channels last; what needs no ReLU works on a transformer with GELU."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", batch_first=True)
        network = nn.Sequential(nn.TransformerEncoder(layer, 3, enable_nested_tensor=False), nn.Flatten())
    with Probe(network, torch.randn(8, 5, 16, generator=torch.Generator().manual_seed(0))) as probe:
        told = [score(probe) for score in (az_nas.expressivity, az_nas.trainability, vkdnw.vkdnw)]
    assert all(map(math.isfinite, told))


@pytest.mark.parametrize("proxy", az_nas.PROXIES[:2], ids=lambda proxy: proxy.name)
def test_broken_networks_score_nan(proxy: Proxy) -> None:
    """A block whose output never varies makes the score NaN, which ranks last."""
    broken = nn.Conv2d(8, 8, 1)
    broken.weight.data.zero_()
    assert math.isnan(_score(proxy, _network(_unit(3, 8), broken)))


def test_vkdnw_is_layers_and_a_part_of_log_nine() -> None:
    """VKDNW is the number of layers and an entropy of nine shares."""
    told = _score(vkdnw.PROXY, _network())
    assert 4 <= told <= 4 + math.log(9)


def test_spread() -> None:
    """Equal eigenvalues are spread the most; of zeros, and of what is not finite, there is no spread."""
    assert math.log(9) == pytest.approx(vkdnw.spread(torch.eye(12)))
    assert math.isnan(vkdnw.spread(torch.zeros(5, 5)))
    assert math.isnan(vkdnw.spread(torch.full((3, 3), math.nan)))
