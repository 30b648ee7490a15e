"""What an exported ``model.py`` does with sentences: read lines, print translations.

See `netwright.export.runtime` for what *copied* means.
"""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from netwright.export.runtime import load, one_line, say

if TYPE_CHECKING:
    from netwright.tasks.subwords import Subwords

SOURCE_LENGTH: int = 1
TARGET_LENGTH: int = 1
SOURCE_MERGES: tuple[str, ...] = ()
TARGET_MERGES: tuple[str, ...] = ()
LOWERCASE: bool = False

# ---------------------------------------------------------------- copied where the network translates

AT_ONCE = 50


def prepare(stored: torch.Tensor) -> torch.Tensor:
    """Stored rows (N, source and target tokens) as the network's input."""
    return stored.to(torch.int64)


def translate(model: torch.nn.Module, texts: list[str], beams: int = 4) -> list[str]:
    """Translate sentences by beam search; of a longer one than the network has room for, its beginning."""
    reader, writer = Subwords(SOURCE_MERGES), Subwords(TARGET_MERGES)
    inner: Any = next(module for module in model.modules() if hasattr(module, "translate"))
    rows = torch.zeros(len(texts), SOURCE_LENGTH, dtype=torch.int64)
    for number, text in enumerate(texts):
        tokens = reader.encode(clean(text))
        if len(tokens) >= SOURCE_LENGTH:
            sys.stderr.write(f"line {number + 1} is cut off: {len(tokens)} tokens, {SOURCE_LENGTH - 1} at most\n")
        tokens = [*tokens[: SOURCE_LENGTH - 1], 2]
        rows[number, : len(tokens)] = torch.tensor(tokens)
    found = [""] * len(texts)
    by_length = torch.argsort((rows != 0).sum(1), stable=True).tolist()
    for start in range(0, len(texts), AT_ONCE):
        part = by_length[start : start + AT_ONCE]
        for number, row in zip(part, inner.translate(rows[part], TARGET_LENGTH, beams).tolist(), strict=True):
            found[number] = writer.decode(row) if texts[number].strip() else ""
    return found


def clean(text: str) -> str:
    """A sentence in composed characters, control characters as spaces; in lower case where the network learned that."""
    plain = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    whole = " ".join(unicodedata.normalize("NFC", plain).split())
    return unicodedata.normalize("NFC", whole.lower()) if LOWERCASE else whole


def read_texts(path: str) -> list[str]:
    """Lines of a file in UTF-8, or of what is typed if there is none."""
    data = sys.stdin.buffer.read() if path in ("", "-") else Path(path).read_bytes()
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(f"{path or 'input'}, line {line}: no UTF-8 (byte {data[error.start]:#04x})") from None
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []


def main(arguments: list[str]) -> int:
    """Print a translation of each line of a file, or of the standard input; an empty line stays one."""
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-") and arguments[0] != "-"):
        sys.stderr.write("usage: python model.py [FILE.txt]\n")
        return 2
    try:
        found = translate(load(), read_texts(arguments[0] if arguments else ""))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{one_line(error)}\n")
        return 2
    say(found, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
