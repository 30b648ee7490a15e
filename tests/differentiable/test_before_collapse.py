"""After a collapse what a search would have given before it is handed on, too, right behind what it found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest
import torch

from netwright import nn
from netwright.space import SearchSpace
from netwright.supernet import Supernet
from netwright.supernet.differentiable import Alarm, EpochRecord, Options, Sampled, Searched, Signs, darts
from netwright.supernet.differentiable.of_task import architectures_of
from netwright.types import Architecture

NAMES = ("first", "second")


def space() -> SearchSpace:
    kinds = {"conv": nn.conv(4), "skip": nn.identity()}
    return SearchSpace(nn.seq(nn.conv(4), *(nn.one_of(name, kinds) for name in NAMES), nn.global_pool(), nn.linear(2)))


def arch(*kinds: str) -> Architecture:
    return Architecture(dict(zip(NAMES, kinds, strict=True)))


HISTORY = (("conv", "conv"), ("conv", "skip"), ("skip", "conv"), ("skip", "skip"), ("skip", "skip"))


def searched() -> Searched:
    """A search whose weights leaned to these, epoch by epoch."""
    batches = [(torch.rand(4, 1, 6, 6), torch.tensor([0, 1, 0, 1]))]
    found = darts(space(), batches, batches, Options(epochs=len(HISTORY)))
    weights = [
        {name: tuple(0.9 if value == kind else 0.1 for value in found.values[name]) for name, kind in leaning(kinds)}
        for kinds in HISTORY
    ]
    records = tuple(replace(record, weights=own) for record, own in zip(found.history, weights, strict=True))
    return replace(found, architecture=arch(*HISTORY[-1]), history=records)


def leaning(kinds: Sequence[str]) -> list[tuple[str, str]]:
    return list(zip(NAMES, kinds, strict=True))


@pytest.mark.long
def test_the_last_sound_epoch_comes_second() -> None:
    """Without an alarm the latest other epoch does; an alarm from the first epoch on has none before it."""
    found, alarm = searched(), Alarm(epoch=2, reason="skips", safe_epoch=1)
    assert architectures_of(found, Options(), 2) == [arch("skip", "skip"), arch("skip", "conv")]
    collapsed = replace(found, alarm=alarm)
    assert architectures_of(collapsed, Options(), 2) == [arch("skip", "skip"), arch("conv", "skip")]
    assert architectures_of(collapsed, Options(), 9) == [
        arch("skip", "skip"),
        arch("conv", "skip"),
        arch("skip", "conv"),
        arch("conv", "conv"),
    ]
    at_once = replace(found, alarm=replace(alarm, safe_epoch=-1))
    assert architectures_of(at_once, Options(), 2) == architectures_of(found, Options(), 2)


def test_so_it_does_of_a_search_by_sampling() -> None:
    """Before its last draws."""
    nothing = Signs(0.0, 0.0, "", 0.0, 0.0)
    records = tuple(EpochRecord(i, 0.0, 0.0, 0.0, {}, arch(*kinds), nothing) for i, kinds in enumerate(HISTORY))
    alarm = Alarm(epoch=1, reason="skips", safe_epoch=0)
    sampled = Sampled(
        "enas",
        arch("skip", "skip"),
        {},
        {},
        records,
        0.5,
        alarm,
        False,
        (),
        cast("Supernet", None),
        (arch("skip", "conv"),),
        (0.6, 0.5),
        0.5,
    )
    assert architectures_of(sampled, Options(), 2) == [arch("skip", "skip"), arch("conv", "conv")]
    calm = replace(sampled, alarm=None)
    assert architectures_of(calm, Options(), 4) == [arch("skip", "skip"), arch("skip", "conv")]
