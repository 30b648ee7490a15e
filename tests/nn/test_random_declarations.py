"""Catalogue E 35: random valid spaces over all operations build, run forward and backward, and are their source."""

from __future__ import annotations

import pytest
import torch
from checks import check_network, check_source, draw
from random_declarations import random_declaration
from torch.utils.flop_counter import FlopCounterMode

from netwright import nn
from netwright.errors import BuildError


def _check(seed: int) -> None:
    made = random_declaration(seed)
    term = draw(made.space, seed)
    model = check_network(term, made.input_shape, made.input_dtype)
    check_source(term, model, made.input_shape, made.input_dtype)


@pytest.mark.parametrize("start", range(0, 60, 10))
def test_random_spaces_build_train_and_round_trip(start: int) -> None:
    """Any architecture of any valid space builds, trains, is counted right and equals its source."""
    for seed in range(start, start + 10):
        _check(seed)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_random_spaces_build_train_and_round_trip() -> None:
    """The same for 10,000 spaces."""
    for seed in range(60, 10_060):
        try:
            _check(seed)
        except (BuildError, AssertionError, RuntimeError) as error:
            pytest.fail(f"seed {seed}: {error}")


def test_macs_are_those_that_torch_counts() -> None:
    """Multiply-accumulates counted from shapes are half the FLOPs that torch counts while a network runs."""
    checked = 0
    for seed in range(100, 160):
        made = random_declaration(seed)
        term = draw(made.space, seed)
        source = nn.source(term, input_shape=made.input_shape, input_dtype=made.input_dtype)
        if any(word in source for word in ("LSTM", "GRU", "RNN(", "SelfAttention")):
            continue  # torch runs these as fused operations, which its counter does not see in full
        model = nn.build(term, input_shape=made.input_shape, input_dtype=made.input_dtype).eval()
        counter = FlopCounterMode(display=False)
        kinds = torch.float32 if made.input_dtype == "float32" else torch.int64
        with torch.no_grad(), counter:
            model(torch.zeros((1, *made.input_shape), dtype=kinds))
        profile = nn.profile(term, input_shape=made.input_shape, input_dtype=made.input_dtype)
        assert counter.get_total_flops() // 2 == profile.macs, seed
        checked += 1
    assert checked > 10
