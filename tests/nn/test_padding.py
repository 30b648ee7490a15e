"""Padding of sequences: what follows a text changes nothing, in plain networks, in ONNX and on shared weights."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import netwright as nw
from netwright import nn
from netwright.inheritance.morphism import morph
from netwright.nn.networks import Networks
from netwright.space.resolve import resolve
from netwright.space.terms import Term
from netwright.supernet import Supernet
from netwright.supernet.differentiable.mixing import Mixing
from netwright.supernet.differentiable.relaxed import RelaxedNetwork

TOKENS, SHORT, LONG, USED = 11, 9, 14, 6


def _conv(kernel: int) -> nn.Node:
    return nn.seq(nn.layer_norm(), nn.to_channels(), nn.conv1d(8, kernel=kernel), nn.sigmoid(), nn.to_sequence())


BODIES: dict[str, tuple[nn.Node, ...]] = {
    "nothing": (),
    "norm": (nn.layer_norm(), nn.linear(6)),
    "positions": (nn.positional_embedding(), nn.rms_norm()),
    "attention": (nn.linear(8), nn.attention(2)),
    "block": (nn.positional_embedding(), nn.transformer_block(2, 2.0), nn.transformer_block(4, norm="none")),
    "causal": (nn.transformer_block(2, causal=True),),
    "convolution": (nn.residual(_conv(5)), nn.residual(_conv(4))),
    "gru": (nn.residual(nn.seq(nn.layer_norm(), nn.gru(4, bidirectional=True))),),
    "deep gru": (nn.gru(4, 2, bidirectional=True), nn.gru(3)),
    "lstm": (nn.lstm(4, bidirectional=True),),
    "rnn": (nn.rnn(4, 2, bidirectional=True),),
    "projection": (nn.residual(nn.linear(5)), nn.residual(nn.linear(7), activation="sigmoid")),
    "branches": (nn.concat(nn.linear(3), nn.seq(nn.linear(4), nn.softmax())), nn.dropout(0.1)),
    "channels": (nn.to_channels(), nn.conv1d(4, kernel=3), nn.batch_norm()),
}


def _term(body: tuple[nn.Node, ...], end: nn.Node, *, padding: bool = True) -> Term:
    return resolve(nn.seq(nn.embedding(TOKENS, 8, padding=padding, std=0.5), *body, end, nn.linear(3)), {})


def _built(term: Term, length: int, state: dict[str, torch.Tensor] | None = None) -> torch.nn.Module:
    """A network for rows of a length, with given weights; of positions the first."""
    model = nn.build(term, input_shape=(length,), input_dtype="int64", seed=1).eval()
    if state is not None:
        own = model.state_dict()
        model.load_state_dict({n: state[n][: len(own[n])] if own[n].ndim else state[n] for n in own})
    return model


def _rows(length: int, used: int = USED) -> torch.Tensor:
    """Five rows of which the first tokens are used, one fewer in each."""
    rows = torch.zeros(5, length, dtype=torch.int64)
    rows[:, :used] = torch.randint(1, TOKENS, (5, used), generator=torch.Generator().manual_seed(0))
    for row in range(5):
        rows[row, used - row :] = 0
    return rows


ENDS = {
    **{f"{name}, {mode}": (body, nn.global_pool(mode)) for name, body in BODIES.items() for mode in ("avg", "max")},
    "last of gru": ((), nn.gru(4, 2, bidirectional=True, returns="last")),
    "last of lstm": ((nn.linear(4),), nn.lstm(4, returns="last")),
}


@pytest.mark.parametrize("name", ENDS)
def test_logits_do_not_depend_on_how_much_padding_follows(name: str) -> None:
    """In rows of two lengths the same texts give the same."""
    term = _term(*ENDS[name])
    long = _built(term, LONG)
    short = _built(term, SHORT, long.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(short(_rows(SHORT)), long(_rows(LONG)), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ENDS)
def test_full_rows_give_what_they_give_without_padding(name: str) -> None:
    """Where no token is padding, nothing is left out."""
    padded, plain = (_built(_term(*ENDS[name], padding=padding), SHORT) for padding in (True, False))
    rows = torch.randint(1, TOKENS, (3, SHORT), generator=torch.Generator().manual_seed(2))
    plain.load_state_dict(dict(zip(plain.state_dict(), padded.state_dict().values(), strict=True)))
    with torch.no_grad():
        torch.testing.assert_close(padded(rows), plain(rows), atol=1e-6, rtol=1e-5)


def test_rows_of_nothing_but_padding_give_numbers() -> None:
    """Which are finite; the first position counts, whatever it holds."""
    for end in ENDS.values():
        assert bool(_built(_term(*end), SHORT)(torch.zeros(2, SHORT, dtype=torch.int64)).isfinite().all())


def test_padding_has_no_gradient_and_tokens_begin_small() -> None:
    """The row of token 0 is not learned behind a text; ``std`` is that of the vectors."""
    model = _built(_term((nn.transformer_block(2),), nn.global_pool()), LONG)
    model(_rows(LONG)).square().sum().backward()
    gradient = model.embedding.table.weight.grad
    assert bool((gradient[0] == 0).all())
    assert bool((gradient[_rows(LONG)[0, :USED]] != 0).any())
    table = nn.build(resolve(nn.embedding(4000, 16, std=0.05), {}), input_shape=(3,), input_dtype="int64")
    assert float(next(table.parameters()).detach().std()) == pytest.approx(0.05, rel=0.02)


def test_what_does_not_keep_the_positions_ends_it() -> None:
    """Pooling after it is over all positions, and nothing that keeps padding stands there."""
    for body in ((nn.to_channels(), nn.conv1d(4, kernel=3, stride=2), nn.to_sequence()), (nn.permute((0, 1)),)):
        text = nn.source(_term(body, nn.global_pool()), input_shape=(SHORT,), input_dtype="int64")
        assert "KeepPadding" not in text
        assert "self.global_pool = GlobalPool" in text or "AdaptiveAvgPool" in text


def test_without_padding_nothing_is_added() -> None:
    """The source of other networks knows nothing of it."""
    term = resolve(nn.seq(nn.embedding(TOKENS, 8), nn.gru(4), nn.layer_norm(), nn.global_pool(), nn.linear(2)), {})
    text = nn.source(term, input_shape=(SHORT,), input_dtype="int64")
    assert not any(name in text for name in ("TokenEmbedding", "KeepPadding", "PaddedPool", "PaddedRecurrent"))
    assert "self.embedding = nn.Embedding(11, 8)" in text


def test_onnx_leaves_padding_out_too(tmp_path: Path) -> None:
    """For any batch, as the network does."""
    runtime = pytest.importorskip("onnxruntime")
    body = (*BODIES["block"], *BODIES["gru"], *BODIES["convolution"])
    model = _built(_term(body, nn.global_pool("max")), LONG)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        axes = {"input": {0: "batch"}, "output": {0: "batch"}}
        names = {"input_names": ["input"], "output_names": ["output"]}
        torch.onnx.export(model, (_rows(LONG)[:2],), tmp_path / "m.onnx", dynamo=False, dynamic_axes=axes, **names)
    session = runtime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    for rows in (_rows(LONG), _rows(LONG, LONG)[:1]):
        (found,) = session.run(None, {"input": rows.numpy()})
        assert np.abs(found - model(rows).detach().numpy()).max() < 1e-5


def _space() -> nw.SearchSpace:
    width = nw.choice("width", [4, 8])
    kinds: dict[nw.Value, nn.Node] = {
        "gru": nn.residual(nn.seq(nn.layer_norm(), nn.gru(width // 2, bidirectional=True))),
        "attention": nn.transformer_block(nw.choice("heads", [2, 4])),
        "linear": nn.seq(nn.linear(width), nn.sigmoid()),
    }
    return nw.SearchSpace(
        nn.seq(
            nn.embedding(TOKENS, width, padding=True),
            nn.repeat("depth", lambda _: nn.one_of("kind", kinds), 1, 2),
            nn.layer_norm(),
            nn.global_pool(nw.choice("pool", ["avg", "max"])),
            nn.linear(3),
        )
    )


def test_subnets_leave_padding_out() -> None:
    """Though shared weights hold a vector for token 0, too."""
    supernet = Supernet(_space(), input_shape=(LONG,), input_dtype="int64")
    for architecture in list(_space().enumerate())[::3]:
        subnet = supernet.subnet(architecture)
        subnet.model.eval()
        with torch.no_grad():
            torch.testing.assert_close(subnet(_rows(LONG)), subnet(_rows(SHORT)), atol=1e-5, rtol=1e-4)


def test_children_inherit_what_padding_does_not_change() -> None:
    """Weights are matched as those of layers without padding are, and a function that can be kept is kept."""
    conv = nn.seq(nn.to_channels(), nn.conv1d(8, kernel=nw.choice("kernel", [3, 5])), nn.to_sequence())
    heads = nn.residual(nn.seq(nn.layer_norm(), nn.attention(nw.choice("heads", [2, 4]))))
    gru = nn.residual(nn.seq(nn.gru(nw.choice("units", [3, 5]), bidirectional=True), nn.linear(8)))
    body = (nn.residual(conv), heads, gru, nn.global_pool(), nn.linear(3))
    space = nw.SearchSpace(nn.seq(nn.embedding(TOKENS, 8, padding=True, std=0.5), *body))
    networks = Networks(space, input_shape=(LONG,), input_dtype="int64")
    small, large = (
        space.architecture(decisions)
        for decisions in ({"kernel": 3, "heads": 2, "units": 3}, {"kernel": 5, "heads": 2, "units": 5})
    )
    inherited, found = morph(networks, small, networks(small).model.state_dict(), large)
    models = [networks.make(architecture).model.eval() for architecture in (small, large)]
    models[1].load_state_dict(inherited)
    assert found.is_preserved
    torch.testing.assert_close(models[1](_rows(LONG)), models[0](_rows(LONG)), atol=1e-5, rtol=1e-4)


def test_mixtures_leave_padding_out() -> None:
    """Where choices are mixed, rows of zeros stay what they are; an architecture alone is the plain network."""
    space = _space()
    short, network = (RelaxedNetwork(space, input_shape=(n,), input_dtype="int64").eval() for n in (SHORT, LONG))
    short.load_state_dict(network.state_dict())
    even = {name: torch.full((len(values),), 1 / len(values)) for name, values in network.universe.values.items()}
    with torch.no_grad():
        found = short(_rows(SHORT), Mixing(even)), network(_rows(LONG), Mixing(even))
        torch.testing.assert_close(*found, atol=1e-5, rtol=1e-4)
        for architecture in list(space.enumerate())[::5]:
            alone = network(_rows(LONG), Mixing.of(network.universe, architecture))
            torch.testing.assert_close(network.extract(architecture).eval()(_rows(LONG)), alone, atol=1e-5, rtol=1e-4)


def test_a_space_may_choose() -> None:
    """Padding may be a flag of the space, and the deviation a choice."""
    flag, std = nw.flag("padding"), nw.choice("std", [0.1, 1.0])
    space = nw.SearchSpace(nn.seq(nn.embedding(TOKENS, 4, padding=flag, std=std), nn.global_pool(), nn.linear(2)))
    texts = {
        nn.source(space.resolve(a), input_shape=(SHORT,), input_dtype="int64").split("class Network")[1]
        for a in space.enumerate()
    }
    assert len(texts) == 4


def test_a_text_whose_positions_all_become_zero_has_a_maximum_of_zero() -> None:
    """As without padding: a rectified layer may say nothing of any position."""
    model = _built(_term((nn.linear(4), nn.relu()), nn.global_pool("max")), SHORT)
    plain = _built(_term((nn.linear(4), nn.relu()), nn.global_pool("max"), padding=False), SHORT)
    with torch.no_grad():
        for network in (model, plain):
            for name, own in network.named_parameters():
                own.fill_(-1.0 if "table" not in name else 1.0)
        x = torch.ones(2, SHORT, dtype=torch.int64)
        assert torch.equal(model(x), plain(x))
        assert model(x).abs().max() < 10
