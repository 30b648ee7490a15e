"""What an exported ``model.py`` does with texts that have classes: read lines, print classes.

See `netwright.export.runtime` for what *copied* means.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from netwright.export.runtime import load, one_line, say

if TYPE_CHECKING:
    from netwright.tasks.subwords import Subwords

LENGTH: int = 1
MERGES: tuple[str, ...] = ()
CLASS_NAMES: tuple[str, ...] = ()

# ---------------------------------------------------------------- copied where the network says the class of a text

AT_ONCE = 50


def prepare(stored: torch.Tensor) -> torch.Tensor:
    """Stored rows (N, tokens) as the network's input."""
    return stored.to(torch.int64)


def rows_of(texts: list[str]) -> torch.Tensor:
    """Tokens of texts (N, LENGTH); of a longer one its beginning."""
    reader = Subwords(MERGES)
    rows = torch.zeros(len(texts), LENGTH, dtype=torch.int64)
    for number, text in enumerate(texts):
        tokens = [*reader.encode(text)[: LENGTH - 1], 2]
        rows[number, : len(tokens)] = torch.tensor(tokens)
    return rows


def main(arguments: list[str]) -> int:
    """Print class and probability of each line of a file, or of the standard input; an empty line stays one."""
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-") and arguments[0] != "-"):
        sys.stderr.write("usage: python model.py [FILE.txt]\n")
        return 2
    try:
        typed = not arguments or arguments[0] == "-"
        data = (sys.stdin.buffer.read() if typed else Path(arguments[0]).read_bytes()).removeprefix(b"\xef\xbb\xbf")
        texts = data.decode("utf-8").replace("\r\n", "\n").removesuffix("\n").split("\n") if data else []
        model = load()
        with torch.inference_mode():
            parts = [model(part).softmax(1) for part in torch.split(rows_of(texts), AT_ONCE)]
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        sys.stderr.write(f"line {line}: no UTF-8 (byte {data[error.start]:#04x})\n")
        return 2
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{one_line(error)}\n")
        return 2
    best = torch.cat(parts).max(1)
    answers = zip(texts, best.indices.tolist(), best.values.tolist(), strict=True)
    say((f"{CLASS_NAMES[index]}\t{sure:.4f}" if text.strip() else "" for text, index, sure in answers), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
