"""What an exported ``model.py`` does with numpy arrays: read inputs, print outputs.

See `netwright.export.runtime` for what *copied* means.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from netwright.export.runtime import load, one_line, printable, say

INPUT_SHAPE: tuple[int, ...] = (1,)
CLASS_NAMES: tuple[str, ...] = ()
TOKENS: bool = False

# ---------------------------------------------------------------- copied where the network takes arrays


def prepare(stored: torch.Tensor) -> torch.Tensor:
    """Stored values (N, ...) as the network's input."""
    return stored.to(torch.int64 if TOKENS else torch.float32)


def read_inputs(path: str | Path) -> torch.Tensor:
    """Read a numpy array of one input, or of several, as (N, ...)."""
    import numpy as np

    try:
        stored = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, MemoryError) as error:
        raise ValueError(f"{path}: no numpy array: {one_line(error)}") from None
    if not isinstance(stored, np.ndarray) or stored.dtype.kind not in "buif" or not np.isfinite(stored).all():
        raise ValueError(f"{path}: give one numpy array of finite numbers")
    if tuple(stored.shape) == INPUT_SHAPE:
        stored = stored[None]
    if tuple(stored.shape[1:]) != INPUT_SHAPE or stored.shape[0] == 0:
        raise ValueError(f"{path}: inputs have shape {INPUT_SHAPE}, this array has shape {tuple(stored.shape)}")
    return prepare(torch.from_numpy(stored))


def main(arguments: list[str]) -> int:
    """Print a line for each input: its class and the probability, or the outputs."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python model.py FILE.npy\n")
        return 2
    try:
        with torch.inference_mode():
            outputs = load()(read_inputs(arguments[0]))
    except (OSError, ValueError, ImportError) as error:
        sys.stderr.write(f"{one_line(error)}\n")
        return 2
    if CLASS_NAMES:
        best = outputs.softmax(1).max(1)
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        say(f"{printable(CLASS_NAMES[index])}\t{probability:.4f}" for index, probability in pairs)
    else:
        say("\t".join(f"{value:.6g}" for value in row.flatten().tolist()) for row in outputs)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
