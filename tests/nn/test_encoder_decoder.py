"""Encoder-decoder networks: counted right, one token at a time as all at once, shared weights, links, searches."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
import torch

import netwright as nw
from netwright import nn
from netwright.errors import BuildError, SpaceError
from netwright.evaluation.batches import Data
from netwright.evaluation.training import evaluate
from netwright.nn.networks import Networks
from netwright.supernet import Supernet
from netwright.tasks.losses import Answers
from netwright.tasks.tokens import token_scores
from netwright.types import Architecture

SOURCE, TARGET, TOKENS = 9, 7, 20
MIXERS = ["attention", "convolution", "recurrent"]


def _space() -> nw.SearchSpace:
    def encoder(i: int) -> nn.Node:
        kernel = nw.choice(f"encoder{i}.kernel", [3, 5])
        hidden = nw.choice(f"encoder{i}.hidden", [8, 16])
        return nn.encoder_layer(hidden, mixer=nw.choice(f"encoder{i}.mixer", MIXERS), kernel=kernel, dropout=0.1)

    def decoder(i: int) -> nn.Node:
        return nn.decoder_layer(
            nw.choice(f"decoder{i}.hidden", [8, 16]),
            links=nw.choice(f"decoder{i}.links", [(1,), (2,), (1, 3)]),
            mixer=nw.choice(f"decoder{i}.mixer", MIXERS),
            kernel=nw.choice(f"decoder{i}.kernel", [3, 5]),
            heads=nw.choice(f"decoder{i}.heads", [2, 4]),
        )

    return nw.SearchSpace(
        nn.encoder_decoder(
            nn.repeat("encoder.depth", encoder, 1, 3),
            nn.repeat("decoder.depth", decoder, 1, 2),
            source_length=SOURCE,
            source_tokens=TOKENS,
            target_tokens=TOKENS + 3,
            source_features=nw.choice("encoder.features", [8, 16]),
            target_features=nw.choice("decoder.features", [8, 16]),
            dropout=0.1,
        )
    )


@pytest.fixture(scope="module")
def space() -> nw.SearchSpace:
    return _space()


@pytest.fixture(scope="module")
def some(space: nw.SearchSpace) -> list[Architecture]:
    rng = np.random.default_rng(0)
    return [space.sample(rng) for _ in range(12)]


def _rows(seed: int = 0) -> torch.Tensor:
    """Four rows, padded behind the source and the target to several lengths."""
    rows = torch.randint(3, TOKENS, (4, SOURCE + TARGET), generator=torch.Generator().manual_seed(seed))
    rows[:, SOURCE] = 1
    for row, (source, target) in enumerate([(9, 7), (5, 6), (1, 2), (7, 1)]):
        rows[row, source:SOURCE] = 0
        rows[row, SOURCE + target :] = 0
    return rows


def _models(space: nw.SearchSpace, some: list[Architecture]) -> Iterator[torch.nn.Module]:
    for architecture in some:
        term = space.resolve(architecture)
        yield nn.build(term, input_shape=(SOURCE + TARGET,), input_dtype="int64").eval()


def test_sizes_are_those_of_the_network(space: nw.SearchSpace, some: list[Architecture]) -> None:
    """Parameters are counted, and outputs foreseen, without building it."""
    for architecture, model in zip(some, _models(space, some), strict=True):
        found = nn.profile(space.resolve(architecture), input_shape=(SOURCE + TARGET,), input_dtype="int64")
        assert found.params == sum(p.numel() for p in model.parameters())
        assert tuple(model(_rows()).shape[1:]) == found.output_shape == (TARGET, TOKENS + 3)


def test_macs_are_those_of_the_products(space: nw.SearchSpace, some: list[Architecture]) -> None:
    """Counted by watching torch, the multiply-accumulates are the same."""
    from netwright.nn.counting import MacCounter

    for architecture, model in zip(some, _models(space, some), strict=True):
        found = nn.profile(space.resolve(architecture), input_shape=(SOURCE + TARGET,), input_dtype="int64")
        with MacCounter() as counter, torch.no_grad():
            model(_rows()[:1])
        assert counter.macs == found.macs


def test_one_token_at_a_time_gives_what_all_at_once_do(space: nw.SearchSpace, some: list[Architecture]) -> None:
    """With what is kept of earlier positions; so no position sees a later one."""
    rows = _rows()
    for model in _models(space, some):
        wanted, inner = model(rows), model.encoder_decoder
        read, kept = inner.begin(rows[:, :SOURCE])
        for position in range(TARGET):
            logits, kept = inner.step(rows[:, SOURCE + position], position, read, kept)
            torch.testing.assert_close(logits, wanted[:, position], atol=1e-5, rtol=1e-4)


def test_padding_changes_nothing(space: nw.SearchSpace, some: list[Architecture]) -> None:
    """In training rows are cut to the longest; a sentence gives the same alone and beside longer ones."""
    rows = _rows()
    for model in _models(space, some):
        for module in model.modules():
            if hasattr(module, "dropout"):
                module.dropout = 0.0
        wanted = model(rows)
        model.train()
        for row, target in ((1, 6), (2, 2)):
            alone = model(rows[row : row + 1])
            assert alone.shape[1] == target
            torch.testing.assert_close(alone[0], wanted[row, :target], atol=1e-5, rtol=1e-4)


def test_the_beam_search_finds_the_likeliest(space: nw.SearchSpace, some: list[Architecture]) -> None:
    """With as many beams as there are beginnings, no target of two tokens is likelier; one beam is greedy."""
    model = next(_models(space, some))
    inner, source = model.encoder_decoder, _rows()[:1, :SOURCE]

    def likelihood(tokens: list[int]) -> float:
        row = torch.zeros(1, SOURCE + TARGET, dtype=torch.int64)
        row[:, :SOURCE] = source
        row[0, SOURCE : SOURCE + len(tokens)] = torch.tensor([1, *tokens[:-1]])
        logits = model(row).log_softmax(2)[0]
        return sum(float(logits[i, t]) for i, t in enumerate(tokens))

    with torch.no_grad():
        found = inner.translate(source, 2, beams=TOKENS, penalty=0.0)[0].tolist()
        every = [[2], *([first, 2] for first in range(3, TOKENS + 3))]
        assert found[: found.index(2) + 1] == max(every, key=likelihood)
        greedy = inner.translate(source, TARGET, beams=1)[0].tolist()
        row = torch.zeros(1, SOURCE + TARGET, dtype=torch.int64)
        row[:, :SOURCE] = source
        before = [1]
        for position in range(TARGET - 1):
            row[0, SOURCE + position] = before[-1]
            token = int(model(row)[0, position, 2:].argmax()) + 2
            before.append(token)
            if token == 2:
                break
        assert greedy[: len(before) - 1] == before[1:]


def test_translations_do_not_depend_on_those_beside_them(space: nw.SearchSpace, some: list[Architecture]) -> None:
    """A batch gives what each sentence gives alone."""
    source = _rows()[:, :SOURCE]
    for model in _models(space, some[:6]):
        together = model.encoder_decoder.translate(source, TARGET, beams=3).tolist()
        for row, tokens in enumerate(together):
            alone = model.encoder_decoder.translate(source[row : row + 1], TARGET, beams=3)[0].tolist()
            assert alone == tokens[: len(alone)]
            assert set(tokens[len(alone) :]) <= {0}


def _searched(inner: torch.nn.Module, source: torch.Tensor, beams: int) -> torch.Tensor:
    """The beam search as it is defined, in which every sentence stays until all have ended."""
    count = len(source)
    read, kept = inner.begin(source.repeat_interleave(beams, 0))  # type: ignore[operator]
    tokens, found = source.new_full((count * beams,), 1), source.new_zeros(count * beams, 0)
    score = torch.full((count, beams), -torch.inf)
    score[:, 0] = 0.0
    ended, length = torch.zeros(count, beams, dtype=torch.bool), torch.ones(count, beams)
    first = torch.arange(count)[:, None] * beams
    for position in range(TARGET):
        logits, kept = inner.step(tokens, position, read, kept)  # type: ignore[operator]
        likely = logits.log_softmax(1).view(count, beams, -1)
        likely[:, :, :2] = -torch.inf
        if position == TARGET - 1:
            likely[:, :, 3:] = -torch.inf
        padding = torch.full_like(likely, -torch.inf)
        padding[:, :, 0] = 0.0
        total = score[:, :, None] + torch.where(ended[:, :, None], padding, likely)
        reached = torch.where(ended, length, length.new_tensor(position + 1.0))
        best = (total / reached[:, :, None]).flatten(1).topk(beams, dim=1).indices
        beam, token = best // likely.shape[2], best % likely.shape[2]
        score = total.flatten(1).gather(1, best)
        length, ended = reached.gather(1, beam), ended.gather(1, beam) | (token == 2)
        rows, tokens = (first + beam).flatten(), token.flatten()
        kept = [tuple(part[rows] for part in layer) for layer in kept]
        found = torch.cat([found[rows], tokens[:, None]], dim=1)
    return found[(first + (score / length).argmax(1, keepdim=True)).flatten()]


def test_sentences_that_have_ended_leave_the_beam(space: nw.SearchSpace, some: list[Architecture]) -> None:
    """What is found is what is found with all of them kept; fewer rows are computed."""
    source, sizes = _rows().repeat(4, 1)[:, :SOURCE], list[int]()
    source[4:][source[4:] != 0] = torch.randint(3, TOKENS, (int((source[4:] != 0).sum()),))
    for model in _models(space, some[:6]):
        inner = model.encoder_decoder
        with torch.no_grad():
            inner.decoder_norm.bias += 3 * inner.target.weight[2]  # so that some end early
            wanted, step = _searched(inner, source, 3), inner.step
            inner.step = lambda tokens, *others, step=step: (sizes.append(len(tokens)), step(tokens, *others))[1]
            found = inner.translate(source, TARGET, beams=3)
        assert torch.equal(found, wanted[:, : found.shape[1]])
        assert not wanted[:, found.shape[1] :].any()
    assert min(sizes) < max(sizes) == 3 * len(source)


def test_scoring_cuts_rows_to_their_tokens(space: nw.SearchSpace, some: list[Architecture]) -> None:
    """Sorted by length, with the same numbers; afterwards whole rows are answered again."""
    inputs = torch.cat([_rows(seed) for seed in range(6)])
    targets = torch.where(inputs[:, SOURCE:] != 0, inputs[:, SOURCE:], -1)
    data = Data(inputs.numpy(), targets.numpy(), lambda stored: stored.long())
    for model in _models(space, some[:4]):
        seen: list[int] = []

        def scores(answers: Answers, seen: list[int] = seen) -> dict[str, float]:
            kept = [(outputs.clone(), wanted) for outputs, wanted in answers]
            seen += [outputs.shape[1] for outputs, _ in kept]
            return token_scores(kept)

        with torch.no_grad():
            wanted = token_scores([(model(inputs), targets)])
        assert evaluate(model, data, batch_size=4, scores=scores) == pytest.approx(wanted, rel=1e-5)
        assert seen == [2, 2, 1, 6, 7, 7]
        assert model(inputs).shape[1] == TARGET


def test_subnets_equal_networks_with_their_weights(space: nw.SearchSpace, some: list[Architecture]) -> None:
    """Bit for bit; so widths, heads, kernels and links share weights."""
    supernet = Supernet(space, input_shape=(SOURCE + TARGET,), input_dtype="int64")
    for architecture, model in zip(some, _models(space, some), strict=True):
        subnet = supernet.subnet(architecture)
        subnet.model.eval()
        model.load_state_dict(subnet.weights())
        assert torch.equal(model(_rows()), subnet(_rows()))


def test_all_layers_learn(space: nw.SearchSpace, some: list[Architecture]) -> None:
    """Every parameter of every network gets a gradient, but those of layers of the encoder that nothing reads."""
    for model in _models(space, some):
        model.train()
        model(_rows()).square().sum().backward()
        inner = model.encoder_decoder
        last = max(number for layer in inner.decoder for number in layer.reads)
        unread = tuple(f"encoder_decoder.encoder.{n}." for n in range(last + 1, len(inner.encoder)))
        for name, parameter in model.named_parameters():
            assert name.startswith(unread or ("-",)) or parameter.grad is not None, name


def test_links_count_from_the_last_layer() -> None:
    """Beyond the first the first is meant, and each is read once."""
    for depth, links in product((1, 2, 4), ((1,), (2,), (1, 3))):
        layers = nn.seq(*[nn.encoder_layer(8) for _ in range(depth)])
        space = nw.SearchSpace(
            nn.encoder_decoder(
                layers,
                nn.decoder_layer(8, links=links),
                source_length=4,
                source_tokens=9,
                target_tokens=9,
                source_features=8,
                target_features=8,
            )
        )
        term = space.resolve(space.sample(np.random.default_rng(0)))
        model = nn.build(term, input_shape=(8,), input_dtype="int64")
        assert model.encoder_decoder.decoder[0].reads == tuple(sorted({max(0, depth - back) for back in links}))


def test_what_cannot_be_is_refused_by_name() -> None:
    """A layer outside of a network, features that heads do not divide, another operation among the layers."""
    lone = nw.SearchSpace(nn.seq(nn.embedding(9, 8), nn.decoder_layer(8)))
    with pytest.raises(BuildError, match=r"decoder_layer.*nn\.encoder_decoder"):
        nn.profile(lone.resolve(lone.sample(np.random.default_rng(0))), input_shape=(4,), input_dtype="int64")
    sizes = {"source_length": 4, "source_tokens": 9, "target_tokens": 9, "source_features": 6, "target_features": 6}
    for encoder, says in (
        (nn.encoder_layer(8), "heads=4 does not divide the 6"),
        (nn.relu(), "must be nn.encoder_layer"),
    ):
        space = nw.SearchSpace(nn.encoder_decoder(encoder, nn.decoder_layer(8), **sizes))
        with pytest.raises(BuildError, match=says):
            nn.profile(space.resolve(space.sample(np.random.default_rng(0))), input_shape=(8,), input_dtype="int64")
    with pytest.raises(SpaceError, match=r"mixer.*attention, convolution, recurrent"):
        nn.encoder_layer(8, mixer="pooling")


def test_children_inherit_what_both_have(space: nw.SearchSpace, some: list[Architecture]) -> None:
    """Weights of one network are a start for another: the same one is the same, others take most over."""
    from netwright.inheritance.morphism import morph

    networks = Networks(space, input_shape=(SOURCE + TARGET,), input_dtype="int64")
    parent, child = some[0], some[1]
    weights = networks(parent).model.state_dict()
    same, found = morph(networks, parent, weights, parent)
    assert found.share == 1.0
    assert all(torch.equal(same[name], weights[name]) for name in weights)
    _, found = morph(networks, parent, weights, child)
    assert found.share > 0.3


def test_a_beam_search_makes_what_it_needs_where_the_source_is(space: nw.SearchSpace, some: list[Architecture]) -> None:
    """Whatever torch's own device is: nothing is made there."""
    source = torch.tensor([[5, 6, 2, 0, 0, 0, 0, 0, 0], [7, 8, 9, 4, 3, 2, 0, 0, 0]])
    model = next(_models(space, some)).encoder_decoder
    expected = model.translate(source, TARGET, beams=3)
    with torch.device("meta"):
        assert torch.equal(model.translate(source, TARGET, beams=3), expected)
