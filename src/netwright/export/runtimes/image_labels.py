"""What an exported ``model.py`` says of an image that may have several labels.

See `netwright.export.runtime` for what *copied* means.
"""

from __future__ import annotations

import os
import sys

import torch

from netwright.export.runtime import load, one_line, read_image

CLASS_NAMES: tuple[str, ...] = ()

# ---------------------------------------------------------------- copied where an image has several labels


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
    try:
        for index in probabilities.argsort(descending=True).tolist():
            if probabilities[index] > 0.5:
                sys.stdout.write(f"{printable(CLASS_NAMES[index])}\t{probabilities[index]:.4f}\n")
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough; nothing is left to be written at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def printable(name: str) -> str:
    """A label's name as the terminal can show it: without control characters, and in its encoding."""
    plain, encoding = name if name.isprintable() else repr(name)[1:-1], sys.stdout.encoding or "utf-8"
    return plain.encode(encoding, "backslashreplace").decode(encoding)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
