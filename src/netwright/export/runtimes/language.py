"""What an exported ``model.py`` does with a language model: measure a text, or write on.

See `netwright.export.runtime` for what *copied* means.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from netwright.export.runtime import load, one_line, say

if TYPE_CHECKING:
    from netwright.tasks.subwords import Characters, Subwords

CONTEXT: int = 1
CHARACTERS: str = ""
MERGES: tuple[str, ...] = ()
SUBWORDS: bool = False

# ---------------------------------------------------------------- copied where the network goes on with a text

AT_ONCE = 16
WRITTEN = 300


def prepare(stored: torch.Tensor) -> torch.Tensor:
    """Stored windows (N, tokens) as the network's input."""
    return stored.to(torch.int64)


def vocabulary() -> Characters | Subwords:
    """Text to tokens and back."""
    return Subwords(MERGES, keep_spaces=True) if SUBWORDS else Characters(CHARACTERS)


def measure(model: torch.nn.Module, text: str) -> tuple[float, float]:
    """Bits a character and perplexity of a token; each but the first is scored once, most after half a window."""
    known = vocabulary()
    tokens = torch.tensor(known.encode(text), dtype=torch.int64)
    characters = sum(known.num_characters(token) for token in tokens[1:].tolist())
    if not characters:
        raise ValueError("the text is too short: at least two characters are needed")
    padded = torch.cat([tokens, torch.zeros(max(0, CONTEXT + 1 - len(tokens)), dtype=torch.int64)])
    step, last = CONTEXT // 2, len(padded) - 1 - CONTEXT
    starts = [*range(0, last, step), last]
    nats, done = 0.0, 0
    for begin in range(0, len(starts), AT_ONCE):
        some = starts[begin : begin + AT_ONCE]
        logits = model(torch.stack([padded[start : start + CONTEXT] for start in some]))
        for row, start in zip(logits, some, strict=True):
            end = min(start + CONTEXT, len(tokens) - 1)
            wanted = tokens[done + 1 : end + 1]
            nats += float(torch.nn.functional.cross_entropy(row[done - start : end - start], wanted, reduction="sum"))
            done = end
    return nats / characters / math.log(2), math.exp(min(50.0, nats / done))


def write_on(model: torch.nn.Module, text: str, count: int = WRITTEN, temperature: float = 0.8) -> str:
    """A text with so many tokens more, drawn from what the network finds likely; the same ones each time."""
    known, source = vocabulary(), torch.Generator().manual_seed(0)
    tokens = known.encode(text)
    if not tokens:
        raise ValueError("give a text to go on with")
    for _ in range(count):
        window = torch.zeros(1, CONTEXT, dtype=torch.int64)
        last = tokens[-CONTEXT:]
        window[0, : len(last)] = torch.tensor(last)
        likely = (model(window)[0, len(last) - 1] / temperature).softmax(0)
        tokens.append(int(torch.multinomial(likely, 1, generator=source)))
    return known.decode(tokens)


def main(arguments: list[str]) -> int:
    """Print bits a character and perplexity of a file; after ``--continue`` go on with a text."""
    goes_on = len(arguments) == 2 and arguments[0] == "--continue"
    if not goes_on and (len(arguments) != 1 or arguments[0].startswith("-")):
        sys.stderr.write("usage: python model.py FILE.txt | python model.py --continue TEXT\n")
        return 2
    try:
        with torch.inference_mode():
            if goes_on:
                said = write_on(load(), arguments[1])
            else:
                data = Path(arguments[0]).read_bytes().removeprefix(b"\xef\xbb\xbf")
                bits, perplexity = measure(load(), data.decode("utf-8").replace("\r\n", "\n"))
                said = f"bits per character\t{bits:.4f}\nperplexity of a token\t{perplexity:.4f}"
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        sys.stderr.write(f"{arguments[0]}, line {line}: no UTF-8 (byte {data[error.start]:#04x})\n")
        return 2
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{one_line(error)}\n")
        return 2
    say([said], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
