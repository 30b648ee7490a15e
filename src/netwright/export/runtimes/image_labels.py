"""What an exported ``model.py`` says of an image that may have several labels.

See `netwright.export.runtime` for what *copied* means.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch.nn import functional as F

from netwright.export.runtime import load, one_line, printable, read_values, say, with_channels

INPUT_SHAPE: tuple[int, ...] = (1, 28, 28)
CLASS_NAMES: tuple[str, ...] = ()

# ---------------------------------------------------------------- copied where an image has several labels


def read_image(path: str | Path) -> torch.Tensor:
    """Read one image (1, C, H, W) as input of the network: of its channels and its size."""
    images = with_channels(read_values(path))
    if tuple(images.shape[2:]) != tuple(INPUT_SHAPE[1:]):
        size = (INPUT_SHAPE[1], INPUT_SHAPE[2])
        images = F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
    return images


def main(arguments: list[str]) -> int:
    """Print the labels of an image file that are more probable than not, the most probable first."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python model.py IMAGE\n")
        return 2
    try:
        with torch.inference_mode():
            probabilities = load()(read_image(arguments[0])).sigmoid()[0]
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{one_line(error)}\n")
        return 2
    found = [index for index in probabilities.argsort(descending=True).tolist() if probabilities[index] > 0.5]
    say(f"{printable(CLASS_NAMES[index])}\t{probabilities[index]:.4f}" for index in found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
