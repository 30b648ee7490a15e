"""Subnets of a supernet are the stand-alone networks bit for bit, in every shipped space, for every kind of layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from supernet_helpers import buildable, unequal
from torch import nn as torch_nn
from torch.nn.functional import cross_entropy

from netwright import nn
from netwright.errors import BuildError, SpaceError
from netwright.nn.places import Place, places_of
from netwright.nn.slices import put, take
from netwright.nn.spaces import SPACES
from netwright.space import SearchSpace, choice, flag
from netwright.supernet import Supernet
from netwright.tasks.image_spaces import image_space

SMALL: dict[str, Callable[[], SearchSpace]] = {
    "darts": lambda: SPACES["darts"]((3, 8, 8), 4, channels=4, num_cells=3),  # type: ignore[call-arg]
    "free_form": lambda: SPACES["free_form"]((3, 8, 8), 4),
    "mobile_macro": lambda: SPACES["mobile_macro"]((3, 32, 32), 4),
    "nas_bench_101": lambda: SPACES["nas_bench_101"]((3, 8, 8), 4, channels=4, num_modules=1),  # type: ignore[call-arg]
    "nas_bench_201": lambda: SPACES["nas_bench_201"]((3, 8, 8), 4, channels=4, num_cells=1),  # type: ignore[call-arg]
    "resnet_macro": lambda: SPACES["resnet_macro"]((3, 32, 32), 4),
    "image_space": lambda: image_space((3, 8, 8), 4),
}
SIDES = {"mobile_macro": 32, "resnet_macro": 32}


class Scale(torch_nn.Module):
    """A class of one's own: a weight a channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = torch_nn.Parameter(torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale.reshape(-1, 1, 1)


def sequences() -> SearchSpace:
    """Tokens: embedding, attention, a transformer block, recurrent layers, all of elastic size."""
    width = choice("width", [8, 16])
    layers = nn.seq(
        nn.embedding(11, width),
        nn.positional_embedding(),
        nn.transformer_block(choice("heads", [2, 4]), expand=choice("expand", [1, 2])),
        nn.attention(2),
        nn.lstm(choice("hidden", [4, 6]), layers=choice("layers", [1, 2]), bidirectional=flag("both")),
        nn.gru(choice("units", [3, 5])),
        nn.rnn(choice("last", [3, 5]), returns="last"),
    )
    return SearchSpace(nn.seq(layers, nn.linear(4)))


def images() -> SearchSpace:
    """Norms, groups, kernels, squeeze-excite, shortcuts, transposed convolutions, a class of one's own."""
    width = choice("width", [8, 16])
    parts = nn.seq(
        nn.conv_norm_act(width, choice("kernel", [1, 3, 5]), norm=choice("norm", ["group", "layer", "rms", "batch"])),
        nn.residual(nn.separable_conv(choice("wide", [8, 16]), choice("deep", [3, 5]))),
        nn.squeeze_excite(2),
        nn.mbconv(16, 3, expand=choice("expand", [1, 3]), se=choice("se", [0, 4])),
        nn.transposed_conv(choice("up", [4, 6])),
        nn.op(Scale, input_size="channels"),
    )
    return SearchSpace(nn.seq(parts, nn.global_pool(), nn.linear(4)))


def extents() -> SearchSpace:
    """Resolutions by stride, pooling and patches; groups; heads."""
    image = nn.seq(
        nn.conv_norm_act(8, stride=choice("stride", [1, 2])),
        nn.conv(choice("wide", [8, 16]), 3, groups=choice("groups", [1, 2, 4])),
        nn.adaptive_pool(choice("side", [2, 4])),
    )
    tokens = nn.seq(
        nn.patch_embedding(choice("features", [8, 16]), choice("patch", [1, 2])),
        nn.positional_embedding(),
        nn.attention(choice("heads", [2, 4])),
    )
    return SearchSpace(nn.seq(image, tokens, nn.global_pool(), nn.linear(4)))


def vocabularies() -> SearchSpace:
    """Embeddings of more or fewer tokens, of more or fewer features."""
    embedding = nn.embedding(choice("tokens", [11, 13]), choice("features", [4, 8]))
    return SearchSpace(nn.seq(embedding, nn.gru(choice("units", [3, 5]), returns="last"), nn.linear(4)))


def compared(make: Callable[[], SearchSpace], x: torch.Tensor, count: int, dtype: str = "float32") -> int:
    """How many subnets were compared; all were equal."""
    supernet = Supernet(make(), input_shape=tuple(x.shape[1:]), input_dtype=dtype)
    y = torch.arange(len(x)) % 4
    for architecture in buildable(supernet, count):
        assert unequal(supernet, architecture, x, lambda out: cross_entropy(out, y)) == [], architecture
    assert all(torch.isfinite(weight).all() for weight in supernet.parameters())  # so that numbers were compared
    return count


@pytest.mark.parametrize("name", sorted(SMALL))
@pytest.mark.long
def test_a_subnet_equals_the_network_that_is_taken_out(name: str) -> None:
    """Outputs and the weights after a step are the same bits; so in every shipped space."""
    x = torch.rand(6, 3, SIDES.get(name, 8), SIDES.get(name, 8))
    assert compared(SMALL[name], x, 4) == 4


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_thousand_subnets_equal_their_networks(name: str) -> None:
    """T17: none of 1,000 is unequal, in any shipped space."""
    x = torch.rand(4, 3, SIDES.get(name, 8), SIDES.get(name, 8))
    assert compared(SMALL[name], x, 1000) == 1000


@pytest.mark.long
def test_every_kind_of_layer_is_shared() -> None:
    """Recurrent, attention, norms, groups and a class of one's own: their parts are what layers of that size have."""
    compared(sequences, torch.randint(0, 11, (6, 5)), 12, "int64")
    compared(images, torch.rand(6, 3, 8, 8), 24)
    compared(extents, torch.rand(6, 3, 8, 8), 12)
    compared(vocabularies, torch.randint(0, 11, (6, 5)), 4, "int64")


def test_every_shipped_space_is_here() -> None:
    """A new one is compared, too."""
    assert set(SMALL) == {*SPACES, "image_space"}


def test_a_training_step_changes_only_the_weights_of_its_subnet() -> None:
    """Networks that have a layer in common see what the other learned; the rest stays."""
    supernet = Supernet(images(), input_shape=(3, 8, 8))
    one = next(a for a in buildable(supernet, 40) if a["width"] == 8)
    subnet = supernet.subnet(one)
    before = {place: tensor.detach().clone() for place, tensor in supernet.bank.items()}
    optimiser = torch.optim.SGD(supernet.parameters(), lr=0.1)
    cross_entropy(subnet(torch.rand(6, 3, 8, 8)), torch.arange(6) % 4).backward()
    optimiser.step()
    last = next(place for place in before if place.kind == "Linear" and place.name == "weight")
    first = next(place for place in before if place.layer == "net.0.0:conv" and place.name == "weight")
    assert not torch.equal(before[last], supernet.bank[last])
    assert torch.equal(before[first][8:], supernet.bank[first][8:])
    assert not torch.equal(before[first][:8], supernet.bank[first][:8])


@pytest.mark.parametrize(
    ("place", "full", "part", "expected"),
    [
        (Place("a", "Linear", "weight"), (4, 3), (2, 2), [[0, 1], [3, 4]]),
        (Place("a", "Conv1d", "weight"), (1, 1, 5), (1, 1, 3), [[[1, 2, 3]]]),
        (Place("a", "GRU", "bias_ih_l0"), (6,), (3,), [0, 2, 4]),
        (Place("a", "Embedding", "weight"), (3, 2), (2, 1), [[0], [2]]),
    ],
)
def test_a_part_is_where_the_rules_say(
    place: Place, full: tuple[int, ...], part: tuple[int, ...], expected: list[object]
) -> None:
    """The first channels, the middle of a kernel, the first of each gate; and what is put there is taken again."""
    tensor = torch.arange(int(np.prod(full))).reshape(full)
    assert take(tensor, part, place).tolist() == expected
    put(tensor, -torch.ones(part, dtype=torch.long), place)
    assert (take(tensor, part, place) == -1).all()
    assert (tensor == -1).sum() == np.prod(part)
    with pytest.raises(BuildError, match="is no part of"):
        take(tensor, (99, *part[1:]), place)


def test_weights_are_the_same_whatever_is_run_first() -> None:
    """The same seed gives the same tensors, and a state can be loaded into another supernet of the space only."""
    one, two = (Supernet(images(), input_shape=(3, 8, 8), seed=3) for _ in range(2))
    state = one.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in two.state_dict().items())
    other = Supernet(images(), input_shape=(3, 8, 8), seed=4)
    assert any(not torch.equal(state[name], tensor) for name, tensor in other.state_dict().items())
    other.load_state_dict(state)
    assert all(torch.equal(state[name], tensor) for name, tensor in other.state_dict().items())
    with pytest.raises(SpaceError, match="the weights are those of another space"):
        Supernet(sequences(), input_shape=(5,), input_dtype="int64").load_state_dict(state)


def test_what_cannot_be_shared_is_named() -> None:
    """A layer that has other dimensions in another network, a supernet larger than the memory, no network at all."""
    dims = SearchSpace(nn.seq(nn.op(Vary, dims=choice("dims", [1, 2])), nn.global_pool(), nn.linear(2)))
    with pytest.raises(SpaceError, match=r"net\.0:own has shapes of different dimensions, .*nn\.one_of"):
        Supernet(dims, input_shape=(3, 4, 4))
    with pytest.raises(
        SpaceError, match=r"memory of the supernet must be <= 9.537e-05 MiB, got .at least .* MiB.; make the widest"
    ):
        Supernet(images(), input_shape=(3, 8, 8), memory_bytes=100)
    with pytest.raises(SpaceError, match="no network of the space can be built"):
        Supernet(SearchSpace(nn.seq(nn.linear(choice("width", [2, 3])), nn.conv(3))), input_shape=(3,))


def test_memory_is_that_of_the_machine_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too large a supernet is refused before a weight of it is made, from Python, too."""
    assert Supernet(images(), input_shape=(3, 8, 8)).memory_bytes > 2**20
    monkeypatch.setattr("netwright.machine_memory.memory_bytes", lambda: 100)
    with pytest.raises(SpaceError, match=r"memory of the supernet must be <= 9\.537e-05 MiB"):
        images().supernet(input_shape=(3, 8, 8))


def test_networks_that_cannot_be_built_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Operations of different output shapes in a sum: how many, why, and what to do; the others share weights."""
    kinds = nn.one_of("kind", {"fits": nn.conv(4), "clashes": nn.conv(6)})
    root = nn.seq(nn.conv(4), nn.add(nn.identity(), kinds), nn.global_pool(), nn.linear(2))
    supernet = Supernet(SearchSpace(root), input_shape=(3, 4, 4))
    assert supernet.remark.startswith("1 of 2 networks that were looked at cannot be built, and are passed over (")
    assert "cannot sum branches of shapes" in supernet.remark
    assert "one output shape, or exclude them by a constraint" in supernet.remark
    assert supernet.remark in caplog.text
    assert Supernet(images(), input_shape=(3, 8, 8)).remark == ""


def test_tensors_of_another_space_are_refused() -> None:
    """Where they are given to a new supernet, too; those of the same space are taken."""
    one = Supernet(images(), input_shape=(3, 8, 8), seed=3)
    again = Supernet(images(), input_shape=(3, 8, 8), seed=3, state=one.state_dict())
    assert again.state_dict().keys() == one.state_dict().keys()
    narrow = Supernet(SearchSpace(nn.seq(nn.linear(4), nn.relu(), nn.linear(2))), input_shape=(3,)).state_dict()
    wide = SearchSpace(nn.seq(nn.linear(8), nn.relu(), nn.linear(2)))
    with pytest.raises(SpaceError, match=r"those of another space: there is no weight of Linear at net\.0:linear"):
        Supernet(wide, input_shape=(3,), state=narrow)
    with pytest.raises(SpaceError, match="those of another space"):
        Supernet(images(), input_shape=(3, 8, 8), state=narrow)


def test_a_network_without_sites_has_no_places() -> None:
    """Sites have to be asked for; then every parameter has a place of its own."""
    space = images()
    architecture = space.sample(np.random.default_rng(0))
    from netwright.nn.building import given_in_namespace, instantiate, write

    for sited in (True, False):
        term = space.resolve(architecture, sited=sited)
        written = write(term, input_shape=(3, 8, 8), own_code=given_in_namespace)
        model = instantiate(written, device="meta")
        if sited:
            found = [places_of(model, written)[name] for name, _ in model.named_parameters()]
            assert len(set(found)) == len(found)
        else:
            with pytest.raises(BuildError, match="resolve the architecture with sited=True"):
                places_of(model, written)


class Vary(torch_nn.Module):
    """A class of one's own whose weight has one dimension or two."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.weight = torch_nn.Parameter(torch.ones((1,) * dims))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight.sum()
