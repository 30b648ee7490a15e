"""The generated source: readable, formatted, and enough without netwright."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from checks import check_source, draw, random_input
from own_modules import Scaled
from random_declarations import random_declaration
from safetensors.torch import load_file, save_file

from netwright import nn
from netwright.errors import BuildError
from netwright.nn.building import given_in_namespace, instantiate
from netwright.nn.places import places_of
from netwright.nn.spaces import SPACES
from netwright.nn.writing import write
from netwright.space.resolve import resolve
from netwright.space.terms import Term

IMAGE = (3, 8, 8)

GOLDEN = '''\
"""A network found by netwright; needs torch alone.

Input: (batch, 3, 8, 8) float32. Output: (batch, 10) float32.
"""

from __future__ import annotations

import torch
from torch import nn


def conv_norm_relu(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


class Network(nn.Module):
    """The network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_norm_act1 = conv_norm_relu(3, 16)
        self.conv_norm_act2 = conv_norm_relu(16, 32)
        self.global_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.linear = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv_norm_act1(x)
        x = self.conv_norm_act2(x)
        x = self.global_pool(x)
        return self.linear(x)


def build() -> nn.Module:
    """Make the network with fresh weights."""
    return Network()
'''


def _term(*parts: object) -> Term:
    return resolve(nn.seq(*parts), {})  # type: ignore[arg-type]


def test_source_of_a_small_network_is_this_text() -> None:
    """Layers of one form share a function whose parameters are what differs."""
    term = _term(nn.conv_norm_act(16), nn.conv_norm_act(32), nn.global_pool(), nn.linear(10))
    assert nn.source(term, input_shape=IMAGE) == GOLDEN


def _samples() -> list[Term]:
    spaces = [make((3, 16, 16), 10) for make in SPACES.values()]
    return [draw(space, seed) for space in spaces for seed in range(2)]


def test_source_is_formatted(tmp_path: Path) -> None:
    """``ruff format`` changes nothing."""
    ruff = shutil.which("ruff") or shutil.which("ruff", path=str(Path(sys.executable).parent))
    if ruff is None:
        pytest.skip("ruff is not installed")
    for number, term in enumerate(_samples()):
        (tmp_path / f"space{number}.py").write_text(nn.source(term, input_shape=(3, 16, 16)))
    for seed in range(40):
        made = random_declaration(seed)
        text = nn.source(draw(made.space, seed), input_shape=made.input_shape, input_dtype=made.input_dtype)
        (tmp_path / f"random{seed}.py").write_text(text)
    command = [ruff, "format", "--check", "--isolated", "--line-length", "120", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@pytest.mark.long
def test_source_runs_without_netwright(tmp_path: Path) -> None:
    """In a process that cannot import netwright the source makes a network that gives the same outputs."""
    term = draw(SPACES["darts"]((3, 16, 16), 10, channels=4, num_cells=3), 0)  # type: ignore[call-arg]
    model = nn.build(term, input_shape=(3, 16, 16), seed=3).eval()
    x = random_input((3, 16, 16), "float32")
    (tmp_path / "model.py").write_text(nn.source(term, input_shape=(3, 16, 16)))
    save_file(dict(model.state_dict()), tmp_path / "weights.safetensors")
    save_file({"x": x}, tmp_path / "x.safetensors")
    script = (
        "import sys; sys.modules['netwright'] = None\n"
        "from safetensors.torch import load_file, save_file\n"
        "import model\n"
        "network = model.build().eval()\n"
        "network.load_state_dict(load_file('weights.safetensors'))\n"
        "save_file({'y': network(load_file('x.safetensors')['x']).detach()}, 'y.safetensors')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        assert torch.equal(load_file(tmp_path / "y.safetensors")["y"], model(x))


def test_equal_blocks_in_a_row_are_one_line() -> None:
    """Twenty equal blocks do not make a long text."""
    blocks = nn.seq(*(nn.conv_norm_act(16) for _ in range(20)))
    text = nn.source(_term(nn.conv(16), blocks, nn.global_pool(), nn.linear(2)), input_shape=IMAGE)
    assert "*[conv_norm_relu() for _ in range(20)]" in text
    assert len(text.splitlines()) < 60


def test_own_class_is_imported_by_source() -> None:
    """Without a writer, a class of one's own is imported from where it is."""
    text = nn.source(_term(nn.op(Scaled, channels=3, factor=0.5)), input_shape=IMAGE)
    assert f"from {Scaled.__module__} import Scaled\n" in text
    assert "self.scaled = Scaled(channels=3, factor=0.5)\n" in text


def test_own_class_is_pasted_by_a_writer() -> None:
    """A writer is told the classes used, and gives imports and definitions for them."""
    asked: list[tuple[type, ...]] = []

    def write(classes: tuple[type, ...]) -> nn.OwnCode:
        asked.append(classes)
        return nn.OwnCode(("import math",), "class Scaled(nn.Module):\n    value = math.pi\n")

    term = _term(nn.op(Scaled, channels=3), nn.op(Scaled, channels=3))
    text = nn.source(term, input_shape=IMAGE, own_code=write)
    assert asked == [(Scaled,)]
    assert text.index("import math\n") < text.index("class Scaled(nn.Module)") < text.index("class Network(nn.Module)")


def test_strings_cannot_become_code() -> None:
    """An argument that holds quotes and line breaks stays a string."""

    class Named(torch.nn.Module):
        def __init__(self, label: str) -> None:
            super().__init__()
            self.label = label

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 1.0

    hostile = "\"'\n)\nraise SystemExit('code')\n#"
    model = nn.build(_term(nn.op(Named, label=hostile)), input_shape=IMAGE)
    assert model.named.label == hostile  # type: ignore[union-attr]


def test_classes_of_one_name_are_rejected() -> None:
    """Two classes of the same name cannot stand in one module."""
    other = type("Scaled", (Scaled,), {})
    with pytest.raises(BuildError, match="two classes of your own have the name Scaled"):
        nn.source(_term(nn.op(Scaled, channels=3), nn.op(other, channels=3)), input_shape=IMAGE)


def test_class_named_like_a_helper_is_rejected() -> None:
    """A class of one's own that has the name of a helper in use is rejected by name."""
    taken = type("Residual", (Scaled,), {})
    with pytest.raises(BuildError, match=r"class Residual of your own .* rename it"):
        nn.source(_term(nn.residual(nn.op(taken, channels=3))), input_shape=IMAGE)


def test_network_of_nothing_is_the_identity() -> None:
    """An empty network gives its input."""
    x = random_input(IMAGE, "float32")
    assert torch.equal(nn.build(_term(nn.identity()), input_shape=IMAGE)(x), x)


def test_every_shipped_space_equals_its_source() -> None:
    """One architecture of each shipped space gives the same outputs from its source."""
    for name, make in SPACES.items():
        space = make((3, 8, 8), 4)
        term = space.resolve(space.sample(np.random.default_rng(5)))
        check_source(term, nn.build(term, input_shape=(3, 8, 8), seed=0), (3, 8, 8))
        assert name in SPACES


@pytest.mark.parametrize("name", ["darts", "free_form", "mobile_macro", "nas_bench_201"])
def test_what_nobody_reads_is_the_same_network(name: str) -> None:
    """Without definitions of what repeats: the same layers, names, places and weights, from more text."""
    space = SPACES[name]((3, 16, 16), 4)
    term = space.resolve(space.sample(np.random.default_rng(5)), sited=True)
    texts, modules = [], []
    for is_read in (True, False):
        written = write(term, input_shape=(3, 16, 16), own_code=given_in_namespace, is_read=is_read)
        model = instantiate(written, seed=1)
        texts.append(written.text)
        layers = [(path, type(m)) for path, m in model.named_modules() if type(m).__module__.startswith("torch.")]
        modules.append((layers, places_of(model, written), model.state_dict()))
    assert texts[0] != texts[1]
    assert modules[0][:2] == modules[1][:2]
    assert all(torch.equal(own, modules[1][2][key]) for key, own in modules[0][2].items())


def test_values_that_are_equal_but_not_the_same_stay_apart() -> None:
    """Two cells that differ in ``1`` and ``True`` are two classes."""

    class Kept(torch.nn.Module):
        def __init__(self, value: object) -> None:
            super().__init__()
            self.value = value

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 1.0

    cells = [nn.cell(nn.cell_node(nn.edge(0, nn.op(Kept, value=value)))) for value in (1, True)]
    written = write(_term(*cells), input_shape=IMAGE, own_code=given_in_namespace, is_read=False)
    kept = [module.value for module in instantiate(written).modules() if isinstance(module, Kept)]
    assert kept == [1, True]
    assert [type(value) for value in kept] == [int, bool]
