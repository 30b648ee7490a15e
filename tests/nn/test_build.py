"""Building: deterministic, plain, shapes right, and refusals that say what is wrong where."""

from __future__ import annotations

import re
import subprocess
import sys
import traceback

import pytest
import torch
from checks import check_network, random_input
from own_modules import Broken, Head, Huge, Inference, Lazy, Pair, Scaled

from netwright import nn
from netwright.errors import BuildError
from netwright.nn.emitters import EMITTERS
from netwright.space import SearchSpace
from netwright.space.nodes import Node, Op
from netwright.space.resolve import resolve
from netwright.space.terms import OpTerm, Term

IMAGE = (4, 9, 7)


def _term(*parts: Node) -> Term:
    return resolve(nn.seq(*parts), {})


def _gives(part: Node, shape: tuple[int, ...] = IMAGE, dtype: str = "float32") -> tuple[int, ...]:
    """Shape that a layer really gives."""
    model = nn.build(_term(part), input_shape=shape, input_dtype=dtype)
    return tuple(model(random_input(shape, dtype)).shape[1:])


@pytest.mark.parametrize(
    ("part", "shape", "expected"),
    [
        (nn.conv(8, kernel=4), IMAGE, (8, 9, 7)),
        (nn.conv(8, kernel=(2, 5), stride=(2, 3)), IMAGE, (8, 5, 3)),
        (nn.conv(8, kernel=3, padding="valid", dilation=2), IMAGE, (8, 5, 3)),
        (nn.conv(8, kernel=3, padding=2), IMAGE, (8, 11, 9)),
        (nn.conv1d(8, stride=2), (4, 9), (8, 5)),
        (nn.conv3d(8, kernel=2), (4, 5, 6, 7), (8, 5, 6, 7)),
        (nn.depthwise_conv(5, multiplier=3), IMAGE, (12, 9, 7)),
        (nn.separable_conv(8, 3, 2), IMAGE, (8, 5, 4)),
        (nn.transposed_conv(8), IMAGE, (8, 18, 14)),
        (nn.transposed_conv(8, kernel=3, stride=2), IMAGE, (8, 18, 14)),
        (nn.transposed_conv(8, kernel=5, stride=3), IMAGE, (8, 27, 21)),
        (nn.linear(8), (5,), (8,)),
        (nn.linear(8), (6, 5), (6, 8)),
        (nn.max_pool(2), IMAGE, (4, 5, 4)),
        (nn.max_pool(4, 2), IMAGE, (4, 5, 4)),
        (nn.max_pool(2, 4), (4, 7, 8), (4, 2, 2)),
        (nn.max_pool(4), (4, 8, 9), (4, 2, 3)),
        (nn.avg_pool(3, 2), IMAGE, (4, 5, 4)),
        (nn.avg_pool(2, padding="valid"), IMAGE, (4, 4, 3)),
        (nn.max_pool(2), (4, 1, 1), (4, 1, 1)),
        (nn.global_pool("max"), IMAGE, (4,)),
        (nn.adaptive_pool((3, 2)), IMAGE, (4, 3, 2)),
        (nn.flatten(), IMAGE, (252,)),
        (nn.reshape((12, 21)), IMAGE, (12, 21)),
        (nn.permute((2, 0, 1)), IMAGE, (7, 4, 9)),
        (nn.to_sequence(), IMAGE, (63, 4)),
        (nn.seq(nn.to_sequence(), nn.to_channels((9, 7))), IMAGE, IMAGE),
        (nn.patch_embedding(8, 3), IMAGE, (6, 8)),
        (nn.upsample(2, "linear"), IMAGE, (4, 18, 14)),
        (nn.pixel_shuffle(2), IMAGE, (1, 18, 14)),
        (nn.take_channels(3), IMAGE, (3, 9, 7)),
        (nn.factorized_reduce(6), IMAGE, (6, 5, 4)),
        (nn.lstm(8, bidirectional=True), (6, 5), (6, 16)),
        (nn.gru(8, layers=2, returns="last"), (6, 5), (8,)),
        (nn.attention(2, causal=True), (6, 4), (6, 4)),
        (nn.mbconv(8, stride=2, se=4), IMAGE, (8, 5, 4)),
        (nn.residual(nn.conv(8, stride=2)), IMAGE, (8, 5, 4)),
        (nn.residual(nn.linear(8)), (6, 5), (6, 8)),
        (nn.residual(nn.max_pool(4, 4)), IMAGE, (4, 3, 2)),
        (nn.concat(nn.conv(8), nn.identity()), IMAGE, (12, 9, 7)),
        (nn.concat(nn.identity(), nn.linear(3)), (6, 5), (6, 8)),
        (nn.concat(nn.conv1d(3), nn.identity()), (6, 5), (9, 5)),
        (nn.rms_norm(), IMAGE, IMAGE),
    ],
)
def test_layer_gives_shape(part: Node, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """A layer gives the shape that its documentation says, and the one that was predicted."""
    assert _gives(part, shape) == expected
    assert nn.profile(_term(part), input_shape=shape).output_shape == expected


def test_embedding_takes_tokens() -> None:
    """Tokens become vectors."""
    assert _gives(nn.embedding(11, 8), (6,), "int64") == (6, 8)


def test_causal_attention_does_not_look_ahead() -> None:
    """With causal=True what comes later changes nothing before it; without, it does."""
    x = random_input((6, 4), "float32")
    changed = x.clone()
    changed[:, -1] += 1
    for causal in (True, False):
        model = nn.build(_term(nn.attention(2, causal=causal)), input_shape=(6, 4)).eval()
        assert torch.equal(model(x)[:, :-1], model(changed)[:, :-1]) == causal


def test_networks_are_made_on_the_cpu_whatever_the_default_device_is() -> None:
    """A default device of a person's own changes nothing."""
    expected = nn.build(_term(nn.conv(8)), input_shape=IMAGE, seed=1).state_dict()["conv.weight"]
    with torch.device("meta"):
        found = nn.build(_term(nn.conv(8)), input_shape=IMAGE, seed=1).state_dict()["conv.weight"]
    assert torch.equal(found, expected)


def test_same_seed_gives_equal_bits_in_another_process_and_global_state_is_untouched() -> None:
    """Weights are a function of the seed; building draws nothing from torch's global state."""
    program = (
        "from netwright import nn; from netwright.space.resolve import resolve; import hashlib\n"
        "net = nn.seq(nn.conv(8), nn.dense_cell(3, lambda i, j: nn.conv(8)))\n"
        "m = nn.build(resolve(net, {}), input_shape=(3, 8, 8), seed=7)\n"
        "print(hashlib.sha256(b''.join(t.numpy().tobytes() for t in m.state_dict().values())).hexdigest())\n"
    )
    runs = {subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout for _ in range(2)}
    assert len(runs) == 1
    assert len(runs.pop().strip()) == 64
    before = torch.get_rng_state()
    weights = [nn.build(_term(nn.conv(8)), input_shape=IMAGE, seed=s).state_dict()["conv.weight"] for s in (1, 1, 2)]
    assert torch.equal(before, torch.get_rng_state())
    assert (torch.equal(weights[0], weights[1]), torch.equal(weights[0], weights[2])) == (True, False)


def test_declaring_and_writing_import_no_torch() -> None:
    """Declarations, source and profile of built-in operations work without loading torch."""
    program = (
        "import sys; from netwright import nn; from netwright.space.resolve import resolve\n"
        "t = resolve(nn.seq(nn.conv(8), nn.global_pool()), {}); nn.source(t, input_shape=(3, 8, 8))\n"
        "nn.profile(t, input_shape=(3, 8, 8)); print('torch' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"


def test_model_contains_no_netwright_class() -> None:
    """All modules are torch's, generated, or one's own."""
    term = _term(
        nn.conv(4), nn.residual(nn.mbconv(4, se=2)), nn.op(Scaled, channels=4), nn.over_positions(nn.attention(2))
    )
    model = nn.build(term, input_shape=IMAGE)
    roots = {type(m).__module__.split(".")[0] for m in model.modules()}
    assert {re.sub(r"_network_[0-9a-f]+", "_network", root) for root in roots} == {
        "torch",
        "netwright_network",
        "own_modules",
    }


def test_traceback_shows_generated_lines() -> None:
    """An error inside a built network shows the line of the generated source."""
    model = nn.build(_term(nn.conv(8), nn.relu()), input_shape=IMAGE)
    with pytest.raises(RuntimeError) as caught:
        model(torch.zeros(1, 3, 9, 7))
    assert "x = self.conv(x)" in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("parts", "shape", "message"),
    [
        ([nn.conv(6, groups=4)], (4, 8, 8), r"conv at seq\[0\].conv: groups=4 does not divide the 6 output channels"),
        ([nn.conv(8), nn.conv(6, groups=3)], (4, 8, 8), r"conv at seq\[1\].conv: groups=3 .* 8 input channels"),
        ([nn.conv(8, 9, padding="valid")], (4, 8, 8), r"larger than the padded input \(8, 8\).*input \(4, 8, 8\)"),
        ([nn.linear(4)], (4, 8, 8), r"linear at seq\[0\].linear: needs a vector or a sequence; put global_pool"),
        ([nn.flatten(), nn.conv(4)], (4, 8, 8), r"conv at seq\[1\].conv: needs .*gets 1 dimensions"),
        ([nn.attention(3)], (6, 4), "heads=3 does not divide the 4 features"),
        ([nn.attention(2)], (4, 8, 8), "use nn.over_positions"),
        ([nn.to_sequence(), nn.conv1d(4)], (4, 8, 8), "gets a sequence"),
        ([nn.to_sequence(), nn.batch_norm()], (4, 8, 8), "use layer_norm"),
        ([nn.group_norm(3)], (4, 8, 8), "groups=3 does not divide the 4 channels"),
        ([nn.add(nn.conv(3), nn.conv(5))], (4, 8, 8), r"cannot sum branches of shapes \(3, 8, 8\), \(5, 8, 8\)"),
        ([nn.concat(nn.conv(3), nn.max_pool(2))], (4, 8, 8), "all but the channels must be equal"),
        ([nn.residual(nn.conv(5), "identity")], (4, 8, 8), "take shortcut='auto'"),
        ([nn.residual(nn.flatten())], (4, 8, 8), "no shortcut leads from"),
        ([nn.embedding(5, 5)], (4,), "build with input_dtype='int64'"),
        ([nn.pixel_shuffle(3)], (4, 8, 8), "does not divide the 4 channels"),
        ([nn.conv(nn.stage_width())], (4, 8, 8), r"put it into nn.stages"),
        ([nn.op(Broken)], (4, 8, 8), r"Broken\(\) at seq\[0\].class cannot run on input \(4, 8, 8\).*KeyError: 'left'"),
        ([nn.op(Pair)], (4, 8, 8), "gives tuple, needs to give one tensor"),
        ([nn.op(Scaled, extent=4)], (4, 8, 8), "unexpected keyword argument 'extent'"),
        ([nn.op(Lazy)], (4, 8, 8), "lazy parameters have no size"),
        ([nn.max_pool(2, 1)], (4, 8, 8), "take an odd kernel"),
        ([nn.op(dict)], (4, 8, 8), "a subclass of torch.nn.Module"),
        ([nn.normalize((0.5, 0.5), 1.0)], (4, 8, 8), "for each of the 4 channels"),
    ],
)
def test_refusal_names_operation_place_and_shapes(parts: list[Node], shape: tuple[int, ...], message: str) -> None:
    """A network that cannot be is refused before it is built, with its reason."""
    with pytest.raises(BuildError, match=message):
        nn.build(_term(*parts), input_shape=shape)


def test_cell_without_a_path_is_refused_and_dead_nodes_are_left_out() -> None:
    """Nodes that nothing reaches take no part; if the output is one of them the cell is refused."""
    alive = nn.cell(nn.cell_node(), nn.cell_node(nn.edge(0, nn.conv(3))), nn.cell_node(nn.edge(1), nn.edge(2)))
    model = check_network(_term(alive), (3, 4, 4))
    assert [name for name, _ in model.named_parameters()] == ["cell.edge_0_2.weight", "cell.edge_0_2.bias"]
    dead = nn.cell(nn.cell_node(), nn.cell_node(nn.edge(1)))
    with pytest.raises(BuildError, match=r"cell at seq\[0\].cell: no path leads from its input to its output"):
        nn.build(_term(dead), input_shape=(3, 4, 4))


def test_own_classes_run_as_they_are() -> None:
    """A class of one's own gets its arguments, and the input's channels if it asks for them."""
    term = _term(
        nn.conv(6), nn.op(Scaled, input_size="channels", factor=3.0), nn.op(Head, input_size="features", width=5)
    )
    model = nn.build(term, input_shape=IMAGE)
    assert isinstance(model.scaled, Scaled)
    assert (model.scaled.conv.in_channels, model.scaled.factor) == (6, 3.0)
    assert tuple(model(random_input(IMAGE, "float32")).shape) == (2, 5)


def test_a_class_that_runs_in_evaluation_mode_only_is_counted_as_such() -> None:
    """Its size is known, and how many there are, however often the piece around them was written before."""
    part = nn.seq(nn.op(Inference, input_size="channels"), nn.relu())
    for _ in range(2):
        profile = nn.profile(_term(nn.conv(6), nn.residual(part), nn.residual(part)), input_shape=IMAGE)
        assert (profile.eval_only, profile.params) == (2, IMAGE[0] * 6 * 9 + 6 + 2 * (36 + 6))
    assert nn.profile(_term(nn.conv(6), nn.op(Scaled, input_size="channels")), input_shape=IMAGE).eval_only == 0


def test_size_of_a_huge_own_class_is_found_without_memory() -> None:
    """What would take 40 GB is measured on the meta device."""
    profile = nn.profile(_term(nn.flatten(), nn.op(Huge)), input_shape=(1, 4))
    assert (profile.params, profile.output_shape) == (10**10, (100_000,))


def test_an_own_class_larger_than_memory_is_never_made() -> None:
    """One that cannot run without values would be made with them; where they cannot fit it is refused as too large."""
    with pytest.raises(BuildError, match=r"Head\(.*are more than this machine's memory") as caught:
        nn.profile(_term(nn.conv(4), nn.op(Head, input_size="features", width=10**14)), input_shape=(1, 4, 4))
    assert isinstance(caught.value.__cause__, MemoryError)


def test_zero_gives_zeros_and_an_all_zero_cell_too() -> None:
    """No connection is zeros, alone and in a cell."""
    x = random_input((3, 4, 4), "float32")
    for part in (nn.zero(), nn.dense_cell(4, lambda i, j: nn.zero())):
        assert torch.equal(nn.build(_term(part), input_shape=(3, 4, 4))(x), torch.zeros_like(x))


def test_unknown_operation_is_refused_with_the_nearest() -> None:
    """A kind that is not known is refused."""
    with pytest.raises(BuildError, match="unknown operation 'convv'; did you mean 'conv'"):
        nn.build(OpTerm("convv"), input_shape=IMAGE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_shape": (3, 0)}, "input_shape must be a tuple of whole numbers >= 1"),
        ({"input_shape": ()}, "input_shape must be"),
        ({"input_shape": (3,), "input_dtype": "flaot32"}, "input_dtype must be one of"),
        ({"input_shape": (3,), "seed": -1}, "seed must be a whole number"),
    ],
)
def test_wrong_build_arguments_are_refused(options: dict[str, object], message: str) -> None:
    """Shapes, dtypes and seeds that cannot be are named."""
    with pytest.raises(BuildError, match=re.escape(message)):
        nn.build(_term(nn.relu()), **options)  # type: ignore[arg-type]


def test_space_builds_through_its_backend() -> None:
    """A search space over these operations builds and writes its architectures."""
    space = SearchSpace(nn.seq(nn.one_of("op", {"a": nn.conv(4), "b": nn.conv(5)}), nn.global_pool()))
    arch = space.architecture({"op": "b"})
    model = space.build(arch, input_shape=IMAGE, seed=0)
    assert isinstance(model, torch.nn.Module)
    assert tuple(model(random_input(IMAGE, "float32")).shape) == (2, 5)
    assert "nn.Conv2d(4, 5, kernel_size=3, padding=1)" in space.source(arch, input_shape=IMAGE)


def test_every_kind_is_declared_by_a_function() -> None:
    """Each kind of operation that can be written has a function that declares it."""
    special = {"class": "op", "seq": "seq", "residual": "residual"}
    assert [k for k in EMITTERS if not hasattr(nn, special.get(k, k))] == []


@pytest.mark.parametrize("shape", [(4,), (4, 2, 2, 2, 2), (4, 1, 1, 1, 1, 1)])
@pytest.mark.parametrize(
    "layer",
    [
        nn.conv(4),
        nn.depthwise_conv(),
        nn.separable_conv(4),
        nn.transposed_conv(4),
        nn.conv_norm_act(4),
        nn.project(8),
        nn.patch_embedding(4, 1),
        nn.max_pool(1),
        nn.adaptive_pool(1),
        nn.upsample(2),
    ],
    ids=lambda layer: layer.kind,
)
def test_extents_that_torch_has_no_layers_for_are_refused(layer: Op, shape: tuple[int, ...]) -> None:
    """A vector, and images of four extents and more, are errors that name the operation and what it needs."""
    with pytest.raises(BuildError, match=rf"{layer.kind} at seq\[0\].*needs (\(C, L\)|1, 2 or 3 ext|channels first)"):
        nn.build(_term(layer), input_shape=shape)


def test_a_projection_over_four_extents_is_refused() -> None:
    """A shortcut that would need a convolution torch does not have is an error of the residual block."""
    with pytest.raises(BuildError, match=r"residual at seq\[0\].residual: needs 1, 2 or 3 extents"):
        nn.build(_term(nn.residual(nn.take_channels(2))), input_shape=(4, 2, 2, 2, 2))
