"""Shared weights in a file, and the record of their training: whole, of this space and data, or refused by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from netwright import nn
from netwright.errors import SpecError
from netwright.evaluation.supernet_check import Distinct
from netwright.evaluation.supernet_files import load_supernet, save_supernet, supernet_of
from netwright.evaluation.supernet_settings import SAMPLINGS, SupernetSettings
from netwright.space import SearchSpace, choice
from netwright.supernet import BestUp, Fair, LargestFirst, Progressive, Sandwich, Uniform
from netwright.tasks.image_classification import ImageClassification


def task(seed: int = 0) -> ImageClassification:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 255, (80, 8, 8, 1)).astype(np.uint8)
    return ImageClassification.from_arrays((x, np.arange(80) % 2), layout="HWC")


def space(widest: int = 8) -> SearchSpace:
    width = choice("width", [4, widest])
    return SearchSpace(nn.seq(nn.conv_norm_act(width), nn.global_pool(), nn.linear(2)))


def test_weights_are_read_as_they_were_written(tmp_path: Path) -> None:
    """The same tensors, without looking at the networks of the space again."""
    data, path = task(), tmp_path / "a" / "supernet.safetensors"
    supernet = supernet_of(data, space(), seed=3)
    digest = save_supernet(path, supernet, data)
    again = load_supernet(path, data, space(), digest=digest)
    assert again.seed == 3
    state = supernet.state_dict()
    assert state.keys() == again.state_dict().keys()
    assert all(torch.equal(state[key], tensor) for key, tensor in again.state_dict().items())


def test_what_is_not_the_file_is_refused(tmp_path: Path) -> None:
    """A torn, changed, foreign or missing file, another space, other data: each is named with what to do."""
    data, path = task(), tmp_path / "supernet.safetensors"
    digest = save_supernet(path, supernet_of(data, space()), data)
    whole = path.read_bytes()
    for cut in (0, 5, 100, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(SpecError, match=r"is damaged .*; train it again"):
            load_supernet(path, data, space())
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(SpecError, match="is damaged, or not the file that the training wrote"):
        load_supernet(path, data, space(), digest=digest)
    path.write_bytes(whole)
    with pytest.raises(SpecError, match="is a supernet of another space; give the space that it was trained with"):
        load_supernet(path, data, space(widest=16))
    with pytest.raises(SpecError, match="is a supernet of another data"):
        load_supernet(path, task(seed=1), space())
    with pytest.raises(SpecError, match="cannot be read: No such file"):
        load_supernet(tmp_path / "none", data, space())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampling": "sandwichs"}, "unknown sampling 'sandwichs'; did you mean 'sandwich'?"),
        ({"divergence": "js"}, "unknown divergence 'js'"),
        ({"labels": 1.5}, "labels must be a share"),
        ({"epochs": 0.0}, "epochs must be > 0 and at most 1e6, got 0.0"),
        ({"epochs": float("nan")}, "epochs must be > 0"),
        ({"seed": -1}, "seed must be a whole number"),
    ],
)
def test_settings_refuse_what_cannot_be(options: dict[str, object], message: str) -> None:
    """The error names the value and what is allowed."""
    with pytest.raises(SpecError, match=message.replace("?", r"\?")):
        SupernetSettings(**options)  # type: ignore[arg-type]


def test_each_sampling_has_its_sampler() -> None:
    """And the settings are JSON."""
    networks = supernet_of(task(), space()).networks
    kinds = [type(SupernetSettings(sampling=name).sampler(networks, 100)) for name in SAMPLINGS]
    assert kinds == [Sandwich, Uniform, Fair, Progressive, LargestFirst, BestUp]
    assert json.loads(json.dumps(SupernetSettings().to_dict()))["recipe"]["optimizer"] == "muon"
    assert str(SupernetSettings()) == "sandwich sampling, the first one teaches (kl)"
    assert str(SupernetSettings(sampling="uniform")) == "uniform sampling"


def test_networks_that_say_the_same_are_noticed() -> None:
    """All equal, some equal, all at chance, all with one number; nothing is said where they differ."""
    fine = Distinct((0.5, 0.75, 0.25), 0, 0.25, 3)
    assert fine.warning == ""
    assert not fine.all_equal
    assert replace(fine, equal_pairs=3).all_equal
    assert replace(fine, equal_pairs=3).warning == "3 different networks give the same outputs"
    assert replace(fine, equal_pairs=1).warning == "1 pairs of 3 random networks give the same outputs"
    assert "no network is better than chance" in replace(fine, chance=0.75).warning
    assert replace(fine, accuracies=(0.5, 0.5), num=2).warning == "2 different networks score the same: 0.500"
    assert not Distinct((0.5,), 0, 0.25, 1).all_equal
