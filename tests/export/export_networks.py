"""Networks that the tests export, trained for a few steps so that no statistic is at its initial value."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from export_own_layers import OwnBlock

from netwright import nn
from netwright.export import Card
from netwright.space import Node, SearchSpace, Term
from netwright.types import Architecture, Value

PROBE = torch.linspace(-2, 2, 3 * 64).reshape(3, 1, 8, 8)
NAMES = ("zero", "it's", 'two "2"', "trois é")


@dataclass(frozen=True)
class Info:
    """What a task would say."""

    input_shape: tuple[int, ...] = (1, 8, 8)
    task: str = "image-classification"
    scale: float = 16.0
    class_names: tuple[str, ...] = NAMES
    mean: tuple[float, ...] = (0.3,)
    std: tuple[float, ...] = (0.4,)
    value_range: tuple[float, float] = (0.0, 1.0)
    input_dtype: str = "float32"
    output_shape: tuple[int, ...] = ()
    constants: Mapping[str, Value] = field(default_factory=dict)
    num_values: int = 2

    @property
    def runtime(self) -> str:
        return "image" if len(self.input_shape) == 3 else ""


@dataclass(frozen=True)
class Exported:
    """The folder of an export, what it was made from, and what it is measured on. Copy the folder to change it."""

    folder: Path
    weights: dict[str, torch.Tensor]
    examples: dict[str, tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]]
    info: Info


def decided(*parts: Node) -> Term:
    """The network of a declaration that leaves no choice, with the normalisation in front."""
    return SearchSpace(nn.seq(nn.normalize((0.3,), (0.4,)), *parts)).resolve(Architecture({}))


def head(*body: Node) -> Term:
    return decided(*body, nn.global_pool(), nn.linear(4))


def cell_op(source: int, target: int) -> Node:
    return nn.seq(nn.conv(4, bias=False), nn.batch_norm(), nn.relu()) if (source + target) % 2 else nn.max_pool(3, 1)


TERMS: dict[str, Term] = {
    "cnn": head(nn.conv(6), nn.batch_norm(), nn.relu(), nn.dropout(0.1)),
    "mobile": head(nn.conv(4), nn.mbconv(8, expand=2, se=4), nn.squeeze_excite()),
    "attention": head(nn.patch_embedding(8, 4), nn.residual(nn.seq(nn.layer_norm(), nn.attention(2))), nn.layer_norm()),
    "recurrent": head(nn.conv(6), nn.to_sequence(), nn.lstm(5)),
    "cell": head(nn.conv(4), nn.dense_cell(4, cell_op)),
    "own": head(nn.op(OwnBlock, channels=6), nn.batch_norm()),
}


def trained(
    term: Term, info: Info
) -> tuple[dict[str, torch.Tensor], tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]]:
    """State after five steps, and examples with the classes that the network gives them."""
    model = nn.build(term, input_shape=info.input_shape, seed=3)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 17, (60, *info.input_shape)).astype(np.uint8)
    target = torch.from_numpy(rng.integers(0, 4, 60))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    model.train()
    for _ in range(5):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(torch.from_numpy(x) / info.scale), target).backward()
        optimizer.step()
    model.eval()
    with torch.inference_mode():
        y = model(torch.from_numpy(x) / info.scale).argmax(1).numpy()
    return model.state_dict(), (x, y)


def card_of(weights: dict[str, torch.Tensor], **more: float) -> Card:
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    params = sum(t.numel() for name, t in weights.items() if not name.endswith(buffers) and "normalize" not in name)
    return Card("image-classification", {"params": params, "test_accuracy": 1.0, **more}, {"width": 6}, seed=0)


RELOAD = """
import importlib.util, json, sys
from pathlib import Path
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("netwright", "safetensors", "PIL", "export_networks", "export_own_layers"):
            raise ImportError(name)
sys.meta_path.insert(0, Block())
import torch
torch.set_num_threads(THREADS)
x = torch.linspace(-2, 2, 3 * 64).reshape(3, 1, 8, 8)
outputs = {}
for folder in sorted(Path(sys.argv[1]).iterdir()):
    spec = importlib.util.spec_from_file_location(folder.name, folder / "model.py")
    sys.modules[folder.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with torch.inference_mode():
        outputs[folder.name] = module.load()(x).tolist()
print(json.dumps(outputs))
"""


def reloaded(folder: Path) -> dict[str, torch.Tensor]:
    """Outputs for `PROBE` of the exports in the folders of a folder, by their names, where there is torch alone."""
    program = RELOAD.replace("THREADS", str(torch.get_num_threads()))
    done = subprocess.run([sys.executable, "-I", "-c", program, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name: torch.tensor(values) for name, values in json.loads(done.stdout).items()}
